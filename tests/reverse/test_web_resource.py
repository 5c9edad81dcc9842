"""A reverse proxy inside a twisted.web Site."""

import re

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from tests.wire.http1.corpus import FOLDER, load
from txproxy import Allotments, Bandwidth, BoundsMiddleware, Pool, Quota, ReverseProxyFactory, ReverseProxyResource
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.errors import ConfigError, ConnectionRefused
from txproxy.limits.usage import Usage
from txproxy.net.dialing import Dialer
from txproxy.proxy.caching.cache_middleware import CacheMiddleware
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.proxy.limits import Limits
from txproxy.testing import MemoryConnection, MemoryNetwork, ProxyInMemory
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.pool_settings import PoolSettings

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Up: 1\r\n\r\nok"


class SiteInMemory:
    def __init__(self, pool=None, dialer=None, at=b"api", **options):
        self.clock = Clock()
        self.pool = pool or Pool(["http://10.0.0.1"])
        self.resource = ReverseProxyResource(self.pool, reactor=self.clock, via=None, **options)
        self.factory = self.resource._factory
        self.network = MemoryNetwork(self.clock)
        self.factory.services.dialer = dialer(self.clock) if dialer is not None else self.network
        root = self.resource
        if at:
            root = Resource()
            root.putChild(at, self.resource)
        self.site = Site(root, reactor=self.clock)
        self.site.startFactory()

    def connect(self):
        protocol = self.site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 50000))
        self.client = MemoryConnection(self.clock, protocol)
        return self.client


@pytest.fixture
def make_site():
    """Makes sites in memory, and takes them down; they leave nothing behind."""
    made = []

    def make(*args, **options):
        made.append(SiteInMemory(*args, **options))
        return made[-1]

    yield make
    for site in made:
        site.client.drop()
        site.clock.advance(0)
        site.resource.stop()
        site.site.stopFactory()
        site.clock.advance(10)
        assert all(connection.closed for connection in site.network.connections)
        assert not site.clock.getDelayedCalls()
        assert all(upstream.active == 0 for upstream in site.pool.upstreams)


@pytest.fixture
def site(make_site):
    return make_site()


