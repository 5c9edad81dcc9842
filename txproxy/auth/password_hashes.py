"""Password hashes as htpasswd and the tools around it write them: bcrypt, SHA-crypt and apr1.

bcrypt comes from the library of that name. SHA-crypt (Ulrich Drepper's specification of 2008) and apr1 (Apache's MD5)
are written out here: the standard library has lost them with Python 3.13. All are slow on purpose, so that
:meth:`PasswordHash.matches` belongs in a thread.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import partial
from hmac import compare_digest
from time import sleep
from typing import Any, Final

import attrs

try:
    import bcrypt
except ImportError:  # the extra `auth`
    bcrypt = None  # type: ignore[assignment]

ACCEPTED: Final = "accepted are bcrypt ($2y$), SHA-crypt ($5$, $6$) and apr1 ($apr1$)"

# What a check may take: at these bounds it is some seconds.
_MOST_ROUNDS: Final = 5_000_000
_HIGHEST_COST: Final = 16
# As crypt(3) has it. SHA-crypt takes time by the square of the length.
_LONGEST_PASSWORD: Final = 511
# bcrypt reads no more, and its library refuses more.
_BCRYPT_READS: Final = 72

# The last character of bcrypt's salt carries two bits.
_BCRYPT: Final = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_SHA: Final = re.compile(r"\$([56])\$(?:rounds=([0-9]{1,9})\$)?([^$]{0,16})\$([./0-9A-Za-z]{43}(?:[./0-9A-Za-z]{43})?)")
_APR1: Final = re.compile(r"\$apr1\$([^$]{0,8})\$([./0-9A-Za-z]{22})")
_DES: Final = re.compile(r"[./0-9A-Za-z]{13}")

_ALPHABET: Final = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Rounds before the thread lets others run: a quarter of a millisecond.
_ROUNDS_AT_ONCE: Final = 252
_PAUSE: Final = 1e-5

_Digest = Callable[[bytes], Any]
_md5: Final[_Digest] = partial(hashlib.md5, usedforsecurity=False)


@attrs.frozen
class PasswordHash:
    """One hash, known to be well formed. Those of the same ``kind`` and ``cost`` take the same time to check."""

    kind: str
    cost: int
    salt: bytes = attrs.field(repr=False)
    digest: bytes = attrs.field(repr=False)

    def matches(self, password: bytes) -> bool:
        """Whether this is the hash of ``password``. Takes milliseconds to seconds."""
        if len(password) > _LONGEST_PASSWORD:
            return False
        if self.kind == "bcrypt":
            # bcrypt takes passwords as C strings.
            return b"\0" not in password and bcrypt.checkpw(password[:_BCRYPT_READS], self.digest)
        if self.kind == "apr1":
            return compare_digest(apr1(password, self.salt), self.digest)
        return compare_digest(sha_crypt(int(self.kind), password, self.salt, self.cost), self.digest)


def read_hash(text: str) -> PasswordHash:
    """A hash from a file; ``ValueError`` with a reason, which has nothing of the hash in it, if it is not taken."""
    match = _BCRYPT.fullmatch(text)
    if match is not None:
        cost = int(match[1])
        if not 4 <= cost <= _HIGHEST_COST:
            raise ValueError(f"a bcrypt cost of {cost}; accepted is 4 to {_HIGHEST_COST}")
        if bcrypt is None:
            raise ValueError("bcrypt is not installed; pip install 'txproxy[auth]'")
        return PasswordHash("bcrypt", cost, b"", text.encode("ascii"))
    match = _SHA.fullmatch(text)
    if match is not None and len(match[4]) == (43 if match[1] == "5" else 86):
        rounds = int(match[2]) if match[2] else 5000
        if rounds > _MOST_ROUNDS:
            raise ValueError(f"{rounds} rounds of SHA-crypt; accepted is up to {_MOST_ROUNDS}")
        kind = "256" if match[1] == "5" else "512"
        # The specification takes less than 1000 as 1000.
        return PasswordHash(kind, max(1000, rounds), match[3].encode(), match[4].encode("ascii"))
    match = _APR1.fullmatch(text)
    if match is not None:
        return PasswordHash("apr1", 1000, match[1].encode(), match[2].encode("ascii"))
    raise ValueError(_why_not(text))


def _why_not(text: str) -> str:
    for start, name in (
        ("{SHA}", "an unsalted SHA-1 hash, which is quickly guessed"),
        ("$2", "a malformed bcrypt hash"),
        ("$5$", "a malformed SHA-crypt hash"),
        ("$6$", "a malformed SHA-crypt hash"),
        ("$apr1$", "a malformed apr1 hash"),
    ):
        if text.startswith(start):
            return f"{name}; {ACCEPTED}"
    if _DES.fullmatch(text):
        return f"a DES crypt hash (or a password in the clear), which is quickly guessed; {ACCEPTED}"
    return f"a hash of unknown kind (or a password in the clear); {ACCEPTED}"


def sha_crypt(bits: int, password: bytes, salt: bytes, rounds: int) -> bytes:
    """SHA-crypt's hash, as text without its prefix. ``bits`` is 256 or 512; the salt has up to 16 bytes."""
    sha: _Digest = hashlib.sha256 if bits == 256 else hashlib.sha512
    inner = sha(password + salt + password).digest()
    outer = sha(password + salt + _repeated(inner, len(password)))
    length = len(password)
    while length:
        outer.update(inner if length & 1 else password)
        length >>= 1
    digest = outer.digest()
    p = _repeated(sha(password * len(password)).digest(), len(password))
    s = _repeated(sha(salt * (16 + digest[0])).digest(), len(salt))
    return _SHA_TEXT[bits](_stretched(sha, digest, p, s, rounds))


