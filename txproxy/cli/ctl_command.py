"""``txproxy ctl``: what a running proxy has at work, and changes of that, by its admin endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from txproxy.cli.admin_client import DEFAULT
from txproxy.cli.ctl.bound_commands import BOUND_VERBS
from txproxy.cli.ctl.configuration_commands import CONFIGURATION_VERBS
from txproxy.cli.ctl.traffic_commands import TRAFFIC_VERBS
from txproxy.cli.ctl.upstream_commands import UPSTREAM_VERBS
from txproxy.cli.reference.examples import examples_of
from txproxy.cli.verb_command import run_verb

USAGE: Final = f"""\
Usage: txproxy ctl pools                            pools, and how many of their upstreams are well
       txproxy ctl upstreams [POOL]                 upstreams, their states and why
       txproxy ctl drain POOL UPSTREAM [--for TIME] send it no new clients, and disable it after that time
       txproxy ctl disable|enable POOL UPSTREAM     send it nothing more, or let it serve again
       txproxy ctl weigh POOL UPSTREAM WEIGHT       give it another weight; with 0 it drains
       txproxy ctl add POOL URL                     one more upstream, with ;weight=N and the like
       txproxy ctl remove POOL UPSTREAM             one less
       txproxy ctl connections [--busy] [--listener NAME] [--client ADDRESS] [--pool NAME] [--limit N]
                                                    who is connected, and what is at work for whom
       txproxy ctl exchanges [ID] [--failed] [--listener NAME] [--client ADDRESS] [--route NAME] [--pool NAME]
                                                    what is at work, or has failed last; or the whole way of one of it
       txproxy ctl end ID                           end a connection, or a request, by its ID in that list
       txproxy ctl questions                        what rules ask a person about
       txproxy ctl allow|refuse ID [--for TIME]     the answer to one, or to all that is the same for that time
       txproxy ctl answers                          which answers are remembered so
       txproxy ctl forget-answer NAME               ask again what one of them is about
       txproxy ctl limits [LIMIT] [--key KEY]       what came of limits of requests, or who owes what of one with a rate
       txproxy ctl reset LIMIT [--key KEY]          a new beginning, for one or for all
       txproxy ctl quotas [--listener NAME] [--per client|user|rule] [--key KEY] [--limit N]
                                                    who has used what of how much, and when that begins anew
       txproxy ctl forget KEY|--all [--listener NAME] [--per client|user|rule] [--period day|month]
                                                    what that client, user or rule has used does not count any more
       txproxy ctl reload                           read the configuration again, and say what is wrong with it
       txproxy ctl log-level [LEVEL]                how much is logged, or so much from now on
       txproxy ctl revisions [NUMBER]               which configurations have run, or what one has changed
       txproxy ctl apply NUMBER                     back to one that has run
       txproxy ctl persist                          write what was changed into the file that says what runs
       txproxy ctl events                           what changes, a line each, until Ctrl-C
       txproxy ctl VERB --help                      the options of one

UPSTREAM is its name in the list of upstreams, or the part of it that no other one of the pool has.
Whom to ask is said by --admin ENDPOINT, or by [admin] of --config FILE; without either it is {DEFAULT}.
A token, if there is one, is in --token-file FILE, or named by that configuration. --json prints the answer as it comes.
The exit status is 0 when all is well, 1 when it is not, and 2 for a wrong call.
{examples_of("ctl")}"""
VERBS: Final = {**UPSTREAM_VERBS, **TRAFFIC_VERBS, **BOUND_VERBS, **CONFIGURATION_VERBS}


def run(arguments: Sequence[str]) -> int:
    """Do it; gives the exit status."""
    return run_verb("ctl", VERBS, USAGE, arguments)
