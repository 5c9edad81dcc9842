"""Which connections are kept."""

import contextlib
import select
import socket

import pytest

from tests.net.sockets import World
from txproxy.proxy.upstream.connection_pool import Connections


class Connection:
    """Its streams are itself, as with HTTP/1; of which a multiplexed one has several."""

    def __init__(self, key, capacity=1):
        self.key, self.capacity = key, capacity

    def open(self):
        self.capacity -= 1
        return self


def test_the_one_used_last_is_taken_first():
    connections = Connections(per_address=5, in_all=5)
    first, second = Connection("a"), Connection("a")
    connections.give_back(first)
    connections.give_back(second)
    assert connections.lease("b") is None
    assert connections.lease("a") is second
    assert connections.lease("a") is first
    assert connections.lease("a") is None


def test_as_many_are_kept_as_there_are_requests_at_once():
    connections = Connections(per_address=1, in_all=5)
    connections.expect(3)
    connections.expect(2)
    kept = [Connection("a") for _ in range(4)]
    assert [connections.give_back(one) for one in kept] == [None, None, None, kept[0]]
    assert len(connections) == 3
    nothing = Connections(per_address=0, in_all=5)
    nothing.expect(3)
    assert nothing.give_back(kept[0]) is kept[0]


def test_none_is_kept_where_nobody_would_use_one():
    connections = Connections(per_address=5, in_all=5)
    connections.give_back(Connection("a"))
    connections.lease("a")
    connections.keep_none()
    late = Connection("a")
    assert connections.give_back(late) is late and connections.lease("a") is None


def test_the_oldest_of_an_address_goes_when_there_are_too_many():
    connections = Connections(per_address=1, in_all=5)
    first, second = Connection("a"), Connection("a")
    assert connections.give_back(first) is None
    assert connections.give_back(second) is first
    assert connections.all() == [second]
    assert connections.lease("a") is second
    assert connections.all() == []


def test_the_oldest_of_all_goes_when_there_are_too_many_in_all():
    connections = Connections(per_address=5, in_all=2)
    first, second, third = Connection("a"), Connection("b"), Connection("c")
    connections.give_back(first)
    connections.give_back(second)
    assert connections.give_back(third) is first
    assert len(connections) == 2


def test_the_only_one_of_an_address_makes_room_for_the_next():
    connections = Connections(per_address=5, in_all=1)
    first, second = Connection("a"), Connection("a")
    connections.give_back(first)
    assert connections.give_back(second) is first
    connections.discard(second)
    assert connections.lease("a") is None and len(connections) == 0


@pytest.mark.parametrize(("per_address", "in_all"), [(0, 5), (5, 0), (0, 0)])
def test_where_none_is_kept_each_one_is_to_be_closed(per_address, in_all):
    connections = Connections(per_address, in_all)
    one = Connection("a")
    assert connections.give_back(one) is one
    connections.discard(one)
    assert connections.lease("a") is None and len(connections) == 0


def test_one_that_is_discarded_is_not_taken():
    connections = Connections(per_address=5, in_all=5)
    connection = Connection("a")
    connections.discard(connection)
    connections.give_back(connection)
    connections.discard(connection)
    assert connections.lease("a") is None
    assert len(connections) == 0


def test_a_connection_is_leased_as_often_as_it_has_capacity():
    connections = Connections(per_address=5, in_all=5)
    many = Connection("a", capacity=3)
    connections.give_back(many)
    assert [connections.lease("a") for _ in range(4)] == [many, many, many, None]
    many.capacity = 1
    assert connections.give_back(many, idle=False) is None
    assert connections.has("a") and len(connections) == 0
    assert connections.lease("a") is many and not connections.has("a")


def test_one_with_streams_open_makes_no_room_and_is_no_surplus():
    connections = Connections(per_address=2, in_all=1)
    busy, first, second = Connection("a", capacity=2), Connection("a"), Connection("a")
    connections.give_back(busy)
    assert connections.lease("a") is busy
    assert connections.give_back(first) is None
    assert connections.give_back(second) is first
    assert connections.all() == [second]
    assert [connections.lease("a") for _ in range(3)] == [second, busy, None]


def test_one_that_is_idle_again_is_found_once():
    connections = Connections(per_address=1, in_all=5)
    many = Connection("a", capacity=2)
    connections.give_back(many)
    connections.lease("a")
    many.capacity = 2
    assert connections.give_back(many) is None
    assert connections.all() == [many]
    connections.discard(many)
    assert not connections.has("a") and connections.lease("a") is None


def test_what_ends_after_nobody_would_use_it_is_to_be_closed():
    connections = Connections(per_address=5, in_all=5)
    many = Connection("a", capacity=2)
    connections.give_back(many)
    connections.lease("a")
    connections.keep_none()
    assert connections.give_back(many) is many and not connections.has("a")


def test_nothing_is_remembered_of_addresses_without_a_connection():
    # A forward proxy meets very many.
    connections = Connections(per_address=5, in_all=5)
    for key in map(str, range(100)):
        connections.give_back(Connection(key))
        connections.discard(connections.lease(key))
    assert not vars(connections)["_free"] and not len(connections)


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE"])
def test_a_body_goes_to_no_connection_that_has_been_closed(method):
    # A request whose body has begun cannot be repeated, whatever its method.
    world = World()
    world.request(GET)
    world.upstreams[0].sendall(OK)
    assert world.hear(world.client) == OK
    world.upstreams[0].close()
    assert select.select(list(world.reactor.readers), [], [], 5)[0]
    # The end is there, and nobody has looked yet.
    world.downstream.dataReceived(method + b" / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
    assert len(world.upstreams) == 2
    assert world.hear(world.upstreams[1]).endswith(b"hello")
    world.upstreams[1].sendall(OK)
    assert world.hear(world.client) == OK
    world.close()


def test_peers_that_have_vanished_are_asked_after_a_minute_of_silence_by_the_system():
    world = World()
    world.client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    world.until(lambda: world.upstreams, "an upstream is dialled")
    (upstream,) = [one for one in world.reactor.readers if one is not world.downstream.transport]
    for transport in (world.downstream.transport, upstream):
        assert transport.getTcpKeepAlive()
        assert transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    world.close()


def test_what_an_upstream_said_before_it_closed_is_read_though_it_takes_no_more_of_the_request():
    world = World()
    world.request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
    upstream = world.upstreams[0]

    def full():
        with contextlib.suppress(BlockingIOError):
            world.client.send(b"x" * 65536)
        return world.reactor.writers

    (transport,) = world.until(full, "the upstream takes no more")
    upstream.send(b"HTTP/1.1 403 Forbidden\r\nDate: D\r\nContent-Length: 0\r\n\r\n")
    # with what was not read
    upstream.close()
    while transport.connected:
        # It is written before it is read.
        world.reactor.write()
    assert world.hear(world.client).startswith(b"HTTP/1.1 403 Forbidden\r\n")
    world.close()


def test_one_that_has_become_idle_comes_after_those_that_have_streams():
    connections = Connections(per_address=5, in_all=5)
    busy, idle = Connection("a", 3), Connection("a", 3)
    connections.give_back(busy, idle=False)
    connections.give_back(idle, idle=False)
    assert connections.give_back(idle) is None
    assert [connections.lease("a") for _ in range(4)] == [busy, busy, busy, idle]
    assert len(connections) == 0
