"""Heads that come one after another and have lines in common."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from txproxy.testing import MemoryConnection, ProxyInMemory

# What is another for each proxy, or each second.
_OTHERS = re.compile(rb"\([0-9a-f]{12}\)|\b\d\d:\d\d:\d\d GMT")

Make = Callable[[], ProxyInMemory]


def sections(lines: st.SearchStrategy[bytes], first: bytes = b"") -> st.SearchStrategy[list[list[bytes]]]:
    """Lists of field lines, of which many are like others but for one; most begin with the ``first`` line, if any."""

    def changed(kinds: list[list[bytes]]) -> st.SearchStrategy[list[list[bytes]]]:
        def change(made: tuple[int, int, bytes, bool]) -> list[bytes]:
            which, place, line, begins = made
            section = list(kinds[which % len(kinds)])
            if section:
                section[place % len(section)] = line
            return [first, *section] if begins and first else section

        changes = st.tuples(st.integers(0, 9), st.integers(0, 9), lines, st.sampled_from([True, True, True, False]))
        return st.lists(changes.map(change), min_size=2, max_size=8)

    return st.lists(st.lists(lines, max_size=5), min_size=1, max_size=2).flatmap(changed)


def section(lines: list[bytes]) -> bytes:
    """The lines as they are sent, with the empty one after them."""
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def check_each_is_as_if_alone(make: Make, exchanges: list[tuple[bytes, bytes]]) -> None:
    """Requests and responses that come over the same two connections are passed on as each is over new ones."""
    together, alone = make(), make()
    client = together.connect()
    try:
        for request, response in exchanges:
            if client.closed or client.disconnecting or client.ended:
                client = together.connect()
            found = _exchange(together, client, request, response)
            assert found == _exchange(alone, alone.connect(), request, response)
            for connection in alone.network.connections:
                connection.drop()
    finally:
        for proxy in (together, alone):
            for connection in (*proxy.clients, *proxy.network.connections):
                connection.drop()
            proxy.close()


def _exchange(proxy: ProxyInMemory, client: MemoryConnection, request: bytes, response: bytes) -> list[Any]:
    client.take()
    for connection in proxy.network.connections:
        connection.take()
    client.send(request)
    passed = [(connection, data) for connection in proxy.network.connections if (data := connection.take())]
    for connection, _ in passed:
        connection.send(response)
    return [[_OTHERS.sub(b"", data) for _, data in passed], _OTHERS.sub(b"", client.take()), client.disconnecting]
