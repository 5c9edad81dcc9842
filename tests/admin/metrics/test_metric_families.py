"""The metrics of what runs."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from tests.observe.test_request_counts import attempt, record
from tests.proxy.caching.caching_proxy import CachingProxy, get
from tests.proxy.downstream.http2.http2_peer import Http2Peer
from txproxy.admin.metrics.metric_families import metrics_verb
from txproxy.admin.proxy_view import Stage
from txproxy.limits.requests.limiter import LimitCounts
from txproxy.matching.networks import PeerNetworks
from txproxy.observe.loop_lag import LoopLag
from txproxy.observe.request_counts import RequestCounts
from txproxy.proxy.downstream.proxy_header import ProxyProtocolFactory
from txproxy.reverse.challenge.challenger import ChallengeCounts
from txproxy.reverse.mode import ReverseProxyFactory
from txproxy.testing import MemoryConnection, ProxyInMemory
from txproxy.upstreams.pool import Pool


class View:
    def __init__(self):
        self.stage = Stage.SERVING
        self.counts = {"edge": RequestCounts(), "raw": RequestCounts()}
        self.pools = {"app": Pool(["http://a:1", "http://b:2"], name="app")}
        self.connections = {"edge": 3, "raw": 0}
        self.cache = None
        self.clients = []
        self.limits = ()
        self.challenges = {}
        self.revision = 7
        self.lag = None


@pytest.fixture
def view():
    return View()


@pytest.fixture
def read(serve, view):
    client = serve([metrics_verb(view)])

    def read(*accept):
        answer = client.ask("GET", "/metrics", *accept)
        assert answer.status == 200
        parse = openmetrics if "openmetrics" in answer.fields["content-type"] else prometheus
        return {
            (one.name, *sorted(one.labels.items())): one.value
            for family in parse(answer.body.decode())
            for one in family.samples
        }

    return read


def test_challenges_are_told_by_what_came_of_them(read, view):
    view.challenges = {"edge": ChallengeCounts(given=4, refused=3, passed=2, failed=1)}
    found = read()
    told = {
        result: found["txproxy_challenges_total", ("listener", "edge"), ("result", result)]
        for result in ("given", "refused", "passed", "failed")
    }
    assert told == {"given": 4, "refused": 3, "passed": 2, "failed": 1}


@pytest.mark.parametrize("accept", [(), ("Accept: application/openmetrics-text",)])
def test_what_was_counted_is_told(read, view, accept):
    for more in (
        {},
        {},
        {"status": 204},
        {"status": 502, "outcome": "connection_refused", "rule": "api"},
        {"status": 0},
    ):
        view.counts["edge"].exchange(record(**more))
    found = read(*accept)

    def requests(code, route=""):
        return found[
            "txproxy_requests_total", ("code", code), ("listener", "edge"), ("method", "GET"), ("route", route)
        ]

    assert (requests("2xx"), requests("5xx", "api"), requests("none")) == (3, 1, 1)
    labels = (("listener", "edge"), ("route", ""))
    assert found[("txproxy_request_duration_seconds_count", *labels)] == 4
    assert found[("txproxy_request_duration_seconds_bucket", ("le", "0.0025"), *labels)] == 0
    assert found[("txproxy_request_duration_seconds_bucket", ("le", "0.005"), *labels)] == 4
    assert found[("txproxy_time_to_first_byte_seconds_sum", *labels)] == pytest.approx(0.008)
    assert found[("txproxy_body_bytes_total", ("direction", "sent"), *labels)] == 40
    assert found["txproxy_failures_total", ("listener", "edge"), ("outcome", "connection_refused")] == 1
    assert found["txproxy_connections", ("listener", "edge")] == 3


def test_upstreams_are_told_with_their_state(read, view):
    pool = view.pools["app"]
    pool.disable(pool.upstreams[1])
    found = read()
    names = [upstream.name for upstream in pool.upstreams]
    states = {
        (dict(key[1:])["upstream"], dict(key[1:])["state"]) for key, value in found.items()
        if key[0] == "txproxy_upstream_state" and value == 1
    }  # fmt: skip
    assert states == {(names[0], "healthy"), (names[1], "disabled")}
    assert found["txproxy_upstream_active", ("pool", "app"), ("upstream", names[0])] == 0
    assert found["txproxy_pool_waiting", ("pool", "app")] == 0


def test_the_cache_is_told_if_there_is_one(read, view):
    assert not any(key[0].startswith("txproxy_cache") for key in read())
    proxy = CachingProxy()
    view.cache = proxy.cache
    proxy.ask(get("/x"), proxy.response(cache_control="max-age=60"))
    proxy.ask(get("/x"))
    for one in proxy.finished:
        view.counts["edge"].exchange(one)
    found = read()
    of = ("listener", "edge")
    assert found["txproxy_cache_requests_total", ("forwarded", "uri-miss"), of, ("result", "miss")] == 1
    assert found["txproxy_cache_requests_total", ("forwarded", ""), of, ("result", "hit")] == 1
    assert found["txproxy_cache_stored_total", of] == 1
    assert found["txproxy_cache_objects", ("tier", "memory")] == 1
    proxy.close()


def test_the_process_is_told(read, view):
    found = read()
    assert found["process_open_fds",] > 3 and found["process_resident_memory_bytes",] > 1e6
    assert found["process_cpu_seconds_total",] > 0 and found["txproxy_serving",] == 1
    view.stage = Stage.DRAINING
    assert read()["txproxy_serving",] == 0


def test_failures_and_ejections_of_upstreams_are_told_and_how_long_it_takes_to_connect(read, view):
    upstream = view.pools["app"].upstreams[0]
    for _ in range(5):
        upstream.struck("it closes")
    view.counts["edge"].exchange(record(attempts=(attempt(upstream),)))
    found = read()
    of = ("pool", "app"), ("upstream", upstream.name)
    assert (found[("txproxy_upstream_failures_total", *of)], found[("txproxy_upstream_ejections_total", *of)]) == (5, 1)
    edge = ("listener", "edge")
    assert found[("txproxy_upstream_connect_seconds_count", edge, *of)] == 1
    assert found[("txproxy_upstream_connect_seconds_sum", edge, *of)] == 0.25
    assert found[("txproxy_upstream_duration_seconds_count", edge, *of)] == 1
    assert found[("txproxy_upstream_duration_seconds_sum", edge, *of)] == pytest.approx(0.003)
    assert found[("txproxy_upstream_first_byte_seconds_sum", edge, *of)] == pytest.approx(0.002)


def test_clients_are_told_by_what_they_do(read, view):
    pool = Pool(["http://c:1"], name="own")
    proxy = ProxyInMemory(lambda clock: ReverseProxyFactory(pool, reactor=clock))
    proxy.connect()
    proxy.connect().send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    told = ProxyProtocolFactory(proxy.factory, PeerNetworks(["127.0.0.1"]), reactor=proxy.clock)
    waits = MemoryConnection(proxy.clock, told.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1)))
    view.clients = [("edge", one) for one in proxy.factory.admission.everyone()]
    found = read()
    states = {
        dict(key[1:])["state"]: value
        for key, value in found.items()
        if key[0] == "txproxy_client_connections" and ("listener", "edge") in key
    }
    assert states == {"waiting": 1, "idle": 1, "busy": 1, "tunnel": 0, "lingering": 0, "closed": 0}
    assert found["txproxy_client_connections", ("listener", "raw"), ("state", "idle")] == 0
    waits.drop()
    proxy.close()


def test_clients_that_speak_http2_are_told_with_their_streams(read, view):
    proxy = ProxyInMemory(lambda clock: ReverseProxyFactory(Pool(["http://c:1"]), h2c=True, reactor=clock))
    proxy.connect().send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    peers = [Http2Peer(proxy.connect()) for _ in range(2)]
    for _ in range(3):
        peers[0].ask()
    view.clients = [("edge", one) for one in proxy.factory.admission.everyone()]
    found = read()
    of = ("listener", "edge")
    assert (found["txproxy_http2_connections", of], found["txproxy_http2_streams", of]) == (2, 3)
    assert found["txproxy_http2_connections", ("listener", "raw")] == 0
    proxy.close()


def test_limits_are_told_by_name(read, view):
    view.limits = (
        LimitCounts("a", 5, 1, 2, 3, True), LimitCounts("a", 1, 0, 0, 1, True),
        LimitCounts("b", 0, 0, 9, 0, False, 4, 6),
    )  # fmt: skip
    found = read()
    results = {
        (dict(key[1:])["limit"], dict(key[1:])["result"]): value
        for key, value in found.items()
        if key[0] == "txproxy_limit_requests_total"
    }
    assert results == {
        ("a", "allowed"): 6, ("a", "delayed"): 1, ("a", "refused"): 2, ("b", "allowed"): 0, ("b", "delayed"): 0,
        ("b", "refused"): 9,
    }  # fmt: skip
    assert found["txproxy_limit_keys", ("limit", "a")] == 4
    assert (found["txproxy_limit_running", ("limit", "b")], found["txproxy_limit_waiting", ("limit", "b")]) == (4, 6)


def test_the_revision_and_the_lag_are_told_where_they_are_known(read, view):
    found = read()
    assert found["txproxy_configuration_revision",] == 7
    assert not any(key[0].startswith("txproxy_loop_lag") for key in found)
    view.revision, view.lag = None, LoopLag(Clock())
    view.lag.lags.add(0.2)
    view.lag.last = 0.2
    found = read()
    assert ("txproxy_configuration_revision",) not in found
    assert found["txproxy_loop_lag_seconds_sum",] == found["txproxy_loop_lag_last_seconds",] == 0.2
