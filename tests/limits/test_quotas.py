"""Quotas, through a proxy in memory."""

import datetime

import pytest

from txproxy.errors import ConfigError
from txproxy.interfaces import Bounds
from txproxy.limits.quotas import OverQuota, Quota, Quotas
from txproxy.limits.usage import DAY, MONTH, Usage

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 100\r\n\r\n" + bytes(100)
CHUNKED = b"HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n"
CONNECT = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"


def get(user="", rule="", accept=""):
    fields = {"User": user, "Rule": rule, "Accept": accept}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode()


class World:
    def __init__(self, proxy):
        self.proxy, self.moment = proxy, datetime.datetime(2026, 3, 30, 12)
        self.usage = Usage(proxy.clock, now=lambda: self.moment)

    def use(self, *quotas):
        self.quotas = quotas = Quotas(quotas, self.usage, self.proxy.clock)
        self.proxy.mode.bounds = lambda *who: Bounds(meter=quotas.meter(*who))

    def ask(self, request, response=OK, host="10.0.0.1"):
        """One request of a client of its own; gives the status."""
        client = self.proxy.connect(host)
        client.send(request)
        if not client.received:
            self.proxy.upstream.send(response)
        self.answer = client.received
        client.drop()
        return int(self.answer.split(b" ", 2)[1])


@pytest.fixture
def world(proxy):
    return World(proxy)


def test_who_has_used_up_his_quota_is_refused_and_told_why(world):
    world.use(Quota(day=200))
    assert [world.ask(get()) for _ in range(3)] == [200, 200, 403]
    assert world.answer.endswith(b"\r\n\r\n403 Forbidden\nclient 10.0.0.1 has used up the day's 200 bytes.\n")
    assert b"Proxy-Status: txproxy; error=http_request_denied" in world.answer
    assert world.ask(get(), host="10.0.0.2") == 200


