"""What the lines of one connection have in common, which is written once: clients ask in the same words again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.record import FinishedExchange
from txproxy.wire.message import RequestHead

Key = TypeVar("Key")


class Remembered(dict[Key, bytes], Generic[Key]):
    """What ``make`` has made of each key, as far as that was one of the last: no more than ``most``, and none of keys
    longer than ``longest``, where these have a length.
    """

    __slots__ = ("_make", "_most", "_longest")

    def __init__(self, make: Callable[[Key], bytes], most: int, longest: int = 0) -> None:
        self._make = make
        self._most = most
        self._longest = longest

    def __missing__(self, key: Any) -> bytes:
        made = self._make(key)
        if not self._longest or len(key) <= self._longest:
            if len(self) >= self._most:
                self.clear()
            self[key] = made
        return made


class Steady:
    """What lines have in common as long as the ``headers`` of requests and their ``words`` (see :func:`words_of`) are
    the same: what they say beside their targets, who sends them, and by which rule they are let through. None is made
    of an exchange that has not gone well, that had more than one attempt, or that a limit or a cache has to do with.

    ``start``, ``middle`` and ``end`` are parts of the line, and ``identifier`` is what a request is told by in its own
    fields; so many were ``made`` of this connection before. ``ends`` is for who makes the lines: what follows in one
    that the middle begins, by what differs.
    """

    __slots__ = ("made", "start", "middle", "end", "identifier", "ends", "headers", "words")

    def __init__(self, over: FinishedExchange, made: int, start: bytes, middle: bytes, end: bytes) -> None:
        self.headers = over.request.headers
        # What is made of one that was eventful holds for those that are not.
        self.words = (*words_of(over, over.request, over.context)[:-2], False, "")
        self.identifier = over.request.headers.index.get(b"x-request-id")
        self.start = start
        self.middle = middle
        self.end = end
        self.made = made
        self.ends: dict[Any, Any] = {}


def words_of(over: FinishedExchange, request: RequestHead, context: RequestContext) -> tuple[Any, ...]:
    """All that has to be the same of an exchange beside the fields of its request. To compare one of these with another
    takes a third of the time of comparing what is in them.
    """
    return (
        request.method,
        request.authority,
        request.minor,
        request.scheme,
        context.client_ip,
        context.user,
        context.scheme,
        context.rule,
        context.verdict,
        context.limit,
        context.cache,
        over.outcome,
        over.eventful,
        over.detail,
    )
