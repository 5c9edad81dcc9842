"""Responses that may not pass, or turn out longer than may."""

import pytest

from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.forward import ContentRules
from txproxy.testing import ProxyInMemory

GET = b"GET http://10.0.0.1/x HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n"


@pytest.fixture
def finished():
    return []


@pytest.fixture
def proxy(finished):
    policy = ForwardPolicy(allow_destinations=["10.0.0.0/8"], content=ContentRules(max_size=10, deny_types=["video/*"]))
    made = ProxyInMemory(lambda reactor: ForwardProxyFactory(policy, observers=(finished.append,), reactor=reactor))
    yield made
    made.close()


@pytest.mark.parametrize(
    "framing", [b"Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n", b"Connection: close\r\n\r\nhello world"]
)
def test_a_body_that_turns_out_too_long_is_cut(proxy, finished, framing):
    client, upstream = proxy.exchange(GET, b"HTTP/1.1 200 OK\r\nDate: D\r\n" + framing)
    proxy.advance(0)
    assert b"hello world" not in client.received
    assert client.closed and upstream.closed
    assert finished[0].outcome == "http_response_body_size"


def test_a_body_of_just_the_size_passes(proxy, finished):
    body = b"a\r\n0123456789\r\n0\r\n\r\n"
    client, _ = proxy.exchange(GET, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert client.received.endswith(b"0\r\n\r\n")
    assert finished[0].outcome == "ok"


@pytest.mark.parametrize("head", [b"Content-Length: 11", b"Content-Type: video/mp4\r\nContent-Length: 2"])
def test_what_its_head_says_is_refused_before_any_of_it_passes(proxy, finished, head):
    client, _ = proxy.exchange(GET, b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\nab")
    assert client.received.startswith(b"HTTP/1.1 403 ") and finished[0].context.verdict.rule == "content"
