"""Upstreams by name, and the members that they stand for."""

import pytest
from twisted.internet.task import Clock

from txproxy import Pool
from txproxy.reverse.discovery import Found
from txproxy.reverse.members import Members
from txproxy.reverse.upstream import parse_upstream


@pytest.fixture
def made():
    def make(text):
        pool = Pool([text], clock=Clock())
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
