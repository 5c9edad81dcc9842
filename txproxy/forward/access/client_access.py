"""Who may use a forward proxy, and to which ports."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from txproxy.errors import ConfigError
from txproxy.matching.networks import PeerNetworks

__all__ = [
    "CONNECT_PORTS",
    "LOOPBACK_CLIENTS",
    "REQUEST_PORTS",
    "PeerNetworks",
    "Ports",
]

LOOPBACK_CLIENTS: Final = ("127.0.0.0/8", "::1")
_RANGE: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


class Ports:
    """A set of ports, from numbers and ranges (``8000-8999``)."""

    def __init__(self, texts: Iterable[str | int]) -> None:
        self._ranges: list[tuple[int, int]] = []
        for text in texts:
            match = _RANGE.fullmatch(str(text))
            first, last = (int(match[1]), int(match[2] or match[1])) if match is not None else (0, 0)
            if not 0 < first <= last < 65536:
                raise ConfigError(f"{text!r} is no port; accepted is 1 to 65535 or a range such as 8000-8999")
            self._ranges.append((first, last))

    def __contains__(self, port: int) -> bool:
        return any(first <= port <= last for first, last in self._ranges)


REQUEST_PORTS: Final = ("80", "443", "1024-65535")
CONNECT_PORTS: Final = ("443",)
