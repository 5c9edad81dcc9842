"""What ``txproxy top`` shows of one look, and of what has changed since another."""

import attrs
import pytest

from txproxy.cli.top_frame import Look, fitting, frame, read_numbers

TEXT = """\
# HELP txproxy_serving Whether it serves.
# TYPE txproxy_serving gauge
txproxy_serving 1
txproxy_requests_total{listener="edge",route="",code="2xx",method="GET"} 100
txproxy_requests_total{listener="edge",route="x",code="5xx",method="GET"} 10
txproxy_requests_total{listener="a \\"b\\"",route="",code="2xx",method="GET"} 5
txproxy_request_duration_seconds_bucket{listener="edge",route="",le="0.1"} 7
txproxy_request_duration_seconds_sum{listener="edge",route=""} 2.5
txproxy_body_bytes_total{listener="edge",route="",direction="sent"} 4096
txproxy_body_bytes_total{listener="edge",route="",direction="received"} 7
txproxy_connections{listener="edge"} 3
process_cpu_seconds_total 1.5
process_resident_memory_bytes 52428800
"""
UPSTREAM = {
    "name": "http://a", "state": "ejected", "age": 3.0, "active": 2, "requests": 50, "failures": 5, "ejections": 1,
    "cause": "it closes",
}  # fmt: skip
EXCHANGE = {
    "id": "1-1.a", "client": "192.0.2.1", "phase": "sent", "age": 1.0, "received": 0, "sent": 0, "status": None,
    "upstream": "http://a", "method": "GET", "url": "http://x/",
}  # fmt: skip


def connection(number, age):
    exchange = {**EXCHANGE, "id": f"1-{number}.a", "age": age}
    return {"id": f"1-{number}", "listener": "edge", "client": "192.0.2.1", "state": "busy", "exchanges": [exchange]}


@pytest.fixture
def look():
    return Look(10.0, read_numbers(TEXT), {"app": [UPSTREAM]}, [connection(1, 1.0), connection(2, None)])


def words(lines):
    return [line.split() for line in lines]


def test_numbers_are_sums_for_each_listener(look):
    assert look.numbers == {
        ("txproxy_serving", ""): 1.0,
        ("txproxy_requests_total", "edge"): 110.0,
        ("txproxy_requests_total_5xx", "edge"): 10.0,
        ("txproxy_requests_total", 'a \\"b\\"'): 5.0,
        ("txproxy_request_duration_seconds_sum", "edge"): 2.5,
        ("txproxy_body_bytes_total_sent", "edge"): 4096.0,
        ("txproxy_body_bytes_total_received", "edge"): 7.0,
        ("txproxy_connections", "edge"): 3.0,
        ("process_cpu_seconds_total", ""): 1.5,
        ("process_resident_memory_bytes", ""): 52428800.0,
    }


def test_one_look_has_no_rates(look):
    assert words(frame(look, None, "unix:/x")) == [
        ["unix:/x:", "serving,", "CPU", "1.5s,", "memory", "50M"], [],
        ["LISTENER", "CLIENTS", "REQ/S", "5XX/S", "MEAN", "OUT/S", "REQUESTS"],
        ["edge", "3", "-", "-", "-", "-", "110"], [],
        ["POOL", "UPSTREAM", "STATE", "FOR", "ACTIVE", "REQ/S", "FAILURES", "EJECTIONS", "WHY"],
        ["app", "http://a", "ejected", "3.0s", "2", "-", "5", "1", "it", "closes"], [],
        ["ID", "LISTENER", "CLIENT", "STATE", "AGE", "IN", "OUT", "STATUS", "UPSTREAM", "REQUEST"],
        ["1-1.a", "edge", "192.0.2.1", "sent", "1.0s", "0", "0", "-", "http://a", "GET", "http://x/"],
        ["1-2.a", "edge", "192.0.2.1", "sent", "-", "0", "0", "-", "http://a", "GET", "http://x/"],
    ]  # fmt: skip


def test_two_looks_have_rates(look):
    numbers = {key: value / 2 for key, value in look.numbers.items()}
    before = attrs.evolve(look, at=5.0, numbers=numbers, upstreams={"app": [{**UPSTREAM, "requests": 40}]})
    lines = words(frame(look, before, "unix:/x"))
    assert lines[0][2:5] == ["CPU", "15", "%,"]
    assert lines[3] == ["edge", "3", "11.0", "1.0", "22.7ms", "409", "110"]
    assert lines[6][5] == "2.0"


def test_who_was_begun_anew_has_no_rate_below_0(look):
    later = attrs.evolve(look, at=11.0, numbers={("txproxy_connections", "edge"): 0.0}, upstreams={"new": [UPSTREAM]})
    lines = words(frame(later, look, "unix:/x"))
    assert lines[0][1:3] == ["not", "serving,"]
    assert lines[3] == ["edge", "0", "0.0", "0.0", "-", "0", "0"] and lines[6][5] == "-"


def test_the_oldest_requests_are_shown(look):
    many = attrs.evolve(look, connections=[connection(number, float(number)) for number in range(30)], upstreams={})
    lines = words(frame(many, None, "unix:/x"))
    assert ["no", "pools"] in lines
    assert [line[0] for line in lines[-10:]] == [f"1-{number}.a" for number in range(29, 19, -1)]


def test_no_more_is_shown_than_there_is_room_for():
    assert fitting(["abc", "de", "f"], 2, 2) == ["ab", "de"]
