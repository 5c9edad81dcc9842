"""Each option of each mode, with values that are none of it: one line that names it, and exit status 1.

The options are those that the classes have, so that a new one is tested as soon as it is there.
"""

import pytest

from tests.tls.authority import new_ca
from txproxy.cli.options import ForwardOptions, ReverseOptions, RunOptions, TcpOptions
from txproxy.tap import Options

MODES = {
    "forward": (ForwardOptions, []),
    "reverse": (ReverseOptions, ["--upstream=http://a.example"]),
    "tcp": (TcpOptions, ["--upstream=a.example:1", "--listen=tcp:5"]),
    "run": (RunOptions, []),
}
WRONG = [
    "",
    "no such: thing!",
    "a\nb",
    "x" * 3000,
    "\0",
    "\x7f",
    "é",
    "-1",
    "1e3",
    "9" * 30,
    "0x10",
    "http://",
]
# Names of files that are made when they are written to, and of the proxy itself, are nearly free.
TAKES = {
    "access-log": ["no such: thing!", "é", "-1", "1e3", "9" * 30, "0x10"],
    "via": ["x" * 3000, "-1", "1e3", "9" * 30, "0x10"],
    "cache-dir": ["no such: thing!", "é", "-1", "1e3", "9" * 30, "0x10", "http://"],
    "allow-host": ["é"],
    "deny-host": ["é"],
    "allow-destination": ["é"],
}


def _options(flags):
    return [
        (mode, name.rstrip("="))
        for mode, (options, _) in MODES.items()
        for name in options().longOpt
        if name not in ("help", "version") and name.endswith("=") is not flags
    ]


def _tried(mode, name, word, capfd):
    """Exit status, and the lines on standard error; None where it is taken."""
    capfd.readouterr()
    base = [one for one in MODES[mode][1] if not one.startswith(f"--{name}=")]
    try:
        Options().parseOptions([mode, *base, word])
    except SystemExit as stopped:
        return stopped.code, capfd.readouterr().err.splitlines()
    return None


def test_there_are_options():
    assert len(_options(flags=False)) > 60 and _options(flags=True)


@pytest.mark.no_cover
@pytest.mark.parametrize(("mode", "name"), _options(flags=False))
def test_a_wrong_value_is_one_line_that_names_the_option(mode, name, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    taken = []
    for value in WRONG:
        found = _tried(mode, name, f"--{name}={value}", capfd)
        if found is None:
            taken.append(value)
            continue
        status, lines = found
        assert (status, len(lines)) == (1, 1), (value, lines)
        (line,) = lines
        # A file is named by itself.
        assert line.startswith(f"txproxy {mode}: ") and (f"--{name}" in line or name == "config"), line
        assert ("accepted" in line or " needs " in line) and len(line) < 600, line
    assert taken == TAKES.get(name, [])


@pytest.mark.parametrize(("mode", "name"), _options(flags=True))
def test_a_flag_takes_no_value(mode, name, capfd):
    status, (line,) = _tried(mode, name, f"--{name}=yes", capfd)
    assert status == 1 and line.startswith(f"txproxy {mode}: option --{name} must not have an argument")


@pytest.mark.parametrize(("mode", "name"), _options(flags=False))
def test_a_value_is_needed(mode, name, capfd):
    status, (line,) = _tried(mode, name, f"--{name}", capfd)
    assert status == 1 and line.startswith(f"txproxy {mode}: option --{name} requires argument")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["forward", "--trusted-proxy=10.0.0.0/8"], "--trusted-proxy needs --proxy-protocol"),
        (["tcp", "--upstream=a:1", "--listen=tcp:5", "--trusted-proxy=::1"], "--trusted-proxy needs --proxy-protocol"),
        (
            ["reverse", "--upstream=h2c://a", "--health-check=grpcs"],
            "--health-check: cannot be 'grpcs'; accepted is a path that begins with /, such as /health, connect, grpc",
        ),
        (["reverse", "--upstream=http://a", "--health-interval=9"], "--health-interval needs --health-check"),
        (["tcp", "--upstream=a:1", "--listen=tcp:5", "--health-fall=9"], "--health-fall needs --health-check"),
        (["reverse", "--upstream=http://a", "--upstream-insecure"], "--upstream-insecure needs an upstream with https"),
        (["reverse", "--upstream=http://a:443", "--upstream-ca=CA"], "--upstream-ca needs an upstream with https://"),
        (["reverse", "--upstream=h2c://a", "--upstream-alpn=h2"], "--upstream-alpn needs an upstream with https://"),
        (
            ["reverse", "--upstream=https://a", "--upstream-alpn=h3"],
            "--upstream-alpn: 'h3' is no protocol; accepted are",
        ),
        (
            ["reverse", "--upstream=https://a", "--upstream-insecure", "--upstream-ca=CA"],
            "--upstream-insecure and --upstream-ca are both given; accepted is one of them",
        ),
        (
            ["reverse", "--upstream=http://a", "--max-target-size=100k"],
            "--max-target-size: '100k' is more than a head; accepted is --max-header-size at most",
        ),
    ],
)
def test_what_would_have_no_effect_is_an_error(words, said, capfd, tmp_path):
    (tmp_path / "ca.pem").write_bytes(new_ca().cert_pem)
    with pytest.raises(SystemExit) as stopped:
        Options().parseOptions([word.replace("=CA", f"={tmp_path / 'ca.pem'}") for word in words])
    (line,) = capfd.readouterr().err.splitlines()
    assert stopped.value.code == 1 and said in line


@pytest.mark.parametrize("option", ["via=none", "max-body-size=1k", "max-fields=5", "max-target-size=1k"])
def test_options_of_every_mode_that_do_nothing_for_streams_are_warned_of(option, capfd):
    Options().parseOptions(["tcp", "--upstream=a:1", "--listen=tcp:5", f"--{option}", "--drain-timeout=5"])
    assert capfd.readouterr().err == (
        f"txproxy tcp: --{option.partition('=')[0]} has no effect: it is for requests, and tcp does not look into "
        "streams\n"
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("word", ["--no-such-option", "-x", "word", "--=x"])
def test_what_is_no_option_is_said_to_be_none(mode, word, capfd):
    status, (line,) = _tried(mode, "", word, capfd)
    assert status == 1 and line.startswith(f"txproxy {mode}: ") and "lists" in line
