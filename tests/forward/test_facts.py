"""One spelling for each host and path, so that no other goes around a rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.forward.facts import Facts, Url, path_spellings
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def facts(method=b"GET", scheme=b"http", path=b"/", host="example.com", port=80):
    return Facts(RequestHead(method, path, Headers(), scheme=scheme), "127.0.0.1", host, port)


@pytest.mark.parametrize(
    ("path", "spellings"),
    [
        ("/a/b?c=d", ("/a/b?c=d",)),
        ("/%70rivate/%2f%3F", ("/private/%2F%3F",)),
        ("/a/../private/x", ("/private/x",)),
        ("/a/%2e%2E/private/./x", ("/private/x",)),
        ("/../../x", ("/x",)),
        ("/a/b/..", ("/a/",)),
        ("/a/.", ("/a/",)),
        ("/.hidden", ("/.hidden",)),
        ("//private/x", ("//private/x", "/private/x")),
        ("/a//../private", ("/a/private", "/private")),
        ("/r?u=http://x/../y", ("/r?u=http://x/../y",)),
    ],
)
def test_a_path_has_one_spelling_or_two_where_servers_disagree(path, spellings):
    assert path_spellings(path) == spellings


@given(st.text(alphabet="/.?%2ea", max_size=30))
def test_normal_paths_are_their_own(text):
    for spelling in path_spellings("/" + text):
        assert spelling.startswith("/")
        before = spelling.partition("?")[0]
        assert "/../" not in before and "/./" not in before


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
        (facts(path=b"/a/../b?c"), "http://example.com/b?c"),
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
    assert [url.text for url in given.urls] == [text]
    assert given.urls is given.urls


def test_a_url_shows_itself():
    assert repr(Url("http", "a", 80, "/")) == "Url('http://a/')"
