"""Which clients are let in, how many at once, and who waits."""

import pytest
from twisted.internet import tcp
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from txproxy import (
    ForwardPolicy,
    ForwardProxyFactory,
    Limits,
    Pool,
    ReverseProxyFactory,
    ReverseProxyResource,
    StreamFactory,
)
from txproxy.errors import ConfigError
from txproxy.interfaces import Answer, Refusal
from txproxy.matching.networks import PeerNetworks
from txproxy.proxy.downstream.admission import Admission
from txproxy.proxy.downstream.proxy_header import ProxyProtocolFactory
from txproxy.proxy.downstream.serving import ServedBy
from txproxy.testing import MemoryConnection, ProxyInMemory


class Port(tcp.Port):
    """A port that listens, as far as it is stopped and started."""

    connected, disconnecting = True, False

    def __init__(self):
        self.reads = True

    def stopReading(self):
        self.reads = False

    def startReading(self):
        self.reads = True


class Guest:
    """A client connection that a port has accepted, unless there is none."""

    def __init__(self, port=None, goes=True):
        self.transport = tcp.Server.__new__(tcp.Server) if port is not None else None
        if port is not None:
            self.transport.server = port
        self.goes = goes
        self.told = []

    def admitted(self):
        self.told.append("admitted")

    def drain(self):
        self.told.append("drain")

    def retire(self):
        self.told.append("retire")
        return self.goes


@pytest.fixture
def admission():
    return Admission(2)


def test_who_is_over_the_limit_waits_in_the_order_of_coming(admission):
    guests = [Guest() for _ in range(5)]
    assert [admission.admit(guest) for guest in guests] == [True, True, False, False, False]
    assert len(admission) == 2 and admission.everyone() == [*admission.everyone()[:2], *guests[2:]]
    admission.left(guests[0])
    admission.left(guests[3])
    admission.left(guests[1])
    assert [guest.told for guest in guests] == [[], [], ["admitted"], [], ["admitted"]]
    assert len(admission) == 2


def test_a_port_is_not_read_while_somebody_waits_and_is_again_when_there_is_room(admission):
    port = Port()
    guests = [Guest(port) for _ in range(3)]
    for guest in guests:
        admission.admit(guest)
    assert not port.reads
    admission.left(guests[0])
    assert guests[2].told == ["admitted"] and not port.reads
    admission.left(guests[1])
    assert port.reads


def test_a_port_that_has_closed_meanwhile_is_left_alone(admission):
    port = Port()
    guests = [Guest(port) for _ in range(3)]
    for guest in guests:
        admission.admit(guest)
    port.disconnecting = True
    for guest in guests:
        admission.left(guest)
    assert not port.reads and not len(admission)


def test_who_goes_on_with_a_connection_has_its_place(admission):
    first, second, other = Guest(), Guest(), Guest()
    admission.admit(first)
    admission.admit(second)
    admission.give_place(first, other)
    assert not admission.admit(Guest()) and admission.admit(other) and len(admission) == 2
    admission.give_place(Guest(), Guest())
    assert len(admission) == 2


def test_those_taken_over_count_though_there_is_no_room(admission):
    guests = [Guest() for _ in range(3)]
    for guest in guests:
        admission.take_over(guest)
    late = Guest()
    assert len(admission) == 3 and not admission.admit(late)
    admission.left(guests[0])
    assert late.told == []
    admission.left(guests[1])
    assert late.told == ["admitted"]


def test_a_drain_asks_each_and_ends_with_the_last(admission):
    guests = [Guest() for _ in range(3)]
    for guest in guests:
        admission.admit(guest)
    gone = admission.drain()
    assert all("drain" in guest.told for guest in guests) and not gone.called
    for guest in guests:
        admission.left(guest)
    assert gone.called


def test_who_is_on_the_way_to_another_process_may_be_back_before_a_drain_is_over(admission):
    guest = Guest()
    admission.admit(guest)
    gone = admission.drain()
    admission.send_away(guest)
    assert len(admission) == 0 and not gone.called and not admission.drain().called
    admission.take_over(guest)
    admission.arrived()
    assert len(admission) == 1 and not gone.called
    admission.send_away(guest)
    admission.arrived()
    assert gone.called


