"""What a process tells the others, when, and what it makes of what it hears."""

import pytest
from twisted.logger import capturedLogs

from tests.cluster.played import Cluster, Told
from txproxy.cluster.membership import Membership


@pytest.fixture
def cluster():
    made = Cluster()
    made.told = [Told(), Told(), Told()]
    for peer, told in enumerate(made.told):
        made.come(peer, {"words": told})
    made.go_on(0.01)
    yield made
    for member in made.members.values():
        member.end()
    assert not made.clock.getDelayedCalls()


def test_who_comes_is_told_all_by_each_of_the_others(cluster):
    first, second, third = cluster.told
    assert not first.got and second.got == [(0, "all of lead")]
    assert sorted(third.got) == [(0, "all of lead"), (1, "all of another")]
    assert (first.leads, second.leads, third.leads) == (True, False, False)


def test_news_is_told_within_a_moment_and_no_timer_runs_without_any(cluster):
    first, second, third = cluster.told
    assert not cluster.clock.getDelayedCalls()
    first.say("one")
    first.say("two")
    cluster.go_on(0.045)
    assert (0, "one") not in second.got
    cluster.go_on(0.01)
    assert second.got[-1] == third.got[-1] == (0, "one")
    # What is too much for once follows.
    cluster.go_on(0.06)
    assert second.got[-1] == (0, "two") and not first.got
    assert not cluster.clock.getDelayedCalls()


def test_nothing_is_lost_where_the_hub_is_busy_for_a_while():
    cluster, busy, first, second = Cluster(), [True], Told(), Told()
    cluster.come(0, {"words": first}, busy=lambda: bool(busy))
    cluster.come(1, {"words": second})
    first.say("one")
    cluster.go_on(1)
    assert (0, "one") not in second.got
    busy.clear()
    cluster.go_on(0.06)
    assert second.got[-1] == (0, "one")


def test_another_configuration_shares_something_else_and_goes_on_with_the_rest(cluster):
    first, second, _ = cluster.told
    more = Told()
    first.say("lost")
    cluster.members[0].follow({"words": more})
    assert first.wake is None and more.leads is True
    more.say("one")
    cluster.go_on(0.06)
    assert second.got[-1] == (0, "one")
    # Whoever has not read that configuration yet does not know what this is about.
    wake, new = more.wake, Told()
    cluster.members[0].follow({"words": more, "other": new})
    assert more.wake is wake
    new.say("two")
    cluster.go_on(0.06)
    assert second.got[-1] == (0, "one")


def test_what_is_not_understood_is_said_and_breaks_nothing(cluster):
    first, second, _ = cluster.told
    with capturedLogs() as events:
        first.say("wrong")
        first.say("right")
        cluster.go_on(0.2)
    assert second.got[-1] == (0, "right")
    assert [event["topic"] for event in events if "topic" in event] == ["words", "words"]


def test_one_that_dies_is_no_more_and_another_leads(cluster):
    cluster.die(0)
    cluster.go_on(0.01)
    _, second, third = cluster.told
    assert second.got[-1] == third.got[-1] == (0, "gone")
    assert (second.leads, third.leads) == (True, False)


def test_without_a_hub_each_does_all_for_itself_and_tells_nobody(cluster):
    _, second, _ = cluster.told
    second.say("lost")
    cluster.members[1].alone()
    assert second.leads is True and second.wake is None
    assert {peer for peer, word in second.got if word == "gone"} == {0, 2}
    assert not cluster.clock.getDelayedCalls()
    more = Told()
    cluster.members[1].follow({"words": more})
    assert more.leads is True and more.wake is None


def test_of_what_is_not_configured_here_nobody_has_any():
    cluster, said = Cluster(), []
    member = Membership(cluster.clock, lambda kind, content: said.append((kind, content)), lambda: False)
    member.follow({}, {})
    member.heard("loan", ("gone", ("count", "k")))
    # Else the hub would wait for it, and lend nobody any.
    assert said == [("loan", ("gone", ("has", "k", 0)))]
    member.heard("loan", ("gone", ("free", "k")))
    assert len(said) == 1
    member.end()
