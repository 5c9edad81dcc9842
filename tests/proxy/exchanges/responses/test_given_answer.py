"""What clients get in place of a response."""

import pytest

from tests.proxy.exchanges.particular import Particular
from txproxy.errors import ConnectionRefused, ConnectTimeout
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


def status(data):
    return int(data.split(b" ", 2)[1])


@pytest.mark.parametrize("how", ["answered", "filter"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_response_that_is_not_for_the_client_is_answered_here(how, whole):
    proxy = ProxyInMemory(lambda reactor: ProxyFactory(Particular(how), reactor=reactor))
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(b"HTTP/1.1 418 Teapot\r\nX: y\r\nContent-Length: 3\r\n\r\n" + (b"tea" if whole else b"t"))
    assert status(client.received) == 403 and b"X: y" not in client.received and b"tea" not in client.received
    assert proxy.upstream.reset is not whole, "the rest is not waited for"
    client.take()
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK
    proxy.close()


def test_without_an_upstream_there_is_a_503(proxy):
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(GET)
    assert status(client.received) == 503
    # the connection goes on
    client.take()
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK


def test_a_connect_timeout_is_a_504(proxy):
    proxy.network.script = [ConnectTimeout("slow")]
    client = proxy.connect()
    client.send(GET)
    assert status(client.received) == 504
    assert b"error=connection_timeout" in client.received


def test_an_upstream_that_does_not_answer_is_a_504(proxy):
    client = proxy.connect()
    client.send(GET)
    proxy.advance(62)
    assert status(client.received) == 504
    assert b"error=http_response_timeout" in client.received
    assert proxy.upstream.reset