def test_where_nobody_is_a_drain_is_over_at_once(admission):
    assert admission.drain().called and admission.retire().called


def test_who_waits_when_another_serves_goes_there_or_is_let_in(admission):
    goes, stays = Guest(), Guest(goes=False)
    inside = [Guest(goes=False), Guest(goes=False)]
    for guest in (*inside, goes, stays):
        admission.admit(guest)
    gone = admission.retire()
    assert goes.told == ["retire"] and stays.told == ["retire"] and not gone.called
    admission.left(inside[0])
    assert stays.told == ["retire", "admitted"] and goes.told == ["retire"]
    admission.left(inside[1])
    admission.left(stays)
    assert gone.called


# -- who is let in


class NotFrom:
    """Lets in who is not at ``address``, and notes what it is told."""

    def __init__(self, *addresses):
        self.addresses = addresses
        self.asked = []
        self.left = []

    def admit(self, connection):
        self.asked.append(connection)
        return connection.peer_ip not in self.addresses

    def closed(self, connection):
        self.left.append(connection)

    @property
    def ips(self):
        return [one.peer_ip for one in self.asked], [one.peer_ip for one in self.left]


GET = b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"
SOCKS = b"\x05\x01\x00"


def reverse(**words):
    return ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), **words)


def http(**words):
    return ForwardProxyFactory(ForwardPolicy(), protocols=["http"], **words)


def socks5(**words):
    return ForwardProxyFactory(ForwardPolicy(), protocols=["socks5"], **words)


def negotiated(**words):
    return ForwardProxyFactory(ForwardPolicy(allow_clients=["0.0.0.0/0"]), **words)


def tcp_mode(**words):
    return StreamFactory(Pool(["http://10.0.0.1:80"]), **words)


@pytest.fixture
def make(closing):
    return lambda build, **words: closing(ProxyInMemory(lambda reactor: build(reactor=reactor, **words)))


@pytest.mark.parametrize("mode", [reverse, http, socks5, negotiated, tcp_mode])
def test_who_is_not_admitted_is_closed_and_nobody_else_hears_of_it(make, mode):
    told, gate = [], NotFrom("192.0.2.1")
    proxy = make(mode, middleware=[gate], observers=(told.append,))
    refused = proxy.connect("192.0.2.1")
    proxy.clock.advance(0)
    assert refused.closed and refused.reset and refused.received == b""
    assert len(proxy.factory.admission) == 0 and not proxy.network.dialed
    assert told == [] and gate.ips == (["192.0.2.1"], [])


@pytest.mark.parametrize(
    ("mode", "said"),
    [(reverse, GET), (http, GET), (socks5, SOCKS), (negotiated, SOCKS), (negotiated, GET), (tcp_mode, b"x")],
)
def test_one_that_was_admitted_is_told_of_once_when_it_is_gone(make, mode, said):
    gate = NotFrom()
    proxy = make(mode, middleware=[gate])
    client = proxy.connect("127.0.0.1")
    assert gate.ips == (["127.0.0.1"], [])
    assert gate.asked[0].transport is client
    client.send(said)
    assert gate.ips == (["127.0.0.1"], [])
    client.drop()
    proxy.clock.advance(0)
    assert gate.ips == (["127.0.0.1"], ["127.0.0.1"])
    assert gate.left == gate.asked


def test_the_first_that_says_no_is_the_last_that_is_asked(make):
    gates = [NotFrom(), NotFrom("127.0.0.1"), NotFrom()]
    make(reverse, middleware=gates).connect()
    assert [gate.ips for gate in gates] == [(["127.0.0.1"], ["127.0.0.1"]), (["127.0.0.1"], []), ([], [])]


def test_one_object_may_admit_connections_and_handle_requests(make):
    class Both(NotFrom):
        def handle(self, request, context, proceed):
            return Answer(200, body=b"own")

    both = Both("192.0.2.1")
    proxy = make(reverse, middleware=[both])
    client = proxy.connect()
    client.send(GET)
    assert client.received.endswith(b"own")
    refused = proxy.connect("192.0.2.1")
    proxy.clock.advance(0)
    assert refused.closed


