"""Who is known, as it is configured, and the authenticator that follows from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any, Final, TypeVar

import attrs
from twisted.cred.checkers import ICredentialsChecker

from txproxy.auth.authenticator import Authenticator
from txproxy.auth.certificate_names import CertificateNames
from txproxy.auth.code_checkers import passwords_of, tokens_of
from txproxy.auth.cred_checkers import password_check, token_check
from txproxy.auth.credentials import PROXY, CredentialFields, PasswordCheck, TokenCheck
from txproxy.auth.digest import Digest, Nonces
from txproxy.auth.fair_queue import FairQueue
from txproxy.auth.htpasswd import Lines, UserFile, read_digests, read_groups, read_passwords, read_tokens
from txproxy.auth.login_throttle import TryLimits
from txproxy.auth.schemes import Basic, Bearer, HashingThreads, Run, Scheme, file_passwords, file_tokens
from txproxy.components.named_code import NamedCode
from txproxy.errors import ConfigError

T = TypeVar("T", bound=Sized)

# How many checks of an embedder's run at once, how many of them for one address, and how many logins wait in all.
_AT_ONCE: Final = 64
_EACH: Final = 8
_MOST_WAITING: Final = 512
_REALM: Final = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]{1,200}")
_NO_GROUPS: Final[frozenset[str]] = frozenset()


def _pairs(value: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    # What was given must not change under a policy, nor make two of the same in another order.
    return tuple(sorted(value.items() if isinstance(value, Mapping) else value))


@attrs.frozen(kw_only=True)
class AuthPolicy:
    """Whom a proxy, or a site, serves. At least one of these says who there is:

    ``password_file`` (htpasswd) or ``passwords``: a function of name and password, or a checker of ``twisted.cred``.
    ``digest_file`` (htdigest). ``token_file`` (``token:user``) or ``tokens``, a function of a token, or a checker.
    ``certificate_field`` of client certificates: ``cn``, ``uid``, ``email`` or ``subject``; with
    ``certificate_users``, only those that it names, as the users that it names.

    Functions return the user's name, a :class:`~txproxy.forward.User`, or None, or a Deferred of
    these. ``group_file`` says who is in which group (``group: user user``). ``realm`` is what clients show to their
    users. ``remember``: seconds for which right credentials are not checked again. ``digest_secret`` and
    ``login_secret``: the same for each worker process, by which nonces, and right credentials, of one are known to the
    others; or empty for one of its own. A wrong value is a ``ConfigError``.
    """

    password_file: str | None = None
    passwords: PasswordCheck | ICredentialsChecker | NamedCode | None = None
    digest_file: str | None = None
    token_file: str | None = None
    tokens: TokenCheck | ICredentialsChecker | NamedCode | None = None
    certificate_field: str | None = None
    certificate_users: tuple[tuple[str, str], ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(_pairs)
    )
    group_file: str | None = None
    realm: str = "txproxy"
    remember: float = 300.0
    tries: TryLimits = attrs.field(factory=TryLimits)
    digest_secret: bytes = attrs.field(default=b"", repr=False)
    login_secret: bytes = attrs.field(default=b"", repr=False)

    def __attrs_post_init__(self) -> None:
        if not _REALM.fullmatch(self.realm):
            accepted = "accepted is up to 200 of ASCII, no quotes, no backslash"
            raise ConfigError(f"{self.realm!r} is no realm", accepted, ("realm",), "")
        for first, second in (("password_file", "passwords"), ("token_file", "tokens")):
            if getattr(self, first) is not None and getattr(self, second) is not None:
                raise ConfigError(f"{first} and {second} are both given", "accepted is one of them")
        if self.certificate_users is not None and self.certificate_field is None:
            raise ConfigError("certificate_users is given without certificate_field")
        sources = (
            self.password_file, self.passwords, self.digest_file, self.token_file, self.tokens, self.certificate_field
        )  # fmt: skip
        if all(source is None for source in sources):
            raise ConfigError("authentication without users", "accepted is at least one source of users")


class _Sources:
    """What a policy names, opened. Of its schemes, ``files`` are to be looked at again, and ``threads`` hash, if there
    are any.
    """

    def __init__(self, policy: AuthPolicy, reactor: Any, run: Run | None) -> None:
        self._policy = policy
        self._reactor = reactor
        self._run = run
        self.files: list[UserFile[Any]] = []
        self.nonces: Nonces | None = None
        self.threads: HashingThreads | None = None

    def _opened(self, key: str, read: Callable[[Lines, Callable[[int, str], None]], T]) -> UserFile[T]:
        try:
            file: UserFile[T] = UserFile(getattr(self._policy, key), read)
        except ConfigError as fault:
            raise fault.at(key) from None
        self.files.append(file)
        return file

    def digest(self) -> Scheme | None:
        """Digest, if there is a file for it."""
        policy = self._policy
        if policy.digest_file is None:
            return None
        digests = self._opened("digest_file", read_digests(policy.realm))
        nonces = self.nonces = Nonces(self._reactor, secret=policy.digest_secret)
        return Digest(policy.realm, lambda: digests.content, nonces)

    def bearer(self) -> Scheme | None:
        """Tokens of a file, or of whom an embedder asks."""
        policy = self._policy
        if policy.token_file is not None:
            tokens = self._opened("token_file", read_tokens)
            return Bearer(policy.realm, file_tokens(lambda: tokens.content))
        if policy.tokens is None:
            return None
        return Bearer(policy.realm, _token_check(policy.tokens), FairQueue(_AT_ONCE, _EACH, _MOST_WAITING))

    def basic(self) -> Scheme | None:
        """Passwords of a file, or of whom an embedder asks."""
        policy = self._policy
        if policy.password_file is not None:
            passwords = self._opened("password_file", read_passwords)
            run = self._run
            if run is None:
                run = self.threads = HashingThreads(self._reactor)
            # One thread, where there are several, is there for others than who has most to be hashed.
            queue = FairQueue(run.at_once, max(1, run.at_once - 1), _MOST_WAITING)
            return Basic(policy.realm, file_passwords(lambda: passwords.content, run), queue)
        if policy.passwords is None:
            return None
        return Basic(policy.realm, _password_check(policy.passwords), FairQueue(_AT_ONCE, _EACH, _MOST_WAITING))

    def groups(self) -> Callable[[str], frozenset[str]] | None:
        """In which groups a user is, if there is a file of that."""
        if self._policy.group_file is None:
            return None
        groups = self._opened("group_file", read_groups)
        return lambda name: groups.content.get(name, _NO_GROUPS)

    def certificates(self) -> CertificateNames | None:
        """Whom a client certificate names, if it is to name anybody."""
        policy = self._policy
        if policy.certificate_field is None:
            return None
        users = policy.certificate_users
        return CertificateNames(policy.certificate_field, dict(users) if users is not None else None)


def _token_check(given: TokenCheck | ICredentialsChecker | NamedCode) -> TokenCheck:
    if isinstance(given, NamedCode):
        try:
            return tokens_of(given)
        except ConfigError as fault:
            raise fault.at("tokens") from None
    return token_check(given) if ICredentialsChecker.providedBy(given) else given


def _password_check(given: PasswordCheck | ICredentialsChecker | NamedCode) -> PasswordCheck:
    if isinstance(given, NamedCode):
        try:
            return passwords_of(given)
        except ConfigError as fault:
            raise fault.at("passwords") from None
    return password_check(given) if ICredentialsChecker.providedBy(given) else given


def make_authenticator(
    policy: AuthPolicy, reactor: Any, run: Run | None = None, fields: CredentialFields = PROXY
) -> Authenticator:
    """What ``policy`` says, for a proxy or a site; ``run`` hashes passwords, in threads if it is not told. What is
    wrong in a file is a ``ConfigError``.
    """
    sources = _Sources(policy, reactor, run)
    # Strongest first: some clients take the first that they know (RFC 9110 section 11.6.1 leaves it to them).
    schemes = [sources.digest(), sources.bearer(), sources.basic()]
    made = Authenticator(
        [scheme for scheme in schemes if scheme is not None],
        reactor,
        groups=sources.groups(),
        certificates=sources.certificates(),
        remember=policy.remember,
        tries=policy.tries,
        secret=policy.login_secret,
        fields=fields,
    )
    for file in sources.files:
        made.watch(file)
    made.threads = sources.threads
    made.nonces = sources.nonces
    return made
