"""Upstreams that speak HTTP/2: which connections there are, who shares them, and what becomes of those on them."""

from socket import SHUT_WR

import pytest

from tests.net.sockets import SocketPeer, World
from tests.proxy.exchanges.test_exchange import GET, POST, status
from tests.proxy.upstream.http2_peer import Http2Peer, data_frame
from tests.wire.http2.taken_apart import frame
from txproxy import Limits
from txproxy.proxy.upstream.http2.http2_upstream import _LAST
from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import CANCEL, ENHANCE_YOUR_CALM, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM

TWO_STREAMS = (frames.MAX_CONCURRENT_STREAMS, 2)
POST_NOTHING = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"


def ask(proxy, request=GET, count=1):
    clients = [proxy.connect() for _ in range(count)]
    for client in clients:
        client.send(request)
    return clients if count > 1 else clients[0]


def connections(proxy):
    return proxy.network.connections


# -- who shares what


def test_clients_share_a_connection(proxy2):
    clients = ask(proxy2, count=3)
    peer = Http2Peer(proxy2.upstream)
    assert list(peer.heads) == [1, 3, 5] and len(connections(proxy2)) == 1
    for stream in (5, 1, 3):
        peer.answer(stream, body=b"%d" % stream)
    assert [client.received[-1:] for client in clients] == [b"1", b"3", b"5"]
    ask(proxy2)
    assert len(connections(proxy2)) == 1 and 7 in peer.look().heads


def test_there_is_another_when_one_is_full_and_the_fullest_is_used_first(proxy2):
    ask(proxy2)
    first = Http2Peer(proxy2.upstream, TWO_STREAMS)
    ask(proxy2, count=2)
    second = Http2Peer(proxy2.upstream, TWO_STREAMS)
    assert len(connections(proxy2)) == 2 and list(first.look().heads) == [1, 3] and list(second.heads) == [1]
    ask(proxy2)
    assert list(second.look().heads) == [1, 3]
    for stream in (1, 3):
        first.answer(stream)
    second.answer(1)
    ask(proxy2)
    assert list(second.look().heads) == [1, 3, 5] and list(first.look().heads) == [1, 3]


def test_one_that_is_there_at_once_is_used_though_none_is_kept(make2):
    proxy = make2(Limits(keep_per_address=0))
    client = ask(proxy)
    Http2Peer(proxy.upstream).answer(1, body=b"one")
    assert client.received.endswith(b"one") and len(connections(proxy)) == 1
    proxy.advance(0)
    assert proxy.upstream.closed


def test_there_is_another_before_there_are_no_numbers_left(proxy2):
    last = frames.LAST_STREAM - 998
    ask(proxy2)
    peer = Http2Peer(proxy2.upstream)
    peer.answer(1)
    connections(proxy2)[0]._protocol.session.last_made = last
    ask(proxy2, count=2)
    assert list(peer.look().heads)[1:] == [last + 2, last + 4] and len(connections(proxy2)) == 1
    peer.answer(last + 2)
    ask(proxy2)
    assert len(connections(proxy2)) == 2 and len(peer.look().heads) == 3
    peer.answer(last + 4)
    proxy2.clock.advance(0)
    assert connections(proxy2)[0].closed


def test_there_are_numbers_left_for_all_that_may_begin_at_once(make2):
    proxy = make2(Limits(upstream_concurrent_streams=10_000))
    ask(proxy)
    peer = Http2Peer(proxy.upstream, (frames.MAX_CONCURRENT_STREAMS, 10_000))
    proxy.upstream._protocol.session.last_made = _LAST
    peer.answer(1)
    ask(proxy, count=600)
    assert max(peer.look().heads) == _LAST + 1200 <= frames.LAST_STREAM - 2 * 9400


def test_how_many_streams_there_are_and_how_much_comes_is_bounded_here(make2):
    proxy = make2(Limits(upstream_concurrent_streams=2, upstream_stream_window=65536))
    ask(proxy, count=2)
    peer = Http2Peer(proxy.upstream)
    (said,) = [
        dict(frames.read_settings(payload))
        for name, flags, _, payload in peer.others
        if name == "SETTINGS" and not flags
    ]
    assert said[frames.INITIAL_WINDOW_SIZE] == 65536 and peer.updates(0) == 2 * 65536 - 65535
    # The upstream would take more.
    peer.connection.send(frames.settings([(frames.MAX_CONCURRENT_STREAMS, 50)]))
    ask(proxy)
    assert list(peer.look().heads) == [1, 3] and len(connections(proxy)) == 2


