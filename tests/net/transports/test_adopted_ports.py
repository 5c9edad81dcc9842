"""Ports on sockets that others have as well."""

import os
import socket

import pytest
from twisted.internet import unix
from twisted.internet.endpoints import AdoptedStreamServerEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol

from tests.net.sockets import Turns
from txproxy.net.transports.adopted_ports import AdoptedEndpoint, as_it_is


class Reactor(Turns):
    """Adopts ports of TCP as Twisted does."""

    def adoptStreamPort(self, descriptor, family, factory):
        from twisted.internet import tcp

        port = tcp.Port._fromListeningDescriptor(self, descriptor, family, factory)
        port.startListening()
        return port


@pytest.fixture
def opened(tmp_path):
    """A listening socket of each family, by name."""
    path = str(tmp_path / "s")
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as named:
        named.bind(path)
        os.chmod(path, 0o600)
        named.listen()
        yield {"tcp": tcp, "unix": named}


def adopt(opened, shared=True):
    endpoint = AdoptedEndpoint(Reactor(), os.dup(opened.fileno()), opened.family, shared)
    built = []
    factory = Factory.forProtocol(lambda: built.append(Protocol()) or built[-1])
    result = []
    endpoint.listen(factory).addCallback(result.append)
    with pytest.raises(OSError):
        # It has one of its own.
        os.fstat(endpoint.descriptor)
    return result[0], built


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_who_shares_takes_one_a_turn(opened, family):
    port, built = adopt(opened[family])
    clients = [socket.socket(opened[family].family) for _ in range(3)]
    for client in clients:
        client.connect(opened[family].getsockname())
    for count in (1, 2, 3):
        port.doRead()
        assert len(built) == count
    for end in (*clients, *(protocol.transport.socket for protocol in built)):
        end.close()
    port.connectionLost(None)


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_who_has_it_as_well_listens_on(opened, family):
    port, _ = adopt(opened[family], shared=False)
    port.connectionLost(None)
    with socket.socket(opened[family].family) as client:
        client.connect(opened[family].getsockname())
        opened[family].accept()[0].close()


def test_a_path_stays_and_is_for_whom_it_was(opened):
    path = opened["unix"].getsockname()
    port, _ = adopt(opened["unix"])
    assert type(port) is unix.Port
    port.connectionLost(None)
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_path_of_the_service_manager_is_left_to_it(opened):
    reactor = Reactor()
    given = AdoptedStreamServerEndpoint(reactor, os.dup(opened["unix"].fileno()), socket.AF_UNIX)
    endpoint = as_it_is(given, reactor)
    result = []
    endpoint.listen(Factory.forProtocol(Protocol)).addCallback(result.append)
    result[0].connectionLost(None)
    assert os.path.exists(opened["unix"].getsockname())
    for other in (TCP4ServerEndpoint(reactor, 0), AdoptedStreamServerEndpoint(reactor, 0, socket.AF_INET)):
        assert as_it_is(other, reactor) is other
