"""What a server of HTTP/2 does with what clients send: each case by the section that says so, what is sent, and what is
to come of it (see :mod:`tests.proxy.downstream.http2.conformance_steps`).

The sections are those of RFC 9113, of RFC 7540 where that has said more, and of RFC 7541 where they begin with HPACK.
Every case of other suites that are made for this, h2spec above all, has one here that asks for the same.
"""

from __future__ import annotations

from tests.proxy.downstream.http2.conformance_steps import (
    ASKED,
    CANCEL,
    COMPRESSION,
    FLOW,
    PROTOCOL,
    REFUSED,
    SIZE,
    STREAM_CLOSED,
    acknowledged,
    answered,
    begins,
    block,
    body,
    closes,
    connection_error,
    ends,
    first,
    goaway,
    gone_away,
    head,
    more,
    more_streams_than_may_be,
    ping,
    pong,
    pong_or_end,
    priority,
    reset,
    settings,
    stream_error,
    stream_reset,
    window,
)
from tests.wire.http2.taken_apart import frame
from txproxy.wire.http2 import frames
from txproxy.wire.http2.frames import (
    DATA,
    ENABLE_PUSH,
    END_HEADERS,
    END_STREAM,
    HEADER_TABLE_SIZE,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
)

NO_WINDOW = settings((INITIAL_WINDOW_SIZE, 0))
LARGEST = (1 << 31) - 1
# Of these nothing is shaken hands over before.
RAW = "raw "


def literal(first_byte, name, value):
    """A field as a literal whose name is not in the table."""
    return bytes([first_byte, len(name)]) + name + bytes([len(value)]) + value


def cases(scheme="http", authority="a"):
    """All of them, by name, for a server that has a page of a few bytes at ``/`` and takes uploads there."""
    get = {":method": "GET", ":scheme": scheme, ":path": "/", ":authority": authority}
    post = {**get, ":method": "POST"}
    whole = head(1, block(get))
    upload = head(1, block(post), ended=False)
    filler = block({}, ("x-dummy0", "x" * 200))
    return {
        **_accepted(get, post, whole, upload),
        **_compression(get),
        **_framing(get, post, whole, upload, filler),
        **_states(get, whole, upload, filler),
        **_frames(get, post, whole, upload, filler),
        **_windows(whole, upload),
        **_messages(get, post, upload),
    }


def _accepted(get, post, whole, upload):
    """What has to be taken as it is."""
    plain = block(get)
    trailed = head(1, block(post, ("trailer", "x-test")), ended=False)
    pinged = (ping(), pong())
    return {
        RAW + "3.4: the preface": (PREFACE + settings((INITIAL_WINDOW_SIZE, 65535)), first(SETTINGS, 0, 0)),
        "5.1: PRIORITY, idle": (priority(1), *pinged),
        "5.1: WINDOW_UPDATE, half-closed": (NO_WINDOW, whole, window(1, 1), first(DATA, 1, size=1)),
        "5.1: PRIORITY, half-closed": (NO_WINDOW, whole, priority(1), window(1, 1), first(DATA, 1, size=1)),
        "5.1: RST_STREAM, half-closed": (whole, reset(1), ping(), pong_or_end),
        "5.1: PRIORITY, closed": (whole, ends, priority(1), *pinged),
        "6.1: DATA": (upload, body(1), answered()),
        "6.1: several DATA": (upload, body(1, ended=False), body(1), answered()),
        "6.1: padded DATA": (upload, frame(DATA, END_STREAM | PADDED, 1, b"\6test" + bytes(6)), answered()),
        "6.2: HEADERS": (whole, answered()),
        "6.2: padded HEADERS": (head(1, b"\x08" + plain + bytes(8), flags=PADDED), answered()),
        "6.2: HEADERS with a priority": (head(1, b"\0\0\0\0\xff" + plain, flags=WITH_PRIORITY), answered()),
        "6.3: PRIORITY, least": (priority(1, weight=0), whole, answered()),
        "6.3: PRIORITY, most": (priority(1, weight=255), whole, answered()),
        "6.3: PRIORITY that depends on another": (priority(3, on=1), whole, answered()),
        "6.3: exclusive PRIORITY": (priority(1, exclusive=True), whole, answered()),
        "6.3: PRIORITY of a later stream": (priority(3), whole, answered()),
        "6.4: RST_STREAM": (head(1, plain, ended=False), reset(1), ping(), pong_or_end),
        "6.5: SETTINGS": (
            settings((1, 4096), (2, 1), (3, 100), (INITIAL_WINDOW_SIZE, 65535), (MAX_FRAME_SIZE, 16384), (6, 100)),
            acknowledged,
        ),
        "4.3.1: a table of nothing": (
            settings((HEADER_TABLE_SIZE, 0)),
            acknowledged,
            whole,
            begins(1, b"\x20"),
            head(3, plain),
            begins(3, b"\x88"),
        ),
        "6.7: PING": pinged,
        "6.8: GOAWAY": (goaway(), ping(), pong_or_end),
        "6.9: WINDOW_UPDATE of the connection": (window(0, 1), *pinged),
        "6.9: WINDOW_UPDATE of a stream": (whole, window(1, 1), answered()),
        "6.10: CONTINUATION": (head(1, plain[:5], whole=False), more(1, plain[5:]), answered()),
        "6.10: several CONTINUATION": (
            head(1, plain[:5], whole=False), more(1, plain[5:10], whole=False), more(1, plain[10:]), answered(),
        ),
        "8.1: GET": (whole, answered()),
        "8.1: HEAD": (head(1, block(get, method="HEAD")), first(HEADERS, 1, END_HEADERS | END_STREAM)),
        "8.1: POST": (upload, body(1), answered()),
        "8.1: POST with trailers": (trailed, body(1, ended=False), head(1, block({}, ("x-test", "ok"))), answered()),
        "8.1: OPTIONS of the server": (head(1, block(get, method="OPTIONS", path="*")), answered()),
    }  # fmt: skip