def test_an_idle_connection_is_closed_in_the_end(proxy2):
    ask(proxy2)
    peer = Http2Peer(proxy2.upstream)
    peer.answer(1)
    proxy2.advance(62)
    peer.look()
    assert peer.others[-1][0] == "GOAWAY" and peer.connection.closed and not peer.connection.reset


def test_frames_that_ask_for_nothing_keep_no_connection(proxy2):
    ask(proxy2)
    peer = Http2Peer(proxy2.upstream)
    peer.answer(1)
    for _ in range(7):
        proxy2.advance(9)
        peer.connection.send(frames.ping(b"12345678"))
    assert peer.connection.closed


# -- what may be sent again


@pytest.mark.parametrize("request_", [GET, POST_NOTHING])
@pytest.mark.parametrize("how", ["refused", "goaway", "goaway and end"])
def test_what_the_upstream_has_not_looked_at_is_sent_again_whatever_it_is(proxy2, request_, how):
    client = ask(proxy2, request_)
    first = Http2Peer(proxy2.upstream)
    if how == "refused":
        first.connection.send(frames.rst_stream(1, REFUSED_STREAM))
        assert len(connections(proxy2)) == 1
        first.look()
        first.answer(3)
    else:
        first.connection.send(frames.goaway(0, NO_ERROR))
        if how == "goaway and end":
            first.connection.end()
        second = Http2Peer(proxy2.upstream)
        assert second is not first and len(connections(proxy2)) == 2
        second.answer(1)
    assert status(client.received) == 200


def test_an_upstream_that_takes_one_request_by_each_connection_gets_all_of_them(proxy2):
    clients = ask(proxy2, POST_NOTHING, count=6)
    for number in range(6):
        peer = Http2Peer(connections(proxy2)[number])
        peer.answer(1, body=b"%d" % number)
        peer.connection.send(frames.goaway(1, NO_ERROR))
        # After the second it is known how many each takes.
        assert len(connections(proxy2)) == (2 if number < 1 else 6)
    assert sorted(client.received[-1:] for client in clients) == [b"%d" % number for number in range(6)]


def asked_of(peers):
    return [[*peer.look().heads] for peer in peers]


def leave_after(proxy, last):
    """Four requests, of which the upstream takes those up to this ``last``, and the others by another connection."""
    clients = ask(proxy, count=4)
    peer = Http2Peer(proxy.upstream)
    peer.connection.send(frames.goaway(last, NO_ERROR))
    for one in (peer, Http2Peer(proxy.upstream)):
        for stream in one.heads:
            if one is not peer or stream <= last:
                one.answer(stream)
    assert [status(client.received) for client in clients] == [200] * 4
    proxy.advance(70)


@pytest.fixture
def three_each(proxy2):
    """A proxy that knows of its upstream that each connection takes three requests."""
    leave_after(proxy2, 5)
    leave_after(proxy2, 5)
    connections(proxy2).clear()
    return proxy2


LARGE = POST.replace(b"Content-Length: 5", b"Content-Length: 16385").replace(b"hello", b"x" * 16385)


def test_connections_get_as_many_requests_as_those_before_have_taken(three_each):
    # What is sent after these is refused, and a body that has gone cannot go again.
    clients = ask(three_each, LARGE, count=7)
    peers = [Http2Peer(one) for one in connections(three_each)]
    assert asked_of(peers) == [[1, 3, 5], [1, 3, 5], [1]]
    for peer in peers:
        peer.connection.send(frames.goaway(5, NO_ERROR))
        for stream in peer.heads:
            peer.answer(stream)
    assert [status(client.received) for client in clients] == [200] * 7
    three_each.advance(1)
    assert all(peer.connection.closed for peer in peers)
    # It holds for the next ones.
    ask(three_each, count=4)
    assert len(connections(three_each)) == 5