def test_a_filter_that_fails_lets_nobody_in(make):
    class Broken(NotFrom):
        def admit(self, connection):
            raise ZeroDivisionError

    with capturedLogs() as events:
        client = make(reverse, middleware=[Broken()]).connect()
    assert client.disconnecting
    assert "a connection filter failed" in map(formatEvent, events)


def test_a_filter_may_have_the_first_request_refused(make):
    class Busy(NotFrom):
        def admit(self, connection):
            connection.refusal = Refusal(503, "", "busy")
            return super().admit(connection)

    gate = Busy()
    client = make(reverse, middleware=[gate]).connect()
    client.send(GET + GET)
    assert client.received.count(b"HTTP/1.1 503 ") == 1 and b"\r\nConnection: close\r\n" in client.received
    stream = make(tcp_mode, middleware=[gate]).connect()
    assert stream.disconnecting


def test_who_waits_for_room_was_admitted_before(make):
    gate = NotFrom("192.0.2.1")
    proxy = make(reverse, middleware=[gate], limits=Limits(max_connections=1))
    first = proxy.connect()
    waiting = proxy.connect("192.0.2.2")
    refused = proxy.connect("192.0.2.1")
    proxy.clock.advance(0)
    assert refused.closed and not waiting.closed
    first.drop()
    waiting.send(GET)
    assert len(proxy.network.dialed) == 1
    assert gate.ips == (["127.0.0.1", "192.0.2.2", "192.0.2.1"], ["127.0.0.1"])


def test_the_address_is_that_of_the_proxy_header(make):
    gate = NotFrom("192.0.2.1")
    proxy = make(reverse, middleware=[gate])
    told = ProxyProtocolFactory(proxy.factory, PeerNetworks(["127.0.0.1"]), reactor=proxy.clock)
    clients = [MemoryConnection(proxy.clock, told.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))) for _ in range(2)]
    proxy.clients += clients
    for client, ip in zip(clients, (b"192.0.2.1", b"192.0.2.2"), strict=True):
        client.send(b"PROXY TCP4 " + ip + b" 198.51.100.2 4711 443\r\n" + GET)
    proxy.clock.advance(0)
    assert [client.closed for client in clients] == [True, False]
    assert len(proxy.network.dialed) == 1
    assert gate.ips == (["192.0.2.1", "192.0.2.2"], [])


def test_connections_go_to_another_factory_if_that_admits_them(make):
    old, new = NotFrom(), NotFrom("192.0.2.1")
    before, after = make(reverse, middleware=[old]), make(reverse, middleware=[new])
    stays, goes = before.connect("192.0.2.1"), before.connect("192.0.2.2")
    for protocol in before.factory.admission.everyone():
        protocol.served_by = ServedBy(after.factory)
    before.factory.retire()
    assert old.ips == (["192.0.2.1", "192.0.2.2"], ["192.0.2.2"])
    assert sorted(new.ips[0]) == ["192.0.2.1", "192.0.2.2"] and new.ips[1] == []
    goes.send(GET)
    assert len(after.network.dialed) == 1
    stays.send(GET)
    before.upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in stays.received
    goes.drop()
    assert new.ips[1] == ["192.0.2.2"]


@pytest.mark.parametrize("mode", [reverse, negotiated, tcp_mode])
def test_what_does_neither_is_no_middleware(mode):
    with pytest.raises(ConfigError, match=r"is no middleware; accepted is an object with handle"):
        mode(middleware=[object()], reactor=Clock())


def test_raw_streams_have_no_requests_to_handle():
    class Handles:
        def handle(self, request, context, proceed):
            raise AssertionError

    with pytest.raises(ConfigError, match="handles requests, and raw streams have none"):
        tcp_mode(middleware=[Handles()], reactor=Clock())


def test_the_connections_of_a_site_are_its_own():
    with pytest.raises(ConfigError, match="connections are the site's"):
        ReverseProxyResource(Pool(["http://10.0.0.1:80"]), middleware=[NotFrom()], reactor=Clock())


def test_a_port_that_reads_again_by_itself_is_stopped_with_the_next_who_has_to_wait(admission):
    port = Port()
    for _ in range(3):
        admission.admit(Guest(port))
    assert not port.reads
    port.startReading()
    admission.admit(Guest(port))
    assert not port.reads
