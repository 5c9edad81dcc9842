"""Checkers of ``twisted.cred`` as judges of passwords and tokens."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ANONYMOUS, ICredentialsChecker
from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
from twisted.cred.error import LoginFailed, Unauthorized
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from txproxy.auth.credentials import BearerToken, Found, IBearerToken, Login, PasswordCheck, TokenCheck
from txproxy.errors import ConfigError


def password_check(checker: ICredentialsChecker) -> PasswordCheck:
    """Ask ``checker`` about passwords. It has to take ``IUsernamePassword`` or ``IUsernameHashedPassword``; else
    ``ConfigError``.
    """
    _require(checker, IUsernamePassword, IUsernameHashedPassword)

    def check(name: str, password: bytes) -> Deferred[Found]:
        return _asked(checker, Login(name, password))

    return check


def token_check(checker: ICredentialsChecker) -> TokenCheck:
    """Ask ``checker`` about bearer tokens. It has to take :class:`txproxy.forward.IBearerToken`; else
    ``ConfigError``.
    """
    _require(checker, IBearerToken)

    def check(token: str) -> Deferred[Found]:
        return _asked(checker, BearerToken(token.encode("ascii")))

    return check


def _require(checker: ICredentialsChecker, *wanted: Any) -> None:
    taken = list(getattr(checker, "credentialInterfaces", ()))
    if not any(one.isOrExtends(other) for one in wanted for other in taken):
        names = " or ".join(one.__name__ for one in wanted)
        raise ConfigError(f"{type(checker).__name__} checks no such credentials", f"accepted are checkers of {names}")


def _asked(checker: ICredentialsChecker, credentials: Any) -> Deferred[Found]:
    return maybeDeferred(checker.requestAvatarId, credentials).addCallbacks(_found, _refused)


def _found(avatar: object) -> Found:
    # A checker that lets everybody in has found nobody.
    if avatar is None or avatar == ANONYMOUS:
        return None
    return avatar.decode("utf-8") if isinstance(avatar, bytes) else str(avatar)


def _refused(failure: Failure) -> None:
    failure.trap(LoginFailed, Unauthorized)
