"""``/api/status``."""

import os

import attrs
import pytest

from tests.admin.events.conftest import A, B
from tests.observe.test_request_counts import attempt, record
from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.events.proxy_status import status_verb
from txproxy.admin.merging import WorkerName
from txproxy.cache.answering.cache_status import CacheVerdict, Served
from txproxy.forward.egress.approvals import Question
from txproxy.limits.requests.limiter import LimitCounts

FIRST, SECOND = WorkerName(1, 11), WorkerName(2, 22)


def test_all_that_there_is_stands_in_one_answer(serve, verbs, view, clock):
    clock.advance(5)
    first = view.pool.upstreams[0]
    edge = view.counts["edge"]
    verdict = CacheVerdict(served=Served.HIT)
    edge.exchange(record(attempts=(attempt(first, connected=0.502),)))
    edge.exchange(record(status=502, outcome="connection_refused", seconds=70.0, first_byte=None))
    edge.exchange(record(status=0, cache=verdict))
    view.pool.disable(B)
    found = serve(verbs).ask("GET", "/api/status").json
    assert (found["seconds"], found["stage"], found["revision"]) == (5.0, "serving", 1)
    one, other = found["listeners"]
    assert one == {
        "name": "edge", "connections": 3, "requests": {"2xx": 1, "5xx": 1, "none": 1},
        "failures": {"connection_refused": 1}, "durations": {"0.005": 2, "+Inf": 1}, "first_bytes": {"0.0025": 2},
        "retries": 0, "sent": 30, "received": 15, "streams": {}, "cache": {"hit": 1},
    }  # fmt: skip
    assert (other["name"], other["connections"], other["requests"]) == ("raw", 0, {})
    assert found["times"] == {
        "app": {A: {"durations": {"0.005": 1}, "first_bytes": {"0.0025": 1}, "connects": {"0.0025": 1}}}
    }
    assert [(one["name"], one["healthy"]) for one in found["pools"]] == [("app", 1)]
    assert [(one["name"], one["state"]) for one in found["upstreams"]["app"]] == [(A, "healthy"), (B, "disabled")]
    assert found["questions"] == found["limits"] == found["failed"] == []
    (worker,) = found["workers"]
    assert worker["pid"] == os.getpid() and worker["connections"] == 3 and worker["lag"] == 0.0
    assert worker["cpu"] > 0 and worker["memory"] > 1 << 20


def test_those_that_have_failed_last_are_named_the_newest_first(verbs, view, clock):
    tell = view.failed.of("edge")
    for _ in range(12):
        clock.advance(1)
        tell(record(status=502, outcome="connection_refused"), False)
    status = next(verb for verb in verbs if verb.path == "/api/status")
    told = status.handle(ApiCall())
    (first, *others) = status.show(ApiCall(), status.merge.merged(ApiCall(), {FIRST: told, SECOND: told}))["failed"]
    assert len(others) == 9 and others[0]["id"] == first["id"]
    assert (first["listener"], first["client"], first["status"]) == ("edge", "127.0.0.1", 502)
    assert (first["outcome"], first["time"]) == ("connection_refused", "1970-01-01T00:00:11.997Z")


def test_what_several_say_is_one_answer(verbs, view, clock):
    status = next(verb for verb in verbs if verb.path == "/api/status")
    view.limits = [LimitCounts("all", 1, 0, 0, 1, True)]
    view.approvals(Question(
        client_ip="192.0.2.1", user=None, groups=frozenset(), method="GET", host="a.example", port=80, url="http://a/",
        rule="ask",
    ))  # fmt: skip
    view.counts["edge"].exchange(record())
    view.counts["edge"].exchange(record(status=404, seconds=0.02))
    view.pool.take(None, None)
    one = status.handle(ApiCall())
    view.counts["edge"].exchange(record())
    other = status.handle(ApiCall())
    silent = ApiFault(504, "it does not answer")
    merged = status.merge.merged(ApiCall(), {FIRST: one, SECOND: other, WorkerName(3, 33): silent})
    told = status.show(ApiCall(), merged)
    (edge, _) = told["listeners"]
    assert edge["connections"] == 6 and edge["requests"] == {"2xx": 3, "4xx": 2}
    assert edge["durations"] == {"0.005": 3, "0.025": 2}
    assert [(one["active"], one["state"]) for one in told["upstreams"]["app"]] == [(2, "healthy"), (0, "healthy")]
    assert told["pools"][0]["active"] == 2 and [one["name"] for one in told["limits"]] == ["all"]
    assert [one["worker"] for one in told["questions"]] == [1, 2] == [one["worker"] for one in told["workers"]]
    with pytest.raises(ApiFault, match="it does not answer"):
        status.merge.merged(ApiCall(), {FIRST: silent})
    with pytest.raises(ApiFault, match="no worker serves"):
        status.merge.merged(ApiCall(), {})


def test_a_worker_may_have_a_pool_that_another_has_not_yet(verbs, view, clock):
    status = next(verb for verb in verbs if verb.path == "/api/status")
    one = status.handle(ApiCall())
    other = {**one, "upstreams": {"new": one["upstreams"]["app"]}}
    told = status.show(ApiCall(), status.merge.merged(ApiCall(), {FIRST: one, SECOND: other}))
    assert list(told["upstreams"]) == ["app", "new"]


def test_where_nothing_has_been_counted_all_is_there_all_the_same(verbs, view, clock):
    view.counts = {}
    view.lag = None
    view.overlays = {}
    status = status_verb(view, clock, verbs)
    told = status.show(ApiCall(), status.handle(ApiCall()))
    assert told["upstreams"] == {} and told["pools"] == [] and told["workers"][0]["lag"] is None
    assert told["listeners"][0]["durations"] == {}
    assert attrs.evolve(status).query == ()
