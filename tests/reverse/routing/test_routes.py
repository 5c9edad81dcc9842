"""Which route is taken, and why the others are not."""

from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reverse.routing.tables import CLIENT, request, routes, shares, taken
from txproxy.errors import ConfigError, RequestError
from txproxy.matching.paths import readings
from txproxy.reverse.routing.matches import Match, host_of
from txproxy.reverse.routing.route import Route
from txproxy.reverse.routing.routes import Routes


def test_no_routes_find_nothing():
    assert taken(routes()) is None
    assert routes().explain(request(), CLIENT, None) == []


def test_what_nothing_matches_is_not_found():
    assert taken(routes(Match("b.example"), Match(path="/x"), Match("a.example", "/y"))) is None


def test_the_action_is_whatever_was_given():
    action = object()
    assert Routes([Route("it", Match(), action)]).find(request(), CLIENT).action is action


# -- hosts


def test_a_hosts_own_name_comes_before_the_longest_wildcard_before_any_host():
    table = routes(Match(), Match("*.example"), Match("*.b.example"), Match("a.b.example"))
    found = [taken(table, host=host) for host in ("a.b.example", "c.b.example", "x.c.b.example", "b.example", "other")]
    assert found == ["3", "2", "2", "1", "0"]


def test_a_regular_expression_comes_after_wildcards_and_before_any_host_in_the_order_written():
    expressions = Match(r"~\w+\d\.example"), Match(r"~shop\d\.example")
    table = routes(Match(), *expressions, Match("*.b.example"), Match("shop7.example"))
    found = [taken(table, host=host) for host in ("shop7.example", "SHOP8.example:80", "a1.b.example", "a.example")]
    assert found == ["4", "1", "3", "0"]
    assert taken(routes(Match("~.*")), host="a.example") == "0"


def test_an_expression_for_hosts_is_told_of():
    table = routes(Match("~a.*"), Match("~b.*"))
    assert taken(table, host="b") == "1" and taken(table, host="c") is None and taken(table, host="") is None


def test_a_pattern_for_a_name_and_those_below_stands_behind_the_name_and_shares_the_rest():
    table = routes(Match(".a.example"), Match("a.example", "/own"), Match("*.a.example", "/below"), Match("*.example"))
    assert [taken(table, path, "a.example") for path in ("/own", "/below", "/x")] == ["1", "0", "0"]
    assert [taken(table, path, "b.a.example") for path in ("/own", "/below", "/x")] == ["0", "2", "0"]
    assert taken(table, host="b.example") == "3"
    # as in nginx, whichever is written first
    assert taken(routes(Match(".a.example"), Match("a.example")), host="a.example") == "1"
    assert taken(routes(Match("a.example"), Match(".a.example")), host="a.example") == "0"


def test_names_outside_of_ascii_are_found_by_what_is_sent_for_them():
    assert taken(routes(Match("bücher.example")), host="xn--bcher-kva.example") == "0"


@pytest.mark.parametrize("pattern", ["::1", "[::1]", "[0:0::1]"])
@pytest.mark.parametrize("host", ["[::1]", "[0::0:1]:8080"])
def test_addresses_have_many_spellings(pattern, host):
    assert taken(routes(Match(pattern)), host=host) == "0"


@pytest.mark.parametrize("host", ["A.EXAMPLE", "a.example.", "a.example:8080", "a.example.:1", "a.example:"])
def test_hosts_are_compared_without_port_case_and_a_dot_at_the_end(host):
    assert taken(routes(Match("a.example")), host=host) == "0"
    assert taken(routes(Match("A.Example.")), host=host) == "0"


@pytest.mark.parametrize(
    "host", ["", "a.example.evil", "evila.example", "a.example..", "a%2eexample", "example", ".example"]
)
def test_what_only_looks_like_a_host_is_another(host):
    assert taken(routes(Match("a.example"), Match("b.example")), host=host) is None


def test_a_host_with_routes_of_its_own_falls_back_on_those_for_more_hosts():
    table = routes(Match(path="/static"), Match("*.example", "/shared"), Match("a.example", "/own"))
    assert [taken(table, path) for path in ("/own", "/shared/x", "/static/x", "/else")] == ["2", "1", "0", None]


def test_the_host_counts_more_than_the_path_and_the_path_more_than_conditions():
    table = routes(Match(path="=/x", methods="GET"), Match("*.example", "/x"), Match("*.example", methods="GET"))
    assert taken(table, "/x") == "1"


def test_requests_without_a_host_take_routes_for_any():
    assert taken(routes(Match("a.example"), Match()), host="") == "1"


