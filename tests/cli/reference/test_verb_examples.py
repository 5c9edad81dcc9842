"""The help page of each verb has three examples, which are calls."""

import shlex

import pytest

from txproxy.cli.admin_client import add_arguments
from txproxy.cli.arguments import Parser
from txproxy.cli.cache_command import VERBS as CACHE_VERBS
from txproxy.cli.command import main
from txproxy.cli.ctl_command import VERBS
from txproxy.cli.reference.described_options import described_commands
from txproxy.cli.reference.verb_examples import VERB_EXAMPLES, verb_examples_of

ALL = {
    **{("ctl", name): verb for name, verb in VERBS.items()},
    **{("cache", name): verb for name, verb in CACHE_VERBS.items()},
}


def test_each_verb_of_each_command_has_three():
    # What has verbs, and so a help page for each, is what says so of itself.
    assert (
        set(VERB_EXAMPLES) == {(one.name, verb.name) for one in described_commands() for verb in one.verbs} == set(ALL)
    )
    assert {len(set(lines)) for lines in VERB_EXAMPLES.values()} == {3}


@pytest.mark.parametrize(("command", "verb"), VERB_EXAMPLES)
def test_its_help_ends_with_them(command, verb, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, verb, "--help"])
    out, err = capsys.readouterr()
    assert (stopped.value.code or 0, err) == (0, "")
    assert out.endswith(verb_examples_of(command, verb)) and out.startswith(f"usage: txproxy {command} {verb} ")


def test_a_verb_of_nobodys_has_none():
    assert verb_examples_of("play", "do") == ""


@pytest.mark.parametrize(("command", "verb"), VERB_EXAMPLES)
def test_they_are_calls(command, verb):
    for rest in VERB_EXAMPLES[command, verb]:
        parser = Parser("x", allow_abbrev=False)
        ALL[command, verb].add(parser)
        add_arguments(parser)
        given = parser.parse_intermixed_args(shlex.split(rest.partition(" | ")[0]))
        assert given.admin or given.config
