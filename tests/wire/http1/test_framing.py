from __future__ import annotations

import pytest

from txproxy.errors import RequestError, ResponseError
from txproxy.wire.headers import Headers, normal_lines
from txproxy.wire.http1 import framing
from txproxy.wire.message import CHUNKED, UNTIL_CLOSE

BAD_LENGTHS = ["5,", "+5", "-5", "0x5", "5.0", "4 2", "", "five", "9" * 19, '"5"', "5;a", "1_0"]
BAD_CODINGS = [
    "gzip",
    "identity",
    "chunked, gzip",
    "chunked, chunked",
    "xchunked",
    "chunked;a=b",
    "",
    ",",
    ", chunked",
    "chunked,",
]


def headers(*lines: str) -> Headers:
    return Headers.from_lines(normal_lines("\r\n".join(lines).encode("latin-1")))


def test_a_request_without_either_field_has_no_body() -> None:
    assert framing.request_body(1, headers("Host: a")) == 0


@pytest.mark.parametrize("length", [0, 1, 10**17])
def test_a_length_is_that_of_the_body(length: int) -> None:
    assert framing.request_body(1, headers(f"Content-Length: {length}")) == length
    assert framing.request_body(0, headers(f"Content-Length: {length}")) == length
    assert framing.response_body(1, 200, headers(f"Content-Length: {length}"), b"GET") == length


@pytest.mark.parametrize("coding", ["chunked", "Chunked", "CHUNKED"])
def test_chunked_is_chunked(coding: str) -> None:
    assert framing.request_body(1, headers(f"Transfer-Encoding: {coding}")) == CHUNKED
    assert framing.response_body(1, 200, headers(f"Transfer-Encoding: {coding}"), b"GET") == CHUNKED


@pytest.mark.parametrize("length", ["5, 5", *BAD_LENGTHS])
def test_a_length_of_a_request_that_is_not_one_number_is_refused(length: str) -> None:
    with pytest.raises(RequestError, match="Content-Length is not one number") as refused:
        framing.request_body(1, headers(f"Content-Length: {length}"))
    assert refused.value.status == 400


@pytest.mark.parametrize("length", BAD_LENGTHS)
def test_a_length_of_a_response_that_is_not_one_number_is_refused(length: str) -> None:
    for method, status in ((b"GET", 200), (b"HEAD", 200), (b"GET", 304), (b"GET", 204), (b"GET", 100)):
        with pytest.raises(ResponseError, match="Content-Length is not one number"):
            framing.response_body(1, status, headers(f"Content-Length: {length}"), method)


@pytest.mark.parametrize("second", ["5", "6", ""])
def test_a_second_length_is_refused(second: str) -> None:
    twice = headers("Content-Length: 5", f"content-length: {second}")
    with pytest.raises(RequestError):
        framing.request_body(1, twice)
    if second != "5":
        with pytest.raises(ResponseError):
            framing.response_body(1, 200, twice, b"GET")


@pytest.mark.parametrize("lengths", [["5", "5"], ["5, 5"], ["5 ,5", "5"], ["05", "05"]])
def test_the_same_length_twice_in_a_response_is_one_and_goes_on_as_one(lengths: list[str]) -> None:
    # RFC 9110 section 8.6
    fields = headers(
        "A: 1", f"content-Length: {lengths[0]}", "B: 2", *(f"Content-Length: {one}" for one in lengths[1:])
    )
    assert framing.response_body(1, 200, fields, b"GET") == 5
    assert fields.lines == [b"A: 1", b"content-Length: 5", b"B: 2"]
    assert fields.index[b"content-length"] == b"5"


@pytest.mark.parametrize(("length", "plain"), [("010", 10), ("00", 0), ("0" * 17 + "1", 1)])
def test_needless_zeros_do_not_go_on(length: str, plain: int) -> None:
    for minor in (0, 1):
        asked, answered = headers(f"Content-Length: {length}"), headers(f"Content-Length: {length}")
        assert framing.request_body(minor, asked) == plain
        assert framing.response_body(minor, 200, answered, b"GET") == plain
        assert asked.lines == answered.lines == [b"Content-Length: %d" % plain]


