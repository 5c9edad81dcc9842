"""Bodies of which some is missing: what of them is there, and what becomes of them when more comes."""

from __future__ import annotations

import os
import random

import pytest

from txproxy.cache.parts.parts_body import MOST_PARTS, Part, PartsBody, is_incomplete, parts_from
from txproxy.cache.stored import BY_KERNEL, FileRange, MemoryBody

WHOLE = bytes(range(100))


def parts_of(*spans: tuple[int, int], length: int = 100) -> PartsBody:
    return PartsBody(length, tuple(Part(start, MemoryBody(WHOLE[start:stop])) for start, stop in spans))


def read(body: PartsBody, start: int = 0, stop: int = 100) -> bytes:
    found = body.parts(start, stop)
    assert all(isinstance(one, bytes) for one in found)
    return b"".join(one for one in found if isinstance(one, bytes))


@pytest.mark.parametrize(
    ("start", "stop", "missing"),
    [
        (10, 20, None),
        (12, 13, None),
        (20, 40, None),
        (0, 100, (0, 100)),
        (0, 15, (0, 10)),
        (15, 60, (40, 60)),
        (15, 80, (40, 70)),
        (39, 71, (40, 70)),
        (50, 60, (50, 60)),
        (75, 100, (90, 100)),
        (15, 95, (40, 95)),
        (5, 5, None),
    ],
)
def test_what_is_missing(start: int, stop: int, missing: tuple[int, int] | None) -> None:
    body = parts_of((10, 20), (20, 40), (70, 90))
    assert body.missing(start, stop) == missing
    assert body.has(start, stop) is (missing is None)
    if missing is None:
        assert read(body, start, stop) == WHOLE[start:stop]


def test_what_is_read_ends_where_something_is_missing() -> None:
    body = parts_of((10, 20), (20, 40), (70, 90))
    assert read(body, 15, 80) == WHOLE[15:40]
    assert read(body, 0, 80) == read(body, 40, 80) == read(body, 95, 100) == b""
    assert (body.size, body.length, body.is_whole, is_incomplete(body)) == (50, 100, False, True)


def test_nothing_is_missing_of_what_is_whole() -> None:
    body = parts_of((0, 40), (40, 100))
    assert body.is_whole and not is_incomplete(body) and not is_incomplete(MemoryBody(b""))
    assert read(body) == WHOLE
    assert isinstance(body.simplest(), MemoryBody) and body.simplest().parts(0, 100) == [WHOLE]
    assert parts_of((0, 40)).simplest().length == 100


def test_what_is_whole_and_long_stays_in_parts() -> None:
    half = MemoryBody(bytes(BY_KERNEL))
    body = PartsBody(2 * BY_KERNEL, (Part(0, half), Part(BY_KERNEL, half)))
    assert body.simplest() is body
    assert PartsBody(BY_KERNEL, (Part(0, half),)).simplest() is half


class Paged:
    """A body in a file, of which some may be cut off."""

    def __init__(self, fd: int, length: int) -> None:
        self.fd = fd
        self.length = length

    def parts(self, start: int, stop: int) -> list[bytes | FileRange]:
        return [FileRange(self.fd, start, stop - start)]


@pytest.mark.parametrize("cut", [False, True])
def test_what_stands_in_files_is_read_to_be_in_one_piece(cut: bool) -> None:
    fd = os.memfd_create("parts")
    try:
        os.pwrite(fd, WHOLE[: 30 if cut else 40], 0)
        body = PartsBody(100, (Part(0, Paged(fd, 40)), Part(40, MemoryBody(WHOLE[40:]))))
        simplest = body.simplest()
        assert simplest is body if cut else simplest.parts(0, 100) == [WHOLE]
    finally:
        os.close(fd)


def test_more_is_put_between_what_is_there() -> None:
    body = parts_of((10, 20)).with_parts(parts_from(40, MemoryBody(WHOLE[40:50])))
    assert [part.start for part in body.held] == [10, 40]
    body = body.with_parts(parts_from(20, MemoryBody(WHOLE[20:40])))
    # What is short and follows each other is one.
    assert [(part.start, part.stop) for part in body.held] == [(10, 50)]
    assert read(body, 10, 50) == WHOLE[10:50]


def test_what_it_covers_any_of_is_not_kept() -> None:
    body = parts_of((10, 20), (30, 40), (50, 60)).with_parts(parts_from(15, MemoryBody(WHOLE[15:35])))
    assert [(part.start, part.stop) for part in body.held] == [(15, 35), (50, 60)]


def test_there_are_not_too_many() -> None:
    body = PartsBody(10_000, tuple(Part(3 * place, MemoryBody(b"x")) for place in range(MOST_PARTS)))
    body = body.with_parts(parts_from(9_000, MemoryBody(b"y")))
    assert [part.start for part in body.held] == [9_000]


def test_parts_of_a_part_are_in_its_place() -> None:
    assert [(one.start, one.stop) for one in parts_from(1000, parts_of((0, 10), (10, 30)))] == [
        (1000, 1010),
        (1010, 1030),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_it_is_what_a_plain_array_would_be(seed: int) -> None:
    chance = random.Random(seed)
    body, there = PartsBody(100, ()), [False] * 100
    for _ in range(30):
        start, stop = sorted(chance.sample(range(101), 2))
        touched = [part for part in body.held if part.start < stop and start < part.stop]
        for part in touched:
            there[part.start : part.stop] = [False] * part.body.length
        there[start:stop] = [True] * (stop - start)
        body = body.with_parts(parts_from(start, MemoryBody(WHOLE[start:stop])))
        low, high = sorted(chance.sample(range(101), 2))
        gaps = [place for place in range(low, high) if not there[place]]
        assert body.missing(low, high) == ((gaps[0], gaps[-1] + 1) if gaps else None)
        assert read(body, low, high) == WHOLE[low : gaps[0] if gaps else high]
        assert body.size == sum(there) and body.is_whole == all(there)
