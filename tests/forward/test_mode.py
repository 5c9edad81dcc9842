"""The forward mode: safe as it comes, and honest about who sent what."""

import pytest

from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.forward.access.rules import read_rules
from txproxy.testing import ProxyInMemory

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET http://example.com/x?y HTTP/1.1\r\nHost: example.com\r\n\r\n"


@pytest.fixture
def make():
    made = []

    def make(**policy):
        proxy = ProxyInMemory(lambda reactor: ForwardProxyFactory(ForwardPolicy(**policy), reactor=reactor))
        made.append(proxy)
        return proxy

    yield make
    for proxy in made:
        proxy.close()


def ask(proxy, request, host="127.0.0.1"):
    client = proxy.connect(host)
    client.send(request)
    return client.received.partition(b"\r\n\r\n")[0]


def test_an_absolute_target_goes_to_its_origin(make):
    proxy = make()
    client = proxy.connect()
    client.send(GET)
    assert str(proxy.network.dialed[0]) == "example.com:80"
    assert proxy.upstream.received.startswith(b"GET /x?y HTTP/1.1\r\nHost: example.com\r\nVia: 1.1 txproxy (")
    proxy.upstream.send(OK)
    assert b"\r\nVia: 1.1 txproxy\r\n" in client.received


def test_the_origin_learns_nothing_of_the_client_by_default(make):
    proxy = make(via=None)
    proxy.connect().send(GET[:-2] + b"X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\n\r\n")
    assert proxy.upstream.received == b"GET /x?y HTTP/1.1\r\nHost: example.com\r\n\r\n"


@pytest.mark.parametrize(
    ("mode", "lines"),
    [
        ("on", b"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 127.0.0.1\r\n"),
        ("off", b"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: unknown\r\n"),
        ("transparent", b"X-Forwarded-For: 1.2.3.4\r\n"),
        ("delete", b""),
    ],
)
def test_forwarded_for_modes(make, mode, lines):
    proxy = make(via=None, forwarded_for=mode)
    proxy.connect().send(GET[:-2] + b"X-Forwarded-For: 1.2.3.4\r\n\r\n")
    assert proxy.upstream.received == b"GET /x?y HTTP/1.1\r\nHost: example.com\r\n" + lines + b"\r\n"


def test_strangers_are_refused(make):
    proxy = make()
    assert ask(proxy, GET, "192.0.2.1").startswith(b"HTTP/1.1 403 ")
    assert not proxy.network.dialed


def test_allowed_clients_are_served(make):
    proxy = make(allow_clients=["192.0.2.0/24"])
    ask(proxy, GET, "::ffff:192.0.2.1")
    assert proxy.network.dialed


@pytest.mark.parametrize(
    ("request_bytes", "allowed"),
    [
        (b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", True),
        (b"CONNECT example.com:25 HTTP/1.1\r\nHost: example.com:25\r\n\r\n", False),
        (b"CONNECT example.com:8443 HTTP/1.1\r\nHost: example.com:8443\r\n\r\n", False),
        (b"GET http://example.com:8080/ HTTP/1.1\r\nHost: example.com:8080\r\n\r\n", True),
        (b"GET http://example.com:25/ HTTP/1.1\r\nHost: example.com:25\r\n\r\n", False),
    ],
)
def test_ports_by_default(make, request_bytes, allowed):
    proxy = make()
    assert (b" 403 " in ask(proxy, request_bytes)) is not allowed
    assert bool(proxy.network.dialed) is allowed


def test_ports_that_are_told_replace_both_lists(make):
    proxy = make(allow_ports=["8000-8999"])
    assert b" 403 " in ask(proxy, GET)
    assert b" 200 " in ask(proxy, b"CONNECT example.com:8443 HTTP/1.1\r\nHost: example.com:8443\r\n\r\n")


def test_hosts_that_are_told_refuse_all_others(make):
    proxy = make(allow_hosts=["*.example.com"])
    assert b" 403 " in ask(proxy, GET)
    ask(proxy, GET.replace(b"example.com", b"www.example.com"))
    assert [address.host for address in proxy.network.dialed] == ["www.example.com"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
        b"GET ftp://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n",
        b"CONNECT example.com HTTP/1.1\r\nHost: example.com\r\n\r\n",
        b"CONNECT http://example.com:443/ HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
        b"OPTIONS http://example.com HTTP/1.1\r\nHost: example.com\r\nMax-Forwards: x\r\n\r\n",
    ],
)
def test_targets_that_are_no_proxy_request_are_a_400(make, request_bytes):
    assert ask(make(), request_bytes).startswith(b"HTTP/1.1 400 ")


