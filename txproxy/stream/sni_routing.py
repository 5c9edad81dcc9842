"""Which pool a TLS client is for: by the server name that it asks for, with nothing decrypted (RFC 6066 section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Generic, TypeVar

import attrs

from txproxy.errors import ConfigError
from txproxy.matching.hosts import HostPattern, HostTable, is_literal, named_host
from txproxy.wire.client_hello import read_hello

Pool = TypeVar("Pool")

# A fatal alert, unrecognized_name, in a record of its own: it says to the client what closing alone would not.
UNRECOGNIZED_NAME: Final = b"\x15\x03\x03\x00\x02\x02\x70"


@attrs.frozen
class Heard(Generic[Pool]):
    """What became of a client's first bytes: the ``pool`` that it is for, or None and why, and the ``server_name`` that
    it asked for, if it speaks TLS and asked for one. ``answer`` is what a client gets before it is sent away.
    """

    pool: Pool | None
    server_name: str | None = None
    why: str = ""
    answer: bytes = b""


class ByName(Generic[Pool]):
    """Finds the pool of a TLS client. ``pools`` are by host pattern (see :mod:`txproxy.matching.hosts`), of which the
    one that says most of the name counts, and ``default`` is for all others, those who speak no TLS as well. What is
    no pattern, or an address, which no client asks for (RFC 6066 section 3), is a ``ConfigError``.
    """

    def __init__(self, pools: Mapping[str, Pool], default: Pool | None = None) -> None:
        for text in pools:
            if is_literal(HostPattern.parse(text).name):
                raise ConfigError(f"{text!r} is an address, which no TLS client asks for", "accepted is a name")
        self._names: HostTable[Pool] = HostTable(pools.items())
        self._default = default

    def hear(self, data: bytes) -> Heard[Pool] | None:
        """What to do with a client that began with ``data``; None if it has to say more."""
        try:
            hello = read_hello(data)
        except ValueError as fault:
            return self._other(None, str(fault))
        if hello is None:
            return None
        name = hello.server_name
        pool = self._names.find(named_host(name)) if name is not None else None
        if pool is not None:
            return Heard(pool, name)
        why = f"no pool is for {name}" if name is not None else "the client asks for no server name"
        return self._other(name, why, UNRECOGNIZED_NAME)

    def _other(self, name: str | None, why: str, answer: bytes = b"") -> Heard[Pool]:
        return Heard(self._default, name) if self._default is not None else Heard(None, name, why, answer)
