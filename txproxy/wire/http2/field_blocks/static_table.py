"""The fields that each table has from the beginning (RFC 7541 appendix A)."""

from __future__ import annotations

from typing import Final

from txproxy.wire.http2.field_blocks.field_entries import Entry, entry_of

_FIELDS: Final = b"""\
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate"""

# The number of each is its place, from 1; a peer that uses one whose value is empty where there has to be one has sent
# a malformed message, as it would have in full.
STATIC: Final[tuple[Entry, ...]] = tuple(
    entry_of(name, value) for name, _, value in (line.partition(b" ") for line in _FIELDS.split(b"\n"))
)
FIRST_DYNAMIC: Final = len(STATIC) + 1

# For who writes: the number of a field, and that of the first field with a name.
NUMBERS: Final = {(entry[2], entry[3]): number for number, entry in enumerate(STATIC, 1)}
NAME_NUMBERS: Final = {entry[2]: number for number, entry in reversed([*enumerate(STATIC, 1)])}
