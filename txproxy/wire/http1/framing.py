"""How long is this body, and may the connection be kept? (RFC 9112 sections 6.3 and 9.3)

The one place that answers. Everything ambiguous is refused: a proxy that repairs a message is a smuggler's friend.
"""

from __future__ import annotations

from typing import Final

from txproxy.errors import RequestError, ResponseError
from txproxy.wire.grammar import CONTENT_LENGTH, LENGTH_WITH_ZEROS
from txproxy.wire.headers import Headers
from txproxy.wire.message import CHUNKED, UNTIL_CLOSE

# There is no body, though one was announced: the connection cannot be kept.
ANNOUNCED: Final = -3


def request_body(minor: int, headers: Headers) -> int:
    """The framing of a request's body; ``RequestError`` if it is not beyond doubt."""
    index = headers.index
    coding = index.get(b"transfer-encoding")
    length = index.get(b"content-length")
    if coding is not None:
        # 1. RFC 9112 6.1: both fields in one message ought to be handled as an error (request smuggling).
        if length is not None:
            raise RequestError("both Content-Length and Transfer-Encoding")
        # 2. RFC 9112 6.1: with HTTP/1.0 the framing is faulty, even if a length is absent.
        if not minor:
            raise RequestError("Transfer-Encoding in HTTP/1.0")
        if coding.lower() == b"chunked":
            return CHUNKED
        raise _refused_coding(headers)
    # 3. RFC 9112 6.3 rule 5: a length that is not one number is an unrecoverable error. Lists of equal numbers, which
    # the rule lets a recipient repair, are refused as well.
    if length is not None:
        if not CONTENT_LENGTH.fullmatch(length):
            if not LENGTH_WITH_ZEROS.fullmatch(length):
                raise RequestError("Content-Length is not one number")
            _settle_length(headers, int(length))
        return int(length)
    # 4. RFC 9112 6.3 rule 7: a request with neither has no body.
    return 0


def _refused_coding(headers: Headers) -> RequestError:
    codings = headers.tokens(b"transfer-encoding")
    # RFC 9112 6.3 rule 4: a request whose final coding is not chunked gets 400; and 6.1: chunked is applied once.
    # A chunked with empty list members about it is no one else's coding either.
    if len(codings) < 2 or codings[-1] != b"chunked" or codings.count(b"chunked") > 1:
        return RequestError("Transfer-Encoding is not one final chunked")
    # RFC 9112 6.1: a coding that is not understood gets 501.
    return RequestError("a transfer coding besides chunked", status=501)


def response_body(minor: int, status: int, headers: Headers, method: bytes) -> int:
    """The framing of the body of a response to ``method``; ``ResponseError`` if it is not beyond doubt."""
    index = headers.index
    coding = index.get(b"transfer-encoding")
    length = index.get(b"content-length")
    # 0. RFC 9110 9.3.6: in a successful response to CONNECT both fields are ignored; RFC 9112 6.3 rule 2.
    if method == b"CONNECT" and 200 <= status < 300:
        return 0
    if coding is not None:
        # 1. RFC 9112 6.1: as for requests.
        if length is not None:
            raise ResponseError("both Content-Length and Transfer-Encoding")
        if not minor:
            raise ResponseError("Transfer-Encoding in HTTP/1.0")
        if coding.lower() != b"chunked":
            raise ResponseError("Transfer-Encoding is not one final chunked")
    elif length is not None and not CONTENT_LENGTH.fullmatch(length):
        # 2. RFC 9112 6.3 rule 5, RFC 9110 8.6: one number, or the same several times
        members = [member.strip(b" \t") for member in length.split(b",")]
        if len(set(members)) > 1 or not LENGTH_WITH_ZEROS.fullmatch(members[0]):
            raise ResponseError("Content-Length is not one number")
        length = _settle_length(headers, int(members[0]))
    # 3. RFC 9112 6.3 rule 1: these never have a body. With HEAD and 304 the fields tell of the one that GET would get;
    # the others must not announce any (RFC 9112 6.1, RFC 9110 8.6). A length of zero is common, and tells the same.
    if status == 204 or status < 200:
        if coding is not None or (length is not None and int(length)):
            if status != 204:
                raise ResponseError("a body announced where the status has none")
            return ANNOUNCED
        return 0
    if method == b"HEAD" or status == 304:
        return 0
    # 4. RFC 9112 6.3 rules 4, 6 and 8
    if coding is not None:
        return CHUNKED
    if length is not None:
        return int(length)
    return UNTIL_CLOSE


def _settle_length(headers: Headers, length: int) -> bytes:
    """Make Content-Length say ``length`` once. These headers are still being read: nobody else has seen them."""
    value = b"%d" % length
    settled = headers.with_one(b"content-length", value)
    headers.lines, headers.index, headers.form, headers.template = settled.lines, settled.index, None, None
    # What goes on of it was made of the lines as they came.
    headers.onward = None
    return value


def keep_alive(minor: int, headers: Headers) -> bool:
    """Whether the sender of a head means to keep the connection (RFC 9112 section 9.3)."""
    connection = headers.index.get(b"connection")
    if connection is None:
        return minor == 1
    if connection == b"keep-alive":
        return True
    options = headers.tokens(b"connection")
    if b"close" in options:
        return False
    return minor == 1 or b"keep-alive" in options
