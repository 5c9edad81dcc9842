"""What a stream asks for, as HTTP/1 has it."""

from types import SimpleNamespace

import pytest
from twisted.internet.address import IPv4Address, UNIXAddress

from txproxy.errors import RequestError
from txproxy.interfaces.connection import ClientConnection
from txproxy.proxy.downstream.http2.asked_request import asked_request
from txproxy.wire.headers import Headers
from txproxy.wire.message import CHUNKED, RequestHead


def connection(scheme="http", host=None):
    made = ClientConnection("127.0.0.1", scheme)
    made.transport = SimpleNamespace(getHost=lambda: host or IPv4Address("TCP", "192.0.2.1", 3128))
    return made


def head(method=b"GET", authority=b"a", scheme=b"http", body=0):
    path = b"" if method == b"CONNECT" and not scheme else b"/"
    return RequestHead(method, path, Headers.parsed([b"host: " + authority]), authority, scheme, body, 2)


@pytest.mark.parametrize(
    ("asked", "peer", "proxied", "scheme"),
    [
        (head(), "http", False, None),
        (head(scheme=b"https"), "https", False, None),
        (head(scheme=b"https"), "http", False, b"https"),
        (head(), "http", True, b"http"),
        (head(authority=b"192.0.2.1:3128"), "http", True, None),
        (head(authority=b"192.0.2.1:3129"), "http", True, b"http"),
        (head(authority=b"192.0.2.1"), "http", True, b"http"),
        (head(authority=b"other:3128"), "http", True, b"http"),
    ],
)
def test_whoever_is_asked_is_meant_where_no_other_is(asked, peer, proxied, scheme):
    assert asked_request(asked, b"", connection(peer), proxied).scheme == scheme


def test_on_a_unix_socket_another_is_meant():
    found = asked_request(head(authority=b"a:80"), b"", connection(host=UNIXAddress(b"/x")), True)
    assert found.scheme == b"http"


def test_connect_has_no_scheme_and_no_body():
    found = asked_request(head(b"CONNECT", b"a:443", b"", CHUNKED), b"", connection(), True)
    assert (found.scheme, found.body, found.authority, found.path) == (None, 0, b"a:443", b"")


@pytest.mark.parametrize(
    ("asked", "protocol", "status"),
    [
        (head(b"CONNECT", b"a:443", b"", 5), b"", 400),
        (head(b"CONNECT", body=5), b"websocket", 400),
        (head(b"TRACE", body=CHUNKED), b"", 400),
        (head(b"CONNECT"), b"connect-udp", 501),
    ],
)
def test_what_is_not_served(asked, protocol, status):
    with pytest.raises(RequestError) as raised:
        asked_request(asked, protocol, connection(), False)
    assert raised.value.status == status


def test_a_websocket_is_an_upgrade():
    found = asked_request(head(b"CONNECT", body=CHUNKED), b"websocket", connection(), False)
    assert (found.method, found.upgrade, found.scheme, found.body) == (b"GET", b"websocket", None, 0)
