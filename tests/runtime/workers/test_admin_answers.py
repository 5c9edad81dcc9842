"""A worker does what the master was asked."""

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import ApiPaths, Verb
from txproxy.runtime.workers.admin_answers import AdminAnswers

CALL = ApiCall(names=("a",))


@pytest.fixture
def said():
    return []


@pytest.fixture
def ask(said):
    def ask(handle, path="/x/{name}"):
        paths = ApiPaths([Verb("GET", "/x/{name}", handle)])
        answers = AdminAnswers(lambda: paths, lambda *answer: said.append(answer))
        answers.asked(7, "GET", path, CALL)
        return answers

    return ask


def test_what_it_gives_is_said_with_the_number_of_the_question(ask, said):
    ask(lambda call: {"name": call.names[0]})
    assert said == [(7, ("given", {"name": "a"}))]


def test_a_fault_is_said_as_it_is_and_one_of_ours_stands_in_the_log(ask, said):
    def refuse(call):
        raise ApiFault(404, "none", more=1)

    ask(refuse)
    ask(lambda call: call, path="/y")
    with capturedLogs() as events:
        ask(lambda call: call.names[5])
    assert said == [
        (7, ("fault", (404, "none", {"more": 1}))),
        (7, ("fault", (404, "there is no GET /y here", {}))),
        (7, ("fault", (500, "this has failed; the log says why", {}))),
    ]
    assert events[0]["log_failure"].check(IndexError)


def test_what_takes_a_while_is_said_then(ask, said):
    waits = Deferred()

    async def handle(call):
        return await waits

    answers = ask(handle)
    assert said == []
    waits.callback("done")
    assert said == [(7, ("given", "done"))]
    answers.dropped(7)


def test_what_nobody_waits_for_ends(ask, said):
    ended = []

    async def handle(call):
        await Deferred(lambda _: ended.append("first"))

    ask(handle).dropped(7)
    answers = ask(handle)
    answers.end()
    assert ended == ["first", "first"]
