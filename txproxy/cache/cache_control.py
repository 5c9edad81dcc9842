"""What Cache-Control, the fields that are targeted at caches, and Pragma say (RFC 9111 section 5.2, RFC 9213)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

import attrs

from txproxy.cache.structured_fields import Member, dictionary
from txproxy.wire.headers import Headers

# RFC 9111 section 1.2.2: what is more than can be counted is this.
MOST_SECONDS: Final = 2**31
_DIGITS_THAT_COUNT: Final = 10


@attrs.frozen
class Directives:
    """The directives that a shared cache knows, of a request or a response. Times are in seconds, None where nothing is
    said of them; what is no time is 0, which makes stale (RFC 9111 section 4.2.1).

    ``no-cache`` and ``private`` with names of fields count as if they had none: that is the safe reading, and what most
    caches do (section 5.2.2.4). ``max-stale`` without a time is any.
    """

    no_store: bool = False
    no_cache: bool = False
    private: bool = False
    public: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    must_understand: bool = False
    immutable: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    s_maxage: int | None = None
    max_stale: int | None = None
    min_fresh: int | None = None
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None

    @property
    def never_stale(self) -> bool:
        """Whether what came with them may not be used stale, whatever fails (section 4.2.4)."""
        # Section 5.2.2.10: s-maxage has proxy-revalidate in it.
        return self.must_revalidate or self.proxy_revalidate or self.s_maxage is not None

    @property
    def shared_with_credentials(self) -> bool:
        """Whether a response to a request with credentials may be shared (section 3.5)."""
        return self.public or self.must_revalidate or self.s_maxage is not None


NONE: Final = Directives()
_RELOAD: Final = Directives(no_cache=True)

# Those that forbid something count whatever they are given; those that allow something only as they are specified.
_FORBIDDING: Final = frozenset({b"no-store", b"no-cache", b"private", b"must-revalidate", b"proxy-revalidate"})
_ALLOWING: Final = frozenset({b"public", b"must-understand", b"immutable", b"only-if-cached"})
_FLAGS: Final = _FORBIDDING | _ALLOWING
_WITH_FIELD_NAMES: Final = frozenset({b"no-cache", b"private"})
_TIMES: Final = frozenset(
    {b"max-age", b"s-maxage", b"max-stale", b"min-fresh", b"stale-while-revalidate", b"stale-if-error"}
)
_ATTRIBUTES: Final = {name: name.decode("ascii").replace("-", "_") for name in _FLAGS | _TIMES}

# A member of a list, up to the comma after it: no comma within a quoted string ends it (RFC 9110 section 5.6.4).
_MEMBER: Final = re.compile(rb'[^",]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^",]*)*', re.S)
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

# Up to this size values are remembered: few are longer, and those need not repeat.
_REMEMBERED: Final = 256


def directives(value: bytes | None) -> Directives:
    """What ``value`` says, which is all lines of Cache-Control joined with commas. Of several of one name the first
    counts; what is unknown is left out.
    """
    if value is None:
        return NONE
    return _remembered(value) if len(value) <= _REMEMBERED else _parse(value)


def of_request(headers: Headers) -> Directives:
    """What a request says. ``Pragma: no-cache`` counts where there is no Cache-Control (RFC 9111 section 5.4 keeps it
    for old clients, and in responses it means nothing).
    """
    index = headers.index
    value = index.get(b"cache-control")
    if value is not None:
        return directives(value)
    if b"pragma" in index and b"no-cache" in headers.tokens(b"pragma"):
        return _RELOAD
    return NONE


def of_response(headers: Headers, targeted_names: Iterable[bytes] = ()) -> tuple[Directives, bool]:
    """What a response says, and whether a targeted field says it: then Cache-Control and Expires do not count."""
    said = targeted(headers, targeted_names)
    if said is not None:
        return said, True
    return directives(headers.index.get(b"cache-control")), False


def targeted(headers: Headers, names: Iterable[bytes]) -> Directives | None:
    """What the first of the fields ``names`` says that is there and valid (RFC 9213 section 2.2); None if none is.

    Such a field is a Dictionary. One that is empty, or none, or has a directive that we know with a value of another
    type, is as if it was not there.
    """
    index = headers.index
    for name in names:
        value = index.get(name)
        if value is not None:
            said = _targeted(value) if len(value) <= _REMEMBERED else _structured(value)
            if said is not None:
                return said
    return None


def delta_seconds(value: bytes) -> int | None:
    """A time (RFC 9111 section 1.2.2); None if ``value`` is none."""
    if not value.isdigit():
        return None
    value = value.lstrip(b"0")
    return min(int(value or b"0"), MOST_SECONDS) if len(value) <= _DIGITS_THAT_COUNT else MOST_SECONDS


def _parse(value: bytes) -> Directives:
    found: dict[str, bool | int] = {}
    for member in _members(value):
        match = _NAME.match(member)
        if match is None:
            continue
        name, argument = match[0].lower(), member[match.end() :]
        attribute = _ATTRIBUTES.get(name)
        if attribute is None or attribute in found:
            continue
        if name in _TIMES:
            found[attribute] = _time(name, argument)
        elif not argument or name in _FORBIDDING:
            found[attribute] = True
    return Directives(**found) if found else NONE  # type: ignore[arg-type]


def _members(value: bytes) -> Iterable[bytes]:
    if b'"' not in value:
        return [member.strip(b" \t") for member in value.split(b",")]
    members = []
    at = 0
    while at < len(value):
        end = _member_end(value, at)
        if end < len(value) and value[end] != ord(","):
            # A quoted string without an end. What comes after it may forbid something, and is read.
            members += value[at:].split(b",")
            break
        members.append(value[at:end])
        at = end + 1
    return [member.strip(b" \t") for member in members]


def _member_end(value: bytes, at: int) -> int:
    match = _MEMBER.match(value, at)
    return match.end() if match is not None else at


def _time(name: bytes, argument: bytes) -> int:
    if not argument and name == b"max-stale":
        return MOST_SECONDS
    value = argument[1:]
    if argument[:1] != b"=":
        # There is none, or a space before the sign.
        return 0
    # Section 5.2: recipients take both forms of an argument, whichever is specified.
    if len(value) > 1 and value[:1] == value[-1:] == b'"':
        value = value[1:-1]
    return delta_seconds(value) or 0


def _structured(value: bytes) -> Directives | None:
    members = dictionary(value)
    if not members:
        return None
    found: dict[str, bool | int] = {}
    for name, member in members.items():
        attribute = _ATTRIBUTES.get(name)
        if attribute is not None:
            said = _of_member(name, member)
            if said is None:
                return None
            found[attribute] = said
    return Directives(**found)  # type: ignore[arg-type]


def _of_member(name: bytes, member: Member) -> bool | int | None:
    """What a member of a Dictionary says; None if it has the wrong type."""
    if name in _TIMES:
        if isinstance(member, bool):
            return MOST_SECONDS if name == b"max-stale" and member else None
        return min(max(member, 0), MOST_SECONDS) if isinstance(member, int) else None
    if isinstance(member, bool):
        return member
    return True if name in _WITH_FIELD_NAMES and isinstance(member, str | tuple) else None


_remembered: Final[Callable[[bytes], Directives]] = lru_cache(maxsize=1024)(_parse)
_targeted: Final[Callable[[bytes], Directives | None]] = lru_cache(maxsize=1024)(_structured)
