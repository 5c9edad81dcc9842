"""A reverse proxy inside a twisted.web Site."""

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import Site

from txproxy import Pool, ReverseProxyResource
from txproxy.errors import ConnectionRefused
from txproxy.testing import MemoryConnection, MemoryNetwork

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Up: 1\r\n\r\nok"


class SiteInMemory:
    def __init__(self, **options):
        self.clock = Clock()
        self.resource = ReverseProxyResource(Pool(["http://10.0.0.1"]), reactor=self.clock, via=None, **options)
        self.factory = self.resource._factory
        self.network = self.factory.dialer = MemoryNetwork(self.clock)
        root = Resource()
        root.putChild(b"api", self.resource)
        self.site = Site(root, reactor=self.clock)
        self.site.startFactory()

    def connect(self):
        protocol = self.site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 50000))
        self.client = MemoryConnection(self.clock, protocol)
        return self.client


@pytest.fixture
def site():
    made = SiteInMemory()
    yield made
    made.client.drop()
    made.clock.advance(0)
    made.factory.stop()
    made.site.stopFactory()
    made.clock.advance(0)
    assert all(connection.closed for connection in made.network.connections)


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
    client.send(b"POST /api HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
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