def _compression(get):
    """RFC 7541."""
    plain = block(get)
    known = {
        "indexed": b"\xba",
        "literal, indexed": literal(0x40, b"user-agent", b"h2spec"),
        "literal, indexed, name of the table": b"\x7a\x06h2spec",
        "literal, indexed, Huffman": b"\x40\x87\xb5\x05\xb1\x61\xcc\x5a\x93\x84\x9c\x48\xac\xa4",
        "literal, indexed, new name": literal(0x40, b"x-test", b"h2spec"),
        "literal, indexed, new name, Huffman": b"\x40\x85\xf2\xb2\x4a\x84\xff\x84\x9c\x48\xac\xa4",
        "literal": literal(0, b"user-agent", b"h2spec"),
        "literal, Huffman": b"\x00\x87\xb5\x05\xb1\x61\xcc\x5a\x93\x84\x9c\x48\xac\xa4",
        "literal, new name": literal(0, b"x-test", b"h2spec"),
        "literal, new name, Huffman": b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x9c\x48\xac\xa4",
        "literal, never indexed": literal(0x10, b"user-agent", b"h2spec"),
        "literal, never indexed, Huffman": b"\x10\x87\xb5\x05\xb1\x61\xcc\x5a\x93\x84\x9c\x48\xac\xa4",
        "literal, never indexed, new name": literal(0x10, b"x-test", b"h2spec"),
        "literal, never indexed, new name, Huffman": b"\x10\x85\xf2\xb2\x4a\x84\xff\x84\x9c\x48\xac\xa4",
    }
    wrong = {
        "HPACK 2.3.3: a field that is not in the tables": plain + b"\xfe",
        "HPACK 2.3.3: a name that is not in the tables": plain + b"\x7f\x0f\x04test",
        "HPACK 4.2: a change of size at the end": plain + b"\x21",
        "HPACK 5.1: a number without end": plain + b"\x7f" + b"\xff" * 12,
        "HPACK 5.2: padding of a byte": plain + b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff",
        "HPACK 5.2: padding of zeros": plain + b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90",
        "HPACK 5.2: EOS": plain + b"\x00\x85\xf2\xb2\x4a\x87\xff\xff\xff\xfd\x25\x42\x7f",
        "HPACK 5.2: a string that is cut off": plain + b"\x40\x06x-te",
        "HPACK 6.1: index 0": plain + b"\x80",
        "HPACK 6.3: more than it may have": b"\x3f\xe2\x1f" + plain,
        "4.3: a block that is cut off": b"\x40",
    }
    sizes = {"a change of size": b"\x20", "changes of size": b"\x20\x3f\xe1\x1f"}
    return {
        **{f"HPACK 6: {name}": (head(1, plain + field), answered()) for name, field in known.items()},
        **{f"HPACK 6.3: {name}": (head(1, size + plain), answered()) for name, size in sizes.items()},
        **{name: (head(1, data), connection_error(COMPRESSION)) for name, data in wrong.items()},
    }


