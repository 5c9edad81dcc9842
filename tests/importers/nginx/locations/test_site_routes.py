"""The routes of a server."""

from tests.importers.nginx.imported import imported, server


def test_a_server_that_returns_has_no_locations():
    found = server("return 301 https://$host$request_uri; location / { proxy_pass http://127.0.0.1:1; } root /srv;")
    assert [one.get("redirect") for one in found.routes] == ["https://$host$path?$query"] and found.notes == []


def test_what_a_server_answers_first_comes_before_its_locations():
    found = server("if ($http_a) { return 403; } location = /x { return 204; } location / { return 205; }").routes
    assert [(one["path"], one["respond"]) for one in found] == [("~(?#1).*", 403), ("~/x", 204), ("~.*", 205)]
    assert found[0]["headers"] and "headers" not in found[1]


def test_what_a_server_lets_pass_alone_is_asked_in_each_location():
    found = server(
        "if ($request_method != GET) { return 405; } location /x/ { return 204; } location / { return 205; }"
    )
    assert [(one.get("methods"), one["respond"]) for one in found.routes] == [
        (["GET"], 204), (None, 405), (["GET"], 205), (None, 405)
    ]  # fmt: skip


def test_hosts_that_lead_elsewhere_are_not_asked_for_again():
    found = imported(
        "server { listen 80; return 404; } server { listen 80; server_name a.example www.a.example;"
        "if ($host = www.a.example) { return 301 https://a.example$request_uri; } return 204; }"
    ).routes
    assert [(one.get("hosts"), one.get("status", one.get("respond"))) for one in found] == [
        (None, 404), (["www.a.example"], 301), (["a.example"], 204)
    ]  # fmt: skip


def test_a_prefix_of_a_proxy_sends_clients_to_the_one_with_a_slash():
    found = server(
        "location /a/ { proxy_pass http://127.0.0.1:1; add_header X-A b always; } location /b/ { return 204; }"
    ).routes
    assert [one.get("path") for one in found] == ["=/a", "/a/", "/b/", None]
    assert found[0]["redirect"] == "/a/?$query" and found[0]["status"] == 301
    assert found[0]["response_headers"] == {"add": {"X-A": "b"}}
    found = server("location /a/ { proxy_pass http://127.0.0.1:1; } location = /a { return 204; }").routes
    assert [one.get("respond") for one in found if one.get("path") == "=/a"] == [204]


def test_of_two_that_are_for_the_same_the_first_counts():
    found = server("location ~ x { return 204; } location ~ x { return 205; } location / { return 206; }")
    assert [one["respond"] for one in found.routes] == [204, 206]
    assert found.notes == ["location: one before it is for all that it is for"]


def test_hosts_may_be_told_apart_by_an_expression():
    found = imported(
        "server { listen 80; return 404; } server { listen 80; server_name a.example b.example;"
        "if ($host !~ ^a) { return 403; } return 204; }"
    ).routes
    assert [(one.get("hosts"), one["respond"]) for one in found] == [
        (None, 404), (["a.example"], 204), (["b.example"], 403)
    ]  # fmt: skip
    found = imported("server { listen 80; if ($host !~ ^a) { return 403; } return 204; }").routes
    assert [(one.get("hosts"), one["respond"]) for one in found] == [(["~a.*"], 204), (None, 403)]
