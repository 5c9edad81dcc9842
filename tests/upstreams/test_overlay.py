"""What an administrator has changed of a pool, and what of it another configuration leaves."""

import pytest
from twisted.internet.task import Clock

from txproxy.errors import ConfigError
from txproxy.upstreams.discovery.lookups import Found
from txproxy.upstreams.discovery.members import Members
from txproxy.upstreams.overlay import Overlay, PoolEdits, UpstreamEdit
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream import State
from txproxy.upstreams.upstream_urls import parse_upstream

A, B, C = "http://10.0.0.1", "http://10.0.0.2", "http://10.0.0.3"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def made(clock):
    """The overlay of a pool of these, after another one."""

    def made(*texts, before=None):
        pool = Pool(texts, clock=clock)
        overlay = Overlay(pool, texts, parse_upstream)
        if before is not None:
            overlay.follow(before)
        return overlay

    return made


def seen(overlay):
    return {one.name: (one.ordered.value, one.weight) for one in overlay.pool.upstreams}


def test_what_is_as_configured_has_no_changes(made):
    overlay = made(A, f"{B};drain;weight=3")
    assert [overlay.changes_of(one) for one in overlay.pool.upstreams] == [(), ()]
    assert overlay.removed == ()
    assert seen(made(A, f"{B};weight=2", before=overlay)) == {A: ("healthy", 1), B: ("healthy", 2)}


def test_changes_outlive_a_configuration_that_says_the_same_of_them(made, clock):
    overlay = made(A, B, C)
    clock.advance(5)
    overlay.pool.drain(A, 60)
    overlay.pool.weigh(B, 7)
    overlay.pool.disable(C)
    assert [overlay.changes_of(one) for one in overlay.pool.upstreams] == [("order",), ("weight",), ("order",)]
    clock.advance(20)
    later = made(f"{A};max=3", f"{B};backup", C, before=overlay)
    assert seen(later) == {A: ("draining", 1), B: ("healthy", 7), C: ("disabled", 1)}
    assert [overlay.changes_of(one) for one in later.pool.upstreams] == [("order",), ("weight",), ("order",)]
    assert later.pool.find(A).since == 5
    clock.advance(39)
    assert later.pool.find(A).state is State.DRAINING
    clock.advance(2)
    assert later.pool.find(A).state is State.DISABLED


@pytest.mark.parametrize(
    ("change", "text", "then"),
    [
        (lambda pool: pool.drain(A), f"{A};drain", ("draining", 1)),
        (lambda pool: pool.disable(A), f"{A};drain", ("draining", 1)),
        (lambda pool: pool.weigh(A, 7), f"{A};weight=2", ("healthy", 2)),
        (lambda pool: (pool.weigh(A, 7), pool.disable(A)), f"{A};weight=2", ("disabled", 2)),
        (lambda pool: (pool.weigh(A, 7), pool.disable(A)), f"{A};drain", ("draining", 7)),
    ],
)
def test_what_the_configuration_says_otherwise_holds(made, change, text, then):
    overlay = made(A, B)
    change(overlay.pool)
    assert seen(made(text, B, before=overlay))[A] == then


def test_what_drains_by_configuration_may_be_enabled_until_that_says_something_else(made):
    overlay = made(f"{A};drain", B)
    assert overlay.pool.find(A).cause == "drained by the configuration"
    overlay.pool.enable(A)
    assert overlay.changes_of(overlay.pool.find(A)) == ("order",)
    later = made(f"{A};drain", f"{B};max=1", before=overlay)
    assert seen(later)[A] == ("healthy", 1)
    assert seen(made(A, B, before=made(f"{A};drain", B)))[A] == ("healthy", 1)


def test_what_was_added_stays_and_becomes_the_configuration_s(made):
    overlay = made(A)
    added = overlay.add(f"{B};weight=2")
    overlay.pool.drain(added)
    assert overlay.changes_of(added) == ("added", "order")
    later = made(f"{A};max=1", before=overlay)
    assert seen(later)[B] == ("draining", 2)
    assert later.changes_of(later.pool.find(B)) == ("added", "order")
    then = made(A, f"{B};weight=2", before=later)
    assert then.changes_of(then.pool.find(B)) == ("order",)
    assert set(seen(made(A, before=then))) == {A}, "it was the configuration's to take away"


def test_what_was_removed_is_missing_until_the_configuration_says_something_else_of_it(made):
    overlay = made(A, B)
    overlay.remove(overlay.pool.find(B))
    assert overlay.removed == (B,)
    later = made(f"{A};max=1", B, before=overlay)
    assert set(seen(later)) == {A} and later.removed == (B,)
    again = made(A, f"{B};max=2", before=later)
    assert set(seen(again)) == {A, B} and again.removed == ()
    assert set(seen(made(B, before=later))) == {B}, "it is the last one"


def test_what_was_added_and_removed_has_left_nothing(made):
    overlay = made(A, B)
    overlay.remove(overlay.add(C))
    assert overlay.removed == () and set(seen(made(A, before=overlay))) == {A}
    overlay.remove(overlay.pool.find(B))
    assert overlay.changes_of(overlay.add(B)) == () and overlay.removed == ()


