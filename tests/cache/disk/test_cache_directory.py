"""Tests of the directory: what may be in it, what is refused and how, and who may make or remove something."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.net.descriptors import count_descriptors
from txproxy.cache.disk.cache_directory import CacheDirectory
from txproxy.cache.disk.segment import SEGMENT_START
from txproxy.errors import ConfigError


def test_a_directory_that_is_missing_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    CacheDirectory(str(tmp_path / "a" / "cache")).close()
    assert (tmp_path / "a" / "cache").stat().st_mode & 0o777 == 0o700


def test_one_that_is_ours_is_taken_again(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    first = CacheDirectory(str(tmp_path))
    with first.locked() as alone:
        assert alone
        first.index(4096).close()
        first.new_segment(1)
    (tmp_path / "00000002.v1.new").write_bytes(b"")
    (tmp_path / "purges.v1").write_bytes(b"")
    first.close()
    assert CacheDirectory(str(tmp_path)).segments() == {1: SEGMENT_START}


@pytest.mark.parametrize("name", ["photo.jpg", "00000001.v2.segment", "index.v2", ".bashrc", "1.v1.segment"])
def test_one_with_something_foreign_is_refused_and_left_as_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(ConfigError) as told:
        CacheDirectory(str(tmp_path))
    assert str(told.value) == (
        f"{tmp_path}: has '{name}' in it, which is no file of a cache; accepted is a directory that is empty, is not "
        "there yet, or was made by this version"
    )
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious"


@pytest.mark.parametrize("below", ["", "below"])
def test_a_file_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ConfigError, match=r"file.*: is not a directory; accepted is a directory"):
        CacheDirectory(str(tmp_path / "file" / below))


def test_one_that_cannot_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("txproxy.cache.disk.cache_directory.os.open", refuse)
    with pytest.raises(ConfigError, match=": cannot be used: Permission denied; accepted is a directory"):
        CacheDirectory(str(tmp_path))


def test_a_path_that_can_be_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cannot be used: .*null"):
        CacheDirectory("a\0b")


def test_no_room_for_an_index_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise OSError(28, "No space left on device")

    directory = CacheDirectory(str(tmp_path))
    monkeypatch.setattr("txproxy.cache.disk.hint_index.os.posix_fallocate", refuse)
    with pytest.raises(ConfigError, match="has no room for an index of 32768 bytes: No space left on device"):
        directory.index(4096)


@pytest.mark.parametrize("data", [b"", b"foreign", b"x" * 100_000])
def test_an_index_that_is_none_is_made_anew(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "index.v1").write_bytes(data)
    index = CacheDirectory(str(tmp_path)).index(4096)
    assert index.slots == 4096 and not index.complete


def test_one_process_at_a_time_makes_and_removes(tmp_path: Path) -> None:
    one, two = CacheDirectory(str(tmp_path)), CacheDirectory(str(tmp_path))
    with one.locked() as alone:
        assert alone
        with two.locked() as also:
            assert not also
    with two.locked() as alone:
        assert alone


def test_segments_are_listed_oldest_first(tmp_path: Path) -> None:
    one, two = CacheDirectory(str(tmp_path)), CacheDirectory(str(tmp_path))
    for number in (2, 10, 1):
        segment = one.new_segment(number)
        segment.append(b"x" * number)
    assert two.segments() == {1: 65, 2: 66, 10: 74} and list(two.segments()) == [1, 2, 10]
    # Of what is known nobody asks.
    assert two.segments({2: 7, 99: 8}) == {1: 65, 2: 7, 10: 74}
    one.remove_segment(2)
    one.remove_segment(2)
    assert list(two.segments()) == [1, 10]
    assert two.open_segment(2) is None


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = CacheDirectory(str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr("txproxy.cache.disk.cache_directory.os.pwrite", lambda *_: 3)
        with pytest.raises(OSError, match="No space left"):
            directory.new_segment(1)
    assert directory.segments() == {}
    before = count_descriptors()
    directory.new_segment(1)
    assert directory.segments() == {1: SEGMENT_START}
    assert count_descriptors() <= before
