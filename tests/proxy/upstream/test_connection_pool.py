"""Which connections are kept."""

import contextlib
import select
import socket

import pytest

from tests.net.sockets import World
from txproxy.proxy.upstream.connection_pool import Connections


class Connection:
    def __init__(self, key):
        self.key = key


def test_the_one_used_last_is_taken_first():
    connections = Connections(per_address=5, in_all=5)
    first, second = Connection("a"), Connection("a")
    connections.keep(first)
    connections.keep(second)
    assert connections.take("b") is None
    assert connections.take("a") is second
    assert connections.take("a") is first
    assert connections.take("a") is None


def test_none_is_kept_where_nobody_would_use_one():
    connections = Connections(per_address=5, in_all=5)
    connections.keep(Connection("a"))
    connections.take("a")
    connections.keep_none()
    late = Connection("a")
    assert connections.keep(late) is late and connections.take("a") is None


def test_the_oldest_of_an_address_goes_when_there_are_too_many():
    connections = Connections(per_address=1, in_all=5)
    first, second = Connection("a"), Connection("a")
    assert connections.keep(first) is None
    assert connections.keep(second) is first
    assert connections.all() == [second]
    assert connections.take("a") is second
    assert connections.all() == []


def test_the_oldest_of_all_goes_when_there_are_too_many_in_all():
    connections = Connections(per_address=5, in_all=2)
    first, second, third = Connection("a"), Connection("b"), Connection("c")
    connections.keep(first)
    connections.keep(second)
    assert connections.keep(third) is first
    assert len(connections) == 2


def test_the_only_one_of_an_address_makes_room_for_the_next():
    connections = Connections(per_address=5, in_all=1)
    first, second = Connection("a"), Connection("a")
    connections.keep(first)
    assert connections.keep(second) is first
    connections.discard(second)
    assert connections.take("a") is None and len(connections) == 0


@pytest.mark.parametrize(("per_address", "in_all"), [(0, 5), (5, 0), (0, 0)])
def test_where_none_is_kept_each_one_is_to_be_closed(per_address, in_all):
    connections = Connections(per_address, in_all)
    one = Connection("a")
    assert connections.keep(one) is one
    connections.discard(one)
    assert connections.take("a") is None and len(connections) == 0


def test_one_that_is_discarded_is_not_taken():
    connections = Connections(per_address=5, in_all=5)
    connection = Connection("a")
    connections.discard(connection)
    connections.keep(connection)
    connections.discard(connection)
    assert connections.take("a") is None
    assert len(connections) == 0


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
