"""Bodies of requests of which nothing has gone out to an upstream that speaks HTTP/2, and which go elsewhere."""

from socket import SHUT_WR

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, SettingsAcknowledged, StreamEnded
from h2.settings import SettingCodes

from tests.net.sockets import SocketPeer, World
from tests.proxy.downstream.http2.http2_peer import POST as FIELDS
from tests.proxy.downstream.http2.http2_peer import Http2Peer as Http2Client
from tests.proxy.exchanges.filtering import Upper
from tests.proxy.exchanges.test_exchange import GET, status
from tests.proxy.shaped_tunnel import Shaper
from tests.proxy.upstream.http2_peer import Http2Peer, data_frame
from txproxy import Limits
from txproxy.errors import ConnectionRefused
from txproxy.interfaces import Bounds, RequestFilter
from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import NO_ERROR, REFUSED_STREAM

POST = b"POST /x HTTP/1.1\r\nHost: a\r\n"
WHOLE = POST + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
TRAILERS = POST + b"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 9\r\n\r\n"
LARGE = POST + b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000
EMPTY = POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"


class Kept:
    """A proxy with a connection on which one request was answered; what begins with one waits for the turn's end."""

    def __init__(self, proxy, *settings):
        self.proxy = proxy
        proxy.connect().send(GET)
        self.peer = Http2Peer(proxy.upstream, *settings)
        self.peer.answer(1)
        self._asked = []
        self.protocol = proxy.network.connections[0]._protocol
        self.protocol.output._ask = lambda asking, data: self._asked.append(asking)

    def end_turn(self):
        asked, self._asked[:] = list(self._asked), []
        for asking in asked:
            asking.ask(b"", set())

    def ask(self, data):
        client = self.proxy.connect()
        client.send(data)
        return client

    def ask_in_two(self, data):
        """A client whose head has gone out, and whose body has come here."""
        at = data.index(b"\r\n\r\n") + 4
        client = self.ask(data[:at])
        self.end_turn()
        assert list(self.peer.look().heads) == [1, 3]
        client.send(data[at:])
        return client

    def has_seen_nothing(self):
        peer = self.peer.look()
        return list(peer.heads) == [1] and not peer.bodies


def drop(kept):
    kept.peer.connection.drop()


def break_rules(kept):
    kept.peer.connection.send(frames.window_update(0, 0))


def go_away(kept):
    kept.peer.connection.send(frames.goaway(1, NO_ERROR))


def body_of(data):
    return b"" if data is EMPTY else b"hello" if len(data) < 1000 else b"x" * 200_000


def assert_goes_elsewhere(proxy, client, data=LARGE):
    other = Http2Peer(proxy.upstream)
    assert len(proxy.network.connections) == 2
    other.connection.send(frames.window_update(0, 200_000) + frames.window_update(1, 200_000))
    other.look()
    assert (other.bodies.get(1, b""), other.ended) == (body_of(data), {1})
    other.answer(1)
    assert status(client.received) == 200


ENDS = pytest.mark.parametrize("end", [drop, break_rules])


@ENDS
@pytest.mark.parametrize("data", [WHOLE, CHUNKED, TRAILERS, EMPTY])
def test_a_body_of_which_nothing_has_gone_goes_elsewhere(proxy2, end, data):
    kept = Kept(proxy2)
    client = kept.ask(data)
    end(kept)
    kept.end_turn()
    assert kept.has_seen_nothing()
    other = Http2Peer(proxy2.upstream)
    assert list(other.heads) == [1] and other.bodies.get(1, b"") == (b"" if data is EMPTY else b"hello")
    assert other.ended == {1} and (len(other.heads[1]) == 2) == (data is TRAILERS)
    other.answer(1)
    assert status(client.received) == 200 and len(proxy2.network.connections) == 2


