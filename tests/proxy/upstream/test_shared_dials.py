"""Connections that many wait for: how many dials there are, and who gets what comes of them."""

from tests.proxy.exchanges.test_exchange import status
from tests.proxy.upstream.http2.test_http2_upstream import TWO_STREAMS, ask
from tests.proxy.upstream.http2_peer import Http2Peer
from txproxy.errors import ConnectionRefused
from txproxy.proxy.upstream.shared_dials import SharedDials
from txproxy.wire.http2.frames import LAST_STREAM


def test_dials_are_joined_as_far_as_the_upstream_is_known_to_take_streams(proxy2):
    proxy2.network.script += ["hang"] * 4
    ask(proxy2, count=3)
    assert len(proxy2.network.dialed) == 1
    proxy2.network.answer()
    first = Http2Peer(proxy2.upstream, TWO_STREAMS)
    assert list(first.heads) == [1, 3, 5]
    # Now it is known.
    ask(proxy2, count=3)
    assert len(proxy2.network.dialed) == 3
    proxy2.network.answer()
    assert list(Http2Peer(proxy2.upstream, TWO_STREAMS).heads) == [1, 3]
    proxy2.network.answer()
    assert list(Http2Peer(proxy2.upstream, TWO_STREAMS).heads) == [1]


def test_who_waits_for_a_dial_gets_what_becomes_free(proxy2):
    ask(proxy2, count=2)
    peer = Http2Peer(proxy2.upstream, TWO_STREAMS)
    proxy2.network.script.append("hang")
    waiting = ask(proxy2)
    assert len(proxy2.network.dialed) == 2
    peer.answer(1)
    assert list(peer.look().heads) == [1, 3, 5]
    peer.answer(5)
    assert status(waiting.received) == 200
    proxy2.network.answer()
    peer.answer(3)


def test_a_dial_that_nobody_waits_for_any_more_is_given_up(proxy2):
    proxy2.network.script += ["hang", "hang"]
    clients = ask(proxy2, count=2)
    (dialing, _, _) = proxy2.network.hanging[0]
    clients[0].drop()
    proxy2.clock.advance(0)
    assert not dialing.called
    clients[1].drop()
    proxy2.clock.advance(0)
    assert dialing.called
    ask(proxy2)
    assert len(proxy2.network.dialed) == 2
    proxy2.network.hanging.pop(0)
    proxy2.network.answer()


def test_all_who_wait_hear_of_a_dial_that_fails(make2):
    proxy = make2(upstreams=("h2c://10.0.0.1:80", "h2c://10.0.0.2:80;backup"))
    proxy.network.script.append(ConnectionRefused("no"))
    client = ask(proxy)
    peer = Http2Peer(proxy.upstream)
    assert proxy.upstream.address.host == "10.0.0.2"
    peer.answer(1)
    assert status(client.received) == 200


def test_all_of_them_are_told_of_one_fault(proxy2):
    proxy2.network.script.append("hang")
    clients = ask(proxy2, count=3)
    (dialing, _, _) = proxy2.network.hanging.pop()
    dialing.errback(ConnectionRefused("no"))
    assert [status(client.received) for client in clients] == [503] * 3 and len(proxy2.network.dialed) == 1


def test_a_dial_that_fails_leaves_those_who_wait_to_the_other(proxy2):
    ask(proxy2)
    Http2Peer(proxy2.upstream, TWO_STREAMS).answer(1)
    proxy2.network.script += ["hang", "hang"]
    clients = ask(proxy2, count=5)
    assert len(proxy2.network.dialed) == 3
    proxy2.network.hanging.pop(0)[0].errback(ConnectionRefused("no"))
    assert not any(client.received for client in clients)
    proxy2.network.answer()
    # Two go by the first, two by what was dialled; the fifth has one dialled for itself.
    assert len(proxy2.network.dialed) == 4


def test_a_few_addresses_are_remembered():
    dials = SharedDials(lambda address, client_ip: None)
    for number in range(1025):
        dials.remember(f"{number}", 7)
    assert dials.streams_of("0") == 100 and dials.streams_of("1024") == 7
    dials.remember("1", 0)
    assert dials.streams_of("1") == 1


def test_after_how_many_requests_connections_end_is_what_two_have_said_one_after_the_other():
    dials = SharedDials(lambda address, client_ip: None)
    found = []
    for last in (9, 7, 7, 7, 9, 9):
        dials.ended_after("a", last)
        found.append(dials.last_of("a"))
    assert found == [LAST_STREAM, LAST_STREAM, 7, 7, LAST_STREAM, 9] and dials.last_of("b") == LAST_STREAM
    dials.goes_on("a")
    assert dials.last_of("a") == LAST_STREAM