def test_requests_that_come_one_by_one_are_counted_as_well(three_each):
    client = ask(three_each)
    peer = Http2Peer(three_each.upstream)
    for stream in (1, 3, 5):
        peer.look().answer(stream)
        assert status(client.received) == 200
        client = ask(three_each)
    assert asked_of([peer, Http2Peer(three_each.upstream)]) == [[1, 3, 5], [1]]


def test_an_upstream_that_takes_more_by_now_gets_more(three_each):
    ask(three_each, count=3)
    peer = Http2Peer(three_each.upstream)
    for stream in (1, 3, 5):
        peer.answer(stream)
    ask(three_each, count=5)
    assert asked_of([Http2Peer(three_each.upstream)]) == [[1, 3, 5, 7, 9]]


def test_an_upstream_whose_last_request_is_cancelled_may_take_no_more_all_the_same(three_each):
    clients = ask(three_each, count=3)
    peer = Http2Peer(three_each.upstream)
    clients[2].drop()
    for stream in (1, 3):
        peer.answer(stream)
    three_each.advance(0.1)
    assert peer.connection.closed
    ask(three_each, count=4)
    assert asked_of(map(Http2Peer, connections(three_each)[1:])) == [[1, 3, 5], [1]]


def test_a_connection_that_is_left_takes_no_more_whatever_it_says_then(three_each):
    clients = ask(three_each, count=3)
    peer = Http2Peer(three_each.upstream)
    clients[2].drop()
    three_each.network.script = ["hang"]
    waits = ask(three_each)
    peer.connection.send(frames.settings([(frames.MAX_CONCURRENT_STREAMS, 50)]))
    assert asked_of([peer]) == [[1, 3, 5]]
    three_each.network.answer()
    Http2Peer(three_each.upstream).answer(1)
    for stream in (1, 3):
        peer.answer(stream)
    assert [status(client.received) for client in (*clients[:2], waits)] == [200] * 3


def test_an_upstream_that_has_left_twice_at_different_times_takes_any_number(proxy2):
    leave_after(proxy2, 3)
    leave_after(proxy2, 5)
    ask(proxy2, count=8)
    assert len(Http2Peer(proxy2.upstream).heads) == 8


def test_an_upstream_that_takes_leave_with_its_first_words_is_asked_no_more(proxy2):
    clients = ask(proxy2, count=2)
    first = Http2Peer(proxy2.upstream, silent=True)
    proxy2.network.script = ["hang"]
    first.connection.send(frames.settings([]) + frames.goaway(1, NO_ERROR))
    # Another stream waits for the next connection when this one is heard of again.
    first.answer(1, body=b"first")
    assert clients[0].received.endswith(b"first") and clients[1].received == b""
    proxy2.network.answer()
    Http2Peer(proxy2.upstream).answer(1, body=b"second")
    assert clients[1].received.endswith(b"second") and list(first.look().heads) == [1, 3]


def test_what_is_refused_again_and_again_is_given_up(proxy2):
    client = ask(proxy2)
    peer = Http2Peer(proxy2.upstream)
    for stream in (1, 3):
        peer.connection.send(frames.rst_stream(stream, REFUSED_STREAM))
    assert status(client.received) == 503 and len(peer.look().heads) == 2


def test_another_upstream_may_take_what_is_refused_twice(make2):
    proxy = make2(upstreams=("h2c://10.0.0.1:80", "h2c://10.0.0.2:80;backup"))
    client = ask(proxy, POST_NOTHING)
    peer = Http2Peer(proxy.upstream)
    for stream in (1, 3):
        peer.connection.send(frames.rst_stream(stream, REFUSED_STREAM))
    assert proxy.upstream.address.host == "10.0.0.2"
    Http2Peer(proxy.upstream).answer(1)
    assert status(client.received) == 200


def test_a_body_that_has_gone_does_not_go_again_if_it_is_not_short(proxy2):
    client = ask(proxy2, POST.replace(b"Content-Length: 5", b"Content-Length: 16385").replace(b"hello", b"x" * 16385))
    peer = Http2Peer(proxy2.upstream)
    assert peer.bodies == {1: b"x" * 16385}
    peer.connection.send(frames.rst_stream(1, REFUSED_STREAM))
    assert status(client.received) == 503 and len(connections(proxy2)) == 1 and list(peer.look().heads) == [1]


