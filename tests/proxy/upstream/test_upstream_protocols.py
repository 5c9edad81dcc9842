"""Which protocol talks to an upstream: the one that its address has, or that TLS has agreed on."""

import pytest
from twisted.internet.defer import fail

from tests.proxy.downstream.test_client_tunnel import UPGRADE
from tests.proxy.exchanges.test_exchange import GET, OK, POST, status
from tests.proxy.upstream.http2_peer import PREFACE, Http2Peer
from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.errors import ConnectionRefused
from txproxy.interfaces import Address
from txproxy.proxy.upstream.http1 import UpstreamProtocol
from txproxy.proxy.upstream.http2.http2_upstream import Http2Upstream
from txproxy.proxy.upstream.upstream_protocols import build_upstream
from txproxy.testing import MemoryNetwork, ProxyInMemory
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream_tls import UpstreamTls
from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import HTTP_1_1_REQUIRED

BOTH = ("h2", "http/1.1")
LOGIN = GET.replace(b"\r\n\r\n", b"\r\nAuthorization: NTLM abc\r\n\r\n")


class Agreeing(MemoryNetwork):
    """Where TLS has agreed on a protocol at once: the one that upstreams choose, if it is on offer."""

    chooses = b"h2"

    def _make(self, address, build):
        protocol = super()._make(address, build)
        chosen = self.chooses if self.chooses.decode() in address.tls._tls.settings.alpn else b""
        self.connections[-1].negotiatedProtocol = chosen
        protocol.handshakeCompleted()
        return protocol

    def dial(self, address, build):
        refused = []

        def watched():
            protocol = build()
            if address.protocols:
                protocol.handshake_done = lambda failure: refused.append(failure) if failure is not None else None
            return protocol

        made = super().dial(address, watched)
        return fail(refused[0]) if refused else made


@pytest.fixture
def agreeing(closing):
    def make(*alpn, chooses=b"h2"):
        pool = Pool(["https://a.example"], settings=PoolSettings(tls=UpstreamTls(insecure=True, alpn=alpn)))
        proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, limits=Limits(), reactor=reactor, via=None))
        proxy.network = proxy.factory.services.dialer = Agreeing(proxy.clock)
        proxy.network.chooses = chooses
        return closing(proxy)

    return make


def ask(proxy, request=GET):
    client = proxy.connect()
    client.send(request)
    return client


@pytest.mark.parametrize(("protocols", "kind"), [((), UpstreamProtocol), (("h2",), Http2Upstream)])
def test_an_address_says_what_is_spoken_there(make, protocols, kind):
    services = make().factory.services
    made = build_upstream(services, Address("10.0.0.1", 80, protocols=protocols))
    assert type(made) is kind


def test_what_is_spoken_there_tells_addresses_apart():
    one, other = Address("10.0.0.1", 80), Address("10.0.0.1", 80, protocols=("h2",))
    assert one.key != other.key and one != other and str(one) == str(other)


def test_an_upstream_that_agrees_is_spoken_to_in_http2(agreeing):
    proxy = agreeing(*BOTH)
    client = ask(proxy)
    peer = Http2Peer(proxy.upstream)
    assert peer.head(1)[":scheme"] == "https"
    peer.answer(1)
    assert status(client.received) == 200
    ask(proxy)
    assert 3 in peer.look().heads and len(proxy.network.connections) == 1


@pytest.mark.parametrize("chooses", [b"http/1.1", b""])
def test_an_upstream_that_does_not_is_spoken_to_in_http1(agreeing, chooses):
    proxy = agreeing(*BOTH, chooses=chooses)
    client = ask(proxy)
    assert proxy.upstream.received.startswith(b"GET /x HTTP/1.1\r\n")
    proxy.upstream.send(OK)
    assert client.received == OK
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK + OK and len(proxy.network.connections) == 1
    # What was agreed on is known: each who waits has a connection dialled for itself.
    proxy.network.script += ["hang", "hang", "hang"]
    ask(proxy)
    ask(proxy)
    ask(proxy)
    assert len(proxy.network.dialed) == 3
    for _ in range(2):
        proxy.network.answer()


def with_kept_one_that_is_silent(proxy):
    """A client, and the connection to an upstream that was kept after its first request: what is to go out there at the
    end of a turn does not.
    """
    client = ask(proxy)
    before = proxy.upstream
    before.send(OK)
    before.take()
    client.take()
    (kept,) = proxy.factory.services.connections.all()
    kept.writer.send = lambda asking, data: None
    return client, before