@ENDS
@pytest.mark.parametrize("data", [WHOLE, CHUNKED, TRAILERS])
def test_wherever_it_is_cut_it_arrives_once(make2, end, data):
    for cut in range(len(POST), len(data)):
        proxy = make2()
        kept = Kept(proxy)
        client = kept.ask(data[:cut])
        end(kept)
        kept.end_turn()
        client.send(data[cut:])
        kept.end_turn()
        assert kept.has_seen_nothing(), cut
        other = Http2Peer(proxy.upstream)
        assert (other.bodies, other.ended) == ({1: b"hello"}, {1}), cut
        other.answer(1)
        assert status(client.received) == 200, cut


@ENDS
@pytest.mark.parametrize("data", [WHOLE, CHUNKED, TRAILERS])
def test_what_has_gone_in_part_goes_nowhere_else(make2, end, data):
    for cut in range(data.index(b"\r\n\r\n") + 8, len(data)):
        proxy = make2()
        kept = Kept(proxy)
        client = kept.ask(data[:cut])
        kept.end_turn()
        begun = kept.peer.look().bodies.get(3, b"")
        client.send(data[cut:])
        end(kept)
        kept.end_turn()
        assert status(client.received) in (502, 503) and len(proxy.network.connections) == 1, cut
        assert kept.peer.look().bodies.get(3, b"") == begun, cut


@pytest.mark.parametrize("data", [WHOLE, CHUNKED, TRAILERS])
@pytest.mark.parametrize("goes_away", [False, True])
def test_who_refuses_it_before_any_of_the_body_is_not_sent_that(proxy2, data, goes_away):
    kept = Kept(proxy2)
    client = kept.ask_in_two(data)
    said = frames.goaway(1, NO_ERROR) if goes_away else frames.rst_stream(3, REFUSED_STREAM)
    kept.peer.connection.send(said)
    kept.end_turn()
    peer = kept.peer.look()
    if goes_away:
        assert not peer.bodies
        other, stream = Http2Peer(proxy2.upstream), 1
    else:
        # It has room for others, and is asked anew.
        other, stream = peer, 5
    assert (other.bodies, other.ended) == ({stream: b"hello"}, {1, stream})
    other.answer(stream)
    assert status(client.received) == 200


def test_who_goes_away_before_it_is_asked_gets_no_body(proxy2):
    kept = Kept(proxy2)
    client = kept.ask(WHOLE)
    kept.peer.connection.send(frames.goaway(1, NO_ERROR))
    kept.end_turn()
    assert not kept.peer.look().bodies
    other = Http2Peer(proxy2.upstream)
    assert (other.bodies, other.ended) == ({1: b"hello"}, {1})
    other.answer(1)
    assert status(client.received) == 200


def test_more_than_the_new_stream_takes_waits_for_its_window(proxy2):
    kept = Kept(proxy2)
    body = b"x" * 60000
    client = kept.ask(POST + b"Content-Length: 60000\r\n\r\n" + body)
    drop(kept)
    kept.end_turn()
    other = Http2Peer(proxy2.upstream, (frames.INITIAL_WINDOW_SIZE, 100))
    other.look()
    sent = len(other.bodies[1])
    other.connection.send(frames.window_update(1, 60000))
    assert sent <= 60000 and other.look().bodies == {1: body} and other.ended == {1}
    other.answer(1)
    assert status(client.received) == 200


@pytest.mark.parametrize("end", [drop, break_rules, go_away])
def test_what_is_too_much_to_be_held_waits_for_the_window_and_goes_elsewhere_as_well(proxy2, end):
    kept = Kept(proxy2)
    client = kept.ask(LARGE)
    exchange = next(iter(kept.protocol.session.streams.values())).exchange
    assert not exchange.wants_body
    end(kept)
    kept.end_turn()
    assert kept.has_seen_nothing()
    assert_goes_elsewhere(proxy2, client)


def test_of_what_is_refused_nothing_more_goes_out(proxy2):
    kept = Kept(proxy2)
    client = kept.ask_in_two(LARGE)
    kept.peer.connection.send(frames.rst_stream(3, REFUSED_STREAM) + frames.goaway(3, NO_ERROR))
    kept.end_turn()
    assert not kept.peer.look().bodies
    assert_goes_elsewhere(proxy2, client)


