"""What is done in a location, phase by phase."""

import pytest

from tests.importers.nginx.imported import location, route, server
from txproxy.importers.nginx.locations.location_routes import merged

PASS = "proxy_pass http://127.0.0.1:81;"


def test_what_returns_is_all_there_is():
    _, (one,) = location(f"return 204; {PASS} deny all; rewrite ^ /x; add_header X-A b always;")
    assert one["respond"] == 204 and one["response_headers"] == {"add": {"X-A": "b"}} and "pool" not in one


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("set $x 1; if ($x) { return 403; } return 204;", [({}, 403)]),
        ("set $x 0; if ($x) { return 403; } return 204;", [({}, 204)]),
        ("set $x a; if ($request_method = POST) { set $x b; } if ($x = b) { return 403; } return 204;",
         [({"methods": ["POST"]}, 403), ({}, 204)]),
        ("if ($http_a) { return 403; } if ($arg_b) { return 404; } return 204;",
         [({"headers": {"a": "~(?!0$).+"}}, 403), ({"query": {"b": "~(?!0$).+"}}, 404), ({}, 204)]),
        ("if ($request_method !~ ^(GET|POST)$) { return 405; } return 204;",
         [({"methods": ["GET", "POST"]}, 204), ({}, 405)]),
        ("if ($http_a = b) { break; } return 204;", None),
        ("break; return 204;", None),
    ],
)  # fmt: skip
def test_conditions_are_those_of_routes(lines, wanted):
    _, found = location(lines)
    if wanted is None:
        assert found[-1].get("respond") in (204, 404)
        return
    keys = ("methods", "headers", "query")
    assert [({key: one[key] for key in keys if key in one}, one["respond"]) for one in found] == wanted


def test_an_if_that_cannot_be_said_is_left_out_and_says_what_is_not_refused():
    found, (one,) = location("if (-f $request_filename) { return 403; } return 204;")
    assert one["respond"] == 204
    assert found.notes[0].startswith("if: it is left out, with all that is in it: whether there is a file (-f)")
    assert found.notes[0].endswith("; what it refuses is not refused")


def test_an_if_may_have_another_place_to_go_to_and_fields_of_its_own():
    _, (first, last) = location(f"if ($http_a) {{ proxy_pass http://127.0.0.1:82; add_header X-B c always; }} {PASS}")
    assert (first["pool"], last["pool"]) == ("127.0.0.1:82", "127.0.0.1:81")
    assert first["response_headers"] == {"add": {"X-B": "c"}} and "response_headers" not in last


def test_without_content_there_is_404_and_internal_places_are_nobodys():
    assert route("")["respond"] == 404
    assert route(f"internal; {PASS}") == {"respond": 404}


def test_rewrites_before_a_proxy():
    found, (one,) = location(f"rewrite ^/a/(.*)$ /b/$1 break; {PASS}", "/a/")
    assert one["rewrite"] == {"pattern": "/a/(.*)", "replacement": "/b/$1"} and found.notes == []
    found, (first, last) = location("rewrite ^/a/(x.*)$ /$1 break; proxy_pass http://127.0.0.1:81/c/;", "/a/")
    assert first["path"].startswith("~(?#1)(?=") and first["rewrite"]["replacement"] == "/$1"
    assert "add_prefix" not in first and last["add_prefix"] == "/c"


def test_a_path_that_has_become_another_is_looked_for_again():
    other = "location /b/ { proxy_pass http://127.0.0.1:82; add_header X-B c always; }"
    found = server(f"location /a/ {{ rewrite ^/a/(.*)$ /b/$1 last; return 404; }} {other}")
    first, last = (one for one in found.routes if one["name"].startswith("a.example /a/"))
    assert first["pool"] == "127.0.0.1:82" and first["response_headers"] == {"add": {"X-B": "c"}}
    assert first["rewrite"] == {"pattern": "/a/(.*)", "replacement": "/b/$1"} and last["respond"] == 404
    assert found.notes == []


@pytest.mark.parametrize(
    ("replacement", "more", "why"),
    [
        ("/$1", "location /b/ { return 204; }", "several begin with /"),
        ("/c/$1", r"location ~ x$ { return 204; }", "an expression may be for it"),
        ("/a/$1", "", "it is looked for again and again"),
        ("/d/", "location /d/ { proxy_pass http://127.0.0.1:1/e/; }", "what is found there changes the path as well"),
    ],
)
def test_where_it_is_not_known_what_is_found_nothing_is(replacement, more, why):
    found = server(f"location /a/ {{ rewrite ^/a/(.*)$ {replacement} last; }} {more} location / {{ return 205; }}")
    first = next(one for one in found.routes if one["name"].startswith("a.example /a/"))
    assert first["respond"] == 501
    assert any(
        note.startswith("rewrite: answered with 501: which location") and note.endswith(why) for note in found.notes
    )


def test_a_rewrite_that_cannot_be_said_has_a_line():
    found, (one,) = location(f"rewrite ^/(.*)$ /index?q=$1 break; {PASS}")
    assert "rewrite" not in one and found.notes == ["rewrite: it is left out: a query cannot be put into a path here"]


def test_a_status_may_lead_to_a_named_place():
    found = server(f"location / {{ error_page 418 = @app; return 418; }} location @app {{ {PASS} }}")
    assert [one.get("pool") for one in found.routes] == ["127.0.0.1:81"] and found.notes == []
    found = server(f"location / {{ return 418; }} location @app {{ {PASS} }}")
    assert found.routes[0]["respond"] == 418


def test_routes_are_tried_in_the_order_of_nginx_whatever_their_conditions_are():
    lines = "if ($http_a) { return 403; } if ($request_method = PUT) { return 405; } allow 10.0.0.0/8; deny all;" + PASS
    found = server(f"location / {{ {lines} }}").routes
    assert [one.get("respond") for one in found] == [403, 405, None, 403]
    lines = "if ($request_method = PUT) { return 405; } if ($http_a) { set $b 1; } "
    lines += "if ($http_c) { set $b ${b}2; } if ($b = 12) { return 402; } return 204;"
    found = server(f"location / {{ {lines} }}").routes
    assert len({one["path"] for one in found}) == len(found)


def test_what_does_the_same_is_one():
    same, other = {"respond": 204}, {"respond": 205}
    a, b = {"methods": ["A"]}, {"methods": ["B"]}
    assert merged([(a, same), ({}, same)]) == [({}, same)]
    assert merged([(a, same), (b, other), ({}, same)]) == [(a, same), (b, other), ({}, same)]
    assert merged([({**a, "clients": ["::1"]}, other), (a, other), ({}, same)]) == [(a, other), ({}, same)]
    assert merged([({}, same), (a, other)]) == [({}, same)]