CHUNKED = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n"


@pytest.mark.parametrize("cut", [0, 1, 5])
@pytest.mark.parametrize("request_", [POST, CHUNKED + b"\r\n", CHUNKED + b"X-Sum: 9\r\n\r\n"])
def test_what_a_kept_connection_of_http1_has_not_sent_goes_by_a_new_one_of_http2(agreeing, request_, cut):
    proxy = agreeing(*BOTH, chooses=b"")
    client, before = with_kept_one_that_is_silent(proxy)
    client.send(request_[: len(request_) - cut])
    # The upstream has closed by the end of this turn, and has learned HTTP/2.
    proxy.network.chooses = b"h2"
    before.end()
    peer = Http2Peer(proxy.upstream)
    client.send(request_[len(request_) - cut :])
    assert not before.take() and list(peer.look().heads) == [1]
    assert peer.bodies == {1: b"hello"} and peer.ended == {1}
    assert (len(peer.heads[1]) == 2) is (b"X-Sum" in request_)
    peer.answer(1)
    assert status(client.received) == 200


@pytest.mark.parametrize("request_", [POST, CHUNKED + b"\r\n"])
def test_what_a_kept_connection_has_not_sent_goes_to_another_upstream_where_no_new_one_is_had(make, request_):
    proxy = make(Limits(), ("http://10.0.0.1:80", "http://10.0.0.2:80;backup"))
    client, before = with_kept_one_that_is_silent(proxy)
    client.send(request_)
    proxy.network.script = [ConnectionRefused("no")]
    before.end()
    assert proxy.upstream is not before and proxy.upstream.address.host == "10.0.0.2" and not before.take()
    # Chunks that came together went on as one.
    body = b"hello" if request_ is POST else b"5\r\nhello\r\n0\r\n\r\n"
    assert proxy.upstream.received.partition(b"\r\n\r\n")[2] == body
    proxy.upstream.send(OK)
    assert client.received == OK


def test_where_nothing_is_offered_nothing_is_agreed_on(agreeing):
    proxy = agreeing()
    ask(proxy)
    assert proxy.network.dialed[0].protocols == () and proxy.network.dialed[0].tls._tls.settings.alpn == ()


def test_who_speaks_no_http2_where_there_is_nothing_else_cannot_be_reached(agreeing):
    proxy = agreeing("h2", chooses=b"http/1.1")
    client = ask(proxy)
    assert status(client.received) == 502 and not proxy.upstream.received
    assert b"tls_alert_received" in client.received


def test_who_wants_http1_gets_it_from_then_on(agreeing):
    proxy = agreeing(*BOTH)
    client = ask(proxy, b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    first = Http2Peer(proxy.upstream)
    # It may have room for others, and is asked no more.
    first.connection.send(frames.rst_stream(1, HTTP_1_1_REQUIRED) + frames.goaway(1, HTTP_1_1_REQUIRED))
    assert proxy.upstream.received.startswith(b"POST /x HTTP/1.1\r\n")
    proxy.upstream.send(OK)
    assert client.received == OK
    ask(proxy).drop()
    ask(proxy)
    assert proxy.upstream.received.startswith(b"GET /x HTTP/1.1\r\n")


@pytest.mark.parametrize("request_", [UPGRADE, LOGIN])
def test_what_http2_cannot_do_is_asked_in_http1(agreeing, request_):
    proxy = agreeing(*BOTH)
    client = ask(proxy)
    shared = Http2Peer(proxy.upstream)
    shared.answer(1)
    client.send(request_)
    assert b" HTTP/1.1\r\n" in proxy.upstream.received and PREFACE not in proxy.upstream.received
    assert list(shared.look().heads) == [1]


def test_a_client_that_has_logged_in_stays_on_its_connection(agreeing):
    proxy = agreeing(*BOTH)
    client = ask(proxy, LOGIN)
    own = proxy.upstream
    own.send(OK)
    client.send(GET)
    own.send(OK)
    assert client.received == OK + OK and len(proxy.network.connections) == 1
    ask(proxy)
    assert Http2Peer(proxy.upstream).head(1)


def test_an_upstream_of_http2_alone_is_asked_without_an_upgrade(agreeing):
    proxy = agreeing("h2")
    ask(proxy, UPGRADE)
    assert "upgrade" not in Http2Peer(proxy.upstream).head(1)
