"""``/api/questions``."""

import attrs
import pytest

from txproxy.admin.question_verbs import QuestionVerbs
from txproxy.forward.egress.approvals import Approvals, Question

QUESTION = Question(
    client_ip="192.0.2.1", user="jo", groups=frozenset(), method="GET", host="a.example", port=80,
    url="http://a.example/x", rule="new hosts", reason="nobody knows it",
)  # fmt: skip


@attrs.frozen
class View:
    questions: list


@pytest.fixture
def approvals(clock):
    return Approvals(clock), Approvals(clock)


@pytest.fixture
def client(serve, clock, approvals):
    return serve(QuestionVerbs(View([("out", approvals[0]), ("guests", approvals[1])]), clock).verbs())


def listed(client):
    return client.ask("GET", "/api/questions").json["questions"]


def test_what_waits_is_listed(client, approvals, clock):
    assert listed(client) == []
    approvals[0](QUESTION)
    clock.advance(2.5)
    approvals[1](attrs.evolve(QUESTION, user=None, method="CONNECT", url="https://a.example/"))
    one, other = listed(client)
    assert one.pop("id") != other["id"]
    assert one == {
        "listener": "out", "client": "192.0.2.1", "user": "jo", "method": "GET", "url": "http://a.example/x",
        "rule": "new hosts", "reason": "nobody knows it", "age": 2.5,
    }  # fmt: skip
    assert (other["listener"], other["user"], other["age"]) == ("guests", None, 0.0)


@pytest.mark.parametrize("allow", [True, False])
def test_an_answer_is_for_one_question_alone(client, approvals, allow):
    answers = []
    # They have the same number, each of its own listener.
    for number, one in enumerate(approvals):
        one(QUESTION).addCallback(lambda answer, number=number: answers.append((number, answer)))
    name = listed(client)[1]["id"]
    told = client.ask("POST", f"/api/questions/{name}", body={"allow": allow}).json
    assert told == {"answered": name, "allowed": allow} and answers == [(1, allow)]
    assert client.ask("POST", f"/api/questions/{name}", body={"allow": True}).status == 404
    assert [one["listener"] for one in listed(client)] == ["out"]


@pytest.mark.parametrize("body", [{}, {"allow": "yes"}, {"allow": 1}, {"allow": None}])
def test_what_is_no_answer_leaves_it_waiting(client, approvals, body):
    approvals[0](QUESTION)
    answer = client.ask("POST", f"/api/questions/{listed(client)[0]['id']}", body=body)
    assert answer.status == 400 and "accepted: true, false" in answer.json["error"]
    assert len(listed(client)) == 1


def test_who_waits_no_more_is_asked_about_no_more(client, approvals):
    approvals[0](QUESTION).addErrback(lambda _: None).cancel()
    assert listed(client) == []
    assert client.ask("POST", "/api/questions/1-1-1", body={"allow": True}).status == 404
