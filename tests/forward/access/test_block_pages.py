"""The page that says why."""

import pytest

from txproxy import ForwardProxyFactory
from txproxy.forward.access.block_pages import block_page
from txproxy.testing import ProxyInMemory

URL = 'http://ads.example/?q=<script>alert("x")</script>&y'


def test_programs_get_plain_text():
    kind, body = block_page("ads.example is on the list ads", "http://ads.example/", "ads")
    assert kind == b"text/plain; charset=utf-8"
    assert body == (
        b"Blocked: this proxy does not allow the request.\n"
        b"Address: http://ads.example/\nReason: ads.example is on the list ads\nList: ads\n"
    )


def test_browsers_get_a_page_in_which_nothing_is_markup():
    kind, body = block_page("<b>no</b>", URL, "<i>", html=True)
    assert kind == b"text/html; charset=utf-8"
    text = body.decode()
    assert text.startswith("<!DOCTYPE html>") and text.endswith("</html>\n")
    assert "<script" not in text and "<b>" not in text and "<i>" not in text
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;y" in text
    assert "<dt>Reason</dt><dd>&lt;b&gt;no&lt;/b&gt;</dd>" in text and "<dt>List</dt><dd>&lt;i&gt;</dd>" in text


def test_what_is_not_known_is_left_out():
    assert b"List" not in block_page("no", "host:443")[1]
    assert b"<dt>List" not in block_page("no", "host:443", html=True)[1]
    assert b"Reason" not in block_page("", "host:443")[1]


def test_nothing_makes_a_line_of_its_own_or_breaks_the_encoding():
    body = block_page("a\r\nList: fake\x1b[31m", "http://x/\udcff\u2028", html=False)[1]
    assert body.decode().splitlines()[1:] == ["Address: http://x/??", "Reason: a??List: fake?[31m"]
    assert len(block_page("no", "http://x/" + "y" * 10_000)[1]) < 700


@pytest.mark.parametrize(("accept", "kind"), [(b"text/html,*/*", b"text/html"), (b"*/*", b"text/plain")])
def test_who_opens_the_proxy_as_a_site_is_told_what_it_is(accept, kind):
    proxy = ProxyInMemory(lambda reactor: ForwardProxyFactory(reactor=reactor))
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:3128\r\nAccept: " + accept + b"\r\n\r\n")
    head, _, body = client.received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ") and b"Content-Type: " + kind in head
    assert b"This is an HTTP proxy, and no web site." in body and body.startswith(b"<!DOCTYPE") is (
        kind == b"text/html"
    )
    proxy.close()


def test_a_client_that_may_not_use_the_proxy_is_told_so():
    proxy = ProxyInMemory(lambda reactor: ForwardProxyFactory(reactor=reactor))
    client = proxy.connect("192.0.2.1")
    client.send(b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"Reason: 192.0.2.1 may not use this proxy" in client.received and b"Address:" not in client.received
    proxy.close()
