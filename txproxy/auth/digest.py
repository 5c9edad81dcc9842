"""Digest authentication (RFC 7616) for a proxy: SHA-256 and MD5, ``qop=auth``, nonces that expire and count.

A nonce carries its own time and a signature, so that one that nobody uses costs no memory. Of those with which somebody
has shown who it is, the counts that came are kept: a request that was listened to cannot be sent again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from functools import partial
from hmac import compare_digest
from itertools import islice
from os import urandom
from typing import Any, Final, TypeAlias

from twisted.internet.interfaces import IReactorTime

from txproxy.auth.credentials import MalformedCredentials, read_parameters
from txproxy.auth.fair_queue import FairQueue
from txproxy.auth.htpasswd import Digests
from txproxy.wire.message import RequestHead

_HASHES: Final[dict[str, Callable[[bytes], Any]]] = {
    "SHA-256": hashlib.sha256,
    "MD5": partial(hashlib.md5, usedforsecurity=False),
}
_COUNT: Final = re.compile(r"[0-9a-fA-F]{8}")
_STAMP: Final = struct.Struct(">d8s")
_SIGNATURE: Final = 16
# Connections side by side use one nonce, and their requests may overtake each other by this much.
_WINDOW: Final = 128
_CAPACITY: Final = 10_000


class Failure(Enum):
    """Why there is no user."""

    WRONG = "wrong credentials"
    STALE = "right, but with a nonce that has expired or a count that was used"


class _Used:
    """A nonce that somebody has used: by whom, and with which counts."""

    __slots__ = ("name", "issued", "highest", "window")

    def __init__(self, name: str, issued: float, highest: int = 0, window: int = 0) -> None:
        self.name = name
        self.issued = issued
        self.highest = highest
        # Bit i says whether the count `highest - i` has been used.
        self.window = window

    def take(self, count: int) -> bool:
        """Whether ``count`` is new."""
        ahead = count - self.highest
        if ahead > 0:
            self.window = (self.window << ahead | 1) & ((1 << _WINDOW) - 1) if ahead < _WINDOW else 1
            self.highest = count
            return True
        bit = 1 << -ahead
        if -ahead >= _WINDOW or self.window & bit:
            return False
        self.window |= bit
        return True

    def add(self, highest: int, window: int) -> None:
        """These were used elsewhere."""
        ahead = highest - self.highest
        if ahead > 0:
            window |= self.window << ahead if ahead < _WINDOW else 0
            self.highest, self.window = highest, window & ((1 << _WINDOW) - 1)
        elif -ahead < _WINDOW:
            self.window |= window << -ahead & ((1 << _WINDOW) - 1)


# Whose a nonce is, when it was issued, and which counts were used: the highest, and those below it as bits.
Counts: TypeAlias = "tuple[str, float, int, int]"


class Nonces:
    """Issues nonces, good for ``lifetime`` seconds, and knows its own. With the same ``secret`` several processes know
    each other's: ``on_used`` is told of what is used here.
    """

    def __init__(self, clock: IReactorTime, lifetime: float = 300.0, secret: bytes = b"") -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._secret = secret or urandom(32)
        self._used: OrderedDict[str, _Used] = OrderedDict()
        # Nonces from before this are gone, since there was no room to remember all that were used.
        self._oldest = float("-inf")
        self.on_used: Callable[[str, Counts], object] | None = None

    def new(self) -> str:
        """A fresh nonce."""
        stamp = _STAMP.pack(self._clock.seconds(), urandom(8))
        return base64.urlsafe_b64encode(stamp + self._sign(stamp)).decode("ascii")

    def take(self, nonce: str, name: str, count: int) -> bool:
        """Use ``nonce`` for ``name`` with ``count``; False if it is not ours, has expired, or was used with it."""
        used = self._used.get(nonce)
        if used is None:
            issued = self._issued(nonce)
            if issued is None or issued <= self._oldest or self._expired(issued):
                return False
            self._make_room()
            used = self._used[nonce] = _Used(name, issued)
        if used.name != name or self._expired(used.issued) or not used.take(count):
            return False
        if self.on_used is not None:
            self.on_used(nonce, (name, used.issued, used.highest, used.window))
        return True

    def heard(self, nonce: str, counts: Counts) -> None:
        """It was used so at another process."""
        name, issued, highest, window = counts
        used = self._used.get(nonce)
        if used is not None:
            if used.name == name:
                used.add(highest, window)
        elif not self._expired(issued) and issued > self._oldest:
            self._make_room()
            self._used[nonce] = _Used(name, issued, highest, window)

    def known(self, most: int) -> dict[str, Counts]:
        """What was used with so many of them, the latest."""
        latest = islice(reversed(self._used.items()), most)
        return {nonce: (used.name, used.issued, used.highest, used.window) for nonce, used in latest}

    def knows(self, nonce: str, name: str) -> bool:
        """Whether ``name`` has shown with this nonce who it is."""
        used = self._used.get(nonce)
        return used is not None and used.name == name

    def _make_room(self) -> None:
        while self._used:
            first = next(iter(self._used.values()))
            expired = self._expired(first.issued)
            if not expired and len(self._used) < _CAPACITY:
                return
            self._used.popitem(last=False)
            if not expired:
                self._oldest = max(self._oldest, first.issued)

    def _expired(self, issued: float) -> bool:
        return not 0 <= self._clock.seconds() - issued <= self._lifetime

    def _issued(self, nonce: str) -> float | None:
        try:
            data = base64.b64decode(nonce, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        stamp = data[: _STAMP.size]
        if len(data) != _STAMP.size + _SIGNATURE or not compare_digest(data[_STAMP.size :], self._sign(stamp)):
            return None
        issued: float = _STAMP.unpack(stamp)[0]
        return issued

    def _sign(self, stamp: bytes) -> bytes:
        return hashlib.blake2b(stamp, key=self._secret, digest_size=_SIGNATURE).digest()


class Digest:
    """Checks the Digest credentials of requests. ``digests()`` gives the users as they are now."""

    name = b"digest"
    # They are good for one request, and the nonces keep account of that.
    remembers = False
    queue: FairQueue | None = None

    def __init__(self, realm: str, digests: Callable[[], Digests], nonces: Nonces) -> None:
        self._realm = realm
        self._digests = digests
        self._nonces = nonces
        self._nobody = urandom(16).hex()

    def challenges(self, failure: Failure | None = None) -> tuple[bytes, ...]:
        """One for each algorithm, the strongest first (RFC 7616 section 3.7)."""
        stale = ", stale=true" if failure is Failure.STALE else ""
        start = f'Digest realm="{self._realm}", qop="auth", nonce="{self._nonces.new()}", charset=UTF-8{stale}'
        return tuple(f"{start}, algorithm={one}".encode("ascii") for one in self._digests().algorithms)

    def knows(self, rest: bytes) -> bool:
        """Whether these credentials, right or not, go on with a nonce with which the same user was let in."""
        try:
            found = read_parameters(rest)
        except MalformedCredentials:
            return False
        return self._nonces.knows(found.get("nonce", ""), found.get("username", ""))

    def check(self, rest: bytes, head: RequestHead) -> str | Failure:
        """The user that ``rest``, what follows ``Digest``, shows for this request."""
        try:
            found = read_parameters(rest)
            name, nonce, uri, response = found["username"], found["nonce"], found["uri"], found["response"]
            count, cnonce = found["nc"], found["cnonce"]
        except (MalformedCredentials, KeyError):
            return Failure.WRONG
        algorithm = found.get("algorithm", "MD5").upper()
        digests = self._digests()
        if (
            algorithm not in digests.algorithms
            or found.get("realm") != self._realm
            or found.get("qop") != "auth"
            or not _COUNT.fullmatch(count)
            or not _is_target(uri, head)
        ):
            return Failure.WRONG
        hash_of = _HASHES[algorithm]

        def hexed(text: str) -> str:
            digest: str = hash_of(text.encode("utf-8")).hexdigest()
            return digest

        half = digests.half(name, algorithm)
        other = hexed(f"{head.method.decode('ascii')}:{uri}")
        # RFC 7616 3.4.1. An unknown user takes the same time.
        right = hexed(f"{half or self._nobody}:{nonce}:{count}:{cnonce}:auth:{other}")
        if not compare_digest(right.encode(), response.lower().encode("utf-8")) or half is None:
            return Failure.WRONG
        # Only now, so that stale says that the password was right (RFC 7616 3.3), and nobody uses up another's counts.
        return name if self._nonces.take(nonce, name, int(count, 16)) else Failure.STALE


def _is_target(uri: str, head: RequestHead) -> bool:
    """Whether credentials made for ``uri`` are for this request.

    RFC 7616 3.4 wants the target as it stands in the request line; curl and browsers name the path alone, as they do
    to servers.
    """
    path = head.path.decode("ascii")
    if head.method == b"CONNECT":
        return uri.lower() == head.authority.decode("ascii").lower()
    if uri == path:
        return True
    scheme = (head.scheme or b"http").decode("ascii")
    origin = f"{scheme}://{head.authority.decode('ascii')}"
    return uri[: len(origin)].lower() == origin.lower() and uri[len(origin) :] in (
        (path, "") if path in ("/", "*") else (path,)
    )
