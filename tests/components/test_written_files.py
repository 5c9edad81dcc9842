"""What is said of a file before it is opened is what opening it says, and nothing is made."""

import os
import tempfile

import pytest

from txproxy.components.written_files import check_folder, check_writable


@pytest.fixture
def folder():
    """One that others may look into, but not write to."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield name


def said(path):
    with pytest.raises(OSError) as looked:
        check_writable(path)
    with pytest.raises(OSError) as opened:
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    assert looked.value.errno == opened.value.errno
    return looked.value.strerror


def test_what_is_there_or_could_be_made_is_left_alone(tmp_path):
    (tmp_path / "there").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "made later")
    for name in ("there", "new", "link"):
        check_writable(str(tmp_path / name))
    check_folder(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["link", "there"] and (tmp_path / "there").read_text() == "kept"


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    check_writable(str(tmp_path / "pipe"))


def test_what_cannot_be_opened_is_said_as_opening_says_it(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "lost").symlink_to(tmp_path / "none" / "file")
    assert said(str(tmp_path)) == "Is a directory"
    assert said(str(tmp_path / "none" / "file")) == "No such file or directory"
    assert said(str(tmp_path / "lost")) == "No such file or directory"
    assert said(str(tmp_path / "file" / "below")) == "Not a directory"
    with pytest.raises(NotADirectoryError):
        check_folder(str(tmp_path / "file"))


def test_who_has_no_right_to_is_told(folder):
    path = os.path.join(folder, "file")
    with open(path, "w"):
        os.chmod(path, 0o444)
    root = not os.geteuid()
    if root:
        os.seteuid(65534)
    else:
        os.chmod(folder, 0o555)
    try:
        assert said(path) == said(os.path.join(folder, "new")) == "Permission denied"
        with pytest.raises(PermissionError):
            check_folder(folder)
    finally:
        if root:
            os.seteuid(0)
        else:
            os.chmod(folder, 0o755)
