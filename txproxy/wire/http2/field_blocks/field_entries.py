"""Fields as tables and blocks have them: each is looked at once, when it comes, and is known from then on.

An entry is a tuple, since most are read by the place of what is wanted alone: what kind of field it is, its line as
HTTP/1 has it (empty for pseudo-fields, but that of Host for ``:authority``), name, value, and the size that it counts
for (RFC 7541 section 4.1).
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import itemgetter
from typing import Final, TypeAlias

from txproxy.wire import grammar
from txproxy.wire.target import split_authority

Entry: TypeAlias = "tuple[int, bytes, bytes, bytes, int]"

PLAIN: Final = 0
METHOD: Final = 1
SCHEME: Final = 2
AUTHORITY: Final = 3
PATH: Final = 4
PROTOCOL: Final = 5
STATUS: Final = 6
COOKIE: Final = 7
LENGTH: Final = 8
HOST: Final = 9
# A message that has one of these is malformed (RFC 9113 section 8.1.1).
CONNECTION_SPECIFIC: Final = 10
UNKNOWN_PSEUDO: Final = 11
MALFORMED: Final = 12

kind_of: Final = itemgetter(0)
line_of: Final = itemgetter(1)
name_of: Final = itemgetter(2)
name_and_value_of: Final = itemgetter(2, 3)
size_of: Final = itemgetter(4)
# RFC 7541 4.1
OVERHEAD: Final = 32

# RFC 9113 8.2.1: names are in lower case, and nothing is in a field that could end its line in HTTP/1.
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
PATH_FORM: Final = re.compile(rb"/[\x21\x22\x24-\x7e]*|\*")
# What may be in a path stays as it is by this, and all else does not: to compare that takes less than a pattern.
IN_PATHS: Final = bytes(byte if byte in (0x21, 0x22, *range(0x24, 0x7F)) else 0x2F for byte in range(256))
_STATUS: Final = re.compile(rb"[1-9][0-9][0-9]")
_PSEUDO: Final = {
    b":method": METHOD,
    b":scheme": SCHEME,
    b":authority": AUTHORITY,
    b":path": PATH,
    b":protocol": PROTOCOL,
    b":status": STATUS,
}
# RFC 9113 8.2.2
_CONNECTION: Final = frozenset(b"connection proxy-connection keep-alive transfer-encoding upgrade".split())
_LOOKED_AT: Final = _CONNECTION | {b"cookie", b"content-length", b"host", b"te"}
# What these say is one client's, or one message's: others have no use for it, and it is kept for nobody else.
_ALONE: Final = _LOOKED_AT | {b"authorization", b"proxy-authorization", b"set-cookie"}
# RFC 7541 7.1.3: no proxy on the way is to keep these in a table.
SECRET: Final = frozenset(b"authorization proxy-authorization cookie set-cookie".split())
# Names and values that are longer are looked at each time: what is remembered is bounded by that.
_MOST_REMEMBERED: Final = 256


class NeverIndexed(bytes):
    """The line of a field that its sender wants in no table, this side's or that of anybody on the way (RFC 7541
    section 6.2.3): where it goes on in HTTP/2, that is said again.
    """

    __slots__ = ()


def never_indexed(entry: Entry) -> Entry:
    """The same of a field that has come so, where it would not be written so anyway; of a pseudo-field that is not
    remembered.
    """
    kind, line, name, value, size = entry
    return (kind, NeverIndexed(line), name, value, size) if line and name not in SECRET else entry


def entry_of(name: bytes, value: bytes) -> Entry:
    """The entry of a field, as it has come."""
    size = len(name) + len(value) + OVERHEAD
    if name[:1] == b":":
        kind = _PSEUDO.get(name, UNKNOWN_PSEUDO)
        if not _is_well_formed(kind, value):
            kind = MALFORMED
        return kind, b"host: " + value if kind == AUTHORITY else b"", name, value, size
    return _field(name, value) if name in _ALONE or size > _MOST_REMEMBERED else _remembered(name, value)


def _field(name: bytes, value: bytes) -> Entry:
    size = len(name) + len(value) + OVERHEAD
    if _NAME.fullmatch(name) is None or grammar.FIELD_VALUE.fullmatch(value) is None:
        return MALFORMED, b"", name, value, size
    kind = _kind(name, value) if name in _LOOKED_AT else PLAIN
    return kind, b"%b: %b" % (name, value), name, value, size


# The browsers of one maker say much of the same: it is there once for all connections.
_remembered: Final = lru_cache(maxsize=1024)(_field)


def _is_well_formed(kind: int, value: bytes) -> bool:
    if kind == PATH:
        return PATH_FORM.fullmatch(value) is not None
    if kind in (METHOD, PROTOCOL):
        return grammar.TOKEN.fullmatch(value) is not None
    if kind == SCHEME:
        return value == b"https" or value == b"http"
    if kind == STATUS:
        return _STATUS.fullmatch(value) is not None
    return kind != AUTHORITY or _is_authority(value)


def _is_authority(value: bytes) -> bool:
    # RFC 9113 8.3.1: without userinfo, of which the grammar knows nothing.
    try:
        split_authority(value)
    except ValueError:
        return False
    return True


def _kind(name: bytes, value: bytes) -> int:
    if name == b"cookie":
        return COOKIE
    if name == b"content-length":
        return LENGTH if grammar.CONTENT_LENGTH.fullmatch(value) else MALFORMED
    if name == b"host":
        return HOST if _is_authority(value) else MALFORMED
    # RFC 9113 8.2.2: TE may say that trailers are welcome, and nothing else.
    return PLAIN if name == b"te" and value.lower() == b"trailers" else CONNECTION_SPECIFIC
