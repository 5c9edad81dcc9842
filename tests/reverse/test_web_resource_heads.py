"""Heads that twisted.web has read are read once more, as strictly as those of our own ports."""

import io

import pytest
from twisted.web.http_headers import Headers as SiteHeaders

from txproxy.errors import RequestError
from txproxy.reverse.web_resource_heads import below, head_of, to_slash
from txproxy.wire.size_limits import WireLimits

LIMITS = WireLimits(max_body=10)


class Request:
    """What twisted.web has of a request."""

    clientproto = b"HTTP/1.1"

    def __init__(self, uri=b"/api/x?y=z", fields=(), body=b"", postpath=(b"x",), method=b"GET"):
        self.method, self.uri, self.postpath = method, uri, list(postpath)
        self.requestHeaders = SiteHeaders()
        for name, value in ((b"Host", b"a.example"), *fields):
            self.requestHeaders.addRawHeader(name, value)
        self.content = io.BytesIO(body)


def head(request, may_change=True):
    return head_of(request, may_change, LIMITS)


def test_the_length_of_a_body_is_what_there_is_of_it():
    made = head(Request(fields=[(b"Transfer-Encoding", b"chunked")], body=b"hello", method=b"POST"))
    assert made.body == 5 and b"Content-Length: 5" in made.headers.lines
    assert b"transfer-encoding" not in made.headers.index
    assert head(Request()).body == 0 and b"content-length" not in head(Request()).headers.index


def test_a_body_that_is_too_large_is_a_413():
    with pytest.raises(RequestError) as caught:
        head(Request(body=b"x" * 11, method=b"POST"))
    assert caught.value.status == 413


@pytest.mark.parametrize(
    "request_", [Request(uri=b"/a b"), Request(fields=[(b"X-A", b"\x00")]), Request(fields=[(b"Host", b"b")])]
)
def test_what_no_port_of_ours_takes_is_not_taken_here(request_):
    with pytest.raises(RequestError):
        head(request_)


def test_what_the_site_has_done_already_is_left_out():
    fields = [(b"Expect", b"100-continue"), (b"Connection", b"upgrade"), (b"Upgrade", b"w")]
    assert b"expect" not in head(Request(fields=fields)).headers.index
    assert (
        head(Request(fields=fields)).upgrade == b"w" and head(Request(fields=fields), may_change=False).upgrade is None
    )


def test_what_is_below_the_resource_is_appended_to_the_path():
    request = Request()
    made = below(head(request), request, b"/v1")
    assert (made.path, made.mount, made.query, made.bare) == (b"/v1/x?y=z", b"/api", b"?y=z", False)


def test_the_resource_itself_is_redirected_to_its_slash():
    request = Request(uri=b"/api?y=z", postpath=())
    made = below(head(request), request, b"")
    assert made.bare
    answer = to_slash(made)
    assert (answer.status, answer.lines) == (301, (b"Location: /api/?y=z",))
    made.method = b"POST"
    assert to_slash(made).status == 308


def test_a_path_that_some_servers_find_elsewhere_is_refused():
    request = Request(uri=b"/api/..%2fsecret", postpath=(b"../secret",))
    with pytest.raises(RequestError):
        below(head(request), request, b"/v1")
