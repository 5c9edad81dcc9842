"""What is stored, as the answer to a client."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from txproxy.cache.answering.cache_status import CacheVerdict
from txproxy.cache.answering.hit_answers import HitAnswer, PreparedHit
from txproxy.cache.answering.ranges import Piece, content_range, read_ranges
from txproxy.cache.disk.file_body import bodies_on_disk
from txproxy.cache.parts.partial_content import wanted
from txproxy.cache.parts.parts_body import PartsBody, is_checked_late
from txproxy.cache.stored import Entry, FileRange, StoredBody
from txproxy.interfaces.answers import BodySource, RelayedAnswer
from txproxy.proxy.caching.asking import Asking
from txproxy.proxy.caching.filling.fill_body import AHEAD, FillBody
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.proxy.caching.slice_checks import SliceChecks
from txproxy.proxy.caching.stored_reader import Reader
from txproxy.wire.headers import Headers
from txproxy.wire.message import CHUNKED, RequestHead, ResponseHead

_STATUS: Final = b"cache-status"
_LENGTH: Final = b"content-length"
_NO_FIELDS: Final = Headers.parsed([])

Later = Callable[[Callable[[], None]], object]


class Sized:
    """A body of ``length`` bytes of which nothing is known but that (see :class:`txproxy.cache.stored.StoredBody`)."""

    __slots__ = ("length",)

    def __init__(self, length: int) -> None:
        self.length = length

    def parts(self, start: int, stop: int) -> list[bytes | FileRange]:
        """None are there."""
        return []


def stored_answer(
    asking: Asking,
    entry: Entry,
    verdict: CacheVerdict,
    cache: SharedCache,
    now: float,
    later: Later,
    aged: bool = True,
) -> RelayedAnswer:
    """The answer to a request from what is stored as ``entry``. Without Age where it is not ``aged``: that would say
    that the origin was not asked for it (RFC 9111 section 5.1).
    """
    hit = PreparedHit.of(entry).answer(asking.request.method, asking.request.headers, now)
    asking.context.cache = verdict
    body: bytes | BodySource
    stored = entry.body
    if isinstance(stored, PartsBody) and is_checked_late(stored) and hit.pieces:
        checks = SliceChecks(stored, partial(cache.check_parts, asking.services.reactor, entry), later)
        body = checks.reader = Reader(stored, hit.pieces, hit.length, later, checks)
    else:
        body = _body(entry.body, hit.pieces, hit.length, later)
    return _relayed(hit if aged else _first_hand(hit), body, verdict, cache.name, now)


def is_in_memory(entry: Entry) -> bool:
    """Whether the body of ``entry`` is there, and in no file of a disk."""
    return not bodies_on_disk(entry.body)


def whole_answer(
    body: bytes | BodySource, entry: Entry, verdict: CacheVerdict, name: bytes, now: float
) -> RelayedAnswer:
    """The answer to a GET for ``entry`` that wants all of it, with its ``body``."""
    return _relayed(PreparedHit.of(entry).answer(b"GET", _NO_FIELDS, now), body, verdict, name, now)


def is_near(asking: Asking, entry: Entry, body: FillBody, now: float) -> bool:
    """Whether what a request wants of a ``body`` that is still coming, as ``entry``, is there or is soon: who looks for
    the end of a long one is not to wait for all of it.
    """
    headers, known = asking.request.headers, body.expected
    if known is not None and not body.will_have(0, known):
        pieces = wanted(entry, known, headers, now)
        if not pieces or not all(body.will_have(*piece) for piece in pieces):
            return False
    field = headers.index.get(b"range")
    if field is None or known is None:
        return True
    ranges = read_ranges(field, known)
    return not ranges or max(ranges)[0] <= body.available + AHEAD


def growing_answer(
    asking: Asking,
    entry: Entry,
    body: FillBody,
    verdict: CacheVerdict,
    name: bytes,
    now: float,
    later: Later,
    aged: bool,
) -> RelayedAnswer:
    """The answer from the ``body`` that is still coming; the head is that of ``entry``."""
    request = asking.request
    asking.context.cache = verdict
    known = body.expected
    prepared = PreparedHit.of(Entry(entry.key, entry.head, Sized(known or 0)))
    hit = prepared.answer(request.method, _whole(request, known), now)
    if not aged:
        hit = _first_hand(hit)
    if hit.status != entry.head.status or known is not None:
        if not hit.pieces:
            return _relayed(hit, b"", verdict, name, now)
        reader = Reader(body, hit.pieces, hit.length, later, body)
        body.attach(reader)
        return _relayed(hit, reader, verdict, name, now)
    reader = Reader(body, ((0, -1),), None, later, body)
    body.attach(reader)
    lines = [line for line in hit.lines if line.partition(b":")[0].lower() != _LENGTH]
    return _relayed(hit._replace(lines=lines), reader, verdict, name, now)


def part_answer(
    asking: Asking,
    entry: Entry,
    body: FillBody,
    verdict: CacheVerdict,
    name: bytes,
    now: float,
    later: Later,
    aged: bool,
) -> RelayedAnswer:
    """The answer to who has asked for the part that is still coming: all of it, whatever he has asked for. What that is
    the origin has read and decided.
    """
    asking.context.cache = verdict
    start, stop, length = body.start, body.stop, body.expected
    assert stop is not None and length is not None
    hit = PreparedHit.of(Entry(entry.key, entry.head, Sized(stop - start))).answer(b"GET", _NO_FIELDS, now)
    lines = [*hit.lines, content_range(start, stop, length)]
    hit = HitAnswer(206, b"Partial Content", lines, ((start, stop),), stop - start)
    reader = Reader(body, hit.pieces, hit.length, later, body)
    body.attach(reader)
    return _relayed(hit if aged else _first_hand(hit), reader, verdict, name, now)


def _first_hand(hit: HitAnswer) -> HitAnswer:
    return hit._replace(lines=[line for line in hit.lines if line[:4].lower() != b"age:"])


def _whole(request: RequestHead, known: int | None) -> Headers:
    """The fields of a request, without Range where nobody knows yet how long the whole is."""
    headers = request.headers
    if known is not None or b"range" not in headers.index:
        return headers
    return Headers.parsed([line for line in headers.lines if line.partition(b":")[0].lower() != b"range"])


def _body(body: StoredBody, pieces: tuple[Piece, ...], length: int, later: Later) -> bytes | BodySource:
    """The bytes themselves, where they are few and at hand."""
    if not pieces:
        return b""
    if len(pieces) == 1 and not isinstance(pieces[0], bytes):
        parts = body.parts(*pieces[0])
        if len(parts) == 1 and isinstance(parts[0], bytes):
            return parts[0]
    return Reader(body, pieces, length, later)


def _relayed(hit: HitAnswer, body: bytes | BodySource, verdict: CacheVerdict, name: bytes, now: float) -> RelayedAnswer:
    lines = with_status(hit.lines, verdict, name, now)
    framed = len(body) if isinstance(body, bytes) else body.length
    head = ResponseHead(hit.status, Headers.from_lines(lines), hit.reason, framed if framed is not None else CHUNKED)
    return RelayedAnswer(hit.status, body=body, head=head)


def with_status(lines: list[bytes], verdict: CacheVerdict, name: bytes, now: float) -> list[bytes]:
    """The ``lines`` with what Cache-Status says of this cache after what it said of others."""
    came = [line.partition(b":")[2].strip(b" \t") for line in lines if line[:13].lower() == b"cache-status:"]
    if not came:
        return [*lines, verdict.line(name, now)]
    others = [line for line in lines if line[:13].lower() != b"cache-status:"]
    return [*others, verdict.line(name, now, b", ".join(came))]
