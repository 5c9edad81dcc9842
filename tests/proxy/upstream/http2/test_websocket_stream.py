"""WebSockets to an upstream that speaks HTTP/2 (RFC 8441), asked for in HTTP/1 and in HTTP/2."""

import pytest
from twisted.internet.defer import Deferred

from tests.proxy.downstream.http2.conftest import make_world
from tests.proxy.exchanges.responses.test_held_response import Hangs, Waits
from tests.proxy.exchanges.test_exchange import GET, status
from tests.proxy.upstream.http2_peer import Http2Peer, data_frame
from txproxy import Limits
from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import CANCEL, NO_ERROR

__all__ = ["make_world"]
KNOWN = (frames.ENABLE_CONNECT_PROTOCOL, 1)
ASK = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def asked(proxy, *settings, request=ASK, silent=False):
    client = proxy.connect()
    client.send(request)
    return client, Http2Peer(proxy.upstream, *settings, silent=silent)


@pytest.fixture
def open_(proxy2):
    """One that stands: the client, and the upstream."""
    client, peer = asked(proxy2, KNOWN)
    peer.connection.send(peer.head_frame(1, 200, ("sec-websocket-protocol", "chat")))
    assert client.take().startswith(b"HTTP/1.1 101 ")
    return client, peer


def test_it_is_an_extended_connect(proxy2):
    client, peer = asked(proxy2, KNOWN)
    head = peer.head(1)
    assert {name: value for name, value in head.items() if name[:1] == ":"} == {
        ":method": "CONNECT", ":protocol": "websocket", ":scheme": "http", ":path": "/chat", ":authority": "a",
    }  # fmt: skip
    assert head["sec-websocket-version"] == "13" and "sec-websocket-key" not in head and not peer.ended
    peer.connection.send(peer.head_frame(1, 200, ("sec-websocket-protocol", "chat")))
    lines = client.take().split(b"\r\n")
    # RFC 6455 1.3
    assert lines[0] == b"HTTP/1.1 101 Switching Protocols"
    assert {b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", b"sec-websocket-protocol: chat"} <= {*lines}
    assert b"Connection: upgrade" in lines and b"Upgrade: websocket" in lines


def test_it_waits_until_the_upstream_has_said_what_it_knows(proxy2):
    client, peer = asked(proxy2, silent=True)
    assert not peer.heads
    # Others do not wait for that.
    other = proxy2.connect()
    other.send(GET)
    assert list(peer.look().heads) == [1] and peer.head(1)[":method"] == "GET"
    peer.connection.send(frames.settings([KNOWN]))
    assert peer.head(3)[":protocol"] == "websocket"
    peer.answer(1, body=b"ok")
    assert other.received.endswith(b"ok")
    client.drop()
    assert peer.look().resets == {3: CANCEL}


def test_who_waits_may_leave(proxy2):
    client, peer = asked(proxy2, silent=True)
    client.drop()
    peer.connection.send(frames.settings([KNOWN]))
    assert not peer.look().heads


def test_it_is_not_waited_for_for_ever(make2):
    proxy = make2(Limits(response_timeout=5))
    client, _ = asked(proxy, silent=True)
    proxy.advance(6)
    assert status(client.received) in (502, 504)


def test_an_upstream_that_takes_leave_first_is_not_asked(proxy2):
    client, peer = asked(proxy2, silent=True)
    peer.connection.send(frames.settings([KNOWN]) + frames.goaway(0, NO_ERROR))
    second = Http2Peer(proxy2.upstream, KNOWN)
    assert second.connection is not peer.connection and not peer.look().heads
    assert second.head(1)[":protocol"] == "websocket"
    client.drop()


@pytest.mark.parametrize("known", [0, 1])
def test_no_more_begin_than_the_upstream_takes_by_then(proxy2, known):
    # RFC 9113 5.1.2: nghttp2 and python-h2 end the connection for one more.
    clients = [proxy2.connect() for _ in range(3)]
    for client in clients:
        client.send(ASK)
    said = frames.settings([(frames.ENABLE_CONNECT_PROTOCOL, known), (frames.MAX_CONCURRENT_STREAMS, 2)])
    peer = Http2Peer(proxy2.upstream, silent=True)
    peer.connection.send(said)
    assert [*peer.look().heads] == [1, 3]
    # The third has gone elsewhere, where nobody else is.
    first, second = proxy2.network.connections
    assert first is peer.connection
    other = Http2Peer(second, silent=True)
    second.send(said)
    assert [*other.look().heads] == [1]
    for upstream, number in ((peer, 1), (peer, 3), (other, 1)):
        upstream.connection.send(upstream.head_frame(number, 403, ended=True))
    assert [status(client.received) for client in clients] == [403] * 3


def test_an_upstream_that_takes_none_gets_none_of_those_that_wait(proxy2):
    clients = [proxy2.connect() for _ in range(2)]
    for client in clients:
        client.send(ASK)
    # Those that are made meanwhile come after it.
    for connection in proxy2.network.connections:
        assert not Http2Peer(connection, KNOWN, (frames.MAX_CONCURRENT_STREAMS, 0)).heads
    assert len(proxy2.network.connections) > 1 and [status(client.received) for client in clients] == [503] * 2


@pytest.mark.parametrize("settings", [(), ((frames.ENABLE_CONNECT_PROTOCOL, 0),)])
def test_who_does_not_know_it_is_asked_without(proxy2, settings):
    client, peer = asked(proxy2, *settings)
    assert peer.head(1)[":method"] == "GET" and peer.ended == {1}
    peer.answer(1, 426)
    assert status(client.received) == 426


@pytest.mark.parametrize(
    "change", [(b"websocket", b"other"), (b"-Key", b"-Lock"), (b"GET", b"PUT")], ids=["other", "no key", "PUT"]
)
def test_what_is_no_websocket_is_asked_without(proxy2, change):
    _, peer = asked(proxy2, KNOWN, request=ASK.replace(*change))
    assert ":protocol" not in peer.head(1)


@pytest.mark.parametrize("code", [403, 500])
def test_what_is_refused_is_a_response(proxy2, code):
    client, peer = asked(proxy2, KNOWN)
    peer.answer(1, code, body=b"no")
    assert status(client.received) == code and client.received.endswith(b"\r\n\r\nno")
    # The stream is over for both.
    assert peer.look().resets == {1: CANCEL}
    client.send(GET)
    peer.look()
    peer.answer(3, body=b"next")
    assert client.received.endswith(b"next")


def test_bytes_go_both_ways(open_):
    client, peer = open_
    client.send(b"hello")
    peer.connection.send(data_frame(1, b"there"))
    assert peer.look().bodies == {1: b"hello"} and client.take() == b"there"


def test_bytes_may_come_with_the_head(proxy2):
    client, peer = asked(proxy2, KNOWN)
    peer.connection.send(peer.head_frame(1, 200) + data_frame(1, b"first"))
    assert client.received.endswith(b"\r\n\r\nfirst")


def test_a_client_that_closes_its_side(open_, proxy2):
    client, peer = open_
    client.end()
    assert peer.look().ended == {1}
    peer.connection.send(data_frame(1, b"last", ended=True))
    proxy2.clock.advance(0)
    assert client.take() == b"last" and client.closed and not peer.look().resets


def test_an_upstream_that_closes_its_side(open_, proxy2):
    client, peer = open_
    peer.connection.send(data_frame(1, b"last", ended=True))
    assert client.take() == b"last" and client.ended
    client.send(b"word")
    assert peer.look().bodies == {1: b"word"}
    client.end()
    proxy2.clock.advance(0)
    assert client.closed and peer.look().ended == {1} and not peer.look().resets


def test_an_upstream_that_takes_nothing_more_after_its_end_has_ended_in_order(open_, proxy2):
    # RFC 9113 8.1: as Go's server does, and this proxy.
    client, peer = open_
    peer.connection.send(data_frame(1, b"last", ended=True) + frames.rst_stream(1, NO_ERROR))
    client.send(b"word")
    proxy2.clock.advance(0)
    assert client.take() == b"last" and client.closed and not client.reset
    assert not peer.look().bodies and not peer.resets and not proxy2.upstream._protocol.session.streams


def test_what_came_before_such_an_end_is_for_slow_clients_as_well(open_, proxy2):
    client, peer = open_
    client.stop_reading()
    sent = data_frame(1, b"x" * 16000) * 6 + data_frame(1, b"last", ended=True)
    peer.connection.send(frames.SETTINGS_ACK + sent + frames.rst_stream(1, NO_ERROR))
    client.read_on()
    proxy2.clock.advance(0)
    came = client.take()
    assert len(came) == 96_004 and came.endswith(b"last") and client.closed and not client.reset


def test_an_upstream_that_never_closes_its_side_is_cancelled(open_, proxy2):
    client, peer = open_
    client.end()
    client.drop()
    proxy2.advance(4)
    assert peer.look().resets == {1: CANCEL}


def test_what_waits_goes_out_as_fast_as_the_upstream_takes_it(open_, proxy2):
    client, peer = open_
    peer.connection.send(data_frame(1, b"", ended=True))
    for _ in range(7):
        client.send(b"x" * 16384)
    client.end()
    for _ in range(5):
        proxy2.advance(1.9)
        peer.connection.send(frames.window_update(0, 10_000) + frames.window_update(1, 10_000))
    assert len(peer.look().bodies[1]) == 7 * 16384 and peer.ended == {1}
    # Both have ended it: there is nothing to be reset.
    proxy2.advance(5)
    assert not peer.look().resets and not proxy2.upstream._protocol.session.streams


def test_what_waits_goes_out_to_an_upstream_that_has_said_all(open_, proxy2):
    client, peer = open_
    for _ in range(7):
        client.send(b"x" * 16384)
    client.drop(clean=True)
    peer.connection.send(data_frame(1, b"", ended=True))
    peer.connection.send(frames.window_update(0, 100_000) + frames.window_update(1, 100_000))
    assert len(peer.look().bodies[1]) == 7 * 16384 and peer.ended == {1}
    proxy2.advance(5)
    assert not peer.look().resets and not proxy2.upstream._protocol.session.streams


def test_what_waits_is_not_kept_for_an_upstream_that_takes_nothing(open_, proxy2):
    client, peer = open_
    peer.connection.send(data_frame(1, b"", ended=True))
    for _ in range(7):
        client.send(b"x" * 16384)
    client.end()
    proxy2.advance(4)
    assert peer.look().resets == {1: CANCEL} and not peer.ended


def test_a_reset_ends_the_tunnel(open_, proxy2):
    client, peer = open_
    peer.connection.send(frames.rst_stream(1, CANCEL))
    proxy2.clock.advance(0)
    assert client.closed and client.reset


def test_the_end_of_the_connection_ends_the_tunnel(open_, proxy2):
    client, peer = open_
    peer.connection.drop()
    proxy2.clock.advance(0)
    assert client.closed


def test_a_client_that_is_gone_cancels(open_, proxy2):
    client, peer = open_
    client.drop()
    assert peer.look().resets == {1: CANCEL}


def test_a_slow_client_has_its_window_shut(open_):
    client, peer = open_
    client.stop_reading()
    peer.connection.send(frames.SETTINGS_ACK)
    for _ in range(40):
        peer.connection.send(data_frame(1, b"x" * 16384))
    granted = peer.updates(1)
    assert granted < 300_000
    client.read_on()
    assert len(client.take()) == 40 * 16384 and peer.updates(1) > granted


def test_a_slow_upstream_has_the_client_wait(open_):
    client, peer = open_
    for _ in range(20):
        if not client.paused:
            client.send(b"x" * 16384)
    assert client.paused
    peer.connection.send(frames.window_update(0, 1 << 20) + frames.window_update(1, 1 << 20))
    assert not client.paused
    sent = len(peer.look().bodies[1])
    assert sent > 65535


def test_it_is_a_tunnel_of_its_exchange_alone(open_, proxy2):
    client, peer = open_
    other = proxy2.connect()
    other.send(GET)
    peer.look()
    peer.answer(3, body=b"other")
    assert other.received.endswith(b"other") and len(proxy2.network.connections) == 1
    client.drop()
    other.send(GET)
    assert 5 in peer.look().heads


def test_clients_of_http2_have_it_end_to_end(make_world):
    world = make_world(upstreams=["h2c://10.0.0.1:80"])
    client = world.client()
    ask = (
        (b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"http"), (b":authority", b"a"),
        (b":path", b"/chat"), (b"sec-websocket-version", b"13"),
    )  # fmt: skip
    stream = client.ask(*ask, ended=False)
    peer = Http2Peer(world.upstreams[0], KNOWN)
    assert peer.head(1)[":protocol"] == "websocket"
    peer.connection.send(peer.head_frame(1, 200, ("sec-websocket-protocol", "chat")))
    response = client.turn().responses[stream]
    assert response.status == 200 and response.field(b"sec-websocket-protocol") == b"chat" and not response.ended
    assert response.field(b"sec-websocket-accept") is None
    client.body(stream, b"hello")
    assert peer.look().bodies == {1: b"hello"}
    peer.connection.send(data_frame(1, b"there", ended=True))
    client.turn()
    client.body(stream, b"", ended=True)
    assert (response.body, response.ended) == (b"there", True) and peer.look().ended == {1}
    assert world.outcomes == ["tunnel"]


@pytest.mark.parametrize(("frame", "answer"), [(True, 200), (False, 204)])
def test_a_client_of_http2_is_told_of_an_upstream_that_knows_no_websockets(make_world, frame, answer):
    world = make_world(upstreams=["h2c://10.0.0.1:80"])
    client = world.client()
    stream = client.ask(
        (b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"http"), (b":authority", b"a"),
        (b":path", b"/chat"), (b"sec-websocket-version", b"13"), ended=False,
    )  # fmt: skip
    peer = Http2Peer(world.upstreams[0])
    assert peer.head(1)[":method"] == "GET"
    peer.connection.send(
        peer.head_frame(1, answer, ended=not frame) + (data_frame(1, b"x" * 50, True) if frame else b"")
    )
    response = client.turn().responses[stream]
    assert response.status == 502 and response.ended and response.field(b"proxy-status")
    (record,) = world.records
    assert (record.status, record.upstream_status, record.sent) == (502, answer, len(response.body))


@pytest.fixture
def waiting(make_world):
    """One to which an upstream has agreed, and a filter has not yet: all of that, with a client and its stream."""
    waits = Waits(Deferred())
    world = make_world(upstreams=["h2c://10.0.0.1:80"], middleware=[Hangs(waits)])
    client = world.client()
    stream = client.ask(
        (b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"http"), (b":authority", b"a"),
        (b":path", b"/chat"), (b"sec-websocket-version", b"13"), ended=False,
    )  # fmt: skip
    peer = Http2Peer(world.upstreams[0], KNOWN)
    peer.connection.send(peer.head_frame(1, 200))
    assert not client.turn().responses[stream].heads
    return world, client, stream, peer, waits


@pytest.mark.parametrize("how", ["reset", "lost"])
def test_an_upstream_that_leaves_while_a_filter_waits_is_no_tunnel(waiting, how):
    world, client, stream, peer, waits = waiting
    if how == "reset":
        peer.connection.send(frames.rst_stream(1, CANCEL))
    else:
        peer.connection.drop()
    assert client.turn().responses[stream].status == 502 and world.outcomes == ["connection_terminated"]
    assert waits.coming.called and len(client.responses[stream].heads) == 1


@pytest.mark.parametrize("after", [b"", frames.rst_stream(1, NO_ERROR)], ids=["", "takes no more"])
def test_an_end_that_comes_while_a_filter_waits_is_passed_on(waiting, after):
    world, client, stream, peer, waits = waiting
    peer.connection.send(data_frame(1, b"early", ended=True) + after)
    waits.coming.callback(waits.response)
    response = client.turn().responses[stream]
    assert response.status == 200 and response.body == b"early"
    world.proxy.advance(0)
    assert client.turn().responses[stream].ended
    if not after:
        client.body(stream, b"", ended=True)
        assert peer.look().ended == {1}
    assert world.outcomes == ["tunnel"] and not peer.look().resets