def test_a_post_that_may_have_been_seen_is_not_sent_again(proxy2):
    client = ask(proxy2, POST_NOTHING)
    peer = Http2Peer(proxy2.upstream)
    peer.connection.end()
    assert status(client.received) == 502 and len(connections(proxy2)) == 1


def test_a_get_goes_once_more_where_a_connection_ends_that_had_served_before(proxy2):
    client = ask(proxy2)
    Http2Peer(proxy2.upstream).answer(1)
    client.take()
    client.send(GET)
    proxy2.upstream.end()
    proxy2.upstream.end()
    assert status(client.received) == 502 and len(connections(proxy2)) == 2


def test_requests_that_the_upstream_takes_end_after_it_has_begun_to_leave(proxy2):
    seen, unseen = ask(proxy2, count=2)
    first = Http2Peer(proxy2.upstream)
    first.connection.send(frames.goaway(1, NO_ERROR))
    second = Http2Peer(proxy2.upstream)
    second.answer(1, body=b"second")
    assert not first.connection.closed
    first.answer(1, body=b"first")
    assert seen.received.endswith(b"first") and unseen.received.endswith(b"second")
    proxy2.advance(0.1)
    assert first.connection.closed and not second.connection.closed


def test_the_first_of_two_steps_of_leaving_harms_nobody(proxy2):
    client = ask(proxy2, POST_NOTHING)
    peer = Http2Peer(proxy2.upstream)
    peer.connection.send(frames.goaway(frames.LAST_STREAM, NO_ERROR))
    ask(proxy2)
    assert len(connections(proxy2)) == 2
    peer.connection.send(frames.goaway(1, NO_ERROR))
    peer.answer(1)
    assert status(client.received) == 200


# -- who does not answer


def test_an_upstream_that_is_silent_is_asked_and_all_fail_if_it_says_nothing(proxy2):
    clients = ask(proxy2, POST_NOTHING, count=2)
    peer = Http2Peer(proxy2.upstream)
    proxy2.advance(16)
    assert peer.look().others[-1][0] == "PING"
    proxy2.advance(29)
    assert not clients[0].received
    proxy2.advance(2)
    assert [status(client.received) for client in clients] == [502, 502] and peer.connection.reset
    ask(proxy2)
    assert len(connections(proxy2)) == 2


def test_an_upstream_that_answers_may_take_its_time_and_is_not_asked_all_the_time(make2):
    proxy = make2(Limits(response_timeout=200.0))
    client = ask(proxy)
    peer = Http2Peer(proxy.upstream)
    proxy.advance(51)
    assert peer.look().others[-1][0] == "PING"
    peer.connection.send(frames.ping(b"txproxy?", ack=True))
    proxy.advance(148)
    assert [name for name, *_ in peer.look().others].count("PING") == 1
    peer.answer(1)
    assert status(client.received) == 200


def test_a_response_that_is_late_fails_alone(proxy2):
    late = ask(proxy2)
    peer = Http2Peer(proxy2.upstream)
    proxy2.advance(30)
    other = ask(proxy2)
    proxy2.advance(14)
    peer.connection.send(frames.ping(b"txproxy?", ack=True))
    proxy2.advance(17)
    assert status(late.received) == 504 and peer.look().resets == {1: CANCEL}
    peer.answer(3)
    assert status(other.received) == 200


# -- upstreams that do what they must not


@pytest.mark.parametrize(
    ("data", "keeps"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
        (data_frame(1, b"x"), True),
        (data_frame(2, b"x"), False),
        (frames.header(0, frames.HEADERS, 4, 3), False),
        (frames.header(5, frames.PUSH_PROMISE, 4, 1) + b"\0\0\0\2\x88", False),
        (frames.settings([(frames.ENABLE_PUSH, 1)]), False),
        (frames.window_update(0, 0), False),
    ],
    ids=["HTTP/1", "body before head", "idle stream", "a stream of nobody", "push", "setting", "window"],
)
def test_what_is_malformed_is_a_bad_gateway(proxy2, data, keeps):
    client = ask(proxy2, POST_NOTHING)
    peer = Http2Peer(proxy2.upstream)
    peer.connection.send(data)
    assert status(client.received) == 502
    proxy2.advance(0.1)
    assert peer.connection.closed != keeps
    client = ask(proxy2)
    if keeps:
        peer.look().answer(3)
    else:
        Http2Peer(proxy2.upstream).answer(1)
    assert status(client.received) == 200


