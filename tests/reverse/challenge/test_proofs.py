"""Questions, answers and passes: whose they are, and for how long."""

import hashlib

import pytest

from tests.reverse.challenge.solving import solved, unsolved
from txproxy.reverse.challenge import proofs as module
from txproxy.reverse.challenge.challenge_settings import ChallengeSettings
from txproxy.reverse.challenge.proofs import PATIENCE, Proofs, network_of

HERE, NEXT_DOOR, ELSEWHERE = "192.0.2.7", "192.0.2.200", "192.0.3.7"


class Time:
    """The time of day."""

    def __init__(self):
        self.now = 1_800_000_000.5

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def make(time):
    def make(secret=b"s" * 32, **settings):
        return Proofs(ChallengeSettings(**{"difficulty": 8, **settings}), secret, time)

    return make


@pytest.fixture
def proofs(make):
    return make()


def cookie(value):
    return b"a=b; txproxy-challenge=" + value.encode() + b"; c=d"


def test_who_has_answered_passes(proofs, time):
    question = proofs.question(HERE)
    assert proofs.answered(question, solved(question), HERE) == ""
    value, seconds = proofs.passing(question, HERE)
    assert seconds == 12 * 3600 and proofs.passed(cookie(value), HERE) and proofs.passed(cookie(value), NEXT_DOOR)
    assert not proofs.passed(cookie(value), ELSEWHERE)
    time.now += seconds - 1
    assert proofs.passed(cookie(value), HERE)
    time.now += 1
    assert not proofs.passed(cookie(value), HERE)


def test_to_answer_again_gives_the_same_and_no_more_time(proofs, time):
    question = proofs.question(HERE)
    first, _ = proofs.passing(question, HERE)
    time.now += 500
    assert proofs.answered(question, solved(question), HERE) == ""
    assert proofs.passing(question, HERE) == (first, 12 * 3600 - 501 + 1)


@pytest.mark.parametrize("settings", [{"secret": b"t" * 32}, {"secret": b"s" * 31}])
def test_what_others_have_signed_is_none(make, settings):
    question = make(**settings).question(HERE)
    assert make().answered(question, solved(question), HERE) == "it was asked of somebody else, or by somebody else"
    value, _ = make(**settings).passing(question, HERE)
    assert not make().passed(cookie(value), HERE)


def test_no_work_is_done_for_what_is_not_ours(proofs, make, monkeypatch):
    question = make(secret=b"t" * 32).question(HERE)
    monkeypatch.setattr(module, "sha256", None)
    assert proofs.answered(question, "1", HERE)
    assert proofs.answered("x" * 1000, "1", HERE) == "it is no question"


def test_a_question_is_for_its_client_and_its_time(proofs, time):
    question = proofs.question(HERE)
    number = solved(question)
    assert proofs.answered(question, number, ELSEWHERE)
    time.now += PATIENCE
    assert proofs.answered(question, number, HERE) == "it was asked too long ago"
    time.now -= PATIENCE + 100
    assert proofs.answered(question, number, HERE) == "it was asked too long ago"


def test_a_question_says_how_hard_it_is_and_nobody_can_make_it_easier(proofs, make):
    hard = make(difficulty=24).question(HERE)
    asked, _, signature = hard.split("-", 2)
    easy = f"{asked}-1-{signature}"
    assert proofs.answered(easy, solved(easy), HERE) == "it was asked of somebody else, or by somebody else"
    # one that was asked before a reload counts as it was asked
    question = proofs.question(HERE)
    assert make(difficulty=24).answered(question, solved(question), HERE) == ""


@pytest.mark.parametrize("number", ["-1", "x", "1" * 17, "1 ", "\u0661"])
def test_what_is_no_number_is_no_answer(proofs, number):
    assert proofs.answered(proofs.question(HERE), number, HERE) == "it is no number"


def test_another_number_is_no_answer(proofs):
    question = proofs.question(HERE)
    assert proofs.answered(question, unsolved(question), HERE) == "the digest has too few zeros"


def test_without_a_number_it_takes_its_time(proofs, make, time):
    question = proofs.question(HERE)
    assert proofs.answered(question, "", HERE) == "it came too soon"
    time.now += 9
    assert proofs.answered(question, "", HERE) == "it came too soon"
    time.now += 1
    assert proofs.answered(question, "", HERE) == ""
    assert make(wait=0.0).answered(question, "", HERE) == "there is no number"


def test_a_pass_cannot_be_made_longer_and_a_question_is_none(proofs, time):
    question = proofs.question(HERE)
    value, _ = proofs.passing(question, HERE)
    until, signature = value.split("-", 1)
    assert not proofs.passed(cookie(f"{int(until) + 1}-{signature}"), HERE)
    asked, _, signed = question.split("-", 2)
    assert not proofs.passed(cookie(f"{int(asked) + 100}-{signed}"), HERE)


@pytest.mark.parametrize(
    "cookies", [None, b"", b"a=b", b"txproxy-challenge", b"txproxy-challenge=", b"xtxproxy-challenge=1"]
)
def test_who_has_none_does_not_pass(proofs, cookies):
    assert not proofs.passed(cookies, HERE)


def test_one_of_several_is_enough(proofs):
    value, _ = proofs.passing(proofs.question(HERE), HERE)
    assert proofs.passed(b"txproxy-challenge=1-" + b"x" * 22 + b", txproxy-challenge=" + value.encode(), HERE)


def test_networks_are_clients():
    assert network_of("192.0.2.7", 24, 64) == network_of("::ffff:192.0.2.200", 24, 64) == "192.0.2.0/24"
    assert network_of("192.0.2.7", 32, 64) == "192.0.2.7/32"
    assert network_of("2001:db8:0:1::5", 24, 64) == network_of("2001:db8:0:1:ffff::", 24, 64) == "2001:db8:0:1::/64"
    assert network_of("2001:db8:0:1::5", 24, 128) == "2001:db8:0:1::5"
    assert network_of("unix:", 24, 64) == "unix:"


def test_the_digest_is_sha256(proofs):
    question = proofs.question(HERE)
    assert hashlib.sha256(f"{question}:{solved(question)}".encode()).digest()[0] == 0
