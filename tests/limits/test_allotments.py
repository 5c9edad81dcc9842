"""Bandwidths and quotas together, as a forward proxy has them."""

import datetime

import pytest
from twisted.internet.defer import execute
from twisted.internet.task import Clock

from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.errors import ConfigError
from txproxy.limits.allotments import Allotments
from txproxy.limits.quotas import OverQuota, Quota
from txproxy.limits.shaping import Bandwidth
from txproxy.limits.sqlite import SqliteStore
from txproxy.limits.usage import DAY, Usage
from txproxy.testing import ProxyInMemory

GET = b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 1000\r\n\r\n" + bytes(1000)


def test_shaper_and_meter_are_of_the_same_client():
    allotments = Allotments(Clock(), bandwidths=[Bandwidth(down=1000, only=("10.0.0.0/8",))], quotas=[Quota(day=1)])
    assert allotments.bounds("10.0.0.1", None, "").shaper is not None
    other = allotments.bounds("192.0.2.1", None, "")
    assert other.shaper is None and other.meter is not None


def test_all_of_it_takes_one_network_for_one_client():
    who = ("2001:db8::1", None, ""), ("2001:db8:0:f::1", None, "")
    for prefix, same in ((60, True), (64, False)):
        usage = Usage(Clock())
        allotments = Allotments(
            Clock(), bandwidths=[Bandwidth(down=1000)], quotas=[Quota(day=1)], usage=usage, ipv6_prefix=prefix
        )
        one, other = (allotments.bounds(*client) for client in who)
        assert (one.shaper._down == other.shaper._down) is same
        usage.add(one.meter.keys[0], 5)
        assert [allotments.used(ip, None, DAY) for ip, _, _ in who] == [5, 5 * same]
    with pytest.raises(ConfigError, match="ipv6_prefix"):
        Allotments(Clock(), ipv6_prefix=0)


def test_without_anything_it_counts_for_rules_that_ask():
    allotments = Allotments(Clock())
    bounds = allotments.bounds("10.0.0.1", "alice", "")
    assert bounds.shaper is None and bounds.meter is not None
    assert allotments.used("10.0.0.1", "alice", DAY) == 0
    assert allotments.stop().called


def test_a_file_keeps_what_was_used(tmp_path):
    file = str(tmp_path / "usage.db")
    clock = Clock()
    usage = Usage(clock, SqliteStore(file), in_thread=execute)
    usage.add("client 10.0.0.1", 7)
    assert Allotments(clock, usage=usage).stop().called
    again = Allotments(clock, file=file, quotas=[Quota(day=7)])
    assert again.used("10.0.0.1", None, DAY) == 7
    with pytest.raises(OverQuota):
        again.bounds("10.0.0.1", None, "")


@pytest.fixture
def forward():
    made = []

    def run(**words):
        def build(reactor):
            usage = Usage(reactor, now=lambda: datetime.datetime(2026, 3, 30))
            allotments = Allotments(reactor, usage=usage, **words)
            rules = [
                {"name": "much", "action": "deny", "used_more_than": "3k", "users": "*"},
                {"name": "all", "action": "allow"},
            ]
            policy = ForwardPolicy(rules=rules, usage=allotments.used, bounds=allotments.bounds)
            return ForwardProxyFactory(policy, reactor=reactor)

        made.append(ProxyInMemory(build))
        return made[0]

    yield run
    for one in made:
        one.close()


def test_a_forward_proxy_holds_quotas_by_its_rules(forward):
    proxy = forward(quotas=[Quota(per="rule", day=2000, only=("all",))])
    client = proxy.connect()
    for _ in range(2):
        client.send(GET)
        proxy.upstream.send(OK)
        assert client.take().startswith(b"HTTP/1.1 200 ")
    client.send(GET)
    assert client.received.endswith(b"403 Forbidden\nrule all has used up the day's 2000 bytes.\n")


def test_a_forward_proxy_shapes(forward):
    proxy = forward(bandwidths=[Bandwidth(down=4000)])
    client = proxy.connect()
    for _ in range(2):
        client.send(GET)
        proxy.upstream.send(OK)
    assert client.received.count(bytes(1000)) == 1
    proxy.advance(0.4)
    assert client.received.count(bytes(1000)) == 2
