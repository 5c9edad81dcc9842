"""What has ended leaves no circle of references: its memory is free at once, and with it all that OpenSSL has of a
connection, where it would wait for the collector, which looks at what is old seldom.
"""

import contextlib
import gc
from base64 import b64encode
from hashlib import sha1

import pytest
from OpenSSL import SSL
from twisted.internet.address import IPv4Address

from tests.net.sockets import World, connected_pair
from tests.proxy.downstream.http2.http2_peer import GET, POST, Http2Peer
from tests.reverse.actions.routed import at, to
from tests.tls.authority import new_ca
from txproxy import ForwardPolicy, ForwardProxyFactory, Limits, Pool, ReverseProxyFactory
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.interfaces import Bounds
from txproxy.limits.shaping import Bandwidth, Shaping
from txproxy.net.transports.accepted_transports import AcceptedTransport
from txproxy.net.transports.tls_transports import TLSServer
from txproxy.proxy.caching.cache_middleware import CacheMiddleware
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.proxy.tunnel import Tunnel
from txproxy.reverse.actions.subrequests import ForwardAuth, Mirror
from txproxy.reverse.actions.treatments import Treated, Treatment
from txproxy.reverse.mode import ReverseMode
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.route import Route
from txproxy.testing import MemoryConnection, ProxyInMemory
from txproxy.tls.listener_contexts import ListenerTls, ServerTls
from txproxy.wire.http2.frames import PREFACE, settings

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello"
WEBSOCKET = (
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@contextlib.contextmanager
def nothing_is_left():
    """What is made meanwhile, and becomes garbage, does so without the collector."""
    gc.collect()
    gc.disable()
    # What there was before is not looked at: it may be a test's that was before.
    gc.freeze()
    try:
        yield
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = sorted(type(one).__name__ for one in gc.garbage if type(one).__module__.startswith("txproxy"))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()
    assert not left


def idle(client, proxy):
    pass


def exchange(client, proxy):
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    proxy.upstream.send(OK)


def body(client, proxy):
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
    client.send(b"llo")
    proxy.upstream.send(OK[:-1])
    proxy.upstream.send(OK[-1:])


def unanswered(client, proxy):
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")


def malformed(client, proxy):
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")


def another_protocol(client, proxy):
    client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")


def cut_off(client, proxy):
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
    proxy.upstream.drop()


def websocket(client, proxy):
    client.send(WEBSOCKET)
    proxy.upstream.send(SWITCHING)
    client.send(b"and back")


def http2_idle(client, proxy):
    Http2Peer(client)


def http2_exchange(client, proxy):
    peer = Http2Peer(client)
    peer.ask()
    proxy.upstream.send(OK)
    assert peer.turn().responses[1].ended


def http2_body(client, proxy):
    peer = Http2Peer(client)
    stream = peer.ask(*POST, ended=False)
    peer.body(stream, b"he")
    peer.body(stream, b"llo", ended=True)
    proxy.upstream.send(OK)


def http2_unanswered(client, proxy):
    peer = Http2Peer(client)
    peer.ask()
    peer.ask(*POST, ended=False)


def http2_reset(client, proxy):
    peer = Http2Peer(client)
    peer.reset(peer.ask(*POST, ended=False))


def http2_malformed(client, proxy):
    Http2Peer(client)
    client.send(b"\0\0\1\0\0\0\0\0\1x")


def http2_websocket(client, proxy):
    peer = Http2Peer(client)
    peer.ask((b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:], (b"sec-websocket-version", b"13"),
             ended=False)  # fmt: skip
    key = proxy.upstream.received.split(b"sec-websocket-key: ")[1].split(b"\r\n")[0]
    accept = b64encode(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    proxy.upstream.send(SWITCHING.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Accept: %b\r\n\r\n" % accept))
    assert peer.turn().responses[1].body == b"hello"


CASES = (
    idle, exchange, body, unanswered, malformed, another_protocol, cut_off, websocket,
    http2_idle, http2_exchange, http2_body, http2_unanswered, http2_reset, http2_malformed, http2_websocket,
)  # fmt: skip


def one_after_the_other(proxy, play):
    """A client that does so, and leaves, as do all upstreams."""
    client = proxy.connect()
    play(client, proxy)
    client.drop()
    proxy.clients.clear()
    proxy.advance(0)
    for upstream in proxy.network.connections:
        upstream.drop()
    proxy.network.connections.clear()
    proxy.advance(0)


@pytest.mark.parametrize("settings", [{}, {"connection_age": 60.0}], ids=["", "with an age"])
@pytest.mark.parametrize("play", CASES, ids=lambda play: play.__name__)
def test_a_connection_that_is_over(play, settings):
    proxy = ProxyInMemory(
        lambda reactor: ReverseProxyFactory(
            Pool(["http://10.0.0.1"]), h2c=True, limits=Limits(**settings), reactor=reactor
        )
    )
    with nothing_is_left():
        for _ in range(3):
            one_after_the_other(proxy, play)
    proxy.close()


def ask(client, path=b"/", *fields):
    client.send(b"".join([b"GET %b HTTP/1.1\r\nHost: a\r\n" % path, *fields, b"\r\n"]))


def fresh(size=2, *fields, body=b"ok"):
    head = b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: %d\r\n" % size
    return head + b"".join(fields or [b"Cache-Control: max-age=60\r\n"]) + b"\r\n" + body


def a_miss(client, proxy):
    ask(client)
    proxy.upstream.send(fresh())


def a_miss_in_parts(client, proxy):
    ask(client)
    proxy.upstream.send(fresh(body=b""))
    proxy.upstream.send(b"o")
    proxy.upstream.send(b"k")


def a_hit(client, proxy):
    a_miss_in_parts(client, proxy)
    ask(client)
    assert len(proxy.network.connections) == 1


def a_revalidation(client, proxy):
    fields = b'ETag: "a"\r\n', b"Cache-Control: no-cache\r\n"
    for answer in (fresh(2, *fields), b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'):
        ask(client)
        proxy.upstream.send(answer)
    assert b"if-none-match" in proxy.upstream.received.lower()


def an_abandoned_fill(client, proxy):
    ask(client)
    proxy.upstream.send(fresh(8_000_000, body=b"x" * 1000))


def a_fill_that_goes_on_without_its_client(client, proxy):
    ask(client)
    proxy.upstream.send(fresh(2000, body=b"x" * 1000))
    client.drop()
    proxy.upstream.send(b"x" * 1000)


def one_that_comes_no_further(client, proxy):
    ask(client)
    proxy.upstream.send(fresh(2000, body=b"x" * 1000))
    client.drop()
    proxy.advance(100)


def a_fill_that_is_cut(client, proxy):
    ask(client)
    proxy.upstream.send(fresh(2000, body=b"x" * 1000))
    proxy.upstream.drop()


def one_that_gets_no_answer(client, proxy):
    ask(client)
    proxy.upstream.drop()


def one_whose_client_leaves(client, proxy):
    ask(client)


def one_that_is_not_kept(client, proxy):
    ask(client)
    proxy.upstream.send(fresh(2, b"Cache-Control: no-store\r\n"))


def one_that_is_not_kept_in_parts(client, proxy):
    ask(client)
    proxy.upstream.send(fresh(2, b"Cache-Control: no-store\r\n", body=b"o"))
    proxy.upstream.send(b"k")


def one_that_is_not_kept_whose_client_leaves(client, proxy):
    ask(client)
    proxy.upstream.send(fresh(2, b"Cache-Control: no-store\r\n", body=b"o"))


def a_part(client, proxy):
    ask(client, b"/", b"Range: bytes=2-3\r\n")
    proxy.upstream.send(
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\nContent-Range: bytes 2-3/9\r\n"
        b'ETag: "a"\r\nCache-Control: max-age=60\r\n\r\nok'
    )


def several_that_wait(client, proxy):
    others = [proxy.connect() for _ in range(3)]
    for one in (client, *others):
        ask(one)
    proxy.upstream.send(fresh(body=b"o"))
    proxy.upstream.send(b"k")
    for one in others:
        one.drop()


CACHED = (
    a_miss, a_miss_in_parts, a_hit, a_revalidation, an_abandoned_fill, a_fill_that_goes_on_without_its_client,
    one_that_comes_no_further, a_fill_that_is_cut, one_that_gets_no_answer, one_whose_client_leaves,
    one_that_is_not_kept, one_that_is_not_kept_in_parts, one_that_is_not_kept_whose_client_leaves, a_part,
    several_that_wait,
)  # fmt: skip


@pytest.mark.parametrize("play", CACHED, ids=lambda play: play.__name__)
def test_what_a_cache_has_asked_for(play):
    cache = SharedCache(MemoryStore(1 << 24), now=lambda: 0.0)
    proxy = ProxyInMemory(
        lambda reactor: ReverseProxyFactory(
            Pool(["http://10.0.0.1"]), middleware=(CacheMiddleware(cache),), reactor=reactor
        )
    )
    with nothing_is_left():
        for _ in range(3):
            one_after_the_other(proxy, play)
            for entry in cache.store.entries():
                cache.store.remove(entry)
                del entry
    proxy.close()


def a_request_that_passes(client, proxy):
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
    for host in ("10.0.0.9", "10.0.0.1", "10.0.0.8"):
        at(proxy, host)[0].send(OK)


def one_that_does_not(client, proxy):
    ask(client)
    proxy.upstream.send(OK.replace(b"200 OK", b"403 Forbidden"))


def one_of_which_nobody_says(client, proxy):
    ask(client)
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n")
    proxy.upstream.drop()


def one_that_is_given_up_as_it_is_asked_for(client, proxy):
    ask(client)


def one_whose_copy_is_not_answered(client, proxy):
    ask(client)
    for host in ("10.0.0.9", "10.0.0.1"):
        at(proxy, host)[0].send(OK)


ASKED = (
    a_request_that_passes, one_that_does_not, one_of_which_nobody_says, one_that_is_given_up_as_it_is_asked_for,
    one_whose_copy_is_not_answered,
)  # fmt: skip


@pytest.mark.parametrize("play", ASKED, ids=lambda play: play.__name__)
def test_what_a_route_has_asked_for_itself(play):
    treatment = Treatment(auth=ForwardAuth(to("10.0.0.9")), mirror=Mirror(to("10.0.0.8")))
    mode = ReverseMode(routes=[Route("/", Match(), Treated(to("10.0.0.1"), treatment))])
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(mode, reactor=reactor))
    with nothing_is_left():
        for _ in range(3):
            one_after_the_other(proxy, play)
    proxy.close()


def test_a_request_with_a_body_by_http2_that_is_over_on_a_connection_that_goes_on():
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1"]), h2c=True, reactor=reactor))
    peer = Http2Peer(proxy.connect())
    with nothing_is_left():
        for _ in range(3):
            stream = peer.ask(*POST, ended=False)
            peer.body(stream, b"hello", ended=True)
            proxy.upstream.send(OK)
            assert peer.turn().responses[stream].ended
    proxy.close()


def test_a_tunnel_that_is_over():
    proxy = ProxyInMemory(lambda reactor: ForwardProxyFactory(ForwardPolicy(allow_destinations=["a"]), reactor=reactor))

    def connect(client, proxy):
        client.send(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")
        proxy.upstream.send(b"hello")
        client.send(b"and back")

    with nothing_is_left():
        for _ in range(3):
            one_after_the_other(proxy, connect)
    proxy.close()


class Handing:
    """A protocol that hands all on to an end of a tunnel."""

    def __init__(self):
        self.end = None

    def makeConnection(self, transport):
        pass

    def dataReceived(self, data):
        self.end.dataReceived(data)

    def connectionLost(self, reason):
        self.end.connectionLost(reason)


def test_a_tunnel_whose_speed_is_bounded_that_is_over():
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1"]), reactor=reactor))
    shaping = Shaping((Bandwidth(down=1000, up=1000),), proxy.clock)
    with nothing_is_left():
        for _ in range(3):
            ends = Handing(), Handing()
            client, upstream = (MemoryConnection(proxy.clock, end) for end in ends)
            bounds = Bounds(shaper=shaping.shaper("10.0.0.9", None, ""))
            tunnel = Tunnel(proxy.factory.services, client, upstream, lambda tunnel: None, bounds)
            ends[0].end, ends[1].end = tunnel.client, tunnel.upstream
            tunnel.start(b"x" * 5000, b"")
            client.drop()
            proxy.advance(0)
            del ends, client, upstream, bounds, tunnel
    proxy.close()


def tls_client(context, end):
    """The test's side of TLS on a socket."""
    client = SSL.Connection(context, end)
    client.set_connect_state()
    return client


def test_a_connection_of_http2_over_tls_on_a_socket_that_is_over(tmp_path):
    files = new_ca().issue("a.example").write(tmp_path, "a")
    offered = ServerTls(ListenerTls(certificates=(files,), alpn=(b"h2",))).context()
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_alpn_protos([b"h2"])
    world = World()
    world.factory.http2 = True
    with nothing_is_left():
        for _ in range(3):
            end, other = connected_pair(65536)
            end.setblocking(False)
            protocol = world.factory.build(IPv4Address("TCP", "127.0.0.1", 5), "https")
            server = TLSServer(other, protocol, other.getpeername(), None, 0, world.reactor)
            server.startTLSOnSocket(offered)
            protocol.makeConnection(server)
            client = tls_client(context, end)
            with contextlib.suppress(SSL.WantReadError):
                client.do_handshake()
            for _ in range(20):
                world.turns()
                with contextlib.suppress(SSL.WantReadError):
                    client.do_handshake()
                    break
            assert client.get_alpn_proto_negotiated() == b"h2"
            client.send(PREFACE + settings({}))
            world.turns()
            # what the server says of itself
            assert client.recv(65536)
            client.shutdown()
            end.close()
            world.turns()
            del end, other, protocol, server, client
    world.close()


def test_a_tunnel_that_the_kernel_carries_that_is_over():
    world = World()
    with nothing_is_left():
        for _ in range(3):
            ends = [connected_pair(65536) for _ in range(2)]
            hands = Handing(), Handing()
            transports = [
                AcceptedTransport(other, hand, other.getpeername(), None, 0, world.reactor)
                for hand, (_, other) in zip(hands, ends, strict=True)
            ]
            tunnel = Tunnel(world.factory.services, *transports, lambda tunnel: None)
            hands[0].end, hands[1].end = tunnel.client, tunnel.upstream
            tunnel.start(b"", b"")
            ends[0][0].sendall(b"hello")
            world.turns()
            assert ends[1][0].recv(10) == b"hello"
            for end, _ in ends:
                end.close()
            world.turns(5)
            assert tunnel.received == 5
            del ends, hands, transports, tunnel, end
    world.close()
