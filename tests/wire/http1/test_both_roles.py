"""What one codec writes the other reads."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.http1.codecs import NO_FIELDS, after_request
from tests.wire.http1.corpus import Reading, client_codec, cut
from tests.wire.strategies import cuts, fields, tokens, values
from txproxy.wire.headers import Headers
from txproxy.wire.http1.client import ClientCodec
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.http1.trailers import FORBIDDEN
from txproxy.wire.message import CHUNKED, UNTIL_CLOSE, EndOfMessage, RequestHead, ResponseHead

END_TO_END = fields().filter(
    lambda field: (
        field[0].lower()
        not in {b"connection", b"content-length", b"transfer-encoding", b"host", b"upgrade", *FORBIDDEN}
    )
)


def positions(data: bytes, places: list[int]) -> list[int]:
    return [place * len(data) // 1000 for place in places]


@pytest.mark.no_cover
@settings(max_examples=300)
@given(
    method=tokens().filter(lambda method: method not in (b"CONNECT", b"TRACE")),
    path=st.text("abc/?&=%41.~", max_size=20).map(lambda path: b"/" + path.encode()),
    pairs=st.lists(END_TO_END, max_size=6),
    pieces=st.lists(st.binary(max_size=50), max_size=5),
    chunked=st.booleans(),
    trailers=st.lists(END_TO_END, max_size=3),
    places=cuts(),
)
def test_a_request_arrives_as_it_was_sent(
    method: bytes,
    path: bytes,
    pairs: list[tuple[bytes, bytes]],
    pieces: list[bytes],
    chunked: bool,
    trailers: list[tuple[bytes, bytes]],
    places: list[int],
) -> None:
    body = b"".join(pieces)
    client, codec = ClientCodec(), ServerCodec()
    lines = [(b"Host", b"a"), *pairs, *([] if chunked else [(b"Content-Length", b"%d" % len(body))])]
    sent = client.send_head(RequestHead(method, path, Headers(lines), body=CHUNKED if chunked else len(body)))
    sent += b"".join(client.send_data(piece) for piece in pieces) + client.send_end(Headers(trailers))
    arrived: list[bytes] = []
    events = []
    for piece in cut(sent, positions(sent, places)):
        codec.receive(piece)
        while (event := codec.next_event()) is not None:
            if isinstance(event, bytes):
                arrived.append(event)
            else:
                events.append(event)
    head, end = events
    assert isinstance(head, RequestHead)
    assert isinstance(end, EndOfMessage)
    assert (head.method, head.path) == (method, path)
    assert list(head.headers)[: len(lines)] == lines
    assert b"".join(arrived) == body
    assert list(end.trailers) == (trailers if chunked else [])
    assert codec.at_end


@pytest.mark.no_cover
@settings(max_examples=300)
@given(
    method=st.sampled_from([b"GET", b"HEAD", b"POST"]),
    minor=st.sampled_from([0, 1]),
    status=st.sampled_from([200, 204, 206, 304, 404, 500]),
    reason=values(),
    pairs=st.lists(END_TO_END, max_size=6),
    pieces=st.lists(st.binary(max_size=50), max_size=5),
    framing=st.sampled_from(["length", "chunked", "until close"]),
    hints=st.integers(0, 3),
    trailers=st.lists(END_TO_END, max_size=3),
    places=cuts(),
)
def test_a_response_arrives_as_it_was_sent(
    method: bytes,
    minor: int,
    status: int,
    reason: bytes,
    pairs: list[tuple[bytes, bytes]],
    pieces: list[bytes],
    framing: str,
    hints: int,
    trailers: list[tuple[bytes, bytes]],
    places: list[int],
) -> None:
    codec, client = after_request(b"%b / HTTP/1.%d\r\nHost: a\r\n\r\n" % (method, minor)), client_codec(method)
    body = b"".join(pieces)
    length = {"length": len(body), "chunked": CHUNKED, "until close": UNTIL_CLOSE}[framing]
    lines = [*pairs, *([(b"Content-Length", b"%d" % len(body))] if framing == "length" and status != 204 else [])]
    sent = codec.send_head(ResponseHead(103, NO_FIELDS), False) * hints
    sent += codec.send_head(ResponseHead(status, Headers(lines), reason=reason, body=length), False)
    has_body = method != b"HEAD" and status not in (204, 304)
    must_close = codec.must_close
    if has_body:
        sent += b"".join(codec.send_data(piece) for piece in pieces)
    sent += codec.send_end(Headers(trailers))
    arrived: list[bytes] = []
    events = []
    for piece in cut(sent, positions(sent, places)):
        client.receive(piece)
        while (event := client.next_event()) is not None:
            if isinstance(event, bytes):
                arrived.append(event)
            else:
                events.append(event)
    if must_close:
        events.append(client.receive_eof())
    head, end = events[hints:]
    assert isinstance(head, ResponseHead)
    assert isinstance(end, EndOfMessage)
    assert [event.status for event in events[:hints] if isinstance(event, ResponseHead)] == [103] * hints
    assert (head.status, head.reason) == (status, reason)
    assert list(head.headers)[: len(lines)] == lines
    assert b"".join(arrived) == (body if has_body else b"")
    assert list(end.trailers) == (trailers if has_body and framing != "length" and minor else [])
    assert must_close == (has_body and framing != "length" and not minor)
    assert client.at_end


@settings(max_examples=200)
@given(st.lists(st.sampled_from(["get", "length", "chunked", "head"]), min_size=1, max_size=6), cuts())
def test_pipelined_requests_come_in_order_whatever_they_are(kinds: list[str], places: list[int]) -> None:
    sent, expected = b"", []
    for number, kind in enumerate(kinds):
        body = b"body %d\r\n\r\n" % number
        method = {"get": b"GET", "head": b"HEAD"}.get(kind, b"POST")
        client = ClientCodec()
        size = {"length": len(body), "chunked": CHUNKED}.get(kind, 0)
        fields_of_it = [(b"Host", b"a"), *([(b"Content-Length", b"%d" % size)] if size > 0 else [])]
        sent += client.send_head(RequestHead(method, b"/%d" % number, Headers(fields_of_it), body=size))
        expected.append(f"head {method.decode()} /{number}")
        if size:
            sent += client.send_data(body)
            expected.append(f"body {body!r}".replace("body b", "body ", 1))
        sent += client.send_end(NO_FIELDS)
        expected.append("end")
    assert Reading(ServerCodec(), cut(sent, positions(sent, places))).events == expected
