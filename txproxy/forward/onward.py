"""The head that goes on to an origin: what it is told of the client, and what it is not."""

from __future__ import annotations

from typing import Final

from txproxy.errors import RequestError
from txproxy.forward.notes import Notes, notes_of
from txproxy.forward.privacy import Mask
from txproxy.forward.targets import Target
from txproxy.interfaces import Client
from txproxy.wire.forwarding import (
    CLIENT_FIELDS,
    HOP_BY_HOP,
    TELLING_FIELDS,
    Via,
    connection_lines,
    end_to_end,
    without_lookalikes,
)
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

_DROP: Final = HOP_BY_HOP | {b"host"}


class Onward:
    """Makes heads. ``via`` is the proxy's entry in Via, or None; for ``forwarded_for`` see
    :class:`txproxy.forward.policy.ForwardPolicy`.
    """

    def __init__(self, via: Via | None, forwarded_for: str) -> None:
        self._via = via
        self._forwarded_for = forwarded_for
        self._drop = _DROP | CLIENT_FIELDS | TELLING_FIELDS if forwarded_for == "delete" else _DROP

    def head(
        self, head: RequestHead, client: Client, target: Target, mask: Mask | None, lines: tuple[bytes, ...]
    ) -> RequestHead:
        """What ``target`` gets for ``head``: changed by ``mask``, and with ``lines`` added."""
        notes: Notes = client.notes or notes_of(client)
        headers = notes.onward
        if headers is None or notes.headers is not head.headers or notes.target is not target or notes.mask is not mask:
            headers = None
        if headers is None or lines:
            headers = self._fields(head, client, target, mask, lines)
            index = head.headers.index
            if b"upgrade" not in index and b"max-forwards" not in index and not lines:
                # A client whose fields are the same again is told of in the same words.
                notes.headers, notes.target, notes.mask, notes.onward = head.headers, target, mask, headers
        return RequestHead(head.method, head.path, headers, target.authority, None, head.body)

    def _fields(
        self, head: RequestHead, client: Client, target: Target, mask: Mask | None, more: tuple[bytes, ...]
    ) -> Headers:
        index = head.headers.index
        # RFC 9112 3.2.2: Host is made from the target, whatever the client sent.
        lines = [b"Host: " + target.authority]
        if mask is None:
            lines += end_to_end(head.headers, self._drop)
        else:
            drop = mask.dropped(index)
            lines += without_lookalikes(end_to_end(head.headers, self._drop | drop), drop)
            lines += mask.lines
        lines += more
        if self._via is not None:
            # Several Via lines are one list, in order (RFC 9110 5.3).
            lines.append(self._via.request_line)
        if self._forwarded_for == "on":
            lines.append(b"X-Forwarded-For: " + client.client_ip.encode("ascii"))
        elif self._forwarded_for == "off":
            lines.append(b"X-Forwarded-For: unknown")
        if b"connection" in index:
            lines += connection_lines(head)
        if b"max-forwards" in index and head.method == b"OPTIONS":
            lines = _one_hop_less(lines, max_forwards(head))
        return Headers.from_lines(lines)


def max_forwards(head: RequestHead) -> int:
    """How many more proxies may pass an OPTIONS request on (RFC 9110 section 7.6.2)."""
    value = head.headers.index[b"max-forwards"]
    if not value.isdigit() or len(value) > 9:
        raise RequestError("Max-Forwards is not a number")
    return int(value)


def _one_hop_less(lines: list[bytes], hops: int) -> list[bytes]:
    others = [line for line in lines if not line.lower().startswith(b"max-forwards:")]
    return [*others, b"Max-Forwards: %d" % (hops - 1)]
