"""Tests of bodies in segments: their parts, and that what is damaged is told before it is sent."""

from __future__ import annotations

import os
import zlib
from itertools import pairwise
from pathlib import Path

import pytest

from tests.cache.disk.responses import MB, body_of, read
from txproxy.cache.disk.file_body import FileBody, Piece
from txproxy.cache.disk.segment import NotInMemory, Segment
from txproxy.cache.stored import FileRange

DATA = body_of("a", 3 * MB)
SPLITS = [(0, 3 * MB), (0, MB, 3 * MB), (0, 5, 6, MB, 3 * MB)]


def _body(tmp_path: Path, splits: tuple[int, ...] = SPLITS[0]) -> FileBody:
    pieces = []
    for number, (start, stop) in enumerate(pairwise(splits)):
        segment = Segment(os.open(tmp_path / str(number), os.O_RDWR | os.O_CREAT), number)
        segment.write(DATA[start:stop], 4096)
        pieces.append(Piece(segment, 4096, stop - start))
    return FileBody(len(DATA), zlib.crc32(DATA), pieces)


@pytest.mark.parametrize("splits", SPLITS)
@pytest.mark.parametrize(("start", "stop"), [(0, 3 * MB), (0, 1), (3, 8), (5, 6), (MB - 1, MB + 1), (7, 7)])
def test_parts_are_those_bytes(tmp_path: Path, splits: tuple[int, ...], start: int, stop: int) -> None:
    assert read(_body(tmp_path, splits), start, stop) == DATA[start:stop]


def test_a_body_in_one_piece_is_one_range(tmp_path: Path) -> None:
    body = _body(tmp_path)
    assert body.parts(10, 20) == [FileRange(body.pieces[0].segment.fd, 4106, 10)]
    assert body.parts(10, 10) == []


@pytest.mark.parametrize("splits", SPLITS)
def test_it_is_read_once_and_believed_from_then_on(tmp_path: Path, splits: tuple[int, ...]) -> None:
    body = _body(tmp_path, splits)
    with pytest.raises(NotInMemory):
        body.check(wait=False)
    assert body.check(wait=True)
    assert body.check(wait=False)
    again = FileBody(body.length, body.crc, body.pieces)
    assert again.check(wait=False)


@pytest.mark.parametrize("place", [0, MB, 3 * MB - 1])
def test_what_is_damaged_is_told(tmp_path: Path, place: int) -> None:
    body = _body(tmp_path)
    body.pieces[0].segment.write(bytes([DATA[place] ^ 1]), 4096 + place)
    assert not body.check(wait=True)
    with pytest.raises(NotInMemory):
        body.check(wait=False)


def test_what_is_cut_is_told(tmp_path: Path) -> None:
    body = _body(tmp_path)
    os.ftruncate(body.pieces[0].segment.fd, 4096 + 3 * MB - 1)
    assert not body.check(wait=True)


def test_what_is_cut_after_it_was_believed_is_told(tmp_path: Path) -> None:
    body = _body(tmp_path)
    body.set_verified()
    os.ftruncate(body.pieces[0].segment.fd, 4096 + 3 * MB - 1)
    assert not body.check(wait=False)


@pytest.mark.parametrize("cold", [0, MB, 3 * MB - 1])
def test_what_is_not_in_memory_any_more_is_waited_for(
    tmp_path: Path, cold: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = _body(tmp_path)
    body.set_verified()
    real = os.preadv

    def preadv(fd: int, views: list[memoryview], offset: int, flags: int = 0) -> int:
        if flags and offset <= 4096 + cold < offset + 256 * 1024:
            raise BlockingIOError(11, "not now")
        return real(fd, views, offset)

    monkeypatch.setattr("txproxy.cache.disk.segment.os.preadv", preadv)
    with pytest.raises(NotInMemory):
        body.check(wait=False)
    assert body.check(wait=True)
