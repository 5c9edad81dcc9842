"""``/api/pools``."""

from urllib.parse import quote

import attrs
import pytest
from twisted.internet.defer import fail

from txproxy.admin.api_call import ApiCall
from txproxy.admin.merging import WorkerName
from txproxy.admin.pool_verbs import PoolVerbs
from txproxy.errors import DialError
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.overlay import Overlay
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream_urls import parse_upstream

A, B, C = "http://10.0.0.1:80", "http://10.0.0.2:80", "http://10.0.0.3:80"
ALL = "/api/pools/app/upstreams"


def path(name, pool="app"):
    return f"/api/pools/{pool}/upstreams/{quote(name, safe='')}"


@attrs.define
class View:
    overlays: dict


@pytest.fixture
def view(clock):
    texts = (A, f"{B};weight=2;max=3;backup")
    pool = Pool(texts, name="app", clock=clock)
    return View({"app": Overlay(pool, texts, parse_upstream)})


@pytest.fixture
def pool(view):
    return view.overlays["app"].pool


@pytest.fixture
def client(serve, view):
    return serve(PoolVerbs(view).verbs())


def test_pools_are_listed(client, pool):
    pool.take(None, None)
    (told,) = client.ask("GET", "/api/pools").json["pools"]
    assert told == {
        "name": "app", "strategy": "round-robin", "upstreams": 2, "healthy": 2, "available": True, "active": 1,
        "waiting": 0, "checked": False, "removed": [],
    }  # fmt: skip
    pool.disable(A)
    pool.disable(B)
    (told,) = client.ask("GET", "/api/pools").json["pools"]
    assert (told["healthy"], told["available"]) == (0, False)


def test_upstreams_are_listed_with_their_state_and_why(client, pool, clock):
    taken = pool.take(None, None)
    for _ in range(5):
        taken.struck("it closes")
    clock.advance(3)
    one, other = client.ask("GET", ALL).json["upstreams"]
    assert one == {
        "name": A, "state": "ejected", "cause": "it closes", "age": 3.0, "order": "enabled", "ends_in": None,
        "breaker": "open", "weight": 1, "effective_weight": 1.0, "backup": False, "max": None, "active": 1,
        "requests": 1, "failures": 5, "ejections": 1, "last_check": None, "changed": [],
    }  # fmt: skip
    assert (other["name"], other["state"], other["weight"], other["max"], other["backup"]) == (B, "healthy", 2, 3, True)
    assert client.ask("GET", path(A)).json == one


def test_the_last_check_is_told(serve, clock):
    pool = Pool([A], name="app", clock=clock, settings=PoolSettings(health=HealthCheck(kind="connect", fall=1)))
    client = serve(PoolVerbs(View({"app": Overlay(pool, [A], parse_upstream)})).verbs())
    assert client.ask("GET", path(A)).json["last_check"] is None
    pool.start(clock, lambda address, build: fail(DialError("refused")))
    clock.advance(1)
    clock.advance(2)
    told = client.ask("GET", path(A)).json
    assert told["last_check"]["error"] and told["last_check"]["age"] >= 0
    assert (told["state"], told["cause"]) == ("unhealthy", told["last_check"]["error"])
    pool.stop()


def test_an_upstream_is_drained_disabled_and_enabled(client, pool, clock):
    told = client.ask("PATCH", path(A), body={"order": "draining", "for": "30s"}).json
    assert (told["state"], told["order"], told["ends_in"], told["changed"]) == ("draining", "draining", 30.0, ["order"])
    assert pool.take(None, None).name == B
    clock.advance(31)
    told = client.ask("GET", path(A)).json
    assert (told["state"], told["order"], told["cause"], told["age"]) == ("disabled", "disabled", "drained", 1.0)
    told = client.ask("PATCH", path(A), body={"order": "enabled"}).json
    assert (told["state"], told["order"], told["ends_in"], told["changed"]) == ("healthy", "enabled", None, [])
    told = client.ask("PATCH", path(A), body={"order": "disabled", "weight": 5}).json
    assert (told["state"], told["weight"], told["changed"]) == ("disabled", 5, ["order", "weight"])


