"""Of what a case of conformance is made: what a client sends, and what it then wants to see.

A case is a row of steps. Bytes are sent; anything else is asked of the peer, which gives what has come by ``next``: a
frame as ``(type, flags, stream, payload)``, CLOSED where the connection has ended, or None where nothing comes.
"""

from __future__ import annotations

from hpack import Encoder

from tests.wire.http2.taken_apart import frame
from txproxy.wire.http2 import frames
from txproxy.wire.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)

CLOSED = "closed"
NO_ERROR, PROTOCOL, FLOW, STREAM_CLOSED, SIZE, REFUSED, CANCEL, COMPRESSION = 0, 1, 3, 5, 6, 7, 8, 9
ASKED = b"who is?\0"

# -- what is sent


def block(fields, *more, without=(), **changed):
    """The field block of a request whose ``fields`` are a dictionary, with some of them ``changed`` or left out."""
    pairs = {**fields, **{f":{name}": value for name, value in changed.items()}}
    return Encoder().encode([*[pair for pair in pairs.items() if pair[0] not in without], *more])


def head(stream, data, ended=True, whole=True, flags=0):
    return frame(HEADERS, (END_STREAM if ended else 0) | (END_HEADERS if whole else 0) | flags, stream, data)


def more(stream, data, whole=True):
    return frame(CONTINUATION, END_HEADERS if whole else 0, stream, data)


def body(stream, data=b"test", ended=True):
    return frame(DATA, END_STREAM if ended else 0, stream, data)


def settings(*values):
    return frames.settings(values)


def reset(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def window(stream, size):
    return frame(WINDOW_UPDATE, 0, stream, size.to_bytes(4, "big"))


def priority(stream, on=0, weight=255, exclusive=False):
    return frame(PRIORITY, 0, stream, (on | (exclusive << 31)).to_bytes(4, "big") + bytes([weight]))


def ping(data=ASKED, ack=False, stream=0, flags=0):
    return frame(PING, flags or (ACK if ack else 0), stream, data)


def goaway(code=NO_ERROR, stream=0):
    return frame(GOAWAY, 0, stream, b"\0\0\0\0" + code.to_bytes(4, "big"))


# -- what is to be seen


class Seen(AssertionError):
    """Something else was."""


def _until(peer, accepted, wanted):
    """Look on until ``accepted`` says so of what comes."""
    seen = []
    while True:
        what = peer.next()
        seen.append(what)
        if accepted(what):
            return what
        if what is None or what is CLOSED:
            raise Seen(f"wanted {wanted}, saw {seen}")


def _code(what, kind):
    """The code of a frame of that kind, or None."""
    if not isinstance(what, tuple) or what[0] != kind:
        return None
    return int.from_bytes(what[3][4:8] if kind == GOAWAY else what[3], "big")


def connection_error(*codes):
    """GOAWAY with one of the codes. A connection that is just closed will do for who does not promise more."""

    def look(peer):
        lenient = not peer.strict
        _until(
            peer,
            lambda what: _code(what, GOAWAY) in codes or (lenient and what is CLOSED),
            f"GOAWAY of {codes}",
        )
        if peer.strict:
            _until(peer, lambda what: what is CLOSED, "the end")

    return look


def stream_error(*codes):
    """The same, or RST_STREAM with one of the codes."""

    def look(peer):
        lenient = not peer.strict
        _until(
            peer,
            lambda what: (
                _code(what, GOAWAY) in codes or _code(what, RST_STREAM) in codes or (lenient and what is CLOSED)
            ),
            f"RST_STREAM or GOAWAY of {codes}",
        )

    return look


def stream_reset(code):
    """RST_STREAM with just this code."""
    return lambda peer: _until(peer, lambda what: _code(what, RST_STREAM) == code, f"RST_STREAM of {code}")


def gone_away(code):
    """GOAWAY with just this code."""
    return lambda peer: _until(peer, lambda what: _code(what, GOAWAY) == code, f"GOAWAY of {code}")


def closes(peer):
    """The connection ends."""
    _until(peer, lambda what: what is CLOSED, "the end")


def first(kind, stream=None, flags=None, size=None, payload=None):
    """The first frame of a kind is as it is said."""

    def look(peer):
        found = _until(peer, lambda what: isinstance(what, tuple) and what[0] == kind, f"a frame of type {kind}")
        said = (stream, flags, size, payload)
        is_so = (found[2], found[1], len(found[3]), found[3])
        if any(one is not None and one != other for one, other in zip(said, is_so, strict=True)):
            raise Seen(f"wanted {said}, saw {found}")

    return look


def ends(peer):
    """The response on the stream is complete."""

    def over(what):
        if not isinstance(what, tuple):
            return False
        return (what[0] in (DATA, HEADERS) and what[1] & END_STREAM) or _code(what, RST_STREAM) == NO_ERROR

    _until(peer, over, "the end of a stream")


def answered(stream=1):
    """There is a response."""
    return first(HEADERS, stream)


def begins(stream, data):
    """The field block of the response begins with these."""

    def look(peer):
        _until(
            peer,
            lambda what: isinstance(what, tuple) and what[0] == HEADERS and what[2] == stream and what[3][:1] == data,
            f"a field block that begins with {data}",
        )

    return look


def pong(data=ASKED):
    return first(PING, 0, ACK, payload=data)


def pong_or_end(peer):
    _until(peer, lambda what: what is CLOSED or what == (PING, ACK, 0, ASKED), "an answer to the PING, or the end")


acknowledged = first(SETTINGS, 0, ACK, 0)


def more_streams_than_may_be(fields):
    """One request more than the peer has said that it takes at once."""

    def step(peer):
        count = peer.settings.get(frames.MAX_CONCURRENT_STREAMS)
        if count is not None:
            peer.send(b"".join(head(2 * number + 1, block(fields)) for number in range(count + 1)))
        return count is not None

    return step


def run(case, peer):
    """Go through the steps of a case."""
    for step in case:
        if isinstance(step, bytes):
            peer.send(step)
        elif step(peer) is False:
            # It does not apply to this peer.
            return
