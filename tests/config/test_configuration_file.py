"""The file that says what runs, read again."""

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


@pytest.fixture
def rewriting(file, program):
    """One whose revisions are kept as who runs it keeps them."""

    def take(config, by):
        program.take(config, by)
        file.revisions.add(by, config.text)

    file._take = take
    return file


@pytest.mark.parametrize("data", [FILE.encode(), b"\xef\xbb\xbf" + FILE.replace("\n", "\r\n").encode()])
def test_what_runs_is_rewritten_and_runs_then(rewriting, path, program, data):
    path.write_bytes(data)
    assert rewriting.rewrite(renamed, "admin API") == Reloaded(str(path))
    assert path.read_bytes() == data.replace(b"tcp:1", b"tcp:2")
    assert program.taken == [(renamed(FILE), "admin API")] and rewriting.revisions.text == renamed(FILE)
    assert rewriting.rewrite(lambda text: text.replace("tcp:2", "tcp:3"), "admin API").faults == ()


def test_nothing_new_is_not_written(rewriting, path, program):
    number = path.stat().st_ino
    assert rewriting.rewrite(lambda text: text, "admin API") == Reloaded(str(path))
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
        rewriting.rewrite(edit, "admin API")
    assert str(caught.value).startswith(f"{path}: ") and "accepted is" in str(caught.value)
    assert len(program.taken) == before and (what == "gone" or path.read_bytes() == data)


def test_what_would_be_wrong_is_not_written(rewriting, path, program):
    with pytest.raises(ConfigError, match="listeners"):
        rewriting.rewrite(lambda text: text.replace("forward", "forwards"), "admin API")
    assert path.read_text() == FILE and program.taken == []