def test_hosts_that_were_seen_are_remembered_only_if_they_are_short():
    table = routes(Match("a.example"), Match("*.b.example"))
    for number in range(1500):
        assert taken(table, host=f"{number}.b.example") == "1"
        assert taken(table, host="x" * 270 + f"{number}.b.example") == "1"
    info = table._remembered.cache_info()
    assert info.currsize <= 1024 and info.misses == 1500


# -- readings of a path


@pytest.mark.parametrize(
    "path",
    [
        "//admin",
        "/%2Fadmin",
        "/x/..%2fadmin",
        "/x//../admin",
        "/.//admin",
        "/admin%2f",
        "/admin%2Fx",
        "/x/../admin",
        "/x/%2e%2e/admin",
        "/%2e/admin",
        "/../admin",
        "/\\admin",
        "/x/..\\admin",
        "/x/..%5cadmin",
        "/admin\\x",
        "/admin;x=1",
        "/admin%3bx=1",
        "/x/..;/admin",
        "/x/..;a=b/admin/",
        "/;/admin",
        "/admin%00",
        "/admin%00.html",
        "/admin%3fx",
        "/admin%23",
        "/admin%20",
        "/admin%0a",
        "/x/%252e%252e/admin",
        "/x/..%252fadmin",
        "/%2561dmin",
        "/admin/%2e%2e/x",
        "/admin/..;/x",
    ],
)
def test_a_path_that_leads_to_different_routes_by_different_readings_is_refused(path):
    table = routes(Match(path="/admin"), Match())
    with pytest.raises(RequestError, match="different routes") as caught:
        taken(table, path)
    assert caught.value.status == 400
    # where nobody asks for paths they all lead to the same
    assert taken(routes(Match("a.example"), Match()), path) == "0"


@pytest.mark.parametrize(
    "path",
    [
        "/admin",
        "/admin/",
        "/%61dmin",
        "/admin//x",
        "/admin/x/..",
        "/admin/.",
        "/admin/a%2Fb;c",
        "/admin/..%41",
        "/admin/%",
    ],
)
def test_a_path_that_leads_to_one_route_by_all_readings_takes_it(path):
    assert taken(routes(Match(path="/admin"), Match()), path) == "0"


@pytest.mark.parametrize("path", ["/@%41", "/%40a", "/%40A?x=..", "/%40a/%2f"])
def test_escapes_that_separate_nothing_get_around_no_route(path):
    assert taken(routes(Match(path="/@a"), Match(path="/@A"), Match()), path) in ("0", "1")


def test_no_route_is_another_than_one():
    with pytest.raises(RequestError, match="to admin, and to none"):
        Routes([Route("admin", Match(path="/admin"), None)]).find(request("//admin"), CLIENT)


def test_case_and_a_slash_at_the_end_make_another_path():
    table = routes(Match(path="/admin"), Match(path="=/exact"), Match())
    assert [taken(table, path) for path in ("/ADMIN", "/exact", "/exact/", "/Exact")] == ["2", "1", "2", "2"]
    assert taken(routes(Match(path="~(?i:/admin)"), Match()), "/ADMIN") == "0"


def test_a_route_of_several_hosts_is_one_wherever_it_stands():
    table = routes(Match(["a.example", "*.example"], path="~/x/?.*"), Match("a.example", "/z"))
    assert taken(table, "/x//y") == "0"


def test_routes_that_share_by_weight_are_one_for_all_readings():
    drawn = cycle([0.1, 0.9])
    table = routes(Match(path="/x", weight=1), Match(path="/x", weight=1), random=lambda: next(drawn))
    assert [taken(table, "/x/%2f;a") for _ in range(4)] == ["0", "1", "0", "1"]


def test_the_asterisk_is_for_routes_of_any_path():
    table = routes(Match(path="/x"), Match(path="~/.*"), Match(path="/"))
    assert taken(table, "*", method="OPTIONS") == "2"


# -- explain


def explained(table, *args, **kwargs):
    head = request(*args, **kwargs)
    return [(route.name, why) for route, why in table.explain(head, CLIENT, table.find(head, CLIENT))]


def test_each_route_is_explained_in_order_of_precedence():
    table = routes(
        Match(),
        Match("b.example"),
        Match(path="/api"),
        Match(path="~/.*"),
        Match(path="~/x.*"),
        Match(path="/x", methods="POST"),
        Match(path="/x", headers={"x-beta": True}),
        Match(path="/x", query={"a": True}),
        Match(path="/x"),
        Match("*.example", "=/x", clients="10.0.0.0/8"),
    )
    assert explained(table, "/x?a=1") == [
        ("1", "host is a.example, not b.example"),
        ("9", "client 192.0.2.7 is not in 10.0.0.0/8"),
        ("2", "path /x is not under /api"),
        ("5", "method is GET, accepted are POST"),
        ("6", "header x-beta is missing"),
        ("7", "taken"),
        ("8", "less specific than 7"),
        ("3", "less specific than 7"),
        ("4", "less specific than 7"),
        ("0", "less specific than 7"),
    ]


