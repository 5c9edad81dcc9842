"""splice(2) between real sockets, with the test as the reactor."""

import os
import select
import socket

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
        self.ended, self.half = [], 0
        self.splice = splice.Splice(self.reactor, first, second, self.pool, self)
        self.splice.start()

    def moved(self):
        pass

    def half_closing(self):
        self.half += 1

    def splice_ended(self, clean):
        self.ended.append(clean)

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
    assert world.ended == [False]


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
