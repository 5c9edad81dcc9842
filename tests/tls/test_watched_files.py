"""Files are read again once they have changed, and a state that is wrong is said once."""

import os

import pytest

from txproxy.errors import ConfigError
from txproxy.tls.watched_files import Watched, read_file


@pytest.fixture
def watched(tmp_path):
    file = tmp_path / "number"
    file.write_text("1")

    def load():
        text = file.read_text() if file.exists() else "nothing"
        if not text.isdigit():
            raise ConfigError(f"{file}: {text} is no number")
        return int(text)

    return file, Watched([str(file), None], load)


def test_what_has_not_changed_is_not_read_again(watched):
    _, number = watched
    value = number.value
    assert not number.check()
    assert number.value is value == 1


def test_a_change_is_read(watched, said):
    file, number = watched
    file.write_text("22")
    assert number.check()
    assert number.value == 22
    assert not number.check()
    assert [event["log_level"].name for event in said] == ["info"]


def test_a_replacement_of_the_same_size_and_time_is_seen(watched):
    file, number = watched
    before = file.stat()
    other = file.with_name("other")
    other.write_text("7")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)
    assert number.check()
    assert number.value == 7


def test_a_link_that_is_turned_is_seen(watched, tmp_path):
    file, number = watched
    target = tmp_path / "target"
    target.write_text("8")
    link = tmp_path / "link"
    link.symlink_to(target)
    link.replace(file)
    assert number.check()
    assert number.value == 8


def test_what_is_wrong_leaves_the_value_and_is_said_once_a_state(watched, said):
    file, number = watched
    file.write_text("broken")
    assert not number.check()
    assert not number.check()
    assert number.value == 1
    file.unlink()
    assert not number.check()
    assert not number.check()
    lines = [event["fault"] for event in said]
    assert lines == [f"{file}: broken is no number", f"{file}: nothing is no number"]
    file.write_text("9")
    assert number.check()
    assert number.value == 9


def test_the_first_reading_raises(tmp_path):
    with pytest.raises(ConfigError):
        Watched([str(tmp_path)], lambda: read_file(str(tmp_path), "--tls-cert"))


@pytest.mark.parametrize("path", ["/nowhere/at.all", "/", "/dev/zero", "a\0b"])
def test_a_file_that_cannot_be_read_is_named(path):
    with pytest.raises(ConfigError) as fault:
        read_file(path, "--tls-cert")
    line = str(fault.value)
    assert line.startswith(f"--tls-cert {path!r}:" if "\0" in path else f"--tls-cert {path}:")
    assert "accepted is" in line
    assert "\n" not in line
