from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.http1.corpus import Reading, client_codec, cut, single_bytes
from tests.wire.strategies import cuts, fields, tokens, values
from txproxy.errors import RequestError, ResponseError, ResponseIncomplete
from txproxy.wire.headers import Headers
from txproxy.wire.http1.codec import ClientCodec, ServerCodec
from txproxy.wire.http1.trailers import FORBIDDEN
from txproxy.wire.message import CHUNKED, END, UNTIL_CLOSE, EndOfMessage, RequestHead, ResponseHead
from txproxy.wire.size_limits import WireLimits

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED_POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_FIELDS = Headers()


def server(data: bytes = b"") -> ServerCodec:
    codec = ServerCodec()
    codec.receive(data)
    return codec


def after_request(data: bytes) -> ServerCodec:
    """A codec that has read one request without a body."""
    codec = server(data)
    assert isinstance(codec.next_event(), RequestHead)
    assert codec.next_event() is END
    return codec


def head_of(codec: ServerCodec) -> RequestHead:
    head = codec.next_event()
    assert isinstance(head, RequestHead)
    return head


# -- reading requests


def test_a_request_head_has_all_that_was_sent() -> None:
    head = head_of(server(b"POST http://A:80/b?c HTTP/1.1\r\nHost: a\r\nX-One:1\r\nContent-Length: 2\r\n\r\n"))
    assert (head.method, head.scheme, head.authority, head.path) == (b"POST", b"http", b"A:80", b"/b?c")
    assert list(head.headers) == [(b"Host", b"A:80"), (b"X-One", b"1"), (b"Content-Length", b"2")]
    assert (head.body, head.minor, head.keep_alive) == (2, 1, True)


def test_without_bytes_there_is_no_event() -> None:
    codec = server()
    assert codec.next_event() is None
    assert not codec.started
    assert codec.at_end


def test_part_of_a_head_is_no_event_but_a_start() -> None:
    codec = server(GET[:-1])
    assert codec.next_event() is None
    assert codec.started
    assert not codec.at_end
    codec.receive(GET[-1:])
    assert head_of(codec).method == b"GET"


def test_a_pipelined_request_waits_for_its_turn() -> None:
    codec = after_request(GET + GET.replace(b"GET", b"PUT"))
    assert codec.next_event() is None
    assert codec.buffered == len(GET)
    assert not codec.at_end
    codec.next_message()
    assert head_of(codec).method == b"PUT"
    assert codec.buffered == 0


def test_after_a_request_there_is_nothing_at_hand() -> None:
    codec = after_request(GET)
    assert codec.at_end
    codec.next_message()
    assert not codec.started


def test_the_next_message_cannot_be_asked_for_within_one() -> None:
    codec = server(POST)
    codec.next_event()
    with pytest.raises(AssertionError):
        codec.next_message()


def test_a_body_comes_as_it_is_received() -> None:
    codec = server(POST + b"he")
    codec.next_event()
    assert codec.next_event() == b"he"
    assert codec.next_event() is None
    codec.receive(b"lloGET")
    assert codec.next_event() == b"llo"
    assert codec.next_event() is END
    assert codec.buffered == 3


def test_the_chunks_at_hand_are_one_event() -> None:
    codec = server(CHUNKED_POST + b"2\r\nhe\r\n1\r\nl\r\n5\r\nlo")
    assert head_of(codec).body == CHUNKED
    assert codec.next_event() == b"hello"
    assert codec.next_event() is None
    codec.receive(b"abc\r\n0\r\nA: b\r\n\r\n")
    assert codec.next_event() == b"abc"
    end = codec.next_event()
    assert isinstance(end, EndOfMessage)
    assert list(end.trailers) == [(b"A", b"b")]


