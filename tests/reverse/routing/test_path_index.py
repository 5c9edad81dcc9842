"""Routes are found by path."""

import pytest

from tests.reverse.routing.tables import routes, taken
from txproxy.reverse.routing.matches import Match


def test_an_exact_path_comes_before_the_longest_prefix_before_an_expression_before_any():
    table = routes(Match(), Match(path="~/a.*"), Match(path="/a"), Match(path="/a/b"), Match(path="=/a/b/c"))
    found = [taken(table, path) for path in ("/a/b/c", "/a/b/c/d", "/a/b", "/a/x", "/a", "/ax", "/x")]
    assert found == ["4", "3", "3", "2", "2", "1", "0"]


def test_a_prefix_ends_where_a_segment_does():
    table = routes(Match(path="/api"), Match(path="/only/"))
    found = [
        taken(table, path) for path in ("/api", "/api/", "/api/x", "/api?x", "/apix", "/only", "/only/", "/only/x")
    ]
    assert found == ["0", "0", "0", "0", None, None, "1", "1"]


def test_a_prefix_with_a_slash_is_longer_than_the_one_without():
    table = routes(Match(path="/api"), Match(path="/api/"))
    assert [taken(table, path) for path in ("/api", "/api/", "/api/x")] == ["0", "1", "1"]


def test_slashes_that_stand_together_are_one():
    table = routes(Match(path="/a"), Match(path="/a/b"))
    assert [taken(table, path) for path in ("/a//c", "/a//", "/a/b//c", "/a/b/c//")] == ["0", "0", "1", "1"]


@pytest.mark.parametrize("path", ["/" * 8000, "/a" * 4000, "/admin" + "/.." * 2000, "/%2e%2e" * 1000])
def test_long_paths_find_what_there_is(path):
    assert taken(routes(Match(path="/other/x"), Match(path="/a/b"), Match()), path) == "2"


def test_expressions_are_tried_in_the_order_written():
    table = routes(Match(path="~/[a-c]/.*"), Match(path="~/a/x"), Match(path="~/d/x"), Match(path="~.*/x"))
    assert [taken(table, path) for path in ("/a/x", "/d/x", "/e/x", "/e/y")] == ["0", "2", "3", None]


@pytest.mark.parametrize(
    ("expression", "path"),
    [
        ("/users/[0-9]+", "/users/7"),
        (r"/my\.site/.*", "/my.site/x"),
        ("/users/?", "/users"),
        ("/users/*x", "/usersx"),
        ("/users/{0,1}", "/users"),
        ("/users/+x", "/users//x"),
        ("/users?/x", "/user/x"),
        ("/users/x|/y", "/y"),
        ("/a.b/x", "/azb/x"),
        ("(?i)/users/x", "/USERS/X"),
        ("(?:/users)?/x", "/x"),
        ("/users(?:/x)?", "/users"),
        (".*/x", "/users/x"),
    ],
)
def test_an_expression_is_found_however_it_begins(expression, path):
    # The others make an index by the first segment worth asking.
    table = routes(Match(path="~/users/y"), Match(path="~/other/.*"), Match(path="~" + expression))
    assert taken(table, path) == "2"


def test_the_query_is_no_part_of_the_path():
    table = routes(Match(path="=/x"), Match(path="/y"), Match(path="~/z"))
    assert [taken(table, path) for path in ("/x?/y", "/y?", "/z?a=b?c")] == ["0", "1", "2"]
    assert taken(table, "/?/../x") is None
