"""Which location is taken for which path."""

import re

import pytest

from tests.importers.nginx.imported import server
from txproxy.importers.nginx.locations.location_order import location_for, locations_of
from txproxy.importers.nginx.syntax.blocks import Reader
from txproxy.importers.nginx.syntax.nginx_scopes import Notes, Scope
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.route import Route
from txproxy.reverse.routing.routes import Routes
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def taken(locations, path):
    """The number that the location answers with, in the routes that are made of all of them."""
    lines = "".join(f"location {one} {{ return {number}; }}" for number, one in enumerate(locations, 201))
    routes = server(lines).routes
    table = Routes([Route(one["name"], Match(path=one.get("path", "")), one["respond"]) for one in routes])
    found = table.find(RequestHead(b"GET", path.encode(), Headers(), b"a.example"), context_of("192.0.2.7"))
    assert found is not None, path
    return found.action - 201 if found.action < 300 else None


@pytest.mark.parametrize(
    ("locations", "paths"),
    [
        (["/", "/a/", "= /a/"], {"/": 0, "/a": 0, "/a/": 2, "/a/b": 1, "/ab": 0}),
        (["/api"], {"/api": 0, "/apix": 0, "/api/x": 0, "/ap": None, "/": None}),
        (["/api", "/api/", "/api/v"], {"/api": 0, "/apix": 0, "/api/x": 1, "/api/v1": 2}),
        (["/a/", r"~ \.gif$", "^~ /b/", r"~* \.png$"],
         {"/a/x": 0, "/a/x.gif": 1, "/b/x.gif": 2, "/x.PNG": 3, "/x.GIF": None, "/b": None}),
        (["^~ /a/", "/a/b/", "~ x$"], {"/a/x": 0, "/a/b/x": 2, "/a/b/y": 1, "/x": 2}),
        (["^~ /a/", "^~ /a/b/", "~ x$"], {"/a/x": 0, "/a/b/x": 1, "/x": 2}),
        (["~ ^/a", "~ ^/ab"], {"/ab": 0, "/b": None}),
        (["=/a", "~^/b$"], {"/a": 0, "/b": 1}),
        (["/a.b/"], {"/a.b/x": 0, "/axb/x": None}),
        (["~ c", '"/a b/"'], {"/c": 0, "/a%20b/x": 1}),
        (["~ ^/dot/a.b$", "/"], {"/dot/a%20b": 0, "/dot/axb": 0, "/dot/ab": 1}),
        (['~ "^/a b"', r"~ ^/c\sd", "~ ^/e[^a-z]f$"], {"/a%20b": 0, "/c%20d": 1, "/c%09d": 1, "/e%20f": 2}),
    ],
)  # fmt: skip
def test_it_is_nginxs(locations, paths):
    assert {path: taken(locations, path) for path in paths} == paths


def test_prefixes_alone_stay_prefixes():
    found = server("location / { return 204; } location /a/ { return 205; } location = /b { return 206; }").routes
    assert [one.get("path") for one in found] == ["=/b", "/a/", None]


def test_locations_within_others():
    found = server(
        "location /a/ { return 201; location /a/b/ { return 202; } location ~ x$ { return 203; } }"
        "location ~ [xy]$ { return 204; } location / { return 205; }"
    ).routes
    answers = {path: next(one["respond"] for one in found if re.fullmatch(one["path"][1:], path))
               for path in ("/a/c", "/a/b/c", "/a/x", "/a/b/x", "/a/b/y", "/x", "/c")}  # fmt: skip
    assert answers == {"/a/c": 201, "/a/b/c": 202, "/a/x": 203, "/a/b/x": 203, "/a/b/y": 204, "/x": 204, "/c": 205}


@pytest.mark.parametrize(
    ("path", "place"),
    [("/b", "/b"), ("/b/c", "/b/"), ("/b/$1", "/b/"), ("/c/x.gif", "/c/"), ("/x.gif", r"\.gif$"), ("/x", "/")],
)
def test_which_location_is_for_a_path_that_was_made(path, place):
    lines = r"location = /b {} location /b/ {} location ^~ /c/ {} location / {} location ~ \.gif$ {}"
    (block,) = Reader("x").read(f"server {{ {lines.replace('/b/ {}', '^~ /b/ {}')} }}", "x")
    found, _ = locations_of(Scope(block, None, Notes("x")))
    assert location_for(path, found).text == place


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("x", "x is no path"), ("~ (", "is no expression here"), ("/a/../b", "has dot segments"),
        ("a b c", "a path is wanted"),
    ],
)  # fmt: skip
def test_what_cannot_be_looked_for_is_left_out(place, why):
    found = server(f"location {place} {{ return 204; }} location / {{ return 205; }}")
    assert [one["respond"] for one in found.routes] == [205]
    (note,) = found.notes
    assert note.startswith("location: it is left out, and its requests go where others go") and why in note
