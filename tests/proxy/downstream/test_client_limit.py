"""How many connections one client may have."""

import pytest
from twisted.internet.address import UNIXAddress
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from txproxy import ForwardPolicy, ForwardProxyFactory, Limits, Pool, ReverseProxyFactory
from txproxy.components.rates import Rate
from txproxy.interfaces import ClientConnection
from txproxy.proxy.downstream.admission import Admission
from txproxy.proxy.downstream.client_limit import ClientLimit, ConnectionRate
from txproxy.stream.stream_factory import StreamFactory
from txproxy.testing import MemoryConnection, ProxyInMemory

LIMITS = Limits(max_connections_per_client=2, max_connections=6)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def make(closing):
    return lambda build: closing(ProxyInMemory(build))


@pytest.fixture
def finished():
    return []


@pytest.fixture
def proxy(make, finished):
    return make(
        lambda reactor: ReverseProxyFactory(
            Pool(["http://10.0.0.1:80"]), limits=LIMITS, observers=(finished.append,), reactor=reactor
        )
    )


def test_one_connection_too_many_is_answered_and_closed(proxy, finished):
    for _ in range(2):
        proxy.connect("192.0.2.1")
    third = proxy.connect("192.0.2.1")
    assert not third.closed and third.received == b""
    third.send(GET + GET)
    assert third.received.count(b"HTTP/1.1 429 Too Many Requests\r\n") == 1
    assert b"\r\nConnection: close\r\n" in third.received
    assert third.ended
    third.end()
    proxy.clock.advance(0)
    assert third.closed and not third.reset
    assert not proxy.network.dialed
    assert [(one.status, one.detail) for one in finished] == [(429, "the client has too many connections")]


@pytest.mark.parametrize(
    ("prefix", "addresses", "crowded"),
    [
        (64, ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3"], True),
        (64, ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::3"], False),
        (48, ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::3"], True),
        (128, ["2001:db8::1", "2001:db8::2", "2001:db8::3"], False),
        (64, ["::ffff:192.0.2.1", "192.0.2.1", "::ffff:c000:201"], True),
        (64, ["::ffff:192.0.2.1", "::ffff:192.0.2.2", "::ffff:192.0.2.3"], False),
    ],
)
def test_one_client_has_one_bound_from_however_many_addresses(make, prefix, addresses, crowded):
    limits = Limits(max_connections_per_client=2, ipv6_prefix=prefix)
    proxy = make(lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), limits=limits, reactor=reactor))
    clients = [proxy.connect(address) for address in addresses]
    clients[2].send(GET)
    assert clients[2].received.startswith(b"HTTP/1.1 429 ") is crowded
    assert len(proxy.network.dialed) == (not crowded)


def test_the_counts_go_with_the_connections(make):
    limit = ClientLimit(2)
    proxy = make(lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), middleware=[limit], reactor=reactor))
    clients = [proxy.connect(f"2001:db8:0:{number:x}::1") for number in range(1, 200)]
    assert len(limit) == 199
    for client in clients:
        client.drop()
    assert len(limit) == 0


def test_others_are_served(proxy):
    for _ in range(3):
        proxy.connect("192.0.2.1")
    other = proxy.connect("192.0.2.2")
    other.send(GET)
    proxy.upstream.send(OK)
    assert other.received == OK


def test_those_that_were_there_before_go_on(proxy):
    first = proxy.connect("192.0.2.1")
    for _ in range(2):
        proxy.connect("192.0.2.1")
    for _ in range(2):
        first.send(GET)
        proxy.upstream.send(OK)
    assert first.received == OK + OK


def test_one_that_left_makes_room(proxy):
    first = proxy.connect("192.0.2.1")
    proxy.connect("192.0.2.1")
    proxy.connect("192.0.2.1").drop()
    first.drop()
    third = proxy.connect("192.0.2.1")
    third.send(GET)
    proxy.upstream.send(OK)
    assert third.received == OK


def test_who_comes_again_and_again_gets_no_answer(proxy):
    clients = [proxy.connect("192.0.2.1") for _ in range(6)]
    proxy.clock.advance(0)
    assert [client.reset for client in clients] == [False] * 4 + [True] * 2
    clients[3].send(GET)
    assert clients[3].received.startswith(b"HTTP/1.1 429 ")
    # What was turned away leaves no trace in the count, nor in the number of all.
    for client in clients:
        client.drop()
    for _ in range(6):
        client = proxy.connect("192.0.2.2")
    proxy.clock.advance(0)
    assert [client.reset for client in proxy.clients[6:]] == [False] * 4 + [True] * 2


