"""Which route is taken, and why the others are not."""

from collections import Counter
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txproxy.errors import ConfigError, RequestError
from txproxy.matching.paths import readings
from txproxy.reverse.routing.matches import Match, host_of
from txproxy.reverse.routing.routes import Route, Routes, by_client_ip
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

CLIENT = context_of("192.0.2.7")


def request(target="/", host="a.example", method="GET", fields=()):
    return RequestHead(method.encode(), target.encode(), Headers(fields), authority=host.encode())


def routes(*matches, **options):
    """Routes named by their number."""
    return Routes([Route(str(number), match, None) for number, match in enumerate(matches)], **options)


def taken(table, *args, **kwargs):
    found = table.find(request(*args, **kwargs), CLIENT)
    return found and found.name


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


# -- paths


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


# -- conditions


def test_more_conditions_come_first_and_then_the_order_written():
    table = routes(
        Match(path="/x"),
        Match(path="/x", methods="GET"),
        Match(path="/x", headers={"x-a": True}),
        Match(path="/x", methods="GET", headers={"x-a": True}),
        Match(path="/x", headers={"x-a": True, "x-b": True, "x-c": "1"}),
    )
    a, b, c = (b"X-A", b"1"), (b"X-B", b"1"), (b"X-C", b"1")
    assert taken(table, "/x", method="PUT") == "0"
    assert taken(table, "/x") == "1"
    assert taken(table, "/x", method="PUT", fields=[a]) == "2"
    assert taken(table, "/x", fields=[a]) == "3"
    assert taken(table, "/x", fields=[a, b, c]) == "4"


def test_where_conditions_fail_the_next_less_specific_is_asked():
    table = routes(
        Match("a.example", "=/x/y", methods="PUT"),
        Match("a.example", "/x/y", methods="PUT"),
        Match("a.example", "/x/", methods="PUT"),
        Match("a.example", "/x", methods="PUT"),
        Match("a.example", "~.*", methods="PUT"),
        Match("a.example", methods="PUT"),
        Match("*.example", methods="PUT"),
        Match(),
    )
    assert taken(table, "/x/y") == "7"
    assert taken(table, "/x/y", method="PUT") == "0"


def test_query_and_client_conditions():
    table = routes(Match(), Match(query={"beta": "1"}), Match(clients=["10.0.0.0/8"]))
    assert taken(table, "/?beta=1") == "1"
    assert table.find(request(), context_of("10.1.1.1")).name == "2"
    assert taken(table, "/?beta=2") == "0"


# -- weights


def shares(*weights, **options):
    return routes(*(Match("a.example", weight=weight) for weight in weights), **options)


def test_routes_that_match_the_same_share_by_weight():
    points = cycle(number / 100 for number in range(100))
    table = shares(90, 0, 10, random=lambda: next(points))
    assert Counter(taken(table) for _ in range(200)) == {"0": 180, "2": 20}


@pytest.mark.parametrize(("point", "name"), [(0.0, "1"), (0.4999, "1"), (0.5, "2"), (1 - 2**-53, "2")])
def test_the_ends_of_a_share(point, name):
    assert taken(shares(0, 5, 5, 0, random=lambda: point)) == name


def test_what_is_the_same_does_not_depend_on_how_it_is_written():
    points = cycle([0.1, 0.9])
    table = routes(
        Match(["a.example", "b.example"], methods=["GET", "PUT"], headers={"x": True, "y": "1"}, weight=1),
        Match(["B.example.", "A.example"], methods=["PUT", "GET"], headers={"Y": "1", "X": True}, weight=1),
        random=lambda: next(points),
    )
    fields = [(b"X", b""), (b"Y", b"1")]
    assert [
        taken(table, host=host, fields=fields) for host in ("a.example", "a.example", "b.example", "b.example")
    ] == [
        "0",
        "1",
        "0",
        "1",
    ]


def test_a_share_is_only_where_both_are():
    table = routes(Match(["a.example", "b.example"], weight=1), Match("a.example", weight=1), random=lambda: 0.9)
    assert [taken(table, host=host) for host in ("a.example", "b.example")] == ["1", "0"]


