"""The fast transports, and the one file that touches Twisted's privates (:mod:`txproxy.net.tls_reader` apart).

Twisted's ``transport.write`` waits for the next poll to say writable: two system calls and a turn of the reactor later.
Where a transport's own buffer is empty, the bytes may go out at once, and only what the kernel does not take is
handed to the transport. And where Twisted's TLS passes each byte through two memory BIOs, ``TLSServer`` lets OpenSSL
work on the socket itself.

Each short cut is chosen by the exact type of the transport. All others (TLS by endpoint strings, other reactors'
transports, in-memory ones) take the long way with the same behaviour.
"""

from __future__ import annotations

import fcntl
import select
import socket
import termios
from array import array
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol, TypeAlias, TypeGuard

from OpenSSL import SSL
from twisted.internet import main, tcp, unix
from twisted.internet._resolver import GAIResolver
from twisted.internet.interfaces import IAddress, IHandshakeListener, ITransport
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from txproxy.net.in_process import LocalTransport
from txproxy.wire.other_protocols import ENOUGH, in_place_of_tls

Write: TypeAlias = Callable[[Any, bytes], None]

_BACKLOG: Final = 1024  # the system's own bound (somaxconn) holds as well
# After so many seconds without a byte the system asks whether the peer is still there.
_PROBE_AFTER: Final = 60
_KEEP_IDLE: Final[int | None] = getattr(socket, "TCP_KEEPIDLE", None)
_LITTLE: Final = 4096
_TLS_READ: Final = 16384  # the longest TLS record: nothing of it stays behind in OpenSSL


class TLSServer(tcp.Server):
    """A server side TLS connection on the socket itself, without memory BIOs.

    The handshake happens within the first reads. TLS has no renegotiation here, so that a read never waits for the
    socket to be writable but in a handshake with very long certificate chains.
    """

    _tls: SSL.Connection
    _read_waits_for_write = False

    def startTLSOnSocket(self, context: SSL.Context) -> None:
        """Speak TLS from the first byte on."""
        self._tls = SSL.Connection(context, self.socket)
        self._tls.set_accept_state()
        # for the first time alone
        replace_read(self, self._first_read)

    def _first_read(self) -> Any:
        """See whether it is TLS that begins; who speaks in the plain is told so in the plain."""
        try:
            data = self.socket.recv(ENOUGH, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        replace_read(self, None)
        spoken = in_place_of_tls(data)
        refuse = getattr(self.protocol, "refuse_protocol", None)
        if not spoken or refuse is None:
            if IHandshakeListener.providedBy(self.protocol):
                replace_read(self, self._shake_hands)
            return self.doRead()
        plain: Any = self
        plain.__class__ = tcp.Server
        refuse(spoken, data)
        return None

    def _shake_hands(self) -> Any:
        """In place of reading, for who wants to know when the handshake is over: else it happens within the reads."""
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return None
        except SSL.WantWriteError:
            self._read_waits_for_write = True
            self.startWriting()
            return None
        except SSL.Error:
            return main.CONNECTION_LOST
        replace_read(self, None)
        listener: Any = self.protocol
        listener.handshakeCompleted()
        return None

    def doRead(self) -> Any:
        """Decrypt what has come and hand it to the protocol."""
        try:
            data = self._tls.recv(_TLS_READ)
        except SSL.WantReadError:
            return None
        except SSL.WantWriteError:
            self._read_waits_for_write = True
            self.startWriting()
            return None
        except SSL.ZeroReturnError:
            return main.CONNECTION_DONE
        except SSL.Error:
            return main.CONNECTION_LOST
        return self._dataReceived(data)

    def doWrite(self) -> Any:
        """Go on with a handshake that waited to write, or with what is buffered."""
        if self._read_waits_for_write:
            self._read_waits_for_write = False
            self.stopWriting()
            if self.dataBuffer or self._tempDataLen:
                self.startWriting()
            return self.doRead()
        return super().doWrite()

    def writeSomeData(self, data: bytes) -> Any:
        """Encrypt and send as much as the socket takes."""
        view = memoryview(data)
        sent = 0
        try:
            while sent < len(view):
                sent += self._tls.send(view[sent:])
        except (SSL.WantWriteError, SSL.WantReadError):
            return sent
        except SSL.Error:
            return main.CONNECTION_LOST
        return sent

    def connectionLost(self, reason: Failure) -> None:
        """Gone."""
        # A session outlives its connection, however that ends (RFC 5246 section 7.2.1); OpenSSL would drop it.
        self._tls.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)
        super().connectionLost(reason)

    def _say_goodbye(self) -> None:
        try:
            self._tls.shutdown()
        except SSL.Error:
            pass  # the peer is gone, or in the middle of a handshake

    def _postLoseConnection(self) -> Any:
        self._say_goodbye()
        return super()._postLoseConnection()

    def _closeWriteConnection(self) -> None:
        self._say_goodbye()
        super()._closeWriteConnection()


