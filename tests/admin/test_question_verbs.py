"""``/api/questions``."""

import attrs
import pytest

from txproxy.admin.question_verbs import QuestionVerbs
from txproxy.components.outside_text import OutsideText
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
        "listener": "out", "client": "192.0.2.1", "user": "jo", "method": "GET", "host": "a.example", "port": 80,
        "url": "http://a.example/x",
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


ANSWER = {
    "listener": "out", "rule": "new hosts", "method": "GET", "host": "a.example", "port": 80, "client": "192.0.2.1",
    "user": "jo", "allow": True, "for": "1h",
}  # fmt: skip


def test_an_answer_is_remembered_listed_and_forgotten(client, approvals, clock):
    waiting = []
    approvals[0](QUESTION).addCallback(waiting.append)
    approvals[1](QUESTION)
    said = client.ask("POST", "/api/answers", body=ANSWER).json
    assert said == {"remembered": said["remembered"], "allowed": True, "answered": 1} and waiting == [True]
    clock.advance(10)
    (told,) = client.ask("GET", "/api/answers").json["answers"]
    assert told == {
        "name": said["remembered"], "left": 3590.0, **{key: ANSWER[key] for key in ANSWER if key != "for"},
    }  # fmt: skip
    assert approvals[0](QUESTION) is True and len(approvals[1]) == 1
    path = f"/api/answers/{said['remembered']}"
    assert client.ask("DELETE", path).json == {"forgotten": said["remembered"]}
    assert client.ask("DELETE", path).status == 404 and client.ask("GET", "/api/answers").json == {"answers": []}


def test_an_answer_is_called_the_same_whatever_a_file_calls_its_listener(serve, clock):
    verbs = QuestionVerbs(View([(OutsideText("out", "${OUT}"), Approvals(clock))]), clock).verbs()
    client = serve(verbs)
    name = client.ask("POST", "/api/answers", body=ANSWER).json["remembered"]
    assert [one["name"] for one in client.ask("GET", "/api/answers").json["answers"]] == [name]
    assert client.ask("DELETE", f"/api/answers/{name}").json == {"forgotten": name}


def test_whose_user_is_not_known_is_another_one(client, approvals):
    client.ask("POST", "/api/answers", body={**ANSWER, "user": None, "allow": False})
    assert approvals[0](attrs.evolve(QUESTION, user=None)) is False
    assert not isinstance(approvals[0](QUESTION), bool)


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ({"listener": "ou"}, 404, "there is no listener 'ou' that asks (is out meant?); accepted: out, guests"),
        ({"rule": ""}, 400, "rule: "),
        ({"port": 0}, 400, "port: "),
        ({"port": None}, 400, "port: "),
        ({"host": 1}, 400, "host: 1 is no text"),
        ({"user": ""}, 400, "user: "),
        ({"allow": 1}, 400, "accepted: true, false"),
        ({"for": 0}, 400, "for: '0' is no time"),
        ({"for": "169h"}, 400, "for: '169h' cannot be"),
        ({"for": "soon"}, 400, "for: "),
    ],
)
def test_what_cannot_be_remembered_is_said(client, approvals, more, status, said):
    answer = client.ask("POST", "/api/answers", body={**ANSWER, **more})
    assert answer.status == status and said in answer.json["error"] and approvals[0].remembered == {}


@pytest.mark.parametrize("key", [key for key in ANSWER if key != "user"])
def test_what_is_missing_is_said(client, approvals, key):
    answer = client.ask("POST", "/api/answers", body={name: ANSWER[name] for name in ANSWER if name != key})
    assert answer.status == 400 and answer.json["error"].startswith(f"{key}: ") and approvals[0].remembered == {}
