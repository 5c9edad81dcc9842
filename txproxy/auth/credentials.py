"""Who a client is, and what it sends to say so: the syntax of Authorization and Proxy-Authorization (RFC
9110 section 11).

Nothing here shows a password or token in its ``repr``, nor in an error.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from hmac import compare_digest
from typing import Final, TypeAlias
from urllib.parse import unquote

import attrs
from twisted.cred.credentials import ICredentials, IUsernameHashedPassword, IUsernamePassword
from twisted.internet.defer import Deferred
from zope.interface import Attribute, implementer

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_TCHAR: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_PARAMETER: Final = re.compile(rf'({_TCHAR}+\*?)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TCHAR}+))[ \t]*(,[ \t,]*|\Z)')
_QUOTED_PAIR: Final = re.compile(r"\\(.)")


@attrs.frozen
class CredentialFields:
    """By which field of a request its client says who it is, by which of a response it is asked, and with which status
    (RFC 9110 sections 11.6 and 11.7).
    """

    said: bytes
    asked: bytes
    status: int


# for a proxy, and for the site behind one
PROXY: Final = CredentialFields(b"proxy-authorization", b"Proxy-Authenticate: ", 407)
SITE: Final = CredentialFields(b"authorization", b"WWW-Authenticate: ", 401)


@attrs.frozen
class User:
    """A client that has shown who it is. ``name`` and ``groups`` are conditions of rules and columns of the log."""

    name: str
    groups: frozenset[str] = frozenset()


# What those who look for a user may find: its name, or the user with groups of their own knowledge; None for nobody.
Found: TypeAlias = "str | User | None"
PasswordCheck: TypeAlias = "Callable[[str, bytes], Found | Deferred[Found]]"
TokenCheck: TypeAlias = "Callable[[str], Found | Deferred[Found]]"


class MalformedCredentials(ValueError):
    """Credentials do not have the form that their scheme wants. Says nothing of what was in them."""


class IBearerToken(ICredentials):
    """For checkers of ``twisted.cred`` that know bearer tokens (RFC 6750)."""

    token: bytes = Attribute("The token, as sent.")


@implementer(IBearerToken)
@attrs.frozen
class BearerToken:
    """A bearer token, for ``twisted.cred``."""

    token: bytes = attrs.field(repr=False)


@implementer(IUsernamePassword, IUsernameHashedPassword)
@attrs.frozen
class Login:
    """User and password (RFC 7617). ``name`` is decoded, ``username`` is the same as bytes, for ``twisted.cred``."""

    name: str
    password: bytes = attrs.field(repr=False)

    @property
    def username(self) -> bytes:
        """The name in UTF-8."""
        return self.name.encode("utf-8")

    def checkPassword(self, password: bytes | str) -> bool:
        """See ``twisted.cred.credentials.IUsernamePassword``."""
        other = password.encode("utf-8") if isinstance(password, str) else password
        return compare_digest(self.password, other)


def split_scheme(value: bytes) -> tuple[bytes, bytes]:
    """The scheme in lower case, and what follows it."""
    scheme, _, rest = value.partition(b" ")
    return scheme.lower(), rest.strip(b" ")


def read_basic(rest: bytes) -> Login:
    """What follows ``Basic`` (RFC 7617 section 2); ``MalformedCredentials`` if it cannot."""
    try:
        text = base64.b64decode(rest, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise MalformedCredentials("not the Base64 of UTF-8") from None
    name, colon, password = text.partition(":")
    # RFC 7617 2: neither may have control characters.
    if not colon or _CONTROL.search(text):
        raise MalformedCredentials("not a user and a password")
    return Login(name, password.encode("utf-8"))


def basic(name: bytes, password: bytes) -> bytes:
    """The value of a field that says the same, of a ``name`` without a colon."""
    return b"Basic " + base64.b64encode(name + b":" + password)


def read_parameters(rest: bytes) -> dict[str, str]:
    """The parameters after a scheme, by lower-case name; ``MalformedCredentials`` if they are malformed or repeated.

    ``name*`` (RFC 8187) is decoded, and takes the place of ``name``.
    """
    try:
        text = rest.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedCredentials("not UTF-8") from None
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if match is None:
            raise MalformedCredentials("malformed parameters")
        position = match.end()
        name = match[1].lower()
        value = match[3] if match[2] is None else match[2]
        if "\\" in value:
            value = _QUOTED_PAIR.sub(r"\1", value)
        if name.endswith("*"):
            name, value = name[:-1], _extended(value)
        if name in found:
            raise MalformedCredentials("a parameter is repeated")
        found[name] = value
    return found


def _extended(value: str) -> str:
    charset, _, rest = value.partition("'")
    _, quote, encoded = rest.partition("'")
    if charset.lower() != "utf-8" or not quote:
        raise MalformedCredentials("an extended parameter in another coding than UTF-8")
    try:
        return unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        raise MalformedCredentials("not UTF-8") from None
