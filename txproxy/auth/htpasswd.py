"""The files that say who there is: passwords (htpasswd), digests (htdigest), tokens and groups.

One entry a line; ``#`` begins a comment line. All are UTF-8. A file is read when it is opened, and again when it has
changed and somebody calls :meth:`UserFile.check`.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sized
from hashlib import blake2b
from typing import Final, Generic, TypeVar

from twisted.logger import Logger

from txproxy.auth.password_hashes import PasswordHash, read_hash
from txproxy.errors import ConfigError
from txproxy.file_stamps import Stamp

_log = Logger()

T = TypeVar("T", bound=Sized)

_MOST_ERRORS: Final = 20
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# RFC 6750 2.1: b64token
TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_HA1: Final = re.compile(r"[0-9a-f]{32}(?:[0-9a-f]{32})?")

# Line number and text of each line that says something.
Lines = Iterator[tuple[int, str]]
_Faults = list[tuple[int, str]]


class UserFile(Generic[T]):
    """A file at ``path`` as ``content``, which is what ``read`` makes of its lines, and whose ``digest`` tells it from
    others.

    ``read(lines, fail)`` calls ``fail(number, reason)`` for each line that is wrong; these and a file that cannot be
    read are a ``ConfigError`` with one line each. Number 0 says what the file as a whole lacks.
    """

    def __init__(self, path: str, read: Callable[[Lines, Callable[[int, str], None]], T]) -> None:
        self.path = path
        self._read = read
        self._seen: Stamp | None = None
        # of a file that has nobody in it any more, until it is seen so again
        self._emptied: Stamp | None = None
        self._gone = False
        self._digest = b""
        self.content, faults = self._load()
        if faults:
            raise ConfigError(self._told(faults), place="")
        self.digest = self._digest

    def check(self) -> bool:
        """Read the file again if it has changed. True if there is new content.

        What is wrong goes to the log, once, and the content stays: a file may be caught half written. So one that has
        nobody in it any more is believed when it is still so at the next look: who takes the last user out means it.
        """
        seen = Stamp.now(self.path)
        if seen is None:
            self._is_gone()
            return False
        self._gone = False
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            content, faults = self._load()
        except ConfigError as fault:
            return self._is_not_taken(str(fault))
        # Where no line is wrong, what the file lacks is all that there was.
        emptied = not content and len(self.content) > 0 and not any(number for number, _ in faults)
        if emptied and self._emptied != self._seen:
            self._emptied, self._seen = self._seen, None
            _log.info("{path} is empty now, which is believed if it stays so", path=self.path)
            return False
        if faults and not emptied:
            return self._is_not_taken(self._told(faults))
        self.content, self.digest = content, self._digest
        if emptied:
            _log.warn("{path} is empty: there is nobody in it any more", path=self.path)
        else:
            _log.info("{path} has changed, and was read again", path=self.path)
        return True

    def _is_not_taken(self, reason: str) -> bool:
        _log.error("{path} has changed, but is not taken: {reason}", path=self.path, reason=reason)
        return False

    def _is_gone(self) -> None:
        # Whoever replaces it may have taken the old one away first. But it may also be gone for good, which is no word
        # of anybody's that nobody may log in.
        if self._gone and self._seen is not None:
            self._seen = None
            _log.error("{path} is gone; what was read before stays in use", path=self.path)
        self._gone = True

    def _told(self, faults: _Faults) -> str:
        return "\n".join(
            f"{self.path}:{number}: {reason}" if number else f"{self.path}: {reason}" for number, reason in faults
        )

    def _load(self) -> tuple[T, _Faults]:
        try:
            with open(self.path, "rb") as file:
                self._seen = Stamp.of(os.fstat(file.fileno()))
                data = file.read()
                self._digest = blake2b(data, digest_size=16).digest()
        except OSError as fault:
            raise ConfigError(
                f"{self.path}: {fault.strerror}", "accepted is a file that can be read", place=""
            ) from None
        faults: _Faults = []

        def fail(number: int, reason: str) -> None:
            # Number 0 says what the file lacks, which is no news if lines were wrong.
            if len(faults) < _MOST_ERRORS and (number or not faults):
                faults.append((number, reason))

        return self._read(_lines(data, fail), fail), faults


def _lines(data: bytes, fail: Callable[[int, str], None]) -> Lines:
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        line = raw.strip(b" \t\r")
        if not line or line.startswith(b"#"):
            continue
        try:
            yield number, line.decode("utf-8")
        except UnicodeDecodeError:
            fail(number, "not UTF-8")


def _why_no_name(name: str) -> str:
    if not name:
        return "an empty user name"
    return "a control character in the user name" if _CONTROL.search(name) else ""


class Passwords:
    """Users and the hashes of their passwords."""

    def __init__(self, hashes: Mapping[str, PasswordHash]) -> None:
        self._hashes = hashes
        # Against this one the password of an unknown user is checked, so that it takes as long as that of a known one.
        counted = Counter((entry.kind, entry.cost) for entry in hashes.values())
        usual = counted.most_common(1)[0][0] if counted else None
        alike = (entry for entry in hashes.values() if (entry.kind, entry.cost) == usual)
        self._stand_in = next(alike, PasswordHash("512", 5000, b"", b""))

    def __contains__(self, name: str) -> bool:
        return name in self._hashes

    def __len__(self) -> int:
        return len(self._hashes)

    def match(self, name: str, password: bytes) -> bool:
        """Whether ``password`` is that of ``name``. Slow on purpose: for a thread.

        Where the file has hashes of several kinds or costs, an unknown user takes as long as most of the known ones.
        """
        entry = self._hashes.get(name)
        matched = (entry or self._stand_in).matches(password)
        return matched and entry is not None


def read_passwords(lines: Lines, fail: Callable[[int, str], None]) -> Passwords:
    """``user:hash``, as htpasswd writes it; further columns are left alone, as Apache does."""
    hashes: dict[str, PasswordHash] = {}
    number = 0
    for number, line in lines:
        name, colon, rest = line.partition(":")
        reason = "no colon; accepted is user:hash" if not colon else _why_no_name(name)
        if not reason and name in hashes:
            reason = "the user is there twice"
        if not reason:
            try:
                hashes[name] = read_hash(rest.partition(":")[0])
                continue
            except ValueError as fault:
                reason = str(fault)
        fail(number, reason)
    if not number:
        fail(0, "there is no user in it; accepted are lines of user:hash")
    return Passwords(hashes)


def read_groups(lines: Lines, fail: Callable[[int, str], None]) -> dict[str, frozenset[str]]:
    """``group: user user``, as Apache has it; the groups of each user. A group may have several lines."""
    groups: dict[str, set[str]] = {}
    for number, line in lines:
        group, colon, users = line.partition(":")
        group = group.strip()
        if not colon or len(group.split()) != 1:
            fail(number, "no group; accepted is group: user user")
            continue
        for user in users.split():
            groups.setdefault(user, set()).add(group)
    return {user: frozenset(found) for user, found in groups.items()}


def read_tokens(lines: Lines, fail: Callable[[int, str], None]) -> dict[str, str]:
    """``token:user``; the user of each token. A user may have several, as while one replaces another."""
    users: dict[str, str] = {}
    number = 0
    for number, line in lines:
        token, colon, name = line.partition(":")
        name = name.strip()
        if not colon:
            reason = "no colon; accepted is token:user"
        elif not TOKEN.fullmatch(token):
            reason = "a token that no client could send; accepted are letters, digits and -._~+/, then ="
        elif token in users:
            reason = "the token is there twice"
        else:
            reason = _why_no_name(name)
        if reason:
            fail(number, reason)
        else:
            users[token] = name
    if not number:
        fail(0, "there is no token in it; accepted are lines of token:user")
    return users


class Digests:
    """Users of one realm, and the first half of what Digest hashes (``HA1`` of RFC 7616 section 3.4.2).

    ``algorithms`` are those that every user has, the strongest first: to offer one that some do not have would lock
    those out, as clients choose the strongest that is offered.
    """

    def __init__(self, found: Mapping[str, Mapping[str, str]]) -> None:
        self.algorithms = tuple(
            algorithm for algorithm in ("SHA-256", "MD5") if all(algorithm in halves for halves in found.values())
        )
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def half(self, name: str, algorithm: str) -> str | None:
        """``HA1`` in hexadecimal, or None for an unknown user."""
        halves = self._found.get(name)
        return halves.get(algorithm) if halves is not None else None


def read_digests(realm: str) -> Callable[[Lines, Callable[[int, str], None]], Digests]:
    """``user:realm:HA1``, as htdigest writes it; lines of other realms are left out.

    A hash of 32 digits is MD5, one of 64 is SHA-256; a user may have a line of each.
    """

    def read(lines: Lines, fail: Callable[[int, str], None]) -> Digests:
        found: dict[str, dict[str, str]] = {}
        others: set[str] = set()
        for number, line in lines:
            name, _, rest = line.partition(":")
            where, colon, half = rest.rpartition(":")
            half = half.lower()
            algorithm = "MD5" if len(half) == 32 else "SHA-256"
            if not colon:
                reason = "too few columns; accepted is user:realm:hash"
            elif not _HA1.fullmatch(half):
                reason = "no hash; accepted are 32 (MD5) or 64 (SHA-256) hexadecimal digits"
            elif where == realm and algorithm in found.get(name, ()):
                reason = "the user is there twice"
            else:
                reason = _why_no_name(name)
            if reason:
                fail(number, reason)
            elif where == realm:
                found.setdefault(name, {})[algorithm] = half
            else:
                others.add(where)
        digests = Digests(found)
        if not found:
            has = f", only of {', '.join(repr(other) for other in sorted(others)[:3])}" if others else ""
            fail(0, f"there is no user of realm {realm!r} in it{has}; accepted are lines of user:realm:hash")
        elif not digests.algorithms:
            fail(0, "some users have an MD5 hash only and some a SHA-256 hash only; accepted is one that all have")
        return digests

    return read
