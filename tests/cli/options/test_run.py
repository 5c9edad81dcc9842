"""The options of a process that a file describes."""

import re

import pytest
from twisted.python.usage import UsageError

from txproxy.cli.options import ReverseOptions, RunOptions
from txproxy.tap import Options


def test_run_takes_what_a_file_says(tmp_path, capfd):
    file = tmp_path / "proxy.toml"
    listener = '[[listeners]]\nlisten = "tcp:0"\npool = "a"\n'
    file.write_text(f'[log]\naccess = "none"\n{listener}[pools.a]\nupstreams = "http://a"\n')
    options = Options()
    options.parseOptions(["run", "--config", str(file)])
    assert options.subOptions.service.config.source == str(file)
    file.write_text(file.read_text() + '[pools.b]\nupstreams = "http://b"\n')
    options.parseOptions(["run", "--config", str(file)])
    said = f"txproxy run: warning: {file}:8: pools.b: no listener and no route uses this pool\n"
    assert capfd.readouterr().err == said


def test_run_says_which_file_cannot_be_read(capfd):
    with pytest.raises(SystemExit):
        Options().parseOptions(["run", "--config", "/nowhere"])
    assert capfd.readouterr().err == (
        "txproxy run: /nowhere: No such file or directory; accepted is a TOML file that can be read\n"
    )


def test_run_lists_all_that_is_wrong_with_a_file(tmp_path, capfd):
    file = tmp_path / "proxy.toml"
    file.write_text('[[listeners]]\nlisten = "x"\npool = "y"\n[pools.a]\nupstreams = "z"\n')
    with pytest.raises(SystemExit) as stopped:
        Options().parseOptions(["run", "--config", str(file)])
    assert stopped.value.code == 1
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"txproxy run: {file}:") for line in lines)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--http2", "--upstream", "http://a.example"], "--http2: '--upstream' is an option; accepted is a value"),
        (["--via", "--upstream=http://a.example", "b"], "--via: '--upstream=http://a.example' is an option"),
        (["--upstream-insecure", "--proxy-protocol", "b"], "'b' is no option of reverse"),
        (["--http2", "on", "b"], "'b' is no option of reverse"),
    ],
)
def test_an_option_that_has_taken_the_next_for_its_value_is_named(words, said):
    with pytest.raises(UsageError, match=f"^{re.escape(said)}"):
        ReverseOptions().parseOptions(words)


def test_a_file_alone_is_told_what_is_missing():
    said = r"^'proxy.toml' is no option of run \(is --config proxy.toml meant\?\); txproxy run --help lists them$"
    with pytest.raises(UsageError, match=said):
        RunOptions().parseOptions(["proxy.toml"])