def test_ties_are_explained_by_the_order_written():
    table = routes(
        Match(path="/x", methods="GET"), Match(path="/x", query={"a": True}), Match(path="~/x"), Match(path="~/.*")
    )
    assert explained(table, "/x?a") == [
        ("0", "taken"),
        ("1", "as specific as 0, and written after it"),
        ("2", "less specific than 0"),
        ("3", "less specific than 0"),
    ]
    assert explained(routes(Match(path="~/x"), Match(path="~/.*")), "/x") == [
        ("0", "taken"),
        ("1", "as specific as 0, and written after it"),
    ]


def test_shares_are_explained():
    assert explained(shares(90, 10, 0, random=lambda: 0.95)) == [
        ("0", "weight is 90 of 100, and 1 was drawn"),
        ("1", "taken"),
        ("2", "weight is 0 of 100, and 1 was drawn"),
    ]


def test_a_route_of_several_hosts_is_explained_once_and_by_the_one_it_is_found_by():
    table = routes(Match(["b.example", "*.example"]), Match("a.example"), Match("*.example", methods="GET"))
    assert explained(table) == [("1", "taken"), ("2", "less specific than 1"), ("0", "less specific than 1")]
    assert explained(table, host="b.example") == [
        ("0", "taken"),
        ("1", "host is b.example, not a.example"),
        ("2", "less specific than 0"),
    ]


def test_where_nothing_is_taken_each_says_why():
    assert explained(routes(Match("b.example"), Match(path="/y")), "/x/%2e%2e/w") == [
        ("0", "host is a.example, not b.example"),
        ("1", "path /w is not under /y"),
    ]


# -- the index against the rule


SEGMENTS = st.sampled_from(["a", "b", "", "..", ".", "%2e%2e", "%61", "a;b", "a%2Fb", "..\\a", "%2561"])
PATHS = st.lists(SEGMENTS, max_size=4).map(lambda segments: "/" + "/".join(segments))
PLAIN_PATHS = st.lists(st.sampled_from(["a", "b"]), max_size=3).map(lambda segments: "/" + "/".join(segments))
PATTERNS = st.one_of(
    st.just(""),
    PLAIN_PATHS,
    PLAIN_PATHS.map("=".__add__),
    st.sampled_from(["~/a/.*", "~/a/?b?", "~.*b", "~/b/[ab]|/a", "~/b/a/?", "~/(a|b)/.*", "~/b/.*"]),
)
HOSTS = st.lists(st.sampled_from(["a.b.c", "*.b.c", "*.c", "b.c"]), max_size=2)
MATCHES = st.builds(
    Match,
    HOSTS,
    PATTERNS,
    st.lists(st.sampled_from(["GET", "PUT"]), max_size=2),
    st.dictionaries(st.just("x"), st.sampled_from(["1", "~.", True]), max_size=1),
)
REQUESTS = st.builds(
    request,
    PATHS,
    st.sampled_from(["a.b.c", "x.b.c", "b.c:80", "c", "X.Y.C."]),
    st.sampled_from(["GET", "PUT"]),
    st.sampled_from([(), [(b"X", b"1")], [(b"X", b"2")]]),
)


@pytest.mark.no_cover
@settings(max_examples=500)
@given(st.lists(MATCHES, max_size=8), st.lists(REQUESTS, min_size=1, max_size=5))
def test_the_index_finds_the_first_that_matches(matches, requests):
    try:
        table = routes(*matches)
    except ConfigError:
        # Leave out those that can never be taken, one after the other, as somebody would who reads the error.
        kept = []
        for match in matches:
            try:
                routes(*kept, match)
            except ConfigError:
                continue
            kept.append(match)
        table = routes(*kept)
    for head in requests:
        host = host_of(head.authority)
        # in the order in which they are taken, which is the same for all paths
        ordered = [route for route, _ in table.explain(request(host=head.authority.decode()), CLIENT, None)]
        firsts = [
            next((route for route in ordered if not route.match.why_not(host, path, head, CLIENT)), None)
            for path in readings(head.path)
        ]
        if len(set(firsts)) > 1:
            with pytest.raises(RequestError):
                table.find(head, CLIENT)
            continue
        assert table.find(head, CLIENT) is firsts[0]
        said = table.explain(head, CLIENT, firsts[0])
        assert [route for route, _ in said] == ordered
        assert [route for route, why in said if why == "taken"] == [route for route in firsts[:1] if route]
        assert all(why for _, why in said)
