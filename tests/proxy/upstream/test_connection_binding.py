"""Upstream connections on which a client has logged in are nobody else's."""

import pytest

from tests.proxy.exchanges.test_exchange import OK
from tests.proxy.upstream.http2_peer import Http2Peer
from txproxy import ForwardPolicy, ForwardProxyFactory, Limits, Pool, ReverseProxyFactory
from txproxy.proxy.upstream.connection_binding import authenticates_connection
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.pool_settings import PoolSettings


def asking(*lines, target=b"/x"):
    host = target.split(b"/")[2] if target.startswith(b"http:") else b"10.0.0.1"
    return b"\r\n".join([b"GET %b HTTP/1.1" % target, b"Host: " + host, *lines, b"", b""])


def challenge(value, status=401, name=b"WWW-Authenticate"):
    return b"HTTP/1.1 %d Unauthorized\r\nDate: D\r\n%b: %b\r\nContent-Length: 0\r\n\r\n" % (status, name, value)


def reverse(clock, upstreams=("http://10.0.0.1:80",), sticky=None, **settings):
    pool = Pool(upstreams, settings=PoolSettings(**settings))
    return ReverseProxyFactory(pool, via=None, sticky=sticky, reactor=clock)


def forward(clock, **policy):
    allowed = {"allow_destinations": ["10.0.0.0/8"], "via": None, **policy}
    return ForwardProxyFactory(ForwardPolicy(**allowed), reactor=clock)


@pytest.fixture
def make(closing):
    return lambda factory, **options: closing(ProxyInMemory(lambda clock: factory(clock, **options)))


@pytest.fixture(params=["reverse", "forward"])
def proxy(request, make):
    made = make(reverse if request.param == "reverse" else forward)
    made.target = b"/x" if request.param == "reverse" else b"http://10.0.0.1/x"
    return made


def ask(proxy, client, *lines, answer=OK, by=None):
    client.send(asking(*lines, target=proxy.target))
    upstream = proxy.upstream if by is None else proxy.network.connections[by]
    upstream.send(answer)
    return upstream


@pytest.mark.parametrize("credentials", [b"NTLM TlRMTVNTUAAB", b"negotiate YII=", b"Negotiate", b"Nego2 YII="])
def test_who_comes_after_a_login_gets_another_connection(proxy, credentials):
    first, second = proxy.connect(), proxy.connect()
    logged_in = ask(proxy, first, b"Authorization: " + credentials)
    logged_in.take()
    other = ask(proxy, second)
    assert other is not logged_in and not logged_in.received
    # and the one who has logged in goes on where it did
    first.take()
    first.send(asking(target=proxy.target))
    assert logged_in.take().startswith(b"GET /x")
    logged_in.send(OK)
    assert first.received == OK
    second.take()
    ask(proxy, second, by=1)
    assert second.received == OK and len(proxy.network.connections) == 2


@pytest.mark.parametrize("answer", [challenge(b"NTLM"), challenge(b'Basic realm="x", Negotiate')])
def test_a_challenge_binds_already(proxy, answer):
    first, second = proxy.connect(), proxy.connect()
    challenged = ask(proxy, first, answer=answer)
    assert ask(proxy, second) is not challenged
    first.take()
    first.send(asking(b"Authorization: NTLM TlRM", target=proxy.target))
    assert b"Authorization: NTLM TlRM" in challenged.received


def test_the_connection_ends_with_the_client_that_it_belongs_to(proxy):
    client = proxy.connect()
    logged_in = ask(proxy, client, b"Authorization: NTLM TlRM")
    client.drop(clean=True)
    proxy.clock.advance(0)
    assert logged_in.closed


def test_it_is_kept_as_long_as_the_client_is_there(proxy):
    client = proxy.connect()
    logged_in = ask(proxy, client, b"Authorization: NTLM TlRM")
    proxy.advance(70)
    assert not logged_in.closed
    proxy.advance(10)
    # the client was idle for too long
    assert client.closed and logged_in.closed


def test_where_it_was_closed_by_the_upstream_there_is_a_new_one(proxy):
    client = proxy.connect()
    ask(proxy, client, b"Authorization: NTLM TlRM").drop(clean=True)
    client.take()
    again = ask(proxy, client, b"Authorization: NTLM TlRM")
    assert client.received == OK and len(proxy.network.connections) == 2
    assert ask(proxy, proxy.connect()) is not again


@pytest.mark.parametrize("lines", [(), (b"Authorization: Basic YTpi",), (b"Authorization: NTLMX x",)])
@pytest.mark.parametrize("answer", [OK, challenge(b'Basic realm="x"'), challenge(b"Digest ntlm=x")])
def test_what_authenticates_requests_alone_binds_nothing(proxy, lines, answer):
    first = ask(proxy, proxy.connect(), *lines, answer=answer)
    assert ask(proxy, proxy.connect()) is first


def test_one_client_has_only_so_many_connections_of_its_own(make):
    proxy = make(forward)
    client = proxy.connect()
    for number in range(20):
        client.send(asking(b"Authorization: NTLM x", target=b"http://10.0.1.%d/" % number))
        proxy.upstream.send(OK)
    proxy.clock.advance(0)
    assert [connection.closed for connection in proxy.network.connections] == [True] * 4 + [False] * 16


