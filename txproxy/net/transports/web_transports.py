"""The connections of a twisted.web ``Site``, by its HTTP/1 channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure


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
