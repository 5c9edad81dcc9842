"""What transports tell of what waits in them."""

import socket

import pytest
from OpenSSL import SSL
from twisted.internet import tcp, unix
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOProtocol

from tests.net.sockets import Turns, World, connected_pair
from tests.tls.authority import new_ca
from txproxy.net.in_process import connect_local
from txproxy.net.transports import TLSServer, TurnWrites, has_ended, set_tcp_options, unread_function
from txproxy.testing import MemoryConnection
from txproxy.tls.listener_contexts import ListenerTls, ServerTls


class Plain(TLSMemoryBIOProtocol):
    """TLS as far as it matters here: a protocol that is a transport as well."""

    def __init__(self):
        pass


def plain():
    here, there = connected_pair(65536)
    return tcp.Server(here, Protocol(), here.getpeername(), None, 0, Turns()), there


@pytest.mark.parametrize("wraps", [0, 1, 2])
@pytest.mark.parametrize("said", [b"x", None])
def test_what_waits_in_the_kernel_is_seen_through_tls_as_well(wraps, said):
    transport, other = plain()
    unread = transport
    for _ in range(wraps):
        tls = Plain()
        tls.transport = unread
        unread = tls
    unread = unread_function(unread)
    assert not unread()
    if said:
        other.sendall(said)
    else:
        other.shutdown(socket.SHUT_WR)
    assert unread()
    assert has_ended(transport) is (said is None)
    other.close()
    transport.socket.close()


def test_nothing_that_waits_is_no_end():
    transport, other = plain()
    assert not has_ended(transport)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    other.close()
    assert has_ended(transport)
    transport.socket.close()


def test_what_waits_within_the_process_is_seen():
    clock = Clock()
    asking, answering = Protocol(), Protocol()
    connect_local(clock, Factory.forProtocol(lambda: answering), lambda: asking)
    unread = unread_function(asking.transport)
    assert not unread()
    answering.transport.write(b"x")
    assert unread()
    clock.advance(0)
    assert not unread()
    answering.transport.loseConnection()
    assert unread()
    clock.advance(0)
    clock.advance(0)


def test_of_a_transport_that_nobody_knows_nothing_is_said():
    connection = MemoryConnection(Clock(), Protocol())
    assert not unread_function(connection)()
    assert not has_ended(connection)


def test_peers_that_send_in_very_small_chunks_are_read_less_of_at_once():
    world = World()
    head = b"Transfer-Encoding: chunked\r\n\r\n"
    tiny = b"1\r\nx\r\n" * 1000
    world.request(b"POST / HTTP/1.1\r\nHost: a\r\n" + head)
    transports = [one for one in world.reactor.readers if isinstance(one, tcp.Server)]
    world.client.send(tiny)
    world.upstreams[0].send(b"HTTP/1.1 200 OK\r\n" + head + tiny)
    world.until(lambda: {one.bufferSize for one in transports} == {4096}, "less is read")
    world.client.send(b"0\r\n\r\n")
    world.upstreams[0].send(b"0\r\n\r\n")
    received = bytearray()
    while not received.endswith(b"0\r\n\r\n"):
        received += world.hear(world.client)
    assert received.count(b"x") == 1000
    world.close()


@pytest.mark.parametrize("kind", [unix.Client, unix.Server])
def test_a_unix_socket_is_given_no_options_of_tcp(kind):
    here, there = socket.socketpair()
    transport = kind.__new__(kind)
    transport.socket = here
    with here, there:
        set_tcp_options(transport)


def test_an_alert_of_tls_on_the_socket_reaches_the_client(tmp_path):
    files = new_ca().issue("a.example").write(tmp_path, "a")
    tls = ServerTls(ListenerTls(certificates=(files,)))
    here, there = connected_pair(65536)
    server = TLSServer(here, Protocol(), here.getpeername(), None, 0, Turns())
    server.startTLSOnSocket(tls.context())
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_alpn_protos([b"h2"])
    client = SSL.Connection(context, None)
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    there.sendall(client.bio_read(65536))
    assert server.doRead() is CONNECTION_LOST
    # RFC 7301 section 3.2: fatal, no_application_protocol
    assert there.recv(100)[5:] == b"\x02\x78"
    there.close()
    here.close()


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