def test_who_closes_after_all_that_it_was_asked_is_not_asked_more():
    world = World(upstream="h2c://10.0.0.1:80")
    world.client.sendall(GET)
    world.until(lambda: world.upstreams, "it is asked for")
    peer = Http2Peer(SocketPeer(world.upstreams[0]))
    other, _ = world.connect()
    other.sendall(GET)
    world.client.sendall(POST_NOTHING)
    world.until(lambda: len(peer.look().heads) == 2, "both are asked for")
    # The next request begins with the first answer, while the other one is still to be read.
    peer.connection.send(peer.head_frame(1, 404, ended=True) + peer.head_frame(3, ended=True))
    peer.connection.end.shutdown(SHUT_WR)
    world.until(lambda: len(world.upstreams) == 2, "it goes elsewhere")
    again = Http2Peer(SocketPeer(world.upstreams[1]))
    world.until(lambda: again.look().ended, "it is there")
    again.answer(1, body=b"done")
    assert world.carry(again.connection.end, b"", world.client, 300).endswith(b"done")
    world.close()


def gather(peer):
    """Have what begins with a request gathered within a turn, as over sockets; gives what ends the turn."""
    asked = []
    peer.connection._protocol.output._ask = lambda asking, data: asked.append(asking)

    def end():
        for asking in asked:
            asking.ask(b"", set())
        asked.clear()

    return end


@pytest.mark.parametrize("said", [frames.window_update(0, 0), frames.goaway(1, NO_ERROR), frames.goaway(0, NO_ERROR)])
def test_a_request_that_has_not_gone_out_goes_elsewhere_alone(proxy2, said):
    ask(proxy2)
    peer = Http2Peer(proxy2.upstream)
    peer.answer(1)
    end = gather(peer)
    client = ask(proxy2, POST_NOTHING)
    peer.connection.send(said)
    end()
    assert list(peer.look().heads) == [1] and peer.others[-1][0] == "GOAWAY" and not peer.resets
    other = Http2Peer(proxy2.upstream)
    assert list(other.heads) == [1]
    other.answer(1)
    assert status(client.received) == 200


def test_nothing_goes_out_where_all_is_over_before_that(make2, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "txproxy.proxy.upstream.http2.upstream_output.ask_function",
        lambda transport, turn: lambda asking, data: asked.append(asking),
    )
    proxy = make2(Limits(keep_per_address=0))
    ask(proxy).drop()
    for asking in asked:
        asking.ask(b"", set())
    assert asked and not proxy.upstream.take() and proxy.upstream.disconnecting


def test_what_says_just_now_that_it_is_full_is_asked_no_more(proxy2, monkeypatch):
    ask(proxy2)
    peer = Http2Peer(proxy2.upstream)
    peer.answer(1)
    end = gather(peer)
    clients = ask(proxy2, count=2)
    connection = peer.connection
    # It lies there when a body is about to go out, which could not be sent again.
    monkeypatch.setattr("txproxy.proxy.upstream.http2.upstream_output.UpstreamOutput.is_spoken_to", lambda _: True)
    waits = [frames.settings([TWO_STREAMS])]
    monkeypatch.setattr(
        "txproxy.proxy.upstream.http2.http2_upstream.read_waiting",
        lambda transport: transport is connection and waits and connection.send(waits.pop()),
    )
    clients.append(ask(proxy2, POST))
    end()
    assert list(peer.look().heads) == [1, 3, 5]
    other = Http2Peer(proxy2.upstream)
    assert len(connections(proxy2)) == 2 and list(other.heads) == [1]
    peer.answer(3)
    peer.answer(5)
    other.answer(1)
    assert [status(client.received) for client in clients] == [200, 200, 200]
    assert connection._protocol.capacity == 2