def accepts_tcp(port: object) -> TypeGuard[tcp.Port]:
    """Whether TLS can be spoken on the sockets that a listening port accepts."""
    return type(port) is tcp.Port


def serve_tls(port: object, context: SSL.Context | Callable[[], SSL.Context]) -> bool:
    """Make a listening port's future connections ``TLSServer``, in a context or what is given for each; False if it is
    none whose connections can be.
    """
    if not accepts_tcp(port):
        return False

    def transport(*args: Any) -> TLSServer:
        server = TLSServer(*args)
        server.startTLSOnSocket(context if isinstance(context, SSL.Context) else context())
        return server

    port.transport = transport  # type: ignore[assignment]
    return True


def serve_plain(port: object) -> None:
    """Undo :func:`serve_tls`."""
    if accepts_tcp(port):
        vars(port).pop("transport", None)


def tls_connection(transport: object) -> SSL.Connection | None:
    """The TLS connection that a transport speaks, be it ours or Twisted's; None if it is plain, or not known."""
    if type(transport) is TLSServer:
        return transport._tls
    if isinstance(transport, TLSMemoryBIOProtocol):
        connection = transport.getHandle()
        return connection if isinstance(connection, SSL.Connection) else None
    return None


def become_tls(transport: Any, context: SSL.Context | Callable[[], SSL.Context]) -> bool:
    """Speak TLS from here on over an accepted plain connection, which becomes a ``TLSServer``; False if it cannot."""
    if type(transport) is not tcp.Server:
        return False
    server: Any = transport
    server.__class__ = TLSServer
    server.startTLSOnSocket(context if isinstance(context, SSL.Context) else context())
    return True


def stop_listening(port: Any) -> Any:
    """Listen no more, once those are accepted who have connected and wait for that; gives a Deferred, or None.

    To close a socket resets the connections in its backlog, with the requests that have come on them.
    """
    if isinstance(port, tcp.Port) and port.connected:
        _accept_all(port)
        # Twisted closes the socket in the next turn: this comes before that.
        reactor: Any = port.reactor
        reactor.callLater(0, _accept_last, port)
    return port.stopListening()


def _accept_last(port: tcp.Port) -> None:
    if port.connected and port.disconnecting:
        port.disconnecting = False
        try:
            _accept_all(port)
        finally:
            port.disconnecting = True


def _accept_all(port: tcp.Port) -> None:
    poller = select.poll()
    poller.register(port.socket, select.POLLIN)
    for _ in range(_BACKLOG):
        if not poller.poll(0):
            break
        port.doRead()


def deepen_backlog(port: object) -> None:
    """Let more connections wait for ``accept`` than Twisted's default of 50, unless somebody chose another number."""
    if type(port) is tcp.Port and port.backlog in (None, tcp.Port.backlog):
        port.socket.listen(_BACKLOG)


_PLAIN: Final = frozenset({tcp.Server, tcp.Client, unix.Server, unix.Client})


class Asking(Protocol):
    """A connection on which a request is to go out. ``descriptor`` is the number of its socket (see
    :func:`descriptor`).
    """

    descriptor: int

    def ask(self, data: bytes, readable: set[int] | None) -> None:
        """Send it now; see :meth:`TurnWrites.flush_asks`."""


