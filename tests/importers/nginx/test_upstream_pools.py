"""Upstreams as pools."""

import pytest

from tests.importers.nginx.imported import location

PASS = "proxy_pass http://app;"


def pool(block, lines=PASS):
    found, _ = location(lines, more=f"upstream app {{ {block} }}")
    return found.pools["app"], found.notes


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("127.0.0.1:81", "http://127.0.0.1:81"),
        ("app.internal", "http://app.internal:80"),
        ("[::1]:81", "http://[::1]:81"),
        ("unix:/run/app.sock", "unix:/run/app.sock"),
        ("127.0.0.1:81 weight=3 max_conns=9", {"url": "http://127.0.0.1:81", "weight": 3, "max": 9}),
        ("127.0.0.1:81 down", {"url": "http://127.0.0.1:81", "disabled": True}),
        ("127.0.0.1:81 max_conns=0", "http://127.0.0.1:81"),
        ("app.internal:81 resolve", {"url": "http://app.internal:81", "resolve": True}),
    ],
)
def test_servers_are_upstreams(server, said):
    table, notes = pool(f"server {server}; zone z 64k;")
    assert table["upstreams"] == [said] and notes == []


TWO = "server 127.0.0.1:81; server 127.0.0.1:82 backup;"


@pytest.mark.parametrize(
    ("line", "strategy"),
    [
        ("", None), ("least_conn;", "least-connections"), ("ip_hash;", "ip-hash"), ("random;", "random"),
        ("random two least_conn;", "two-choices"), ("hash $request_uri consistent;", "uri-hash"),
        ("hash $http_x_tenant;", "header-hash:x-tenant"), ("hash $remote_addr;", "ip-hash"),
        ("hash ${request_uri};", "uri-hash"),
    ],
)  # fmt: skip
def test_balancing(line, strategy):
    table, notes = pool(TWO + line)
    assert table.get("strategy") == strategy and notes == []


def test_a_hash_of_what_is_unknown_has_a_line():
    table, notes = pool(TWO + "hash $cookie_a;")
    assert "strategy" not in table and notes == ["hash: there is no hash of $cookie_a here, taken over as round-robin"]


@pytest.mark.parametrize(
    ("words", "ejection"),
    [
        ("", {"failures": 1, "base": "10s", "longest": "10s", "share": 1.0}),
        ("max_fails=3 fail_timeout=1m", {"failures": 3, "base": "1m", "longest": "1m", "share": 1.0}),
        ("max_fails=0", False),
    ],
)
def test_servers_that_fail_are_out_as_long_as_with_nginx(words, ejection):
    table, notes = pool(f"server 127.0.0.1:81 {words}; server 127.0.0.1:82 {words};")
    assert table["ejection"] == ejection and notes == []
    assert "ejection" not in pool(f"server 127.0.0.1:81 {words};")[0]


def test_servers_that_differ_in_that_have_a_line():
    table, notes = pool("server 127.0.0.1:81 max_fails=5; server 127.0.0.1:82;")
    assert table["ejection"]["failures"] == 5
    assert notes == [
        "upstream: max_fails and fail_timeout are one for all servers of a pool: the highest are taken over"
    ]


def test_a_word_that_is_not_known_has_a_line():
    assert pool("server 127.0.0.1:81 route=a;")[1] == ["server: route=a is not taken over"]


def test_sticky_cookies():
    table, notes = pool(TWO + "sticky cookie srv expires=1h;")
    assert table["sticky"] == "cookie:srv" and notes == ["sticky: taken over with the name of the cookie alone"]


def test_upstreams_that_nothing_leads_to_have_a_line():
    found, _ = location("return 204;", more="upstream app { server 127.0.0.1:81; }")
    assert found.pools == {} and found.notes == ["upstream: no route leads to it"]


@pytest.mark.parametrize(
    ("lines", "name", "table"),
    [
        ("proxy_pass https://app;", "app (https)", {"upstreams": ["https://127.0.0.1:81"], "tls": {"insecure": True}}),
        ("grpc_pass grpc://app;", "app (grpc)", {"upstreams": ["h2c://127.0.0.1:81"]}),
        ("grpc_pass grpcs://app;", "app (grpcs)",
         {"upstreams": ["https://127.0.0.1:81"], "tls": {"insecure": True}, "alpn": ["h2"]}),
        ("grpc_pass app;", "app (grpc)", {"upstreams": ["h2c://127.0.0.1:81"]}),
    ],
)  # fmt: skip
def test_what_is_spoken(lines, name, table):
    found, _ = location(lines, more="upstream app { server 127.0.0.1:81; }")
    assert {key: said for key, said in found.pools[name].items() if key != "retries"} == table


def test_tls_upstreams_are_verified_where_nginx_does(tmp_path):
    found, _ = location(
        "proxy_pass https://app; proxy_ssl_verify on; proxy_ssl_name b.example; proxy_ssl_server_name on;",
        more="upstream app { server 127.0.0.1:81; }",
    )
    assert found.pools["app (https)"]["tls"] == {"server_name": "b.example"}