def test_floods_of_frames_that_ask_for_nothing_end_the_connection(proxy2):
    client = ask(proxy2, POST_NOTHING)
    peer = Http2Peer(proxy2.upstream)
    peer.connection.send(frames.ping(b"12345678") * 3000)
    proxy2.advance(0.1)
    assert status(client.received) == 502 and peer.connection.closed
    goaway = peer.look().others[-1]
    assert goaway[0] == "GOAWAY" and frames.read_goaway(goaway[3])[1] == ENHANCE_YOUR_CALM


def test_a_stream_that_is_reset_harms_no_other(proxy2):
    one, other = ask(proxy2, POST_NOTHING, count=2)
    peer = Http2Peer(proxy2.upstream)
    peer.connection.send(frames.rst_stream(1, INTERNAL_ERROR))
    assert status(one.received) == 502
    peer.answer(3)
    assert status(other.received) == 200


def test_an_upstream_that_takes_no_stream_at_all(proxy2):
    client = ask(proxy2)
    peer = Http2Peer(proxy2.upstream, (frames.MAX_CONCURRENT_STREAMS, 0))
    peer.connection.send(frames.rst_stream(1, REFUSED_STREAM))
    second = Http2Peer(proxy2.upstream, (frames.MAX_CONCURRENT_STREAMS, 0))
    assert len(connections(proxy2)) == 2
    second.connection.send(frames.rst_stream(1, REFUSED_STREAM))
    assert status(client.received) == 503 and len(connections(proxy2)) == 2


# -- logins of connections


def test_a_login_of_a_connection_gets_one_of_its_own(proxy2):
    other, client = ask(proxy2, count=2)
    shared = Http2Peer(proxy2.upstream)
    for stream in (1, 3):
        shared.answer(stream)
    login = GET.replace(b"\r\n\r\n", b"\r\nAuthorization: NTLM abc\r\n\r\n")
    client.send(login)
    own = Http2Peer(proxy2.upstream)
    assert len(connections(proxy2)) == 2 and own.head(1)["authorization"] == "NTLM abc"
    own.answer(1, 401, ("www-authenticate", "NTLM def"))
    client.send(login)
    own.answer(3)
    client.send(GET)
    own.answer(5)
    other.send(GET)
    assert 5 in shared.look().heads and list(own.look().heads) == [1, 3, 5]
    client.drop()
    proxy2.advance(0.1)
    assert own.connection.closed and not shared.connection.closed


# -- a head whose body comes just after it


def head(number):
    return frame(1, 4, number, b"\x88\x0f\x12\x04same")


def whole(number):
    return head(number) + data_frame(number, b"<%d>" % number, ended=True)


def waiting(proxy, monkeypatch, *comes):
    """Four clients whose upstream has answered the first two, on streams 5 and 7, and the third but for the body; what
    ``comes`` is there when more is read of it, one each time.
    """
    ask(proxy)
    peer = Http2Peer(proxy.upstream)
    peer.connection.send(whole(1))
    ask(proxy)
    peer.connection.send(whole(3))
    clients = ask(proxy, count=4)
    comes = [*comes]
    monkeypatch.setattr(
        "txproxy.proxy.upstream.http2.http2_upstream.read_more",
        lambda transport: transport is peer.connection and comes and transport.send(comes.pop(0)),
    )
    peer.connection.send(whole(5) + whole(7) + head(9))
    assert [client.received[-3:] for client in clients[:2]] == [b"<5>", b"<7>"]
    return clients, peer, comes


def test_a_body_that_comes_just_after_its_head_is_read_with_it(proxy2, monkeypatch):
    monkeypatch.setattr("txproxy.proxy.upstream.http2.http2_stream.Http2Stream.came_head", None)
    clients, _, _ = waiting(proxy2, monkeypatch, whole(9)[-12:] + whole(11))
    assert [client.received[-4:] for client in clients[2:]] == [b"\n<9>", b"<11>"]


def test_a_head_without_its_body_goes_on_at_once(proxy2, monkeypatch):
    clients, peer, _ = waiting(proxy2, monkeypatch)
    assert clients[2].received.startswith(b"HTTP/1.1 200 ") and b"<9>" not in clients[2].received
    peer.connection.send(whole(9)[-12:])
    assert b"<9>" in clients[2].received and not clients[3].received


