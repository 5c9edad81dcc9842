"""Plain connections, and the sockets under them."""

import select
import socket
import struct

import pytest
from twisted.internet import tcp
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

from tests.net.sockets import World, close, plain_transport
from txproxy.net.transports.plain_transports import (
    descriptor,
    ordinary_read,
    plain_socket,
    replace_read,
    write_ahead,
    write_plain,
)
from txproxy.testing import MemoryConnection


def test_little_is_read_at_once_of_who_sends_little_or_in_very_small_chunks():
    world = World()
    head = b"Transfer-Encoding: chunked\r\n\r\n"
    tiny = b"1\r\nx\r\n" * 1000

    def sizes():
        return [one.bufferSize for one in world.reactor.readers if type(one) in (tcp.Server, tcp.Client)]

    world.request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    world.upstreams[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
    world.hear(world.client)
    assert len(sizes()) == 2 and set(sizes()) == {4096}
    world.client.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + head + b"3\r\nabc\r\n")
    world.hear(world.upstreams[0])
    world.upstreams[0].send(b"HTTP/1.1 200 OK\r\n" + head + b"3\r\nabc\r\n")
    world.until(lambda: set(sizes()) == {65536}, "more is read")
    world.client.send(tiny)
    world.upstreams[0].send(tiny)
    world.until(lambda: set(sizes()) == {4096}, "less is read")
    world.client.send(b"0\r\n\r\n")
    world.upstreams[0].send(b"0\r\n\r\n")
    received = bytearray()
    while not received.endswith(b"0\r\n\r\n"):
        received += world.hear(world.client)
    assert received.count(b"x") == 1000
    world.close()


def test_what_the_kernel_takes_is_with_the_peer_before_the_next_turn():
    transport, there = plain_transport()
    write_plain(transport, b"hello")
    assert there.recv(100) == b"hello"
    assert not transport.dataBuffer and not transport._tempDataLen
    close(transport, there)


def test_what_the_kernel_does_not_take_goes_out_later_and_in_order():
    transport, there = plain_transport(kernel=4096)
    sent = bytes(range(256)) * 20000
    write_plain(transport, sent)
    assert plain_socket(transport) is None
    write_plain(transport, b"the last")
    received = bytearray()
    while len(received) < len(sent) + 8:
        if select.select([there], list(transport.reactor.writers), [])[0]:
            received += there.recv(1 << 20)
        transport.reactor.write()
    assert bytes(received) == sent + b"the last"
    assert plain_socket(transport) is transport.socket
    close(transport, there)


def test_small_pieces_that_wait_take_about_their_size():
    transport, there = plain_transport(kernel=4096)
    sent = b"".join(b"%07d" % number for number in range(20_000))
    large = bytes(5_000_000)
    write_plain(transport, large)
    for at in range(0, len(sent), 7):
        write_plain(transport, sent[at : at + 7])
    waiting = transport._tempDataBuffer
    assert len(waiting) < 20_000 * 7 / 1000 and transport._tempDataLen == sum(map(len, waiting))
    received = bytearray()
    while len(received) < len(large) + len(sent):
        if select.select([there], list(transport.reactor.writers), [])[0]:
            received += there.recv(1 << 20)
        transport.reactor.write()
    assert received[len(large) :] == sent
    close(transport, there)


def test_a_dead_connection_is_left_to_the_transport_to_find():
    transport, there = plain_transport()
    transport.socket.shutdown(socket.SHUT_WR)
    write_plain(transport, b"hello")
    assert transport._tempDataLen == 5
    close(transport, there)


def data_segments(end):
    """How many segments with data the kernel has sent."""
    return struct.unpack_from("=I", end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 156)[0]


@pytest.mark.skipif(not hasattr(socket, "MSG_MORE"), reason="the kernel cannot be told that more follows")
def test_what_is_written_ahead_goes_out_with_what_follows():
    transport, there = plain_transport()
    handle = plain_socket(transport)
    for _ in range(20):
        before = data_segments(handle)
        assert write_ahead(transport, b"the head, ")
        handle.send(b"the body")
        assert there.recv(18, socket.MSG_WAITALL) == b"the head, the body"
        # The kernel waits a moment, and not for ever.
        if data_segments(handle) == before + 1:
            break
    else:
        raise AssertionError("they never go out together")
    close(transport, there)


def test_what_the_kernel_does_not_take_ahead_is_left_to_the_transport():
    transport, there = plain_transport(kernel=4096)
    sent = bytes(range(256)) * 20000
    assert not write_ahead(transport, sent)
    assert plain_socket(transport) is None
    received = bytearray()
    while len(received) < len(sent):
        if select.select([there], list(transport.reactor.writers), [])[0]:
            received += there.recv(1 << 20)
        transport.reactor.write()
    assert bytes(received) == sent
    transport.socket.shutdown(socket.SHUT_WR)
    assert not write_ahead(transport, b"hello")
    assert transport._tempDataLen == 5
    close(transport, there)


def test_bytes_may_pass_by_a_plain_transport_alone_and_before_its_end():
    transport, there = plain_transport()
    assert plain_socket(transport) is transport.socket
    assert descriptor(transport) == transport.socket.fileno()
    transport.disconnecting = True
    assert plain_socket(transport) is None
    other = MemoryConnection(Clock(), Protocol())
    assert (plain_socket(other), descriptor(other)) == (None, -1)
    close(transport, there)


def test_reading_can_be_replaced_for_a_while():
    transport, there = plain_transport()
    came = []
    transport.protocol.dataReceived = came.append
    replace_read(transport, lambda: came.append("in its place"))
    there.sendall(b"x")
    select.select([transport], [], [])
    transport.doRead()
    assert came == ["in its place"]
    ordinary_read(transport)
    assert came == ["in its place", b"x"]
    replace_read(transport, None)
    replace_read(transport, None)
    there.sendall(b"y")
    select.select([transport], [], [])
    transport.doRead()
    assert came[2:] == [b"y"]
    close(transport, there)
