"""Wrong calls of the command: one line on standard error, exit status 2, and 1 where a file or a mode is wrong."""

import pytest

from txproxy.cli.command import _COMMANDS, MODES, main

FILE = 'listen = "x"\n'


@pytest.mark.parametrize(
    "words",
    [
        [],
        [""],
        ["chekc", "FILE"],
        ["--verbose"],
        ["-x"],
        ["check"],
        ["check", "-x"],
        ["check", "--watch"],
        ["init"],
        ["init", "revers"],
        ["init", "reverse", "FILE"],
        ["init", "reverse", "--no-such"],
        ["fmt"],
        ["fmt", "--no-such", "FILE"],
        ["import"],
        ["import", "--all"],
        ["import", "FILE", "FILE"],
        ["explain"],
        ["explain", "GET", "http://a/"],
        ["explain", "--config", "FILE"],
        ["explain", "--config", "FILE", "GET"],
        ["explain", "--config", "FILE", "GET", "a"],
        ["explain", "--config", "FILE", "G T", "http://a/"],
        ["explain", "--config", "FILE", "GET", "http://a/", "more"],
        ["explain", "--config", "FILE", "GET", "http://a/", "--client", "nobody"],
        ["explain", "--config", "FILE", "GET", "http://a/", "-H", "no colon"],
        ["explain", "--config", "FILE", "GET", "http://a/", "--no-such", "x"],
        ["explain", "--config", "FILE", "GET", "http://a/", "--user"],
        ["cache"],
        ["cache", "purg"],
        ["cache", "purge"],
        ["cache", "list", "a", "b"],
        ["demo", "now"],
        ["docs", "a", "b"],
        ["completion", "tcsh"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_one_line_and_exit_status_2(words, capsys, tmp_path):
    file = tmp_path / "proxy.toml"
    file.write_text(FILE)
    with pytest.raises(SystemExit) as stopped:
        main([str(file) if word == "FILE" else word for word in words])
    out, err = capsys.readouterr()
    command = f" {words[0]}" if words and words[0] in _COMMANDS else ""
    assert stopped.value.code == 2 and out == ""
    assert err.startswith(f"txproxy{command}: ") and err.count("\n") == 1 and "accepted" in err


@pytest.mark.parametrize(
    ("word", "meant"), [("rverse", "reverse"), ("chekc", "check"), ("help", "--help"), ("version", "--version")]
)
def test_a_command_that_is_nearly_right_is_told(word, meant, capsys):
    with pytest.raises(SystemExit):
        main([word])
    assert capsys.readouterr().err.startswith(
        f"txproxy: {word!r} is no call of txproxy (is {meant} meant?); accepted: "
    )


@pytest.mark.parametrize("words", [[], *([command] for command in _COMMANDS)], ids=" ".join)
@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_is_no_wrong_call(words, word, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*words, word])
    out, err = capsys.readouterr()
    assert (stopped.value.code, err) == (0, "")
    assert out.lower().startswith("usage: ") and all(name in out for name in words)


@pytest.mark.parametrize("command", ["check", "import", "explain"])
@pytest.mark.parametrize("kind", ["absent", "folder", "wrong", "binary"])
def test_a_file_that_is_wrong_is_named_and_exit_status_1(command, kind, capsys, tmp_path):
    file = tmp_path / "file"
    if kind == "folder":
        file.mkdir()
    elif kind != "absent":
        file.write_bytes(FILE.encode() if kind == "wrong" else bytes(range(256)))
    words = {"explain": ["explain", "--config", str(file), "GET", "http://a/"]}.get(command, [command, str(file)])
    with pytest.raises(SystemExit) as stopped:
        main(words)
    out, err = capsys.readouterr()
    assert stopped.value.code == 1 and out == ""
    assert all(line.startswith(str(file)) and "accepted" in line for line in err.splitlines()) and err


def test_every_command_is_tried_with_a_wrong_call():
    known = {"init", "check", "fmt", "import", "explain", "cache", "ctl", "top", "docs", "completion", "demo"}
    assert set(_COMMANDS) == known
    assert set(MODES) == {"forward", "reverse", "tcp", "run"}


MIDDLEWARE = """
[[listeners]]
listen = "tcp:80"
pool = "app"
middleware = ["tests.config.everything:Nothing", "tests.config.everything:{name}"]
[pools.app]
upstreams = "http://10.0.0.1"
"""


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("Nothing", 0, ""),
        ("Nothng", 1, "'tests.config.everything:Nothng': tests.config.everything has no Nothng (is Nothing meant?)"),
        ("write_everything", 1, "'tests.config.everything:write_everything' needs folder; accepted is "),
    ],
)
def test_check_makes_the_middleware_that_a_file_names(name, status, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "proxy.toml").write_text(MIDDLEWARE.format(name=name))
    with pytest.raises(SystemExit) as end:
        main(["check", "proxy.toml"])
    assert end.value.code == status
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == status
    assert not said or lines[0].startswith(f"proxy.toml:5: listeners[0].middleware[1]: {said}")
