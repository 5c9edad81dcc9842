"""The file that says what runs, read again."""

import os

import attrs
import pytest

from txproxy.config.configuration_file import ConfigurationFile, Reloaded
from txproxy.config.toml.file import load
from txproxy.errors import ConfigError

FILE = '[[listeners]]\nlisten = "tcp:1"\nmode = "forward"\n'


@attrs.define
class Program:
    """What runs it."""

    taken: list = attrs.field(factory=list)
    looked: int = 0
    fault: str = ""
    level: str = ""

    def take(self, config, by):
        if self.fault:
            raise ConfigError(self.fault)
        self.taken.append((config.text, by))

    def look(self):
        self.looked += 1


@pytest.fixture
def program():
    return Program()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "edge.toml"
    path.write_text(FILE)
    return path


@pytest.fixture
def file(path, program):
    return ConfigurationFile(load(str(path)), program.take, program.look)


def test_what_it_says_now_is_taken(file, path, program):
    path.write_text(FILE + "# more\n")
    assert file.read_again("SIGHUP") == Reloaded(str(path))
    assert program.taken == [(FILE + "# more\n", "SIGHUP")] and not program.looked
    assert [(one.by, one.text) for one in file.revisions] == [("start", FILE)], "who takes it says so"


def test_what_is_wrong_is_told_and_not_taken(file, path, program):
    path.write_text(FILE.replace("forward", "forwards"))
    done = file.read_again("SIGHUP")
    assert len(done.faults) == 1 and done.faults[0].startswith(f"{path}:3: listeners[0].mode: ")
    path.unlink()
    assert "No such file" in file.read_again("SIGHUP").faults[0]
    path.write_text(FILE)
    program.fault = "one\ntwo"
    assert file.read_again("SIGHUP").faults == ("one", "two")
    assert program.taken == []


def test_it_goes_back_to_what_it_said_whatever_it_says_now(file, path, program):
    path.write_text("nonsense")
    assert file.go_back(file.revisions.find(1), "somebody") == Reloaded(str(path))
    assert program.taken == [(FILE, "somebody")]


def test_where_there_is_none_what_options_name_is_looked_at(path, program):
    config = attrs.evolve(load(str(path)), source="")
    file = ConfigurationFile(config, program.take, program.look)
    assert file.read_again("SIGHUP") == Reloaded("")
    assert program.looked == 1 and program.taken == []


def renamed(text):
    return text.replace("tcp:1", "tcp:2")


def whole(edit):
    """The same of a configuration that is in one file."""
    return lambda running: {running.source: edit(running.text)}


@pytest.fixture
def rewriting(file, program):
    """One whose revisions are kept as who runs it keeps them."""

    def take(config, by):
        program.take(config, by)
        file.revisions.add(by, config.text, config.included)

    file._take = take
    return file


@pytest.mark.parametrize("data", [FILE.encode(), b"\xef\xbb\xbf" + FILE.replace("\n", "\r\n").encode()])
def test_what_runs_is_rewritten_and_runs_then(rewriting, path, program, data):
    path.write_bytes(data)
    assert rewriting.rewrite(whole(renamed), "admin API") == Reloaded(str(path))
    assert path.read_bytes() == data.replace(b"tcp:1", b"tcp:2")
    assert program.taken == [(renamed(FILE), "admin API")] and rewriting.revisions.text == renamed(FILE)
    assert rewriting.rewrite(whole(lambda text: text.replace("tcp:2", "tcp:3")), "admin API").faults == ()


def test_nothing_new_is_not_written(rewriting, path, program):
    number = path.stat().st_ino
    assert rewriting.rewrite(whole(lambda text: text), "admin API") == Reloaded(str(path))
    assert path.stat().st_ino == number and program.taken == []


