"""The head that goes on to an origin: what it is told of the client, and what it is not."""

from __future__ import annotations

from typing import Final

from txproxy.forward.memo import Memo, memo_of
from txproxy.forward.request.privacy import Mask
from txproxy.forward.request.targets import Target
from txproxy.interfaces.context import RequestContext
from txproxy.wire.forwarding import (
    CLIENT_FIELDS,
    HOP_BY_HOP,
    NOT_ALIKE,
    TELLING_FIELDS,
    Via,
    connection_lines,
    end_to_end,
    has_unusual,
    one_hop_less,
    passage,
    without_lookalikes,
)
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

_DROP: Final = HOP_BY_HOP | {b"host"}
_NONE: Final[frozenset[bytes]] = frozenset()


class Onward:
    """Makes heads. ``via`` is the proxy's entry in Via, or None; for ``forwarded_for`` see
    :class:`txproxy.forward.ForwardPolicy`.
    """

    def __init__(self, via: Via | None, forwarded_for: str) -> None:
        self._via = via
        self._forwarded_for = forwarded_for
        telling: frozenset[bytes] = CLIENT_FIELDS | TELLING_FIELDS if forwarded_for == "delete" else frozenset()
        self._drop = _DROP | telling
        self._not_alike = NOT_ALIKE | telling

    def head(
        self, head: RequestHead, context: RequestContext, target: Target, mask: Mask | None, lines: tuple[bytes, ...]
    ) -> RequestHead:
        """What ``target`` gets for ``head``: changed by ``mask``, and with ``lines`` added."""
        memo: Memo = context.connection.memo or memo_of(context)
        headers = None
        if memo.onward is not None and memo.target is target and memo.mask is mask and not lines:
            if memo.headers is head.headers:
                headers = memo.onward
            elif memo.way is not None and memo.way.form is head.headers.form:
                memo.headers = head.headers
                memo.onward = headers = memo.way.of(head.headers)
        if headers is None:
            headers = self._tell(head, context, target, mask, lines)
        return RequestHead(head.method, head.path, headers, target.authority, None, head.body)

    def _tell(
        self, head: RequestHead, context: RequestContext, target: Target, mask: Mask | None, more: tuple[bytes, ...]
    ) -> Headers:
        index = head.headers.index
        # RFC 9112 3.2.2: Host is made from the target, whatever the client sent.
        first = [b"Host: " + target.authority]
        kept, added = self._fields(head, context, mask, more)
        lines = first + kept + added
        if b"max-forwards" in index and head.method == b"OPTIONS":
            lines = one_hop_less(lines, head)
        headers = Headers.from_lines(lines)
        if b"upgrade" not in index and b"max-forwards" not in index and not more:
            # A client whose fields are the same again is told of in the same words.
            memo: Memo = context.connection.memo
            memo.headers, memo.target, memo.mask, memo.onward = head.headers, target, mask, headers
            memo.way = passage(head.headers, first, kept, added)
        return headers

    def _fields(
        self, head: RequestHead, context: RequestContext, mask: Mask | None, more: tuple[bytes, ...]
    ) -> tuple[list[bytes], list[bytes]]:
        """Which lines of the client's go on, and which come after them."""
        index = head.headers.index
        drop = mask.dropped(index) if mask is not None else _NONE
        kept = end_to_end(head.headers, self._drop | drop if drop else self._drop)
        if has_unusual(index):
            kept = without_lookalikes(kept, self._not_alike | drop)
        added = list(mask.lines) if mask is not None else []
        added += more
        if self._via is not None:
            # Several Via lines are one list, in order (RFC 9110 5.3).
            added.append(self._via.request_line(head.minor))
        if self._forwarded_for == "on":
            added.append(b"X-Forwarded-For: " + context.client_ip.encode("ascii"))
        elif self._forwarded_for == "off":
            added.append(b"X-Forwarded-For: unknown")
        if b"connection" in index or b"te" in index:
            added += connection_lines(head)
        return kept, added