def test_a_client_has_one_quota_from_however_many_addresses(world):
    world.use(Quota(day=200))
    hosts = ["2001:db8::1", "2001:db8::2", "2001:db8::3"]
    assert [world.ask(get(), host=host) for host in hosts] == [200, 200, 403]
    assert b"client 2001:db8::/64 has used up" in world.answer
    assert world.ask(get(), host="2001:db8:0:1::1") == 200
    assert world.quotas.used("2001:db8::9", None, DAY) == 200
    assert [world.ask(get(), host=host) for host in ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"]] == [200, 200, 403]


def test_how_much_of_an_address_is_the_client_can_be_said(world):
    world.quotas = quotas = Quotas([Quota(day=100)], world.usage, world.proxy.clock, ipv6_prefix=56)
    world.proxy.mode.bounds = lambda *who: Bounds(meter=quotas.meter(*who))
    assert [world.ask(get(), host=host) for host in ["2001:db8::1", "2001:db8:0:ff::1"]] == [200, 403]
    assert world.ask(get(), host="2001:db8:0:100::1") == 200


def test_a_browser_gets_a_page_in_which_no_name_is_markup(world):
    world.use(Quota(per="user", day=100))
    world.ask(get("<b>"))
    assert world.ask(get("<b>", accept="text/html")) == 403
    assert b"<p>user &lt;b&gt; has used up the day's 100 bytes.</p>" in world.answer.replace(b"&#x27;", b"'")


def test_the_next_day_and_the_next_month_begin_anew(world):
    world.use(Quota(day=100, month=200))
    assert [world.ask(get()) for _ in range(2)] == [200, 403]
    world.moment += datetime.timedelta(days=1)
    assert [world.ask(get()) for _ in range(2)] == [200, 403]
    assert b"the day's 100 bytes" in world.answer
    world.moment = datetime.datetime(2026, 4, 1)
    assert [world.ask(get()) for _ in range(2)] == [200, 403]
    world.moment = datetime.datetime(2026, 4, 2)
    world.ask(get())
    world.moment = datetime.datetime(2026, 4, 3)
    assert world.ask(get()) == 403
    assert b"the month's 200 bytes" in world.answer


def test_a_connection_that_is_kept_is_no_way_around(world):
    world.use(Quota(day=100))
    client = world.proxy.connect()
    client.send(get())
    world.proxy.upstream.send(OK)
    client.take()
    client.send(get())
    assert client.received.startswith(b"HTTP/1.1 403 ")


def test_both_bodies_count(world):
    world.use()
    client = world.proxy.connect("10.0.0.1")
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n" + bytes(30))
    world.proxy.upstream.send(OK)
    assert world.quotas.used("10.0.0.1", None, DAY) == 130
    assert world.quotas.used("10.0.0.1", None, MONTH) == 130


def test_rules_learn_what_a_user_or_else_a_client_has_used(world):
    world.use()
    world.ask(get("alice"))
    world.ask(get("alice"), host="10.0.0.2")
    world.ask(get())
    assert world.quotas.used("10.0.0.1", None, DAY) == 200
    assert world.quotas.used("10.0.0.1", "alice", DAY) == 200
    assert world.quotas.used("10.0.0.1", "bob", DAY) == 0


def test_a_user_has_one_quota_from_everywhere(world):
    world.use(Quota(per="user", day=200))
    assert [world.ask(get("alice"), host=f"10.0.0.{number}") for number in range(3)] == [200, 200, 403]
    assert world.ask(get("bob")) == 200
    assert world.ask(get()) == 200


def test_a_rule_has_one_quota_for_all_whom_it_allows(world):
    world.use(Quota(per="rule", day=200, only=("guests",)))
    assert [world.ask(get(rule="guests"), host=f"10.0.0.{number}") for number in range(3)] == [200, 200, 403]
    assert b"rule guests has used up" in world.answer
    assert [world.ask(get(rule="staff")) for _ in range(3)] == [200, 200, 200]


def test_the_first_quota_that_fits_holds_and_those_of_others_beside_it(world):
    world.use(
        Quota(per="user", day=1000, only=("alice",)), Quota(per="user", day=100), Quota(per="client", day=300)
    )  # fmt: skip
    assert [world.ask(get("bob"), host="10.0.0.9") for _ in range(2)] == [200, 403]
    assert [world.ask(get("alice")) for _ in range(4)] == [200, 200, 200, 403]
    assert b"client 10.0.0.1 has used up the day's 300 bytes" in world.answer


def test_a_tunnel_that_goes_over_is_ended_at_the_next_look(world, finished):
    world.use(Quota(day=1000))
    client = world.proxy.connect()
    client.send(CONNECT)
    upstream = world.proxy.upstream
    for _ in range(4):
        upstream.send(bytes(200))
        world.proxy.advance(2)
    assert not client.disconnecting
    client.send(bytes(200))
    world.proxy.advance(2)
    assert client.reset and upstream.reset
    assert finished[0].detail == "200 bytes from the client; client 127.0.0.1 has used up the day's 1000 bytes"
    assert world.usage.used("client 127.0.0.1", DAY) == 1000


def test_a_response_that_goes_over_is_cut_at_the_next_look(world, finished):
    world.use(Quota(day=1000))
    client = world.proxy.connect()
    client.send(get())
    world.proxy.upstream.send(CHUNKED + b"400\r\n" + bytes(1024) + b"\r\n")
    world.proxy.advance(3)
    assert client.closed and world.proxy.upstream.reset
    assert [one.outcome for one in finished] == ["http_request_denied"]


def test_what_others_of_a_user_use_ends_his_tunnel_too(world):
    world.use(Quota(per="user", day=100))
    client = world.proxy.connect()
    client.send(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nUser: alice\r\n\r\n")
    world.proxy.advance(2)
    world.ask(get("alice"))
    assert not client.disconnecting
    world.proxy.advance(2)
    assert client.reset


def test_a_tunnel_over_midnight_counts_for_both_days(world):
    world.use(Quota(day=1000))
    client = world.proxy.connect("10.0.0.1")
    client.send(CONNECT)
    for day in (30, 31):
        world.moment = datetime.datetime(2026, 3, day, 12)
        world.proxy.upstream.send(bytes(800))
        world.proxy.advance(2)
        assert world.usage.used("client 10.0.0.1", DAY) == 800
    assert not client.disconnecting
    assert world.usage.used("client 10.0.0.1", MONTH) == 1600


def test_the_end_counts_what_still_runs(world):
    world.use()
    client = world.proxy.connect("10.0.0.1")
    client.send(CONNECT)
    world.proxy.upstream.send(bytes(800))
    assert world.usage.used("client 10.0.0.1", DAY) == 0
    assert world.quotas.stop().called
    assert world.usage.used("client 10.0.0.1", DAY) == 800
    client.drop()
    assert world.usage.used("client 10.0.0.1", DAY) == 800


def test_many_clients_are_not_remembered_for_ever(world):
    world.use(Quota(day=100))
    for number in range(10_000):
        world.quotas.meter(f"10.0.{number // 250}.{number % 250}", None, "")
    assert len(world.quotas._meters) <= 4096
    world.ask(get(), host="10.0.0.1")
    with pytest.raises(OverQuota):
        world.quotas.meter("10.0.0.1", None, "")


@pytest.mark.parametrize(
    ("size", "text"), [(1 << 30, "1G"), (1536 << 20, "1536M"), (1 << 20, "1M"), (2048, "2k"), (1000, "1000 bytes")]
)
def test_sizes_are_told_as_they_are_written(world, size, text):
    world.use(Quota(day=size))
    world.usage.add("client 10.0.0.1", size)
    assert world.ask(get()) == 403
    assert f"the day's {text}.".encode() in world.answer


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({}, "a quota bounds nothing; accepted is one with day or month, or both"),
        ({"day": 0}, "day: 0 is no number of bytes; accepted is a whole number above 0"),
        ({"month": "1G"}, "month: '1G' is no number of bytes; accepted is a whole number above 0"),
        ({"day": 1, "per": "site"}, "per: 'site' shares nothing; accepted: client, user, rule"),
    ],
)
def test_a_wrong_quota_says_why(words, says):
    with pytest.raises(ConfigError) as caught:
        Quota(**words)
    assert str(caught.value) == says


