"""What goes out to an upstream that speaks HTTP/2, in a turn: between a codec and a socket, with no proxy around."""

import pytest
from hpack import Encoder

from tests.net.sockets import close, plain_transport
from tests.wire.http2.taken_apart import taken_apart
from txproxy.proxy.upstream.http2.upstream_output import UpstreamOutput
from txproxy.wire.headers import Headers
from txproxy.wire.http2 import frames
from txproxy.wire.http2.client import ClientSession
from txproxy.wire.message import RequestHead


class Held:
    """A stream with something of a body, which it writes when it has to let go."""

    def __init__(self, session, name, told):
        self.session, self.name, self.told = session, name, told
        self.stream = session.send_request(
            RequestHead(b"POST", b"/", Headers.from_lines([b"Host: a"]), b"a"), b"http", False
        )

    def let_go(self):
        self.told.append(self.name)
        self.session.send_body(self.stream, self.name)


class Output:
    """The output of a connection that has begun; ``there`` is the upstream's end, and ``looks`` how often it was looked
    what lies there, which has ``on_look`` called.
    """

    def __init__(self):
        self.transport, self.there = plain_transport()
        self.session = ClientSession()
        self.session.receive(frames.settings(()))
        self.looks = 0
        self.on_look = lambda: None
        self.output = UpstreamOutput(self.session, self.transport, self.transport.reactor.turn_writes, self._look)
        self.output.want()
        self.end_turn()
        self.take()

    def _look(self):
        self.looks += 1
        self.on_look()

    def ask(self):
        """A request without a body; the number of its stream."""
        head = RequestHead(b"GET", b"/", Headers.from_lines([b"Host: a"]), b"a")
        return self.session.send_request(head, b"http", True)

    def answer(self, stream):
        self.session.receive(frames.headers(stream.id, Encoder().encode([(b":status", b"204")]), True, 16384))
        self.session.leave(stream)

    def end_turn(self):
        self.transport.reactor.end_turn()

    def take(self):
        """What has come to the upstream, as frames."""
        self.there.setblocking(False)
        try:
            data = self.there.recv(65536)
        except BlockingIOError:
            return []
        data = data.removeprefix(frames.PREFACE)
        return [(name, stream) for name, _, stream, _ in taken_apart(data)]


@pytest.fixture
def made():
    made = Output()
    yield made
    close(made.transport, made.there)


def test_all_of_a_turn_goes_out_at_its_end(made):
    made.ask()
    made.output.want()
    made.ask()
    made.output.want()
    assert made.output.wanted and made.take() == [] and made.output.last == 0
    made.end_turn()
    assert not made.output.wanted and made.output.last == 3
    assert made.take() == [("HEADERS", 1), ("HEADERS", 3)]
    assert made.transport.reactor.due == [], "once is enough"


def test_who_has_nothing_to_say_writes_nothing(made):
    made.output.want()
    made.end_turn()
    assert made.take() == [] and made.output.last == 0


@pytest.mark.parametrize("polled", [True, False])
def test_what_lies_there_before_a_request_is_looked_at_first(made, polled):
    made.answer(made.ask())
    made.output.want()
    made.end_turn()
    made.take()
    made.ask()
    made.there.sendall(frames.ping(b"8" * 8))
    # What is wanted while it is looked goes out with the rest, in this very turn.
    made.on_look = lambda: (made.session.receive(frames.ping(b"8" * 8)), made.output.want())
    made.output.ask(b"", {made.output.descriptor} if polled else None)
    assert (made.looks, made.output.wanted) == (1, False)
    assert made.take() == [("HEADERS", 3), ("PING", 0)]
    assert made.transport.reactor.due == []


@pytest.mark.parametrize("readable", [None, set()])
def test_nothing_is_looked_at_where_nothing_lies_there(made, readable):
    made.answer(made.ask())
    made.output.want()
    made.end_turn()
    made.take()
    made.ask()
    made.output.ask(b"", readable)
    assert made.looks == 0 and made.take() == [("HEADERS", 3)]


def test_what_comes_while_something_is_asked_may_be_its_answer(made):
    first = made.ask()
    made.output.want()
    made.end_turn()
    made.take()
    made.there.sendall(b"x")
    made.ask()
    made.output.ask(b"", None)
    assert made.looks == 0, "of a request that has gone out before"
    made.answer(first)
    made.output.ask(b"", None)
    assert made.looks == 0, "nothing new goes out"
    assert made.take() == [("HEADERS", 3)]


def test_of_what_never_was_asked_nothing_can_lie_there(made):
    made.there.sendall(b"x")
    made.ask()
    made.output.ask(b"", None)
    assert made.looks == 0 and made.take() == [("HEADERS", 1)], "the first of all"


def test_a_connection_that_is_found_to_be_over_sends_no_more(made):
    made.answer(made.ask())
    made.output.want()
    made.end_turn()
    made.take()
    made.ask()
    made.there.sendall(b"x")
    made.on_look = made.output.stop
    made.output.want()
    made.end_turn()
    assert (made.looks, made.take(), made.output.last) == (1, [], 1), "its request can go elsewhere"
    made.output.want()
    assert not made.output.wanted and made.transport.reactor.due == []


def test_bodies_are_let_go_of_once_when_something_goes_out(made):
    told = []
    for name in (b"one", b"two"):
        made.output.hold(Held(made.session, name, told))
    assert told == []
    made.output.ask(b"", None)
    assert told == [b"one", b"two"]
    assert made.take() == [("HEADERS", 1), ("HEADERS", 3), ("DATA", 1), ("DATA", 3)]
    made.output.ask(b"", None)
    assert told == [b"one", b"two"] and made.take() == []
    made.output.hold(Held(made.session, b"three", told))
    made.output.ask(b"", None)
    assert told[2:] == [b"three"] and made.take() == [("HEADERS", 5), ("DATA", 5)]


def test_who_holds_a_body_while_others_let_go_keeps_it_for_the_next_time(made):
    told = []

    class Holding(Held):
        def let_go(self):
            super().let_go()
            made.output.hold(second)

    first, second = Holding(made.session, b"first", told), Held(made.session, b"second", told)
    made.output.hold(first)
    made.output.ask(b"", None)
    assert told == [b"first"]
    made.output.ask(b"", None)
    assert told == [b"first", b"second"]


def test_what_was_stopped_lets_go_of_nothing(made):
    told = []
    made.output.hold(Held(made.session, b"one", told))
    made.output.stop()
    made.output.ask(b"", None)
    made.output.end(said=True)
    assert told == [] and ("DATA", 1) not in made.take()


@pytest.mark.parametrize("said", [True, False])
def test_a_last_word_is_said_or_not(made, said):
    made.session.go_away()
    made.output.end(said)
    assert made.take() == ([("GOAWAY", 0)] if said else [])
    made.output.want()
    made.end_turn()
    assert made.output.stopped and made.take() == []


def test_who_speaks_when_nothing_is_asked_is_found_out(made):
    assert not made.output.is_spoken_to()
    made.there.sendall(b"x")
    assert made.output.is_spoken_to()
    stream = made.ask()
    assert made.output.is_spoken_to(), "it has not gone out"
    made.output.ask(b"", None)
    assert not made.output.is_spoken_to(), "it may be the answer"
    made.answer(stream)
    assert made.output.is_spoken_to()