@pytest.mark.parametrize("last", [3, frames.LAST_STREAM])
@pytest.mark.parametrize("data", [WHOLE, GET, LARGE])
def test_who_goes_away_while_others_are_under_way_is_not_asked_what_lies_there(proxy2, data, last):
    kept = Kept(proxy2)
    first = kept.ask(GET)
    kept.end_turn()
    client = kept.ask(data)
    kept.peer.connection.send(frames.goaway(last, NO_ERROR))
    kept.end_turn()
    assert list(kept.peer.look().heads) == [1, 3] and not kept.peer.bodies and not kept.peer.resets
    other = Http2Peer(proxy2.upstream)
    assert other is not kept.peer and list(other.heads) == [1]
    other.connection.send(frames.window_update(0, 200_000) + frames.window_update(1, 200_000))
    assert other.look().ended == {1}
    other.answer(1)
    kept.peer.answer(3)
    assert status(client.received) == status(first.received) == 200


NO_WINDOW = (frames.INITIAL_WINDOW_SIZE, 0)


@pytest.mark.parametrize("goes_away", [False, True])
@pytest.mark.parametrize("data", [WHOLE, CHUNKED, TRAILERS, LARGE])
def test_who_refuses_what_waits_for_a_window_has_none_of_it(make2, data, goes_away):
    for cut in (len(data), data.index(b"\r\n\r\n") + 7):
        proxy = make2()
        kept = Kept(proxy, NO_WINDOW)
        client = kept.ask(data[:cut])
        kept.end_turn()
        assert list(kept.peer.look().heads) == [1, 3] and not kept.peer.bodies
        said = frames.goaway(1, NO_ERROR) if goes_away else frames.rst_stream(3, REFUSED_STREAM)
        kept.peer.connection.send(said)
        kept.end_turn()
        client.send(data[cut:])
        kept.end_turn()
        assert not kept.peer.look().bodies
        if goes_away:
            assert_goes_elsewhere(proxy, client, data)
        else:
            # It has room for others, and is asked anew.
            assert list(kept.peer.heads) == [1, 3, 5]
            kept.peer.connection.send(frames.window_update(0, 200_000) + frames.window_update(5, 200_000))
            kept.end_turn()
            assert kept.peer.look().bodies == {5: body_of(data)} and kept.peer.ended == {1, 5}
            kept.peer.answer(5)
            assert status(client.received) == 200


def test_over_sockets_what_waits_for_a_window_goes_elsewhere():
    world = World(upstream="h2c://10.0.0.1:80")
    world.client.sendall(WHOLE[:-5])
    world.until(lambda: world.upstreams, "it is asked for")
    server = Server(world.upstreams[0])
    server.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    world.until(lambda: server.took(RequestReceived), "the head is there")
    world.until(lambda: server.took(SettingsAcknowledged)[1:], "there is no window")
    world.client.sendall(WHOLE[-5:])
    world.turns()
    server.h2.close_connection(last_stream_id=0)
    server.say()
    world.until(lambda: len(world.upstreams) == 2, "it goes elsewhere")
    other = Server(world.upstreams[1])
    data = world.until(lambda: other.took(StreamEnded) and other.took(DataReceived), "the body is there")
    assert b"".join([one.data for one in data]) == b"hello" and not server.took(DataReceived)
    other.h2.send_headers(1, [(":status", "200"), ("content-length", "4")])
    other.h2.send_data(1, b"done", end_stream=True)
    other.say()
    world.until(lambda: world.hear(world.client).endswith(b"done"), "it is answered")
    world.close()


class Server:
    """One of the library h2, at its end of a connection."""

    def __init__(self, end):
        self.peer = SocketPeer(end)
        self.h2 = H2Connection(H2Configuration(client_side=False))
        self.h2.initiate_connection()
        self.events = []

    def say(self):
        self.peer.send(self.h2.data_to_send())

    def took(self, kind):
        data = self.peer.take()
        self.events += self.h2.receive_data(data) if data else []
        self.say()
        return [event for event in self.events if type(event) is kind]