def test_what_runs_is_counted_before_it_is_told_and_before_it_is_forgotten(world):
    world.use(Quota(day=1000))
    client = world.proxy.connect("10.0.0.1")
    client.send(get())
    world.proxy.upstream.send(CHUNKED + b"a\r\n0123456789\r\n")
    (one,) = world.quotas.consumed()
    assert (one.per, one.name, one.day, one.month, one.most_day) == ("client", "10.0.0.1", 10, 10, 1000)
    assert world.quotas.ends(DAY) == datetime.datetime(2026, 3, 31)
    world.proxy.upstream.send(b"a\r\n0123456789\r\n")
    world.quotas.forget([one.key])
    world.proxy.upstream.send(b"1\r\na\r\n0\r\n\r\n")
    (one,) = world.quotas.consumed()
    assert (one.day, one.month) == (1, 1)
    client.drop()


def test_each_is_told_of_with_the_quota_that_holds_for_him(world):
    # The first of those that are for the same holds.
    bounds = Quota(day=2000), Quota(day=1), Quota(per="user", month=3000), Quota(per="rule", day=4000, month=5000)
    world.use(*bounds)
    assert world.ask(get("bob", "api")) == 200
    assert {
        (one.per, one.name): (one.day, one.month, one.most_day, one.most_month) for one in world.quotas.consumed()
    } == {
        ("client", "10.0.0.1"): (100, 100, 2000, None),
        ("user", "bob"): (100, 100, None, 3000),
        ("rule", "api"): (100, 100, 4000, 5000),
    }


@pytest.mark.parametrize("runs", [True, False])
def test_after_the_end_nothing_is_looked_at(world, runs):
    world.use(Quota(day=1000))
    clients = [world.proxy.connect("10.0.0.1")] if runs else []
    for client in clients:
        client.send(CONNECT)
    assert world.quotas.stop().called
    looks = []
    world.quotas._usage = looks
    world.proxy.clock.advance(60)
    assert looks == [] and (world.quotas._timer is None)


def test_who_has_used_up_his_quota_may_go_on_when_that_is_forgotten(world):
    world.use(Quota(day=100))
    assert [world.ask(get()), world.ask(get())] == [200, 403]
    world.quotas.forget(["client 10.0.0.1"])
    assert world.ask(get()) == 200
