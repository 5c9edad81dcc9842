"""Lines of JSON: always an object with the same keys, whatever was sent."""

import json

import pytest

from tests.observe.log_formats.records import NOW, Stream, attempt, head, record, response
from txproxy.cache.answering.cache_status import CacheVerdict, ForwardedFor, Served
from txproxy.errors import ConnectionRefused
from txproxy.interfaces.allowances import LimitHit
from txproxy.interfaces.answers import Outcome, Verdict
from txproxy.observe.log_formats.connection_facts import Connections
from txproxy.observe.log_formats.json_lines.json_line import JsonLines

ANY = bytes(range(256))


def said(thing):
    lines = JsonLines("web", Connections())
    line = lines.stream(thing, NOW) if isinstance(thing, Stream) else lines.exchange(thing, NOW)
    assert line.endswith(b"\n") and line.count(b"\n") == 1 and line.isascii()
    # A second line says the same: nothing is left of the first.
    again = lines.stream(thing, NOW) if isinstance(thing, Stream) else lines.exchange(thing, NOW)
    assert again == line
    return json.loads(line)


def test_a_request_by_its_keys():
    one = record(
        head(b"Referer: http://a/", b"User-Agent: curl", b"X-Request-Id: 7f", authority=b"A.example:80"),
        attempts=[
            attempt(fault=ConnectionRefused("no"), status=0, connected=None),
            attempt(peer="10.0.0.9", began=0.004, connected=0.006),
        ],
        user="bob",
        rule="api",
        received=3,
    )
    found = said(one)
    assert {key: value for key, value in found.items() if value is not None} == {
        "time": "2025-11-29T07:06:40.123Z", "client": "192.0.2.1", "user": "bob", "method": "GET", "scheme": "http",
        "host": "a.example", "target": "/x", "protocol": "HTTP/1.1", "status": 200, "sent": 5, "received": 3,
        "duration": 0.0123, "first_byte": 0.009, "listener": "web", "route": "api", "upstream": "10.0.0.9:80",
        "upstream_status": 200, "connect": 0.002, "attempts": 2, "retries": 1, "outcome": "ok", "request_id": "7f",
        "referer": "http://a/", "user_agent": "curl",
    }  # fmt: skip


def test_a_call_of_grpc_has_a_status():
    call = head(b"Content-Type: application/grpc", method=b"POST", minor=2)
    assert said(record(call, response=response(b"Grpc-Status: 14")))["grpc_status"] == 14
    assert said(record(call))["grpc_status"] is None and said(record())["grpc_status"] is None


def test_a_request_of_http2_has_the_number_of_its_stream():
    for number in (1, 2147483647):
        assert said(record(head(minor=2), stream=number))["stream"] == number
    assert said(record(head(minor=2)))["stream"] is None and said(record())["stream"] is None


def test_what_went_wrong():
    one = record(
        outcome="connection_refused",
        detail="nobody is there",
        status=502,
        first_byte=None,
        attempts=[attempt(fault=ConnectionRefused("no"), status=0, connected=None)],
    )
    found = said(one)
    assert (found["outcome"], found["error"], found["detail"]) == ("connection_refused",) * 2 + ("nobody is there",)
    assert (found["first_byte"], found["connect"], found["upstream_status"]) == (None, None, 502)
    gone = said(record(outcome="client-gone", status=0))
    assert (gone["error"], gone["status"], gone["outcome"]) == (None, None, "client-gone")


def test_what_policy_and_a_cache_have_said():
    verdict = Verdict(outcome=Outcome.DENY, rule="ads", reason="no ads", list_name="hosts")
    found = said(record(status=403, outcome="http_request_denied", verdict=verdict))
    assert [found[key] for key in ("verdict", "verdict_rule", "verdict_list", "verdict_reason")] == [
        "deny", "ads", "hosts", "no ads",
    ]  # fmt: skip
    limited = said(record(status=429, limit=LimitHit("api", "refused")))
    assert (limited["limit"], limited["limit_outcome"]) == ("api", "refused")
    cache = CacheVerdict(served=Served.MISS, forwarded=ForwardedFor.URI_MISS, expiry=NOW + 60, stored=True, detail="x")
    found = said(record(cache=cache))
    assert [found[f"cache{key}"] for key in ("", "_forwarded", "_ttl", "_stored", "_collapsed", "_detail")] == [
        "MISS", "uri-miss", 60, True, False, "x",
    ]  # fmt: skip
    assert said(record(cache=CacheVerdict(served=Served.HIT, expiry=float("inf"))))["cache_ttl"] is None


@pytest.mark.parametrize("method", [b"GET", b"CONNECT", b""])
def test_any_bytes_are_a_line_of_json(method):
    request = head(
        b"Referer: " + ANY, b"User-Agent: " + ANY, b"X-Request-Id: " + ANY, method=method, path=ANY, authority=ANY
    )
    found = said(record(request, user='\ud800\n"', detail="\0", response=response(b"Content-Type: " + ANY)))
    assert set(found) == set(said(record())) == set(said(Stream()))
    assert found["user_agent"].startswith("\0") and "\\xff" in found["user_agent"]
    assert "é" in said(record(head("User-Agent: é".encode())))["user_agent"]


def test_a_response_says_the_identifier_of_its_request():
    one = record(head(b"X-Request-Id: theirs"), response=response(b"X-Request-Id: ours"))
    assert said(one)["request_id"] == "ours"


def test_a_stream():
    found = said(Stream(server_name="db.example", detail="both have ended"))
    assert {key: value for key, value in found.items() if value is not None} == {
        "time": "2025-11-29T07:06:40.123Z", "client": "192.0.2.1", "host": "db.example", "protocol": "TCP",
        "sent": 7, "received": 3, "duration": 1.5, "first_byte": 0.009, "listener": "web", "upstream": "10.0.0.1:80",
        "connect": 0.001, "attempts": 1, "retries": 0, "outcome": "ok", "detail": "both have ended",
    }  # fmt: skip
    nowhere = said(Stream("destination_unavailable", None))
    assert (nowhere["upstream"], nowhere["error"]) == (None, "destination_unavailable")


def test_more_values_than_are_remembered_are_said_as_well():
    lines = JsonLines("web", Connections())
    for number in range(1200):
        line = lines.exchange(record(head(b"User-Agent: %d" % number)), NOW)
        assert json.loads(line)["user_agent"] == str(number)