class TurnWrites:
    """Writes gathered during one turn of a reactor, and sent together at its end.

    A peer on another core that gets its bytes one by one falls asleep between them, and each has to wake it again; that
    costs more than sending them. ``later`` is called with :meth:`flush` when there is something to flush, and has it
    called before the reactor waits again; a reactor that does so on its own needs none.

    Requests go out last, each by :meth:`Asking.ask`: only what comes after that is an answer. A reactor that polls at
    that moment knows of them all at once who has spoken before.
    """

    __slots__ = ("asks", "_writes", "_later")

    def __init__(self, later: Callable[[Callable[[], None]], object] | None = None) -> None:
        self.asks: list[tuple[Asking, bytes]] = []
        self._writes: list[tuple[Write, Any, bytes]] = []
        self._later = later

    @classmethod
    def of(cls, reactor: Any) -> TurnWrites:
        """The reactor's own, or one that asks it for a call at the end of each turn that has writes."""
        own = getattr(reactor, "turn_writes", None)
        return own if own is not None else cls(lambda flush: reactor.callLater(0, flush))

    def plain(self, transport: Any, data: bytes) -> None:
        """Write to a plain transport at the end of the turn."""
        writes = self._writes
        if not writes and self._later is not None and not self.asks:
            self._later(self.flush)
        writes.append((_write_plain, transport, data))

    def tls(self, transport: Any, data: bytes) -> None:
        """Write to a ``TLSServer`` at the end of the turn."""
        writes = self._writes
        if not writes and self._later is not None and not self.asks:
            self._later(self.flush)
        writes.append((_write_tls, transport, data))

    def ask(self, asking: Asking, data: bytes) -> None:
        """Send what begins with a request at the end of the turn."""
        asks = self.asks
        if not asks and self._later is not None and not self._writes:
            self._later(self.flush)
        asks.append((asking, data))

    def flush(self) -> None:
        """Send what was gathered."""
        self.flush_writes()
        if self.asks:
            self.flush_asks(None)

    def flush_writes(self) -> None:
        """The same without requests."""
        writes = self._writes
        if writes:
            self._writes = []
            for write, transport, data in writes:
                write(transport, data)

    def flush_asks(self, readable: set[int] | None) -> None:
        """Send the requests. ``readable`` are the descriptors from which there is something to read just now; None if
        that is not known yet.
        """
        asks, self.asks = self.asks, []
        if readable is None and len(asks) > 1:
            readable = _readable(asks)
        for asking, data in asks:
            asking.ask(data, readable)


def _readable(asks: list[tuple[Asking, bytes]]) -> set[int]:
    """The descriptors of these, which are plain, from which there is something to read. The kernel is asked once for
    all of them.
    """
    poller = select.poll()
    register = poller.register
    for asking, _ in asks:
        register(asking.descriptor, select.POLLIN)
    return {number for number, _ in poller.poll(0)}


def write_function(transport: ITransport, turn: TurnWrites | None = None) -> Write:
    """The fastest way to write to ``transport``, as a function of it and the bytes: within ``turn`` or at once."""
    kind = type(transport)
    if kind in _PLAIN:
        return _write_plain if turn is None else turn.plain
    if kind is TLSServer:
        return _write_tls if turn is None else turn.tls
    return _write_through


def ask_function(transport: ITransport, turn: TurnWrites) -> Callable[[Asking, bytes], None]:
    """What has a request sent to ``transport``: at the end of the ``turn``, or at once."""
    return turn.ask if type(transport) in _PLAIN else _ask_at_once


def _ask_at_once(asking: Asking, data: bytes) -> None:
    asking.ask(data, None)


def descriptor(transport: Any) -> int:
    """The number of the socket of a plain ``transport``; else -1."""
    number: int = transport.fileno() if type(transport) in _PLAIN else -1
    return number


def _write_through(transport: Any, data: bytes) -> None:
    transport.write(data)


def _write_plain(transport: Any, data: bytes) -> None:
    if transport._tempDataLen or transport.dataBuffer or not transport.connected:
        transport.write(data)
        return
    try:
        sent = transport.socket.send(data)
    except OSError:
        # The buffer is full, or the connection is dead: the transport will find out in its own turn.
        sent = 0
    if sent != len(data):
        transport.write(data[sent:])


