"""Parts of a proxy that own_parts.toml names."""

from __future__ import annotations

import pathlib
import sys
import zlib
from collections.abc import Sequence

from txproxy.interfaces import Request, RequestContext, RequestHead
from txproxy.upstreams import Skip, Strategy, Weighted


class LongestName(Strategy):
    """A strategy: the one with the longest name, which is nobody's idea of balance."""

    def update(self, upstreams: Sequence[Weighted]) -> None:
        self._order = sorted(upstreams, key=lambda upstream: -len(upstream.name))

    def choose(self, head: RequestHead | None, context: RequestContext, skip: Skip | None = None) -> Weighted | None:
        return next((upstream for upstream in self._order if skip is None or not skip(upstream)), None)


def is_tester(request: Request, *, share: float) -> bool:
    """Who may see what is new: always the same clients."""
    return zlib.crc32(request.client.encode()) % 100 < 100 * share


async def user_of_token(token: str) -> str | None:
    """Whose a token is; None if it is nobody's. It may await whoever knows."""
    return {"t0ken": "bob"}.get(token)


def members(file: str) -> list[str]:
    """Upstreams, one a line."""
    return pathlib.Path(file).read_text().split()


class Lines:
    """Takes the lines of an access log."""

    def write(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")
