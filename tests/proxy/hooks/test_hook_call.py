"""One function, called."""

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from txproxy.components.named_code import place_of
from txproxy.errors import RequestDenied
from txproxy.interfaces.hooks.code_faults import CodeFailed, CodeLate
from txproxy.proxy.hooks.hook_call import Hook


@pytest.fixture
def said():
    events = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def hook(function, clock=None, **settings):
    return Hook("before", "m:f", function, clock or Clock(), settings)


def test_it_gives_what_the_function_gives_and_has_its_settings():
    assert hook(lambda one, *, two: (one, two), two=2).call(1) == (1, 2)
    assert hook(lambda one: None).call(1) is None


def test_a_fault_names_its_place_once_in_full_and_then_for_each_request(said):
    def fails(one):
        return {}[one]

    failing = hook(fails)
    line = fails.__code__.co_firstlineno + 1
    for _ in range(3):
        with pytest.raises(CodeFailed) as fault:
            failing.call("secret")
        assert fault.value.detail == f"before m:f: KeyError at {__file__}:{line}"
        assert fault.value.status == 500
    assert len(said) == 1 and "log_failure" in said[0]


def test_the_place_is_that_of_ones_own_code():
    import json

    def loads():
        return json.loads("{")

    try:
        loads()
    except ValueError as fault:
        assert place_of(fault) == f"{__file__}:{loads.__code__.co_firstlineno + 1}"
    assert place_of(ValueError()) == ""


def test_an_answer_that_is_raised_is_one():
    def denies(one):
        raise RequestDenied("no")

    with pytest.raises(RequestDenied):
        hook(denies).call(1)


def test_what_comes_later_fails_as_well(said):
    async def fails(one):
        await waited
        raise KeyError

    waited = Deferred()
    failures = []
    hook(fails).call(1).addErrback(failures.append)
    waited.callback(None)
    assert failures[0].check(CodeFailed) and "KeyError at" in failures[0].value.detail
    assert len(said) == 1


def test_what_is_slow_is_cancelled_and_what_is_there_is_not_timed():
    clock, cancelled = Clock(), []

    async def waits(one):
        await Deferred(cancelled.append)

    failures = []
    hook(waits, clock).call(1).addErrback(failures.append)
    clock.advance(9.9)
    assert not failures
    clock.advance(0.2)
    assert failures[0].check(CodeLate) and failures[0].value.status == 504 and len(cancelled) == 1
    assert failures[0].value.detail == "before m:f took longer than 10 s"

    async def is_there(one):
        return 5

    assert hook(is_there, clock).call(1).result == 5 and not clock.getDelayedCalls()


def test_who_leaves_is_no_fault(said):
    async def waits(one):
        await Deferred()

    clock, failures = Clock(), []
    waiting = hook(waits, clock).call(1).addErrback(failures.append)
    waiting.cancel()
    assert failures[0].check(CancelledError) and not clock.getDelayedCalls() and not said


def test_what_it_may_not_give_is_told_once(said):
    one = hook(lambda request: 5)
    for _ in range(2):
        assert one.wrong(5, "None").detail == "before m:f: it gives int; accepted is None"
    assert len(said) == 1
