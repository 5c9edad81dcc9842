"""A request as a short function sees it."""

import pytest

from txproxy.interfaces import Headers, Request, RequestHead
from txproxy.testing import context_of


def request_of(method=b"GET", path=b"/a/b?c=d", authority=b"shop.example:81", **more):
    return Request(RequestHead(method, path, Headers([(b"X", b"1")]), authority, **more), context_of("10.0.0.1"))


def test_what_it_says():
    request = request_of()
    assert (request.method, request.host, request.path, request.query) == ("GET", "shop.example:81", "/a/b", "c=d")
    assert request.url == "http://shop.example:81/a/b?c=d" == str(request)[12:-1]
    assert request.scheme == "http" and request.client == "10.0.0.1"
    assert request.user is None and request.route == "" and request.headers.get("x") == "1"
    request.context.user, request.context.rule = "bob", "api"
    assert (request.user, request.route) == ("bob", "api")


@pytest.mark.parametrize(
    ("request_", "url"),
    [
        (request_of(scheme=b"https"), "https://shop.example:81/a/b?c=d"),
        (request_of(b"CONNECT", b"", b"a.example:443"), "a.example:443"),
    ],
)
def test_urls(request_, url):
    assert request_.url == url


def test_changes_of_its_fields_make_another_head():
    request = request_of()
    head = request.head
    assert request.changed_head() is head
    assert request.headers.get("X") and request.changed_head() is head
    request.headers.set("Y", "2")
    changed = request.changed_head()
    assert changed is not head and changed.headers.lines == [b"X: 1", b"Y: 2"] and head.headers.lines == [b"X: 1"]
    assert request.changed_head() is changed and request.headers.get("y") == "2"
