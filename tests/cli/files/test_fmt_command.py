"""Files are put into one form, or it is said which would be."""

import os
import stat

import pytest

from txproxy.cli.files.fmt_command import run


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.toml").write_text("a = 1\n")
    path = tmp_path / "a.toml"
    path.write_text("a=1 # one\n")
    path.chmod(0o640)
    return path


def test_a_file_is_written_as_it_is_to_be(file, capsys):
    assert run(["a.toml", "good.toml"]) == 0
    assert capsys.readouterr() == ("a.toml: changed\n", "")
    assert file.read_text() == "a = 1  # one\n" and stat.S_IMODE(file.stat().st_mode) == 0o640
    number = file.stat().st_ino
    assert run(["a.toml"]) == 0
    assert capsys.readouterr() == ("", "") and file.stat().st_ino == number


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_a_mark_stay(file, mark):
    file.write_bytes(mark + b"a=1\r\nb=2\r\n")
    assert run(["a.toml"]) == 0
    assert file.read_bytes() == mark + b"a = 1\r\nb = 2\r\n"


def test_what_would_be_changed_is_said(file, capsys):
    assert run(["--check", "good.toml", "a.toml"]) == 1
    assert capsys.readouterr() == ("", "a.toml: it would be changed\n")
    assert run(["--check", "good.toml"]) == 0
    assert run(["--diff", "a.toml"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-2:] == ["-a=1 # one", "+a = 1  # one"] and err == ""
    assert run(["--diff", "--check", "a.toml"]) == 1
    assert file.read_text() == "a=1 # one\n"


def test_what_cannot_be_is_said_and_the_others_are_done(file, capsys, tmp_path):
    (tmp_path / "bad.toml").write_text("a = 1\nb\n")
    assert run(["gone.toml", "bad.toml", "a.toml"]) == 1
    out, err = capsys.readouterr()
    assert out == "a.toml: changed\n"
    assert err.splitlines()[0] == "gone.toml: No such file or directory; accepted is a TOML file"
    assert err.splitlines()[1].startswith("bad.toml:2: ") and len(err.splitlines()) == 2
    assert os.listdir(tmp_path) and not [name for name in os.listdir(tmp_path) if name.startswith(".")]