@pytest.mark.parametrize("options", [{}, {"sticky": "ip"}, {"proxy_protocol": 1}])
def test_a_handshake_stays_at_one_upstream_whosever_turn_it_is(make, options):
    proxy = make(reverse, upstreams=[f"http://10.0.0.{number}" for number in range(1, 4)], **options)
    proxy.target = b"/"
    client = proxy.connect()
    logging_in = ask(proxy, client, answer=challenge(b"NTLM"))
    for _ in range(4):
        ask(proxy, client, b"Authorization: NTLM x", by=0)
    assert proxy.network.connections == [logging_in]


def test_a_handshake_begins_again_elsewhere_when_its_upstream_is_out(make):
    proxy = make(reverse, upstreams=["http://10.0.0.1", "http://10.0.0.2"])
    proxy.target = b"/"
    client = proxy.connect()
    ask(proxy, client, answer=challenge(b"NTLM"))
    pool = proxy.factory.pools[0]
    pool.disable(pool.upstreams[0])
    ask(proxy, client, b"Authorization: NTLM x")
    assert [address.host for address in proxy.network.dialed] == ["10.0.0.1", "10.0.0.2"]


PARENTS = ("http://10.1.0.1:3128", "http://10.1.0.2:3128")


def test_a_handshake_stays_at_one_parent(make):
    proxy = make(forward, parents=PARENTS)
    proxy.target = b"http://a.example/"
    client = proxy.connect()
    logging_in = ask(proxy, client, answer=challenge(b"NTLM"))
    for _ in range(3):
        ask(proxy, client, b"Authorization: NTLM x", by=0)
    assert proxy.network.connections == [logging_in]
    assert ask(proxy, proxy.connect()) is not logging_in


def test_a_parent_that_wants_a_login_of_its_connection_is_asked_by_nobody_else(make):
    proxy = make(forward, parents=PARENTS[:1])
    proxy.target = b"http://a.example/"
    answer = challenge(b"Negotiate", status=407, name=b"Proxy-Authenticate")
    wanting = ask(proxy, proxy.connect(), answer=answer)
    assert ask(proxy, proxy.connect()) is not wanting


def test_who_changes_the_protocol_takes_the_connection_along(make):
    proxy = make(reverse)
    proxy.target = b"/"
    client = proxy.connect()
    upstream = ask(proxy, client, answer=challenge(b"Negotiate"))
    upstream.take()
    client.send(asking(b"Authorization: Negotiate x", b"Connection: Upgrade", b"Upgrade: chat"))
    assert b"Upgrade: chat" in upstream.take()
    upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n")
    client.send(b"hello")
    assert upstream.received == b"hello"


def test_a_connection_of_its_own_is_no_way_around_the_limit_of_an_upstream(make):
    proxy = make(reverse, upstreams=["http://10.0.0.1;max=1", "http://10.0.0.2;max=1"])
    proxy.target = b"/"
    first = proxy.connect()
    ask(proxy, first, b"Authorization: NTLM x")
    second, third = proxy.connect(), proxy.connect()
    second.send(asking())
    third.send(asking())
    first.send(asking(b"Authorization: NTLM x"))
    assert [upstream.active for upstream in proxy.factory.pools[0].upstreams] == [1, 1]


def test_limits_of_kept_connections_do_not_hold_for_them():
    limits = Limits(keep_per_address=0)
    proxy = ProxyInMemory(lambda clock: ReverseProxyFactory(Pool(["http://10.0.0.1"]), limits=limits, reactor=clock))
    proxy.target = b"/"
    client = proxy.connect()
    for _ in range(3):
        ask(proxy, client, b"Authorization: NTLM x")
    assert len(proxy.network.connections) == 1
    proxy.close()


@pytest.mark.parametrize(
    ("value", "does"),
    [
        (b"NTLM", True),
        (b"ntlm abc", True),
        (b'Basic realm="a" , NTLM', True),
        (b"Negotiate oRQ=, Basic", True),
        (b"Basic NTLM", False),
        (b"Bearer nego", False),
        (b"NTLMv3", False),
        (b"", False),
    ],
)
def test_schemes_that_authenticate_a_connection(value, does):
    assert authenticates_connection(value) is does


def test_a_connection_that_begins_with_who_the_client_is_has_no_streams_of_others(make):
    proxy = make(reverse, upstreams=["h2c://10.0.0.1"], proxy_protocol=1)
    clients = [proxy.connect(host) for host in ("127.0.0.2", "127.0.0.3")]
    peers = []
    for client in clients:
        client.send(asking())
        peers.append(Http2Peer(proxy.upstream))
    told = [address.preface.split()[:3] for address in proxy.network.dialed]
    assert told == [[b"PROXY", b"TCP4", b"127.0.0.2"], [b"PROXY", b"TCP4", b"127.0.0.3"]]
    for number in (1, 3, 5):
        for client, peer in zip(clients, peers, strict=True):
            assert [*peer.look().heads] == [*range(1, number + 1, 2)]
            peer.answer(number)
            assert client.take().startswith(b"HTTP/1.1 200 ")
            client.send(asking())
    assert len(proxy.network.connections) == 2
