"""TLS for clients whose connections are no TCP sockets of ours: by Twisted, through memory.

As with ``TLSServer`` (see :mod:`txproxy.net.transports`), who speaks in the plain is told so in the plain.
"""

from __future__ import annotations

from typing import Any

from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory

from txproxy.wire.other_protocols import in_place_of_tls


class _Client(BufferingTLSTransport):
    """One connection, whose first bytes say whether it is TLS."""

    _looked = False
    # what is no TLS, and too little to tell what it is
    _before = b""

    def dataReceived(self, data: bytes) -> None:
        """Bytes of TLS, or of something else."""
        if not self._looked:
            data = self._before + data
            spoken = in_place_of_tls(data)
            refuse = getattr(self.wrappedProtocol, "refuse_protocol", None)
            if spoken is None and refuse is not None:
                self._before = data
                return
            self._looked = True
            if spoken and refuse is not None:
                plain: Any = self
                plain.__class__ = _Plain
                # Twisted gathers what is to be encrypted, by an attribute of the instance.
                vars(plain).pop("write", None)
                refuse(spoken, data)
                return
        super().dataReceived(data)


class _Plain(ProtocolWrapper):
    """What such a connection becomes that speaks in the plain: nothing of TLS has been sent on it yet."""

    def loseWriteConnection(self) -> None:
        """Close the direction to the client."""
        half_close: Any = self.transport
        half_close.loseWriteConnection()


class MemoryTlsFactory(TLSMemoryBIOFactory):
    """Makes such connections."""

    protocol = _Client
