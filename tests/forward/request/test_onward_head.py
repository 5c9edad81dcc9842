"""What goes on to origins, and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.alike_heads import check_each_is_as_if_alone, section, sections
from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.forward.access.content_policy import ContentRules
from txproxy.forward.access.rules import Rule
from txproxy.forward.egress.credentials_injection import Injection
from txproxy.forward.request.privacy import Privacy
from txproxy.forward.request.url_rewrites import Rewrite
from txproxy.testing import ProxyInMemory

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
STANDS = b"HTTP/1.1 200 Connection established\r\n\r\n"
TELLING = [
    b"X-Forwarded-For: 10.0.0.7", b"X-Forwarded-Host: inside", b"Forwarded: for=10.0.0.7", b"X-Real-IP: 10.0.0.7",
    b"Client-IP: 10.0.0.7", b"X-Client-IP: 10.0.0.7", b"True-Client-IP: 10.0.0.7", b"X-Cluster-Client-IP: 10.0.0.7",
    b"X-Originating-IP: 10.0.0.7", b"CF-Connecting-IP: 10.0.0.7", b"X-Remote-User: alice",
    b"Proxy-Authorization: Basic YWxpY2U6cHc=", b"Proxy-Connection: keep-alive", b"Keep-Alive: timeout=7",
]  # fmt: skip


def get(url, *lines, method=b"GET"):
    host = url.split(b"/")[2]
    return b"\r\n".join([method + b" " + url + b" HTTP/1.1", b"Host: " + host, *lines, b"", b""])


def sent(proxy, request, host="127.0.0.1"):
    """What the origin gets."""
    proxy.connect(host).send(request)
    return proxy.upstream.take()


def test_an_origin_cannot_tell_clients_apart(forward):
    proxy = forward(
        allow_clients=["0.0.0.0/0", "::/0"],
        auth=None,
        privacy=[Privacy(remove=["Referer", "Cookie", "Accept-Language"], replace={"User-Agent": "Mozilla/5.0"})],
    )
    url = b"http://origin.example/page"
    asked = [
        sent(proxy, get(url)),
        sent(proxy, get(url, *TELLING), "192.0.2.1"),
        sent(proxy, get(url, b"User-Agent: curl/8", b"Referer: http://intranet/", b"Cookie: id=7"), "2001:db8::1"),
        sent(proxy, get(url, b"user-agent: Lynx", b"Accept-Language: rm", *TELLING), "198.51.100.1"),
        sent(proxy, get(b"http://ORIGIN.example:80/page", b"Connection: Cookie, close", b"Cookie: id=8"), "10.0.0.7"),
    ]
    assert len(set(asked)) == 1
    assert b"10.0.0.7" not in asked[0]


@pytest.mark.parametrize("mode", ["on", "off", "transparent"])
def test_and_in_the_other_modes_it_can(forward, mode):
    proxy = forward(forwarded_for=mode, via=None)
    assert b"X-Forwarded-For: 10.0.0.7\r\n" in sent(proxy, get(b"http://origin.example/", *TELLING))


def test_fields_go_and_come_by_host(forward):
    proxy = forward(
        via=None,
        privacy=[
            Privacy(hosts=".tracker.example", keep=["Accept"]),
            Privacy(hosts="shop.example", remove="Referer", replace={"User-Agent": "none"}),
        ],
    )
    lines = [b"Accept: */*", b"User-Agent: curl", b"Referer: http://a/", b"Cookie: a=b"]
    assert sent(proxy, get(b"http://x.tracker.example/", *lines)).endswith(
        b"\r\nHost: x.tracker.example\r\nAccept: */*\r\n\r\n"
    )
    assert sent(proxy, get(b"http://shop.example/", *lines)).endswith(
        b"\r\nHost: shop.example\r\nAccept: */*\r\nCookie: a=b\r\nUser-Agent: none\r\n\r\n"
    )
    assert sent(proxy, get(b"http://other.example/", *lines)).count(b"\r\n") == 7


def test_what_a_body_needs_stays(forward):
    proxy = forward(via=None, privacy=[Privacy(keep=[])])
    request = get(b"http://a.example/", b"Content-Type: text/plain", b"X: y", b"Content-Length: 2", method=b"POST")
    assert sent(proxy, request + b"hi") == (
        b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
    )


def test_a_websocket_can_still_be_opened(forward):
    proxy = forward(via=None, privacy=[Privacy(keep=[])])
    lines = [b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: k", b"Sec-WebSocket-Version: 13"]
    got = sent(proxy, get(b"http://a.example/", *lines))
    assert {b"Connection: upgrade", b"Upgrade: websocket", *lines[2:]} < set(got.split(b"\r\n"))


def test_fields_of_responses_go_too(forward):
    proxy = forward(privacy=[Privacy(hosts="a.example", remove_from_responses=["Set-Cookie"])])
    client = proxy.connect()
    client.send(get(b"http://a.example/"))
    proxy.upstream.send(OK.replace(b"\r\nDate", b"\r\nset-cookie: a\r\nSet-Cookie: b\r\nX-Set-Cookie: c\r\nDate"))
    assert client.received.lower().count(b"set-cookie") == 1


# -- secrets


def secret(origin="https://api.example.com", **more):
    return Injection(origin=origin, headers={"Authorization": "Bearer s3cret"}, **more)


def test_a_secret_is_sent_in_place_of_what_the_client_says(forward):
    proxy = forward(via=None, inject=[secret()])
    request = get(b"https://api.example.com/v1", b"Authorization: Bearer guess", b"Connection: Authorization")
    got = sent(proxy, request)
    assert got == b"GET /v1 HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer s3cret\r\n\r\n"
    assert proxy.network.dialed[0].server_name == "api.example.com"


@pytest.mark.parametrize(
    "url", [b"http://api.example.com/", b"https://api.example.com:8443/", b"https://www.example.com/"]
)
def test_no_other_origin_gets_it(forward, url):
    proxy = forward(inject=[secret()])
    got = sent(proxy, get(url, b"Authorization: Bearer own"))
    assert b"s3cret" not in got and b"Authorization: Bearer own" in got


def test_one_connection_may_be_used_for_both(forward):
    proxy = forward(inject=[secret("http://api.example.com")])
    client = proxy.connect()
    for host, secret_sent in ((b"api.example.com", True), (b"www.example.com", False), (b"api.example.com", True)):
        client.send(get(b"http://" + host + b"/"))
        assert (b"s3cret" in proxy.network.connections[host != b"api.example.com"].take()) is secret_sent
        proxy.network.connections[host != b"api.example.com"].send(OK)


def test_a_redirect_is_the_clients_to_follow(forward):
    proxy = forward(inject=[secret("http://api.example.com")])
    client = proxy.connect()
    client.send(get(b"http://api.example.com/"))
    proxy.upstream.send(b"HTTP/1.1 302 Found\r\nDate: D\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n")
    assert b"\r\nLocation: http://evil.example/\r\n" in client.received
    client.send(get(b"http://evil.example/"))
    assert b"s3cret" not in proxy.upstream.received


def test_a_secret_for_some_clients_is_not_for_others(forward):
    proxy = forward(
        allow_clients=["0.0.0.0/0"],
        rules=[
            Rule(name="agents", action="allow", clients="192.0.2.1"),
            Rule(name="guests", action="allow"),
        ],
        inject=[secret("http://api.example.com", rules="agents")],
    )
    request = get(b"http://api.example.com/")
    assert b"s3cret" in sent(proxy, request, "192.0.2.1")
    proxy.advance(1)
    assert b"s3cret" not in sent(proxy, request, "192.0.2.2")


def test_what_is_rewritten_to_an_origin_gets_its_secret(forward):
    proxy = forward(
        via=None,
        rewrites=[Rewrite(name="tls", hosts="api.example.com", to="https://{host}{path}")],
        inject=[secret()],
    )
    assert b"s3cret" in sent(proxy, get(b"http://api.example.com/"))


def test_trace_would_show_it_and_is_refused(forward):
    proxy = forward(inject=[secret()])
    client = proxy.connect()
    client.send(get(b"https://api.example.com/", method=b"TRACE"))
    assert b" 405 " in client.received


# -- content


def test_types_and_sizes_that_may_not_pass_are_refused(forward):
    proxy = forward(content=ContentRules(deny_types="application/x-msdownload", max_size=100))
    client = proxy.connect()
    for more, allowed in (
        (b"Content-Type: text/html", True),
        (b"Content-Type: Application/X-MSDownload", False),
        (b"Content-Range: bytes 0-1/101", False),
    ):
        client.send(get(b"http://a.example/setup.exe"))
        proxy.upstream.send(OK.replace(b"\r\nDate", b"\r\n" + more + b"\r\nDate"))
        assert (b" 200 " in client.received.partition(b"\r\n")[0]) is allowed
        if not allowed:
            assert b"Reason: " in client.received and not client.received.endswith(b"ok")
        client.take()
    assert proxy.finished[1].context.verdict.rule == "content"
    assert proxy.finished[1].detail == "content of the type application/x-msdownload is not allowed (content)"


def test_a_body_of_unknown_size_is_cut_where_it_is_too_large(forward):
    proxy = forward(content=ContentRules(max_size=5))
    client = proxy.connect()
    client.send(get(b"http://a.example/"))
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    proxy.upstream.send(b"6\r\n world\r\n0\r\n\r\n")
    proxy.advance(0)
    assert b"hello" in client.received and b"world" not in client.received
    assert client.closed and proxy.finished[0].outcome == "http_response_body_size"


# -- names that have to agree


def client_hello(name):
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0"
    entry = b"\0" + len(name).to_bytes(2, "big") + name
    extension = b"\0\0" + (len(entry) + 2).to_bytes(2, "big") + len(entry).to_bytes(2, "big") + entry
    body += len(extension).to_bytes(2, "big") + extension
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


def test_a_tunnel_goes_where_it_says(forward):
    proxy = forward(agree_names=True)
    client = proxy.connect()
    client.send(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n")
    assert client.take() == STANDS
    hello = client_hello(b"a.example")
    client.send_each_byte(hello[:-1])
    assert proxy.upstream.received == b""
    client.send(hello[-1:] + b"more")
    assert proxy.upstream.received == hello + b"more"
    proxy.upstream.send(b"answer")
    assert client.received == b"answer"


def test_one_that_does_not_is_closed_before_a_byte_gets_there(forward):
    proxy = forward(agree_names=True)
    client = proxy.connect()
    client.send(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n" + client_hello(b"evil.example"))
    proxy.advance(0)
    assert client.closed and proxy.upstream.closed and proxy.upstream.received == b""
    (exchange,) = proxy.finished
    assert exchange.outcome == "http_request_denied"
    assert exchange.context.verdict.rule == "agree_names"


@pytest.mark.parametrize("host", [b"b.example", b"127.0.0.1:3128", b"a.example:81", b"[::1]"])
@pytest.mark.parametrize("sent", [b"CONNECT a.example:443", b"GET http://a.example:443/"])
def test_the_target_alone_says_where_a_request_goes(forward, host, sent):
    # RFC 9112 section 3.2.2: a Host that differs is ignored, and replaced.
    proxy = forward(allow_hosts=["a.example"], allow_ports=[443])
    proxy.connect().send(sent + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert str(proxy.network.dialed[0]) == "a.example:443"
    if proxy.upstream.received:
        assert proxy.upstream.received.startswith(b"GET / HTTP/1.1\r\nHost: a.example:443\r\n")
        assert proxy.upstream.received.count(b"Host:") == 1


def test_a_host_that_is_allowed_does_not_allow_a_target(forward):
    proxy = forward(allow_hosts=["a.example"])
    client = proxy.connect()
    client.send(b"GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
    assert b" 403 " in client.received and not proxy.network.dialed


def test_other_requests_have_no_gate(forward):
    proxy = forward(agree_names=True)
    client = proxy.connect()
    client.send(get(b"http://a.example/"))
    proxy.upstream.send(OK)
    assert client.received.endswith(b"ok")


@pytest.mark.parametrize(("name", "passes"), [(b"a.example", True), (b"evil.example", False)])
def test_tunnels_by_socks_have_the_same_gate(forward, name, passes):
    proxy = forward(agree_names=True)
    client = proxy.connect()
    client.send(b"\x05\x01\x00")
    assert client.take() == b"\x05\x00"
    client.send(b"\x05\x01\x00\x03\x09a.example\x01\xbb")
    assert client.take()[:2] == b"\x05\x00"
    hello = client_hello(name)
    client.send(hello)
    proxy.advance(0)
    assert proxy.upstream.received == (hello if passes else b"")
    assert client.closed is not passes


def trailers(proxy, request_fields, response_fields, origin=b"a.example"):
    """What is left of trailers: of the request, and of the response."""
    client = proxy.connect()
    chunked = b"Transfer-Encoding: chunked\r\n\r\n0\r\n%b\r\n"
    client.send(b"POST http://%b/ HTTP/1.1\r\nHost: %b\r\n" % (origin, origin) + chunked % request_fields)
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\n" + chunked % response_fields)
    return tuple(sent.rpartition(b"\r\n\r\n0\r\n")[2][:-2] for sent in (proxy.upstream.received, client.received))


def test_what_is_removed_or_replaced_passes_in_no_trailer(forward):
    proxy = forward(
        privacy=[
            Privacy(hosts="a.example", remove=["X-Id"], replace={"X-Agent": "1"}, remove_from_responses=["X-Tag"]),
            Privacy(hosts="b.example", keep=["X-Sum"]),
        ],
        inject=[Injection(origin="http://c.example", headers={"X-Key": "s3cret"})],
    )
    sent = b"X-Id: 2\r\nX_Agent: 3\r\nX_key: 4\r\nX-Sum: 5\r\n"
    answered = b"X_Tag: 2\r\nX-Id: 3\r\n"
    assert trailers(proxy, sent, answered) == (b"X_key: 4\r\nX-Sum: 5\r\n", b"X-Id: 3\r\n")
    assert trailers(proxy, sent, answered, b"b.example") == (b"X-Sum: 5\r\n", answered)
    assert trailers(proxy, sent, answered, b"c.example") == (sent.replace(b"X_key: 4\r\n", b""), answered)


LINES = st.sampled_from(
    [
        *(b"Host: a", b"Connection: keep-alive", b"Connection: X-Id", b"Connection: close, Cookie", b"TE: trailers"),
        *(b"Connection: TE", b"TE: x", b"Upgrade: websocket", b"Connection: Upgrade", b"Max-Forwards: 1"),
        *(b"Max-Forwards: 2", b"Keep-Alive: 5", b"X-Forwarded-For: 10.0.0.7", b"X-Forwarded-For: 10.0.0.8"),
        *(b"X_Forwarded_For: 10.0.0.7", b"X_Forwarded_For: 10.0.0.8", b"Proxy-Authorization: Basic YQ=="),
        *(b"X-Id: 1", b"X-Id: 2", b"x-id: 3", b"X_Id: 4", b"Cookie: a", b"Cookie: b", b"Via: 1.1 b", b"Referer: c"),
        *(b"User-Agent: x", b"User-Agent: y", b"Content-Length: 0", b"Content_Length: 1", b"Content_Length: 2"),
    ]
)
STARTS = st.sampled_from(
    [
        *[b"GET http://a/x HTTP/1.1"] * 4,
        *(
            b"GET http://b/ HTTP/1.1",
            b"OPTIONS http://a/ HTTP/1.1",
            b"GET http://a/x HTTP/1.0",
            b"GET https://a/ HTTP/1.1",
        ),
    ]
)
POLICIES = {
    "usual": {},
    "no Via": {"via": None},
    "on": {"forwarded_for": "on"},
    "off": {"forwarded_for": "off"},
    "transparent": {"forwarded_for": "transparent"},
    "privacy": {"privacy": [Privacy(remove=["Cookie"], replace={"User-Agent": "z"})]},
    "few fields": {"privacy": [Privacy(hosts="a", keep=["X-Id", "Referer"])]},
    "rules": {"rules": [Rule(action="allow", headers={"X-Id": "1"}), Rule(action="deny", hosts="b")]},
}


@pytest.mark.no_cover
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_requests_that_are_alike_go_on_as_each_alone(policy):
    def make():
        return ProxyInMemory(lambda reactor: ForwardProxyFactory(ForwardPolicy(**policy), reactor=reactor))

    @given(sections(LINES, first=b"Host: a"), st.lists(STARTS, min_size=8, max_size=8))
    def check(fields, starts):
        sent = [start + b"\r\n" + section(lines) for lines, start in zip(fields, starts, strict=False)]
        check_each_is_as_if_alone(make, [(request, OK) for request in sent])

    check()


def test_fields_of_one_form_go_by_the_way_of_those_before(forward):
    proxy = forward(forwarded_for="delete")
    client = proxy.connect()
    ways = []
    for number in range(4):
        client.send(get(b"http://a/", b"X-Forwarded-For: 10.0.0.%d" % number, b"X-Id: %d" % number, b"A: b"))
        asked = proxy.upstream.take()
        assert b"\r\nX-Id: %d\r\nA: b\r\n" % number in asked
        assert b"10.0.0" not in asked
        proxy.upstream.send(OK)
        ways.append(client._protocol.connection.memo.way)
    assert ways[2] is ways[3]
    assert ways[3] is not None