def _framing(get, post, whole, upload, filler):
    unknown = frame(0x16, 0, 0, bytes(8))
    begun = head(1, block(get), ended=False, whole=False)
    too_large = block(get, *[(f"x-dummy{number}", "x" * 4000) for number in range(6)])
    return {
        RAW + "3.4: another preface": (b"INVALID CONNECTION PREFACE\r\n\r\n", closes),
        RAW + "3.4: a first frame that is not SETTINGS": (PREFACE + ping(), connection_error(PROTOCOL)),
        "4.1: an unknown type": (unknown, ping(), pong()),
        "4.1: unknown flags": (ping(flags=0x16), pong()),
        "4.1: the reserved bit": (frame(PING, 0x16, 1 << 31, ASKED), pong()),
        "4.2: the largest DATA": (upload, body(1, b"x" * 16384), answered()),
        "4.2: DATA that is too large": (upload, body(1, b"x" * 16385), stream_error(SIZE)),
        "4.2: HEADERS that are too large": (head(1, too_large), connection_error(SIZE)),
        "4.3: PRIORITY within a block": (begun, priority(1), more(1, filler), connection_error(PROTOCOL)),
        "4.3: HEADERS within a block": (begun, head(3, block(get)), more(1, filler), connection_error(PROTOCOL)),
        "5.5: an unknown type, again": (unknown, ping(), pong()),
        "5.5: an unknown type within a block": (begun, unknown, connection_error(PROTOCOL)),
    }


def _states(get, whole, upload, filler):
    plain = block(get)
    open_ = head(1, plain, ended=False)
    fatal = connection_error(PROTOCOL)
    closed, either = stream_error(STREAM_CLOSED), stream_error(STREAM_CLOSED, PROTOCOL)
    depends_on_itself = b"\0\0\0\1\xff"
    return {
        "5.1: DATA, idle": (body(1), fatal),
        "5.1: RST_STREAM, idle": (reset(1), fatal),
        "5.1: WINDOW_UPDATE, idle": (window(1, 100), fatal),
        "5.1: CONTINUATION, idle": (more(1, plain), fatal),
        "5.1: DATA, half-closed": (whole, body(1), closed),
        "5.1: HEADERS, half-closed": (whole, whole, closed),
        "5.1: CONTINUATION, half-closed": (whole, more(1, plain), either),
        "5.1: DATA after RST_STREAM": (open_, reset(1), body(1), closed),
        "5.1: HEADERS after RST_STREAM": (open_, reset(1), whole, closed),
        "5.1: CONTINUATION after RST_STREAM": (open_, reset(1), more(1, filler), either),
        "5.1: DATA, closed": (whole, ends, body(1), closed),
        "5.1: HEADERS, closed": (whole, ends, whole, connection_error(STREAM_CLOSED)),
        "5.1: CONTINUATION, closed": (whole, ends, more(1, filler), connection_error(STREAM_CLOSED, PROTOCOL)),
        "5.1: WINDOW_UPDATE, closed": (whole, ends, window(1, 100), ping(), pong()),
        "5.1.1: an even number": (head(2, plain), fatal),
        "5.1.1: a number below the last": (
            head(5, plain), head(3, plain), connection_error(PROTOCOL, STREAM_CLOSED),
        ),
        "5.1.1: HEADERS, half-closed": (head(5, plain), head(5, plain), closed),
        "5.1.2: too many streams": (NO_WINDOW, more_streams_than_may_be(get), stream_error(PROTOCOL, REFUSED)),
        "5.3.1: HEADERS that depend on themselves": (
            head(1, depends_on_itself + plain, flags=WITH_PRIORITY), stream_error(PROTOCOL),
        ),
        "5.3.1: PRIORITY that depends on itself": (priority(1, on=1), stream_error(PROTOCOL)),
        "5.4.1: the connection is closed": (ping(stream=3), closes),
        "5.4.1: GOAWAY comes before": (ping(stream=3), gone_away(PROTOCOL)),
    }  # fmt: skip


