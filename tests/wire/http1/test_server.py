"""The server's role: reading requests, writing responses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.http1.codecs import GET, NO_FIELDS, POST, after_request, head_of, server
from txproxy.errors import RequestError
from txproxy.wire.headers import Headers
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.message import CHUNKED, END, UNTIL_CLOSE, ResponseHead, SharedHead
from txproxy.wire.size_limits import WireLimits

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


HEAD_PARTS = st.lists(
    st.sampled_from([
        b"GET / HTTP/1.1", b"\r\n", b"\r\n", b"\r", b"\n", b"A", b": b", b"Host: a", b"\x00", b"x" * 40,
        b"\r\n\r\n", b"PUT", b"\r\nHost: a\r\n",
    ]),
    max_size=12,
)  # fmt: skip


@given(HEAD_PARTS, st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n"]))
def test_a_head_that_goes_on_is_the_same_however_it_is_taken(parts: list[bytes], begin: bytes) -> None:
    limits = WireLimits(max_head=100, max_target=30)
    short, long = ServerCodec(limits), ServerCodec(limits)
    for part in (begin, *parts):
        found = []
        for codec in (short, long):
            if codec is short and codec.goes_on(part):
                found.append("None")
                continue
            codec.receive(part)
            try:
                found.append(repr(codec.next_event()))
            except RequestError as fault:
                found.append(f"{fault.status} {fault.detail}")
        assert found[0] == found[1], part
        assert (short.buffered, short.started, short._checked) == (long.buffered, long.started, long._checked)
        if found[0] != "None":
            break


def test_only_what_goes_on_with_a_head_is_taken_so() -> None:
    codec = server(b"GET / HT")
    assert not codec.goes_on(b"T")  # nothing was looked at yet
    assert codec.next_event() is None and not codec.goes_on(b"TP/1.1\r\n")
    codec.receive(b"TP/1.1\r\n")
    assert codec.next_event() is None
    for part in (b"Host: a\r\n", b"A", b": b", b"\r"):
        assert codec.goes_on(part)
    for part in (b"\n\r\n", b"x", b"\n" * 2, b"\n" + b"x" * 10**6):
        assert not codec.goes_on(part), part
    codec.receive(b"\n\r\n")
    assert head_of(codec).headers.get(b"a") == b"b" and not codec.goes_on(b"x")


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


# -- writing responses


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


def test_an_informational_response_is_not_the_end() -> None:
    codec = after_request(GET)
    assert codec.send_head(ResponseHead(103, Headers([(b"Link", b"x")]), reason=b"Early Hints"), True) == (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    )
    assert not codec.sends_body


@pytest.mark.parametrize("pieces", [[b"Host:"], [b"H", b"ost:"], [b"Ho", b"st", b":"], [b"GET /", b"\x01"]])
def test_what_can_be_no_request_line_is_refused_at_once_in_any_pieces(pieces: list[bytes]) -> None:
    codec = ServerCodec()
    with pytest.raises(RequestError, match="malformed request line"):
        for piece in pieces:
            codec.receive(piece)
            codec.next_event()


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


@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("request_", [GET, GET.replace(b"1.1", b"1.0"), GET.replace(b"GET", b"HEAD")])
def test_a_head_that_many_responses_share_is_written_as_that_of_each(request_: bytes, close: bool) -> None:
    shared = SharedHead(200, Headers([(b"Content-Length", b"2")]), b"OK", 2)
    for before in (False, True):
        if before:
            written = after_request(GET).send_whole(shared, b"ok", False)
            assert written == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        codec, other = after_request(request_), after_request(request_)
        assert codec.send_whole(shared, b"ok", close) == other.send_whole(shared.alone(), b"ok", close)
        assert not codec.sends_body and not other.sends_body