def test_what_is_below_goes_to_the_pool_with_its_own_spelling(site):
    client = site.connect()
    client.send(b"GET /api/a%2Fb//c?d=%20 HTTP/1.1\r\nHost: site.example\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
    upstream = site.network.connections[0]
    assert upstream.received.startswith(b"GET /a%2Fb//c?d=%20 HTTP/1.1\r\nHost: site.example\r\n")
    assert (
        b"X-Forwarded-For: 127.0.0.1\r\n" in upstream.received or b"X-Forwarded-For: 192.0.2.1\r\n" in upstream.received
    )
    assert b"6.6.6.6" not in upstream.received
    upstream.send(OK)
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"X-Up: 1\r\n" in client.received.replace(b"X-UP", b"X-Up")
    assert client.received.endswith(b"\r\n\r\nok")


def test_a_body_is_sent_on_with_its_length(site):
    client = site.connect()
    client.send(b"POST /api/ HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    upstream = site.network.connections[0]
    assert upstream.received.startswith(b"POST / HTTP/1.1\r\n")
    assert b"Content-Length: 3\r\n" in upstream.received and upstream.received.endswith(b"\r\n\r\nabc")


def test_an_upstream_that_is_away_is_a_503_and_one_that_talks_nonsense_a_502(site):
    site.network.script = [ConnectionRefused("no")]
    client = site.connect()
    client.send(b"GET /api/ HTTP/1.1\r\nHost: s\r\n\r\n")
    assert client.take().startswith(b"HTTP/1.1 503 ")
    client.send(b"GET /api/ HTTP/1.1\r\nHost: s\r\n\r\n")
    site.network.connections[-1].send(b"nonsense\r\n\r\n")
    assert client.take().startswith(b"HTTP/1.1 502 ")


def test_the_upstream_is_cancelled_when_the_client_leaves(site):
    client = site.connect()
    client.send(b"GET /api/ HTTP/1.1\r\nHost: s\r\n\r\n")
    client.drop()
    site.clock.advance(0)
    assert site.network.connections[0].reset


def test_a_cut_response_is_cut(site):
    client = site.connect()
    client.send(b"GET /api/ HTTP/1.1\r\nHost: s\r\n\r\n")
    site.network.connections[0].send(OK[:-1])
    site.network.connections[0].drop()
    site.clock.advance(0)
    assert client.closed


def test_a_slow_client_pauses_the_upstream(site):
    client = site.connect()
    client.send(b"GET /api/ HTTP/1.1\r\nHost: s\r\n\r\n")
    client.stop_reading()
    upstream = site.network.connections[0]
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100000)
    assert upstream.paused
    client.read_on()
    assert not upstream.paused


def test_a_body_until_close_that_is_cut_is_reset(site):
    client = site.connect()
    client.send(b"GET /api/ HTTP/1.0\r\n\r\n")
    upstream = site.network.connections[0]
    upstream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
    assert client.received.endswith(b"\r\n\r\nok")
    upstream.drop()
    site.clock.advance(0)
    assert client.reset


def test_what_is_for_one_hop_goes_no_further(site):
    client = site.connect()
    client.send(b"GET /api/ HTTP/1.1\r\nHost: s\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n")
    received = site.network.connections[0].received
    assert b"X-Hop" not in received and b"Connection" not in received and b"X-End: 2\r\n" in received


@pytest.mark.parametrize(
    ("location", "mapped"),
    [
        (b"/login?x=/y", b"/api/login?x=/y"),
        (b"http://10.0.0.1/login", b"http://s.example:81/api/login"),
        (b"http://s.example:81/login", b"http://s.example:81/api/login"),
        (b"https://other.example/login", b"https://other.example/login"),
        (b"login", b"login"),
    ],
)
def test_redirects_lead_back_to_where_it_is_mounted(site, location, mapped):
    client = site.connect()
    client.send(b"GET /api/private HTTP/1.1\r\nHost: s.example:81\r\n\r\n")
    site.network.connections[0].send(
        b"HTTP/1.1 302 Found\r\nLocation: %b\r\nSet-Cookie: a=b; Path=/deep\r\nContent-Length: 0\r\n\r\n" % location
    )
    lines = client.received.split(b"\r\n")
    assert b"Location: " + mapped in lines and b"Set-Cookie: a=b; Path=/api/deep" in lines


@pytest.mark.parametrize(
    ("location", "mapped"), [(b"/app/login", b"/api/login"), (b"http://10.0.0.1/app/x", b"http://s.example/api/x")]
)
def test_redirects_that_are_kept_lead_back_as_well(make_site, location, mapped):
    cache = SharedCache(MemoryStore(1 << 20))
    site = make_site(path=b"/app", middleware=[CacheMiddleware(cache)])
    client = site.connect()
    lines = b"Cache-Control: max-age=60\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location
    for _ in range(2):
        client.send(b"GET /api/private HTTP/1.1\r\nHost: s.example\r\n\r\n")
        if not client.received:
            site.network.connections[0].send(b"HTTP/1.1 301 Moved\r\n" + lines)
        assert b"\r\nLocation: %b\r\n" % mapped in client.take()
    (connection,) = site.network.connections
    assert connection.received.count(b"GET ") == 1


def test_after_a_failed_attempt_redirects_are_mapped_as_well(make_site):
    site = make_site(Pool(["http://10.0.0.1", "http://10.0.0.2"]), path=b"/app")
    site.network.script = [ConnectionRefused("no")]
    client = site.connect()
    client.send(b"GET /%61pi/x HTTP/1.1\r\nHost: s\r\n\r\n")
    upstream = site.network.connections[0]
    assert upstream.received.startswith(b"GET /app/x HTTP/1.1\r\n")
    upstream.send(b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.2/app/login\r\nContent-Length: 0\r\n\r\n")
    assert b"\r\nLocation: http://s/%61pi/login\r\n" in client.received


def test_clients_stay_and_trusted_proxies_are_believed_as_with_a_port(make_site):
    site = make_site(
        Pool(["http://10.0.0.1", "http://10.0.0.2"]), sticky="cookie:pin", trusted_proxies=["127.0.0.1/32"]
    )
    client = site.connect()
    client.send(b"GET /api/ HTTP/1.1\r\nHost: s\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
    upstream = site.network.connections[0]
    assert b"X-Forwarded-For: 192.0.2.7" in upstream.received
    upstream.send(OK)
    assert b"\r\nSet-Cookie: pin=" in client.received


# -- as strict as a port of our own


@pytest.mark.parametrize(
    "target",
    [
        b"/api/../secret",
        b"/api/%2e%2e/secret",
        b"/api/..%2fsecret",
        b"/api/..%5csecret",
        b"/api/..;/secret",
        b"/api/x/..//../secret",
        b"/api/%252e%252e/secret",
        b"/api/../../secret",
    ],
)
@pytest.mark.parametrize("path", [b"", b"/public", b"/public/"])
def test_no_path_leads_out_of_where_it_is_mounted_or_of_its_prefix(make_site, path, target):
    site = make_site(path=path)
    client = site.connect()
    client.send(b"GET %b HTTP/1.1\r\nHost: s\r\n\r\nGET /api/ HTTP/1.1\r\nHost: s\r\n\r\n" % target)
    assert client.received.startswith(b"HTTP/1.1 400 ")
    assert client.received.count(b"HTTP/1.1 ") == 1
    site.clock.advance(0)
    assert client.closed
    assert not site.network.connections


@pytest.mark.parametrize("target", [b"/api/a%2Fb//c;d", b"/api/x/%2e%2e/y", b"/api//"])
def test_a_path_that_stays_inside_goes_on_as_it_came(make_site, target):
    site = make_site(path=b"/public")
    site.connect().send(b"GET %b HTTP/1.1\r\nHost: s\r\n\r\n" % target)
    assert site.network.connections[0].received.startswith(b"GET /public%b HTTP/1.1\r\n" % target[4:])


@pytest.mark.parametrize("path", [b"public", b"/a/../b", b"/a b", b"/a%2fb", b"/a//b", b"/a*"])
def test_a_prefix_that_is_no_path_is_refused(path):
    with pytest.raises(ConfigError, match="path: "):
        ReverseProxyResource(Pool(["http://10.0.0.1"]), path=path)


@pytest.mark.parametrize(("method", "status"), [(b"GET", 301), (b"HEAD", 301), (b"POST", 308)])
def test_without_a_slash_it_is_sent_to_where_relative_references_work(site, method, status):
    client = site.connect()
    client.send(method + b" /api?a=b HTTP/1.1\r\nHost: s\r\nContent-Length: 0\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nLocation: /api/?a=b\r\n" in client.received
    assert not site.network.connections


@pytest.mark.parametrize(
    "lines",
    [
        b"Host: a\r\nHost: b\r\n",
        b"Host: a\r\nHost: a\r\n",
        b"Host: a, b\r\n",
        b"Host: a/b\r\n",
        b"",
        b"Host: a\r\nX: \x01\r\n",
        b"Host: a\r\nX: \x7f\r\n",
    ],
)
def test_what_a_port_refuses_is_refused(site, lines):
    client = site.connect()
    client.send(b"GET /api/ HTTP/1.1\r\n" + lines + b"\r\n")
    assert client.received.startswith(b"HTTP/1.1 400 ")
    assert b"TwistedWeb" not in client.received and b"\r\nServer:" not in client.received
    assert client.received.count(b"\r\nDate: ") == 1
    assert b"\r\nConnection: close\r\n" in client.received
    site.clock.advance(0)
    assert client.closed
    assert not site.network.connections


# What twisted.web has made of them before anybody else sees them: lines joined, bodies gathered, trailers gone.
GONE = re.compile("fold|chunk|trailer|coding-folded|body-too-large")


@pytest.mark.parametrize("case", [load(file) for file in sorted(FOLDER.glob("requests/*/*.http"))], ids=str)
def test_what_goes_on_is_what_goes_on_from_a_port(make_site, case):
    port = ProxyInMemory(lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1"]), via=None, reactor=reactor))
    port.connect().send(case.data)
    expected = [lines_of(one) for one in port.network.connections if one.received]
    port.close()
    site = make_site(at=b"")
    client = site.connect()
    client.send(case.data)
    sent = [lines_of(one) for one in site.network.connections if one.received]
    if case.status is not None and not GONE.search(case.name):
        assert not sent or sent == expected
    elif sent and expected:
        assert sent == expected
    client.drop()


def lines_of(connection):
    head = connection.received.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    return head[0], sorted(
        line for line in head[1:] if not line.startswith((b"content-length", b"transfer-", b"expect"))
    )


def test_limits_are_those_of_a_port(make_site):
    site = make_site(limits=Limits(max_body_size=3))
    client = site.connect()
    client.send(b"POST /api/ HTTP/1.1\r\nHost: s\r\nContent-Length: 4\r\n\r\nabcd")
    assert client.received.startswith(b"HTTP/1.1 413 ")
    client.drop()
    client = site.connect()
    client.send(b"GET /api/ HTTP/1.1\r\nHost: s\r\n" + b"X: y\r\n" * 101 + b"\r\n")
    assert client.received.startswith(b"HTTP/1.1 431 ")
    assert not site.network.connections


def test_an_absolute_target_is_sent_as_a_path_to_its_own_host(make_site):
    site = make_site(at=b"")
    client = site.connect()
    client.send(b"GET http://s.example:81/a//b?c HTTP/1.1\r\nHost: s.example:81\r\n\r\n")
    assert site.network.connections[0].received.startswith(b"GET /a//b?c HTTP/1.1\r\nHost: s.example:81\r\n")
    client.drop()
    client = site.connect()
    client.send(b"GET ftp://s/a HTTP/1.1\r\nHost: s\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("request_line", "answer"),
    [(b"CONNECT a:443", b"405"), (b"TRACE /", b"405"), (b"OPTIONS *", b"200"), (b"OPTIONS http://s", b"")],
)
def test_requests_without_a_path_are_sent_to_no_slash(make_site, request_line, answer):
    site = make_site(at=b"")
    client = site.connect()
    client.send(request_line + b" HTTP/1.1\r\nHost: s\r\n\r\n")
    assert client.received.split(b" ")[1:2] == ([answer] if answer else [])
    assert bool(site.network.connections) is not bool(answer)


def test_a_resource_for_everything_has_no_slash_to_add(make_site):
    site = make_site(at=b"")
    site.connect().send(b"GET / HTTP/1.1\r\nHost: s\r\n\r\n")
    assert site.network.connections[0].received.startswith(b"GET / HTTP/1.1\r\n")


def test_a_fold_is_one_space(site):
    # RFC 9112 5.2: twisted.web makes it so before anybody sees it.
    site.connect().send(b"GET /api/ HTTP/1.1\r\nHost: s\r\nX: a\r\n  b\r\n\r\n")
    assert b"\r\nX: a b\r\n" in site.network.connections[0].received


def test_a_response_says_nothing_that_the_upstream_does_not(site):
    client = site.connect()
    client.send(b"GET /api/ HTTP/1.1\r\nHost: s\r\n\r\n")
    site.network.connections[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n<script>alert(1)</script>")
    head, _, body = client.received.partition(b"\r\n\r\n")
    assert body == b"<script>alert(1)</script>"
    names = sorted(line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:])
    assert names == [b"content-length", b"date"]


def test_a_response_keeps_the_upstreams_own_server(site):
    client = site.connect()
    client.send(b"GET /api/ HTTP/1.1\r\nHost: s\r\n\r\n")
    site.network.connections[0].send(b"HTTP/1.1 200 OK\r\nServer: up\r\nDate: x\r\nContent-Length: 0\r\n\r\n")
    lines = client.received.split(b"\r\n")
    assert b"Server: up" in lines and b"Date: x" in lines
    assert client.received.count(b"Server: ") == client.received.count(b"Date: ") == 1


# -- WebSocket

UPGRADE = (
    b"GET /api/chat HTTP/1.1\r\nHost: s\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CHANGED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


def change(site, early=b""):
    client = site.connect()
    client.send(UPGRADE + early)
    upstream = site.network.connections[-1]
    assert b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" in upstream.take()
    upstream.send(CHANGED)
    head, _, rest = client.take().partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert first == b"HTTP/1.1 101 Switching Protocols"
    assert {b"Connection: upgrade", b"Upgrade: websocket"} < {*lines}
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in lines
    assert rest == b""
    return client, upstream


def test_a_websocket_takes_the_connection_from_the_site(site):
    client, upstream = change(site)
    client.send(b"hello")
    upstream.send(b"world")
    assert (upstream.take(), client.take()) == (b"hello", b"world")
    site.clock.advance(1000)
    assert not client.closed and site.pool.upstreams[0].active == 1
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    assert upstream.take() == b"GET / HTTP/1.1\r\n\r\n"
    upstream.drop(clean=True)
    site.clock.advance(0)
    assert client.closed and not client.reset


@pytest.mark.parametrize(
    ("framing", "body"), [(b"Content-Length: 2", b"{}"), (b"Transfer-Encoding: chunked", b"2\r\n{}\r\n0\r\n\r\n")]
)
def test_an_upgrade_may_come_with_a_body(site, framing, body):
    # RFC 9110 section 7.8; a site gathers the body, and says how long it is
    client = site.connect()
    client.send(UPGRADE.replace(b"GET", b"POST")[:-2] + framing + b"\r\n\r\n" + body + b"early")
    upstream = site.network.connections[-1]
    assert b"\r\nConnection: upgrade\r\nUpgrade: websocket" in upstream.received
    assert upstream.take().endswith(b"\r\n\r\n{}")
    upstream.send(CHANGED)
    assert client.take().startswith(b"HTTP/1.1 101 ")
    assert upstream.take() == b"early"
    client.send(b"1")
    upstream.send(b"2")
    assert (upstream.take(), client.take()) == (b"1", b"2")


def test_what_a_client_sends_before_the_101_is_not_lost(site):
    client, upstream = change(site, early=b"early")
    client.send(b" bird")
    assert upstream.take() == b"early bird"


@pytest.mark.parametrize("clean", [True, False])
def test_a_client_that_leaves_a_websocket_takes_the_upstream_with_it(site, clean):
    client, upstream = change(site)
    client.drop(clean=clean)
    site.clock.advance(0)
    assert upstream.closed and upstream.reset is not clean
    assert site.pool.upstreams[0].active == 0


def test_a_websocket_waits_for_who_is_slow(site):
    client, upstream = change(site)
    client.stop_reading()
    upstream.send(bytes(100_000))
    assert upstream.paused
    client.read_on()
    assert not upstream.paused and len(client.received) == 100_000
    upstream.stop_reading()
    client.send(bytes(100_000))
    assert client.paused
    upstream.read_on()
    assert not client.paused and len(upstream.received) == 100_000


def test_an_application_learns_when_a_websocket_of_its_site_ends(site):
    left = []
    render = site.resource.render

    def render_and_listen(request):
        request.notifyFinish().addErrback(lambda reason: left.append(reason.type))
        return render(request)

    site.resource.render = render_and_listen
    _, upstream = change(site)
    assert left == []
    upstream.drop(clean=True)
    site.clock.advance(0)
    assert len(left) == 1


def test_an_upgrade_that_is_refused_is_an_ordinary_response(site):
    client = site.connect()
    client.send(UPGRADE)
    site.network.connections[0].send(OK)
    assert client.take().endswith(b"\r\n\r\nok")
    client.send(b"GET /api/x HTTP/1.1\r\nHost: s\r\n\r\n")
    assert site.network.connections[0].received.count(b"GET /x ") == 1


def test_an_upgrade_is_not_offered_where_none_can_be(site):
    client = site.connect()
    client.send(UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    received = site.network.connections[0].received
    assert b"pgrade" not in received and b"\r\nsec-websocket-key" in received.lower()


# -- the pool behind it


def test_an_upstream_may_be_a_resource_as_well(make_site):
    def answering(text):
        resource = Data(text, "text/plain")
        resource.isLeaf = True
        return resource

    pool = Pool([answering(b"one"), answering(b"two")])
    site = make_site(pool, dialer=lambda reactor: Dialer(reactor, 5))
    client = site.connect()
    for text in (b"one", b"two", b"one"):
        client.send(b"GET /api/x HTTP/1.1\r\nHost: s\r\n\r\n")
        site.clock.advance(0)
        head, _, body = client.take().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n") and body == text


def test_upstreams_are_checked_from_the_first_request_until_it_is_stopped(make_site):
    pool = Pool(["http://10.0.0.1"], settings=PoolSettings(health=HealthCheck(path="/well", interval=1)))
    site = make_site(pool)
    site.clock.advance(10)
    assert not site.network.dialed
    client = site.connect()
    client.send(b"GET /api/ HTTP/1.1\r\nHost: s\r\n\r\n")
    for _ in range(30):
        site.clock.advance(0.1)
    checks = [one for one in site.network.connections if one.received.startswith(b"GET /well ")]
    assert checks
    site.resource.stop()
    before = len(site.network.dialed)
    for _ in range(30):
        site.clock.advance(0.1)
    assert len(site.network.dialed) == before
    client.send(b"GET /api/ HTTP/1.1\r\nHost: s\r\n\r\n")


def test_a_connection_on_which_a_client_has_logged_in_is_that_clients_alone(site):
    logged_in = site.connect()
    request = b"GET /api/x HTTP/1.1\r\nHost: a\r\nAuthorization: NTLM x\r\n\r\n"
    for _ in range(2):
        logged_in.send(request)
        site.network.connections[0].send(OK)
    another = site.connect()
    another.send(request.replace(b"Authorization", b"X-Other"))
    assert len(site.network.connections) == 2
    site.network.connections[1].send(OK)
    logged_in.drop(clean=True)
    site.clock.advance(0)
    assert [connection.closed for connection in site.network.connections] == [True, False]


@pytest.mark.parametrize("size", [10, 70_000, 200_000])
def test_a_body_takes_its_place_once(make_site, size):
    """twisted.web has gathered it: an upstream with so many places need not wait for it."""
    site = make_site(Pool(["http://10.0.0.1;max=1"]))
    client = site.connect()
    client.send(b"POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
    (upstream,) = site.network.connections
    assert upstream.received.partition(b"\r\n\r\n")[2] == b"x" * size
    upstream.send(OK)
    assert client.received.endswith(b"ok") and site.pool.upstreams[0].served == 1


# -- within bounds


@pytest.fixture
def bounded(make_site):
    def run(**words):
        def bounds(client_ip, user, rule):
            # The clock is the site's, which is made after its middleware.
            nonlocal allotments
            if allotments is None:
                allotments = Allotments(made.clock, usage=Usage(made.clock), **words)
            return allotments.bounds(client_ip, user, rule)

        allotments = None
        made = make_site(middleware=[BoundsMiddleware(bounds)])
        return made

    return run


def test_a_site_is_shaped_as_a_port_is(bounded):
    site = bounded(bandwidths=[Bandwidth(down=4000, up=4000)])
    client = site.connect()
    client.send(b"POST /api/ HTTP/1.1\r\nHost: s\r\nContent-Length: 2000\r\n\r\n" + b"u" * 2000)
    upstream = site.network.connections[0]
    assert upstream.received.count(b"u" * 1000) == 1
    for _ in range(5):
        site.clock.advance(0.1)
    assert upstream.received.endswith(b"u" * 2000)
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"d" * 2000)
    assert not client.received.endswith(b"d" * 2000)
    for _ in range(5):
        site.clock.advance(0.1)
    assert client.received.endswith(b"d" * 2000)


def test_a_site_has_quotas_over_websockets_as_well(bounded):
    site = bounded(quotas=[Quota(day=1000)])
    client, upstream = change(site)
    upstream.send(bytes(1000))
    site.clock.advance(2.1)
    site.clock.advance(0)
    assert client.closed and upstream.closed
    client = site.connect()
    client.send(b"GET /api/ HTTP/1.1\r\nHost: s\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 403 ")