@pytest.mark.parametrize("goes_away", [False, True])
@pytest.mark.parametrize("data", [WHOLE, CHUNKED, TRAILERS, POST + b"Content-Length: 16384\r\n\r\n" + b"x" * 16384])
def test_a_short_body_that_has_gone_goes_once_more_if_nobody_has_looked_at_it(proxy2, data, goes_away):
    """RFC 9113 section 8.7: such a request may be sent again, whatever it is."""
    kept = Kept(proxy2)
    client = kept.ask(data)
    kept.end_turn()
    sent = kept.peer.look().bodies[3]
    assert kept.peer.ended == {1, 3}
    kept.peer.connection.send(frames.goaway(1, NO_ERROR) if goes_away else frames.rst_stream(3, REFUSED_STREAM))
    kept.end_turn()
    other, stream = (Http2Peer(proxy2.upstream), 1) if goes_away else (kept.peer.look(), 5)
    assert (
        other.bodies[stream] == sent and stream in other.ended and len(other.heads[stream]) == len(kept.peer.heads[3])
    )
    other.answer(stream)
    assert status(client.received) == 200


@pytest.mark.parametrize("method", [b"PUT", b"POST"])
@pytest.mark.parametrize("end", [drop, break_rules])
def test_a_short_body_that_somebody_may_have_looked_at_goes_nowhere_else(proxy2, method, end):
    kept = Kept(proxy2)
    client = kept.ask(WHOLE.replace(b"POST", method))
    kept.end_turn()
    assert kept.peer.look().ended == {1, 3}
    end(kept)
    assert status(client.received) in (502, 503) and len(proxy2.network.connections) == 1


def test_a_short_body_is_forgotten_once_the_response_has_begun(proxy2):
    kept = Kept(proxy2)
    kept.ask(WHOLE)
    (stream,) = kept.protocol.session.streams.values()
    kept.end_turn()
    assert stream._kept is not None
    kept.peer.look()
    kept.peer.connection.send(kept.peer.head_frame(3))
    assert stream._kept is None


def test_a_body_whose_first_byte_has_gone_is_not_had_back(proxy2):
    kept = Kept(proxy2, (frames.INITIAL_WINDOW_SIZE, 1))
    client = kept.ask(WHOLE[:-1])
    kept.end_turn()
    assert kept.peer.look().bodies == {3: b"h"}
    kept.peer.connection.send(frames.goaway(1, NO_ERROR))
    assert status(client.received) == 503 and len(proxy2.network.connections) == 1


@pytest.mark.parametrize("method", [b"PUT", b"POST"])
def test_what_waits_for_a_window_of_who_closes_goes_elsewhere_if_it_may_be_done_twice(proxy2, method):
    kept = Kept(proxy2, NO_WINDOW)
    client = kept.ask(WHOLE.replace(b"POST", method))
    kept.end_turn()
    drop(kept)
    if method == b"PUT":
        assert_goes_elsewhere(proxy2, client, WHOLE)
    else:
        # The upstream may have done what the head asks for.
        assert status(client.received) in (502, 503) and len(proxy2.network.connections) == 1


def test_an_empty_body_that_has_gone_is_no_hindrance(proxy2):
    kept = Kept(proxy2)
    client = kept.ask(EMPTY)
    kept.end_turn()
    assert kept.peer.look().ended == {1, 3}
    kept.peer.connection.send(frames.goaway(1, NO_ERROR))
    assert_goes_elsewhere(proxy2, client, EMPTY)


def test_a_body_goes_on_where_it_was_held(proxy2):
    kept = Kept(proxy2)
    client = kept.ask(POST + b"Content-Length: 10\r\n\r\nhello")
    drop(kept)
    kept.end_turn()
    other = Http2Peer(proxy2.upstream)
    client.send(b"world")
    assert other.look().bodies == {1: b"helloworld"} and other.ended == {1}


