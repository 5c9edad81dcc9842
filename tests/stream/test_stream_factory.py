"""What raw streams share: pools that are looked after, logs, and the end."""

import json

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from txproxy import Limiter, Limits, LimitsMiddleware, Pool, Rate, RequestLimit
from txproxy.errors import ConfigError, ConnectionRefused
from txproxy.observe.log_formats.combined import CombinedLines
from txproxy.observe.log_formats.connection_facts import Connections
from txproxy.observe.log_formats.json_lines.json_line import JsonLines
from txproxy.observe.log_formats.line_format import line_format
from txproxy.observe.log_formats.record_facts import stream_status
from txproxy.proxy.fault_log import MOST
from txproxy.stream.stream_factory import StreamFactory
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import State


def test_there_has_to_be_somewhere_to_go():
    with pytest.raises(ConfigError, match="a tcp proxy needs a pool, or pools by server name"):
        StreamFactory(reactor=Clock())


def test_upstreams_are_checked_while_a_port_listens(serve):
    proxy = serve(health=HealthCheck(kind="connect", interval=1, fall=1, rise=1))
    proxy.factory.doStart()
    proxy.advance(2)
    checked = len(proxy.network.dialed)
    assert checked >= 2
    proxy.network.script = [ConnectionRefused("no")] * 2
    proxy.advance(1)
    assert State.UNHEALTHY in [upstream.state for upstream in proxy.pool.upstreams]
    proxy.factory.doStop()
    proxy.advance(2)
    assert len(proxy.network.dialed) > checked
    proxy.network.script = []
    proxy.advance(2)
    assert {upstream.state for upstream in proxy.pool.upstreams} == {State.HEALTHY}


def test_pools_are_looked_after_from_the_first_port_to_the_last():
    health = PoolSettings(health=HealthCheck(kind="connect", interval=1, rise=1, fall=1))
    pools = [Pool([f"http://10.0.0.{number}:443"], settings=health) for number in (1, 2)]
    # one of them is named twice
    sni = {"a.example": pools[1], "b.example": pools[1]}
    proxy = ProxyInMemory(lambda reactor: StreamFactory(pools[0], sni=sni, reactor=reactor))
    proxy.factory.doStart()
    proxy.factory.doStop()
    proxy.network.script = [ConnectionRefused("no")] * 1000
    proxy.advance(5)
    assert {*[address.host for address in proxy.network.dialed]} == {"10.0.0.1", "10.0.0.2"}
    assert [pool.upstreams[0].state for pool in pools] == [State.UNHEALTHY] * 2
    proxy.close()
    before = len(proxy.network.dialed)
    proxy.advance(5)
    assert len(proxy.network.dialed) == before


def test_a_stop_ends_what_runs_before_it_returns(proxy, ended):
    proxy.network.script = ["hang"]
    waiting, client = proxy.connect(), proxy.connect()
    proxy.factory.stop()
    assert sorted(stream.outcome for stream in ended) == ["client-gone", "ok"]
    proxy.clock.advance(0)
    assert waiting.closed and client.closed
    assert len(ended) == 2


def test_the_log_says_why_a_client_was_closed(proxy, ended):
    proxy.network.script = [ConnectionRefused("10.0.0.1:5432 refused"), ConnectionRefused("10.0.0.2:5432 refused")]
    with capturedLogs() as events:
        proxy.connect()
        proxy.clock.advance(0)
    why = "no upstream can be reached: 10.0.0.2:5432 refused"
    assert [stream.detail for stream in ended] == [why]
    said = [line for line in map(formatEvent, events) if "closed" in line]
    assert len(said) == 1 and said[0].endswith(f": destination_unavailable: {why}")


def test_the_log_does_not_say_it_more_often_than_anybody_reads(proxy):
    with capturedLogs() as events:
        for _ in range(MOST + 5):
            proxy.network.script = [ConnectionRefused("no"), ConnectionRefused("no")]
            proxy.connect()
            proxy.clock.advance(0)
        proxy.clock.advance(1)
    lines = [line for line in map(formatEvent, events) if "destination_unavailable" in line]
    assert len(lines) == MOST + 1
    assert lines[-1] == "5 more: destination_unavailable"


def test_an_observer_that_fails_harms_nobody(ended):
    def failing(stream):
        raise KeyError("own")

    proxy = ProxyInMemory(
        lambda reactor: StreamFactory(
            Pool(["http://10.0.0.1:1"]),
            observers=(failing, ended.append),
            limits=Limits(max_connections=1),
            reactor=reactor,
        )
    )
    first, second = proxy.connect(), proxy.connect()
    with capturedLogs() as events:
        first.drop()
    assert len(ended) == 1 and len(proxy.network.dialed) == 2
    assert [event["log_failure"].type for event in events if "log_failure" in event] == [KeyError]
    second.drop()
    proxy.close()


@pytest.mark.parametrize(("words", "status"), [({}, 429), ({"status": 509}, 509), ({"enforce": False}, 200)])
def test_the_logs_say_which_limit_has_refused_a_stream(make_proxy, ended, words, status):
    limit = Limiter(RequestLimit(name="few", rate=Rate(1, 60), **words))
    clock = Clock()
    proxy = make_proxy(Pool(["http://10.0.0.1:5432"]), middleware=[LimitsMiddleware([limit], clock)])
    for _ in range(2):
        client = proxy.connect()
        if not client.closed:
            client.end()
            proxy.upstream.end()
    assert [stream_status(one) for one in ended] == [200, status]
    lines = [JsonLines("raw", Connections()).stream(one, 0.0) for one in ended]
    told = [(json.loads(line)["limit"], json.loads(line)["limit_outcome"]) for line in lines]
    assert told == [(None, None), ("few", "passed" if status == 200 else "refused")]
    assert b" %d " % status in CombinedLines().stream(ended[1], 0.0)
    assert line_format("$status $limit").stream(ended[1], 0.0) == b"%d few\n" % status
