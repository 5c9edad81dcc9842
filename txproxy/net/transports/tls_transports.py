"""TLS on the socket itself, where Twisted passes each byte through two memory BIOs."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet import main, tcp
from twisted.internet.interfaces import IHandshakeListener
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from txproxy.net.transports.accepted_transports import AcceptedTransport
from txproxy.net.transports.plain_transports import replace_read, write_behind
from txproxy.wire.other_protocols import ENOUGH, NOT_TLS, in_place_of_tls

_TLS_READ: Final = 16384  # the longest TLS record: nothing of it stays behind in OpenSSL
# What pyOpenSSL does around these costs more than they do: it is for what they do not do, and is asked for that alone.
_ffi: Final[Any] = SSL._ffi  # type: ignore[attr-defined]
_ssl_read: Final = SSL._lib.SSL_read  # type: ignore[attr-defined]
_ssl_write: Final = SSL._lib.SSL_write  # type: ignore[attr-defined]
# What is read lies here for a moment, whoever it is from.
_BUFFER: Final = _ffi.new("char[]", _TLS_READ)


class TLSServer(AcceptedTransport):
    """A server side TLS connection on the socket itself, without memory BIOs.

    The handshake happens within the first reads, of which the very first costs most: it may have to wait for a turn in
    which the ``beginnings`` of the port have time left (:class:`~txproxy.net.transports.turn_shares.TurnShare`). TLS
    has no renegotiation here, so that a read never waits for the socket to be writable but in a handshake with very
    long certificate chains.
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
        share = getattr(self.server, "beginnings", None)
        if share is not None and not share.left():
            # It stays readable, and has its turn when all others had theirs.
            return None
        try:
            data = self.socket.recv(ENOUGH, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        replace_read(self, None)
        spoken = in_place_of_tls(data)
        refuse = getattr(self.protocol, "refuse_protocol", None)
        if spoken is None and refuse is not None:
            return self._read_plain(refuse, b"")
        if not spoken or refuse is None:
            if IHandshakeListener.providedBy(self.protocol):
                replace_read(self, self._shake_hands)
            return self.doRead()
        self._refuse(refuse, spoken, data)
        return None

    def _read_plain(self, refuse: Callable[[str, bytes], None], before: bytes) -> Any:
        """More of what is no TLS, which has begun with what was read ``before``; it must not wait for more unread, as
        the reactor would call again and again.
        """
        try:
            data = self.socket.recv(ENOUGH)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        heard = before + data
        spoken = in_place_of_tls(heard) if data else NOT_TLS
        if spoken is None:
            replace_read(self, partial(self._read_plain, refuse, heard))
            return None
        replace_read(self, None)
        self._refuse(refuse, spoken or NOT_TLS, heard)
        return None

    def _refuse(self, refuse: Callable[[str, bytes], None], spoken: str, data: bytes) -> None:
        plain: Any = self
        plain.__class__ = AcceptedTransport
        refuse(spoken, data)

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
        tls: Any = self._tls
        size = _ssl_read(tls._ssl, _BUFFER, _TLS_READ)
        if size > 0:
            return self._dataReceived(_ffi.buffer(_BUFFER, size)[:])
        try:
            tls._raise_ssl_error(tls._ssl, size)
        except SSL.WantReadError:
            return None
        except SSL.WantWriteError:
            self._read_waits_for_write = True
            self.startWriting()
            return None
        except SSL.ZeroReturnError:
            return main.CONNECTION_DONE
        except SSL.Error:
            pass
        return main.CONNECTION_LOST

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
        tls: Any = self._tls
        start, size, sent = _ffi.from_buffer(data), len(data), 0
        while sent < size:
            # At most a record at once.
            written = _ssl_write(tls._ssl, start + sent, size - sent)
            if written <= 0:
                try:
                    tls._raise_ssl_error(tls._ssl, written)
                except (SSL.WantWriteError, SSL.WantReadError):
                    return sent
                except SSL.Error:
                    pass
                return main.CONNECTION_LOST
            sent += written
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


def become_tls(transport: Any, context: SSL.Context | Callable[[], SSL.Context]) -> bool:
    """Speak TLS from here on over an accepted plain connection, which becomes a ``TLSServer``; False if it cannot."""
    if type(transport) is not AcceptedTransport and type(transport) is not tcp.Server:
        return False
    server: Any = transport
    server.__class__ = TLSServer
    server.startTLSOnSocket(context if isinstance(context, SSL.Context) else context())
    return True


def write_tls(transport: Any, data: bytes) -> None:
    """The same to a ``TLSServer``."""
    if transport._tempDataLen or transport.dataBuffer or not transport.connected:
        write_behind(transport, data)
        return
    sent = transport.writeSomeData(data)
    if not isinstance(sent, int):
        sent = 0
    if sent != len(data):
        transport.write(data[sent:])


def tls_connection(transport: object) -> SSL.Connection | None:
    """The TLS connection that a transport speaks, be it ours or Twisted's; None if it is plain, or not known."""
    if type(transport) is TLSServer:
        return transport._tls
    if isinstance(transport, TLSMemoryBIOProtocol):
        connection = transport.getHandle()
        return connection if isinstance(connection, SSL.Connection) else None
    return None