class Closing(RequestFilter):
    """Has ``close`` called once a body is on its way."""

    keeps_length = True
    close = staticmethod(bool)

    def handle(self, request, context, proceed):
        context.filter_requests(self)
        return proceed(request, context)

    def body(self, data):
        close, self.close = self.close, bool
        close()
        return data


@pytest.mark.parametrize("last", [b"", frames.goaway(1, NO_ERROR)], ids=["alone", "GOAWAY"])
@pytest.mark.parametrize("data", [WHOLE, CHUNKED])
def test_over_sockets_who_closes_before_the_end_of_the_turn_gets_nothing(data, last):
    closing = Closing()
    world = World(middleware=(closing,), upstream="h2c://10.0.0.1:80")
    world.client.sendall(GET)
    world.until(lambda: world.upstreams, "it is asked for")
    peer = Http2Peer(SocketPeer(world.upstreams[0]))
    world.until(lambda: peer.look().ended, "it is there")
    peer.answer(1)
    world.hear(world.client)
    world.turns()

    def close():
        peer.connection.send(last)
        peer.connection.end.shutdown(SHUT_WR)

    closing.close = close
    world.client.sendall(data)
    world.until(lambda: len(world.upstreams) == 2, "it goes elsewhere")
    again = Http2Peer(SocketPeer(world.upstreams[1]))
    world.until(lambda: again.look().ended, "it is there")
    assert again.bodies == {1: b"hello"} and not peer.look().bodies
    again.answer(1, body=b"done")
    assert world.carry(again.connection.end, b"", world.client, 300).endswith(b"done")
    world.close()


def test_held_bytes_are_forgotten_once_they_are_out(proxy2):
    kept = Kept(proxy2)
    kept.ask(WHOLE)
    (stream,) = kept.protocol.session.streams.values()
    output = kept.protocol.output
    assert stream._held and output._holding == [stream]
    kept.end_turn()
    assert stream._held is None and not output._holding and output._take == kept.protocol.session.sending.take
    assert kept.peer.look().bodies == {3: b"hello"}
    kept.peer.connection.send(kept.peer.head_frame(3) + data_frame(3, b"ok", ended=True))


class Loud:
    """Has bodies of POST pass a filter."""

    def __init__(self):
        self.upper = Upper()

    def handle(self, request, context, proceed):
        if request.method == b"POST":
            context.filter_requests(self.upper)
        return proceed(request, context)


@ENDS
@pytest.mark.parametrize("cut", range(len(CHUNKED) - 25, len(CHUNKED)))
def test_it_passes_filters_once(make, end, cut):
    loud = Loud()
    kept = Kept(make(Limits(), ("h2c://10.0.0.1:80",), middleware=(loud,)))
    client = kept.ask(CHUNKED[:cut])
    end(kept)
    kept.end_turn()
    client.send(CHUNKED[cut:])
    assert kept.has_seen_nothing()
    other = Http2Peer(kept.proxy.upstream)
    assert (other.bodies, other.ended) == ({1: b"HELLO!"}, {1})
    other.answer(1)
    assert status(client.received) == 200 and loud.upper.ends == 1


@pytest.mark.parametrize("data", [WHOLE, CHUNKED, TRAILERS])
def test_where_another_server_speaks_http1_it_goes_there(make2, data):
    proxy = make2(Limits(), ("h2c://10.0.0.1:80", "http://10.0.0.2:80"))
    kept = Kept(proxy)
    proxy.connect().send(GET)
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    client = kept.ask(data)
    proxy.network.script = [ConnectionRefused("no")]
    drop(kept)
    kept.end_turn()
    assert kept.has_seen_nothing() and len(proxy.network.connections) == 3
    head, _, body = proxy.upstream.received.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /x HTTP/1.1\r\n")
    wanted = {
        WHOLE: b"hello",
        CHUNKED: b"5\r\nhello\r\n0\r\n\r\n",
        TRAILERS: b"5\r\nhello\r\n0\r\nX-Sum: 9\r\n\r\n",
    }
    assert body.lower() == wanted[data].lower()
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert status(client.received) == 200


