"""The conditions of ``if``."""

import pytest

from tests.importers.nginx.imported import location, server

SOME = "~(?!0$).+"
COOKIE = "~(?:.*[;,])? *(?i:a) *= *"


def conditions(said, more=""):
    """Of the route for requests that fit, and whether the others come first."""
    found, routes = location(f"if ({said}) {{ return 418; }} return 204;", more=more)
    assert found.notes == []
    keys = ("methods", "headers", "query", "clients")
    conditional = [one for one in routes if any(key in one for key in keys)]
    return [({key: one[key] for key in keys if key in one}, one["respond"]) for one in conditional], routes


@pytest.mark.parametrize(
    ("said", "wanted", "status"),
    [
        ("$request_method = POST", {"methods": ["POST"]}, 418),
        ("$request_method ~ ^(PUT|PATCH)$", {"methods": ["PUT", "PATCH"]}, 418),
        ("$request_method !~ ^(GET|POST)$", {"methods": ["GET", "POST"]}, 204),
        ("$request_method != GET", {"methods": ["GET"]}, 204),
        ("$http_x_team", {"headers": {"x-team": SOME}}, 418),
        ("$http_x_team = blue", {"headers": {"x-team": "blue"}}, 418),
        ('$http_x_team = ""', {"headers": {"x-team": "~.+"}}, 204),
        ("$http_user_agent ~* (a|b)", {"headers": {"user-agent": "~(?i).*?(a|b).*"}}, 418),
        ("$http_user_agent !~ x", {"headers": {"user-agent": "~.*?x.*"}}, 204),
        ("$remote_addr = 192.0.2.1", {"clients": ["192.0.2.1"]}, 418),
        ("$cookie_a", {"headers": {"cookie": f"{COOKIE}(?!0 *(?:[;,]|$))[^;, ][^;,]* *(?:[;,].*)?"}}, 418),
        ("$cookie_a = b.c", {"headers": {"cookie": rf"{COOKIE}b\.c *(?:[;,].*)?"}}, 418),
    ],
)
def test_they_are_conditions_of_routes(said, wanted, status):
    found, _ = conditions(said)
    assert found == [(wanted, status)]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("$scheme = http", 418), ("$scheme = https", 204), ("$scheme != https", 418), ("$https = on", 204),
        ("$server_port = 8080", 418), ("$https", 204), ("$server_name ~ ^a\\.", 418), ("$server_name !~ ^a\\.", 204),
    ],
)  # fmt: skip
def test_what_is_known_of_a_listener_is_no_condition(said, status):
    assert [one["respond"] for one in conditions(said)[1]] == [status]


def test_the_path_may_be_looked_at():
    _, routes = conditions("$request_uri ~ ^/private")
    assert routes[0]["path"] == "~(?#1)/private.*" and routes[0]["respond"] == 418


@pytest.mark.parametrize("said", ["~ ^/private/?$", "~ private", "~* [?&]x=", "= /private", '= ""'])
def test_of_the_raw_uri_a_beginning_alone_is_known(said):
    found, routes = location(f"if ($request_uri {said}) {{ return 403; }} return 204;")
    assert [one["respond"] for one in routes] == [204]
    (note,) = found.notes
    assert "of $request_uri the beginning of its path alone" in note and note.endswith("not refused")


def test_the_path_is_looked_at_with_its_escapes():
    _, routes = conditions('$uri ~ "^/a b.c$"')
    assert routes[0]["path"] == "~(?#1)/a%20b(?:%[0-9A-F]{2}|[^%])c" and routes[0]["respond"] == 418


def test_of_parameters_the_case_of_names_counts():
    found, routes = location("if ($arg_q = 1) { return 403; } return 204;")
    assert routes[0]["query"] == {"q": "1"} and routes[0]["respond"] == 403
    assert found.notes == ["if: the case of a parameter's name counts here: one in another case is not found"]


def test_tables_of_values_are_alternatives():
    bots = "map $http_user_agent $bot { default 0; ~*bad 1; nasty 1; }"
    found, _ = conditions("$bot", bots)
    assert found == [
        ({"headers": {"user-agent": "~(?i).*?bad.*"}}, 418),
        ({"headers": {"user-agent": "~(?i)nasty"}}, 418),
    ]
    found, _ = conditions("$blocked = 1", "geo $blocked { default 0; 10.0.0.0/8 1; 192.0.2.1 1; }")
    assert [one["clients"] for one, _ in found] == [["10.0.0.0/8"], ["192.0.2.1"]]
    found, _ = conditions("$open = no", "geo $open { default no; 10.0.0.0/8 yes; }")
    assert found == [({"clients": ["10.0.0.0/8"]}, 204)]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("-f $request_filename", "whether there is a file (-f) is no condition here"),
        ("!-d $request_filename", "whether there is a file (!-d) is no condition here"),
        ("$invalid_referer", "$invalid_referer is no condition here"),
        ("$remote_user = bob", "$remote_user is no condition here"),
        ("$cookie_a ~ b", "an expression for a cookie is no condition here"),
        ("$request_method ~ P", "methods have to be named") ,
        ("$a$b = c", "$a$b is no variable alone"),
        ("$a < b", "is no condition that is known"),
        ("$host = b.example", "hosts are told apart by servers, and by conditions of servers"),
    ],
)  # fmt: skip
def test_what_is_no_condition_of_a_route_is_told(said, why):
    found, routes = location(f"if ({said}) {{ return 301 /x; }} return 204;")
    assert [one["respond"] for one in routes] == [204] and why in found.notes[0]
    assert not found.notes[0].endswith("not refused")


def test_hosts_of_a_server_are_told_apart():
    found = server("if ($host = b.example) { return 301 /x; } location / { return 204; }").routes
    assert [(one.get("hosts"), one.get("respond")) for one in found] == [(["b.example"], None), (None, 204)]
