"""Ways to show who one is: Basic (RFC 7617) and Bearer (RFC 6750); Digest has a module of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from os import cpu_count, urandom
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from txproxy.auth.credentials import Found, MalformedCredentials, PasswordCheck, TokenCheck, read_basic
from txproxy.auth.digest import Failure
from txproxy.auth.fair_queue import FairQueue
from txproxy.auth.htpasswd import TOKEN, Passwords
from txproxy.wire.message import RequestHead

_LONGEST_TOKEN: Final = 8192


class Run(Protocol):
    """Runs a slow function elsewhere, ``at_once`` such at a time."""

    at_once: int

    def __call__(self, function: Callable[[str, bytes], bool], name: str, password: bytes) -> Deferred[bool]:
        """What it returns."""


class Scheme(Protocol):
    """One authentication scheme, by its lower-case ``name``. ``remembers`` says that what was right stays right; checks
    that may take their time wait in ``queue``.
    """

    name: bytes
    remembers: bool
    queue: FairQueue | None

    def challenges(self, failure: Failure | None = None) -> tuple[bytes, ...]:
        """What it asks for; ``failure`` says what came of credentials of this scheme just now."""

    def knows(self, rest: bytes) -> bool:
        """Whether these go on with what was right before, so that there is nothing to guess."""

    def check(self, rest: bytes, head: RequestHead) -> Found | Failure | Deferred[Found]:
        """Who has sent ``rest``, which is what follows the scheme's name."""


class Basic:
    """User and password."""

    name = b"basic"
    remembers = True

    def __init__(self, realm: str, check: PasswordCheck, queue: FairQueue | None = None) -> None:
        self.queue = queue
        self._challenges = (f'Basic realm="{realm}", charset="UTF-8"'.encode("ascii"),)
        self._check = check

    def challenges(self, failure: Failure | None = None) -> tuple[bytes, ...]:
        """See :class:`Scheme`."""
        return self._challenges

    def knows(self, rest: bytes) -> bool:
        """See :class:`Scheme`."""
        return False

    def check(self, rest: bytes, head: RequestHead | None) -> Found | Failure | Deferred[Found]:
        """See :class:`Scheme`."""
        try:
            login = read_basic(rest)
        except MalformedCredentials:
            return Failure.WRONG
        return self._check(login.name, login.password)


class Bearer:
    """A token."""

    name = b"bearer"
    remembers = True

    def __init__(self, realm: str, check: TokenCheck, queue: FairQueue | None = None) -> None:
        self.queue = queue
        self._challenge = f'Bearer realm="{realm}"'.encode("ascii")
        self._check = check

    def challenges(self, failure: Failure | None = None) -> tuple[bytes, ...]:
        """See :class:`Scheme`."""
        # RFC 6750 3.1: no reason where no token came.
        return (self._challenge if failure is None else self._challenge + b', error="invalid_token"',)

    def knows(self, rest: bytes) -> bool:
        """See :class:`Scheme`."""
        return False

    def check(self, rest: bytes, head: RequestHead | None) -> Found | Failure | Deferred[Found]:
        """See :class:`Scheme`."""
        token = rest.decode("latin-1")
        if len(token) > _LONGEST_TOKEN or not TOKEN.fullmatch(token):
            return Failure.WRONG
        return self._check(token)


def file_passwords(passwords: Callable[[], Passwords], run: Run) -> PasswordCheck:
    """Asks a password file, whose content ``passwords()`` gives as it is now; hashes with ``run``."""

    def check(name: str, password: bytes) -> Deferred[Found]:
        matched: Deferred[Any] = run(passwords().match, name, password)
        return matched.addCallback(lambda right: name if right else None)

    return check


def file_tokens(tokens: Callable[[], Mapping[str, str]]) -> TokenCheck:
    """Asks a token file, whose content ``tokens()`` gives as it is now.

    Tokens are looked up by a keyed hash, so that the time it takes tells nothing of how near a guess was.
    """
    secret = urandom(32)
    known: dict[bytes, str] = {}
    source: Mapping[str, str] | None = None

    def hashed(token: str) -> bytes:
        return hashlib.blake2b(token.encode("ascii"), key=secret, digest_size=32).digest()

    def check(token: str) -> Found:
        nonlocal known, source
        now = tokens()
        if now is not source:
            known, source = {hashed(one): user for one, user in now.items()}, now
        return known.get(hashed(token))

    return check


class HashingThreads:
    """Threads for password hashes alone: what the reactor's threads do is not to wait behind logins.

    They start with the first hash, and end with :meth:`close` or the reactor, which waits for what they have begun: so
    they are not to be given more at once than they can do.
    """

    def __init__(self, reactor: Any, threads: int | None = None) -> None:
        self._reactor = reactor
        self.at_once = threads or min(4, cpu_count() or 1)
        self._pool: ThreadPool | None = None
        self._end: Any = None

    def __call__(self, function: Callable[[str, bytes], bool], name: str, password: bytes) -> Deferred[bool]:
        """Run ``function`` in one of them."""
        pool = self._pool
        if pool is None:
            self._pool = pool = ThreadPool(0, self.at_once, "password hashes")
            pool.start()
            self._end = self._reactor.addSystemEventTrigger("during", "shutdown", pool.stop)
        return deferToThreadPool(self._reactor, pool, function, name, password)

    def close(self) -> None:
        """End the threads, once they have done what they were given; the next hash would begin others."""
        pool, self._pool = self._pool, None
        if pool is not None and not pool.joined:
            self._reactor.removeSystemEventTrigger(self._end)
            pool.stop()
