"""A mark: what it says is gone, and how that is written."""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from txproxy.cache.keys import KEY_SIZE, canonical_authority
from txproxy.errors import ConfigError
from txproxy.wire import grammar

LONGEST: Final = 16_384


class Kind(enum.IntEnum):
    """What a mark is about. The numbers stand in journals."""

    # Nothing: it only has the last number, when those before it are forgotten.
    NONE = 0
    ALL = 1
    KEY = 2
    URL = 3
    PREFIX = 4
    HOST = 5
    TAG = 6
    GROUP = 7


class Mark(NamedTuple):
    """All that ``kind`` and ``value`` say, and that was asked for before the mark got its number, is gone; or, if it is
    ``soft``, is stale: it is to be validated before it is used.
    """

    kind: Kind
    value: bytes
    soft: bool = False


def canonical(kind: Kind, value: bytes) -> bytes:
    """The value of a mark as it is compared: URLs and hosts in one spelling. A ConfigError says what is none.

    A key is that of :func:`txproxy.cache.keys.cache_key`, and a group's value is that of :func:`group_value`.
    """
    if len(value) > LONGEST:
        raise _refusal(kind, value[:40] + b"...", f"what is not longer than {LONGEST} bytes")
    if kind in (Kind.URL, Kind.PREFIX):
        return _canonical_url(kind, value)
    if kind is Kind.HOST:
        return _canonical_host(value)
    if kind in (Kind.ALL, Kind.NONE):
        return b""
    if kind is Kind.KEY and len(value) != KEY_SIZE:
        raise _refusal(kind, value, f"one of {KEY_SIZE} bytes")
    if not value:
        raise _refusal(kind, value, "what is not empty")
    return value


def _canonical_url(kind: Kind, value: bytes) -> bytes:
    match = grammar.ABSOLUTE.fullmatch(value.partition(b"#")[0])
    if match is None:
        raise _refusal(kind, value, "a URL such as https://example.com/path")
    scheme, authority, path = match.groups()
    return url_of(scheme.lower(), canonical_authority(scheme, authority), path if path[:1] == b"/" else b"/" + path)


def _canonical_host(value: bytes) -> bytes:
    # The scheme has no port of its own, so that none is added.
    authority = canonical_authority(b"", value)
    if not authority or b"/" in authority:
        raise _refusal(Kind.HOST, value, "a host such as example.com, or example.com:8443")
    return authority.removesuffix(b":0")


def _refusal(kind: Kind, value: bytes, accepted: str) -> ConfigError:
    return ConfigError(f"{kind.name.lower()}: {value.decode('latin-1')!r} cannot be purged", f"accepted is {accepted}")


def url_of(scheme: bytes, authority: bytes, path: bytes) -> bytes:
    """The URL of what is stored: its canonical authority has a port."""
    return b"%b://%b%b" % (scheme, authority, path)


def group_value(scheme: bytes, authority: bytes, group: bytes) -> bytes:
    """A group is one of an origin (RFC 9875 section 2)."""
    return b"%b://%b %b" % (scheme, authority, group)
