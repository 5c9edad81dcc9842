"""splice(2) between real sockets, with the test as the reactor."""

import contextlib
import errno
import os
import select
import socket
import struct

import pytest

from tests.net.descriptors import no_descriptor_to_be_had
from txproxy.net import splice

pytestmark = pytest.mark.skipif(not splice.AVAILABLE, reason="there is no splice(2) here")


class Reactor:
    """Readers and writers, called when they are ready."""

    def __init__(self):
        self.readers, self.writers = set(), set()
        self.addReader, self.addWriter = self.readers.add, self.writers.add
        self.removeReader, self.removeWriter = self.readers.discard, self.writers.discard

    def turn(self, patience=1):
        read, write, _ = select.select(list(self.readers), list(self.writers), [], patience)
        for side in read:
            side.doRead()
        for side in write:
            side.doWrite()


class World:
    """Two pairs of sockets with a splice between them; it is its own watcher."""

    def __init__(self):
        self.client, first = socket.socketpair()
        second, self.upstream = socket.socketpair()
        self.sockets = [self.client, first, second, self.upstream]
        for one in self.sockets:
            one.setblocking(False)
        self.reactor, self.pool = Reactor(), splice.PipePool()
        self.ended, self.half, self.by_first = [], 0, None
        self.splice = splice.Splice(self.reactor, first, second, self.pool, self)
        self.splice.start()

    def moved(self):
        pass

    def half_closing(self):
        self.half += 1

    def splice_ended(self, clean, by_first=None):
        self.ended.append(clean)
        self.by_first = by_first

    def carry(self, source, sink, data, gulp=1 << 20):
        """Send ``data`` into ``source`` and read it from ``sink`` as fast as it comes."""
        received = b""
        left = memoryview(data)
        while len(received) < len(data):
            assert not self.ended, "the splice has ended"
            if left:
                try:
                    left = left[source.send(left) :]
                except BlockingIOError:
                    pass
            # The reader comes next: nothing to wait for.
            self.reactor.turn(patience=0)
            try:
                received += sink.recv(gulp)
            except BlockingIOError:
                pass
        return received


@pytest.fixture
def world():
    made = World()
    yield made
    made.splice.stop()
    made.pool.close()
    for one in made.sockets:
        one.close()


@pytest.mark.parametrize("size", [1, 1000, 65536, 3_000_000])
def test_bytes_arrive_unchanged_both_ways(world, size):
    data = os.urandom(size)
    assert world.carry(world.client, world.upstream, data) == data
    assert world.carry(world.upstream, world.client, data[::-1]) == data[::-1]
    assert world.splice.moved_from_first == world.splice.moved_from_second == size


def test_a_reader_that_takes_little_gets_it_all(world):
    data = os.urandom(1_000_000)
    assert world.carry(world.client, world.upstream, data, gulp=5000) == data


def test_a_reader_that_stops_makes_the_source_stop(world):
    sent = 0
    for _ in range(200):
        try:
            sent += world.client.send(bytes(100_000))
        except BlockingIOError:
            pass
        world.reactor.turn(patience=0)
    assert sent < 10_000_000


def test_a_half_close_is_passed_on_and_the_other_direction_goes_on(world):
    world.client.send(b"last words")
    world.client.shutdown(socket.SHUT_WR)
    world.reactor.turn()
    world.reactor.turn()
    assert world.upstream.recv(100) == b"last words"
    assert world.upstream.recv(100) == b""
    assert world.half == 1 and not world.ended
    assert world.carry(world.upstream, world.client, b"still here") == b"still here"
    world.upstream.shutdown(socket.SHUT_WR)
    world.reactor.turn()
    assert world.ended == [True]
    assert not world.reactor.readers and not world.reactor.writers


def test_an_error_ends_both(world):
    world.upstream.close()
    world.client.send(b"x" * 1000)
    for _ in range(3):
        if world.reactor.readers:
            world.reactor.turn()
        if world.client.fileno() >= 0 and not world.ended:
            world.client.send(b"x")
    assert world.ended == [False] and world.by_first is None, "the second has closed before"


