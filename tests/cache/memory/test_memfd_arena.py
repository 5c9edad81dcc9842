"""Tests of where the kernel sends bodies from: what was handed to a socket never changes, and memory is given back."""

from __future__ import annotations

import os
import socket

import pytest

from txproxy.cache.memory.memfd_arena import ArenaRange, MemfdArena


@pytest.fixture
def arena() -> MemfdArena:
    made = MemfdArena.made()
    if made is None:
        pytest.skip("the system has no memfd")
    return made


def _held(arena: MemfdArena) -> int:
    return os.fstat(arena.fd).st_blocks * 512


def _written(arena: MemfdArena, data: bytes) -> ArenaRange:
    place = arena.reserve(len(data))
    place.append(data)
    return place


def test_what_is_written_is_in_one_piece_and_counted_in_pages(arena: MemfdArena) -> None:
    place = arena.reserve(50_000)
    assert arena.used == 0
    for letter in b"abcde":
        place.append(bytes([letter]) * 10_000)
    other = _written(arena, b"x" * 5_000)
    assert os.pread(arena.fd, 50_000, place.offset) == b"".join(bytes([letter]) * 10_000 for letter in b"abcde")
    assert arena.used == place.taken + other.taken == 53_248 + 8_192 == _held(arena)
    assert place.offset % 4096 == other.offset % 4096 == 0


def test_memory_is_given_back_when_nobody_has_the_range(arena: MemfdArena) -> None:
    place = _written(arena, b"a" * 50_000)
    other = _written(arena, b"b" * 50_000)
    del place
    arena.give_back()
    assert arena.used == other.taken == _held(arena)
    assert os.pread(arena.fd, 50_000, other.offset) == b"b" * 50_000


def test_what_a_socket_was_handed_does_not_change(arena: MemfdArena) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as sender:
        receiver, _ = server.accept()
        with receiver:
            place = _written(arena, b"a" * 40_000)
            sent = os.sendfile(sender.fileno(), arena.fd, place.offset, 40_000)
            del place
            arena.give_back()
            for _ in range(20):
                _written(arena, b"z" * 40_000)
                arena.give_back()
            sender.close()
            received = b"".join(iter(lambda: receiver.recv(65536), b""))
    assert received == b"a" * sent and sent > 0


def test_the_file_stays_as_long_as_somebody_has_a_range(arena: MemfdArena) -> None:
    fd = arena.fd
    place = _written(arena, b"a" * 5_000)
    del arena
    # The fixture has the arena as well; a range of its own says who the owner is.
    assert os.pread(place.fd, 5_000, place.offset) == b"a" * 5_000 and place.fd == fd


def test_what_could_not_be_given_back_is_given_back_later(arena: MemfdArena, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **more: object) -> None:
        raise OSError(24, "Too many open files")

    place = _written(arena, b"a" * 5_000)
    del place
    with monkeypatch.context() as patch:
        patch.setattr("txproxy.cache.memory.memfd_arena.mmap.mmap", refuse)
        arena.give_back()
    assert arena.used == 8_192
    arena.give_back()
    assert arena.used == _held(arena) == 0


def test_a_write_that_fails_is_counted_until_it_is_given_back(
    arena: MemfdArena, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> int:
        raise OSError(12, "Cannot allocate memory")

    place = arena.reserve(5_000)
    with monkeypatch.context() as patch:
        patch.setattr("txproxy.cache.memory.memfd_arena.os.pwrite", refuse)
        with pytest.raises(OSError, match="Cannot allocate"):
            place.append(b"a" * 5_000)
    assert arena.used == 8_192
    del place
    arena.give_back()
    assert arena.used == 0


def test_there_is_none_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("txproxy.cache.memory.memfd_arena.os.memfd_create", refuse)
    assert MemfdArena.made() is None
