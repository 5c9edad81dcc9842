"""A response as a cache keeps it: what all rules are about, and all stores keep."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol, TypeAlias

import attrs

from txproxy.wire.headers import Headers


@attrs.frozen
class Freshness:
    """For how long a response may be used, as it was when it came. All times are in seconds.

    ``lifetime`` is the freshness lifetime (RFC 9111 section 4.2.1), and ``initial_age`` the corrected initial age
    (section 4.2.3). ``explicit`` is whether the response itself said so, and no heuristic or rule. ``validate`` is
    whether the origin is to be asked each time (no-cache). ``never_stale`` is whether it may not be used stale,
    whatever fails (must-revalidate, proxy-revalidate, s-maxage). ``while_revalidate`` and ``if_error`` are the windows
    of RFC 5861, counted from expiry; ``if_error`` is None where the response said nothing of it. ``immutable`` is that
    of RFC 8246.
    """

    lifetime: float
    initial_age: float
    explicit: bool = True
    validate: bool = False
    never_stale: bool = False
    while_revalidate: float = 0.0
    if_error: float | None = None
    immutable: bool = False


# A field that a response was chosen by: its lower-case name, and the value that the request had, normalised; None where
# it had none.
VaryValues: TypeAlias = "tuple[tuple[bytes, bytes | None], ...]"


@attrs.frozen(eq=False)
class StoredHead:
    """The head of a stored response, and what is known of it. ``headers`` are end-to-end fields, in the order and the
    case in which they came, without what is never stored; Content-Length is among them only where it came.

    ``request_time`` is when the request was sent that has brought it, or has validated it last, and ``response_time``
    when the head of the answer to that came: seconds since the epoch. ``vary`` is what it was chosen by. ``tags``
    (Surrogate-Key, Cache-Tag, xkey) and ``groups`` (RFC 9875) are names by which it can be purged. ``mark`` is the
    number of the last purge that was known when it was asked for: what was purged since is gone. ``url`` is what it is
    the response of, with its port, for who looks at what is stored; empty where nobody has said so.
    """

    status: int
    reason: bytes
    headers: Headers
    request_time: float
    response_time: float
    freshness: Freshness
    vary: VaryValues = ()
    tags: frozenset[bytes] = frozenset()
    groups: frozenset[bytes] = frozenset()
    mark: int = 0
    url: bytes = b""

    def age(self, now: float) -> float:
        """Its current age at ``now`` (RFC 9111 section 4.2.3)."""
        return self.freshness.initial_age + max(0.0, now - self.response_time)

    def expiry(self) -> float:
        """When it ceases to be fresh, in seconds since the epoch."""
        return self.response_time + self.freshness.lifetime - self.freshness.initial_age


class FileRange(NamedTuple):
    """Part of a file, which the kernel may send: ``size`` bytes of the descriptor ``fd`` from ``offset``."""

    fd: int
    offset: int
    size: int


class StoredBody(Protocol):
    """The body of a stored response. Whoever has it may use it, whatever becomes of the entry in the store: what it
    stands on is given back when nobody has it any more.
    """

    @property
    def length(self) -> int:
        """In bytes."""

    def parts(self, start: int, stop: int) -> list[bytes | FileRange]:
        """The bytes from ``start`` to ``stop``, in order."""


@attrs.frozen(eq=False)
class MemoryBody:
    """A small body: ``data``."""

    data: bytes

    @property
    def length(self) -> int:
        """See :class:`StoredBody`."""
        return len(self.data)

    def parts(self, start: int, stop: int) -> list[bytes | FileRange]:
        """See :class:`StoredBody`."""
        return [self.data[start:stop]] if start < stop else []


@attrs.frozen(eq=False)
class Entry:
    """A stored response: one variant of what stands under ``key``, the hash of what was asked for."""

    key: bytes
    head: StoredHead
    body: StoredBody


# From which size on a body is kept where the kernel can send it from, in bytes.
BY_KERNEL: Final = 32 * 1024
