"""What upstreams were told of the request before on a connection of a client, which serves for another like it."""

from __future__ import annotations

from typing import Any

from txproxy.upstreams.choice import PoolAttempt
from txproxy.wire.forwarding import Passage
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


class ToldBefore:
    """What upstreams were told with the request before: ``headers``, made ``by`` an action ``of`` a client's fields and
    of the ``lines`` that tell of it. A client whose fields are the same again is told of in the same words; if they are
    of the same form, the ``way`` of those goes for them as well. The target may have another ``authority`` all the
    same, as it is no field.
    """

    __slots__ = ("by", "of", "authority", "host", "lines", "headers", "way", "first")

    def __init__(
        self,
        by: object,
        head: RequestHead,
        host: bytes,
        lines: tuple[bytes, ...] | None,
        headers: Headers,
        way: Passage | None,
    ) -> None:
        self.by = by
        self.of = head.headers
        self.authority = head.authority
        self.host = host
        self.lines = lines
        self.headers = headers
        self.way = way
        # the head of the first attempt of the last request that had one which serves for another; None if there was no
        # such. Each has an attempt of its own, since who stands around may change that before it is made.
        self.first: RequestHead | None = None

    def stands_for(self, head: RequestHead, lines: tuple[bytes, ...] | None) -> bool:
        """Whether upstreams are told of each request with these fields, and of this authority, in the same words, and
        by whatever connection. Who says who he is may have one for himself (RFC 4559 section 6).
        """
        same = head.authority == self.authority and lines == self.lines and not head.body
        return same and head.headers is self.of and b"authorization" not in (head.headers.form or head.headers).index

    def holds_for(self, headers: Headers) -> bool:
        """Whether fields that are others differ in nothing that counts; then it is ``of`` those. What a route has set
        fields in is of no form.
        """
        way = self.way
        if way is None or way.form is not headers.form:
            return False
        self.first = None
        self.of = headers
        self.headers = way.of(headers)
        return True


def remember(told: Any, attempt: PoolAttempt) -> None:
    """For a request that asks for the same, where that was told of in words that may come again."""
    if type(told) is ToldBefore and attempt.head is not None and told.headers is attempt.head.headers:
        told.first = attempt.head
