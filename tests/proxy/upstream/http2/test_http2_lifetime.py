"""How long a connection to an upstream that speaks HTTP/2 lasts."""

from tests.proxy.exchanges.test_exchange import GET, status
from tests.proxy.upstream.http2_peer import Http2Peer
from txproxy import Limits
from txproxy.wire.http2 import frames


def answered(proxy):
    """A client, and the upstream that has answered it."""
    client = proxy.connect()
    client.send(GET)
    peer = Http2Peer(proxy.upstream)
    peer.answer(1)
    return client, peer


def test_one_that_is_idle_is_kept_for_so_long_and_no_longer(make2):
    proxy = make2(Limits(keep_for=20.0))
    _, peer = answered(proxy)
    proxy.advance(18)
    assert not peer.connection.closed
    proxy.advance(4)
    assert peer.connection.closed and not peer.connection.reset and peer.look().others[-1][0] == "GOAWAY"


def test_what_is_asked_in_time_keeps_it(make2):
    proxy = make2(Limits(keep_for=20.0))
    client, peer = answered(proxy)
    for stream in (3, 5, 7):
        proxy.advance(18)
        client.send(GET)
        peer.answer(stream)
    assert status(client.received) == 200 and len(proxy.network.connections) == 1


def test_a_peer_that_does_not_take_the_last_word_is_dropped(make2):
    proxy = make2(Limits(keep_for=20.0, linger_timeout=5.0))
    _, peer = answered(proxy)
    peer.connection.stop_reading()
    proxy.advance(22)
    assert peer.connection.waiting and not peer.connection.closed
    proxy.advance(6)
    assert peer.connection.closed and peer.connection.reset


def test_its_deadline_is_the_first_of_its_own_and_its_streams(make2):
    proxy = make2(Limits(response_timeout=40.0))
    first, second = proxy.connect(), proxy.connect()
    first.send(GET)
    peer = Http2Peer(proxy.upstream)
    proxy.advance(10)
    second.send(GET)
    proxy.advance(20)
    # It is there, but does not answer: whoever has waited for longest fails first, and alone.
    peer.connection.send(frames.ping(b"txproxy?", ack=True))
    proxy.advance(12)
    assert status(first.received) == 504 and not second.received
    proxy.advance(9)
    assert status(second.received) == 504 and not peer.connection.closed


def test_one_that_is_a_clients_alone_lasts_as_long_as_the_client(make2):
    proxy = make2(Limits(keep_for=20.0, idle_timeout=300.0))
    client, peer = answered(proxy)
    login = GET.replace(b"\r\n\r\n", b"\r\nAuthorization: NTLM abc\r\n\r\n")
    client.send(login)
    own = Http2Peer(proxy.upstream)
    own.answer(1, 401, ("www-authenticate", "NTLM def"))
    proxy.advance(60)
    assert peer.connection.closed and not own.connection.closed
    client.drop()
    proxy.advance(0.1)
    assert own.connection.closed
