"""Tests of records: what was written is read, and whatever else is none."""

from __future__ import annotations

import pytest

from tests.cache.disk.responses import head_of, key_of
from txproxy.cache.disk.record_format import (
    ALIGNED,
    GONE,
    HEADER_SIZE,
    PAGE,
    RESPONSE,
    ROOM,
    STATE_OFFSET,
    Extent,
    Response,
    aligned,
    pack_response,
    read_header,
    read_packed,
    response_record,
    room_record,
    unpack_response,
)

KEY = key_of("a")


def _response(*extents: Extent) -> Response:
    return Response(KEY, head_of("a"), sum(extent.size for extent in extents) or 5, 77, extents)


def _read(data: bytes, segment: int = 3, offset: int = 64) -> Response | None:
    header = read_header(data, segment, offset)
    packed = read_packed(header, data) if header is not None else None
    return unpack_response(packed) if packed is not None else None


@pytest.mark.parametrize("extents", [(), (Extent(3, 4096, 10),), (Extent(3, 4096, 10), Extent(9, 8192, 20))])
def test_a_response_is_read_as_it_was_written(extents: tuple[Extent, ...]) -> None:
    written = _response(*extents)
    data = response_record(pack_response(written), b"hello", 3, 64)
    assert len(data) % ALIGNED == 0
    header = read_header(data, 3, 64)
    assert header is not None and (header.alive, header.kind, header.total) == (True, RESPONSE, len(data))
    assert data[HEADER_SIZE + header.packed :].rstrip(b"\0") == b"hello"
    response = _read(data)
    assert response is not None
    assert response._replace(head=written.head) == written
    assert response.head.headers == written.head.headers


def test_any_bit_that_differs_makes_it_none() -> None:
    data = response_record(pack_response(_response()), b"", 3, 64)
    header = read_header(data, 3, 64)
    assert header is not None
    for place in range(HEADER_SIZE + header.packed):
        for bit in (1, 16, 128):
            other = bytearray(data)
            other[place] ^= bit
            changed = read_header(bytes(other), 3, 64)
            told = changed is None or not changed.alive or _read(bytes(other)) is None
            assert told, place


def test_it_is_none_elsewhere_and_none_when_it_is_cut() -> None:
    data = response_record(pack_response(_response()), b"", 3, 64)
    assert _read(data, 4, 64) is None and _read(data, 3, 80) is None
    header = read_header(data, 3, 64)
    assert header is not None
    for size in range(HEADER_SIZE + header.packed):
        assert _read(data[:size]) is None


def test_the_state_alone_may_change() -> None:
    data = bytearray(response_record(pack_response(_response()), b"", 3, 64))
    data[STATE_OFFSET : STATE_OFFSET + len(GONE)] = GONE
    header = read_header(bytes(data), 3, 64)
    assert header is not None and not header.alive
    assert read_packed(header, bytes(data)) is not None


def test_no_single_error_brings_back_what_is_gone() -> None:
    for place in range(len(GONE)):
        for bit in range(8):
            other = bytearray(GONE)
            other[place] ^= 1 << bit
            assert any(other)


@pytest.mark.parametrize(("offset", "size"), [(64, 40_000), (4096 - 96, 40_000), (4096 - 80, 1), (112, 50)])
def test_a_room_begins_on_a_page_and_is_walked_over(offset: int, size: int) -> None:
    data, start, end = room_record(KEY, size, 3, offset)
    header = read_header(data, 3, offset)
    assert header is not None and header.kind == ROOM
    assert read_packed(header, data) == KEY
    assert start % PAGE == 0 and offset + len(data) <= start < offset + len(data) + PAGE
    assert end == offset + header.total >= start + size and end % ALIGNED == 0


def test_lengths_that_do_not_agree_are_none() -> None:
    response = _response(Extent(3, 4096, 10))._replace(length=11)
    assert unpack_response(pack_response(response)) is None
    assert unpack_response(b"x" * 20) is None


@pytest.mark.parametrize(("size", "unit", "whole"), [(0, 16, 0), (1, 16, 16), (16, 16, 16), (17, 4096, 4096)])
def test_sizes_are_filled_up(size: int, unit: int, whole: int) -> None:
    assert aligned(size, unit) == whole
