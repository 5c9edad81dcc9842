"""Options as values."""

import pytest
from twisted.python import usage

from txproxy.cli.command import _COMMANDS
from txproxy.cli.options.shared import ListenerOptions
from txproxy.cli.reference import described_options as described
from txproxy.cli.reference.described_options import described_commands, shared_names
from txproxy.cli.reference.usage_text import MODES

COMMANDS = {one.name: one for one in described_commands()}


def test_all_that_the_command_takes_is_described():
    assert list(COMMANDS) == [*MODES, *_COMMANDS]
    assert all(one.about for one in COMMANDS.values())


@pytest.mark.parametrize("mode", MODES)
def test_each_option_of_a_mode_has_what_its_help_says(mode):
    made: usage.Options = described.MODES[mode]()
    found = {option.names[0]: option for option in COMMANDS[mode].options}
    assert set(found) == {f"--{name.rstrip('=')}" for name in made.longOpt} - {"--help", "--version"}
    said = " ".join(str(made).split())
    for name, option in found.items():
        assert option.about and bool(option.value) == (f"{name[2:]}=" in made.longOpt), name
        # The help breaks lines at hyphens too.
        assert "".join(option.about.split()) in "".join(said.split()), name


def test_what_is_said_of_values_is_of_options_that_are_there():
    names = {option.names[0][2:] for one in COMMANDS.values() for option in one.options}
    assert set(described._VALUES) <= names and set(described._WORDS) <= names


def test_the_words_of_an_option_are_taken():
    for mode in MODES:
        for option in COMMANDS[mode].options:
            assert all(not word.startswith("-") and " " not in word for word in option.words)
    by_name = {option.names[0]: option for option in COMMANDS["reverse"].options}
    assert "least-time" in by_name["--balance"].words and by_name["--http2"].words == ("on", "off")


def test_verbs_have_options_with_those_that_say_whom_to_ask():
    (drain,) = (verb for verb in COMMANDS["ctl"].verbs if verb.name == "drain")
    assert {"--for", "--admin", "--config", "--json"} <= {name for one in drain.options for name in one.names}
    (header,) = (one for one in COMMANDS["explain"].options if "-H" in one.names)
    assert header.names == ("--header", "-H") and header.value == "'NAME: VALUE'"


def test_what_modes_share_is_what_a_listener_has():
    assert "--listen" not in shared_names() and "--tls-cert" in shared_names()
    shared = {f"--{name.rstrip('=')}" for name in ListenerOptions().longOpt} - {"--help", "--version", "--listen"}
    assert shared_names() == shared
