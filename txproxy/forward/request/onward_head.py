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
    one_hop_less,
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
        headers = memo.onward
        if headers is None or memo.headers is not head.headers or memo.target is not target or memo.mask is not mask:
            headers = None
        if headers is None or lines:
            headers = self._fields(head, context, target, mask, lines)
            index = head.headers.index
            if b"upgrade" not in index and b"max-forwards" not in index and not lines:
                # A client whose fields are the same again is told of in the same words.
                memo.headers, memo.target, memo.mask, memo.onward = head.headers, target, mask, headers
        return RequestHead(head.method, head.path, headers, target.authority, None, head.body)

    def _fields(
        self, head: RequestHead, context: RequestContext, target: Target, mask: Mask | None, more: tuple[bytes, ...]
    ) -> Headers:
        index = head.headers.index
        # RFC 9112 3.2.2: Host is made from the target, whatever the client sent.
        lines = [b"Host: " + target.authority]
        drop = mask.dropped(index) if mask is not None else _NONE
        others = end_to_end(head.headers, self._drop | drop)
        lines += without_lookalikes(others, self._not_alike | drop) if b"_" in b"".join(index) else others
        if mask is not None:
            lines += mask.lines
        lines += more
        if self._via is not None:
            # Several Via lines are one list, in order (RFC 9110 5.3).
            lines.append(self._via.request_line(head.minor))
        if self._forwarded_for == "on":
            lines.append(b"X-Forwarded-For: " + context.client_ip.encode("ascii"))
        elif self._forwarded_for == "off":
            lines.append(b"X-Forwarded-For: unknown")
        if b"connection" in index:
            lines += connection_lines(head)
        if b"max-forwards" in index and head.method == b"OPTIONS":
            lines = one_hop_less(lines, head)
        return Headers.from_lines(lines)
