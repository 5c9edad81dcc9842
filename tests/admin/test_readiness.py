"""Whether a proxy is ready, as it tells whoever asks."""

import attrs
import pytest

from txproxy.admin.proxy_view import ListenerView, Stage
from txproxy.admin.readiness import health_verbs
from txproxy.upstreams.pool import Pool

TOKEN = b"0123456789abcdef"
BEARER = "Authorization: Bearer 0123456789abcdef"


@attrs.define
class View:
    pools: dict = attrs.field(factory=lambda: {name: Pool(["http://a:1"], name=name) for name in ("app", "web")})
    listeners: tuple = (ListenerView("edge", ("app", "web"), without=False),)
    stage: Stage = Stage.SERVING


@pytest.fixture
def view():
    return View()


@pytest.fixture
def client(serve, view):
    return serve(health_verbs(view))


def out(pool):
    pool.disable(pool.upstreams[0])


def test_it_is_ready_when_it_serves(client, view):
    assert client.ask("GET", "/readyz").json == {"status": "ready"}
    for stage in (Stage.STARTING, Stage.DRAINING):
        view.stage = stage
        answer = client.ask("GET", "/readyz")
        assert (answer.status, answer.json) == (503, {"error": "not ready", "reasons": [stage.value]})
        assert client.ask("GET", "/healthz").status == 200, "it lives"


def test_one_pool_of_several_that_has_nobody_is_told_of_and_all_of_them_are_not_ready(client, view):
    out(view.pools["app"])
    said = "pool app: no upstream is available"
    answer = client.ask("GET", "/readyz")
    assert (answer.status, answer.json) == (200, {"status": "ready", "degraded": [said]})
    out(view.pools["web"])
    answer = client.ask("GET", "/readyz")
    assert answer.status == 503
    assert answer.json["reasons"] == [said, "pool web: no upstream is available"]
    view.pools["app"].enable(view.pools["app"].upstreams[0])
    assert client.ask("GET", "/readyz").status == 200


def test_who_needs_no_pool_is_ready_without_one(client, view):
    for pool in view.pools.values():
        out(pool)
    view.listeners += (ListenerView("forward", (), without=True),)
    assert client.ask("GET", "/readyz").status == 200


def test_who_has_not_shown_the_token_is_told_no_names(serve, view):
    client = serve(health_verbs(view), listen="9090", token=TOKEN)
    out(view.pools["app"])
    assert client.ask("GET", "/readyz").json == {"status": "ready"}
    assert "degraded" in client.ask("GET", "/readyz", BEARER).json
    out(view.pools["web"])
    answer = client.ask("GET", "/readyz")
    assert (answer.status, answer.json) == (503, {"error": "not ready"})
    assert len(client.ask("GET", "/readyz", BEARER).json["reasons"]) == 2


def test_a_pool_of_which_nobody_is_healthy_is_told_of(client, view):
    pool = view.pools["app"]
    for _ in range(5):
        pool.upstreams[0].struck("it closes")
    answer = client.ask("GET", "/readyz")
    assert (answer.status, answer.json) == (200, {"status": "ready", "degraded": ["pool app: no upstream is healthy"]})
    pool.add("http://b:1")
    assert client.ask("GET", "/readyz").json == {"status": "ready"}
