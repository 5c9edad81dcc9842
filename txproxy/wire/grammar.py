"""The grammars of RFC 9110 and RFC 9112 as compiled patterns.

A message head is matched whole, in one pass at C speed. Two patterns serve each role: the plain one takes the field
lines that nearly every peer sends (``Name: value``, one space, no space at the end), whose lines can be forwarded as
they are; the full one takes all optional white space and empty values that RFC 9112 section 5.1 allows. What neither
matches is malformed, and :mod:`txproxy.wire.http1.diagnosis` finds out why.

All repeated parts start with a byte that the part before cannot contain, so no input makes them backtrack for long.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

Pattern: TypeAlias = "re.Pattern[bytes]"

# RFC 9110 5.6.2
_TCHAR: Final = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"
_TOKEN: Final = rb"[" + _TCHAR + rb"]+"
# RFC 9110 5.5: field-vchar is VCHAR or obs-text
_VCHAR: Final = rb"[\x21-\x7e\x80-\xff]"
_TEXT: Final = rb"[\t\x20-\x7e\x80-\xff]*"
_PLAIN_FIELDS: Final = rb"((?:\r\n" + _TOKEN + rb": " + _VCHAR + rb"(?:" + _TEXT + _VCHAR + rb")?)*)\r\n\r\n"
_FULL_FIELDS: Final = rb"((?:\r\n" + _TOKEN + rb":" + _TEXT + rb")*)\r\n\r\n"
# RFC 9112 5.1: white space before the colon is refused in a request, and removed from a response.
_LOOSE_TOKEN: Final = _TOKEN + rb"[ \t]*"
_LOOSE_FIELDS: Final = rb"((?:\r\n" + _LOOSE_TOKEN + rb":" + _TEXT + rb")*)\r\n\r\n"
# RFC 9112 3: method SP request-target SP HTTP-version; RFC 9110 2.5: a higher minor version is read as the highest
# known one. A fragment has no place in a target (RFC 9110 4.2.5).
_REQUEST_LINE: Final = rb"(" + _TOKEN + rb") ([\x21\x22\x24-\x7e]+) HTTP/1\.([0-9])"
# RFC 9112 4: the reason may be empty; servers that leave out the space before it are understood by everyone alike.
_STATUS_LINE: Final = rb"HTTP/1\.([0-9]) ([1-9][0-9][0-9])(?: (" + _TEXT + rb"))?"

REQUEST_PLAIN: Final = re.compile(_REQUEST_LINE + _PLAIN_FIELDS)
REQUEST_FULL: Final = re.compile(_REQUEST_LINE + _FULL_FIELDS)
RESPONSE_PLAIN: Final = re.compile(_STATUS_LINE + _PLAIN_FIELDS)
RESPONSE_FULL: Final = re.compile(_STATUS_LINE + _LOOSE_FIELDS)
TRAILERS: Final = re.compile(rb"((?:" + _TOKEN + rb":" + _TEXT + rb"\r\n)*)\r\n")

REQUEST_LINE: Final = re.compile(_REQUEST_LINE)
STATUS_LINE: Final = re.compile(_STATUS_LINE)
RESPONSE_TRAILERS: Final = re.compile(rb"((?:" + _LOOSE_TOKEN + rb":" + _TEXT + rb"\r\n)*)\r\n")
# The beginning of a request line, as far as it may have come.
REQUEST_LINE_BEGUN: Final = re.compile(_TOKEN + rb"(?: [\x20-\x7e]*)?\r?|\r?")
NOT_IN_LINE: Final = re.compile(rb"[^\x20-\x7e\r]")

FIELD_LINE: Final = re.compile(_TOKEN + rb":" + _TEXT)
LOOSE_FIELD_LINE: Final = re.compile(_LOOSE_TOKEN + rb":" + _TEXT)
TOKEN: Final = re.compile(_TOKEN)
# What the plain patterns take for a value, and no more of what has come.
PLAIN_VALUE: Final = re.compile(_VCHAR + rb"(?:" + _TEXT + _VCHAR + rb")?(?=\r\n)")
FIELD_VALUE: Final = re.compile(rb"(?:" + _VCHAR + rb"(?:[\t\x20-\x7e\x80-\xff]*" + _VCHAR + rb")?)?")
# A CR, LF or NUL that is not part of a CRLF; a CR at the very end may still become one.
BARE_LF: Final = re.compile(rb"(?<!\r)\n")
ANY_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
ANY_END_OF_LINE: Final = re.compile(rb"\r?\n")
# Where there are none, it is the line that ends a trailer section.
ANY_END_OF_TRAILERS: Final = re.compile(rb"(?:\A|\n)\r?\n")
# Begins with what all that it finds begins with, so that it goes past all else several times as fast.
STRAY_CONTROL: Final = re.compile(rb"[\x00\r\n](?:(?<=\x00)|(?<=\r)(?!\n|\Z)|(?<=\n)(?<!\r\n))")

# RFC 9110 8.6: 1*DIGIT; more than 18 digits is no length that anybody means. It goes on without needless zeros.
CONTENT_LENGTH: Final = re.compile(rb"[1-9][0-9]{0,17}|0")
LENGTH_WITH_ZEROS: Final = re.compile(rb"[0-9]{1,18}")
# RFC 9112 7.1: chunk-size [ chunk-ext ]; BWS only where 7.1.1 has it: around ";" and "="
_QUOTED: Final = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
_EXTENSION: Final = rb"[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?"
_CHUNK_SIZE: Final = rb"([0-9A-Fa-f]{1,15})(?:" + _EXTENSION + rb")*"
CHUNK_SIZE: Final = re.compile(_CHUNK_SIZE + rb"\r\n")
ANY_CHUNK_SIZE: Final = re.compile(_CHUNK_SIZE + rb"\r?\n")

# RFC 3986 3.2.2 and 3.2.3; userinfo is left out on purpose (RFC 9110 4.2.4)
AUTHORITY: Final = re.compile(
    rb"(?:\[([0-9A-Fa-f:.]+)\]|((?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+))(?::([0-9]{0,5}))?"
)
# RFC 3986 3.1; the authority is checked on its own
ABSOLUTE: Final = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*)://([^/?#]*)(.*)")
