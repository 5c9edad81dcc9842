"""What upstreams are told: the same of a client whose requests are alike as of one that sends each alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.alike_heads import check_each_is_as_if_alone, section, sections
from txproxy import Pool, PoolSettings, ReverseProxyFactory
from txproxy.errors import ConfigError
from txproxy.interfaces.context import ClientConnection, RequestContext
from txproxy.reverse.actions.to_pool import ToPool, host_to_send
from txproxy.reverse.actions.treatments import Treated, Treatment
from txproxy.reverse.client_identity import Trust
from txproxy.reverse.mode import ReverseMode
from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.route import Route
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.upstream_tls import UpstreamTls
from txproxy.wire.forwarding import via_entry
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 0\r\n\r\n"
ALIKE = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.%d\r\nX-Id: %d\r\nX_Real_IP: 10.0.0.%d\r\nA: b\r\n\r\n"


def simple(**options):
    return lambda: ProxyInMemory(
        lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1"]), **options, reactor=reactor)
    )


def routes():
    """A route that sets fields, one that changes paths alone, and one that does neither."""

    def make(reactor):
        to_pool = ToPool(Pool(["http://10.0.0.1"]), via=via_entry("txproxy"))
        sets = RequestRewrite(set_headers={"X-Original-URL": "set", "X-Id": "$path"}, remove_headers=("Cookie",))
        actions = {
            "/set": Treated(to_pool, Treatment(request=sets)),
            "/strip": Treated(to_pool, Treatment(request=RequestRewrite(strip_prefix="/strip"))),
            "/": to_pool,
        }
        found = [Route(path, Match(path=path), action) for path, action in actions.items()]
        return ReverseProxyFactory(ReverseMode(routes=found, trust=Trust(["127.0.0.1"])), reactor=reactor)

    return ProxyInMemory(make)


MAKERS = {
    "plain": simple(),
    "no Via": simple(via=None),
    "trusting": simple(trusted_proxies=["127.0.0.1"]),
    "upstream's Host": simple(host="upstream"),
    "client's Host without a port": simple(host="$host"),
    "routes": routes,
}
# What is looked at for more than its name, what is for one hop, what tells of a client, and what does neither.
LINES = st.sampled_from(
    [
        *(b"Host: a", b"Host: b", b"Connection: keep-alive", b"Connection: X-Id", b"Connection: close, Cookie"),
        *(b"TE: trailers", b"Connection: TE", b"TE: x", b"Upgrade: websocket", b"Connection: Upgrade"),
        *(b"Max-Forwards: 1", b"Max-Forwards: 2", b"Keep-Alive: 5", b"X-Forwarded-For: 192.0.2.1", b"Forwarded: for=a"),
        *(b"X-Forwarded-For: 192.0.2.2", b"X-Forwarded-For: 127.0.0.1", b"X_Forwarded_For: 192.0.2.1"),
        *(b"X_Forwarded_For: 192.0.2.2", b"X-Forwarded-Host: c", b"X-Forwarded-Proto: https", b"Proxy: x"),
        *(b"X-Id: 1", b"X-Id: 2", b"X-Id: 3", b"x-id: 3", b"X_Id: 4", b"Cookie: a", b"Cookie: b", b"Via: 1.1 b"),
        *(b"Content-Length: 0", b"Content_Length: 1", b"Content_Length: 2", b"Accept: x", b"Accept:  y"),
    ]
)
STARTS = st.sampled_from(
    [
        *[b"GET /x HTTP/1.1"] * 4,
        *(b"GET /set HTTP/1.1", b"GET /strip/y HTTP/1.1", b"OPTIONS / HTTP/1.1", b"GET /x HTTP/1.0"),
        *(b"GET http://a/y HTTP/1.1", b"GET http://b/y HTTP/1.1", b"HEAD /strip/z HTTP/1.1"),
    ]
)
ANSWERS = st.sampled_from(
    [
        *(b"Date: D", b"Date: E", b"Connection: X-Id", b"Connection: close", b"Keep-Alive: 1", b"Keep-Alive: 2"),
        *(b"X-Id: 1", b"X-Id: 2", b"Location: http://10.0.0.1/x", b"Location: /y", b"Set-Cookie: a"),
        *(b"Set-Cookie: b", b"Upgrade: h2", b"Server: x", b"X_Id: 3", b"Via: 1.0 x"),
    ]
)
STATUSES = st.sampled_from([b"200 OK", b"200 OK", b"200 OK", b"200 OK", b"204 None", b"304 Same"])


@pytest.mark.no_cover
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_requests_and_responses_that_are_alike_are_passed_on_as_each_alone(make):
    @given(sections(LINES, first=b"Host: a"), st.lists(STARTS, min_size=8, max_size=8))
    def requests(fields, starts):
        sent = [start + b"\r\n" + section(lines) for lines, start in zip(fields, starts, strict=False)]
        check_each_is_as_if_alone(make, [(request, OK) for request in sent])

    @given(sections(ANSWERS), st.lists(STATUSES, min_size=8, max_size=8))
    def responses(fields, statuses):
        request = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
        sent = [
            b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n" + section(lines)
            for lines, status in zip(fields, statuses, strict=False)
        ]
        check_each_is_as_if_alone(make, [(request, response) for response in sent])

    requests()
    responses()


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_what_a_client_says_of_itself_goes_however_often_it_says_so(make):
    check_each_is_as_if_alone(make, [(ALIKE % (number, number, number), OK) for number in range(5)])


@pytest.mark.parametrize(
    "line",
    [
        b"TE: %b\r\nConnection: TE",
        b"Connection: %b",
        b"Upgrade: %b\r\nConnection: upgrade",
        b"X-Forwarded-Host: %b",
        b"X_Forwarded_Host: %b",
        b"X-Original-URL: %b",
        b"Cookie: %b",
    ],
)
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_value_that_counts_counts_among_many_that_are_alike(make, line):
    head = b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nX-Id: %d\r\n" + line.replace(b"%b", b"%%b") + b"\r\n\r\n"
    values = [b"x", b"x", b"x", b"trailers", b"trailers", b"trailers", b"A", b"A", b"A", b"x", b"keep-alive"]
    requests = [head % number % value for number, value in enumerate(values)]
    check_each_is_as_if_alone(make, [(request, OK) for request in requests])


@pytest.mark.parametrize("fields", [b"", b"Location: http://10.0.0.1/%d\r\n", b"Set-Cookie: a=%d; Domain=10.0.0.1\r\n"])
@pytest.mark.parametrize("date", [b"", b"Date: D\r\n"])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_responses_that_are_alike_are_passed_on_as_each_alone(make, date, fields):
    head = b"Connection: %b\r\nKeep-Alive: max=%d\r\nX-Id: %d\r\nETag: %d\r\n"
    answers = []
    for number in range(12):
        status = (b"200 OK", b"200 OK", b"200 OK", b"204 None")[number % 4]
        option = (b"X-Id", b"ETag", b"x")[number % 3]
        lines = (date + fields + head).replace(b"%d", b"%d" % number).replace(b"%b", option)
        answers.append(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n%b\r\n" % (status, lines))
    request = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
    check_each_is_as_if_alone(make, [(request, answer) for answer in answers])


def test_fields_of_one_form_go_by_the_way_of_those_before():
    proxy = MAKERS["plain"]()
    client = proxy.connect()
    memos = []
    for number in range(4):
        client.send(ALIKE % (7, number, 7))
        head, _, _ = proxy.upstream.take().partition(b"\r\n\r\n")
        assert b"\r\nX-Id: %d\r\n" % number in head
        assert b"10.0.0.7" not in head
        proxy.upstream.send(OK)
        memos.append(client._protocol.connection.memo)
    assert memos[2] is memos[3]
    assert memos[3].way is not None
    proxy.close()


@pytest.mark.parametrize(
    "fields", [b"", b"X-Id: 1\r\n", b"Proxy: 1\r\n", b"Proxy: 1\r\nX-Id: 1\r\nProxy-Connection: x\r\n"]
)
def test_few_lines_go_on_or_none(fields):
    head = b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"
    check_each_is_as_if_alone(
        MAKERS["plain"], [(head.replace(b"1\r\n", b"%d\r\n" % number), OK) for number in range(4)]
    )


@pytest.mark.parametrize(
    ("host", "asked", "told"),
    [
        ("$host", b"A.example:8080", b"a.example"),
        ("$host", b"a.example", b"a.example"),
        ("$host", b"[::1]:8080", b"[::1]"),
        ("$host:8443", b"a.example:80", b"a.example:8443"),
        (None, b"A.example:8080", b"a.example:8080"),
    ],
)
def test_the_clients_host_is_told_without_its_port(host, asked, told):
    proxy = simple(host=host)()
    proxy.connect().send(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % asked)
    assert b"\r\nHost: %b\r\n" % told in proxy.upstream.take().replace(b"A.example", b"a.example")


def test_a_request_without_a_host_is_told_the_upstreams():
    proxy = simple(host="$host")()
    proxy.connect().send(b"GET / HTTP/1.0\r\n\r\n")
    assert b"\r\nHost: 10.0.0.1\r\n" in proxy.upstream.take()


@pytest.mark.parametrize("host", ["$host:0", "$host:99999", "$path", "$host.example", "$host:x"])
def test_no_other_variable_is_a_host(host):
    with pytest.raises(ConfigError, match=r"accepted is HOST, HOST:PORT, \$host or upstream"):
        host_to_send(host)


@pytest.mark.parametrize("first", ["http://10.0.0.1", "https://10.0.0.1"])
def test_what_is_of_http1_alone_is_asked_in_that_of_upstreams_that_came_later_as_well(first):
    pool = Pool([first], settings=PoolSettings(tls=UpstreamTls(alpn=("h2", "http/1.1"))))
    to_pool = ToPool(pool)
    later = pool.add("https://10.0.0.2")
    pool.remove(pool.upstreams[0])
    head = RequestHead(b"GET", b"/", Headers.from_lines([b"Authorization: NTLM TlRMTVNTUAAB"]), authority=b"a")
    plan = to_pool.plan(head, RequestContext(ClientConnection("10.0.0.9")))
    assert (plan.attempt.upstream, plan.attempt.address.protocols) == (later, ())
    plan.attempt.tracker.ended(None, 200)
