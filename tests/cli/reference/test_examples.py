"""Each help page has three examples, which are calls."""

import re
import shlex

import pytest

from txproxy.cli.command import main
from txproxy.cli.reference.described_options import described_commands
from txproxy.cli.reference.examples import EXAMPLES, examples_of
from txproxy.cli.reference.usage_text import ABOUT
from txproxy.tap import Options

COMMANDS = {one.name: one for one in described_commands()}
LINES = [(name, line) for name, lines in EXAMPLES.items() for line in lines]


def test_each_mode_and_command_has_three():
    assert set(EXAMPLES) == set(ABOUT)
    assert {len(set(lines)) for lines in EXAMPLES.values()} == {3}


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_help_ends_with_them(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        if name in ("forward", "reverse", "tcp", "run"):
            Options().parseOptions([name, "--help"])
        else:
            main([name, "--help"])
    out, err = capsys.readouterr()
    assert (stopped.value.code or 0, err) == (0, "")
    assert out.rstrip().endswith(examples_of(name).rstrip()) and out.lower().startswith("usage: ")


def test_the_help_of_the_whole_has_three_too(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    examples = capsys.readouterr().out.partition("Examples:\n")[2].splitlines()
    assert len(examples) == 3 and all(line.split()[:1] == ["txproxy"] for line in examples)


@pytest.mark.parametrize(("name", "line"), LINES, ids=[line for _, line in LINES])
def test_an_example_has_options_that_are_there(name, line):
    assert f"txproxy {name}" in line
    for call in re.split(r" (?:&&|\|) ", line):
        words = shlex.split(re.split(r" \d?> ", call)[0].removeprefix("timeout 60 "))
        if words[0] == "txproxy":
            taken = COMMANDS[words[1]]
            taken = next((verb for verb in taken.verbs if verb.name == words[2]), taken)
            options = {option for one in taken.options for option in one.names}
            assert {word.partition("=")[0] for word in words if word.startswith("-")} <= options
