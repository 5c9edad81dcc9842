"""URLs that become others."""

import pytest

from txproxy.errors import ConfigError
from txproxy.reverse.rewriting.location_mapping import LocationMapping, mapped_location
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

HEAD = RequestHead(b"GET", b"/api/x?y=z", Headers(), authority=b"A.example:8443")


def of(url, *pairs):
    mappings = [LocationMapping.parse(*pair) for pair in pairs]
    return mapped_location(url, mappings, HEAD, context_of("192.0.2.7", "https"))


@pytest.mark.parametrize(
    ("url", "pair", "wanted"),
    [
        (b"http://b/x", ("http://", "https://"), b"https://b/x"),
        (b"http://b/x", ("http://b", "$scheme://$host"), b"https://a.example/x"),
        (b"http://c/x", ("http://b", "/"), None),
        (b"HTTP://b/x", ("http://b", "/"), None),
        (b"/a$b", ("/a", "/$$"), b"/$$b"),
        (b"http://b/x/1", (r"~(?i)HTTP://[^/]+/(?P<what>\w+)/(\d)", "/${what}s/$2"), b"/xs/1"),
        (b"http://b/x/1?y", (r"~http://[^/]+/(\w+)/(\d)", "/$1"), None),
        (b"/x", ("~/(y)?x", "/$1z"), b"/z"),
        # A group is the expression's own, whatever else has its name.
        (b"http://b/x", ("~http://(?P<host>[^/]+)(?P<path>/.*)", "/$host$path"), b"/b/x"),
        (b"http://b/x", ("~http://(?P<query>.)/x", "/c?$query"), b"/c?b"),
        (b"/x", ("~/x", "/c?$query"), b"/c?y=z"),
        # No other server is named but by who has configured it, or by who has sent it.
        (b"http://b//c.example/", ("http://b/", "/"), b"/.//c.example/"),
        (b"http://b/\\c.example/", ("~http://b(.*)", "$1"), b"/./\\c.example/"),
        (b"http://b/c", ("http://b/", "//d.example/"), b"//d.example/c"),
        (b"//b/c", ("~(.*)b(.*)", "$1d$2"), b"//d/c"),
    ],
)
def test_what_becomes_of_a_url(url, pair, wanted):
    assert of(url, pair) == wanted


def test_the_first_that_knows_it_counts():
    assert of(b"/a/b", ("/a/b", "/1"), ("/a", "/2")) == b"/1"
    assert of(b"/a/c", ("/a/b", "/1"), ("/a", "/2")) == b"/2/c"
    assert of(b"/c") is None


@pytest.mark.parametrize(
    "pair", [("", "/"), ("~(", "/"), ("/a", ""), ("/a", "/a b"), ("/a", "/\n"), ("/a", "/$1"), ("/a", "/$upstream")]
)
def test_what_is_none_is_refused(pair):
    with pytest.raises(ConfigError, match="accepted"):
        LocationMapping.parse(*pair)
