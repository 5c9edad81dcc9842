"""What a route changes in requests."""

import pytest

from txproxy.errors import ConfigError, RequestError
from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import CHUNKED, RequestHead

CLIENT = context_of("192.0.2.7", "https")


def request(path=b"/", *lines, method=b"GET"):
    return RequestHead(method, path, Headers.parsed([b"Host: A.example", *lines]), authority=b"A.example")


def path_of(path, **rewrite):
    return RequestRewrite(**rewrite).apply(request(path), CLIENT).path


def lines_of(rewrite, *lines):
    """The lines after ``Host``; the index of the new head is compared with one made afresh."""
    headers = rewrite.apply(request(b"/x?y=z", *lines), CLIENT).headers
    assert headers.index == Headers.parsed(headers.lines).index
    assert list(headers.names()) == [line.partition(b":")[0].lower() for line in headers.lines]
    assert headers.lines[0] == b"Host: A.example"
    return headers.lines[1:]


# -- requests: the path


def test_nothing_to_change_is_false():
    assert not RequestRewrite()
    assert not RequestRewrite(strip_prefix="/", add_prefix="/")
    assert (
        RequestRewrite(strip_prefix="/x")
        and RequestRewrite(add_prefix="/x")
        and RequestRewrite(pattern="x", replacement="/")
    )
    assert RequestRewrite(remove_headers="x") and RequestRewrite(add_headers={"x": "y"})


def test_all_else_of_a_head_stays():
    head = RequestHead(b"PUT", b"/a", Headers(), b"a.example", b"http", CHUNKED, 0, False)
    new = RequestRewrite(add_prefix="/b", set_headers={"X": "y"}).apply(head, CLIENT)
    assert new is not head and head.path == b"/a" and head.headers.lines == []
    assert (new.method, new.path, new.headers.lines) == (b"PUT", b"/b/a", [b"X: y"])
    assert (new.authority, new.scheme, new.body, new.minor, new.keep_alive) == (
        b"a.example",
        b"http",
        CHUNKED,
        0,
        False,
    )


@pytest.mark.parametrize(
    ("path", "stripped"),
    [
        (b"/api", b"/"),
        (b"/api/", b"/"),
        (b"/api/x?y=/api/z", b"/x?y=/api/z"),
        (b"/api?y", b"/?y"),
        (b"/apix", b"/apix"),
        (b"/x/api", b"/x/api"),
        (b"/api/api", b"/api"),
        (b"/", b"/"),
        (b"/%61pi/x", b"/x"),
        (b"/other/../api/x", b"/x"),
        (b"/api/../x", b"/x"),
        (b"/api/%2e%2e/%2e%2e/x", b"/x"),
        (b"/%61pi/x%2Cy", b"/x%2Cy"),
        (b"/api//x", b"//x"),
        (b"/api/x%2fy%zz", b"/x%2Fy%zz"),
        (b"*", b"*"),
    ],
)
@pytest.mark.parametrize("prefix", ["/api", "/api/"])
def test_a_prefix_is_stripped(prefix, path, stripped):
    assert path_of(path, strip_prefix=prefix) == stripped


@pytest.mark.parametrize(
    ("path", "made"),
    [
        (b"/", b"/v1/"),
        (b"/x?y", b"/v1/x?y"),
        (b"/../x", b"/v1/x"),
        (b"/%2e%2e/x", b"/v1/x"),
        (b"*", b"*"),
        (b"//x", b"/v1//x"),
    ],
)
@pytest.mark.parametrize("prefix", ["/v1", "/v1/"])
def test_a_prefix_is_added(prefix, path, made):
    assert path_of(path, add_prefix=prefix) == made


@pytest.mark.parametrize(
    ("path", "rewrite"),
    [
        (b"/api/..%2fx", {"strip_prefix": "/api"}),
        (b"/api/..;/x", {"strip_prefix": "/api"}),
        (b"/x/..%5capi", {"strip_prefix": "/api"}),
        (b"/api%2fx", {"strip_prefix": "/api"}),
        (b"/..%2fsecret", {"add_prefix": "/public"}),
        (b"/x/..\\..\\secret", {"add_prefix": "/public"}),
        (b"/%252e%252e/secret", {"add_prefix": "/public"}),
        (b"/api/..;/..;/secret", {"strip_prefix": "/x", "add_prefix": "/public"}),
        (b"/x/..%2fsecret", {"pattern": "/x/(.*)", "replacement": "/public/$1"}),
        (b"/x/.../secret", {"pattern": r"/x/\.(.*)", "replacement": "/public/$1"}),
        (b"/x/..;/secret", {"pattern": "/x/(.*)", "replacement": "/public/$1/y"}),
    ],
)
def test_a_path_that_a_server_may_find_outside_of_a_prefix_is_refused(path, rewrite):
    with pytest.raises(RequestError) as caught:
        path_of(path, **rewrite)
    assert caught.value.status == 400