def test_more_is_read_once_so_that_others_have_their_turn(proxy2, monkeypatch):
    clients, peer, comes = waiting(proxy2, monkeypatch, whole(9)[-12:] + head(11), whole(11)[-13:])
    assert clients[2].received.endswith(b"<9>") and clients[3].received.startswith(b"HTTP/1.1 200 ")
    assert len(comes) == 1 and b"<11>" not in clients[3].received
    peer.connection.send(comes.pop())
    assert b"<11>" in clients[3].received


@pytest.mark.parametrize(
    ("says", "third", "fourth"),
    [
        (frames.goaway(9, NO_ERROR), b"200", b""),
        (frames.goaway(7, NO_ERROR), b"200", b""),
        (frames.rst_stream(9, INTERNAL_ERROR), b"200", b""),
        (frames.window_update(0, 0), b"200", b"502"),
        (data_frame(9, b"<9", ended=False), b"200", b""),
        (data_frame(11, b"no head", ended=True), b"200", b"502"),
    ],
)
def test_what_comes_in_place_of_a_body_is_what_it_is(proxy2, monkeypatch, says, third, fourth):
    clients, _, _ = waiting(proxy2, monkeypatch, says)
    assert [client.received[9:12] for client in clients[2:]] == [third, fourth]
    assert not clients[2].received.endswith(b"0\r\n\r\n")


def test_what_is_written_just_after_it_comes_over_sockets():
    world = World(upstream="h2c://10.0.0.1:80")
    clients = [SocketPeer(one) for one in (world.client, *(world.connect()[0] for _ in range(2)))]

    def has(client, body):
        client.received += client.take()
        return body in client.received

    def ask(client, number):
        client.received = b""
        client.send(GET)
        world.until(lambda: number in peer.look().heads, "it is asked for")

    clients[0].send(GET)
    world.until(lambda: world.upstreams, "there is a connection")
    peer = Http2Peer(SocketPeer(world.upstreams[0]))
    clients[0].received = b""
    for number in (1, 3):
        peer.connection.send(whole(number))
        world.until(lambda number=number: has(clients[0], b"<%d>" % number), "it is answered")
        ask(clients[0], number + 2)
    ask(clients[1], 7)
    ask(clients[2], 9)
    peer.connection.send(whole(5) + head(7))
    peer.connection.send(whole(7)[-12:] + head(9))
    world.turns()
    peer.connection.send(whole(9)[-12:])
    for client, body in zip(clients, (b"<5>", b"<7>", b"<9>"), strict=True):
        world.until(lambda client=client, body=body: has(client, body), "it is answered")
    world.close()


# -- what a head has with it that waits for its body


# A head as short as those before, after responses that were read as a whole: it waits, with what comes right after it.
GOES_AWAY = frame(1, 4, 7, b"\x88\x0f\x12\x01D") + frames.goaway(7, NO_ERROR)
WRONG_BLOCK = frame(1, 4, 7, b"\x88\x0f\x12\xffD")


@pytest.mark.parametrize(("last", "answered"), [(GOES_AWAY, 200), (WRONG_BLOCK, 502)], ids=["leaves", "malformed"])
def test_what_comes_with_a_head_that_waits_holds_for_all(proxy2, last, answered):
    clients = ask(proxy2, count=4)
    peer = Http2Peer(proxy2.upstream)
    assert list(peer.heads) == [1, 3, 5, 7]
    block, body = b"\x88\x0f\x12\x01D", b"a body that is longer than what says good-bye"
    alike = [frame(1, 4, number, block) + frame(0, 1, number, body) for number in (1, 3, 5)]
    peer.connection.send(alike[0])
    peer.connection.send(alike[1] + alike[2] + last)
    # Nobody finds this connection any more.
    ask(proxy2)
    assert len(connections(proxy2)) == 2 and len(Http2Peer(proxy2.upstream).heads) == 1
    peer.connection.send(frame(0, 1, 7, body))
    assert [status(client.received) for client in clients] == [200, 200, 200, answered]
    assert peer.connection.disconnecting or peer.connection.closed
