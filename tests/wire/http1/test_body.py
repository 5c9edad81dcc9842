"""The bytes received, and bodies, read and written."""

from __future__ import annotations

import pytest

from tests.wire.http1.codecs import CHUNKED_POST, GET, NO_FIELDS, POST, after_request, head_of, server
from tests.wire.http1.corpus import Reading, single_bytes
from txproxy.errors import RequestError
from txproxy.wire.headers import Headers
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.message import CHUNKED, END, UNTIL_CLOSE, EndOfMessage, ResponseHead


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


@pytest.mark.no_cover
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


@pytest.mark.parametrize("framed", [CHUNKED, 5, UNTIL_CLOSE])
@pytest.mark.parametrize(
    "fields", [NO_FIELDS, Headers([(b"A", b"b")]), None], ids=["ended", "with trailers", "to come"]
)
def test_a_body_may_be_had_back_as_it_was_before_it_was_framed(framed: int, fields: Headers | None) -> None:
    codec = server(GET)
    codec.next_event()
    codec.send_head(ResponseHead(200, Headers(), body=framed), close=False)
    pieces = [codec.send_data(part) for part in (b"he", b"", b"\r\n", b"l")]
    if fields is not None:
        pieces.append(codec.send_end(fields))
    assert codec.unframed(pieces, ended=fields is not None) == [b"he", b"\r\n", b"l"]
