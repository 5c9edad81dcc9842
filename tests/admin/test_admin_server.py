"""Where the admin API listens."""

import socket

import attrs
import pytest
from twisted.internet.defer import Deferred

from tests.net.sockets import Turns
from tests.runtime.listening import ListeningReactor
from txproxy.admin.access_checks import Access
from txproxy.admin.admin_server import AdminServer
from txproxy.config.admin_endpoint import AdminConfig
from txproxy.errors import ConfigError
from txproxy.net.transports.adopted_ports import LeftSocket


def test_it_listens_when_it_is_opened_and_until_it_is_closed():
    reactor = ListeningReactor()
    server = AdminServer(Access(AdminConfig(listen="127.0.0.1:9090")), None, reactor)
    assert reactor.ports == {} and server.port is None
    server.close()
    server.open()
    client = reactor.connect(9090)
    client.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert client.take().startswith(b"HTTP/1.1 200 ")
    server.close()
    reactor.advance(0)
    assert not reactor.ports[9090].listens and client.closed and server.port is None
    assert reactor.getDelayedCalls() == []


def test_where_it_cannot_that_is_told():
    server = AdminServer(Access(AdminConfig(listen="127.0.0.1:9090")), None, ListeningReactor(taken=(9090,)))
    with pytest.raises(ConfigError, match=r"^listen: 127\.0\.0\.1:9090: cannot listen there: Address already in use$"):
        server.open()


def test_a_unix_socket_gets_the_mode_of_another_configuration(tmp_path):
    path = tmp_path / "a.sock"
    path.touch(0o600)
    server = AdminServer(Access(AdminConfig(listen=f"unix:{path}")), None, ListeningReactor())
    server.lead_to(Access(AdminConfig(listen=f"unix:{path}:mode=660")))
    assert path.stat().st_mode & 0o777 == 0o660
    assert server.config.listen.endswith("mode=660")


def test_the_socket_of_the_program_before_goes_on_and_its_path_is_removed_in_the_end(tmp_path):
    path = tmp_path / "a.sock"
    first, second = (Turns() for _ in range(2))
    config = AdminConfig(listen=f"unix:{path}:mode=660")
    before = AdminServer(Access(AdminConfig(listen=f"unix:{path}")), None, first)
    opened = socket.socket(socket.AF_UNIX)
    opened.bind(str(path))
    opened.listen()
    before.open(LeftSocket(opened, str(path)))
    paused = before.pause()
    first.advance(0.2)
    assert paused.called and not first.readers
    with socket.socket(socket.AF_UNIX) as client:
        # Who connects now waits for the next one.
        client.connect(str(path))
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        left = before.left
        assert left.path == str(path)
        after = AdminServer(Access(config), None, second)
        after.open(LeftSocket(left.socket.dup(), left.path))
        assert path.stat().st_mode & 0o777 == 0o660 and after.left.path == str(path)
        for _ in range(3):
            second.read(patience=1)
            second.end_turn()
            second.write()
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        after.close()
        second.turn()
    assert not path.exists()
    left.socket.detach()


def test_who_is_being_answered_is_waited_for_when_it_pauses_and_others_are_not():
    reactor = ListeningReactor()
    waiting = []

    async def wait(call):
        waiting.append(Deferred())
        return await waiting[-1]

    access = Access(AdminConfig(listen="127.0.0.1:9090"))
    server = AdminServer(access, None, reactor, lambda verb: attrs.evolve(verb, handle=wait))
    server.open()
    port = reactor.ports[9090]
    port.stopReading = port.startReading = lambda: None
    silent, busy, new = (reactor.connect(9090) for _ in range(3))
    busy.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    paused = server.pause()
    new.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    reactor.pump([0.1, 0])
    assert len(waiting) == 2
    waiting.pop().callback({"status": "ok"})
    assert new.take().startswith(b"HTTP/1.1 200 ")
    assert silent.closed and not busy.closed and not paused.called
    waiting.pop().callback({"status": "ok"})
    assert paused.called and busy.take().startswith(b"HTTP/1.1 200 ")
    busy.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    late = server.pause()
    reactor.pump([0.1, 1.1])
    # Nor for ever.
    assert late.called
    server.resume()
    server.close()
    reactor.advance(0)
