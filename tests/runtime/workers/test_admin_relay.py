"""The master asks workers, and makes one answer of theirs."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import Verb
from txproxy.admin.merging import BY_MASTER, LISTED, OF_ALL, OF_ANY, OF_ONE, Asked, Merge
from txproxy.runtime.workers.admin_relay import AdminRelay
from txproxy.runtime.workers.crew_members import Member, State

CALL = ApiCall(names=("app",))


class Said:
    """The channel to a worker, as far as it is used."""

    def __init__(self):
        self.sent = []

    def send(self, kind, content):
        self.sent.append((kind, content))


class Asking:
    """A relay to two workers, and what was asked of it."""

    def __init__(self, count=2):
        self.clock = Clock()
        self.members = [Member(number, Said(), 0.0, State.SERVING, 100 + number) for number in range(1, count + 1)]
        self.relay = AdminRelay(self.clock, lambda: self.members)

    def ask(self, merge, **more):
        self.found = []
        handle = self.relay.relayed(Verb("GET", "/api/{a}", lambda call: "here", merge=merge, **more)).handle
        self.asked = Deferred.fromCoroutine(handle(CALL))
        self.asked.addCallbacks(self.found.append, lambda failure: self.found.append(failure.value))
        return self

    def question(self, member):
        """The number of the last question to a worker, counted from 0."""
        kind, (number, *question) = self.members[member].channel.sent[-1]
        assert (kind, question) == ("asked", ["GET", "/api/{a}", CALL])
        return number

    def answers(self, member, content, kind="given"):
        self.relay.heard(self.question(member), (kind, content))


@pytest.fixture
def asking():
    asking = Asking()
    yield asking
    assert not asking.clock.getDelayedCalls()


def test_all_are_asked_and_their_answers_are_made_one(asking):
    asking.ask(LISTED)
    asking.answers(1, {"lines": [{"id": 2}]})
    assert not asking.found
    asking.answers(0, {"lines": [{"id": 1}]})
    # In the order of the workers.
    assert asking.found == [{"lines": [{"id": 1, "worker": 1}, {"id": 2, "worker": 2}]}]


def test_a_fault_is_told_as_it_was_said(asking):
    asking.ask(OF_ALL)
    asking.answers(0, (409, "the last", {"more": 1}), "fault")
    asking.answers(1, {"done": True})
    (fault,) = asking.found
    assert (fault.status, fault.text, fault.more) == (409, "worker 1: the last", {"more": 1})


def test_the_first_that_is_enough_is_not_waited_with_and_the_others_are_told(asking):
    asking.ask(OF_ANY)
    number = asking.question(0)
    asking.answers(1, {"status": "ok"})
    assert asking.found == [{"status": "ok"}]
    assert asking.members[0].channel.sent[-1] == ("dropped", number)
    # An answer that comes all the same is no answer any more.
    asking.relay.heard(number, ("given", {}))


def test_one_is_asked_and_who_leaves_is_not(asking):
    asking.members[0].state = State.LEAVING
    asking.ask(OF_ONE)
    assert not asking.members[0].channel.sent
    asking.answers(1, "done")
    assert asking.found == ["done"]
    # All are asked with those that leave.
    asking.ask(OF_ALL)
    asking.answers(0, 1)
    asking.answers(1, 1)
    assert asking.found == [1]


def test_in_turn_each_is_asked_after_the_one_before(asking):
    asking.ask(Merge(Asked.IN_TURN, lambda call, answers: list(answers.values()), patience=None))
    asking.answers(0, "one")
    assert not asking.found
    asking.answers(1, "two")
    assert asking.found == [["one", "two"]]


def test_who_ends_meanwhile_is_not_waited_for_and_another_is_asked(asking):
    asking.ask(OF_ALL)
    asking.answers(0, 1)
    asking.relay.gone(102)
    assert asking.found == [1]
    asking.ask(OF_ONE)
    asking.relay.gone(101)
    asking.answers(1, 2)
    assert asking.found == [2]
    asking.ask(OF_ALL)
    asking.relay.gone(101)
    asking.relay.gone(102)
    assert asking.found[0].status == 503


def test_who_does_not_answer_in_time_has_failed(asking):
    asking.ask(OF_ALL)
    number = asking.question(1)
    asking.answers(0, 1)
    asking.clock.advance(5)
    (fault,) = asking.found
    assert (fault.status, fault.text) == (504, "worker 2: it does not answer")
    assert asking.members[1].channel.sent[-1] == ("dropped", number)


def test_where_nobody_waits_any_more_that_is_told(asking):
    asking.ask(OF_ALL)
    numbers = [asking.question(member) for member in (0, 1)]
    asking.asked.cancel()
    assert [member.channel.sent[-1] for member in asking.members] == [("dropped", number) for number in numbers]


def test_what_is_the_masters_it_does_itself_and_without_workers_the_rest_cannot_be():
    asking = Asking(0)
    verb = Verb("GET", "/api/", lambda call: "here", merge=BY_MASTER)
    assert asking.relay.relayed(verb) is verb
    for merge in (OF_ALL, OF_ONE):
        (fault,) = asking.ask(merge).found
        assert isinstance(fault, ApiFault) and fault.status == 503
