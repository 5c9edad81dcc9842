"""The body of a request that passes filters."""

import pytest

from tests.proxy.exchanges.filtering import CHUNKED_PUT, OK, PUT, Upper, head_and_body
from txproxy.errors import ConnectionRefused
from txproxy.interfaces import Refusal, RequestFilter


@pytest.mark.parametrize("put", [PUT + b"hello", CHUNKED_PUT + b"5\r\nhello\r\n0\r\n\r\n"])
def test_a_body_that_changes_goes_to_the_upstream_in_chunks(filtered, put):
    filtered.mode.requests = [Upper()]
    filtered.exchange(put, OK)
    lines, body = head_and_body(filtered.upstream.received)
    assert body == b"5\r\nHELLO\r\n1\r\n!\r\n0\r\n\r\n"
    assert b"Transfer-Encoding: chunked" in lines and not any(line.startswith(b"Content-Length") for line in lines)


def test_who_only_looks_at_it_leaves_its_length(filtered):
    class Looks(RequestFilter):
        keeps_length = True

    filtered.mode.requests = [Looks()]
    filtered.exchange(PUT + b"hello", OK)
    assert filtered.upstream.received.endswith(b"Content-Length: 5\r\n\r\nhello")


@pytest.mark.parametrize("last", [b"2\r\nno\r\n", b"0\r\n\r\n"])
def test_it_may_refuse_the_request_in_the_middle(filtered, finished, last):
    class Ends(Upper):
        def end(self):
            return Refusal(422, "http_request_denied", "not that")

    one = Ends()
    filtered.mode.requests = [one]
    client = filtered.connect()
    client.send(CHUNKED_PUT + b"5\r\nhello\r\n")
    client.send(last)
    assert client.received.startswith(b"HTTP/1.1 422 ") and filtered.upstream.reset
    assert finished[0].outcome == "http_request_denied" and one.ends == 1


def test_one_that_fails_is_a_500(filtered, failures):
    class Fails(RequestFilter):
        def body(self, data):
            raise ZeroDivisionError

    filtered.mode.requests = [Fails()]
    client = filtered.connect()
    client.send(PUT + b"hello")
    assert client.received.startswith(b"HTTP/1.1 500 ") and filtered.upstream.reset
    assert failures == [ZeroDivisionError]


def test_each_byte_passes_once_whatever_is_tried(filtered):
    one = Upper()
    filtered.mode.requests = [one]
    filtered.mode.next_attempt = lambda plan, fault: plan.attempt
    filtered.network.script = [ConnectionRefused("no"), ConnectionRefused("no")]
    client = filtered.connect()
    client.send(PUT + b"hello")
    assert len(filtered.network.dialed) == 3
    assert filtered.upstream.received.endswith(b"\r\n\r\n5\r\nHELLO\r\n1\r\n!\r\n0\r\n\r\n")
    filtered.upstream.send(OK)
    assert client.received == OK and one.ends == 1


@pytest.mark.parametrize("last", [b"2\r\nno\r\n", b"0\r\n\r\n"])
@pytest.mark.parametrize("framing", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
def test_one_that_refuses_when_the_response_has_begun_cuts_it(filtered, finished, last, framing):
    class Ends(Upper):
        def end(self):
            return Refusal(422, "http_request_denied", "not that")

    filtered.mode.requests = [Ends()]
    client = filtered.connect()
    client.send(CHUNKED_PUT + b"5\r\nhello\r\n")
    filtered.upstream.send(b"HTTP/1.1 200 OK\r\nDate: D\r\n" + framing + b"\r\n\r\n")
    begun = client.received
    assert begun.startswith(b"HTTP/1.1 200 ")
    client.send(last)
    filtered.advance(0)
    assert client.received == begun and client.closed and filtered.upstream.reset
    assert finished[0].outcome == "http_request_denied" and finished[0].status == 200
