"""The side of a worker that stays: it takes over the connections that another one gives (see
:mod:`txproxy.runtime.workers.handover.giver`).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from txproxy.proxy.handover.carried import VERSION, Carried
from txproxy.proxy.handover.giving import Given
from txproxy.proxy.handover.taking import Start
from txproxy.runtime.workers.channel import Channel, Message

_log = Logger()
# How soon to look whether the other side reads, in seconds.
_AGAIN: Final = 0.01


class Taker:
    """``prepare(listener, told, given)`` has a connection ready here, and gives what begins to serve it; or None, if
    nobody here can.
    """

    def __init__(
        self,
        reactor: Any,
        channel: Channel,
        prepare: Callable[[str, bool | None, Given], Start | None],
        ended: Callable[[Taker], None],
    ) -> None:
        self._reactor = reactor
        self._channel = channel
        self._prepare = prepare
        self._ended = ended
        # those of which the other side has not been told yet
        self._ready: list[Start] = []
        self._timer: IDelayedCall | None = None
        channel.start(reactor, self._received, self._lost)
        channel.send("takes", (VERSION,))

    def _received(self, message: Message) -> None:
        if message.kind != "connection":
            return
        number, listener, told, plain = message.content
        sockets: list[socket.socket] = []
        try:
            sockets += (socket.socket(fileno=descriptor) for descriptor in message.descriptors)
            start = self._prepare(listener, told, Given(Carried.of(plain), tuple(sockets)))
        except Exception:
            _log.failure("a connection that was handed over cannot be taken")
            start = None
        if start is None:
            for one in sockets:
                one.close()
            self._channel.send("refused", number)
            return
        self._channel.send("taken", number)
        self._ready.append(start)
        self._begin()

    def _begin(self) -> None:
        """Serve what the other side knows of, whatever becomes of this process: nobody else touches it any more."""
        self._timer = None
        if not self._channel.waiting:
            ready, self._ready = self._ready, []
            for start in ready:
                start()
        else:
            # It reads slowly.
            self._timer = self._reactor.callLater(_AGAIN, self._begin)

    def _lost(self) -> None:
        """The other one has ended. What is here is nobody else's any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._begin()
        self._ended(self)
