"""Code that a configuration names, and that says whose a password or a token is."""

from __future__ import annotations

from typing import Any, Final

from twisted.cred.checkers import ICredentialsChecker

from txproxy.auth.cred_checkers import password_check, token_check
from txproxy.auth.credentials import PasswordCheck, TokenCheck
from txproxy.components.named_code import NamedCode, call_code, check_call, find_code
from txproxy.errors import ConfigError
from txproxy.interfaces.hooks.awaiting import coming

_ACCEPTED: Final = {
    1: "accepted is a function of a token, or a checker of twisted.cred, or a class of such checkers",
    2: "accepted is a function of a name and a password, or a checker of twisted.cred, or a class of such checkers",
}


def find_checker(code: NamedCode, given: int) -> Any:
    """What checks credentials of so many parts; ``ConfigError`` if there is none."""
    found = find_code(code, "checker")
    if ICredentialsChecker.providedBy(found):
        if code.settings:
            raise ConfigError(f"{code.name!r} is made already, and takes no settings", "accepted is a class")
    elif isinstance(found, type) and ICredentialsChecker.implementedBy(found):
        check_call(code, found)
    elif isinstance(found, type) or not callable(found):
        raise ConfigError(f"{code.name!r} checks no credentials", _ACCEPTED[given])
    else:
        check_call(code, found, given, _ACCEPTED[given])
    return found


def passwords_of(code: NamedCode) -> PasswordCheck:
    """What checks a name and a password."""
    found = _made(code, 2)
    if ICredentialsChecker.providedBy(found):
        return password_check(found)
    settings = code.settings

    def check(name: str, password: bytes) -> Any:
        asked = found(name, password, **settings)
        return coming(asked) or asked

    return check


def tokens_of(code: NamedCode) -> TokenCheck:
    """What checks a token."""
    found = _made(code, 1)
    if ICredentialsChecker.providedBy(found):
        return token_check(found)
    settings = code.settings

    def check(token: str) -> Any:
        asked = found(token, **settings)
        return coming(asked) or asked

    return check


def _made(code: NamedCode, given: int) -> Any:
    found = find_checker(code, given)
    return call_code(code, found, _ACCEPTED[given]) if isinstance(found, type) else found
