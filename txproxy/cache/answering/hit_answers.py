"""A stored response as an answer: whole, a part, its head alone, or that the client has it already (RFC 9111 section 4,
RFC 9110 sections 13.2.2 and 15.4.5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import attrs

from txproxy.cache.answering.conditional import lines_of_304, not_modified
from txproxy.cache.answering.ranges import Piece, new_boundary, partial_answer
from txproxy.cache.dates import written_date
from txproxy.cache.stored import Entry, StoredHead
from txproxy.wire.headers import Headers

# By these alone an answer is other than the whole.
_ASKS_LESS: Final = frozenset({b"range", b"if-none-match", b"if-modified-since"})
# RFC 9110 section 8.6
_WITHOUT_LENGTH: Final = frozenset({204, 205, 304})
# RFC 9111 1.2.2: what is older than this is as old.
_OLDEST: Final = 2**31


class HitAnswer(NamedTuple):
    """What a client gets of a stored response: ``status`` and ``reason``, all end-to-end ``lines`` with Age and
    Content-Length, and the ``pieces`` of the body in order, ``length`` bytes in all; none for HEAD and 304.
    """

    status: int
    reason: bytes
    lines: list[bytes]
    pieces: tuple[Piece, ...]
    length: int


@attrs.frozen(eq=False)
class PreparedHit:
    """A stored response with what all answers of it have in common, made once: ``lines``, all but Age, and the
    ``length`` of the body.
    """

    entry: Entry
    lines: list[bytes]
    length: int

    @classmethod
    def of(cls, entry: Entry) -> PreparedHit:
        """That of an ``entry`` with a whole body."""
        length = entry.body.length
        return cls(entry, _common_lines(entry.head, length), length)

    def answer(
        self, method: bytes, request: Headers, now: float, boundary: Callable[[], bytes] = new_boundary
    ) -> HitAnswer:
        """The answer to a GET or HEAD for it at ``now``; ``boundary`` gives what stands between several parts."""
        head, length = self.entry.head, self.length
        lines = [*self.lines, age_line(head, now)]
        if not _ASKS_LESS.isdisjoint(request.index):
            # RFC 9110 13.2.2: conditions come first, and then ranges.
            if not_modified(request, head, now):
                return HitAnswer(304, b"Not Modified", lines_of_304(lines), (), 0)
            # RFC 9110 14.2: ranges mean something in a GET alone.
            part = partial_answer(request, head, lines, length, now, boundary) if method == b"GET" else None
            if part is not None:
                reason = b"Partial Content" if part.status == 206 else b"Range Not Satisfiable"
                return HitAnswer(part.status, reason, part.lines, part.pieces, part.length)
        if method == b"HEAD" or not length:
            return HitAnswer(head.status, head.reason, lines, (), 0)
        return HitAnswer(head.status, head.reason, lines, ((0, length),), length)


def _common_lines(head: StoredHead, length: int) -> list[bytes]:
    headers = head.headers
    dropped = {b"age", b"content-length"}
    lines = [line for line, name in zip(headers.lines, headers.names(), strict=True) if name not in dropped]
    if b"date" not in headers.index:
        # RFC 9110 6.6.1: from when it is, and not when it is sent again.
        lines.append(b"Date: " + written_date(head.response_time))
    if head.status not in _WITHOUT_LENGTH:
        lines.append(b"Content-Length: %d" % length)
    return lines


def age_line(head: StoredHead, now: float) -> bytes:
    """How old it is, in whole seconds (RFC 9111 section 5.1)."""
    return b"Age: %d" % min(_OLDEST, int(head.age(now)))
