"""Who may use a proxy, or a site: asks for credentials, checks them, and remembers what was right.

Passwords are hashed slowly on purpose. That happens in threads, once for all requests that bring the same credentials,
and is remembered for a while: a request whose credentials are known is decided at once, for one keyed hash.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, Final, TypeAlias

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure as Raised

from txproxy.auth import credentials
from txproxy.auth.certificate_names import CertificateNames
from txproxy.auth.credentials import PROXY, CredentialFields, Found, User
from txproxy.auth.digest import Failure, Nonces
from txproxy.auth.fair_queue import QueueFull
from txproxy.auth.htpasswd import UserFile
from txproxy.auth.login_throttle import FailedTries, TryLimits
from txproxy.auth.logins import PendingLogin, Remembered, Waiter
from txproxy.auth.schemes import (
    HashingThreads,
    Scheme,
)
from txproxy.interfaces.answers import Refusal
from txproxy.interfaces.context import RequestContext
from txproxy.matching.clients import client_key
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

_log = Logger()

Checked: TypeAlias = "User | Refusal | Deferred[User | Refusal]"

_FOR_EVER: Final = float("inf")
_NO_GROUPS: Final[frozenset[str]] = frozenset()
_BUSY: Final = Refusal(
    503,
    "",
    "too many logins are being checked",
    (b"Retry-After: 1",),
    sentence="Too many logins are being checked just now.",
)
_NO_HEAD: Final = RequestHead(b"CONNECT", b"", Headers())


class Authenticator:
    """Decides who sends a request, by ``schemes``, which are offered in that order, and by client certificates. Several
    processes with one ``secret`` may know what each of them has found right
    (:class:`txproxy.auth.shared_logins.SharedLogins`). ``fields`` are those of a proxy, or of a site.
    """

    def __init__(
        self,
        schemes: Sequence[Scheme],
        clock: IReactorTime,
        *,
        certificates: CertificateNames | None = None,
        groups: Callable[[str], frozenset[str]] | None = None,
        remember: float = 300.0,
        tries: TryLimits | None = None,
        secret: bytes = b"",
        fields: CredentialFields = PROXY,
    ) -> None:
        self._fields = fields
        self._schemes = {scheme.name: scheme for scheme in schemes}
        self._clock = clock
        self._certificate_user = lru_cache(maxsize=1024)(certificates.user) if certificates is not None else None
        self._groups = groups or (lambda name: _NO_GROUPS)
        self.memory = Remembered(clock, remember, secret)
        tries = tries or TryLimits()
        self.tries = FailedTries(clock, tries)
        # of Digest, if that is one of them
        self.nonces: Nonces | None = None
        self._prefix = tries.ipv6_prefix
        self._pending: dict[bytes, PendingLogin] = {}
        self._generation = 0
        self._files: list[UserFile[Any]] = []
        self._forgetful: list[Callable[[], None]] = []
        self._holders = 0
        # its own, if it has some
        self.threads: HashingThreads | None = None
        # of the user that was found at once by the latest check: until when the same fields say the same
        self.known_until = 0.0
        self._by_name = lru_cache(maxsize=4096)(self._user_of_name)

    def check(self, head: RequestHead, context: RequestContext) -> Checked:
        """Who sends ``head``: the user, or what to answer. A Deferred may be cancelled when the client leaves."""
        if self._certificate_user is not None:
            user = self.check_certificate(context)
            if user is not None:
                self.known_until = _FOR_EVER
                return user
        value = head.headers.index.get(self._fields.said)
        if value is None:
            return self.challenge("credentials are missing")
        return self._check_value(value, head, context)

    def check_login(self, name: bytes, password: bytes, context: RequestContext) -> Checked:
        """The same for a user and password that came another way, as by SOCKS5."""
        if b"basic" not in self._schemes or b":" in name:
            return self.challenge("credentials that are not known here")
        # The same credentials by HTTP and by SOCKS are one.
        return self._check_value(credentials.basic(name, password), _NO_HEAD, context)

    def check_certificate(self, context: RequestContext) -> User | None:
        """The user that the client's certificate names, before it has sent anything."""
        certificate = getattr(context, "certificate", None)
        if self._certificate_user is None or certificate is None:
            return None
        name = self._certificate_user(certificate)
        return self._by_name(name) if name is not None else None

    def hold(self) -> None:
        """One more proxy asks it, and will call :meth:`close`."""
        self._holders += 1

    def close(self) -> None:
        """Let go of its threads, if nobody else holds it."""
        self._holders = max(0, self._holders - 1)
        if self.threads is not None and not self._holders:
            self.threads.close()

    def groups_of(self, name: str) -> frozenset[str]:
        """The groups that a user is in, as far as the file of groups knows."""
        return self._by_name(name).groups

    @property
    def takes_passwords(self) -> bool:
        """Whether ``check_login`` may find somebody."""
        return b"basic" in self._schemes

    def watch(self, file: UserFile[Any]) -> None:
        """Let ``check_files`` look at ``file`` too."""
        self._files.append(file)

    @property
    def has_files(self) -> bool:
        """Whether ``check_files`` has something to look at."""
        return bool(self._files)

    @property
    def basis(self) -> tuple[bytes, ...]:
        """What its files say, as digests: what was right by it is so by the same alone."""
        return tuple(file.digest for file in self._files)

    def check_files(self) -> bool:
        """Read again the files that have changed. If there are any, nothing is remembered that was right before."""
        changed = [file for file in self._files if file.check()]
        if changed:
            self.forget()
        return bool(changed)

    def forget(self) -> None:
        """Check all credentials anew."""
        self._generation += 1
        self.memory.clear()
        self._by_name.cache_clear()
        for forget in self._forgetful:
            forget()

    def when_forgotten(self, forget: Callable[[], None]) -> None:
        """Have ``forget`` called whenever what was right before is to be checked anew."""
        self._forgetful.append(forget)

    def no_more_when_forgotten(self, forget: Callable[[], None]) -> None:
        """Let it be."""
        if forget in self._forgetful:
            self._forgetful.remove(forget)

    def _check_value(self, value: bytes, head: RequestHead, context: RequestContext) -> Checked:
        key = self.memory.key(value)
        entry = self.memory.get(key)
        if entry is not None:
            user, self.known_until = entry
            return user
        self.known_until = 0.0
        name, rest = credentials.split_scheme(value)
        scheme = self._schemes.get(name)
        if scheme is None:
            return self.challenge("credentials of a scheme that is not known here")
        address = client_key(context.client_ip, self._prefix)
        pending = self._pending.get(key)
        if pending is not None and address in pending.addresses:
            return pending.wait(address)
        wait = self.tries.wait(address)
        if wait and not scheme.knows(rest):
            retry = b"Retry-After: %d" % math.ceil(wait)
            return Refusal(429, "http_request_denied", "too many failed tries to log in", (retry,))
        self.tries.begin(address)
        if pending is not None:
            pending.addresses.add(address)
            return pending.wait(address)
        return self._ask(scheme, key, rest, head, address)

    def _ask(self, scheme: Scheme, key: bytes, rest: bytes, head: RequestHead, address: str) -> Checked:
        found: User | Failure | Deferred[Any] | None
        try:
            check = partial(scheme.check, rest, head)
            asked: Found | Failure | Deferred[Found] = (
                check() if scheme.queue is None else scheme.queue.run(address, check)
            )
            found = asked if isinstance(asked, (Deferred, Failure)) else self._user(asked)
        except QueueFull:
            self.tries.given_up(address)
            return _BUSY
        except Exception:
            # What an embedder has written; that is not the client's fault.
            found = fail()
        if isinstance(found, Deferred):
            pending = PendingLogin(scheme, self._generation, partial(self._is_unwanted, key, found))
            pending.addresses.add(address)
            self._pending[key] = pending
            answer = pending.wait(address)
            found.addCallback(self._user).addBoth(self._settle, key, pending)
            return answer
        if not isinstance(found, User):
            return self._refuse_now(scheme, found or Failure.WRONG, address)
        self.tries.passed(address)
        if scheme.remembers:
            self.memory.put(key, found)
        return found

    def _refuse_now(self, scheme: Scheme, failure: Failure, address: str) -> Checked:
        if failure is Failure.STALE:
            self.tries.passed(address)
            return self.challenge("a nonce that has expired", scheme, failure)
        delay = self.tries.failed(address)
        if not delay:
            return self._wrong(scheme)
        waiter = Waiter(address)
        waiter.refuse(self._clock, delay, lambda: self._wrong(scheme))
        return waiter.answer

    def _is_unwanted(self, key: bytes, found: Deferred[Any], pending: PendingLogin) -> None:
        """Nobody waits any more. What has begun goes on, and counts: to leave saves no try."""
        queue = pending.scheme.queue
        if queue is not None and queue.forget(found):
            del self._pending[key]
            for address in pending.addresses:
                self.tries.given_up(address)

    def _settle(self, found: User | Raised | None, key: bytes, pending: PendingLogin) -> None:
        del self._pending[key]
        waiters, pending.waiters = pending.waiters, []
        if isinstance(found, Raised) and found.check(QueueFull):
            for address in pending.addresses:
                self.tries.given_up(address)
            for waiter in waiters:
                waiter.tell(_BUSY)
            return
        if found is None:
            delays = {address: self.tries.failed(address) for address in pending.addresses}
            for waiter in waiters:
                waiter.refuse(self._clock, delays[waiter.address], lambda: self._wrong(pending.scheme))
            return
        for address in pending.addresses:
            self.tries.passed(address)
        answer: User | Refusal
        if isinstance(found, Raised):
            _say_failed(pending.scheme, found)
            answer = Refusal(500, "proxy_internal_error", "credentials could not be checked")
        else:
            answer = found
            # Not if the files have changed since it was asked.
            if pending.generation == self._generation:
                self.memory.put(key, found)
        for waiter in waiters:
            waiter.tell(answer)

    def _user(self, found: Found) -> User | None:
        if not found:
            return None
        if isinstance(found, str):
            return self._by_name(found)
        if not isinstance(found, User):
            raise TypeError("accepted is the name of a user, a User, or None")
        return found

    def _user_of_name(self, name: str) -> User:
        return User(name, self._groups(name))

    def _wrong(self, scheme: Scheme) -> Refusal:
        return self.challenge("wrong credentials", scheme, Failure.WRONG)

    def challenge(self, detail: str, used: Scheme | None = None, failure: Failure | None = None) -> Refusal:
        """What asks for credentials; ``detail`` says why."""
        lines = tuple(
            self._fields.asked + challenge
            for scheme in self._schemes.values()
            for challenge in scheme.challenges(failure if scheme is used else None)
        )
        return Refusal(self._fields.status, "http_request_denied", detail, lines)


def _say_failed(scheme: Scheme, raised: Raised) -> None:
    # The words of an exception, and what its traceback shows, may have the credentials in them.
    frame = raised.frames[-1] if raised.frames else ("", "an unknown place", 0)
    _log.error(
        "{scheme} credentials could not be checked: {kind} at {file}:{line}",
        scheme=scheme.name.decode("ascii").capitalize(),
        kind=raised.type.__name__ if raised.type is not None else "a failure",
        file=frame[1],
        line=frame[2],
    )