@pytest.mark.parametrize("coding", BAD_CODINGS)
def test_anything_but_one_final_chunked_is_refused(coding: str) -> None:
    with pytest.raises(RequestError, match="not one final chunked") as refused:
        framing.request_body(1, headers(f"Transfer-Encoding: {coding}"))
    assert refused.value.status == 400
    with pytest.raises(ResponseError, match="not one final chunked"):
        framing.response_body(1, 200, headers(f"Transfer-Encoding: {coding}"), b"GET")


@pytest.mark.parametrize("lines", [["gzip, chunked"], ["gzip", "chunked"], ["deflate,gzip , chunked"]])
def test_a_coding_before_a_final_chunked_is_not_implemented(lines: list[str]) -> None:
    with pytest.raises(RequestError) as refused:
        framing.request_body(1, headers(*[f"Transfer-Encoding: {line}" for line in lines]))
    assert refused.value.status == 501


@pytest.mark.parametrize("coding", ["chunked", "identity", "gzip, chunked"])
def test_both_fields_are_refused_whatever_they_say(coding: str) -> None:
    both = headers("Content-Length: 0", f"Transfer-Encoding: {coding}")
    with pytest.raises(RequestError, match="both") as refused:
        framing.request_body(1, both)
    assert refused.value.status == 400
    with pytest.raises(ResponseError, match="both"):
        framing.response_body(1, 200, both, b"GET")


def test_a_coding_in_http_1_0_is_refused() -> None:
    with pytest.raises(RequestError, match=r"HTTP/1\.0"):
        framing.request_body(0, headers("Transfer-Encoding: chunked"))
    with pytest.raises(ResponseError, match=r"HTTP/1\.0"):
        framing.response_body(0, 200, headers("Transfer-Encoding: chunked"), b"GET")


def test_a_response_without_either_field_lasts_until_close() -> None:
    assert framing.response_body(1, 200, headers(), b"GET") == UNTIL_CLOSE
    assert framing.response_body(0, 500, headers(), b"POST") == UNTIL_CLOSE


@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked", "A: b"])
@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"HEAD", 404), (b"GET", 304), (b"HEAD", 304)])
def test_a_response_to_head_and_a_304_have_no_body_whatever_the_fields_say(
    method: bytes, status: int, field: str
) -> None:
    assert framing.response_body(1, status, headers(field), method) == 0


@pytest.mark.parametrize("status", [100, 101, 103, 204])
def test_a_1xx_and_a_204_have_no_body(status: int) -> None:
    assert framing.response_body(1, status, headers(), b"GET") == 0
    assert framing.response_body(1, status, headers("Content-Length: 0"), b"GET") == 0


@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("status", [100, 103])
def test_a_1xx_that_announces_a_body_is_refused(status: int, field: str) -> None:
    for method in (b"GET", b"HEAD"):
        with pytest.raises(ResponseError, match="a body announced"):
            framing.response_body(1, status, headers(field), method)


@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_a_204_that_announces_a_body_has_none(field: str) -> None:
    for method in (b"GET", b"HEAD"):
        assert framing.response_body(1, 204, headers(field), method) == framing.ANNOUNCED


def test_the_fields_of_a_success_to_connect_are_ignored() -> None:
    # RFC 9110 section 9.3.6
    for fields in (
        ["Content-Length: 5"],
        ["Transfer-Encoding: x"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
    ):
        assert framing.response_body(1, 200, headers(*fields), b"CONNECT") == 0
    assert framing.response_body(1, 407, headers("Content-Length: 5"), b"CONNECT") == 5


@pytest.mark.parametrize(
    ("minor", "connection", "keep"),
    [
        (1, None, True),
        (0, None, False),
        (1, "close", False),
        (1, "Close", False),
        (1, "TE, close", False),
        (1, "keep-alive", True),
        (0, "keep-alive", True),
        (0, "Keep-Alive, TE", True),
        (0, "upgrade", False),
        (1, "upgrade", True),
        (0, "keep-alive, close", False),
        (1, "closed", True),
    ],
)
def test_a_connection_is_kept_as_its_sender_means(minor: int, connection: str | None, keep: bool) -> None:
    lines = [] if connection is None else [f"Connection: {connection}"]
    assert framing.keep_alive(minor, headers(*lines)) is keep


def test_each_line_of_connection_counts() -> None:
    assert not framing.keep_alive(1, headers("Connection: keep-alive", "Connection: close"))
