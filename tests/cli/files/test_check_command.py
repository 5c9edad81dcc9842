"""Configurations are checked, once or whenever something about them changes."""

import os

import pytest

from txproxy.cli.files.check_command import run, watch_files

GOOD = '[[listeners]]\nmode = "forward"\nlisten = "127.0.0.1:1"\n'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.toml").write_text(GOOD)
    (tmp_path / "bad.toml").write_text("x = 1\n")
    return tmp_path


def test_each_file_is_checked(capsys):
    assert run(["good.toml"]) == 0
    assert capsys.readouterr() == ("good.toml: ok\n", "")
    assert run(["bad.toml", "good.toml", "gone.toml"]) == 1
    out, err = capsys.readouterr()
    assert out == "good.toml: ok\n"
    assert [line.partition(":")[0] for line in err.splitlines()] == ["bad.toml", "bad.toml", "gone.toml"]


class Ended(Exception):
    """Nobody waits any more."""


def watched(capsys, *changes, files=("good.toml",)):
    """What is said at first, and after each of the changes, which are made while it waits."""
    said, left = [], list(changes)

    def sleep(seconds):
        assert 0 < seconds <= 1
        out, err = capsys.readouterr()
        said.append(out + err)
        if not left:
            raise Ended
        left.pop(0)()

    with pytest.raises(Ended):
        watch_files(files, sleep)
    return said


def test_what_changes_is_checked_again(folder, capsys):
    good = folder / "good.toml"
    said = watched(
        capsys,
        lambda: None,
        lambda: good.write_text(GOOD + "x = 1\n"),
        lambda: None,
        lambda: good.write_text(GOOD),
        good.unlink,
        lambda: good.write_text(GOOD + "# more\n"),
        files=("bad.toml", "good.toml"),
    )
    assert said[0].startswith("good.toml: ok\nbad.toml: ") and said[1] == ""
    assert said[2].startswith("good.toml:4: listeners[0].x: no such key")
    assert said[3] == "" and said[4] == "good.toml: ok\n"
    assert said[5].startswith("good.toml: No such file") and said[6] == "good.toml: ok\n"


def test_so_is_what_it_includes_names_or_refers_to(folder, capsys, monkeypatch):
    (folder / "conf.d").mkdir()
    # That it changes is told by its time, which is a coarse one.
    os.utime(folder / "conf.d", ns=(1, 1))
    text = 'include = ["conf.d/*.toml", "more.toml"]\n' + GOOD.replace('"127.0.0.1:1"', '{ file = "where" }')
    (folder / "good.toml").write_text(text + 'auth = { password_file = "users" }\n')
    (folder / "users").write_text("bob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n")
    said = watched(
        capsys,
        lambda: (folder / "more.toml").write_text(""),
        lambda: (folder / "where").write_text("127.0.0.1:1\n"),
        lambda: (folder / "conf.d/a.toml").write_text("via = 1\n"),
        lambda: (folder / "conf.d/a.toml").write_text('via = "b"\n'),
        lambda: (folder / "users").write_text("bob:x\n"),
        (folder / "more.toml").unlink,
    )
    assert "include[1]: more.toml: No such file" in said[0]
    assert "listen: { file = 'where' }: No such file" in said[1]
    assert said[2] == "good.toml: ok\n"
    assert said[3].startswith("conf.d/a.toml:1: via: ")
    assert said[4] == "good.toml: ok\n"
    assert "users:1: " in said[5]
    assert "include[1]: more.toml: No such file" in said[6]


def test_logs_that_are_written_are_no_change(folder, capsys):
    (folder / "good.toml").write_text(
        f'{GOOD}access_log = "access.log"\naudit = "audit.json"\n[cache]\ndir = "cache"\n'
    )
    said = watched(
        capsys, lambda: (folder / "access.log").write_text("x"), lambda: (folder / "audit.json").write_text("x")
    )
    assert said == ["good.toml: ok\n", "", ""]


def test_ctrl_c_is_a_clean_end(capsys, monkeypatch):
    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupted)
    assert run(["--watch", "good.toml"]) == 0
    assert capsys.readouterr() == ("good.toml: ok\n", "")


def test_what_changes_while_it_is_checked_is_checked_again(folder, capsys):
    good, meanwhile = folder / "good.toml", []

    def sleep(seconds):
        out, _ = capsys.readouterr()
        meanwhile.append(out)
        if len(meanwhile) == 3:
            raise Ended
        if len(meanwhile) == 1:
            # It has another time, and is checked; and is no other after that.
            os.utime(good, ns=(1, 1))

    with pytest.raises(Ended):
        watch_files(["good.toml"], sleep)
    assert meanwhile == ["good.toml: ok\n", "good.toml: ok\n", ""]
