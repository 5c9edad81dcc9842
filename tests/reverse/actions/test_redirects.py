"""Answers that send the client elsewhere."""

import pytest

from txproxy.errors import ConfigError, RequestError
from txproxy.reverse.actions.redirects import TO_HTTPS, Redirect
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def location(target, path=b"/x/y?a=b", authority=b"A.Example:8080", method=b"GET"):
    head = RequestHead(method, path, Headers(), authority=authority)
    return Redirect(target).location(head, context_of("192.0.2.7"))


@pytest.mark.parametrize(
    ("target", "where"),
    [
        (TO_HTTPS, b"https://a.example/x/y?a=b"),
        ("https://$host:8443$path", b"https://a.example:8443/x/y"),
        ("$scheme://www.$host/", b"http://www.a.example/"),
        ("https://b.example", b"https://b.example"),
        ("HTTPS://b.example?$query", b"HTTPS://b.example?a=b"),
        ("https://b.example/old$path#top", b"https://b.example/old/x/y#top"),
        ("http://[::1]:80/$$", b"http://[::1]:80/$"),
        ("/new$path?$query", b"/new/x/y?a=b"),
        ("$path/", b"/x/y/"),
        ("/login?from=$path&by=$client_ip", b"/login?from=/x/y&by=192.0.2.7"),
        ("/", b"/"),
    ],
)
def test_targets(target, where):
    assert location(target) == where


def test_a_query_that_is_none_leaves_no_mark():
    assert location(TO_HTTPS, path=b"/x") == b"https://a.example/x"


def test_it_has_a_status_and_a_line():
    redirect = Redirect("/x", 308)
    assert redirect.status == 308
    assert redirect.lines(RequestHead(b"GET", b"/", Headers()), context_of("::1")) == (b"Location: /x",)
    assert Redirect("/x").status == 302


@pytest.mark.parametrize(
    ("target", "path", "where"),
    [
        # RFC 3986 4.2: two slashes would name a server
        ("$path/", b"//evil.example", b"/.//evil.example/"),
        ("$path", b"/\\evil.example", b"/./\\evil.example"),
        ("/$path", b"/evil.example", b"/.//evil.example"),
        ("/$path", b"//evil.example", b"/.///evil.example"),
        ("/$query", b"/?/evil.example", b"/.//evil.example"),
        ("/$query", b"/?\\evil.example", b"/./\\evil.example"),
        # nothing of the client's but its host gets into the authority
        (TO_HTTPS, b"//evil.example/x", b"https://a.example//evil.example/x"),
        (TO_HTTPS, b"*", b"https://a.example/"),
        ("https://b.example$path", b"*", b"https://b.example/"),
        ("https://b.example?$query", b"/?@evil.example", b"https://b.example?@evil.example"),
    ],
)
def test_what_a_client_sends_leads_to_no_other_server(target, path, where):
    assert location(target, path) == where


def test_who_named_no_host_is_sent_to_none():
    with pytest.raises(RequestError, match="Host is missing"):
        location(TO_HTTPS, authority=b"")
    assert location("/new$path", authority=b"") == b"/new/x/y"


@pytest.mark.parametrize(
    "target",
    [
        "",
        "x",
        "?a",
        "//b.example",
        "/\\b.example",
        "https:/x",
        "https://",
        "https:///x",
        "ftp://b.example/",
        "javascript:alert(1)",
        "$host/x",
        "https://$path",
        "https://$method/x",
        "https://b.example$query",
        "https://b.example$client_ip/x",
        "https://b.example.${host}x$method",
        "https://u@b.example/",
        "https://b.example\\x",
        "https://b.example/a b",
        "https://b.example/é",
        "https://bücher.example/",
        "/a\r\nX: y",
        "/a\0b",
        "/a\0path\0",
        '/a"b',
        "/<x>",
    ],
)
def test_what_is_no_target_is_refused(target):
    with pytest.raises(ConfigError, match=r"target: .* is no place to go to; accepted are URLs") as caught:
        Redirect(target)
    assert "\n" not in str(caught.value)


def test_unknown_variables_and_statuses_are_refused():
    with pytest.raises(ConfigError, match=r"target: '/\$upstream': \$upstream is no variable"):
        Redirect("/$upstream")
    for status in (200, 300, 304, 305, 400, "302", None):
        with pytest.raises(ConfigError, match=r"status: .* accepted are 301, 302, 303, 307, 308"):
            Redirect("/x", status)
