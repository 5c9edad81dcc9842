"""The client's role: writing requests, reading responses."""

from __future__ import annotations

import pytest

from tests.wire.http1.corpus import client_codec
from txproxy.errors import ResponseError, ResponseIncomplete
from txproxy.wire.forwarding import HOP_BY_HOP, end_to_end
from txproxy.wire.headers import Headers
from txproxy.wire.http1.client import ClientCodec
from txproxy.wire.message import CHUNKED, END, UNTIL_CLOSE, RequestHead, ResponseHead, SharedRequest
from txproxy.wire.size_limits import WireLimits

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


# -- fields that are those of the request before


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


def test_a_length_that_is_said_twice_goes_on_once_where_others_of_its_form_went_on_before():
    codec = ClientCodec()
    for said, mark in [(b"1", b"a"), (b"2", b"b"), (b"1", b"c"), (b"1, 1", b"d"), (b"1, 1", b"d"), (b"1", b"e")]:
        codec.send_head(RequestHead(b"GET", b"/", Headers.from_lines([b"Host: a"])))
        response = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: %b\r\nX-A: %b\r\n\r\n" % (said, mark)
        codec.receive(response + b"x" * int(said[:1]))
        head = codec.next_event()
        headers = head.headers
        onward = headers.onward or headers.goes_on(end_to_end(headers, HOP_BY_HOP))
        assert onward.lines == [b"Date: D", b"Content-Length: " + said[:1], b"X-A: " + mark]
        assert onward.block == b"\r\n".join(onward.lines) and head.body == int(said[:1])
        while type(codec.next_event()) is bytes:
            pass
        assert not codec.next_message()


# -- responses whose head has come before

GET = RequestHead(b"GET", b"/", Headers([(b"Host", b"a")]))
ALIKE = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nhi"


def sharing(response: bytes = ALIKE, method: bytes = b"GET") -> ClientCodec:
    """A codec that has read ``response`` twice, of which it was found out what goes on."""
    codec = ClientCodec()
    for _ in range(2):
        codec.send_head(RequestHead(method, b"/", GET.headers))
        codec.receive(response)
        head = codec.next_event()
        assert isinstance(head, ResponseHead)
        if head.headers.onward is None:
            head.headers.goes_on(end_to_end(head.headers, HOP_BY_HOP))
        while codec.next_event() not in (END, None):
            pass
        codec.next_message()
    codec.send_head(GET)
    return codec


def test_the_head_of_those_that_come_again_is_shared() -> None:
    codec = sharing()
    shared = codec.shared
    assert shared is not None and (shared.status, shared.reason, shared.body, shared.minor) == (200, b"OK", 2, 1)
    assert codec.again(ALIKE) == b"hi" and codec.again(ALIKE.replace(b"hi", b"ho")) == b"ho"
    assert not codec.started and codec.shared is shared
    codec.receive(ALIKE.replace(b"D\r", b"E\r"))
    assert isinstance(codec.next_event(), ResponseHead) and codec.shared is None


@pytest.mark.parametrize(
    "response",
    [
        ALIKE.replace(b"200 OK", b"401 Who"),
        ALIKE.replace(b"200 OK", b"407 Who"),
        ALIKE.replace(b"200 OK", b"304 As before")[:-2],
        ALIKE.replace(b"2\r\n\r\nhi", b"0\r\n\r\n"),
        ALIKE.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Date", b"Connection: keep-alive\r\nDate"),
        ALIKE.replace(b"Date", b"Connection: close\r\nDate"),
        ALIKE.replace(b"Date", b"Location: /\r\nDate"),
        b"HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_of_which_more_is_to_be_asked_is_read_anew(response: bytes) -> None:
    codec = sharing(response)
    assert codec.shared is None and codec.again(response) is None


def test_what_nobody_has_looked_at_is_not_shared() -> None:
    codec = ClientCodec()
    for _ in range(3):
        codec.send_head(GET)
        codec.receive(ALIKE)
        assert isinstance(codec.next_event(), ResponseHead) and codec.next_event() == b"hi"
        assert codec.next_event() is END and not codec.next_message()
    assert codec.shared is None


@pytest.mark.parametrize(
    "data", [b"", ALIKE[:-1], ALIKE + b"!", ALIKE[:-2], ALIKE.replace(b"D\r", b"E\r"), b"x" + ALIKE[1:], ALIKE * 2]
)
def test_nothing_but_all_of_it_is_taken(data: bytes) -> None:
    codec = sharing()
    assert codec.again(data) is None and not codec.started


@pytest.mark.parametrize("method", [b"HEAD", b"CONNECT"])
def test_it_answers_no_other_kind_of_request(method: bytes) -> None:
    codec = sharing()
    codec.send_head(RequestHead(method, b"/", GET.headers))
    assert codec.again(ALIKE) is None
    assert sharing(ALIKE[:-2], b"HEAD").shared is None


def test_it_is_not_taken_behind_something_else() -> None:
    codec = sharing()
    codec.receive(ALIKE[:9])
    assert codec.again(ALIKE) is None
    codec.receive(ALIKE[9:-1])
    assert isinstance(codec.next_event(), ResponseHead) and codec.again(ALIKE) is None


def test_a_request_that_many_share_is_written_once() -> None:
    codec = ClientCodec()
    shared = SharedRequest.of(GET)
    sent = codec.send_head(shared)
    assert sent == codec.send_head(GET) and codec.send_head(shared) is sent
    other = ClientCodec()
    other.send_head(SharedRequest.of(RequestHead(b"HEAD", b"/", GET.headers)))
    other.receive(ALIKE[:-2])
    assert isinstance(other.next_event(), ResponseHead) and other.next_event() is END
