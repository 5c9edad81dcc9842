"""Why is this head not a head? Asked only after the patterns of :mod:`txproxy.wire.grammar` have said no."""

from __future__ import annotations

from typing import Final

from txproxy.wire import grammar

_CUT: Final = 40


def of_request(data: bytes) -> str:
    """A short reason why ``data``, which may be incomplete, can be no request head; empty if it still may become
    one.
    """
    return _of_head(data, grammar.REQUEST_LINE, grammar.FIELD_LINE, "request line")


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