def _write_tls(transport: Any, data: bytes) -> None:
    if transport._tempDataLen or transport.dataBuffer or not transport.connected:
        transport.write(data)
        return
    sent = transport.writeSomeData(data)
    if not isinstance(sent, int):
        sent = 0
    if sent != len(data):
        transport.write(data[sent:])


def unwrap(transport: ITransport, protocol: object) -> None:
    """Let ``transport`` call ``protocol`` directly, where an endpoint has put a wrapper of its own between them."""
    if type(transport) in _PLAIN:
        transport.protocol = protocol  # type: ignore[attr-defined]


def read_waiting(transport: Any) -> bool:
    """Have the protocol of ``transport`` told now of what waits to be read, as of something that has come before it
    speaks; False if that has ended the connection. An end without bytes waits for its own turn.
    """
    below = _socket_transport(transport)
    if below is None:
        return True
    if has_unread(below):
        below.doRead()
    return not below.disconnecting


def _socket_transport(transport: Any) -> Any:
    """The plain transport under ``transport``, TLS or not; None if that is of another kind."""
    while isinstance(transport, TLSMemoryBIOProtocol):
        transport = transport.transport
    return transport if type(transport) in _PLAIN else None


def replace_protocol(transport: ITransport, protocol: object) -> bool:
    """Let ``transport`` call ``protocol`` from now on, in place of who it called before; False if it cannot be told."""
    if type(transport) in _PLAIN or type(transport) is TLSServer:
        transport.protocol = protocol  # type: ignore[attr-defined]
        return True
    if isinstance(transport, TLSMemoryBIOProtocol):
        transport.wrappedProtocol = protocol  # type: ignore[assignment]
        return True
    return False


def take_channel(channel: Any, end: Any) -> bytes:
    """Let the HTTP/1 channel of a twisted.web ``Site`` hand to ``end``, a protocol, whatever its transport has for it
    from now on, and ``end`` be the one to pause; gives what came early. Its requests still learn when it is gone.
    """
    lost = channel.connectionLost

    def connection_lost(reason: Failure) -> None:
        end.connectionLost(reason)
        lost(reason)

    # As Twisted's own WebSocket server does. The transport may call the channel by way of wrappers, who stay.
    channel.dataReceived = channel.rawDataReceived = end.dataReceived
    channel.connectionLost = connection_lost
    channel.setTimeout(None)
    early = b"".join(channel._dataBuffer)
    channel._dataBuffer = []
    transport = channel.transport
    transport.unregisterProducer()
    transport.registerProducer(end, True)
    transport.resumeProducing()
    return early


def when_lost(channel: Any, call: Callable[[], None]) -> None:
    """Have the HTTP/1 channel of a twisted.web ``Site`` call ``call`` when its connection is gone."""
    lost = channel.connectionLost

    def connection_lost(reason: Failure) -> None:
        call()
        lost(reason)

    # The transport calls the channel, directly or by way of wrappers, and looks this up each time.
    channel.connectionLost = connection_lost


def tell_ends(transport: Any, peer: IAddress, host: IAddress) -> None:
    """Let ``transport`` say that its connection is from ``peer`` to ``host``: the real one, behind a proxy."""
    transport.getPeer = lambda: peer
    transport.getHost = lambda: host


def plain_socket(transport: ITransport) -> socket.socket | None:
    """The connected socket under ``transport`` if bytes may pass by the transport: plain, and nothing in its buffer."""
    if type(transport) not in _PLAIN:
        return None
    plain: Any = transport
    if not plain.connected or plain.disconnecting or plain._tempDataLen or plain.dataBuffer:
        return None
    handle: socket.socket = plain.socket
    return handle


def replace_read(transport: Any, read: Callable[[], Any] | None) -> None:
    """Have the reactor call ``read`` when ``transport`` is readable; None for the transport's own way again."""
    if read is not None:
        transport.doRead = read
    else:
        transport.__dict__.pop("doRead", None)


def ordinary_read(transport: Any) -> Any:
    """What ``transport`` itself does when it is readable."""
    return type(transport).doRead(transport)