def test_an_upstream_without_weight_gets_no_new_clients(client, pool):
    told = client.ask("PATCH", path(A), body={"weight": 0}).json
    assert (told["state"], told["cause"], told["order"]) == ("draining", "its weight is 0", "enabled")
    assert pool.take(None, None).name == B and pool.find(A).pinnable
    assert client.ask("PATCH", path(A), body={"weight": 4}).json["state"] == "healthy"


def test_upstreams_are_added_and_removed(client, pool):
    told = client.ask("POST", ALL, body={"url": f"{C};weight=3"}).json
    assert (told["name"], told["weight"], told["changed"]) == (C, 3, ["added"])
    assert client.ask("DELETE", path(A)).json == {"removed": A}
    assert [one.name for one in pool.upstreams] == [B, C]
    assert client.ask("GET", "/api/pools").json["pools"][0]["removed"] == [A]
    assert client.ask("DELETE", path(A)).status == 404
    client.ask("DELETE", path(B))
    answer = client.ask("DELETE", path(C))
    assert answer.status == 409 and "is the last upstream" in answer.json["error"]


@pytest.mark.parametrize(
    ("method", "where", "body", "status", "said"),
    [
        ("GET", "/api/pools/ap/upstreams", None, 404, "there is no pool 'ap' (is app meant?); accepted: app"),
        ("GET", path("http://10.0.0.1:8"), None, 404, "there is no upstream 'http://10.0.0.1:8' in app"),
        ("PATCH", path(A), {}, 400, "nothing is to be changed"),
        ("PATCH", path(A), {"order": "drained"}, 400, "order: 'drained' is none (is draining meant?)"),
        ("PATCH", path(A), {"order": 1}, 400, "order: 1 is none; accepted: enabled, draining, disabled"),
        ("PATCH", path(A), {"weight": 1.5}, 400, "weight: 1.5 cannot be; accepted is a whole number from 0"),
        ("PATCH", path(A), {"weight": 1, "for": 5}, 400, "for: it is how long a drain takes"),
        ("PATCH", path(A), {"order": "enabled", "for": 5}, 400, "for: it is how long a drain takes"),
        ("PATCH", path(A), {"order": "draining", "for": "soon"}, 400, "for: "),
        ("POST", ALL, {"url": A}, 400, f"url: {A} is in a pool already"),
        ("POST", ALL, {"url": "ftp://a"}, 400, "url: 'ftp://a' is no upstream; accepted are http://HOST:PORT"),
        ("POST", ALL, {"url": "http://u:secret@a"}, 400, "url: "),
        ("POST", ALL, {}, 400, "url: "),
    ],
)
def test_what_cannot_be_done_changes_nothing(client, pool, method, where, body, status, said):
    answer = client.ask(method, where, body=body)
    assert answer.status == status and answer.json["error"].startswith(said)
    assert "secret" not in answer.json["error"]
    assert [(one.name, one.state.value, one.weight) for one in pool.upstreams] == [(A, "healthy", 1), (B, "healthy", 2)]


def test_a_change_takes_effect_as_a_whole_or_not_at_all(client, pool):
    assert client.ask("PATCH", path(A), body={"order": "disabled", "weight": -1}).status == 400
    assert pool.find(A).state.value == "healthy"


def test_an_upstream_of_several_workers_has_what_all_of_them_send_it():
    (verb,) = [one for one in PoolVerbs(None).verbs() if one.method == "GET" and one.path.endswith("{upstream}")]
    one = {"name": A, "state": "healthy", "active": 1, "requests": 5, "failures": 1, "ejections": 2, "weight": 3}
    other = {**one, "active": 2, "requests": 7, "ejections": 1}
    found = verb.merge.merged(ApiCall(), {WorkerName(1, 101): one, WorkerName(2, 102): other})
    assert found == {**one, "active": 3, "requests": 12, "failures": 2, "ejections": 2}
