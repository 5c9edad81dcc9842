"""Why is this head not a head, and what is there of it? Asked only after the patterns of :mod:`txproxy.wire.grammar`
have said no.
"""

from __future__ import annotations

import re
from typing import Final

from txproxy.errors import RequestError, WrongProtocol
from txproxy.wire import grammar, other_protocols
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead
from txproxy.wire.size_limits import WireLimits

_CUT: Final = 40
# What a request line has besides the target: the method, two spaces and the version.
_REST_OF_LINE: Final = 64
_AROUND: Final = len(b"  HTTP/1.1")
_LONGEST_METHOD: Final = _REST_OF_LINE - _AROUND
# So much of a request line that is none is shown in logs.
_MOST_SHOWN: Final = 2048
_USERINFO: Final = re.compile(rb"(://)[^/?#@]*@")
_NONE: Final = Headers.parsed([])


def of_request(data: bytes) -> str:
    """A short reason why ``data``, which may be incomplete, can be no request head; empty if it still may become
    one.
    """
    return _of_head(data, grammar.REQUEST_LINE, grammar.FIELD_LINE, "request line")


def check_line(method: bytes, target: bytes, limit: int) -> None:
    """Refuse a request line whose target is over its ``limit``, or whose method is longer than any."""
    if len(target) > limit or len(method) + len(target) + _AROUND > limit + _REST_OF_LINE:
        raise _too_long(len(method) > _LONGEST_METHOD)


def check_incomplete(buffer: bytes, checked: int, limits: WireLimits) -> None:
    """Refuse what can become no request head within the ``limits``; so much of it was ``checked`` before."""
    line_end = buffer.find(b"\r\n")
    # Whoever speaks another protocol may never send an end of line.
    within_line = line_end < 0 and buffer not in other_protocols.TLS_BEGUN
    # Once the method is over, only what comes has to be looked at.
    if within_line and b" " not in buffer[:checked] and not grammar.REQUEST_LINE_BEGUN.fullmatch(buffer):
        raise _no_request(buffer, "malformed request line")
    # A last byte that is no CRLF yet may be the CR.
    if (line_end if line_end >= 0 else len(buffer) - 1) > limits.max_target + _REST_OF_LINE:
        space = buffer.find(b" ")
        raise _too_long((space if space >= 0 else len(buffer)) > _LONGEST_METHOD)
    if within_line and grammar.NOT_IN_LINE.search(buffer, max(0, checked - 1)):
        raise _no_request(buffer, "malformed request line")
    if b"\r\n\r\n" in buffer[max(0, checked - 3) :] or grammar.STRAY_CONTROL.search(buffer, max(0, checked - 1)):
        raise _no_request(buffer, "malformed head")
    if line_end >= max(0, checked - 1):
        line = grammar.REQUEST_LINE.fullmatch(buffer, 0, line_end)
        if line is None:
            raise _no_request(buffer, "malformed request line")
        check_line(line[1], line[2], limits.max_target)
    if len(buffer) > limits.max_head:
        raise RequestError("the head is too large", status=431)


def unread_head(data: bytes) -> RequestHead:
    """What there is of a request head that ``data`` begin with: with a method, if the request line is one; else the
    ``path`` is the line as it came, or its beginning.
    """
    line = data[:_MOST_SHOWN].lstrip(b"\r\n").split(b"\n", 1)[0].rstrip(b"\r")
    match = grammar.REQUEST_LINE.fullmatch(line)
    if match is None:
        return RequestHead(b"", _hide_user(line), _NONE)
    return RequestHead(match[1], _hide_user(match[2]), _NONE, minor=0 if match[3] == b"0" else 1)


def _hide_user(target: bytes) -> bytes:
    """``target`` without what a URL may have of a name and password."""
    return _USERINFO.sub(rb"\1***@", target) if b"@" in target else target


def _too_long(method: bool) -> RequestError:
    """The error for a request line that is too long, by its ``method`` alone or as a whole."""
    if method:
        # RFC 9112 3: a method that is longer than any that is done here gets 501.
        return RequestError("the method is too long", status=501)
    return RequestError("the target is too long", status=414)


def _no_request(data: bytes, otherwise: str) -> RequestError:
    """Why ``data`` can be no request head, as well as can be told."""
    other = other_protocols.in_place_of_http1(data)
    return WrongProtocol(other) if other else RequestError(of_request(data) or otherwise)


def of_response(data: bytes) -> str:
    """The same for a response head."""
    return _of_head(data, grammar.STATUS_LINE, grammar.LOOSE_FIELD_LINE, "status line")


def _of_head(data: bytes, start_line: grammar.Pattern, field_line: grammar.Pattern, name: str) -> str:
    # What comes after the head is not its fault.
    end = data.find(b"\r\n\r\n")
    if end >= 0:
        data = data[: end + 4]
    stray = grammar.STRAY_CONTROL.search(data)
    if stray is not None:
        return {b"\x00": "NUL", b"\r": "bare CR", b"\n": "bare LF"}[stray.group()] + " in the head"
    lines = data.split(b"\r\n")
    complete = len(lines) > 1
    if complete and not start_line.fullmatch(lines[0]):
        return f"malformed {name}"
    for line in lines[1:-1]:
        if not line:
            break
        if not field_line.fullmatch(line):
            return of_field_line(line)
    return ""


def of_field_line(line: bytes) -> str:
    """Why ``line`` is no field line."""
    name, colon, _ = line.partition(b":")
    if line[:1] in (b" ", b"\t"):
        # RFC 9112 5.2: obs-fold outside message/http is refused.
        return "folded field line"
    if not colon:
        return "a field line without a colon"
    if not name:
        return "an empty field name"
    if name[-1:] in (b" ", b"\t"):
        # RFC 9112 5.1: white space before the colon gets 400.
        return "white space before the colon"
    if not grammar.TOKEN.fullmatch(name):
        return "a field name that is no token"
    return f"a control character in the value of {name[:_CUT].decode('ascii')}"