def test_clients_on_a_unix_socket_are_not_told_apart(proxy):
    for _ in range(5):
        client = MemoryConnection(proxy.clock, proxy.factory.buildProtocol(UNIXAddress(b"/run/x.sock")))
        proxy.clients.append(client)
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK


def test_without_a_limit_nothing_is_counted(make):
    proxy = make(lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), reactor=reactor))
    for _ in range(20):
        client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK


def test_socks_clients_are_told_in_their_own_words(make):
    proxy = make(lambda reactor: ForwardProxyFactory(ForwardPolicy(), limits=LIMITS, reactor=reactor))
    for _ in range(2):
        proxy.connect()
    third = proxy.connect()
    third.send(b"\x05\x01\x00")
    third.send(b"\x05\x01\x00\x03\x01a\x01\xbb")
    assert third.received == b"\x05\x00" + b"\x05\x02\x00\x01" + bytes(6)
    assert not proxy.network.dialed


def test_a_stream_too_many_closes_at_once(make):
    ended = []
    proxy = make(
        lambda reactor: StreamFactory(
            Pool(["http://10.0.0.1:80"]), limits=LIMITS, observers=(ended.append,), reactor=reactor
        )
    )
    clients = [proxy.connect() for _ in range(3)]
    proxy.clock.advance(0)
    assert [client.closed for client in clients] == [False, False, True]
    assert len(proxy.network.dialed) == 2
    assert [one.outcome for one in ended] == ["client-gone"]
    clients[0].drop()
    proxy.connect().send(b"x")
    assert proxy.upstream.received == b"x"


def test_who_comes_over_from_another_configuration_is_counted_as_the_same_client():
    admission = Admission(10, [ClientLimit(1)])

    class Guest:
        def __init__(self, ip):
            self.connection = ClientConnection(ip)
            self.factory = object()
            self.aborted = False

        def abort(self):
            self.aborted = True

    first = Guest("2001:db8::1")
    assert admission.welcomes(first.connection, moves=True)
    admission.take_over(first)
    second = Guest("2001:db8::2")
    assert not admission.admit(second) and second.aborted


RATED = Limits(connection_rate=Rate(2, 1), max_connections_per_client=50)


@pytest.fixture(params=[ReverseProxyFactory, StreamFactory])
def rated(request):
    made = ProxyInMemory(lambda reactor: request.param(Pool(["http://10.0.0.1:80"]), limits=RATED, reactor=reactor))
    yield made
    made.close()


def opened(rated, count, host="192.0.2.1"):
    clients = [rated.connect(host) for _ in range(count)]
    rated.clock.advance(0)
    return [not client.closed for client in clients]


def test_one_too_many_is_closed_and_nobody_hears_of_it(rated):
    with capturedLogs() as logs:
        assert opened(rated, 4) == [True, True, False, False]
    assert not logs
    assert opened(rated, 1, "192.0.2.2") == [True]
    rated.clock.advance(0.5)
    assert opened(rated, 2) == [True, False]
    # Those that were closed do not count where those are counted that are there.
    assert len(rated.factory.admission) == 4


def test_a_network_of_ipv6_is_one_client():
    rate = ConnectionRate(Rate(1, 1), Clock().seconds)
    addresses = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
    assert [rate.admit(ClientConnection(address)) for address in addresses] == [True, False, True]


def test_unix_sockets_and_connections_that_were_there_before_are_not_new():
    rate = ConnectionRate(Rate(1, 1), Clock().seconds)
    assert all(rate.admit(ClientConnection("unix:")) for _ in range(5))
    assert all(rate.take_over(ClientConnection("192.0.2.1")) for _ in range(5))
    assert rate.admit(ClientConnection("192.0.2.1"))


def test_a_reverse_proxy_on_a_unix_socket():
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(Pool(["http://a"]), limits=RATED, reactor=reactor))
    for _ in range(5):
        client = MemoryConnection(proxy.clock, proxy.factory.buildProtocol(UNIXAddress(None)))
        proxy.clients.append(client)
        client.send(GET)
    assert not any(client.closed for client in proxy.clients)
    proxy.close()
