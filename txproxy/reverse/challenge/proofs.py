"""What is asked of a client, and what it has when it has passed: texts that are signed, so that nothing of a client has
to be remembered.

A *question* says when it was asked and how many bits are wanted; a *pass* until when it is good. Both are signed for
the client's network, and nobody else's are taken. An answer that is sent again gives the same pass again, which ends
when the first one does.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import Final

from txproxy.matching.clients import client_key
from txproxy.reverse.challenge.challenge_settings import ChallengeSettings

COOKIE: Final = b"txproxy-challenge"
# So many seconds an answer may take.
PATIENCE: Final = 600
# Clocks of several machines are not the same.
_AHEAD: Final = 60
_SIGNATURE: Final = 22
_QUESTION: Final = re.compile(r"([1-9][0-9]{0,11})-([1-9][0-9]?)-[A-Za-z0-9_-]{22}")
_PASS: Final = re.compile(rb"([1-9][0-9]{0,11})-([A-Za-z0-9_-]{22})")
_NUMBER: Final = re.compile(r"[0-9]{1,16}")


@lru_cache(8192)
def network_of(client_ip: str, ipv4_prefix: int, ipv6_prefix: int) -> str:
    """The network that ``client_ip`` is in, which is one client; what is no address stands for itself."""
    known = client_key(client_ip, ipv6_prefix)
    try:
        return str(ipaddress.IPv4Network((known, ipv4_prefix), strict=False))
    except ValueError:
        return known


class Proofs:
    """Asks, and knows who has answered, as ``settings`` say; ``secret`` signs. ``now`` is the time of day."""

    def __init__(self, settings: ChallengeSettings, secret: bytes, now: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._secret = secret
        self._now = now

    def question(self, client_ip: str) -> str:
        """What a client is asked now."""
        return self._question(int(self._now()), self.settings.difficulty, client_ip)

    def answered(self, question: str, number: str, client_ip: str) -> str:
        """Why that is no answer, in a few words; empty if it is one: the ``number`` with which the digest of the
        question is as it should be, or none, after the time that it takes without JavaScript.
        """
        found = _QUESTION.fullmatch(question)
        if found is None:
            return "it is no question"
        asked, bits = int(found[1]), int(found[2])
        # That it is ours comes first: nobody else's has any work done for it.
        if not hmac.compare_digest(question, self._question(asked, bits, client_ip)):
            return "it was asked of somebody else, or by somebody else"
        age = self._now() - asked
        if not -_AHEAD <= age <= PATIENCE:
            return "it was asked too long ago"
        if not number:
            wait = self.settings.wait
            return "" if wait and age >= wait else "it came too soon" if wait else "there is no number"
        if _NUMBER.fullmatch(number) is None:
            return "it is no number"
        digest = int.from_bytes(sha256(f"{question}:{number}".encode("ascii")).digest(), "big")
        return "" if digest >> (256 - bits) == 0 else "the digest has too few zeros"

    def passing(self, question: str, client_ip: str) -> tuple[str, int]:
        """What a client has that has answered a ``question``, and for how many seconds it is good."""
        # From when it was asked on: to answer twice is no good.
        until = int(question.partition("-")[0]) + int(self.settings.lifetime)
        return f"{until}-{self._sign('pass', str(until), client_ip)}", max(1, until - int(self._now()))

    def passed(self, cookies: bytes | None, client_ip: str) -> bool:
        """Whether a client has one that is good."""
        if cookies is None or COOKIE not in cookies:
            return False
        # RFC 6265 4.2.1; a field that is repeated is joined with a comma.
        for pair in cookies.replace(b", ", b";").split(b";"):
            name, _, value = pair.strip().partition(b"=")
            found = _PASS.fullmatch(value) if name == COOKIE else None
            if found is not None and self._is_good(found[1].decode("ascii"), found[2].decode("ascii"), client_ip):
                return True
        return False

    def _is_good(self, until: str, signature: str, client_ip: str) -> bool:
        return int(until) > self._now() and hmac.compare_digest(signature, self._sign("pass", until, client_ip))

    def _question(self, asked: int, bits: int, client_ip: str) -> str:
        return f"{asked}-{bits}-{self._sign('question', f'{asked}-{bits}', client_ip)}"

    def _sign(self, kind: str, text: str, client_ip: str) -> str:
        network = network_of(client_ip, self.settings.ipv4_prefix, self.settings.ipv6_prefix)
        signed = hmac.digest(self._secret, f"{kind} {text} {network}".encode("utf-8", "surrogatepass"), "sha256")
        return urlsafe_b64encode(signed)[:_SIGNATURE].decode("ascii")