@pytest.mark.parametrize("path", [b"/api/a%2Fb//c;d", b"/api/a%5Cb%20"])
def test_what_is_inside_by_all_readings_keeps_its_escapes(path):
    assert path_of(path, strip_prefix="/api", add_prefix="/v1") == b"/v1" + path[4:]


def test_strip_then_replace_then_add():
    rewrite = {"strip_prefix": "/api", "pattern": "/(x.*)", "replacement": "/made/$1", "add_prefix": "/v1"}
    assert path_of(b"/api/xy?q", **rewrite) == b"/v1/made/xy?q"
    assert path_of(b"/api/y?q", **rewrite) == b"/v1/y?q"


@pytest.mark.parametrize(
    ("pattern", "replacement", "path", "made"),
    [
        ("/users/([0-9]+)/?", "/u/$1", b"/users/7/?a=b", b"/u/7?a=b"),
        ("/users/([0-9]+)", "/u/$1", b"/users/x", b"/users/x"),
        ("/users", "/u", b"/users/7", b"/users/7"),
        ("(?P<lang>/[a-z]{2})(/.*)", "$2${lang}", b"/de/x", b"/x/de"),
        ("/(a)?(b)?", "/[$1][$2]$0", b"/b", b"/[][b]/b"),
        ("/(.*)", "/$$1/$1", b"/x", b"/$1/x"),
        ("/(.*)", "/$1", b"/?a?b", b"/?a?b"),
        ("/(.*)", "/sites/$host/$scheme/$1", b"/x", b"/sites/a.example/https/x"),
        ("/(?P<host>.*)", "/$host", b"/x", b"/x"),
        ("/(.*)", "$1", b"/x", b"/x"),
        ("/x(.*)", "$1", b"/x", b"/"),
        ("(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)", "/$11$1", b"/abcdefghij", b"/j/"),
        # what a pattern sees is canonical, and so is what comes of it
        ("/a/(.*)", "/b/$1", b"/a/%2e%2e/c", b"/c"),
        (r"/x/\.(.*)", "/$1", b"/x/.../z", b"/z"),
        # /y- is no segment to be inside of
        (r"/x/(.*)", "/y-$1", b"/x/a/..%2f..", b"/y-a/..%2F.."),
        ("/(.*)", "/%7euser/$1", b"/x", b"/~user/x"),
    ],
)
def test_an_expression_replaces_the_path(pattern, replacement, path, made):
    assert path_of(path, pattern=pattern, replacement=replacement) == made


def test_without_changes_of_the_path_it_is_sent_as_it_came():
    assert path_of(b"/a/%2e%2e/%7eb//?c", set_headers={"x": "y"}) == b"/a/%2e%2e/%7eb//?c"


# -- requests: fields


def test_fields_are_removed_set_and_added():
    rewrite = RequestRewrite(
        set_headers={"X-Set": "$method $path", "X-New": "n"},
        add_headers={"X-Add": ["1", "2"], "Accept": "b"},
        remove_headers=["X-Gone"],
    )
    lines = (b"Accept: a", b"x-set: old", b"X-Gone: a", b"X-Keep: k", b"x-gone: b", b"X-SET: older")
    assert lines_of(rewrite, *lines) == [
        b"Accept: a",
        b"X-Keep: k",
        b"X-Set: GET /x",
        b"X-New: n",
        b"X-Add: 1",
        b"X-Add: 2",
        b"Accept: b",
    ]


@pytest.mark.parametrize(
    ("rewrite", "lines", "after"),
    [
        ({"set_headers": {"X": "1"}}, [], [b"X: 1"]),
        ({"set_headers": {"X": "1"}}, [b"Y: 2"], [b"Y: 2", b"X: 1"]),
        ({"set_headers": {"X": "1"}}, [b"x: 2", b"Y: 3"], [b"Y: 3", b"X: 1"]),
        ({"add_headers": {"X": "1"}}, [b"x: 2", b"Y: 3"], [b"x: 2", b"Y: 3", b"X: 1"]),
        ({"add_headers": {"X": "1"}}, [b"Y: 3", b"y: 4"], [b"Y: 3", b"y: 4", b"X: 1"]),
        ({"add_headers": {"X": ["1", "2"]}}, [], [b"X: 1", b"X: 2"]),
        ({"remove_headers": "X"}, [b"Y: 3", b"x: 2", b"X: 4"], [b"Y: 3"]),
        ({"remove_headers": "X"}, [b"Y: 3"], [b"Y: 3"]),
        ({"set_headers": {"X": "1"}, "add_headers": {"X": "2"}}, [b"X: 0"], [b"X: 1", b"X: 2"]),
        ({"set_headers": {"X": ""}}, [b"X: 0"], [b"X: "]),
        ({"remove_headers": "Y", "add_headers": {"X": "1"}}, [b"Y: 3", b"Z: "], [b"Z: ", b"X: 1"]),
    ],
)
def test_changes_of_fields(rewrite, lines, after):
    assert lines_of(RequestRewrite(**rewrite), *lines) == after