def _frames(get, post, whole, upload, filler):
    fatal, size = connection_error(PROTOCOL), connection_error(SIZE)
    plain = block(get)
    begun = head(1, block(post), ended=False, whole=False)
    four = head(1, block(post, ("content-length", "4")), ended=False)
    pushed = frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\3" + plain)
    return {
        "6.1: DATA of no stream": (body(0), fatal),
        "6.1: DATA, half-closed": (head(1, block(post)), body(1), stream_error(STREAM_CLOSED)),
        "6.1: more padding than DATA has": (four, frame(DATA, END_STREAM | PADDED, 1, b"\6Test"), fatal),
        "6.2: PRIORITY within HEADERS": (begun, priority(1), more(1, filler), fatal),
        "6.2: HEADERS within HEADERS": (begun, head(3, plain), more(1, filler), fatal),
        "6.2: HEADERS of no stream": (head(0, plain), fatal),
        "6.2: more padding than HEADERS have": (
            head(1, bytes([len(plain) + 2]) + plain, flags=PADDED), stream_error(PROTOCOL),
        ),
        "6.3: PRIORITY of no stream": (priority(0), fatal),
        "6.3: PRIORITY of a wrong size": (whole, frame(PRIORITY, 0, 1, b"\x80\0\0\1"), stream_error(SIZE)),
        "6.3: PRIORITY of a wrong size, larger": (whole, frame(PRIORITY, 0, 1, bytes(6)), stream_error(SIZE)),
        "6.4: RST_STREAM of no stream": (reset(0), fatal),
        "6.4: RST_STREAM, idle": (reset(1), fatal),
        "6.4: RST_STREAM of a wrong size": (whole, frame(RST_STREAM, 0, 1, bytes(3)), stream_error(SIZE)),
        "6.5: an acknowledgement that says something": (frame(SETTINGS, 1, 0, b"\0"), size),
        "6.5: SETTINGS of a stream": (frame(SETTINGS, 0, 1, b"\0\3\0\0\0\x64"), fatal),
        "6.5: SETTINGS of a wrong size": (frame(SETTINGS, 0, 0, b"\0\3\0"), connection_error(PROTOCOL, SIZE)),
        "6.5.2: a push that is neither 0 nor 1": (settings((ENABLE_PUSH, 2)), fatal),
        "6.5.2: a window that is too large": (settings((INITIAL_WINDOW_SIZE, 1 << 31)), connection_error(FLOW)),
        "6.5.2: frames that are too small": (settings((MAX_FRAME_SIZE, 16383)), fatal),
        "6.5.2: frames that are too large": (settings((MAX_FRAME_SIZE, 1 << 24)), fatal),
        "6.5.2: an unknown setting": (settings((0xFF, 1)), ping(), pong()),
        "6.5.3: the last of several counts": (
            settings((INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)), acknowledged, whole, first(DATA, 1, size=1),
        ),
        "6.5.3: an acknowledgement": (settings((ENABLE_PUSH, 0)), acknowledged),
        "6.7: PING": (ping(), pong()),
        "6.7: an answer is not answered": (ping(b"nobody's", ack=True), ping(), pong()),
        "6.7: PING of a stream": (ping(stream=1), fatal),
        "6.7: PING of a wrong size": (ping(bytes(6)), size),
        "6.8: GOAWAY of a stream": (goaway(stream=1), fatal),
        "6.8: GOAWAY of a wrong size": (frame(0x7, 0, 0, bytes(7)), size),
        "6.10: more CONTINUATION": (
            head(1, plain, whole=False), more(1, filler, whole=False), more(1, block({}, ("x-other", "x"))), answered(),
        ),
        "6.10: DATA within a block": (begun, more(1, filler, whole=False), body(1), fatal),
        "6.10: CONTINUATION of no stream": (head(1, plain, whole=False), more(0, filler), fatal),
        "6.10: CONTINUATION of another stream": (head(1, plain, whole=False), more(3, filler), fatal),
        "6.10: CONTINUATION after a whole block": (whole, more(1, filler), fatal),
        "6.10: CONTINUATION after the last": (head(1, plain, whole=False), more(1, filler), more(1, filler), fatal),
        "6.10: CONTINUATION after DATA": (begun, body(1), more(1, filler, whole=False), more(0, filler), fatal),
        "7: GOAWAY of an unknown code": (goaway(0xFF), ping(), pong_or_end),
        "7: RST_STREAM of an unknown code": (upload, reset(1, 0xFF), ping(), pong()),
        "8.4: PUSH_PROMISE": (pushed, fatal),
    }  # fmt: skip