def read_less(transport: Any) -> None:
    """Read less of ``transport`` at once from now on, so that what comes by it leaves more of each turn to others."""
    if type(transport) in _PLAIN:
        transport.bufferSize = _LITTLE


def half_close(transport: ITransport) -> bool:
    """Close the direction to the peer once all is written; False if the transport cannot.

    Asked of the class: wrappers such as Twisted's TLS hand unknown names to the transport below, which would end the
    TCP connection under them.
    """
    if getattr(type(transport), "loseWriteConnection", None) is None:
        return False
    transport.loseWriteConnection()  # type: ignore[attr-defined]
    return True


def unsent(transport: ITransport) -> int:
    """How many bytes the peer has not taken yet, in the transport and in the kernel; 0 where that cannot be told.

    A slow peer may take from the kernel for minutes before there is room for more from the transport.
    """
    if type(transport) not in _PLAIN and type(transport) is not TLSServer:
        return 0
    known: Any = transport
    waiting: int = len(known.dataBuffer) - known.offset + known._tempDataLen
    if known.connected:
        queue = array("i", [0])
        with suppress(OSError):
            fcntl.ioctl(known.socket, termios.TIOCOUTQ, queue)
        waiting += queue[0]
    return waiting


def unread_function(transport: Any) -> Callable[[], object]:
    """What tells whether bytes, or an end, wait to be read from ``transport``: something true. It is asked of the
    kernel, for a quarter of what a ``recv`` costs that fails; where that cannot be asked nothing waits.
    """
    if isinstance(transport, LocalTransport):
        return lambda: transport.unread
    below = _socket_transport(transport)
    if below is None:
        return bool
    poller = select.poll()
    poller.register(below.socket, select.POLLIN)
    return partial(poller.poll, 0)


def has_unread(transport: Any) -> bool:
    """Whether bytes wait to be read from a plain ``transport``; an end or an error are none."""
    try:
        return bool(transport.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return False


def has_ended(transport: Any) -> bool:
    """Whether what waits to be read from ``transport`` is its end, and not bytes; False where that cannot be told."""
    below = _socket_transport(transport)
    if below is None:
        return False
    try:
        return not below.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def read_before_lost(transport: Any) -> None:
    """Read what has come when a write fails, and only then be lost: a peer that closes in the middle of what it is sent
    may have said why, and the kernel keeps that.
    """
    below = _socket_transport(transport)
    if below is None:
        return
    write_some = below.writeSomeData

    def write_some_or_read(data: bytes) -> Any:
        result = write_some(data)
        if result is main.CONNECTION_LOST and below.connected:
            # As with any read of a connection that has ended, this says so at last.
            while below.connected and has_unread(below) and below.doRead() is None:
                pass
        return result

    below.writeSomeData = write_some_or_read


def listening_port(transport: ITransport) -> Any:
    """The port that accepted ``transport``, if it is one that can be told to stop reading; or None."""
    port = getattr(transport, "server", None)
    return port if isinstance(port, tcp.Port) else None


def set_tcp_options(transport: Any) -> None:
    """Small writes are to go out at once, and a peer that has vanished is to be found out about, though nothing is sent
    to it. A transport that is no TCP has nothing to set.
    """
    set_tcp_no_delay = getattr(transport, "setTcpNoDelay", None)
    if set_tcp_no_delay is not None:
        set_tcp_no_delay(True)
    set_tcp_keep_alive = getattr(transport, "setTcpKeepAlive", None)
    if set_tcp_keep_alive is not None:
        set_tcp_keep_alive(True)
        below: Any = transport.transport if isinstance(transport, TLSMemoryBIOProtocol) else transport
        handle = below.getHandle()
        # Those of UNIX sockets have the method, and such a socket refuses the option.
        if _KEEP_IDLE is not None and isinstance(handle, socket.socket) and handle.family != socket.AF_UNIX:
            handle.setsockopt(socket.IPPROTO_TCP, _KEEP_IDLE, _PROBE_AFTER)


def is_threaded_resolver(names: object) -> bool:
    """Whether ``names`` is the resolver that a reactor begins with: the C library's, in the reactor's threads."""
    return isinstance(names, GAIResolver)
