"""What a master hands on to the program that takes its place in the same process: sockets, workers, and the secret.

It lies in memory without a name, whose descriptor the next program finds by its environment: neither a file nor the
list of processes has the secret.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence
from functools import partial
from typing import Any, Final

import attrs

from txproxy.config.endpoints import Bound
from txproxy.frozen_values import frozen
from txproxy.net.transports.adopted_ports import LeftSocket, open_alike
from txproxy.net.transports.listening_ports import BACKLOG
from txproxy.runtime.workers.listening_sockets import Listening

_VARIABLE: Final = "TXPROXY_INHERITED"
_LARGEST: Final = 16 << 20


@frozen
class OldWorker:
    """A worker of the program before: its number, its process, and the descriptor of the channel to it."""

    number: int
    pid: int
    channel: int


@frozen
class Inheritance:
    """What is handed on. Its descriptors are this process's, which stays the same."""

    secret: bytes
    listening: Mapping[Bound, Listening]
    workers: Sequence[OldWorker]
    # the process of the mould, which ends
    mould: int = 0
    # where the admin API is listened on, if it is
    admin: tuple[Bound, LeftSocket] | None = None
    # the descriptor of the file for locks of all workers, if there is one
    locks: int | None = None

    def leave(self, environment: MutableMapping[str, str]) -> None:
        """Let the next program of this process find it."""
        places = [
            {
                "bound": attrs.asdict(bound),
                "shared": one.shared,
                "path": one.owned_path,
                "sockets": [opened.fileno() for opened in one.sockets],
            }
            for bound, one in self.listening.items()
        ]
        workers = [attrs.astuple(worker) for worker in self.workers]
        kept = os.memfd_create("txproxy")
        left: dict[str, Any] = {"secret": self.secret.hex(), "places": places, "workers": workers, "mould": self.mould}
        descriptors = [number for place in places for number in place["sockets"]]  # type: ignore[attr-defined]
        if self.admin is not None:
            bound, opened = self.admin
            left["admin"] = {"bound": attrs.asdict(bound), "socket": opened.socket.fileno(), "path": opened.path}
            descriptors.append(opened.socket.fileno())
        if self.locks is not None:
            left["locks"] = self.locks
            descriptors.append(self.locks)
        os.write(kept, json.dumps(left).encode())
        for descriptor in (kept, *descriptors, *(worker.channel for worker in self.workers)):
            os.set_inheritable(descriptor, True)
        environment[_VARIABLE] = str(kept)

    @classmethod
    def find(cls, environment: MutableMapping[str, str]) -> Inheritance | None:
        """What the program before has left, if there was one. It can be found once."""
        variable = environment.pop(_VARIABLE, None)
        if variable is None:
            return None
        kept = int(variable)
        os.lseek(kept, 0, os.SEEK_SET)
        left: dict[str, Any] = json.loads(os.read(kept, _LARGEST))
        os.close(kept)
        listening = {Bound(**place["bound"]): _listening(place) for place in left["places"]}
        workers = [OldWorker(*worker) for worker in left["workers"]]
        # A program before may know of none.
        locks: int | None = left.get("locks")
        for descriptor in (*(worker.channel for worker in workers), *([] if locks is None else [locks])):
            os.set_inheritable(descriptor, False)
        admin = _admin(left.get("admin"))
        return cls(bytes.fromhex(left["secret"]), listening, workers, left["mould"], admin, locks)


def _listening(place: Mapping[str, Any]) -> Listening:
    sockets = [socket.socket(fileno=number) for number in place["sockets"]]
    for one in sockets:
        one.set_inheritable(False)
    first = sockets[0]
    another = None if place["shared"] else partial(open_alike, first.family, first.getsockname(), BACKLOG)
    return Listening(sockets, place["shared"], another, path=place["path"])


def _admin(place: Mapping[str, Any] | None) -> tuple[Bound, LeftSocket] | None:
    """None as well where a program before has closed it."""
    if place is None:
        return None
    opened = socket.socket(fileno=place["socket"])
    opened.set_inheritable(False)
    return Bound(**place["bound"]), LeftSocket(opened, place["path"])