@ENDS
@pytest.mark.parametrize("length", [(), ((b"content-length", b"5"),)])
def test_the_body_of_a_client_of_http2_goes_elsewhere(make, end, length):
    proxy = make(Limits(), ("h2c://10.0.0.1:80",), h2c=True)
    kept = Kept(proxy)
    client = Http2Client(proxy.connect())
    stream = client.ask(*FIELDS, *length, ended=False)
    client.body(stream, b"he")
    end(kept)
    kept.end_turn()
    client.body(stream, b"llo", ended=True)
    assert kept.has_seen_nothing()
    other = Http2Peer(proxy.upstream)
    assert (other.bodies, other.ended) == ({1: b"hello"}, {1})
    other.answer(1)
    assert client.turn().responses[stream].status == 200


@ENDS
def test_who_was_told_to_go_on_is_not_asked_for_it_again(proxy2, end):
    kept = Kept(proxy2)
    at = WHOLE.index(b"hello")
    client = kept.ask(WHOLE[: at - 2] + b"Expect: 100-continue\r\n\r\n")
    kept.end_turn()
    kept.peer.look()
    kept.peer.connection.send(kept.peer.head_frame(3, 100))
    assert b"HTTP/1.1 100 Continue\r\n\r\n" in client.received
    client.send(b"hello")
    # The upstream has seen the head.
    end(kept)
    kept.end_turn()
    assert not kept.peer.look().bodies and len(proxy2.network.connections) == 1
    assert client.received.count(b"HTTP/1.1 50") == 1


def test_one_that_is_unseen_twice_goes_to_no_third(proxy2):
    kept = Kept(proxy2)
    client = kept.ask(WHOLE)
    drop(kept)
    kept.end_turn()
    other = Http2Peer(proxy2.upstream)
    other.connection.send(frames.rst_stream(1, REFUSED_STREAM))
    assert status(client.received) == 503 and len(proxy2.network.connections) == 2


@pytest.mark.parametrize("loud", [False, True])
@pytest.mark.parametrize("upstream", ["h2c://10.0.0.1:80", "h2c://10.0.0.1:80;max=4"])
@pytest.mark.parametrize("data", [WHOLE, CHUNKED, TRAILERS, POST + b"Content-Length: 40000\r\n\r\n" + b"hello" * 8000])
def test_who_is_found_gone_while_it_is_sent_gets_none_of_it(make, loud, upstream, data):
    begin = data.index(b"\r\n\r\n") + 4
    for cut in range(begin, min(len(data), begin + 40)):
        proxy = make(Limits(), (upstream,), middleware=(Loud(),) if loud else ())
        kept = Kept(proxy)
        # It is asked at once, which is when it is seen to be gone.
        output, protocol = kept.protocol.output, kept.protocol
        output._ask = lambda asking, data: asking.ask(data, None)
        output._unread = lambda: True
        output._look = lambda protocol=protocol: protocol._abort(None)
        client = kept.ask(data[:cut])
        client.send(data[cut:])
        assert kept.has_seen_nothing(), cut
        other = Http2Peer(proxy.upstream)
        body = b"hello" * (8000 if b"40000" in data else 1)
        assert (other.bodies, other.ended) == ({1: body.upper() + b"!" if loud else body}, {1}), cut
        other.answer(1)
        assert status(client.received) == 200 and len(proxy.network.connections) == 2, cut


class Shaped:
    """Has bodies pass valves."""

    def __init__(self):
        self.shaper = Shaper()

    def handle(self, request, context, proceed):
        plan = proceed(request, context)
        if request.method == b"POST":
            plan.bounds = Bounds(shaper=self.shaper)
        return plan


def test_what_a_valve_has_let_go_is_not_had_back(make):
    shaped = Shaped()
    kept = Kept(make(Limits(), ("h2c://10.0.0.1:80",), middleware=(shaped,)))
    client = kept.ask(WHOLE)
    shaped.shaper.of_client.grant(2)
    drop(kept)
    kept.end_turn()
    assert kept.has_seen_nothing() and len(kept.proxy.network.connections) == 1
    assert status(client.received) == 503
