"""Answers that are remembered, at a process that came later."""

from tests.cluster.played import Cluster
from txproxy.forward.egress.approvals import Approvals, Question, Remembered, Subject
from txproxy.forward.egress.shared_answers import SharedAnswers


def about(host):
    asked = Question(
        client_ip="192.0.2.1", user=None, groups=frozenset(), method="GET", host=host, port=80, url="", rule="people"
    )
    return Subject.of(asked)


def test_who_comes_later_is_told_what_is_remembered_and_for_how_long_but_keeps_its_own():
    cluster = Cluster(delay=0.0)
    first, other, new = (Approvals(cluster.clock) for _ in range(3))
    for number, approvals in enumerate((first, other)):
        cluster.come(number, {"answers": SharedAnswers(approvals)})
    cluster.go_on(0.1)
    for approvals in (first, other):
        approvals.remember(about("a.example"), True, 60)
        approvals.remember(about("b.example"), False, 10)
        approvals.remember(about("c.example"), True, 5)
    cluster.clock.advance(6)
    new.remember(about("b.example"), True, 30)
    until = cluster.clock.seconds() + 30
    cluster.come(7, {"answers": SharedAnswers(new)})
    cluster.go_on(0.01)
    assert set(new.remembered) == {about("a.example"), about("b.example")}
    assert new.remembered[about("b.example")] == Remembered(True, until)
    found = new.remembered[about("a.example")]
    assert found.approved and abs(found.until - first.remembered[about("a.example")].until) < 0.02
    # Nobody tells anybody who is there already.
    assert len(first.remembered) == 2 and not cluster.clock.getDelayedCalls()
