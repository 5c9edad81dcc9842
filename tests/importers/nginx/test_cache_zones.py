"""``proxy_cache`` and what goes with it."""

import pytest

from tests.importers.nginx.imported import location, server

PASS = "proxy_pass http://127.0.0.1:1;"
PATH = "proxy_cache_path {}/c levels=1:2 keys_zone=store:32m max_size=1g inactive=1h;"


@pytest.fixture
def zone(tmp_path):
    return PATH.format(tmp_path)


def test_there_is_one_cache_for_all(zone, tmp_path):
    found, (one,) = location(f"proxy_cache store; {PASS}", more=zone)
    assert found.tables["cache"] == {
        "size": "32M", "dir": f"{tmp_path}/c/txproxy", "dir_size": "1G", "targeted": [], "heuristic_fraction": 0,
        "stale_if_error": 0,
    }  # fmt: skip
    assert "cache" not in one and found.notes == []
    two = zone + zone.replace("/c ", "/d ").replace("=store", "=other")
    found, _ = location(f"proxy_cache other; {PASS}", more=two)
    assert found.tables["cache"]["size"] == "64M" and found.tables["cache"]["dir_size"] == "2G"
    assert found.notes == ["proxy_cache_path: there is one cache for all: its room is what all of them have together"]


def test_what_nginx_does_not_cache_is_not_cached(zone):
    found = server(f"proxy_cache store; location / {{ proxy_cache off; {PASS} }} location /a/ {{ {PASS} }}", zone)
    assert {one["name"]: one.get("cache") for one in found.routes if "pool" in one} == {
        "a.example /a/": None, "a.example /": False
    }  # fmt: skip
    found, (one,) = location(f"proxy_cache none; {PASS}", more=zone)
    assert one["cache"] is False and found.notes == ["proxy_cache: nothing is cached: there is no zone none"]
    found, (one,) = location(f"proxy_cache store; {PASS}")
    assert "cache" not in one and "cache" not in found.tables


@pytest.mark.parametrize(
    ("lines", "cache"),
    [
        ("proxy_cache_valid 10m;", {"ttl": {"200": "10m", "301": "10m", "302": "10m"}}),
        ("proxy_cache_valid 404 any 1m;", {"ttl": {"404": "1m", "any": "1m"}}),
        ("proxy_cache_key $scheme$proxy_host$request_uri;", None),
        ("proxy_cache_key $uri$is_args$args$cookie_a$http_x_b;", {"key_cookies": ["a"], "key_headers": ["x-b"]}),
        ("proxy_cache_min_uses 3;", {"min_uses": 3}),
        ("proxy_cache_use_stale error timeout http_500;", {"stale_if_error": "24h"}),
        ("proxy_cache_use_stale updating; proxy_cache_background_update on;", {"stale_while_revalidate": "24h"}),
        ("proxy_ignore_headers Set-Cookie;", {"ignore_set_cookie": True}),
        ("proxy_ignore_headers Cache-Control Expires;", {"override_expire": True}),
        ("proxy_cache_lock on; proxy_cache_revalidate on;", None),
    ],
)
def test_what_is_said_of_it(lines, cache, zone):
    found, (one,) = location(f"proxy_cache store; {lines} {PASS}", more=zone)
    assert one.get("cache") == cache and found.notes == []


def test_a_key_without_the_query_has_a_line(zone):
    found, (one,) = location(f"proxy_cache store; proxy_cache_key $host$uri; {PASS}", more=zone)
    assert one["cache"] == {"query": "none"}
    assert found.notes == ["proxy_cache_key: the query is no part of the key, and so is not sent on either"]


@pytest.mark.parametrize("key", ["$host", "$uri$arg_a$query_string$request_body"])
def test_a_key_that_cannot_be_said_caches_nothing(key, zone):
    found, (one,) = location(f"proxy_cache store; proxy_cache_key {key}; {PASS}", more=zone)
    assert one["cache"] is False and any(note.startswith("proxy_cache: nothing is cached: ") for note in found.notes)


def test_requests_that_go_past_it(zone):
    lines = f"proxy_cache store; proxy_cache_bypass $http_pragma $arg_fresh; proxy_no_cache $http_pragma; {PASS}"
    found, (pragma, fresh, rest) = location(lines, more=zone)
    assert pragma["headers"] == {"pragma": "~(?!0$).+"} and pragma["cache"] is False
    assert fresh["query"] == {"fresh": "~(?!0$).+"} and fresh["cache"] is False
    assert "cache" not in rest and found.notes == []


def test_nothing_is_cached_where_it_cannot_be_said_what_is_not(zone):
    found, (one,) = location(f"proxy_cache store; proxy_no_cache $secret; {PASS}", more=zone)
    assert one["cache"] is False and found.notes == [
        "proxy_no_cache: nothing is cached here: $secret is no condition here"
    ]
