"""``/api/limits``."""

import attrs
import pytest

from txproxy.admin.bounding.limit_verbs import LimitVerbs, name_of
from txproxy.components.rates import parse_rate
from txproxy.limits.requests.concurrency import ConcurrencyLimiter
from txproxy.limits.requests.limiter import Limiter
from txproxy.limits.requests.request_limit import RequestLimit

KEYS = "/api/limits/login/keys"


@attrs.define
class View:
    limiters: tuple

    @property
    def limits(self):
        return tuple(one.counts for one in self.limiters)


@pytest.fixture
def login():
    return Limiter(RequestLimit(name="login", rate=parse_rate("10/m:burst=5")))


@pytest.fixture
def client(serve, clock, login):
    busy = ConcurrencyLimiter(RequestLimit(name="busy", concurrent=2, enforce=False))
    busy.enter("192.0.2.1", None)
    return serve(LimitVerbs(View((login, busy)), clock).verbs())


def take(login, clock, key, times=1):
    for _ in range(times):
        login.rate.take(key, clock.seconds())


def listed(client, query=""):
    found = client.ask("GET", f"{KEYS}{query}").json
    return [(one["name"], one["left"], one["seconds"]) for one in found["keys"]]


def test_what_came_of_limits_is_listed(client, login):
    login.allowed, login.refused = 7, 2
    assert client.ask("GET", "/api/limits").json == {
        "limits": [
            {
                "name": "login", "enforced": True, "allowed": 7, "delayed": 0, "refused": 2, "keys": 0, "running": 0,
                "waiting": 0,
            },
            {
                "name": "busy", "enforced": False, "allowed": 1, "delayed": 0, "refused": 0, "keys": 1, "running": 1,
                "waiting": 0,
            },
        ]
    }  # fmt: skip


def test_who_owes_most_is_the_first(client, login, clock):
    take(login, clock, "192.0.2.1")
    take(login, clock, "192.0.2.2", 3)
    clock.advance(2)
    assert listed(client) == [("192.0.2.2", 2, 16.0), ("192.0.2.1", 4, 4.0)]
    assert listed(client, "?key=192.0.2.1") == [("192.0.2.1", 4, 4.0)]
    assert client.ask("GET", f"{KEYS}?limit=1").json["complete"] is False
    clock.advance(5)
    assert listed(client) == [("192.0.2.2", 3, 11.0)], "who has paid off all is not told"


@pytest.mark.parametrize(
    ("key", "name", "also"),
    [
        ("", "all", None),
        ("192.0.2.1", "192.0.2.1", None),
        (("jo",), "user jo", "jo"),
        ((("jo",), "api"), "user jo + api", "api"),
        ((("jo",), "", "a.example"), "user jo + all + a.example", "a.example"),
        (b"s3cret", "", "s3cret"),
    ],
)
def test_keys_have_names_without_secrets_and_are_begun_anew_by_them(client, login, clock, key, name, also):
    if isinstance(key, bytes):
        name = name_of(key)
        assert name.startswith("#") and len(name) == 17 and "s3cret" not in name
    for called in (name, also):
        if called is None:
            continue
        take(login, clock, key, 3)
        take(login, clock, "other")
        assert {one[0] for one in listed(client)} == {name, "other"}
        assert client.ask("POST", "/api/limits/login/reset", body={"key": called}).json == {"keys": 1}
        assert [one[0] for one in listed(client)] == ["other"]


def test_all_are_begun_anew(client, login, clock):
    take(login, clock, "a", 9)
    take(login, clock, "b")
    assert login.rate.take("a", clock.seconds()) < 0
    assert client.ask("POST", "/api/limits/login/reset", body={}).json == {"keys": 2}
    assert listed(client) == [] and login.rate.take("a", clock.seconds()) == 0


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("logn", 404, "there is no limit 'logn' (is login meant?); accepted: login, busy"),
        ("busy", 409, "busy bounds how many are at work at once"),
    ],
)
def test_which_have_no_keys_that_owe(client, path, status, said):
    for answer in (
        client.ask("GET", f"/api/limits/{path}/keys"),
        client.ask("POST", f"/api/limits/{path}/reset", body={}),
    ):
        assert answer.status == status and answer.json["error"].startswith(said)
    assert client.ask("POST", "/api/limits/login/reset", body={"key": ""}).status == 400
