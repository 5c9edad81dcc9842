"""Who may use a forward proxy, and to which ports, where nobody says: as the contract has it."""

import pytest

from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.forward.access.client_access import CONNECT_PORTS, LOOPBACK_CLIENTS, REQUEST_PORTS
from txproxy.testing import ProxyInMemory


@pytest.fixture
def proxy():
    made = ProxyInMemory(lambda reactor: ForwardProxyFactory(ForwardPolicy(), reactor=reactor))
    yield made
    made.close()


def status(proxy, request, client="127.0.0.1"):
    made = proxy.connect(client)
    made.send(request)
    return made.received[9:12]


def test_it_is_what_the_contract_says():
    assert LOOPBACK_CLIENTS == ("127.0.0.0/8", "::1")
    assert REQUEST_PORTS == ("80", "443", "1024-65535") and CONNECT_PORTS == ("443",)


@pytest.mark.parametrize(
    ("client", "allowed"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False), ("::2", False)],
)
def test_clients_of_the_machine_itself_may_use_it(proxy, client, allowed):
    got = status(proxy, b"GET http://a.example:22/ HTTP/1.1\r\nHost: a.example:22\r\n\r\n", client)
    assert got == b"403"
    asked = status(proxy, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", client)
    assert asked == (b"200" if allowed else b"403")


@pytest.mark.parametrize("port", [22, 79, 81, 442, 444, 1023])
def test_other_ports_may_not_be_asked(proxy, port):
    assert status(proxy, b"GET http://a.example:%d/ HTTP/1.1\r\nHost: a\r\n\r\n" % port) == b"403"
    assert status(proxy, b"CONNECT a.example:%d HTTP/1.1\r\nHost: a\r\n\r\n" % port) == b"403"


@pytest.mark.parametrize("port", [80, 1024, 65535])
def test_tunnels_lead_to_443_alone(proxy, port):
    assert status(proxy, b"CONNECT a.example:%d HTTP/1.1\r\nHost: a\r\n\r\n" % port) == b"403"