def test_sticky_shares_keep_a_client_and_are_near_their_weights():
    table = shares(90, 10, sticky=by_client_ip)
    clients = [context_of(f"10.0.{number >> 8}.{number & 255}") for number in range(20000)]
    first = [table.find(request(), client).name for client in clients]
    assert [table.find(request(), client).name for client in clients] == first
    # 2000 are due; the hash is no other tomorrow, and 200 is more than four times the standard deviation
    assert abs(first.count("1") - 2000) < 200


def test_a_share_that_grows_keeps_its_clients():
    clients = [context_of(f"10.0.0.{number}") for number in range(256)]

    def canaries(*weights):
        table = shares(*weights, sticky=by_client_ip)
        return {client for client in clients if table.find(request(), client).name == "1"}

    assert canaries(95, 5) < canaries(80, 20) < canaries(10, 90)


# -- routes that make no sense


def refusal(*matches, names=None):
    with pytest.raises(ConfigError) as caught:
        Routes([Route(name, match, None) for name, match in zip(names or "abcdefgh", matches, strict=False)])
    return str(caught.value)


def test_names_are_unique():
    assert refusal(Match("a"), Match("b"), Match("c"), names=["x", "y", "x"]) == (
        "route 'x' is there 2 times; accepted is a name of its own for each"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Match(), Match()),
        (Match(), Match(path="/")),
        (Match("a.example", "/x"), Match("A.example.", "/%78")),
        (Match(["a.example", "b.example"]), Match("b.example")),
        (Match(methods=["GET", "PUT"]), Match(methods=["PUT", "GET"])),
        (Match(methods=["GET", "PUT"]), Match(methods=["GET"])),
        (Match(headers={"x": True}), Match(headers={"X": "1"})),
        (Match(clients="10.0.0.0/8"), Match(clients="10.1.0.0/16")),
        (Match(path="~/a"), Match(path="~/a")),
        (Match(methods="GET", headers={"x": True}), Match(methods="GET", headers={"x": "~a"})),
        (Match(query={"a": True}), Match(query={"a": "1"})),
    ],
)
def test_a_route_that_can_never_be_taken_is_refused(first, second):
    assert refusal(first, second) == (
        "route 'b' can never be taken: 'a' matches all that it does, and comes first; accepted is another match, or a "
        "weight for each"
    )


def test_two_patterns_for_the_same_hosts_cannot_both_be_taken():
    assert "'b' can never be taken" in refusal(Match(".a.example"), Match("*.a.example"))
    assert "'b' can never be taken" in refusal(Match(".a.example"), Match(".A.example."))


def test_a_route_is_shadowed_if_each_of_its_hosts_is():
    said = refusal(Match("a.example"), Match("b.example"), Match(["a.example", "b.example"]))
    assert said.startswith("route 'c' can never be taken: 'a' matches all")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Match("a.example"), Match(["a.example", "b.example"])),
        (Match(methods="GET"), Match(methods=["GET", "PUT"])),
        (Match(headers={"x": "1"}), Match(headers={"x": True})),
        (Match(), Match(methods="GET")),
        (Match(path="/a"), Match(path="/a/")),
        (Match(path="/a"), Match(path="=/a")),
        (Match(path="~/a"), Match(path="~/a", methods="GET")),
        (Match("*.example"), Match("a.example")),
        (Match(headers={"x": True}), Match(query={"x": True})),
    ],
)
def test_a_route_that_is_left_something_is_not(first, second):
    assert len(routes(first, second).routes) == 2


def test_a_share_needs_a_weight_for_each_and_one_above_zero():
    assert refusal(Match(weight=1), Match()) == (
        "routes 'a' and 'b' match the same, and not all have a weight; accepted is one for each"
    )
    assert refusal(Match(weight=0), Match(weight=0)) == (
        "route 'a' and 'b': no weight is above 0, so that none can be taken; accepted is one that is"
    )


def test_a_share_can_be_shadowed():
    said = refusal(Match(methods=["GET", "PUT"]), Match(methods="GET", weight=1), Match(methods="GET", weight=1))
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "route 'b' can never be taken",
        "route 'c' can never be taken",
    ]


def test_all_faults_are_told_at_once():
    said = refusal(Match("a"), Match("a"), Match("b", weight=0), Match("c"), names=["x", "y", "z", "x"])
    assert len(said.splitlines()) == 3


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