@pytest.mark.parametrize("line", [b"%x", b"%X", b"0%x", b"%x;a=b"])
def test_small_chunks_of_any_spelling_are_the_same_body(line: bytes) -> None:
    data = bytes(range(256)) * 3
    pieces = []
    left, size = data, 1
    while left:
        pieces.append(line % min(size, len(left)) + b"\r\n" + left[:size] + b"\r\n")
        left, size = left[size:], size % 20 + 1
    wire = b"".join(pieces) + b"0\r\n\r\n"
    for step in (len(wire), 7, 1):
        codec = server(CHUNKED_POST)
        head_of(codec)
        body = b""
        for at in range(0, len(wire), step):
            codec.receive(wire[at : at + step])
            while isinstance(event := codec.next_event(), bytes):
                body += event
        assert body == data and event is END


@pytest.mark.parametrize("wrong", [b"1\r\nxx\r\n", b"1\r\nx\n\n", b"1\r\nx0\r\n", b"-\r\nx\r\n", b"1\n\nx\r\n"])
def test_a_malformed_small_chunk_is_refused_among_others(wrong: bytes) -> None:
    codec = server(CHUNKED_POST + b"1\r\nx\r\n" * 10 + wrong + b"1\r\nx\r\n")
    head_of(codec)
    with pytest.raises(RequestError):
        codec.next_event()


def test_very_small_chunks_are_told_of() -> None:
    codec = server(CHUNKED_POST + b"5\r\nhello\r\n" * 100)
    head_of(codec)
    assert codec.next_event() == b"hello" * 100 and not codec.many_chunks
    codec.receive(b"5\r\nhello\r\n" * 300)
    assert codec.next_event() == b"hello" * 300 and codec.many_chunks


