"""``/api/quotas``."""

import datetime

import attrs
import pytest
from twisted.internet.defer import execute

from tests.limits.test_usage import Store
from txproxy.admin.api_call import ApiCall
from txproxy.admin.bounding.quota_verbs import QuotaVerbs
from txproxy.admin.merging import WorkerName
from txproxy.limits.allotments import Allotments
from txproxy.limits.quotas import Quota
from txproxy.limits.usage import Usage

NOON = datetime.datetime(2026, 3, 30, 12)
DAY, MONTH = "2026-03-30", "2026-03"
# What is in the file, of all places.
ROWS = {
    (DAY, "client 192.0.2.1"): 30, (MONTH, "client 192.0.2.1"): 300,
    (DAY, "user alice"): 60, (MONTH, "user alice"): 400,
    (MONTH, "client 2001:db8::/64"): 5,
    (DAY, "client 192.0.2.1 at shop"): 7, (MONTH, "client 192.0.2.1 at shop"): 8,
}  # fmt: skip


@attrs.define
class View:
    allotments: dict


@pytest.fixture
def store():
    return Store(ROWS)


@pytest.fixture
def client(serve, clock, store):
    def made(place, *quotas):
        usage = Usage(clock, store, now=lambda: NOON, in_thread=execute)
        return Allotments(clock, quotas=quotas, usage=usage, place=place)

    out = made("", Quota(day=50, month=1000), Quota(per="user", month=500, only=["alice"]))
    shop = made("shop", Quota(month=10, only=["192.0.2.0/24"]))
    yield serve(QuotaVerbs(View({"out": out, "also": out, "shop": shop})).verbs())
    out.stop(), shop.stop()


def used(client, query=""):
    found = client.ask("GET", f"/api/quotas{query}").json["used"]
    return {one["name"]: (one["day"]["used"], one["month"]["used"]) for one in found}


def test_what_is_bounded_and_who_has_used_what_is_listed_the_most_first(client):
    found = client.ask("GET", "/api/quotas").json
    assert [(one["listeners"], one["per"], one["day"], one["month"], one["only"]) for one in found["quotas"]] == [
        (["out", "also"], "client", 50, 1000, []),
        (["out", "also"], "user", None, 500, ["alice"]),
        (["shop"], "client", None, 10, ["192.0.2.0/24"]),
    ]
    assert found["used"] == [
        {
            "name": "out, also: user alice", "listeners": ["out", "also"], "per": "user", "key": "alice",
            "day": {"used": 60, "most": None, "left": None}, "month": {"used": 400, "most": 500, "left": 100},
        },
        {
            "name": "out, also: client 192.0.2.1", "listeners": ["out", "also"], "per": "client", "key": "192.0.2.1",
            "day": {"used": 30, "most": 50, "left": 20}, "month": {"used": 300, "most": 1000, "left": 700},
        },
        {
            "name": "shop: client 192.0.2.1", "listeners": ["shop"], "per": "client", "key": "192.0.2.1",
            "day": {"used": 7, "most": None, "left": None}, "month": {"used": 8, "most": 10, "left": 2},
        },
        {
            "name": "out, also: client 2001:db8::/64", "listeners": ["out", "also"], "per": "client",
            "key": "2001:db8::/64", "day": {"used": 0, "most": 50, "left": 50},
            "month": {"used": 5, "most": 1000, "left": 995},
        },
    ]  # fmt: skip
    assert found["complete"] is True
    moments = [datetime.datetime.fromisoformat(found[name]) for name in ("day_ends", "month_ends")]
    assert moments == [datetime.datetime(2026, 3, 31).astimezone(), datetime.datetime(2026, 4, 1).astimezone()]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?listener=shop", ["shop: client 192.0.2.1"]),
        ("?per=user", ["out, also: user alice"]),
        ("?key=192.0.2.1", ["out, also: client 192.0.2.1", "shop: client 192.0.2.1"]),
        ("?limit=1", ["out, also: user alice"]),
    ],
)
def test_some_of_them_are_listed(client, query, names):
    assert list(used(client, query)) == names


@pytest.mark.parametrize(
    ("body", "keys", "left"),
    [
        ({"key": "192.0.2.1"}, 2, {"out, also: user alice", "out, also: client 2001:db8::/64"}),
        ({"key": "192.0.2.1", "listener": "shop"}, 1, {
            "out, also: user alice", "out, also: client 192.0.2.1", "out, also: client 2001:db8::/64",
        }),
        ({"all": True, "per": "client"}, 3, {"out, also: user alice"}),
        ({"all": True}, 4, set()),
        ({"key": "nobody"}, 0, None),
    ],
)  # fmt: skip
def test_what_was_used_is_forgotten_in_memory_and_in_the_file(client, store, body, keys, left):
    assert client.ask("POST", "/api/quotas/reset", body=body).json == {"keys": keys}
    assert set(used(client)) == left if left is not None else len(used(client)) == 4
    assert len({key for _, key in store.rows}) == len(used(client))


def test_a_day_may_be_forgotten_alone(client):
    client.ask("POST", "/api/quotas/reset", body={"key": "alice", "period": "day"})
    assert used(client, "?key=alice") == {"out, also: user alice": (0, 400)}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("?listener=shap", None, 404),
        ("?per=rules", None, 400),
        ("?limit=0", None, 400),
        ("/reset", {}, 400),
        ("/reset", {"key": "a", "all": True}, 400),
        ("/reset", {"key": "a", "period": "year"}, 400),
        ("/reset", {"key": "a", "listener": "shap"}, 404),
    ],
)
def test_what_is_wrong_is_said(client, path, body, status):
    answer = client.ask("GET" if body is None else "POST", f"/api/quotas{path}", body=body)
    assert answer.status == status and "accepted" in answer.json["error"]


def test_where_nothing_is_counted_there_is_nothing(serve):
    found = serve(QuotaVerbs(View({})).verbs()).ask("GET", "/api/quotas").json
    assert found == {"day_ends": None, "month_ends": None, "quotas": [], "used": [], "complete": True}


def test_of_several_workers_the_most_counts_and_each_forgets():
    listed, reset = (verb.merge for verb in QuotaVerbs(None).verbs())

    def entry(name, used):
        return {"name": name, "day": {"used": used, "most": 9, "left": 9 - used}, "month": {"used": used, "most": None}}

    answers = {
        WorkerName(number, number): {"quotas": [{"name": "a 1", "day": 9}], "used": found, "complete": True}
        for number, found in ((1, [entry("a", 3), entry("b", 2)]), (2, [entry("a", 5), entry("c", 4)]))
    }
    found = listed.merged(ApiCall(query={"limit": "2"}), answers)
    assert [(one["name"], one["month"]["used"], one["day"]["left"]) for one in found["used"]] == [
        ("a", 5, 4),
        ("c", 4, 5),
    ]
    assert found["complete"] is False and found["quotas"] == [{"name": "a 1", "day": 9}]
    assert reset.merged(ApiCall(), {WorkerName(1, 1): {"keys": 1}, WorkerName(2, 2): {"keys": 2}}) == {"keys": 2}
