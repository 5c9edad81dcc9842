"""The demonstration: what it starts, and what it says of it."""

import re

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.testing import StringTransport

from tests.runtime.listening import GET, ListeningReactor
from txproxy.cli.demo import _start
from txproxy.forward.proxy_factory import ForwardProxyFactory
from txproxy.reverse.mode import ReverseProxyFactory


@pytest.fixture
def started(capsys):
    """Starts it; gives its reactor, its proxies and what it has said."""
    all_factories = []

    def start(taken=()):
        reactor, factories = ListeningReactor(taken), []
        done = []
        ensureDeferred(_start(reactor, factories)).addCallback(done.append)
        assert done == [None]
        all_factories.extend(factories)
        return reactor, factories, capsys.readouterr().out

    yield start
    for factory in all_factories:
        factory.stop()


def test_three_upstreams_and_two_proxies_listen_where_it_says(started):
    reactor, (reverse, forward), said = started()
    assert isinstance(reverse, ReverseProxyFactory) and isinstance(forward, ForwardProxyFactory)
    assert re.search(r"^Reverse proxy: +http://127\.0\.0\.1:8080$", said, re.M)
    assert re.search(r"^Forward proxy: +http://127\.0\.0\.1:3128$", said, re.M)
    upstreams = [int(number) for number in re.findall(r":(\d+)", said.splitlines()[0])]
    assert [*upstreams, 8080, 3128] == list(reactor.ports)
    clients = [reactor.connect(8080) for _ in range(3)]
    for client in clients:
        client.send(GET)
    assert sorted(dialled[:2] for dialled in reactor.tcpClients) == [("127.0.0.1", number) for number in upstreams]
    refused = reactor.connect(3128)
    refused.send(b"GET http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n")
    assert refused.received.startswith(b"HTTP/1.1 403 ")


def test_ports_that_are_taken_are_replaced_by_free_ones(started):
    reactor, _, said = started(taken=(8080, 3128))
    reverse, forward = list(reactor.ports)[3:]
    assert f"Reverse proxy:    http://127.0.0.1:{reverse}\n" in said
    assert f"  curl -x http://127.0.0.1:{forward} http://127.0.0.1:{next(iter(reactor.ports))}/\n" in said


def test_where_nobody_can_listen_it_ends():
    class Full(ListeningReactor):
        """Three upstreams fit, and no more."""

        def listenTCP(self, port, factory, backlog=50, interface=""):
            self.taken = (port,) if len(self.ports) >= 3 else ()
            return super().listenTCP(port, factory, backlog, interface)

    failed = []
    ensureDeferred(_start(Full(), [])).addErrback(failed.append)
    assert failed[0].check(SystemExit) and failed[0].value.code == 1


def test_an_upstream_says_its_name_and_what_it_was_told(started):
    reactor, _, _ = started()
    said = []
    for number in list(reactor.ports)[:3]:
        protocol = reactor.ports[number].factory.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(b"GET /a?b HTTP/1.0\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
        said.append(transport.value().partition(b"\r\n\r\n")[2])
        assert transport.disconnecting
    assert said == [
        f"Hello from upstream {name}. You are 192.0.2.1, and asked for /a?b.\n".encode()
        for name in ("one", "two", "three")
    ]
