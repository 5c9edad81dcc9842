"""What ends at twisted.web, line by line of the table in the documentation; and what a port does with the same."""

import re
from pathlib import Path

import pytest

from tests.reverse.test_web_resource import OK, SiteInMemory
from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.testing import ProxyInMemory

PAGE = Path(__file__).resolve().parents[2] / "docs" / "embedding.rst"
GET = b"GET /api/x HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /api/x HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
TRAILER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
LIMITS = Limits(max_body_size=1000, max_header_size=100_000, max_target_size=10_000, max_fields=200)


class Seen:
    """What became of a request: ``statuses`` that the client saw, what was ``sent`` up, all that was ``received``."""

    def __init__(self, client, network):
        self.received = client.received
        self.statuses = [int(found) for found in re.findall(rb"^HTTP/1\.1 (\d\d\d)", client.received, re.M)]
        self.sent = b"".join(connection.received for connection in network.connections)
        self.closed = client.closed or client.disconnecting


def _ask(client, clock, network, request, answer, seconds):
    client.send(request)
    for connection in network.connections:
        connection.send(answer)
    clock.pump([0.5] * (2 * seconds))
    return Seen(client, network)


@pytest.fixture
def site():
    made = []

    def ask(request, answer=OK, *, at=b"api", seconds=0):
        made.append(site := SiteInMemory(at=at, limits=LIMITS))
        return _ask(site.connect(), site.clock, site.network, request, answer, seconds)

    yield ask
    for site in made:
        site.client.drop()
        site.clock.advance(0)
        site.resource.stop()
        site.site.stopFactory()


@pytest.fixture
def port():
    made = []

    def ask(request, answer=OK, *, seconds=0):
        pool = Pool(["http://10.0.0.1"])
        made.append(
            proxy := ProxyInMemory(lambda clock: ReverseProxyFactory(pool, via=None, limits=LIMITS, reactor=clock))
        )
        return _ask(proxy.connect(), proxy.clock, proxy.network, request, answer, seconds)

    yield ask
    for proxy in made:
        proxy.close()


def statuses(request, within, at_port, **options):
    """A line of the table that is all about statuses; none is a connection that is closed."""

    def check(site, port):
        assert site(request, **options).statuses == within
        assert port(request, **options).statuses == at_port

    return check


def expect(site, port):
    request = POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    assert site(request).statuses == [100] and not site(request).sent
    assert b"Expect: 100-continue\r\n" in port(request).sent
    assert b"Expect" not in site(request + b"x").sent


def absolute(site, port):
    request = b"GET http://b/api/x HTTP/1.1\r\nHost: b\r\n\r\n"
    assert site(request).statuses == [404]
    assert site(request, at=b"").sent.startswith(b"GET /api/x HTTP/1.1\r\nHost: b\r\n")
    assert port(request).sent.startswith(b"GET /api/x HTTP/1.1\r\nHost: b\r\n")


def connect(site, port):
    request = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"
    assert site(request).statuses == [404]
    assert site(request, at=b"").statuses == port(request).statuses == [405]


def options_star(site, port):
    request = b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"
    assert site(request).statuses == [200] and not site(request).sent
    assert port(request).sent.startswith(b"OPTIONS * HTTP/1.1\r\n")


def fold(site, port):
    request = GET + b"X-A: 1\r\n  2\r\n\r\n"
    assert b"X-A: 1 2\r\n" in site(request).sent
    assert port(request).statuses == [400]


def names(site, port):
    request = GET + b"x-b: 1\r\nX-A: 1\r\nx-b: 2\r\n\r\n"
    assert b"X-B: 1\r\nX-B: 2\r\nX-A: 1\r\n" in site(request).sent
    assert b"x-b: 1\r\nX-A: 1\r\nx-b: 2\r\n" in port(request).sent


def request_trailers(site, port):
    request = CHUNKED + b"1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n"
    assert site(request).sent.endswith(b"\r\n\r\nx")
    assert port(request).sent.endswith(b"0\r\nX-Sum: 1\r\n\r\n")


def response_trailers(site, port):
    assert site(GET + b"\r\n", TRAILER).received.endswith(b"ok\r\n0\r\n\r\n")
    assert port(GET + b"\r\n", TRAILER).received.endswith(b"ok\r\n0\r\nX-Sum: 1\r\n\r\n")


def informational(site, port):
    assert site(GET + b"\r\n", EARLY + OK).statuses == [200]
    assert port(GET + b"\r\n", EARLY + OK).statuses == [103, 200]


def long_line(site, port):
    field, target = GET + b"X: %b\r\n\r\n" % (b"a" * 101_000), b"GET /api/%b HTTP/1.1\r\n\r\n" % (b"a" * 20_000)
    for request, status in ((field, 431), (target, 414)):
        assert not site(request).received and site(request).closed
        assert port(request).statuses == [status]


def slow_body(site, port):
    request = CHUNKED + b"1\r\nx\r\n"
    assert not site(request).sent
    assert port(request).sent.endswith(b"1\r\nx\r\n")


def large_body(site, port):
    announced = POST + b"Content-Length: 2000\r\n\r\n"
    assert site(announced).statuses == [] and site(announced + b"x" * 2000).statuses == [413]
    assert port(announced).statuses == [413]
    assert port(CHUNKED + b"500\r\n" + b"x" * 0x500).statuses == [413]


LINES = {
    "a request of HTTP/1.2": statuses(GET.replace(b"/1.1", b"/1.2") + b"\r\n", [400], [200]),
    "a transfer coding besides chunked": statuses(
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", [400], [501]
    ),
    "an absolute target": absolute,
    "CONNECT": connect,
    "``OPTIONS *``": options_star,
    "a folded line": fold,
    "names of fields": names,
    "trailers of a request": request_trailers,
    "trailers of a response": response_trailers,
    "informational responses": informational,
    "``Expect: 100-continue``": expect,
    "a line over 16 kB": long_line,
    "more than 500 fields": statuses(GET + b"X: 1\r\n" * 600 + b"\r\n", [400], [431]),
    "lines that end with LF alone": statuses(b"GET /api/x HTTP/1.1\nHost: a\n\n", [], [400], seconds=100),
    "``multipart/form-data`` that is none": statuses(
        POST + b"Content-Type: multipart/form-data\r\nContent-Length: 1\r\n\r\nx", [400], [200]
    ),
    "a head that comes too slowly": statuses(GET, [], [408], seconds=100),
    "a body that comes slowly": slow_body,
    "a body that is too large": large_body,
}


def test_the_table_has_these_lines():
    lines = re.findall(r"^   \* - (.*)\n     - .*\n     - .*$", PAGE.read_text(), re.M)
    assert lines[1:] == list(LINES)


@pytest.mark.parametrize("check", LINES.values(), ids=LINES)
def test_each_line_is_so(check, site, port):
    check(site, port)
