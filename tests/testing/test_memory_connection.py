"""The peer's side of a connection in memory."""

import tracemalloc

import pytest
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from zope.interface import implementer

from txproxy.testing.memory_connection import MemoryConnection


class Heard(Protocol):
    """Writes down what it is told."""

    def __init__(self):
        self.told = []

    def dataReceived(self, data):
        self.told.append(data)

    def connectionLost(self, reason):
        self.told.append(reason.type.__name__)


@implementer(IHalfCloseableProtocol)
class HeardByHalves(Heard):
    """The same, of each direction."""

    def readConnectionLost(self):
        self.told.append("read")

    def writeConnectionLost(self):
        self.told.append("write")


class Producer:
    """Writes down whether it is wanted."""

    def __init__(self):
        self.told = []

    def pauseProducing(self):
        self.told.append("pause")

    def resumeProducing(self):
        self.told.append("resume")


@pytest.fixture
def clock():
    return Clock()


def connected(clock, protocol):
    return protocol, MemoryConnection(clock, protocol)


def test_bytes_go_both_ways(clock):
    protocol, peer = connected(clock, Heard())
    peer.send(b"ab")
    peer.send_each_byte(b"cd")
    protocol.transport.write(b"1")
    protocol.transport.writeSequence([b"2", b"3"])
    assert (protocol.told, peer.take(), peer.take()) == ([b"ab", b"c", b"d"], b"123", b"")


def test_what_was_received_can_be_put_aside(clock):
    protocol, peer = connected(clock, Heard())
    protocol.transport.write(b"ab")
    peer.received = peer.received[:1]
    protocol.transport.write(b"c")
    assert peer.received == b"ac"
    peer.received = b""
    protocol.transport.write(memoryview(b"d"))
    assert (peer.received, peer.take(), peer.received) == (b"d", b"d", b"")


def test_what_is_written_is_what_it_was_then(clock):
    protocol, peer = connected(clock, Heard())
    buffer = bytearray(b"ab")
    protocol.transport.write(buffer)
    buffer[:] = b"xy"
    assert peer.received == b"ab" and type(peer.received) is bytes
    with pytest.raises(TypeError):
        protocol.transport.write("text")


@pytest.mark.parametrize("reads", [True, False])
def test_many_writes_are_not_copied_with_each(clock, reads):
    protocol, peer = connected(clock, Heard())
    if not reads:
        peer.stop_reading()
    piece = bytes(4096)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(256):
            protocol.transport.write(piece)
        assert tracemalloc.get_traced_memory()[1] - before < 65536, "there was never a copy of them all"
    finally:
        tracemalloc.stop()
    peer.read_on()
    assert len(peer.received) == 256 * 4096


def test_a_peer_that_does_not_read_pauses_who_writes_too_much(clock):
    protocol, peer = connected(clock, Heard())
    producer = Producer()
    protocol.transport.registerProducer(producer, True)
    with pytest.raises(RuntimeError, match="already"):
        protocol.transport.registerProducer(producer, True)
    peer.stop_reading()
    protocol.transport.write(b"x" * 65536)
    assert producer.told == []
    protocol.transport.write(b"x")
    assert (producer.told, peer.waiting, peer.received) == (["pause"], 65537, b"")
    peer.read_on()
    assert (producer.told, peer.waiting, len(peer.received)) == (["pause", "resume"], 0, 65537)


def test_what_waits_is_written_before_the_end(clock):
    protocol, peer = connected(clock, Heard())
    peer.stop_reading()
    protocol.transport.write(b"x")
    protocol.transport.loseConnection()
    clock.advance(0)
    assert not peer.closed
    peer.read_on()
    clock.advance(0)
    assert (peer.received, peer.closed, peer.reset, protocol.told) == (b"x", True, False, ["ConnectionDone"])


def test_after_the_end_nothing_comes_or_goes(clock):
    protocol, peer = connected(clock, Heard())
    protocol.transport.abortConnection()
    peer.send(b"late")
    clock.advance(0)
    protocol.transport.write(b"late")
    peer.send(b"later")
    assert (peer.received, peer.reset, protocol.told) == (b"", True, ["ConnectionLost"])


@pytest.mark.parametrize(
    ("protocol", "told", "closed"), [(Heard(), ["ConnectionDone"], True), (HeardByHalves(), ["read"], False)]
)
def test_the_peer_closes_its_side(clock, protocol, told, closed):
    _, peer = connected(clock, protocol)
    peer.end()
    assert (protocol.told, peer.closed) == (told, closed)


def test_one_side_can_be_closed_by_the_protocol(clock):
    protocol, peer = connected(clock, HeardByHalves())
    protocol.transport.loseWriteConnection()
    protocol.transport.write(b"late")
    peer.send(b"still")
    assert (peer.ended, peer.received, protocol.told) == (True, b"", [b"still"])


def test_a_pause_is_seen(clock):
    protocol, peer = connected(clock, Heard())
    protocol.transport.pauseProducing()
    assert peer.paused
    protocol.transport.resumeProducing()
    assert not peer.paused


@pytest.mark.parametrize(("clean", "reason"), [(True, "ConnectionDone"), (False, "ConnectionLost")])
def test_a_connection_is_lost_once(clock, clean, reason):
    protocol, peer = connected(clock, Heard())
    peer.drop(clean=clean)
    peer.drop()
    assert protocol.told == [reason]
