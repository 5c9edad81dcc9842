"""One endpoint: who gets a client that connects."""

import pytest
from twisted.internet.address import IPv4Address

from tests.runtime.listening import GET, ListeningReactor
from tests.tls.authority import new_ca
from txproxy.errors import ConfigError
from txproxy.forward.mode import ForwardPolicy
from txproxy.forward.proxy_factory import ForwardProxyFactory
from txproxy.matching.networks import PeerNetworks
from txproxy.runtime.entrance import Behind, Entrance
from txproxy.tls.listener_contexts import ListenerTls, ServerTls


@pytest.fixture
def reactor():
    return ListeningReactor(taken=(81,))


class Proxy(ForwardProxyFactory):
    """One that knows whether anybody listens for it."""

    listens = False

    def begin(self):
        self.listens = True
        super().begin()

    def end(self):
        self.listens = False
        super().end()


def refusing(reactor, name):
    """A proxy that refuses, and says who it is."""
    return Proxy(ForwardPolicy(via=name), reactor=reactor)


def test_clients_get_to_who_stands_behind_it(reactor):
    factory = refusing(reactor, "a")
    entrance = Entrance("tcp:80", Behind(factory=factory), reactor)
    entrance.open()
    assert factory.listens
    client = reactor.connect(80)
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 400 ")
    client.drop()
    entrance.close()
    assert not reactor.ports[80].listens and not factory.listens
    factory.stop()
    reactor.advance(1)
    assert reactor.getDelayedCalls() == []


def test_an_address_that_cannot_be_is_told_of(reactor):
    entrance = Entrance("tcp:81", Behind(factory=refusing(reactor, "a")), reactor)
    with pytest.raises(ConfigError) as fault:
        entrance.open()
    assert str(fault.value) == "tcp:81: cannot listen there: Address already in use"


def test_who_connects_after_a_change_gets_to_another_with_the_same_port(reactor):
    before, after = refusing(reactor, "a"), refusing(reactor, "b")
    entrance = Entrance("tcp:80", Behind(factory=before), reactor)
    entrance.open()
    first = reactor.connect(80)
    entrance.lead_to(Behind(factory=after))
    second = reactor.connect(80)
    assert (before.listens, after.listens) == (False, True)
    assert [len(factory.admission.everyone()) for factory in (before, after)] == [1, 1]
    assert list(reactor.ports) == [80] and reactor.ports[80].listens
    for client in (first, second):
        client.drop()
    entrance.close()
    for factory in (before, after):
        factory.stop()


def test_a_header_of_the_proxy_protocol_comes_first_where_it_is_to(reactor):
    factory = refusing(reactor, "a")
    entrance = Entrance("tcp:80", Behind(factory=factory, trusted=PeerNetworks(["127.0.0.1/32"])), reactor)
    entrance.open()
    told, untold = reactor.connect(80), reactor.connect(80)
    told.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + GET)
    assert told.received.startswith(b"HTTP/1.1 4")
    untold.send(GET)
    reactor.advance(0)
    assert untold.received == b""
    assert untold.closed
    entrance.lead_to(Behind(factory=factory, trusted=PeerNetworks(["10.0.0.0/8"])))
    assert reactor.ports[80].factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 60000)) is None
    told.drop()
    entrance.close()
    factory.stop()


def test_what_clients_had_to_show_tells_whether_they_may_stay(reactor, tmp_path):
    ca = new_ca()
    (tmp_path / "ca.pem").write_bytes(ca.cert_pem)
    pair = ca.issue("a.example").write(tmp_path, "a")

    def tls(**more):
        return ServerTls(ListenerTls(certificates=(pair,), **more))

    factory = refusing(reactor, "a")
    plain = Behind(factory=factory)
    asked = Behind(factory=factory, tls=tls(client_ca=str(tmp_path / "ca.pem")))
    told = Behind(factory=factory, trusted=PeerNetworks(["127.0.0.1/32"]))
    encrypted = Behind(factory=factory, tls=tls())
    kinds = [plain, asked, told, encrypted]
    for one in kinds:
        for other in kinds:
            assert one.admits_as(other) is (one is other)
    assert encrypted.admits_as(Behind(factory=factory, tls=tls(min_version="1.3")))