def apr1(password: bytes, salt: bytes) -> bytes:
    """apr1's hash, as text without its prefix. The salt has up to 8 bytes."""
    inner = _md5(password + salt + password).digest()
    outer = _md5(password + b"$apr1$" + salt + _repeated(inner, len(password)))
    length = len(password)
    while length:
        outer.update(b"\0" if length & 1 else password[:1])
        length >>= 1
    return _apr1_text(_stretched(_md5, outer.digest(), password, salt, 1000))


def _repeated(data: bytes, length: int) -> bytes:
    return (data * (length // len(data) + 1))[:length]


def _stretched(hash_of: _Digest, digest: bytes, p: bytes, s: bytes, rounds: int) -> bytes:
    """The many rounds that both kinds have in common."""
    # What surrounds the digest in round i depends on i by 2, 3 and 7.
    around = [(s if i % 3 else b"") + (p if i % 7 else b"") for i in range(42)]
    pairs = [(around[i] + p, p + around[i + 1]) for i in range(0, 42, 2)]
    done = 0
    while done + 42 <= rounds:
        for after, before in pairs:
            digest = hash_of(before + hash_of(digest + after).digest()).digest()
        done += 42
        if not done % _ROUNDS_AT_ONCE:
            # Short hashes keep the interpreter's lock, and whoever asks for it waits 5 ms each time: a reactor would
            # crawl. To sleep gives it away.
            sleep(_PAUSE)
    for i in range(rounds - done):
        after, before = pairs[i // 2]
        digest = hash_of(before + digest if i & 1 else digest + after).digest()
    return digest


def _text(data: bytes, length: int) -> bytes:
    number = int.from_bytes(data, "big")
    return bytes(_ALPHABET[number >> 6 * i & 63] for i in range(length))


def _sha256_text(digest: bytes) -> bytes:
    triples = []
    a, b, c = 0, 10, 20
    for _ in range(10):
        triples.append(_text(bytes((digest[a], digest[b], digest[c])), 4))
        a, b, c = c + 1, a + 1, b + 1
    return b"".join(triples) + _text(bytes((digest[31], digest[30])), 3)


def _sha512_text(digest: bytes) -> bytes:
    triples = []
    a, b, c = 0, 21, 42
    for _ in range(21):
        triples.append(_text(bytes((digest[a], digest[b], digest[c])), 4))
        a, b, c = b + 1, c + 1, a + 1
    return b"".join(triples) + _text(digest[63:], 2)


def _apr1_text(digest: bytes) -> bytes:
    triples = [_text(bytes((digest[i], digest[i + 6], digest[(i + 12) if i < 4 else 5])), 4) for i in range(5)]
    return b"".join(triples) + _text(digest[11:12], 2)


_SHA_TEXT: Final = {256: _sha256_text, 512: _sha512_text}
