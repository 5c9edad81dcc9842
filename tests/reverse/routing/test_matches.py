"""Which requests a route is for."""

import pytest

from txproxy.errors import ConfigError
from txproxy.reverse.routing.matches import Match, host_of
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

CLIENT = context_of("192.0.2.7")


def why_not(match, host="a.example", path=b"/", method=b"GET"):
    return match.why_not(host, path, RequestHead(method, path, Headers()), CLIENT)


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        (b"A.Example", "a.example"),
        (b"a.example:8080", "a.example"),
        (b"a.example:", "a.example"),
        (b"a.example.:80", "a.example"),
        (b"a.example..", "a.example."),
        (b"[::1]:80", "::1"),
        (b"[0:0::1]", "::1"),
        (b"127.0.0.1", "127.0.0.1"),
        (b"%61.example", "%61.example"),
        (b"0x7f.1:80", "0x7f.1"),
        (b"[::ffff:7f00:1]", "127.0.0.1"),
        (b"", ""),
        (b"a b", ""),
        (b"u@a.example", ""),
    ],
)
def test_the_host_of_an_authority(authority, host):
    # The second time it is remembered.
    assert [host_of(authority), host_of(authority)] == [host, host]
    assert host_of(authority + b"a" * 301) == ""


def test_hosts_may_be_matched_by_an_expression():
    assert why_not(Match(hosts=["~[ab]\\.example"])) == ""
    assert why_not(Match(hosts=["~b.*", "c.example"])) == "host is a.example, not ~b.* or c.example"
    with pytest.raises(ConfigError, match=r"^hosts: '~\(' is no regular expression"):
        Match(hosts=["~("])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("api", "'api' is no path; accepted are /prefix, =/exact and ~regex"),
        ("=api", "'api' is no path; accepted is a path such as /api"),
        ("=", "'' is no path"),
        ("/a?b", "'/a\\?b' is no path"),
        ("~(", "is no regular expression"),
        ("~a{2,1}", "is no regular expression"),
        ("^/x", "is no path"),
    ],
)
def test_what_is_no_path_pattern_is_refused(text, fault):
    with pytest.raises(ConfigError, match="^path: .*" + fault):
        Match(path=text)


@pytest.mark.parametrize(
    ("match", "request_", "why"),
    [
        (Match(), {}, ""),
        (Match("*.example", "/", "GET"), {}, ""),
        (Match("b.example"), {}, "host is a.example, not b.example"),
        (Match(["b.example", "*.c.example"]), {"host": ""}, "host is missing, not b.example or *.c.example"),
        (Match(path="/api"), {"path": b"/x"}, "path /x is not under /api"),
        (Match(path="=/api"), {"path": b"/api/"}, "path /api/ is not /api"),
        (Match(path="~/[a-z]"), {"path": b"/7"}, "path /7 does not match ~/[a-z]"),
        (Match(path="/a"), {"path": b"/%7B\\"}, "path /%7B\\ is not under /a"),
        (Match(methods="POST"), {}, "method is GET, accepted are POST"),
        (Match(headers={"X-Beta": True}), {}, "header x-beta is missing"),
        (Match(query={"page": "2"}), {}, "query parameter page is missing"),
        (Match(clients="10.0.0.0/8"), {}, "client 192.0.2.7 is not in 10.0.0.0/8"),
        # the first that fails, in this order
        (Match("b.example", "/api", methods="POST"), {}, "host is a.example, not b.example"),
        (Match("a.example", "/api", methods="POST"), {}, "path / is not under /api"),
    ],
)
def test_a_match_says_why_not(match, request_, why):
    assert why_not(match, **request_) == why


def test_all_faults_of_a_match_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        Match(
            ["a:80", "ok.example", "*"],
            "api",
            ["get"],
            {"x y": "z", "x": "~("},
            {"q": "~["},
            ["10.0.0.1/8"],
            weight=-1,
        )
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "hosts",
        "hosts",
        "path",
        "methods",
        "headers",
        "headers",
        "query",
        "clients",
        "weight",
    ]
    assert all("accepted" in line for line in lines)


@pytest.mark.parametrize("weight", [-1, 1.5, True, "5", 1000001])
def test_what_is_no_weight_is_refused(weight):
    with pytest.raises(ConfigError, match=r"weight: .* is no weight; accepted is a whole number"):
        Match(weight=weight)


def test_matches_are_values():
    assert Match("a.example", headers={"x": True}) == Match(["a.example"], headers=[("x", True)])
    assert len({Match("a.example"), Match("a.example"), Match("b.example")}) == 2
