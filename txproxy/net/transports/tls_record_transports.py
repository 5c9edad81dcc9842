"""Reading from who we have asked by TLS, with an eye on where its records end.

OpenSSL keeps half a record, and does not tell. What begins before a request goes out is no answer to it, though the
rest of it comes later. To know where records end also spares OpenSSL the question whether there is one more, which it
answers with an exception: most of what comes is one record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from OpenSSL import SSL
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

# RFC 8446 section 5.1: type, version and length
_HEADER: Final = 5
_MOST: Final = 1 << 15


class TLSReader:
    """Takes what comes for one connection by Twisted's TLS, from the end of the handshake on."""

    __slots__ = ("_transport", "_tls", "_ordinary", "_rest", "_begun", "_when_whole")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._tls: SSL.Connection = transport.getHandle()
        # how much of a record is still to come, or what has come of its header
        self._rest = 0
        self._begun = b""
        self._when_whole: list[Callable[[], None]] = []
        self._ordinary: Callable[[bytes], None] = transport.dataReceived
        # OpenSSL takes from here one record after the other: what lies here begins with one.
        self._follow(_waiting(self._tls))
        transport.dataReceived = self.received

    @property
    def within_record(self) -> bool:
        """Whether some of a record has come, but not all of it."""
        return self._rest > 0 or self._begun != b""

    def when_whole(self, call: Callable[[], None]) -> None:
        """Call once no record is incomplete, after all who wait for the same; that may be now."""
        if self.within_record:
            self._when_whole.append(call)
        else:
            call()

    def received(self, data: bytes) -> None:
        """Bytes from the socket."""
        # written out, for speed
        if self._rest or self._begun or len(data) <= _HEADER or _HEADER + (data[3] << 8) + data[4] != len(data):
            self._follow(data)
            self._ordinary(data)
            if self._when_whole and not self.within_record:
                calls, self._when_whole = self._when_whole, []
                for call in calls:
                    call()
        else:
            self._read_one(data)

    def _follow(self, data: bytes) -> None:
        if self._begun:
            data = self._begun + data
        at, size = self._rest, len(data)
        while at + _HEADER <= size:
            at += _HEADER + (data[at + 3] << 8) + data[at + 4]
        self._rest = max(at - size, 0)
        self._begun = data[at:]

    def _read_one(self, data: bytes) -> None:
        """What Twisted's own does with one whole record."""
        transport = self._transport
        if transport._appSendBuffer or transport._lostTLSConnection:
            self._ordinary(data)
            return
        tls = self._tls
        tls.bio_write(data)
        try:
            plain = tls.recv(_MOST)
        except SSL.WantReadError:
            # It was for TLS itself, which may have something to say to that.
            pass
        except SSL.ZeroReturnError:
            transport._shutdownTLS()
            transport._tlsShutdownFinished(None)
        except SSL.Error:
            transport._tlsShutdownFinished(Failure())
        else:
            if not transport._aborted:
                transport.wrappedProtocol.dataReceived(plain)
            return
        transport._flushSendBIO()


def _waiting(tls: SSL.Connection) -> bytes:
    """What OpenSSL has been given, and has not taken yet."""
    start = SSL._ffi.new("char **")  # type: ignore[attr-defined]
    size = SSL._lib.BIO_get_mem_data(tls._into_ssl, start)  # type: ignore[attr-defined]
    return bytes(SSL._ffi.buffer(start[0], size)) if size > 0 else b""  # type: ignore[attr-defined]


def read_records(transport: Any) -> TLSReader | None:
    """What reads from now on for ``transport``, whose TLS handshake is over just now; None if it is of a kind that
    cannot be read so. Its protocol is told at once of what came together with the end of the handshake.
    """
    if not isinstance(transport, TLSMemoryBIOProtocol):
        return None
    reader = TLSReader(transport)
    transport._flushReceiveBIO()
    return reader


def after_handshake(transport: Any, call: Callable[[], None]) -> None:
    """The same, and ``call`` as soon as none of what came is half a record."""
    reader = read_records(transport)
    if reader is not None:
        reader.when_whole(call)
    else:
        call()
