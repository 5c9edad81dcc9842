"""Upstreams by name, and the members that they stand for."""

import pytest
from twisted.internet.defer import succeed
from twisted.internet.task import Clock

from txproxy import Pool, PoolSettings
from txproxy.upstreams.discovery.lookups import Found
from txproxy.upstreams.discovery.members import Members
from txproxy.upstreams.upstream import State
from txproxy.upstreams.upstream_tls import UpstreamTls
from txproxy.upstreams.upstream_urls import parse_upstream
from txproxy.wire import dns


@pytest.fixture
def made():
    def make(text, **settings):
        pool = Pool([text], clock=Clock(), settings=PoolSettings(**settings))
        return pool, Members(pool, pool.upstreams[0], Clock(), resolver=object())

    return make


def names(pool):
    return [str(upstream.address) for upstream in pool.upstreams]


def test_the_name_itself_serves_until_there_is_an_answer(made):
    pool, members = made("http://a.example:81;weight=3;resolve")
    assert names(pool) == ["a.example:81"]
    members._apply([Found("10.0.0.1", 81, 3, False), Found("10.0.0.2", 81, 3, False)])
    assert names(pool) == ["10.0.0.1:81", "10.0.0.2:81"]
    assert {upstream.authority for upstream in pool.upstreams} == {b"a.example:81"}


def test_members_follow_the_name(made):
    pool, members = made("http://a.example;resolve")
    members._apply([Found("10.0.0.1", 80, 1, False), Found("10.0.0.2", 80, 1, False)])
    kept = pool.upstreams[1]
    members._apply([Found("10.0.0.2", 80, 1, False), Found("10.0.0.3", 80, 1, False)])
    assert names(pool) == ["10.0.0.2:80", "10.0.0.3:80"]
    assert pool.upstreams[0] is kept
    members._apply([Found("10.0.0.9", 80, 1, False)])
    assert names(pool) == ["10.0.0.9:80"]


def test_another_weight_is_not_another_member(made):
    pool, members = made("http://_http._tcp.a.example;resolve")
    members._apply([Found("10.0.0.1", 80, 1, False, "one.example"), Found("10.0.0.2", 80, 1, False, "two.example")])
    one = pool.upstreams[0]
    assert one.authority == b"one.example:80"
    members._apply([Found("10.0.0.1", 80, 5, False, "one.example"), Found("10.0.0.2", 80, 1, True, "two.example")])
    assert one in pool.upstreams and one.weight == 5
    assert [upstream.backup for upstream in pool.upstreams] == [False, True]


def test_tls_is_spoken_to_the_target_of_a_service(made):
    pool, members = made("https://_https._tcp.a.example;resolve")
    members._apply([Found("10.0.0.1", 443, 1, False, "one.example")])
    address = pool.upstreams[0].address
    assert (address.host, address.server_name, address.tls is not None) == ("10.0.0.1", "one.example", True)
    plain, others = made("https://a.example;resolve")
    others._apply([Found("10.0.0.1", 443, 1, False, "a.example")])
    assert plain.upstreams[0].address.server_name == "a.example"
    assert plain.upstreams[0].address.tls is parse_upstream("https://a.example").address.tls


@pytest.mark.parametrize("target", ["a.example", "_grpc._tcp.a.example"])
@pytest.mark.parametrize("alpn", [("h2",), ("h2", "http/1.1")])
def test_members_speak_what_their_name_was_given_for(made, target, alpn):
    found = [Found("10.0.0.1", 443, 1, False, "a.example")]
    pool, members = made(f"https://{target};resolve", tls=UpstreamTls(alpn=alpn))
    members._apply(found)
    assert pool.upstreams[0].address.protocols == alpn
    plain, others = made(f"h2c://{target};resolve")
    others._apply(found)
    assert plain.upstreams[0].address.protocols == ("h2",)


@pytest.mark.parametrize(("word", "state"), [("drain", State.DRAINING), ("disabled", State.DISABLED)])
def test_members_serve_no_more_than_the_configuration_says_of_their_name(made, word, state):
    pool, members = made(f"http://a.example;resolve;{word}")
    members._apply([Found("10.0.0.1", 80, 1, False)])
    member = pool.upstreams[0]
    assert (member.state, member.given_order, member.cause.endswith("by the configuration")) == (state, state, True)
    pool.enable(member)
    assert member.state is State.HEALTHY


def test_another_target_at_the_same_place_is_another_member(made):
    pool, members = made("http://_http._tcp.a.example;resolve")
    members._apply([Found("10.0.0.1", 80, 1, False, "one.example")])
    members._apply([Found("10.0.0.1", 80, 1, False, "two.example")])
    assert [upstream.authority for upstream in pool.upstreams] == [b"two.example:80"]


def test_a_member_that_somebody_has_removed_is_nobodys(made):
    pool, members = made("http://a.example;resolve")
    found = [Found(f"10.0.0.{number}", 80, 1, False) for number in (1, 2, 3, 4)]
    members._apply(found)
    for upstream in pool.upstreams[:2]:
        pool.remove(upstream)
    members._apply([Found("10.0.0.1", 80, 5, False), *found[3:]])
    assert names(pool) == ["10.0.0.4:80"]


class Names:
    """Knows one address of every host."""

    def records(self, name, kind):
        return succeed((dns.Record(name, kind, 60, "10.0.0.7"),) if kind == dns.A else ())


def test_names_are_looked_up_while_somebody_serves_whenever_they_came():
    clock = Clock()
    pool = Pool(["http://10.0.0.1", "http://early.example;resolve"], clock=clock)
    assert names(pool) == ["10.0.0.1:80", "early.example:80"]
    pool.start(clock, None, Names())
    assert names(pool) == ["10.0.0.1:80", "10.0.0.7:80"]
    pool.add("http://late.example:81;resolve")
    assert names(pool) == ["10.0.0.1:80", "10.0.0.7:80", "10.0.0.7:81"]
    pool.stop()
    pool.add("http://later.example:82;resolve")
    assert names(pool)[3:] == ["later.example:82"]
    pool.start(clock, None, Names())
    assert names(pool)[3:] == ["10.0.0.7:82"]
    pool.stop()
    assert not clock.getDelayedCalls()
