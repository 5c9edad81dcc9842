"""Asking name servers: by UDP from a socket for each question, and by TCP where an answer is too long for that.

A question that nobody waits for any more is forgotten at once, with its sockets and its timer: unlike a thread in the
C library, it takes nothing from anybody then. So no thread is used here at all.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from os import urandom
from typing import Any, Final, Protocol, TypeAlias

import attrs
from twisted.internet import endpoints, protocol
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ConnectTimeout, DialError, DnsError, OutOfSockets
from txproxy.net.dns.resolv_conf import ResolvConf
from txproxy.wire.dns import NO_ERROR, NO_SUCH_NAME, Record, question, read_response

PORT: Final = 53
# Once one kind of records was found, how long the others are waited for: servers that never answer for IPv6 are to
# hold up nobody.
_SOON: Final = 0.5
# By TCP, for all of it: one that drips is as good as silent.
_TCP_TIMEOUT: Final = 5.0
_LARGEST: Final = 65535
# What the system says where it has no socket left.
OUT_OF_SOCKETS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_READ_AT_ONCE: Final = 16
_REASONS: Final = {1: "did not understand", 2: "failed", 4: "does not do that", 5: "refused to answer"}

Heard: TypeAlias = Callable[[bytes], object]
Answers: TypeAlias = "dict[int, tuple[Record, ...]]"


class Socket(Protocol):
    """One that is connected to a name server."""

    def send(self, data: bytes) -> None:
        """Send it; an ``OSError`` if it cannot be."""

    def close(self) -> None:
        """The end."""


# From reactor, server, port, what to call with a datagram, and what to call if nobody listens there.
OpenSocket: TypeAlias = "Callable[[Any, str, int, Heard, Callable[[], object]], Socket]"


@implementer(IReadDescriptor)
class UdpSocket:
    """A connected one, so that the kernel lets nobody else's datagrams in, at a port that nobody can foretell.

    Twisted's own writes two lines to the log for each.
    """

    def __init__(self, reactor: Any, server: str, port: int, heard: Heard, refused: Callable[[], object]) -> None:
        self._reactor = reactor
        self._heard = heard
        self._refused = refused
        self._socket = made = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)
            made.connect((server, port))
        except OSError:
            made.close()
            raise
        reactor.addReader(self)

    def fileno(self) -> int:
        """For Twisted."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """For Twisted."""
        return "txproxy"

    def doRead(self) -> None:
        """For Twisted."""
        for _ in range(_READ_AT_ONCE):
            if self._socket.fileno() < 0:
                return
            try:
                data = self._socket.recv(_LARGEST)
            except BlockingIOError:
                return
            except OSError:
                # from ICMP: nobody listens there, or there is no way
                self._refused()
                return
            self._heard(data)

    def connectionLost(self, reason: Failure) -> None:
        """For Twisted: it has found something wrong with the socket."""
        self.close()
        self._refused()

    def send(self, data: bytes) -> None:
        """See :class:`Socket`."""
        self._socket.send(data)

    def close(self) -> None:
        """See :class:`Socket`."""
        if self._socket.fileno() >= 0:
            self._reactor.removeReader(self)
            self._socket.close()


class NameServers:
    """Asks them. ``port`` is theirs."""

    def __init__(self, reactor: Any, port: int = PORT, open_socket: OpenSocket = UdpSocket) -> None:
        self.reactor = reactor
        self.port = port
        self.open_socket = open_socket
        self._turn = 0

    def ask(self, conf: ResolvConf, name: str, kinds: Sequence[int]) -> Deferred[Answers]:
        """The records of ``kinds`` that the complete ``name`` has, as far as they were to be had: a kind that nobody
        has answered for is missing, and those that it has none of are empty. Fails with ``DnsError`` or
        ``ConnectTimeout`` if there is nothing to go by. To cancel it ends it.
        """
        servers = conf.servers
        if conf.rotate:
            self._turn += 1
            first = self._turn % len(servers)
            servers = servers[first:] + servers[:first]
        asking = _Asking(self, servers, conf, name, kinds)
        asking.go_on()
        return asking.done


@attrs.define(eq=False)
class _Server:
    """One that was asked: its socket, and the kinds of records that it has not refused to tell of."""

    address: str
    socket: Socket
    open: set[int]


class _Asking:
    """One name, on its way round the servers."""

    def __init__(
        self, to: NameServers, servers: Sequence[str], conf: ResolvConf, name: str, kinds: Sequence[int]
    ) -> None:
        self.done: Deferred[Answers] = Deferred(lambda _: self._close())
        self._to = to
        self._name = name
        # 16 bits that nobody can foretell, as the port has
        self._idents = {int.from_bytes(urandom(2), "big"): kind for kind in kinds}
        while len(self._idents) < len(kinds):
            self._idents = {int.from_bytes(urandom(2), "big"): kind for kind in kinds}
        self._rounds = [(server, conf.timeout * 2**turn) for turn in range(conf.attempts) for server in servers]
        self._servers: dict[str, _Server] = {}
        self._current: _Server | None = None
        self._found: Answers = {}
        self._fault: DialError | None = None
        self._no_such_name = False
        self._timer: IDelayedCall | None = None
        self._soon: IDelayedCall | None = None
        self._by_tcp: dict[tuple[str, int], Deferred[Any]] = {}

    # -- asking

    def go_on(self) -> None:
        """Ask the next server, or give up."""
        self._stop_timer()
        while self._rounds:
            address, wait = self._rounds.pop(0)
            if self._send(address):
                # Who has answered before it goes on, by and by, has set a timer.
                if self._timer is None and not self.done.called:
                    self._timer = self._to.reactor.callLater(wait, self._waited)
                return
        if not self._by_tcp:
            self._finish()

    def _waited(self) -> None:
        self._timer = None
        self._fault = self._fault or ConnectTimeout("no answer", error="dns_timeout")
        self.go_on()

    def _send(self, address: str) -> bool:
        """Ask one server; whether it was asked."""
        server = self._servers.get(address)
        try:
            if server is None:
                server = self._open(address)
            # Late answers to what was asked before count as well: it is the same question.
            self._current = server
            server.open = set(self._idents.values()) - self._found.keys()
            for ident, kind in self._idents.items():
                if kind in server.open:
                    server.socket.send(question(ident, self._name, kind))
        except ConnectionRefusedError:
            self._fault = DnsError(f"nobody listens at {address}")
            return False
        except OSError as fault:
            failed = OutOfSockets if fault.errno in OUT_OF_SOCKETS else DnsError
            self._fault = failed(f"{address} cannot be asked: {fault.strerror or fault}")
            return False
        return True

    def _open(self, address: str) -> _Server:
        to = self._to

        def heard(data: bytes) -> None:
            self._heard(server, data)

        def refused() -> None:
            self._refused(server)

        opened = to.open_socket(to.reactor, address, to.port, heard, refused)
        server = self._servers[address] = _Server(address, opened, set())
        return server

    # -- answers

    def _heard(self, server: _Server, data: bytes) -> None:
        if self.done.called:
            return
        try:
            response = read_response(data)
        except ValueError:
            return  # who means it says it again
        kind = self._idents.get(response.ident)
        failed = response.rcode not in (NO_ERROR, NO_SUCH_NAME)
        # RFC 5452 9.1: an answer is to the question that was asked, or it is a forgery. Failures may leave it out.
        fits = (response.name, response.kind) == (self._name.lower(), kind) or (failed and response.name is None)
        if kind is None or not fits or kind in self._found:
            return
        if failed:
            self._fault = DnsError(f"the name server {_REASONS.get(response.rcode, f'answered {response.rcode}')}")
            self._is_of_no_use(server, {kind})
        elif response.truncated:
            self._ask_by_tcp(server, kind, response.ident)
        else:
            # RFC 2308 5 has it hold for records of every kind. But there are servers that say so of a name that has
            # no IPv6 address (RFC 4074 4.2), so that the other answer, which is on its way, is waited for a little.
            self._no_such_name = self._no_such_name or response.rcode == NO_SUCH_NAME
            self._answered(kind, response.records)

    def _answered(self, kind: int, records: tuple[Record, ...]) -> None:
        self._found[kind] = records
        if len(self._found) == len(self._idents):
            self._finish()
        elif (records or self._no_such_name) and self._soon is None:
            self._soon = self._to.reactor.callLater(_SOON, self._is_soon)

    def _is_soon(self) -> None:
        self._soon = None
        self._finish()

    def _refused(self, server: _Server) -> None:
        if not self.done.called:
            self._fault = DnsError(f"nobody listens at {server.address}")
            self._is_of_no_use(server, set(server.open))

    def _is_of_no_use(self, server: _Server, kinds: set[int]) -> None:
        server.open -= kinds
        if not server.open - self._found.keys():
            # It would say the same again.
            self._rounds = [one for one in self._rounds if one[0] != server.address]
            if server is self._current:
                self.go_on()

    # -- by TCP

    def _ask_by_tcp(self, server: _Server, kind: int, ident: int) -> None:
        key = server.address, kind
        if key in self._by_tcp:
            return
        to = self._to
        make = endpoints.TCP6ClientEndpoint if ":" in server.address else endpoints.TCP4ClientEndpoint
        endpoint = make(to.reactor, server.address, to.port, timeout=_TCP_TIMEOUT)
        asked = _TcpQuestion(question(ident, self._name, kind))
        asking: Deferred[Any] = endpoint.connect(protocol.Factory.forProtocol(lambda: asked))
        asking.addCallback(lambda _: asked.done).addTimeout(_TCP_TIMEOUT, to.reactor)
        self._by_tcp[key] = asking
        asking.addCallbacks(self._heard_by_tcp, self._tcp_failed, callbackArgs=(server, key), errbackArgs=(server, key))

    def _heard_by_tcp(self, data: bytes, server: _Server, key: tuple[str, int]) -> None:
        del self._by_tcp[key]
        try:
            truncated = read_response(data).truncated
        except ValueError:
            truncated = True
        if not truncated:
            self._heard(server, data)
        if not self.done.called and key[1] not in self._found:
            self._fault = self._fault or DnsError("the name server gives an answer that cannot be read")
            self._is_of_no_use(server, {key[1]})
        self._finish_if_last()

    def _tcp_failed(self, failure: Failure, server: _Server, key: tuple[str, int]) -> None:
        if self._by_tcp.pop(key, None) is None:
            return  # forgotten
        self._fault = DnsError(f"{server.address} does not answer by TCP")
        self._is_of_no_use(server, {key[1]})
        self._finish_if_last()

    def _finish_if_last(self) -> None:
        if not self.done.called and not self._rounds and self._timer is None and not self._by_tcp:
            self._finish()

    # -- the end

    def _finish(self) -> None:
        if self.done.called:
            return
        found = self._found
        self._close()
        if len(found) == len(self._idents) or any(found.values()) or self._no_such_name:
            self.done.callback(found)
        else:
            self.done.errback(self._fault or DnsError("no name server could be asked"))

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _close(self) -> None:
        self._stop_timer()
        soon, self._soon = self._soon, None
        if soon is not None:
            soon.cancel()
        self._rounds = []
        for server in self._servers.values():
            server.socket.close()
        by_tcp, self._by_tcp = self._by_tcp, {}
        for asking in by_tcp.values():
            asking.cancel()


class _TcpQuestion(protocol.Protocol):
    """One question, and its answer (RFC 1035 section 4.2.2)."""

    def __init__(self, asked: bytes) -> None:
        self._asked = asked
        self._received = b""
        self.done: Deferred[bytes] = Deferred(lambda _: self._leave())

    def _leave(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def connectionMade(self) -> None:
        """Ask."""
        assert self.transport is not None
        self.transport.write(len(self._asked).to_bytes(2, "big") + self._asked)

    def dataReceived(self, data: bytes) -> None:
        """Part of the answer."""
        self._received += data
        size = int.from_bytes(self._received[:2], "big")
        if len(self._received) >= size + 2 > 2 and not self.done.called:
            self._leave()
            self.done.callback(self._received[2 : size + 2])

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """The server has left."""
        if not self.done.called:
            self.done.errback(CancelledError("the server has left"))