def test_variables_tell_of_the_request_as_the_client_sent_it():
    client = context_of("127.0.0.1", "https")
    client.client_ip = "192.0.2.7"
    rewrite = RequestRewrite(strip_prefix="/api", set_headers={"X": "$client_ip $host $scheme $method $path $query"})
    head = rewrite.apply(request(b"/api/%78?q=1"), client)
    assert head.path == b"/x?q=1"
    assert head.headers.lines == [b"Host: A.example", b"X: 192.0.2.7 a.example https GET /api/%78 q=1"]


@pytest.mark.parametrize("name", [b"X_Team", b"x_team", b"X-Team", b"x-TEAM"])
@pytest.mark.parametrize(
    "rewrite", [{"set_headers": {"X-Team": "a"}}, {"set_headers": {"X_Team": "a"}}, {"remove_headers": "X-Team"}]
)
def test_a_client_cannot_say_under_a_lookalike_what_the_route_says(rewrite, name):
    lines = lines_of(RequestRewrite(**rewrite), name + b": forged", b"Other_Field: x")
    assert [line for line in lines if b"forged" in line] == []
    assert b"Other_Field: x" in lines and len(lines) == 1 + ("set_headers" in rewrite)


def test_a_client_cannot_have_taken_away_what_the_route_says():
    rewrite = RequestRewrite(set_headers={"X-Team": "a"}, add_headers={"X-Add": "b"})
    lines = lines_of(rewrite, b"Connection: X-Team, close, x-add, x-own", b"X-Team: 1", b"X-Add: 2", b"X-Own: 3")
    assert lines == [b"X-Own: 3", b"Connection: close, x-own", b"X-Team: a", b"X-Add: b"]
    assert lines_of(rewrite, b"Connection: x-team", b"A: b") == [b"A: b", b"X-Team: a", b"X-Add: b"]
    twice = (b"Connection: x-team", b"A: b", b"connection: upgrade", b"Upgrade: websocket")
    assert lines_of(rewrite, *twice) == [
        b"A: b",
        b"Upgrade: websocket",
        b"Connection: upgrade",
        b"X-Team: a",
        b"X-Add: b",
    ]
    assert rewrite.apply(request(b"/", *twice), CLIENT).upgrade == b"websocket"
    assert lines_of(rewrite, b"Connection: Keep-Alive")[0] == b"Connection: Keep-Alive"


def test_what_else_proxies_say_of_the_client_can_be_set_and_is_to_be_kept():
    rewrite = RequestRewrite(add_headers={"X-Forwarded-Prefix": "/api", "X-Team": "a"})
    assert rewrite.apply(request(b"/"), CLIENT).kept == {b"x-forwarded-prefix", b"x-team"}
    assert lines_of(rewrite, b"X-Forwarded-Prefix: /forged", b"X-Team: b") == [
        b"X-Team: b",
        b"X-Forwarded-Prefix: /api",
        b"X-Team: a",
    ]
    assert RequestRewrite().kept == frozenset()


def test_all_faults_of_a_request_rewrite_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        RequestRewrite(
            strip_prefix="api",
            add_prefix="/a?b",
            pattern="(",
            replacement="/x",
            set_headers={"Host": "x"},
            add_headers={"X": "$y"},
            remove_headers=["Via"],
        )
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "strip_prefix",
        "add_prefix",
        "pattern",
        "set_headers",
        "add_headers",
        "remove_headers",
    ]
    assert all("accepted" in line for line in lines)


@pytest.mark.parametrize(
    ("pattern", "replacement", "fault"),
    [
        ("", "/x", "there is no pattern"),
        ("/(.*)", "/$2", r"\$2 is no variable"),
        ("/(.*)", "/$path", r"\$path is no variable"),
        ("/(.*)", "/$1$", "a dollar stands alone"),
        ("/(.*)", "", "makes no path"),
        ("/(.*)", "x/$1", "makes no path"),
        ("/(.*)", "/$1?x=y", "makes no path"),
        ("/(.*)", "/a b", "makes no path"),
        ("/(.*)", "/é", "makes no path"),
        ("/(.*)", "/../$1", "makes no path"),
        ("/(.*)", "/a\r\n", "makes no path"),
        ("/(?P<query>.*)", "/?$query", "makes no path"),
    ],
)
def test_what_is_no_replacement_is_refused(pattern, replacement, fault):
    with pytest.raises(ConfigError, match=f"^replacement: .*{fault}") as caught:
        RequestRewrite(pattern=pattern, replacement=replacement)
    assert "accepted" in str(caught.value) and "\n" not in str(caught.value)