def _windows(whole, upload):
    small = settings((INITIAL_WINDOW_SIZE, 1))
    return {
        "6.9: the connection's grows by nothing": (window(0, 0), connection_error(PROTOCOL)),
        "6.9: a stream's grows by nothing": (upload, window(1, 0), stream_error(PROTOCOL)),
        "6.9: WINDOW_UPDATE of a wrong size": (frame(WINDOW_UPDATE, 0, 0, b"\0\0\1"), connection_error(SIZE)),
        "6.9.1: no more goes out than fits": (small, acknowledged, whole, first(DATA, 1, size=1)),
        "6.9.1: the connection's is too large": (window(0, LARGEST), window(0, LARGEST), gone_away(FLOW)),
        "6.9.1: a stream's is too large": (upload, window(1, LARGEST), window(1, LARGEST), stream_reset(FLOW)),
        "6.9.2: one that changes later": (NO_WINDOW, acknowledged, whole, small, acknowledged, first(DATA, 1, size=1)),
        "6.9.2: one that is less than nothing": (
            settings((INITIAL_WINDOW_SIZE, 3)), acknowledged, whole, first(DATA, 1, size=3),
            settings((INITIAL_WINDOW_SIZE, 2)), acknowledged, window(1, 2), first(DATA, 1, size=1),
        ),
        "6.9.2: a change that makes one too large": (settings((INITIAL_WINDOW_SIZE, 1 << 31)), connection_error(FLOW)),
    }  # fmt: skip


