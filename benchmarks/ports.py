"""Ports for programs that are about to be started: each is given once, whoever else runs on this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator

# Below those that the kernel gives to whoever does not ask for one, so that neither a client's end of a connection nor
# a listener on port 0 takes one meanwhile.
_FIRST, _END, _BLOCK = 20000, 32000, 100


def free_port() -> int:
    """A TCP port on the loopback address that nobody has now, and that nobody else is going to be given."""
    return next(_PORTS)


def _listening(port: int) -> socket.socket | None:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return None


def _ports() -> Iterator[int]:
    """Those that one process gives. No other gives them: each listens, until it ends, on the first port of every block
    that it takes.
    """
    guards: list[socket.socket] = []
    for first in range(_FIRST, _END, _BLOCK):
        guard = _listening(first)
        if guard is None:
            continue
        guards.append(guard)
        for port in range(first + 1, first + _BLOCK):
            probe = _listening(port)
            if probe is not None:
                probe.close()
                yield port
    raise RuntimeError(f"no port between {_FIRST} and {_END} is left")


_PORTS = _ports()
