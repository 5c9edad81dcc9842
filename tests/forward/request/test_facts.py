"""One spelling for each host and path, so that no other goes around a rule."""

import pytest

from txproxy.forward.request.facts import Facts
from txproxy.matching.urls import Url, normal_pattern
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def facts(method=b"GET", scheme=b"http", path=b"/", host="example.com", port=80):
    return Facts(RequestHead(method, path, Headers(), scheme=scheme), "127.0.0.1", host, port)


@pytest.mark.parametrize(
    ("path", "text", "others"),
    [
        (b"/a/b?c=d", "/a/b?c=d", set()),
        (b"/%70rivate/%3f", "/private/%3F", {"/private/"}),
        (b"/a%40b?x=%40%7e", "/a%40b?x=%40~", {"/a@b?x=%40~"}),
        (b"/a/../private/x", "/private/x", {"/a/../private/x"}),
        (b"/.hidden", "/.hidden", set()),
        (b"//private/x?//", "//private/x?//", {"/private/x?//"}),
        (b"/a//../private", "/a/private", {"/private", "/a//../private", "/a/../private"}),
        (b"/a/..%2fprivate", "/a/..%2Fprivate", {"/private", "/a/../private"}),
        (b"/r?u=http://x/../y;%2f", "/r?u=http://x/../y;%2F", set()),
    ],
)
def test_a_url_is_compared_by_each_reading_of_its_path(path, text, others):
    given = facts(path=path)
    assert given.url.text == "http://example.com" + text
    # what separates nothing is compared without an escape
    assert {url.path for url in given.urls} - {text} == others


def test_facts_by_one_reading_have_no_other():
    given = facts(path=b"//a")
    given.user, given.addresses = "alice", ("192.0.2.1",)
    for url in given.urls:
        other = given.by(url)
        assert (other.urls, other.url) == ((url,), url)
        assert (other.user, other.addresses, other.host) == ("alice", ("192.0.2.1",), "example.com")


@pytest.mark.parametrize(
    ("pattern", "normal"),
    [
        ("*/a b/*", "*/a b/*"),
        ("*/%61%40%2f%e4*", "*/a@%2F%E4*"),
        ("*/%2A?x=%40%61", "*/??x=%40a"),
        ("*/x?a=%40%61", "*/x?a=%40a"),
        ("*/\udce4%61", "*/\udce4a"),
    ],
)
def test_patterns_have_their_escapes_as_urls_do(pattern, normal):
    assert normal_pattern(pattern) == normal


@pytest.mark.parametrize(
    ("method", "scheme", "told"),
    [
        (b"GET", b"http", "http"),
        (b"GET", b"ws", "http"),
        (b"GET", b"https", "https"),
        (b"GET", b"wss", "https"),
        (b"CONNECT", None, "connect"),
    ],
)
def test_the_scheme_of_a_tunnel_is_connect(method, scheme, told):
    assert facts(method, scheme).scheme == told


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (facts(port=8080), "http://example.com:8080/"),
        (facts(scheme=b"wss", port=443), "https://example.com/"),
        (facts(scheme=b"https", port=80), "https://example.com:80/"),
        (facts(host="[::1]", port=81), "http://[::1]:81/"),
        (facts(b"OPTIONS", path=b"*"), "http://example.com/"),
        (facts(b"CONNECT", None, b"", port=443), "https://example.com/"),
        (facts(b"CONNECT", None, b"", port=80), "http://example.com/"),
        (facts(b"CONNECT", None, b"", port=8443), "https://example.com:8443/"),
    ],
)
def test_the_url_of_a_request(given, text):
    assert [url.text for url in given.urls] == [given.url.text] == [text]
    assert given.urls is given.urls


def test_a_url_shows_itself():
    assert repr(Url("http", "a", 80, "/")) == "Url('http://a/')"
