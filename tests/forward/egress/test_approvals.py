"""Questions wait until somebody answers them."""

import attrs
import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from tests.cluster.played import Cluster
from txproxy import ForwardProxyFactory, Limits
from txproxy.errors import RequestDenied
from txproxy.forward.egress.approvals import Approvals, Question, Subject


def question(host="a.example", client_ip="127.0.0.1"):
    return Question(
        client_ip=client_ip,
        user=None,
        groups=frozenset(),
        method="GET",
        host=host,
        port=80,
        url=f"http://{host}/",
        rule="people",
    )


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def approvals(clock):
    return Approvals(clock)


def test_what_waits_is_listed_with_since_when(clock, approvals):
    approvals(question("a.example"))
    clock.advance(5)
    approvals(question("b.example"))
    assert [(entry.question.host, entry.since) for entry in approvals] == [("a.example", 0), ("b.example", 5)]


@pytest.mark.parametrize("approved", [True, False])
def test_an_answer_is_for_one_question_and_given_once(approvals, approved):
    one, two = [], []
    approvals(question()).addCallback(one.append)
    approvals(question()).addCallback(two.append)
    first = next(iter(approvals)).number
    assert approvals.answer(first, approved)
    assert (one, two) == ([approved], [])
    assert not approvals.answer(first, True)
    assert len(approvals) == 1


def test_what_is_given_up_waits_no_more(approvals):
    given_up = []
    answer = approvals(question()).addErrback(given_up.append)
    answer.cancel()
    assert given_up[0].check(CancelledError)
    assert len(approvals) == 0
    assert not approvals.answer(1, True)


def test_one_client_does_not_crowd_out_others(clock):
    approvals = Approvals(clock, each=2, most=4)
    for ip in ("2001:db8::1", "2001:db8::2"):
        approvals(question(client_ip=ip)).addErrback(lambda failure: failure.trap(CancelledError))
    with pytest.raises(RequestDenied) as refused:
        approvals(question(client_ip="2001:db8::3"))
    assert refused.value.status == 429
    other = approvals(question(client_ip="192.0.2.1")).addErrback(lambda failure: failure.trap(CancelledError))
    approvals(question(client_ip="192.0.2.2"))
    with pytest.raises(RequestDenied) as refused:
        approvals(question(client_ip="192.0.2.3"))
    assert refused.value.status == 503
    # What is answered or given up makes room.
    approvals.answer(1, True)
    other.cancel()
    approvals(question(client_ip="2001:db8::3"))
    approvals(question(client_ip="192.0.2.1"))
    assert len(approvals) == 4 and len(approvals.levels) == 4


def test_questions_at_other_processes_count_as_well():
    cluster = Cluster()
    here, there = (Approvals(cluster.clock, each=2, most=3) for _ in range(2))
    for number, approvals in enumerate((here, there)):
        cluster.come(number, {"questions": approvals.levels})
    there(question())
    there(question())
    cluster.go_on(0.1)
    with pytest.raises(RequestDenied, match="2 questions of"):
        here(question())
    here(question(client_ip="192.0.2.1"))
    with pytest.raises(RequestDenied, match="3 questions wait"):
        here(question(client_ip="192.0.2.2"))
    there.answer(1, True)
    cluster.go_on(0.1)
    here(question())
    # What is asked of a process that dies is gone with it.
    cluster.die(1)
    cluster.go_on(0.1)
    here(question())
    assert len(here) == 3


def test_how_much_of_an_address_is_the_client_is_as_in_all_limits(clock):
    factory = ForwardProxyFactory(limits=Limits(ipv6_prefix=48), reactor=clock)
    approvals = factory.mode.approvals
    for number in range(32):
        approvals(question(client_ip=f"2001:db8:0:{number:x}::1"))
    with pytest.raises(RequestDenied):
        approvals(question(client_ip="2001:db8:0:ff::1"))
    approvals(question(client_ip="2001:db8:1::1"))
    for number in range(1, 34):
        assert approvals.answer(number, False)
    assert not len(approvals.levels)


def test_an_answer_that_is_remembered_is_for_all_that_is_the_same(clock, approvals):
    given = []
    for asked in (question(), question(), question("b.example"), question(client_ip="192.0.2.1")):
        approvals(asked).addCallback(given.append)
    assert approvals.remember(Subject.of(question()), False, 60) == 2 and given == [False, False]
    clock.advance(59)
    assert approvals(question()) is False
    # Another host, method, client, user, port or rule is asked about.
    for more in ({"host": "c"}, {"method": "POST"}, {"client_ip": "::1"}, {"user": "jo"}, {"port": 81}, {"rule": "x"}):
        approvals(attrs.evolve(question(), **more)).addErrback(lambda failure: None)
    assert len(approvals) == 8
    clock.advance(1)
    assert not isinstance(approvals(question()), bool) and approvals.remembered == {}


def test_an_answer_is_replaced_and_forgotten(clock, approvals):
    subject = Subject.of(question())
    approvals.remember(subject, True, 60)
    approvals.remember(subject, False, 30)
    ((kept, answer),) = approvals.remembered.items()
    assert (kept, answer.approved, answer.until) == (subject, False, 30)
    assert approvals.forget(subject) and not approvals.forget(subject)
    assert not isinstance(approvals(question()), bool)
    approvals.remember(subject, True, 5)
    clock.advance(5)
    assert not approvals.forget(subject)


def test_of_what_is_remembered_there_is_a_bound(clock):
    approvals = Approvals(clock, most=3)
    for host in "abcd":
        approvals.remember(Subject.of(question(host)), True, 60)
    assert [subject.host for subject in approvals.remembered] == ["b", "c", "d"]
    clock.advance(60)
    approvals.remember(Subject.of(question("e")), True, 60)
    assert len(approvals._remembered) == 1
