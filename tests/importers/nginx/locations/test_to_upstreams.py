"""``proxy_pass``: pool, Host, path, times and retries."""

import pytest

from tests.importers.nginx.imported import location, route

APP = "upstream app { server 127.0.0.1:81; server 127.0.0.1:82; }"


@pytest.mark.parametrize(
    ("target", "place", "changes"),
    [
        ("http://app", "/a/", {}),
        ("http://app/", "/", {}),
        ("http://app/", "/a/", {"strip_prefix": "/a"}),
        ("http://app/b/", "/a/", {"strip_prefix": "/a", "add_prefix": "/b"}),
        ("http://app/b/", "/", {"add_prefix": "/b"}),
        ("http://app/a/", "/a/", {}),
        ("http://app/", "/a", {"rewrite": {"pattern": "/a(.*)", "replacement": "/$1"}}),
        ("http://app/b", "/a/", {"rewrite": {"pattern": "/a/(.*)", "replacement": "/b$1"}}),
        ("http://app$request_uri", "/a/", {}),
        ("http://app/b$request_uri", "/a/", {"add_prefix": "/b"}),
        ("http://app/b/$uri", "/a/", {"rewrite": {"pattern": "(.*)", "replacement": "/b/$1"}}),
        ("http://app/b/$1$is_args$args", "~ ^/a/(.*)$", {"rewrite": {"pattern": "/a/(.*)", "replacement": "/b/$1"}}),
    ],
)
def test_paths_are_put_in_the_place_of_others(target, place, changes):
    one = route(f"proxy_pass {target};", place, APP)
    assert one == {"pool": "app", "host": "app", **changes}


@pytest.mark.parametrize(
    ("lines", "host"),
    [
        ("proxy_pass http://app;", "app"),
        ("proxy_pass http://127.0.0.1:80;", "127.0.0.1"),
        ("proxy_pass http://127.0.0.1:8081;", "127.0.0.1:8081"),
        ("proxy_pass http://unix:/run/a.sock;", "localhost"),
        ("proxy_pass http://unix:/run/a.sock:/b/;", "localhost"),
        ("proxy_pass http://app; proxy_set_header Host $http_host;", None),
        ("proxy_pass http://app; proxy_set_header Host $host;", "$host"),
        ("proxy_pass http://app; proxy_set_header Host ${host};", "$host"),
        ("proxy_pass http://app; proxy_set_header Host $host:$server_port;", "$host:8080"),
        ("proxy_pass http://app; proxy_set_header Host $proxy_host;", "app"),
        ("proxy_pass http://app; proxy_set_header host b.example;", "b.example"),
    ],
)
def test_the_host_that_upstreams_are_told(lines, host):
    assert route(lines, more=APP).get("host") == host


def test_variables_that_are_known_lead_somewhere():
    assert route("set $up app; proxy_pass http://$up;", more=APP)["pool"] == "app"
    assert route("set $up http://app; proxy_pass $up$request_uri;", more=APP)["pool"] == "app"


@pytest.mark.parametrize("target", ["http://$up", "http://app:$port", "$up", "http://app/$arg_a", "http://app$arg_a"])
def test_variables_that_are_not_lead_nowhere(target):
    found, (one,) = location(f"proxy_pass {target};", more=APP)
    assert one["respond"] == 501 and "is not known before a request comes" in found.notes[-1]


def test_times():
    one = route("proxy_pass http://app; proxy_read_timeout 5m;", more=APP)
    assert one["response_timeout"] == one["tunnel_timeout"] == "5m"
    assert route("grpc_pass grpc://app; grpc_read_timeout 1d;", more=APP)["response_timeout"] == "24h"


@pytest.mark.parametrize(
    ("lines", "retries", "notes"),
    [
        ("", None, 0),
        ("proxy_next_upstream_tries 1;", 0, 0),
        ("proxy_next_upstream_tries 3;", 2, 0),
        ("proxy_next_upstream off;", 0, 1),
        ("proxy_next_upstream error timeout http_502;", None, 1),
        ("proxy_next_upstream error;", None, 1),
    ],
)
def test_retries(lines, retries, notes):
    found, _ = location(f"proxy_pass http://app; {lines}", more=APP)
    assert found.pools["app"].get("retries") == retries and len(found.notes) == notes


def test_two_locations_with_other_retries_have_two_pools():
    found, _ = location(
        "proxy_pass http://app; location /b { proxy_pass http://app; proxy_next_upstream_tries 5; }", more=APP
    )
    assert [*found.pools] == ["app", "app 2"] and found.pools["app 2"]["retries"] == 4
