"""Commands with verbs that ask a running proxy."""

import pytest

from txproxy.cli.admin_client import AdminFault
from txproxy.cli.verb_command import CommandVerb, add_nothing, run_verb
from txproxy.errors import ConfigError


def refuse(client, given):
    raise AdminFault("http://u:secret@a: no")


def doubt(client, given):
    raise ConfigError("it is wrong", "accepted is another")


VERBS = {
    "do": CommandVerb(lambda parser: parser.add_argument("what"), lambda client, given: client(given.what), "It does."),
    "refuse": CommandVerb(add_nothing, refuse, "It does not."),
    "doubt": CommandVerb(add_nothing, doubt, "It does not."),
}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["do", "3"], 3, ""),
        (["do"], 2, "txproxy play: the following arguments are required: what; txproxy play do --help lists"),
        (["refuse"], 1, "txproxy play: http://***@a: no\n"),
        (["doubt"], 2, "txproxy play: it is wrong; accepted is another; txproxy play doubt --help lists"),
        ([], 2, "txproxy play: a verb is needed; accepted: do, refuse, doubt"),
        (["dont"], 2, "txproxy play: 'dont' is no verb"),
        (["--admin", "unix:/a", "do", "3"], 3, ""),
        (["--admin=unix:/a", "do", "3"], 3, ""),
        (["--what", "do", "3"], 2, "txproxy play: unrecognized arguments: --what; txproxy play do --help lists"),
        (["--admin", "unix:/a"], 2, "txproxy play: '--admin' is no verb; accepted: do, refuse, doubt"),
        (["dont", "do"], 2, "txproxy play: 'dont' is no verb"),
    ],
)
def test_the_exit_status_says_whose_fault_it_is(words, status, said, capsys):
    assert run_verb("play", VERBS, "usage", words, lambda given: int) == status
    assert capsys.readouterr().err.startswith(said)


def test_the_usage_is_asked_for(capsys):
    assert run_verb("play", VERBS, "usage\n", ["-h"]) == 0
    assert capsys.readouterr().out == "usage\n"
