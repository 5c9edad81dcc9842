"""The phases of an exchange: what is written of them, what the code says, and what happens."""

import pytest
from twisted.internet.defer import Deferred

from tests.proxy.exchanges.filtering import GET, OK, PUT, Says
from tests.proxy.state_tables import states, steps, steps_of
from txproxy.errors import ConnectionRefused
from txproxy.interfaces import Answer, Plan, Postponed
from txproxy.proxy.downstream import http1
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.exchanges.phases import Phase
from txproxy.proxy.exchanges.responses.answer_sources import BytesSource

PHASES = "Phases of an exchange"
STEPS = "What leads an exchange where"
CONNECT = b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"


def test_the_table_has_the_phases_and_what_they_mean():
    assert states(PHASES) == {phase.name: phase.value for phase in Phase}


def test_the_table_has_the_steps():
    assert steps(STEPS) == steps_of(Phase)


# -- each step happens


@pytest.fixture
def seen(monkeypatch):
    """The steps of all exchanges."""
    made = set()

    class Watched(Exchange):
        _phase = Phase.PLANNING

        @property
        def phase(self):
            return self._phase

        @phase.setter
        def phase(self, phase):
            if phase is not self._phase:
                made.add((self._phase.name, phase.name))
            self._phase = phase

    monkeypatch.setattr(http1, "Exchange", Watched)
    return made


def is_answered(proxy):
    proxy.exchange(GET, OK)


def is_answered_on_a_kept_connection(proxy):
    client, upstream = proxy.exchange(GET, OK)
    client.send(GET)
    upstream.send(OK)


def is_answered_here(proxy):
    proxy.mode.decision = Answer(204)
    proxy.connect().send(GET)


def is_answered_here_slowly(proxy):
    proxy.mode.decision = Answer(200, (), BytesSource(b"hello"))
    proxy.connect().send(GET)


def becomes_a_tunnel(proxy):
    client = proxy.connect()
    client.send(CONNECT)
    client.drop()


def is_postponed(proxy):
    decide = proxy.mode.plan

    def plan(head, context):
        return Postponed(lambda late: decide(head, context), lambda tracker, exchange: tracker)

    proxy.factory.handle = plan
    client = proxy.connect()
    client.send(PUT)
    client.send(b"hello")
    proxy.upstream.send(OK)


def leaves_while_its_body_is_waited_for(proxy):
    proxy.factory.handle = lambda head, context: Postponed(lambda late: None, lambda tracker, exchange: tracker)
    client = proxy.connect()
    client.send(PUT)
    client.drop()


def cannot_be_sent(proxy):
    proxy.network.script = [ConnectionRefused("no")]
    proxy.connect().send(GET)


def waits_for_another_upstream(proxy):
    found = Deferred()
    proxy.mode.next_attempt = lambda plan, fault: found
    proxy.network.script = [ConnectionRefused("no")]
    proxy.connect().send(GET)
    found.callback(Plan(*proxy.mode.place()).attempt)
    proxy.upstream.send(OK)


def waits_for_another_upstream_after_it_was_sent(proxy):
    proxy.mode.next_attempt = lambda plan, fault: Deferred()
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.drop(clean=True)
    client.drop()


def is_sent_again(proxy):
    proxy.mode.next_attempt = lambda plan, fault: plan.attempt
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.drop(clean=True)
    proxy.upstream.send(OK)


def is_not_to_be_repeated(proxy):
    client = proxy.connect()
    client.send(PUT + b"hello")
    proxy.upstream.drop(clean=True)


def fails_with_the_last_byte(proxy):
    proxy.mode.responses = [Says(ZeroDivisionError(), "body")]
    proxy.exchange(GET, OK)


PLAIN = {("PLANNING", "DIALING"), ("DIALING", "SENT"), ("SENT", "ANSWERED"), ("ANSWERED", "OVER")}
WALKS = {
    is_answered: PLAIN,
    is_answered_on_a_kept_connection: PLAIN | {("PLANNING", "SENT")},
    is_answered_here: {("PLANNING", "OVER")},
    is_answered_here_slowly: {("PLANNING", "ANSWERED"), ("ANSWERED", "OVER")},
    becomes_a_tunnel: {("PLANNING", "DIALING"), ("DIALING", "ANSWERED"), ("ANSWERED", "OVER")},
    is_postponed: PLAIN | {("PLANNING", "GATHERING"), ("GATHERING", "PLANNING")},
    leaves_while_its_body_is_waited_for: {("PLANNING", "GATHERING"), ("GATHERING", "OVER")},
    cannot_be_sent: {("PLANNING", "DIALING"), ("DIALING", "OVER")},
    waits_for_another_upstream: PLAIN | {("DIALING", "PLANNING")},
    waits_for_another_upstream_after_it_was_sent: {
        *(("PLANNING", "DIALING"), ("DIALING", "SENT"), ("SENT", "PLANNING"), ("PLANNING", "OVER"))
    },
    is_sent_again: PLAIN | {("SENT", "DIALING")},
    is_not_to_be_repeated: {("PLANNING", "DIALING"), ("DIALING", "SENT"), ("SENT", "OVER")},
    fails_with_the_last_byte: {
        *(("PLANNING", "DIALING"), ("DIALING", "SENT"), ("SENT", "ANSWERED"), ("ANSWERED", "SENT"), ("SENT", "OVER"))
    },
}


@pytest.mark.parametrize(("walk", "expected"), WALKS.items(), ids=lambda it: getattr(it, "__name__", ""))
@pytest.mark.usefixtures("failures")
def test_these_steps_happen(filtered, seen, walk, expected):
    walk(filtered)
    filtered.advance(0)
    assert seen == expected


def test_each_step_of_the_table_happens():
    assert {step for expected in WALKS.values() for step in expected} == steps(STEPS)