def test_the_head_is_there_before_the_body_so_that_continue_can_be_sent() -> None:
    codec = server(POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    assert head_of(codec).headers.get(b"expect") == b"100-continue"
    assert codec.next_event() is None
    assert codec.send_head(ResponseHead(100, NO_FIELDS, reason=b"Continue"), False) == b"HTTP/1.1 100 Continue\r\n\r\n"
    codec.receive(b"hello")
    assert codec.next_event() == b"hello"


def test_what_follows_a_connect_is_the_tunnels() -> None:
    codec = after_request(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n\x16\x03\x01")
    assert codec.take_buffered() == b"\x16\x03\x01"
    codec.receive(GET)
    assert codec.next_event() is None
    assert codec.take_buffered() == GET


def test_an_empty_line_before_a_request_is_ignored_once_for_each() -> None:
    codec = server(b"\r\n" + GET + b"\r\n" + GET)
    for _ in range(2):
        head_of(codec)
        assert codec.next_event() is END
        codec.next_message()
    codec.receive(b"\r\n")
    assert codec.next_event() is None
    assert not codec.started
    codec.receive(b"\r\n")
    with pytest.raises(RequestError):
        codec.next_event()


def test_a_refused_head_is_not_skipped() -> None:
    codec = server(b"GET / HTTP/1.1\r\n\r\n" + GET)
    for _ in range(3):
        with pytest.raises(RequestError, match="Host is missing"):
            codec.next_event()


def test_a_refused_body_ends_the_reading() -> None:
    codec = server(CHUNKED_POST + b"3\r\nabcd\r\n0\r\n\r\n" + GET)
    codec.next_event()
    with pytest.raises(RequestError):
        codec.next_event()
    codec.receive(GET)
    assert codec.next_event() is None
    with pytest.raises(AssertionError):
        codec.next_message()


@pytest.mark.parametrize("line", [b"A: b\n", b"A: b\rC", b"A: \0"])
def test_a_stray_control_in_trailers_is_refused_before_they_end(line: bytes) -> None:
    codec = server(CHUNKED_POST + b"0\r\n" + line)
    codec.next_event()
    with pytest.raises(RequestError, match="malformed trailer section"):
        codec.next_event()


@pytest.mark.parametrize("line", [b"A: b\n", b"A: b\rC", b"A: \0", b"A\n"])
def test_a_stray_control_in_a_head_is_refused_before_it_ends(line: bytes) -> None:
    with pytest.raises(RequestError):
        server(GET[:-2] + line).next_event()


def test_a_refused_request_is_answered_for_its_method() -> None:
    # A response to HEAD has no body, even if it is a refusal.
    codec = server(b"HEAD / HTTP/1.1\r\n\r\n")
    with pytest.raises(RequestError):
        codec.next_event()
    codec.send_head(ResponseHead(400, Headers([(b"Content-Length", b"5")]), body=5), True)
    assert not codec.sends_body


def test_a_malformed_request_after_a_head_is_answered_with_a_body() -> None:
    codec = after_request(GET.replace(b"GET", b"HEAD") + b"nonsense\r\n")
    codec.next_message()
    with pytest.raises(RequestError):
        codec.next_event()
    codec.send_head(ResponseHead(400, Headers([(b"Content-Length", b"5")]), body=5), True)
    assert codec.sends_body


def test_a_body_of_known_length_may_pass_by_once_the_buffer_is_empty() -> None:
    codec = server(POST + b"h")
    assert codec.passable == 0
    codec.next_event()
    assert codec.passable == 0
    assert codec.next_event() == b"h"
    assert codec.passable == 4
    codec.passed_in(3)
    assert codec.next_event() is None
    codec.receive(b"o" + GET)
    assert codec.passable == 0
    assert codec.next_event() == b"o"
    assert codec.next_event() is END
    codec.next_message()
    assert head_of(codec).method == b"GET"


def test_a_body_that_has_passed_by_is_at_its_end() -> None:
    codec = server(POST)
    codec.next_event()
    codec.passed_in(5)
    assert codec.passable == 0
    assert codec.next_event() is END
    assert codec.at_end


@pytest.mark.parametrize("data", [GET, CHUNKED_POST, CHUNKED_POST + b"5\r\n"])
def test_no_other_body_may_pass_by(data: bytes) -> None:
    codec = server(data)
    while codec.next_event() not in (None, END):
        pass
    assert codec.passable == 0


def test_the_end_of_a_message_without_a_body_can_be_skipped() -> None:
    codec = server(GET + GET)
    head_of(codec)
    codec.skip_end()
    assert codec.next_event() is None
    codec.next_message()
    assert head_of(codec).method == b"GET"


def test_the_end_of_a_message_with_a_body_cannot() -> None:
    codec = server(POST)
    head_of(codec)
    with pytest.raises(AssertionError):
        codec.skip_end()


# -- writing responses


def test_what_passes_by_counts_as_sent() -> None:
    codec = after_request(GET)
    codec.send_head(ResponseHead(200, NO_FIELDS, body=5), False)
    assert codec.sends_length
    codec.passed_out(4)
    with pytest.raises(AssertionError):
        codec.send_data(b"ab")
    assert codec.send_data(b"a") == b"a"
    assert not codec.sends_length
    assert codec.send_end(NO_FIELDS) == b""


def test_only_a_length_frames_what_may_pass_by() -> None:
    for body in (0, CHUNKED, UNTIL_CLOSE):
        codec = after_request(GET)
        codec.send_head(ResponseHead(200, NO_FIELDS, body=body), False)
        assert not codec.sends_length


@pytest.mark.parametrize(
    ("request_head", "response", "close", "sent", "framing"),
    [
        (
            GET,
            ResponseHead(200, NO_FIELDS, reason=b"OK", body=CHUNKED),
            False,
            b"Transfer-Encoding: chunked",
            "chunked",
        ),
        (
            GET,
            ResponseHead(200, NO_FIELDS, reason=b"OK", body=UNTIL_CLOSE),
            False,
            b"Transfer-Encoding: chunked",
            "chunked",
        ),
        (
            GET,
            ResponseHead(200, NO_FIELDS, reason=b"OK", body=CHUNKED),
            True,
            b"Transfer-Encoding: chunked\r\nConnection: close",
            "chunked",
        ),
        (GET, ResponseHead(200, NO_FIELDS, reason=b"OK", body=3), True, b"Connection: close", "length"),
        (
            GET.replace(b"1.1", b"1.0"),
            ResponseHead(200, NO_FIELDS, reason=b"OK", body=3),
            False,
            b"Connection: keep-alive",
            "length",
        ),
        (
            GET.replace(b"1.1", b"1.0"),
            ResponseHead(200, NO_FIELDS, reason=b"OK", body=CHUNKED),
            False,
            b"Connection: close",
            "close",
        ),
        (
            GET.replace(b"1.1", b"1.0"),
            ResponseHead(200, NO_FIELDS, reason=b"OK", body=UNTIL_CLOSE),
            True,
            b"Connection: close",
            "close",
        ),
    ],
)
def test_a_response_is_framed_for_its_request(
    request_head: bytes, response: ResponseHead, close: bool, sent: bytes, framing: str
) -> None:
    codec = after_request(request_head)
    assert codec.send_head(response, close) == b"HTTP/1.1 200 OK\r\n" + sent + b"\r\n\r\n"
    assert codec.sends_body
    assert codec.must_close == (framing == "close")
    assert codec.send_data(b"abc") == (b"3\r\nabc\r\n" if framing == "chunked" else b"abc")
    assert codec.send_end(NO_FIELDS) == (b"0\r\n\r\n" if framing == "chunked" else b"")
    assert not codec.sends_body


@pytest.mark.parametrize("body", [5, CHUNKED, UNTIL_CLOSE])
@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"GET", 204), (b"GET", 304)])
def test_a_response_without_a_body_has_no_framing(method: bytes, status: int, body: int) -> None:
    codec = after_request(GET.replace(b"GET", method))
    assert codec.send_head(ResponseHead(status, NO_FIELDS, body=body), False) == b"HTTP/1.1 %d \r\n\r\n" % status
    assert not codec.sends_body
    assert not codec.must_close
    assert codec.send_end(NO_FIELDS) == b""


