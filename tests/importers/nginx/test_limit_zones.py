"""``limit_req`` and ``limit_conn``."""

import pytest

from tests.importers.nginx.imported import location, server

PASS = "proxy_pass http://127.0.0.1:1;"
ZONE = "limit_req_zone $binary_remote_addr zone=one:10m rate=10r/s;"


@pytest.mark.parametrize(
    ("use", "table"),
    [
        ("zone=one", {"burst": 1}),
        ("zone=one burst=20 nodelay", {"burst": 21}),
        ("zone=one burst=20", {"burst": 1, "delay": 20}),
        ("zone=one burst=20 delay=8", {"burst": 9, "delay": 12}),
    ],
)
def test_rates(use, table):
    found, (one,) = location(f"limit_req {use}; {PASS}", more=ZONE)
    assert one["request_limits"] == ["one"] and found.notes == []
    assert found.limits == [{"name": "one", "rate": "10/s", "by": ["client"], "status": 503, **table}]


def test_connections_are_requests_at_once():
    found, _ = location(
        f"limit_conn a 5; limit_conn_status 429; {PASS}", more="limit_conn_zone $host$http_x_a zone=a:1m;"
    )
    assert found.limits == [{"name": "a", "concurrent": 5, "by": ["host", "header:x-a"], "status": 429}]


@pytest.mark.parametrize(
    ("key", "by", "note"),
    [
        ("$remote_addr", ["client"], ""),
        ("$cookie_a", ["cookie:a"], ""),
        ("$server_name", [], "$server_name is not told apart"),
        ("$limited", ["client"], "$limited is not known here: counted by client, and nobody is excepted"),
    ],
)
def test_what_is_counted_by(key, by, note):
    found, _ = location(f"limit_req zone=z; {PASS}", more=f"limit_req_zone {key} zone=z:1m rate=30r/m;")
    assert found.limits[0]["by"] == by and found.limits[0]["rate"] == "30/m"
    assert note in "".join(found.notes) and len(found.notes) == bool(note)


def test_limits_are_inherited_and_counted_together():
    found = server(f"limit_req zone=one; limit_req_status 429; location / {{ {PASS} }} location /a/ {{ {PASS} }}", ZONE)
    assert [one["request_limits"] for one in found.routes if "pool" in one] == [["one"], ["one"]]
    assert len(found.limits) == 1 and found.limits[0]["status"] == 429


def test_a_zone_that_is_used_in_two_ways_counts_twice_and_says_so():
    lines = f"location / {{ limit_req zone=one; {PASS} }} location /a/ {{ limit_req zone=one burst=9 nodelay; {PASS} }}"
    found = server(lines, ZONE)
    assert [one["name"] for one in found.limits] == ["one", "one 2"]
    assert found.notes == ["limit_req: it counts for itself, as it is not the same as where else the zone is used"]


def test_nobody_is_refused_in_a_dry_run():
    found, _ = location(f"limit_req zone=one; limit_req_dry_run on; {PASS}", more=ZONE)
    assert found.limits[0]["enforce"] is False


@pytest.mark.parametrize(
    ("zone", "use", "note"),
    [
        ("", "limit_req zone=one;", "limit_req: nothing is limited: there is no zone one that is known here"),
        ("limit_req_zone $host zone=z:1m;", "", "limit_req_zone: what it limits is not limited: a rate such as 10r/s"),
        ("limit_req_zone $host;", "", "limit_req_zone: what it limits is not limited: a key and a zone are wanted"),
        (ZONE, "limit_req zone=one burst=x;", "limit_req: nothing is limited: x is no number"),
    ],
)
def test_what_is_not_limited_has_a_line(zone, use, note):
    found, (one,) = location(use + PASS, more=zone)
    assert "request_limits" not in one and found.notes[0].startswith(note)
