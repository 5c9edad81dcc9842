"""Writes that wait for the end of a turn."""

import socket
from types import SimpleNamespace

from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

from tests.net.sockets import close, connected_pair, plain_transport
from txproxy.net.transports.plain_transports import write_plain
from txproxy.net.transports.tls_transports import TLSServer, write_tls
from txproxy.net.transports.turn_writes import TurnWrites, ask_function, write_function
from txproxy.testing import MemoryConnection


class Asks:
    """A connection on which a request is to go out, and what is known of it by then."""

    def __init__(self):
        self.here, self.there = connected_pair(65536)
        self.descriptor = self.here.fileno()
        self.told = None

    def ask(self, data, readable):
        self.told = readable is not None and self.descriptor in readable


def test_all_that_ask_in_one_turn_are_told_who_has_spoken_or_left_before():
    turn = TurnWrites(lambda flush: None)
    asking = [Asks(), Asks(), Asks()]
    speaks, leaves = asking[1:]
    speaks.there.sendall(b"x")
    leaves.there.close()
    for one in asking:
        turn.ask(one, b"GET")
    turn.flush()
    assert [one.told for one in asking] == [False, True, True]
    for one in asking:
        one.here.close()
        one.there.close()


def test_who_asks_alone_is_to_look_itself():
    turn = TurnWrites(lambda flush: None)
    looked = []

    class Alone:
        descriptor = -1

        def ask(self, data, readable):
            looked.append(readable)

    turn.ask(Alone(), b"GET")
    turn.flush()
    assert looked == [None]


def test_writes_of_a_turn_go_out_together_before_its_requests():
    flushes, asked = [], []
    turn = TurnWrites(flushes.append)
    transport, there = plain_transport()
    there.setblocking(False)

    class Asking:
        descriptor = -1

        def ask(self, data, readable):
            asked.append((data, there.recv(100)))

    ask_function(transport, turn)(Asking(), b"GET")
    write = write_function(transport, turn)
    write(transport, b"one ")
    write(transport, b"two")
    assert asked == []
    assert flushes == [turn.flush]
    turn.flush()
    assert asked == [(b"GET", b"one two")]
    write(transport, b"three")
    assert flushes == [turn.flush, turn.flush]
    turn.flush_writes()
    assert there.recv(100) == b"three"
    close(transport, there)


def test_what_passes_by_a_transport_comes_after_all_that_was_written_and_gathered():
    turn = TurnWrites(lambda flush: None)
    transport, there = plain_transport()
    turn.plain(transport, b"one ")
    gathered = [b"two ", b"three "]
    turn.socket_after(transport, gathered).send(b"four")
    assert gathered == [] and there.recv(18, socket.MSG_WAITALL) == b"one two three four"
    turn.socket_after(transport, []).send(b" five")
    assert there.recv(5, socket.MSG_WAITALL) == b" five"
    close(transport, there)


def test_nothing_passes_by_a_transport_that_has_something_to_write_or_is_none_of_the_kernels():
    turn = TurnWrites(lambda flush: None)
    transport, there = plain_transport(kernel=4096)
    assert turn.socket_after(transport, [bytes(1 << 20)]) is None
    gathered = [b"more"]
    assert turn.socket_after(transport, gathered) is None
    assert turn.socket_after(MemoryConnection(Clock(), Protocol()), gathered) is None
    assert gathered == [b"more"]
    close(transport, there)


def test_a_reactor_with_writes_of_its_own_is_asked_for_no_call():
    own = TurnWrites()
    assert TurnWrites.of(SimpleNamespace(turn_writes=own)) is own
    clock = Clock()
    transport, there = plain_transport()
    TurnWrites.of(clock).plain(transport, b"hello")
    clock.advance(0)
    assert there.recv(100) == b"hello"
    close(transport, there)


def test_the_way_to_write_is_that_of_the_exact_kind():
    class Other(TLSServer):
        """What somebody has changed is not known."""

    transport, there = plain_transport()
    kinds = [transport, TLSServer.__new__(TLSServer), Other.__new__(Other)]
    ways = [write_function(kind) for kind in kinds]
    assert ways[:2] == [write_plain, write_tls]
    assert ways[2] not in ways[:2]
    turn = TurnWrites()
    assert [write_function(kind, turn) for kind in kinds] == [turn.plain, turn.tls, ways[2]]
    close(transport, there)


def test_a_transport_that_nobody_knows_is_written_to_and_asked_at_once():
    connection = MemoryConnection(Clock(), Protocol())
    written, asked = [], []
    connection.write = written.append
    turn = TurnWrites()
    write_function(connection, turn)(connection, b"hello")
    ask_function(connection, turn)(SimpleNamespace(ask=lambda *what: asked.append(what)), b"GET")
    assert (written, asked) == ([b"hello"], [(b"GET", None)])