def test_a_connect_tunnel_has_the_bytes_that_came_early(make):
    proxy = make()
    client = proxy.connect()
    client.send(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\nhello")
    assert client.take() == b"HTTP/1.1 200 Connection established\r\n\r\n"
    assert proxy.upstream.received == b"hello"
    proxy.upstream.send(b"world")
    assert client.received == b"world"


def test_a_tunnel_may_be_silent_for_as_long_as_the_rule_that_allows_it_says(make):
    rules = [
        {"action": "allow", "name": "short", "hosts": "10.0.0.1", "tunnel_timeout": 10},
        {"action": "allow"},
    ]
    proxy = make(rules=read_rules(rules), allow_destinations=["10.0.0.0/8"])
    clients = [proxy.connect() for _ in range(3)]
    connect = b"CONNECT %b:443 HTTP/1.1\r\nHost: %b:443\r\n\r\n"
    upgrade = b"GET http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"
    for client, request in zip(
        clients, [connect % (b"10.0.0.1", b"10.0.0.1"), connect % (b"10.0.0.2", b"10.0.0.2"), upgrade], strict=True
    ):
        client.send(request)
    proxy.upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n")
    proxy.advance(9)
    assert not any(client.closed for client in clients)
    proxy.advance(3)
    assert [client.closed for client in clients] == [True, False, True]


def test_a_request_that_has_been_here_is_a_508_and_two_proxies_in_a_row_work(make):
    first, second = make(), make()
    first.connect().send(GET)
    passed_on = first.upstream.received.replace(b"GET /", b"GET http://example.com/")
    second.connect().send(passed_on)
    assert second.upstream.received.count(b"Via: 1.1 txproxy (") == 2
    assert b" 508 " in ask(first, passed_on)


def test_max_forwards_is_counted_down_and_ends_here_at_none(make):
    proxy = make(via=None)
    head = b"OPTIONS http://example.com HTTP/1.1\r\nHost: example.com\r\nMax-Forwards: %d\r\n\r\n"
    ask(proxy, head % 2)
    assert proxy.upstream.received == b"OPTIONS * HTTP/1.1\r\nHost: example.com\r\nMax-Forwards: 1\r\n\r\n"
    answer = ask(proxy, head % 0)
    assert b" 200 " in answer and b"Allow: " in answer
    assert len(proxy.network.dialed) == 1


def test_options_about_the_server_is_answered_by_the_proxy(make):
    # RFC 9110 section 9.3.7
    proxy = make()
    answer = ask(proxy, b"OPTIONS * HTTP/1.1\r\nHost: proxy.example\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ") and b"\r\nAllow: GET, " in answer
    assert not proxy.network.dialed


@pytest.mark.parametrize("forwarded_for", ["delete", "on", "transparent"])
def test_what_frames_or_routes_goes_in_no_other_spelling(make, forwarded_for):
    proxy = make(via=None, forwarded_for=forwarded_for)
    lies = b"Transfer_Encoding: chunked\r\nContent_Length: 9\r\nProxy_Connection: close\r\n"
    telling = b"X_Forwarded_For: 1.2.3.4\r\nTrue_Client-IP: 1.2.3.4\r\n"
    proxy.connect().send(GET[:-2] + lies + telling + b"X_Other: kept\r\n\r\n")
    kept = (b"" if forwarded_for == "delete" else telling) + b"X_Other: kept\r\n"
    received = proxy.upstream.received
    assert kept in received and b"Transfer_" not in received and b"Content_" not in received
    assert b"Proxy_" not in received and (b"1.2.3.4" in received) == (forwarded_for != "delete")


def test_via_says_in_which_version_a_message_was_received(make):
    # RFC 9110 section 7.6.3
    proxy = make()
    client = proxy.connect()
    fields = b"Host: example.com\r\nConnection: keep-alive\r\n\r\n"
    for minor in (0, 1, 0):
        client.send(b"GET http://example.com/ HTTP/1.%d\r\n" % minor + fields)
        assert b"\r\nVia: 1.%d txproxy (" % minor in proxy.upstream.take()
        proxy.upstream.send(
            OK.replace(b"\r\n", b"\r\nConnection: keep-alive\r\n", 1).replace(b"/1.1", b"/1.%d" % minor)
        )
        assert b"\r\nVia: 1.%d txproxy\r\n" % minor in client.take()


def test_what_came_early_for_a_refused_tunnel_is_no_request(make):
    proxy = make(allow_hosts=["example.com"])
    client = proxy.connect()
    client.send(b"CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n" + GET)
    assert b" 403 " in client.received and b"Connection: close" in client.received
    assert not proxy.network.dialed