def _messages(get, post, upload):
    malformed = stream_error(PROTOCOL)
    one, eight = ("content-length", "1"), ("content-length", "8")
    host = ("host", get[":authority"])

    def with_(*fields, **changed):
        return head(1, block(get, *fields, **changed))

    heads = {
        "8.2.1: a name in upper case": with_(("X-TEST", "ok")),
        "8.2.1: a name with a space": with_(("x test", "ok")),
        "8.2.1: a name with a colon": with_(("x:test", "ok")),
        "8.2.1: no name": with_(("", "ok")),
        "8.2.1: NUL in a value": with_(("x-test", "a\0b")),
        "8.2.1: CR in a value": with_(("x-test", "a\rb")),
        "8.2.1: LF in a value": with_(("x-test", "a\nx-other: b")),
        "8.2.1: a space before a value": with_(("x-test", " ok")),
        "8.2.1: a tab after a value": with_(("x-test", "ok\t")),
        "8.2.2: Connection": with_(("connection", "keep-alive")),
        "8.2.2: Keep-Alive": with_(("keep-alive", "timeout=5")),
        "8.2.2: Proxy-Connection": with_(("proxy-connection", "keep-alive")),
        "8.2.2: Transfer-Encoding": with_(("transfer-encoding", "chunked")),
        "8.2.2: Upgrade": with_(("upgrade", "websocket")),
        "8.2.2: TE of more than trailers": with_(("trailers", "test"), ("te", "trailers, deflate")),
        "8.3: an unknown pseudo-field": with_((":test", "ok")),
        "8.3: a pseudo-field of responses": with_((":status", "200")),
        "8.3: a pseudo-field after a field": head(1, block({"x-test": "ok", **get})),
        "8.3.1: an empty path": with_(path=""),
        "8.3.1: a path of no slash": with_(path="index.html"),
        "8.3.1: the asterisk of a GET": with_(path="*"),
        "8.3.1: a space in a path": with_(path="/a b"),
        "8.3.1: an empty authority": with_(authority=""),
        "8.3.1: userinfo in an authority": with_(authority="user@a"),
        "8.3.1: Host of another name": with_(("host", "other.example")),
        "8.3.1: two of Host": with_(("host", get[":authority"]), ("host", "other.example")),
        "8.3.1: no method": with_(without=(":method",)),
        "8.3.1: no method and no scheme": with_(without=(":method", ":scheme")),
        "8.3.1: no scheme": with_(without=(":scheme",)),
        "8.3.1: no path": with_(without=(":path",)),
        "8.3.1: two methods": with_((":method", "GET")),
        "8.3.1: two schemes": with_((":scheme", get[":scheme"])),
        "8.3.1: two paths": with_((":path", "/")),
        "8.3.1: two authorities": with_((":authority", get[":authority"])),
        "8.1.1: a length of nothing to come": with_(("content-length", "5")),
        "8.1.1: a length that is no number": with_(("content-length", "+1")),
        "8.1.1: two lengths": with_(("content-length", "0"), ("content-length", "1")),
        "8.5: CONNECT with a path": with_(method="CONNECT"),
        "RFC 8441 4: a protocol without CONNECT": with_((":protocol", "websocket")),
    }
    bodies = {
        "8.1.1: more than the length": (head(1, block(post, one), ended=False), body(1)),
        "8.1.1: more than the length, in parts": (
            head(1, block(post, one), ended=False), body(1, ended=False), body(1),
        ),
        "8.1.1: less than the length": (head(1, block(post, eight), ended=False), body(1)),
        "8.1.1: less than the length before trailers": (
            head(1, block(post, eight), ended=False), body(1, ended=False), head(1, block({}, ("x-test", "ok"))),
        ),
        "8.1: a second head": (upload, body(1, ended=False), head(1, block({}, ("x-test", "ok")), ended=False)),
        "8.1: a pseudo-field in trailers": (
            upload, body(1, ended=False), head(1, block({}, (":method", "POST")), ended=False),
        ),
        "8.1: a pseudo-field in the last trailers": (upload, body(1, ended=False), head(1, block({}, (":path", "/")))),
        "8.1: a field of this connection in trailers": (upload, head(1, block({}, ("connection", "close")))),
    }  # fmt: skip
    update, cancelled = frame(0x10, 0, 0, b"\0\0\0\1u=0, i"), reset(1, CANCEL)
    return {
        **{name: (sent, malformed) for name, sent in heads.items()},
        **{name: (*sent, malformed) for name, sent in bodies.items()},
        "8.3.1: Host in place of an authority": (with_(host, without=(":authority",)), answered()),
        "8.3.1: Host that says the same": (with_(host), answered()),
        "8.2.3: Cookie in parts": (with_(("cookie", "a=1"), ("cookie", "b=2")), answered()),
        "8.2.2: TE of trailers": (with_(("te", "trailers")), answered()),
        "RFC 9218 4: a priority that is none": (with_(("priority", "u=99, ?")), answered()),
        "RFC 9218 7.1: PRIORITY_UPDATE before its stream": (update, with_(), answered()),
        "RFC 9218 7.1: PRIORITY_UPDATE after its stream": (upload, cancelled, update, ping(), pong()),
        "RFC 9218 7.1: PRIORITY_UPDATE of a stream": (frame(0x10, 0, 1, b"\0\0\0\1u=0"), connection_error(PROTOCOL)),
        "RFC 9218 7.1: PRIORITY_UPDATE of no stream": (frame(0x10, 0, 0, b"\0\0\0\0u=0"), connection_error(PROTOCOL)),
        "RFC 9218 7.1: PRIORITY_UPDATE of a wrong size": (frame(0x10, 0, 0, b"\0\0\0"), connection_error(SIZE)),
        "RFC 9218 2.1: priorities that are neither 0 nor 1": (
            settings((frames.NO_RFC7540_PRIORITIES, 2)), connection_error(PROTOCOL),
        ),
        "RFC 8441 3: a protocol that is neither 0 nor 1": (
            settings((frames.ENABLE_CONNECT_PROTOCOL, 2)), connection_error(PROTOCOL),
        ),
    }  # fmt: skip
