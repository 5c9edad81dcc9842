"""What of the head of a response is for the client."""

import pytest

from txproxy.proxy.exchanges.responses.response_head import informational, onward_fields, switching
from txproxy.wire.headers import Headers
from txproxy.wire.message import ResponseHead

HOP = [b"Connection: x-hop", b"X-Hop: 1", b"Keep-Alive: timeout=5", b"Transfer-Encoding: chunked"]


def date():
    return b"now"


def onward(lines, status=200):
    return onward_fields(Headers.parsed(lines), status, date).lines


def test_what_is_for_one_hop_goes_and_the_rest_stays_as_it_came():
    assert onward([b"X-A: 1", *HOP, b"date: D", b"x-a: 2"]) == [b"X-A: 1", b"date: D", b"x-a: 2"]


def test_a_date_that_is_missing_is_added():
    assert onward([b"X-A: 1"]) == [b"X-A: 1", b"Date: now"]


def test_no_length_stands_in_a_204():
    assert onward([b"Content-Length: 0", b"Date: D"], 204) == [b"Date: D"]
    assert onward([b"Content-Length: 0", b"Date: D"]) == [b"Content-Length: 0", b"Date: D"]


def test_fields_that_are_the_same_again_are_remembered_unless_they_hang_on_status_or_time():
    headers = Headers.parsed([b"X-A: 1", b"Date: D"])
    assert onward_fields(headers, 200, date) is headers.onward
    for lines, status in (([b"X-A: 1"], 200), ([b"Date: D"], 204)):
        headers = Headers.parsed(lines)
        onward_fields(headers, status, date)
        assert headers.onward is None


@pytest.mark.parametrize("name", [b"Location", b"Set-Cookie", b"Content-Location", b"Refresh"])
def test_it_is_noted_whether_a_server_may_speak_of_its_own_address(name):
    headers = Headers.parsed([name + b": /", b"Date: D"])
    onward_fields(headers, 200, date)
    assert headers.names_server
    headers = Headers.parsed([b"X-A: /", b"Date: D"])
    onward_fields(headers, 200, date)
    assert not headers.names_server


@pytest.mark.parametrize("kind", [Headers.parsed, Headers.from_lines])
def test_it_is_known_whether_a_cache_has_spoken(kind):
    for lines, told in (([b"cache-STATUS: a; hit", b"Date: D"], True), ([b"X-A: cache-status: a", b"Date: D"], False)):
        headers = kind(lines)
        assert onward_fields(headers, 200, date).tells_of_caches is headers.tells_of_caches is told


def test_one_before_the_final_response_has_no_length_and_no_date_of_ours():
    given = ResponseHead(103, Headers.parsed([b"Link: </a>", b"Content-Length: 3", *HOP]), reason=b"Early Hints")
    made = informational(given)
    assert (made.status, made.reason, made.headers.lines) == (103, b"Early Hints", [b"Link: </a>"])


def test_a_change_of_protocols_is_said_for_this_hop():
    made = switching(ResponseHead(101, Headers.from_lines([b"X-A: 1"])), b"websocket", (b"Set-Cookie: a=b",))
    assert made.headers.lines == [b"X-A: 1", b"Set-Cookie: a=b", b"Connection: upgrade", b"Upgrade: websocket"]