def test_lines_of_a_response_go_out_as_they_are() -> None:
    codec = after_request(GET)
    head = ResponseHead(200, Headers([(b"X", b"1"), (b"content-LENGTH", b"0")]), reason=b"Fine")
    assert codec.send_head(head, False) == b"HTTP/1.1 200 Fine\r\nX: 1\r\ncontent-LENGTH: 0\r\n\r\n"


def test_an_empty_piece_of_body_does_not_end_a_chunked_one() -> None:
    codec = after_request(GET)
    codec.send_head(ResponseHead(200, NO_FIELDS, body=CHUNKED), False)
    assert codec.send_data(b"") == b""


def test_trailers_are_sent_where_there_is_a_place_for_them() -> None:
    trailers = Headers([(b"A", b"b"), (b"C", b"d")])
    codec = after_request(GET)
    codec.send_head(ResponseHead(200, NO_FIELDS, body=CHUNKED), False)
    assert codec.send_end(trailers) == b"0\r\nA: b\r\nC: d\r\n\r\n"
    codec.send_head(ResponseHead(200, NO_FIELDS, body=0), False)
    assert codec.send_end(trailers) == b""


def test_no_more_and_no_less_is_sent_than_the_head_announced() -> None:
    codec = after_request(GET)
    codec.send_head(ResponseHead(200, NO_FIELDS, body=3), False)
    with pytest.raises(AssertionError):
        codec.send_data(b"abcd")
    with pytest.raises(AssertionError):
        codec.send_end(NO_FIELDS)


def test_an_informational_response_is_not_the_end() -> None:
    codec = after_request(GET)
    assert codec.send_head(ResponseHead(103, Headers([(b"Link", b"x")]), reason=b"Early Hints"), True) == (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    )
    assert not codec.sends_body


# -- writing requests


