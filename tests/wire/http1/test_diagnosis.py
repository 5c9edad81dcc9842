from __future__ import annotations

import pytest

from txproxy.errors import RequestError
from txproxy.wire.http1 import diagnosis
from txproxy.wire.size_limits import WireLimits

LINE = b"GET / HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\nHost: a\n\n", "bare LF in the head"),
        (LINE + b"A: b\rC: d\r\n\r\n", "bare CR in the head"),
        (LINE + b"A: \0\r\n\r\n", "NUL in the head"),
        (b"GET /\r\n\r\n", "malformed request line"),
        (b"GET / HTTP/1.1 \r\n", "malformed request line"),
        (b"\r\n\r\n", "malformed request line"),
        (LINE + b" A: b\r\n\r\n", "folded field line"),
        (LINE + b"A: b\r\n\tc\r\n\r\n", "folded field line"),
        (LINE + b"A\r\n\r\n", "a field line without a colon"),
        (LINE + b": b\r\n\r\n", "an empty field name"),
        (LINE + b"A : b\r\n\r\n", "white space before the colon"),
        (LINE + b"A\t: b\r\n\r\n", "white space before the colon"),
        (LINE + b"A@: b\r\n\r\n", "a field name that is no token"),
        (LINE + b"\xe9: b\r\n\r\n", "a field name that is no token"),
        (LINE + b"A: \x01\r\n\r\n", "a control character in the value of A"),
        (LINE + b"A: \x7f\r\n\r\n", "a control character in the value of A"),
        (LINE + b"A: b\r\nC: \x01\r\nD : e\r\n\r\n", "a control character in the value of C"),
    ],
)
def test_a_malformed_head_has_a_reason(data: bytes, reason: str) -> None:
    assert diagnosis.of_request(data) == reason


@pytest.mark.parametrize(
    "data", [b"", b"GET", b"GET / HTTP/1.1\r", LINE, LINE + b"A", LINE + b"A: b\r\nC :", LINE + b"A: b\r\n\r\n"]
)
def test_what_may_still_become_a_head_has_none(data: bytes) -> None:
    assert diagnosis.of_request(data) == ""


def test_a_response_has_a_status_line() -> None:
    assert diagnosis.of_response(b"HTTP/1.1 20 OK\r\n\r\n") == "malformed status line"
    assert diagnosis.of_response(b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n") == "a field name that is no token"
    assert diagnosis.of_response(b"HTTP/1.1 200 OK\r\n\r\n") == ""


@pytest.mark.parametrize("after", [b"\0", b"\n", b"\rx", b"A : b\r\n\r\n"])
def test_what_follows_the_head_is_not_its_fault(after: bytes) -> None:
    assert diagnosis.of_request(LINE + b"A@: b\r\n\r\n" + after) == "a field name that is no token"
    assert diagnosis.of_request(LINE + b"A: b\r\n\r\n" + after) == ""


def test_a_long_name_is_cut() -> None:
    assert len(diagnosis.of_field_line(b"A" * 1000 + b": \x01")) < 100


def test_a_reason_never_has_the_value_in_it() -> None:
    assert "secret" not in diagnosis.of_field_line(b"Authorization: secret\x01")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET", None),
        (LINE + b"A: b", None),
        (b"GET /" + b"x" * 8300, 414),
        (b"GET /" + b"x" * 8188 + b" HTTP/1.1\r\n", 414),
        (b"X" * 100 + b" / HTTP/1.1\r\n", None),
        (b"X" * 8300 + b" /", 501),
        (LINE + b"A: " + b"x" * 65536, 431),
        (LINE + b"A: \0", 400),
    ],
)
def test_what_can_become_no_head_within_the_limits_is_refused(data: bytes, status: int | None) -> None:
    try:
        diagnosis.check_incomplete(data, 0, WireLimits(max_target=8184))
    except RequestError as fault:
        assert fault.status == status
    else:
        assert status is None
