"""One request on a connection of its own."""

import pytest
from hpack import Encoder

from tests.wire.http2.taken_apart import frame, taken_apart
from txproxy.errors import ResponseError, ResponseIncomplete
from txproxy.wire.headers import Headers
from txproxy.wire.http2 import frames
from txproxy.wire.http2.single_request import SingleRequest
from txproxy.wire.message import END, RequestHead

HEAD = RequestHead(b"GET", b"/health", Headers([(b"Host", b"a")]), b"a")


def answer(status, ended):
    return frames.headers(1, Encoder().encode([(":status", str(status))]), ended, 16384)


@pytest.fixture
def request_():
    made = SingleRequest(b"http")
    data = made.send_head(HEAD)
    assert data.startswith(frames.PREFACE)
    assert taken_apart(data[len(frames.PREFACE) :])[-1][:3] == ("HEADERS", 5, 1)
    return made


def test_it_is_answered(request_):
    request_.receive(frames.settings([]))
    assert request_.take_output() == frames.SETTINGS_ACK and not request_.started and request_.next_event() is None
    request_.receive(answer(200, ended=False) + frame(0, 0, 1, b"ok") + frame(0, 1, 1))
    assert request_.next_event().status == 200 and request_.started
    assert request_.next_event() == b"ok" and request_.next_event() is END and request_.next_event() is None


@pytest.mark.parametrize(
    "data", [frames.rst_stream(1, 2), frame(0, 0, 1, b"x"), frame(0, 0, 3, b"x"), b"HTTP/1.1 200 OK"]
)
def test_it_is_not(request_, data):
    request_.receive(data)
    with pytest.raises(ResponseError):
        request_.next_event()


def test_an_end_is_none_of_a_response(request_):
    with pytest.raises(ResponseIncomplete):
        request_.receive_eof()