@pytest.mark.parametrize("first", [True, False])
def test_whoever_cuts_it_off_is_known(world, first):
    """With sockets of TCP, whose peers reset them."""
    pairs = []
    world.splice.stop()
    for _ in range(2):
        listening = socket.create_server(("127.0.0.1", 0))
        near = socket.create_connection(listening.getsockname())
        far, _ = listening.accept()
        listening.close()
        near.setblocking(False)
        world.sockets += [near, far]
        pairs.append((near, far))
    world.splice = splice.Splice(world.reactor, pairs[0][0], pairs[1][0], world.pool, world)
    world.splice.start()
    _, far = pairs[0 if first else 1]
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    while not world.ended:
        world.reactor.turn()
    assert world.ended == [False] and world.by_first is first


def test_idle_directions_hold_no_pipe(world):
    data = os.urandom(1_000_000)
    world.carry(world.client, world.upstream, data)
    assert len(world.pool._pipes) == 1


def test_without_descriptors_for_a_pipe_bytes_are_copied(world):
    data = os.urandom(1_000_000)
    with no_descriptor_to_be_had():
        with pytest.raises(OSError):
            splice.Pipe()
        assert world.carry(world.client, world.upstream, data) == data
    assert not world.ended
    assert world.carry(world.client, world.upstream, data) == data
    assert len(world.pool._pipes) == 1


def test_a_pipe_with_something_in_it_is_not_used_again():
    pool = splice.PipePool()
    pipe = pool.take()
    pipe.filled = 1
    pool.give_back(pipe)
    other = pool.take()
    assert other is not pipe
    pool.give_back(other)
    assert pool.take() is other
    pool.give_back(other)
    pool.close()


@pytest.mark.parametrize("size", [1000, 3_000_000])
def test_one_that_stands_still_gives_what_another_goes_on_with(world, size):
    data = os.urandom(size)
    left, received = memoryview(data), b""
    while left:
        try:
            left = left[world.client.send(left) :]
        except BlockingIOError:
            world.reactor.turn(patience=0)
            if world.reactor.writers:
                break
    world.reactor.turn(patience=0)
    world.upstream.shutdown(socket.SHUT_WR)
    world.reactor.turn(patience=0)
    first, second = world.splice.stand_still()
    assert not world.reactor.readers and not world.reactor.writers and world.ended == []
    assert bool(first.waiting) is (size > 1000) and not first.ended and second.ended
    world.splice = splice.Splice(world.reactor, world.sockets[1], world.sockets[2], world.pool, world)
    world.splice.start(first, second)
    while len(received) < size:
        if left:
            with contextlib.suppress(BlockingIOError):
                left = left[world.client.send(left) :]
        world.reactor.turn(patience=0)
        with contextlib.suppress(BlockingIOError):
            received += world.upstream.recv(1 << 20)
    assert received == data
    world.client.shutdown(socket.SHUT_WR)
    world.reactor.turn()
    assert world.ended == [True]


def test_who_is_gone_when_it_is_told_of_an_end_is_still_read_to_its_own(world, monkeypatch):
    world.upstream.sendall(b"last words")
    # As TCP has it for a peer that has closed, and was told so before.
    monkeypatch.setattr(world.splice._second, "socket", Refusing(world.sockets[2]))
    world.client.shutdown(socket.SHUT_WR)
    world.reactor.turn()
    assert world.ended == [] and world.client.recv(100) == b"last words"
    world.upstream.close()
    world.reactor.turn()
    assert world.ended == [True]


class Refusing:
    """A socket that cannot be shut down."""

    def __init__(self, handle):
        self.recv, self.send = handle.recv, handle.send

    def shutdown(self, how):
        raise OSError(errno.ENOTCONN, "not connected")