@pytest.mark.parametrize(
    ("head", "sent"),
    [
        (RequestHead(b"GET", b"/b", Headers([(b"Host", b"a")])), b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n"),
        (
            RequestHead(b"CONNECT", b"", Headers([(b"Host", b"a:1")]), authority=b"a:1"),
            b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
        ),
        (
            RequestHead(b"PUT", b"/", Headers([(b"Host", b"a")]), body=CHUNKED, minor=0),
            b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
    ],
)
def test_a_request_goes_out_as_http_1_1(head: RequestHead, sent: bytes) -> None:
    assert ClientCodec().send_head(head) == sent


# -- reading responses


def test_a_response_head_has_all_that_was_sent() -> None:
    codec = client_codec()
    codec.receive(b"HTTP/1.0 404 Not  here\r\nA:b\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n")
    head = codec.next_event()
    assert isinstance(head, ResponseHead)
    assert (head.status, head.reason, head.minor, head.body, head.keep_alive) == (404, b"Not  here", 0, 3, True)
    assert next(iter(head.headers)) == (b"A", b"b")


@pytest.mark.parametrize(
    ("data", "keep"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", False),
    ],
)
def test_a_response_tells_whether_the_connection_is_kept(data: bytes, keep: bool) -> None:
    codec = client_codec()
    codec.receive(data)
    head = codec.next_event()
    assert isinstance(head, ResponseHead)
    assert head.keep_alive is keep


def test_the_informational_responses_are_counted_for_each_request() -> None:
    codec = client_codec()
    for _ in range(3):
        codec.send_head(RequestHead(b"GET", b"/", Headers([(b"Host", b"a")])))
        codec.receive(b"HTTP/1.1 100 Continue\r\n\r\n" * 16 + b"HTTP/1.1 204 No\r\n\r\n")
        assert [event.status for _ in range(17) if isinstance(event := codec.next_event(), ResponseHead)][-1] == 204
        assert codec.next_event() is END
        codec.next_message()


def test_the_method_of_the_last_request_counts() -> None:
    codec = client_codec(b"HEAD")
    response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    codec.receive(response)
    codec.next_event()
    assert codec.next_event() is END
    codec.next_message()
    codec.send_head(RequestHead(b"GET", b"/", Headers([(b"Host", b"a")])))
    codec.receive(response + b"hi")
    codec.next_event()
    assert codec.next_event() == b"hi"


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\nraw", b"HTTP/1.1 200 OK\r\n\r\nraw"]
)
def test_after_a_switch_all_is_the_tunnels(data: bytes) -> None:
    codec = client_codec(b"CONNECT" if b"200" in data else b"GET", upgrade=True)
    codec.receive(data)
    assert isinstance(codec.next_event(), ResponseHead)
    assert codec.next_event() is None
    assert codec.take_buffered() == b"raw"


def test_bytes_after_a_response_stay_where_they_can_be_seen() -> None:
    codec = client_codec()
    codec.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi!HTTP/1.1 200 OK\r\n\r\n")
    assert isinstance(codec.next_event(), ResponseHead)
    assert codec.next_event() == b"hi"
    assert codec.next_event() is END
    assert codec.next_event() is None
    assert codec.buffered
    assert not codec.at_end


def test_a_close_ends_a_body_that_lasts_until_it() -> None:
    codec = client_codec()
    codec.receive(b"HTTP/1.1 200 OK\r\n\r\nhi")
    codec.next_event()
    assert codec.next_event() == b"hi"
    assert codec.next_event() is None
    assert codec.receive_eof() is END


@pytest.mark.parametrize(
    "data",
    [
        *[b"", b"HTTP/1.1 200", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh"],
        *[
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + rest
            for rest in (b"", b"2", b"2\r\nh", b"0\r\n", b"0\r\nA: b\r\n")
        ],
    ],
)
def test_a_close_before_the_end_is_an_incomplete_response(data: bytes) -> None:
    codec = client_codec()
    codec.receive(data)
    while codec.next_event() is not None:
        pass
    with pytest.raises(ResponseIncomplete) as cut_short:
        codec.receive_eof()
    assert cut_short.value.status == 502
    assert cut_short.value.error == "http_response_incomplete"


def test_a_close_before_the_body_was_read_is_no_end() -> None:
    codec = client_codec()
    codec.receive(b"HTTP/1.1 200 OK\r\n\r\nhi")
    codec.next_event()
    with pytest.raises(ResponseIncomplete):
        codec.receive_eof()


def test_a_fault_of_the_upstream_cannot_be_sent_again() -> None:
    codec = client_codec()
    codec.receive(b"nonsense")
    with pytest.raises(ResponseError) as fault:
        codec.next_event()
    assert (fault.value.status, fault.value.retry_safe, fault.value.error) == (502, False, "http_protocol_error")


def test_a_head_that_is_too_large_has_its_own_error() -> None:
    codec = client_codec(limits=WireLimits(max_head=20))
    codec.receive(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n")
    with pytest.raises(ResponseError) as fault:
        codec.next_event()
    assert fault.value.error == "http_response_header_section_size"


# -- one byte at a time, as long as they let us


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nB: " + b"c" * 65000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nB: " + b" " * 65000 + b"c\r\n\r\n",
        b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        CHUNKED_POST + b"0\r\nA: " + b"b" * 65000 + b"\r\n\r\n",
        CHUNKED_POST + b"1\r\na\r\n" * 10000 + b"0\r\n\r\n",
        CHUNKED_POST + (b"1;" + b"a" * 1000 + b"\r\na\r\n") * 60 + b"0\r\n\r\n",
    ],
    ids=["field", "white space", "target", "trailer", "chunks", "extensions"],
)
def test_a_long_message_in_single_bytes_comes_to_its_end(data: bytes) -> None:
    reading = Reading(ServerCodec(), single_bytes(data))
    assert reading.error is None
    assert reading.messages == 1


def test_many_small_chunks_at_once_are_one_event() -> None:
    reading = Reading(ServerCodec(), [CHUNKED_POST + b"1\r\na\r\n" * 100000 + b"0\r\n\r\n"])
    assert reading.asked == 4
    assert reading.events[1] == f"body {'a' * 100000!r}"


# -- what one codec writes the other reads


END_TO_END = fields().filter(
    lambda field: (
        field[0].lower()
        not in {b"connection", b"content-length", b"transfer-encoding", b"host", b"upgrade", *FORBIDDEN}
    )
)


def positions(data: bytes, places: list[int]) -> list[int]:
    return [place * len(data) // 1000 for place in places]


@settings(max_examples=300, deadline=None)
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


@settings(max_examples=300, deadline=None)
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


@settings(max_examples=200, deadline=None)
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


# -- fields that are those of the request before


@pytest.mark.parametrize(
    "second",
    [
        b"GET /y?z HTTP/1.1",
        b"POST /y HTTP/1.1",
        b"GET http://a/y HTTP/1.1",
        b"GET http://a HTTP/1.1",
        b"GET http://a?x HTTP/1.1",
        b"GET HTTP://A/y HTTP/1.1",
        b"GET http://a:80/y HTTP/1.1",
        b"GET https://a/y HTTP/1.1",
        b"GET http://b/y HTTP/1.1",
        b"GET http://a/y HTTP/1.0",
        b"GET /y HTTP/1.0",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT a:443 HTTP/1.1",
        b"CONNECT /y HTTP/1.1",
        b"CONNECT http://a/y HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET y HTTP/1.1",
        b"GET /" + b"y" * 8170 + b" HTTP/1.1",
        b"GET /" + b"y" * 8300 + b" HTTP/1.1",
    ],
)
@pytest.mark.parametrize(
    "fields",
    [b"Host: a", b"Host: a\r\nX: y", b"Host: a\r\nConnection: close", b"Host: a\r\nContent-Length: 0", b"X: y"],
)
def test_a_head_reads_the_same_after_another_with_the_same_fields(fields, second):
    def read(codec, line):
        codec.receive(line + b"\r\n" + fields + b"\r\n\r\nrest")
        head = codec.next_event()
        return (
            [getattr(head, name) for name in ("method", "scheme", "authority", "path", "body", "minor", "keep_alive")],
            list(head.headers),
        )

    def outcome(before):
        codec = ServerCodec()
        if before:
            codec.receive(b"GET /x HTTP/1.1\r\n" + fields + b"\r\n\r\n")
            try:
                codec.next_event()
                codec.next_event()
            except RequestError:
                return outcome(False)
            codec.next_message()
        try:
            return read(codec, second)
        except RequestError as fault:
            return fault.status, fault.detail

    assert outcome(True) == outcome(False)


ANSWERS = [
    (version, status, method)
    for version in (b"1.0", b"1.1")
    for status in (b"200 OK", b"404 No", b"204 None", b"304 Same")
    for method in (b"GET", b"HEAD")
]


@pytest.mark.parametrize("fields", [b"Content-Length: 2", b"Content-Length: 02", b"X: y", b"Connection: keep-alive"])
def test_a_response_reads_the_same_after_another_with_the_same_fields(fields: bytes) -> None:
    def read(codec: ClientCodec, answer: tuple[bytes, bytes, bytes]) -> tuple[object, ...]:
        version, status, method = answer
        codec.send_head(RequestHead(method, b"/", Headers([(b"Host", b"a")])))
        codec.receive(b"HTTP/%b %b\r\n%b\r\n\r\n" % (version, status, fields))
        head = codec.next_event()
        assert isinstance(head, ResponseHead)
        return head.status, head.reason, head.minor, head.body, head.keep_alive, list(head.headers)

    for first in ANSWERS:
        for second in ANSWERS:
            codec = ClientCodec()
            body = read(codec, first)[3]
            if body == UNTIL_CLOSE:
                continue
            if body:
                codec.receive(b"ok")
            assert codec.whole_body() is not None
            codec.next_message()
            assert read(codec, second) == read(ClientCodec(), second)


@pytest.mark.parametrize(
    ("line", "host", "authority"),
    [
        (b"GET http://127.0.0.1:8001/a", b"hi.foo.com", b"127.0.0.1:8001"),
        (b"GET http://[::1]:8001/", b"[0:0::1]:8001", b"[::1]:8001"),
        (b"CONNECT 127.0.0.1:443", b"127.0.0.1:3128", b"127.0.0.1:443"),
    ],
)
def test_a_host_beside_a_target_with_an_authority_is_replaced_for_all_that_look(
    line: bytes, host: bytes, authority: bytes
) -> None:
    codec = server((line + b" HTTP/1.1\r\nA: b\r\nHost: " + host + b"\r\nC: d\r\n\r\n") * 2)
    for _ in range(2):
        head = head_of(codec)
        assert head.authority == authority
        assert list(head.headers) == [(b"A", b"b"), (b"Host", authority), (b"C", b"d")]
        codec.skip_end()
        codec.next_message()


def test_a_host_is_replaced_by_each_target_anew() -> None:
    fields = b" HTTP/1.1\r\nHost: a\r\n\r\n"
    codec = server(
        b"".join(b"GET %b%b" % (target, fields) for target in (b"http://b/", b"http://c/", b"/", b"http://a/"))
    )
    hosts = []
    for _ in range(4):
        head = head_of(codec)
        assert head.headers.get(b"host") == head.authority
        hosts.append(head.authority)
        codec.skip_end()
        codec.next_message()
    assert hosts == [b"b", b"c", b"a", b"a"]


def test_the_same_fields_are_others_in_another_version() -> None:
    codec = server(
        b"".join(b"GET / HTTP/1.%d\r\nHost: a\r\nConnection: keep-alive\r\n\r\n" % minor for minor in (1, 0, 1, 2))
    )
    heads = []
    for _ in range(4):
        heads.append(head_of(codec))
        codec.skip_end()
        codec.next_message()
    assert [head.minor for head in heads] == [1, 0, 1, 1]
    # What is made of fields is kept with them, and tells of the version as well.
    assert heads[0].headers is heads[2].headers
    assert heads[1].headers is not heads[0].headers


@pytest.mark.parametrize("field", [b"Transfer-Encoding: chunked", b"Content-Length: 5"])
def test_after_a_204_that_announces_a_body_a_connection_is_not_kept(field: bytes) -> None:
    codec = client_codec()
    codec.receive(b"HTTP/1.1 204 No Content\r\n" + field + b"\r\n\r\n0\r\n\r\n")
    head = codec.next_event()
    assert isinstance(head, ResponseHead)
    assert (head.body, head.keep_alive) == (0, False)
    assert codec.whole_body() == b""


def test_a_length_that_was_settled_is_settled_when_it_comes_again() -> None:
    codec = client_codec()
    for _ in range(3):
        codec.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 02\r\nContent-Length: 02\r\n\r\nok")
        head = codec.next_event()
        assert isinstance(head, ResponseHead)
        assert head.headers.lines == [b"Content-Length: 2"]
        assert codec.whole_body() == b"ok"
        codec.next_message()
