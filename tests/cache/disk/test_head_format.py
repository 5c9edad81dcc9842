"""Tests of heads as bytes: all of a head comes back, and what is no head is told."""

from __future__ import annotations

import random

import attrs
import pytest

from txproxy.cache.disk.head_format import pack_head, unpack_head
from txproxy.cache.stored import Freshness, StoredHead
from txproxy.wire.headers import Headers

PLAIN = StoredHead(200, b"OK", Headers(), 1.5, 2.5, Freshness(60.0, 0.0))
RICH = StoredHead(
    404,
    b"Not \xff Found",
    Headers.from_lines([b"A: b", b"X-Empty: ", b"A: c"]),
    1.25,
    2.75,
    Freshness(3.5, 4.5, False, True, True, 5.5, 6.5, True),
    ((b"accept", None), (b"accept-encoding", b""), (b"x", b"gzip, br")),
    frozenset({b"one", b"two", b""}),
    frozenset({b"g"}),
    12345678901,
    b"http://a:80/x",
)


@pytest.mark.parametrize("head", [PLAIN, RICH])
def test_a_head_comes_back_as_it_was(head: StoredHead) -> None:
    assert attrs.asdict(unpack_head(pack_head(head)), recurse=False) == attrs.asdict(head, recurse=False)


def test_all_that_a_head_has_differs_from_what_is_there_by_default() -> None:
    for rich, plain in ((RICH, PLAIN), (RICH.freshness, PLAIN.freshness)):
        for field in attrs.fields(type(rich)):
            assert getattr(rich, field.name) != getattr(plain, field.name), field.name


def test_what_was_written_before_there_were_urls_is_read() -> None:
    texts = (b"OK", b"A: b")
    lines = b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    now = pack_head(attrs.evolve(PLAIN, headers=Headers.from_lines([b"A: b"]), url=b"http://a:80/x"))
    head, tail = now[: now.index(b"\x02\x00\x00\x00OK") - 4], now[now.index(b"/x") + 2 :]
    before = head + len(texts).to_bytes(4, "little") + lines + tail
    found = unpack_head(before)
    assert (found.status, found.reason, found.headers.lines, found.url) == (200, b"OK", [b"A: b"], b"")


def test_no_window_is_another_thing_than_one_of_no_length() -> None:
    none = attrs.evolve(PLAIN, freshness=attrs.evolve(PLAIN.freshness, if_error=None))
    zero = attrs.evolve(PLAIN, freshness=attrs.evolve(PLAIN.freshness, if_error=0.0))
    assert unpack_head(pack_head(none)).freshness.if_error is None
    assert unpack_head(pack_head(zero)).freshness.if_error == 0.0


def test_what_is_cut_or_longer_is_none() -> None:
    data = pack_head(RICH)
    for size in range(len(data)):
        with pytest.raises(ValueError, match=r"cut short|too many|not a stored head"):
            unpack_head(data[:size])
    with pytest.raises(ValueError, match="not a stored head"):
        unpack_head(data + b"x")


def test_what_is_made_up_is_read_or_told_but_never_a_surprise() -> None:
    chance = random.Random(1)
    data = pack_head(RICH)
    for _ in range(2_000):
        made_up = bytearray(data)
        for _ in range(3):
            made_up[chance.randrange(len(data))] = chance.choice((0, 1, 255, chance.randrange(256)))
        try:
            assert isinstance(unpack_head(bytes(made_up)), StoredHead)
        except ValueError:
            continue
