"""What is remembered of a client's connection: its next request is most often like the one before."""

from __future__ import annotations

from typing import Any, Final

from txproxy.forward.request.targets import Target
from txproxy.interfaces.context import RequestContext
from txproxy.wire.forwarding import Passage
from txproxy.wire.headers import Headers

_NEVER: Final = float("-inf")


class Memo:
    """Of the latest request whose fields went on: its ``headers``, ``target`` and ``mask``, the fields ``onward``, and
    the ``way`` of others of their form.

    Of the latest one that policy has allowed: what it was (``judged``, its headers, to its right), who was found to
    have sent it, which is ``known_until`` a time of the reactor's clock, and what was decided, which is
    ``settled_until`` one. ``path`` is None where any path would be decided on alike. ``generation`` is the judge's.
    """

    __slots__ = (
        "headers", "target", "mask", "onward", "way",
        "judged", "scheme", "authority", "method", "path", "generation", "user", "groups", "aim", "known_until",
        "verdict", "rule", "pinned", "settled_until",
    )  # fmt: skip

    def __init__(self) -> None:
        self.headers: Headers | None = None
        self.target: Target | None = None
        self.mask: Any = None
        self.onward: Headers | None = None
        self.way: Passage | None = None
        self.judged: Headers | None = None
        self.scheme: bytes | None = None
        self.authority = b""
        self.method = b""
        self.path: bytes | None = None
        self.generation = 0
        self.user: str | None = None
        self.groups: frozenset[str] = frozenset()
        self.aim: Any = None
        self.known_until = self.settled_until = _NEVER
        self.verdict: Any = None
        self.rule = ""
        self.pinned: tuple[str, ...] = ()


def memo_of(context: RequestContext) -> Memo:
    """Those of a client, which may be empty."""
    memo: Memo | None = context.connection.memo
    if memo is None:
        context.connection.memo = memo = Memo()
    return memo