@pytest.mark.parametrize("what", ["another", "older", "gone", "no text", "meanwhile"])
def test_a_file_that_is_not_what_runs_is_left_alone(rewriting, path, program, what):
    edit, data = renamed, FILE.encode() + b"# by hand\n"
    if what == "older":
        rewriting.go_back(rewriting.revisions.find(1), "admin API")
        rewriting.revisions.add("admin API", renamed(FILE))
        data = FILE.encode()
    elif what == "no text":
        data = b"\xff"
    if what == "meanwhile":

        def edit(text):
            path.write_bytes(data)
            return renamed(text)
    elif what == "gone":
        path.unlink()
    else:
        path.write_bytes(data)
    before = len(program.taken)
    with pytest.raises(ConfigError) as caught:
        rewriting.rewrite(whole(edit), "admin API")
    assert str(caught.value).startswith(f"{path}: ") and "accepted is" in str(caught.value)
    assert len(program.taken) == before and (what == "gone" or path.read_bytes() == data)


def test_what_would_be_wrong_is_not_written(rewriting, path, program):
    with pytest.raises(ConfigError, match="listeners"):
        rewriting.rewrite(whole(lambda text: text.replace("forward", "forwards")), "admin API")
    assert path.read_text() == FILE and program.taken == []


# -- several files


@pytest.fixture
def several(path, program):
    """One that includes another, and is kept as who runs it keeps it."""
    path.write_text(f'include = "more/*.toml"\n{FILE}')
    (path.parent / "more").mkdir()
    (path.parent / "more/a.toml").write_text("[log]\nlevel = 'info'\n")

    def take(config, by):
        program.take(config, by)
        file.revisions.add(by, config.text, config.included)
        program.level = config.log_level

    file = ConfigurationFile(load(str(path)), take, program.look)
    return file


def test_all_files_are_read_again_and_gone_back_to(several, path, program):
    more = path.parent / "more/a.toml"
    more.write_text("[log]\nlevel = 'debug'\n")
    (path.parent / "more/b.toml").write_text("via = 'b'\n")
    assert several.read_again("SIGHUP").faults == () and program.level == "debug"
    assert several.revisions.diff(2).splitlines()[2:] == [
        "@@ -1,2 +1,2 @@", " [log]", "-level = 'info'", "+level = 'debug'",
        f"--- revision 1 {path.parent}/more/b.toml", f"+++ revision 2 {path.parent}/more/b.toml",
        "@@ -0,0 +1 @@", "+via = 'b'",
    ]  # fmt: skip
    assert several.go_back(several.revisions.find(1), "somebody").faults == ()
    assert list(several.revisions.included.texts) == [str(more)]
    assert several.revisions.included.texts[str(more)] == "[log]\nlevel = 'info'\n"


def test_the_one_is_written_that_has_it(several, path):
    more = path.parent / "more/a.toml"
    more.write_bytes(b"[log]\r\nlevel = 'info'\r\n")
    before = path.stat().st_ino

    def edit(running):
        return {file: text.replace("info", "debug") for file, text in running.included.texts.items()}

    assert several.rewrite(edit, "admin API") == Reloaded(str(path))
    assert more.read_bytes() == b"[log]\r\nlevel = 'debug'\r\n" and path.stat().st_ino == before
    with pytest.raises(ConfigError, match=r"^.*a.toml:2: log.level"):
        several.rewrite(lambda running: {str(more): "[log]\nlevel = 'loud'\n"}, "admin API")
    more.write_text("# another")
    with pytest.raises(ConfigError, match=r"^.*/more/a.toml: it is not what runs, which is revision 2"):
        several.rewrite(edit, "admin API")


def test_all_are_written_or_none(several, path, monkeypatch):
    more = path.parent / "more/a.toml"
    text, own, rename = more.read_text(), path.read_text(), os.rename

    def renamed(made, where):
        if where == str(more):
            raise PermissionError(13, "Permission denied")
        rename(made, where)

    monkeypatch.setattr(os, "rename", renamed)
    with pytest.raises(ConfigError, match=r"a.toml: it cannot be written: Permission denied"):
        several.rewrite(lambda running: {str(path): own.replace("tcp:1", "tcp:2"), str(more): "[log]\n"}, "admin API")
    assert path.read_text() == own and more.read_text() == text
