"""``/api/exchanges``: which are listed."""

import pytest

from tests.admin.connections.test_connection_listing import GET, OK
from txproxy.admin.api_call import ApiCall
from txproxy.admin.connections.exchange_verbs import ExchangeVerbs
from txproxy.admin.merging import WorkerName
from txproxy.errors import ConnectionRefused

BOTH = ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", BOTH),
        ("?listener=edge", BOTH),
        ("?listener=other", []),
        ("?client=192.0.2.2", ["192.0.2.2"]),
        ("?pool=app", BOTH),
        ("?pool=other", []),
        ("?route=api", []),
        ("?limit=1", ["192.0.2.1"]),
    ],
)
def test_some_of_those_that_go_on_are_listed_the_oldest_first(client, balanced, query, found):
    proxy, _ = balanced
    for host in BOTH:
        proxy.connect(host).send(GET)
        proxy.clock.advance(1)
    proxy.connect("192.0.2.3")
    answer = client.ask("GET", f"/api/exchanges{query}").json
    assert [one["client"] for one in answer["exchanges"]] == found
    assert answer["complete"] is (query != "?limit=1")


def test_some_of_those_that_have_failed_are_listed_the_newest_first(client, balanced):
    proxy, _ = balanced
    for host in BOTH:
        proxy.network.script = [ConnectionRefused("no")] * 3
        proxy.connect(host).send(GET)
    for query, found in (
        ("", BOTH[::-1]),
        ("?client=192.0.2.1", BOTH[:1]),
        ("?pool=other", []),
        ("?limit=1", BOTH[1:]),
    ):
        answer = client.ask("GET", f"/api/exchanges/failed{query}").json
        assert [one["client"] for one in answer["exchanges"]] == found and answer["skipped"] == 0


def test_one_is_ended_by_the_name_that_it_has_here(client, balanced):
    proxy, _ = balanced
    guest = proxy.connect()
    guest.send(GET)
    (one,) = client.ask("GET", "/api/exchanges").json["exchanges"]
    assert client.ask("DELETE", f"/api/exchanges/{one['id']}").json == {"ended": one["id"]}
    assert guest.received.startswith(b"HTTP/1.1 403 ")
    assert client.ask("GET", "/api/exchanges").json["exchanges"] == []


def test_many_are_looked_at_a_few_at_a_time(client, balanced, clock):
    proxy, _ = balanced
    for _ in range(250):
        proxy.connect()
    proxy.connect().send(GET)
    assert client.ask("GET", "/api/exchanges") is None
    clock.advance(0)
    clock.advance(0)
    assert client.connection.take().count(b'"phase": "sent"') == 1
    proxy.upstream.send(OK + b"abcd")


def test_those_of_several_workers_are_in_one_order():
    running, failed = (verb.merge for verb in ExchangeVerbs(None, None).verbs())
    answers = {
        WorkerName(number, 100 + number): {
            "exchanges": [{"id": f"{number}-{at}", "time": f"2030-01-01T00:00:0{at}.00{number}Z"} for at in times],
            "complete": True,
            "skipped": number,
        }
        for number, times in ((1, (3, 1)), (2, (2, 0)))
    }
    told = failed.merged(ApiCall(query={"limit": "3"}), answers)
    assert [(one["id"], one["worker"]) for one in told["exchanges"]] == [("1-3", 1), ("2-2", 2), ("1-1", 1)]
    assert told["complete"] is False and told["skipped"] == 3
    told = running.merged(ApiCall(), answers)
    assert [one["id"] for one in told["exchanges"]] == ["2-0", "1-1", "2-2", "1-3"] and told["complete"] is True
