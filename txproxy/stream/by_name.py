"""Which pool a TLS client is for: by the server name that it asks for, with nothing decrypted (RFC 6066 section 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Generic, TypeVar

import attrs

from txproxy.errors import ConfigError
from txproxy.tls.names import NameTable, plain_name
from txproxy.wire.hello import read_hello

Pool = TypeVar("Pool")

_NAME: Final = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
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
    """Finds the pool of a TLS client. ``pools`` are by name (``a.example``) or wildcard (``*.b.example``: one label),
    and ``default`` is for all others, those who speak no TLS as well. A name that is none is a ``ConfigError``.
    """

    def __init__(self, pools: Mapping[str, Pool], default: Pool | None = None) -> None:
        seen: dict[str, str] = {}
        for name in pools:
            same = seen.setdefault(sni_name(name), name)
            if same is not name:
                raise ConfigError(f"{name!r} and {same!r} are one name; accepted is each once")
        self._names: NameTable[Pool] = NameTable(pools.items())
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
        pool = self._names.find(name) if name is not None else None
        if pool is not None:
            return Heard(pool, name)
        why = f"no pool is for {name}" if name is not None else "the client asks for no server name"
        return self._other(name, why, UNRECOGNIZED_NAME)

    def _other(self, name: str | None, why: str, answer: bytes = b"") -> Heard[Pool]:
        return Heard(self._default, name) if self._default is not None else Heard(None, name, why, answer)


def sni_name(text: str) -> str:
    """``text`` as names are compared, if a client can ask for it or it is a wildcard; else ``ConfigError``."""
    name = plain_name(text)
    if not _NAME.fullmatch(name) or len(name) > 255:
        raise ConfigError(f"{text!r} is no server name; accepted are HOST and *.HOST, in ASCII (xn-- where it is not)")
    return name