def test_what_was_replaced_is_what_it_was_replaced_by(made):
    overlay = made(A, B)
    overlay.remove(overlay.pool.find(B))
    assert overlay.changes_of(overlay.add(f"{B};weight=4")) == ("added",) and overlay.removed == ()
    later = made(f"{A};max=1", B, before=overlay)
    assert seen(later)[B] == ("healthy", 4) and later.removed == ()


def test_what_cannot_be_added_or_removed(made):
    overlay = made(A, "http://app.example;resolve")
    with pytest.raises(ConfigError, match="is in a pool already"):
        overlay.add(A)
    with pytest.raises(ConfigError, match="is the configuration's to say"):
        overlay.add("http://b.example;resolve")
    with pytest.raises(ConfigError, match="is looked up"):
        overlay.remove(overlay.pool.find("http://app.example"))
    alone = made(A)
    with pytest.raises(ConfigError, match="is the last upstream"):
        alone.remove(alone.pool.find(A))
    assert alone.removed == ()


def test_members_that_come_later_are_as_they_were(made, clock):
    name = "http://app.example"
    overlay = made(f"{name};resolve", B)
    members = Members(overlay.pool, overlay.pool.find(name), clock, resolver=object())
    found = [Found("10.0.0.8", 80, 1, False), Found("10.0.0.9", 80, 1, False)]
    members._apply(found)
    drained = overlay.pool.find(f"{name} at 10.0.0.8:80")
    assert overlay.changes_of(drained) == ()
    with pytest.raises(ConfigError, match="is looked up"):
        overlay.remove(drained)
    overlay.pool.drain(drained)
    overlay.pool.weigh(drained, 3)
    later = made(f"{name};resolve", f"{B};max=1", before=overlay)
    members = Members(later.pool, later.pool.find(name), clock, resolver=object())
    members._apply(found)
    assert seen(later) == {
        B: ("healthy", 1), f"{name} at 10.0.0.8:80": ("draining", 3), f"{name} at 10.0.0.9:80": ("healthy", 1),
    }  # fmt: skip
    # The record has another weight by now.
    members._apply([Found("10.0.0.8", 80, 5, False), *found[1:]])
    assert later.pool.find(f"{name} at 10.0.0.8:80").weight == 5


def test_members_drain_and_have_no_weight_as_their_name(made, clock):
    overlay = made("http://_http._tcp.example;resolve;weight=0", "http://app.example;resolve;drain", A)
    for number, name in enumerate(("http://_http._tcp.example", "http://app.example")):
        members = Members(overlay.pool, overlay.pool.find(name), clock, resolver=object())
        members._apply([Found(f"10.0.0.{number}", 80, 4, False)])
    assert [one.state for one in overlay.pool.upstreams] == [State.HEALTHY, State.DRAINING, State.DRAINING]
    assert [overlay.changes_of(one) for one in overlay.pool.upstreams] == [(), (), ()]


def test_what_would_have_to_be_written_is_told_by_its_place(made):
    overlay = made(A, f"{B};drain;weight=3", C)
    pool = overlay.pool
    assert overlay.edits() == PoolEdits(pool.name)
    pool.weigh(A, 0)
    pool.disable(A)
    pool.enable(B)
    overlay.remove(pool.find(C))
    overlay.add("http://10.0.0.4;max=2")
    pool.drain("http://10.0.0.4", 60)
    pool.weigh("http://10.0.0.4", 5)
    assert overlay.edits() == PoolEdits(
        pool.name,
        removed=((2, C),),
        changed=(UpstreamEdit(0, A, 0, "disabled"), UpstreamEdit(1, B, None, "enabled")),
        added=("http://10.0.0.4;max=2;weight=5;drain",),
    )


def test_one_that_has_come_again_as_another_takes_the_place_of_what_is_written(made):
    overlay = made(A, B)
    overlay.remove(overlay.pool.find(B))
    overlay.add(f"{B};weight=4")
    assert overlay.edits() == PoolEdits(overlay.pool.name, removed=((1, B),), added=(f"{B};weight=4",))


def test_what_is_written_then_is_no_change_any_more(made, clock):
    overlay = made(A, B, C)
    pool = overlay.pool
    pool.drain(A, 60)
    pool.disable(B)
    pool.weigh(C, 4)
    overlay.add("http://10.0.0.4")
    clock.advance(10)
    later = made(f"{A};drain", f"{B};disabled", f"{C};weight=4", "http://10.0.0.4", before=overlay)
    assert seen(later) == {
        A: ("draining", 1), B: ("disabled", 1), C: ("healthy", 4), "http://10.0.0.4": ("healthy", 1),
    }  # fmt: skip
    assert later.edits() == PoolEdits(later.pool.name) and later.added == {}
    # What the file cannot say still holds.
    clock.advance(50)
    assert later.pool.find(A).state is State.DISABLED


def test_a_change_of_a_member_is_nothing_that_can_be_written(made):
    overlay = made("http://app.example;resolve", A)
    (given, _) = overlay.pool.upstreams
    member = parse_upstream(B)
    member.stands_for = given.name
    overlay.pool.add(member)
    overlay.pool.disable(B)
    assert overlay.edits().left == (f"{B} is a member of {given.name}, of which alone the file can say something",)
