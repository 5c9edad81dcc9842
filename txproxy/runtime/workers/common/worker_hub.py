"""The hub of all workers, in the master: it hands on what each of them tells the others."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any, Final

from txproxy.cluster.hub import Hub
from txproxy.runtime.workers.channel import Channel, encoded

# More than this does not wait for a worker that does not read, in bytes.
_MOST_WAITING: Final = 1 << 20


class WorkerHub:
    """For workers of this program and of the one before it, each known by its process."""

    def __init__(self) -> None:
        self._channels: dict[int, Channel] = {}
        self._hub = Hub(self._send)

    def came(self, pid: int, channel: Channel) -> None:
        """It serves."""
        self._channels[pid] = channel
        channel.on_sent = partial(self._hub.reads, pid)
        self._hub.join(pid)

    def leaves(self, pid: int) -> None:
        """It accepts no more."""
        self._hub.retire(pid)

    def gone(self, pid: int) -> None:
        """It has ended, before it served perhaps."""
        channel = self._channels.pop(pid, None)
        if channel is not None:
            channel.on_sent = None
            self._hub.leave(pid)

    def heard(self, pid: int, kind: str, content: Any) -> None:
        """What it tells the others."""
        self._hub.heard(pid, kind, content)

    def _send(self, peers: Collection[int], kind: str, content: Any) -> list[int]:
        data = encoded("shared", (kind, content))
        late = []
        for peer in peers:
            channel = self._channels[peer]
            if channel.waiting > _MOST_WAITING:
                late.append(peer)
            else:
                channel.send_encoded(data)
        return late
