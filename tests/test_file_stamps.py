"""A file is known by its stamp, until something of it changes."""

import os

import pytest

from txproxy.file_stamps import Stamp


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    os.utime(path, ns=(10**18, 10**18))
    return path


def _written(file):
    file.write_text("two")


def _longer(file):
    file.write_text("longer")
    os.utime(file, ns=(10**18, 10**18))


def _replaced(file):
    other = file.with_name("other")
    other.write_text("two")
    os.utime(other, ns=(10**18, 10**18))
    other.rename(file)


def _turned(file):
    other = file.with_name("other")
    file.rename(other.with_name("first"))
    other.write_text("two")
    os.utime(other, ns=(10**18, 10**18))
    file.symlink_to(other)


@pytest.mark.parametrize("change", [_written, _longer, _replaced, _turned])
def test_a_file_that_has_changed_has_another_stamp(file, change):
    before = Stamp.now(str(file))
    assert before == Stamp.now(str(file)) == Stamp.of(os.stat(file))
    change(file)
    assert Stamp.now(str(file)) not in (before, None)


def test_a_file_that_is_read_has_its_own_stamp_whatever_stands_in_its_place(file):
    with file.open("rb") as opened:
        before = Stamp.now(str(file))
        _replaced(file)
        assert Stamp.of(os.fstat(opened.fileno())) == before != Stamp.now(str(file))


def test_what_is_no_file_has_none(tmp_path):
    assert Stamp.now(str(tmp_path / "none")) is None
    assert Stamp.now("a\0b") is None
    assert Stamp.now(str(tmp_path)) is not None
