"""Squid's native form, to the byte."""

from twisted.internet.address import IPv4Address

from tests.observe.log_formats.records import NOW, Connection, attempt, head, record, response
from txproxy.interfaces.address import Address
from txproxy.observe.log_formats.connection_facts import Connections
from txproxy.observe.log_formats.line_format import line_format
from txproxy.upstreams.choice import PoolAttempt
from txproxy.upstreams.pool import Pool
from txproxy.wire.headers import Headers

LINE = b"1764400000.123     12 192.0.2.1 TCP_MISS/200 %d GET http://a.example/%b - %b text/plain\n"
FIELDS = Headers.from_lines([b"User-Agent: curl"])


class Kept(Connection):
    facts = None


def usual(connection, path=b"/x", upstream=None, kept=None, **more):
    request = head(path=path)
    request.headers = FIELDS
    went = attempt(reused=True, connected=0.001)
    went.upstream = kept or Kept(IPv4Address("TCP", "10.0.0.1", 80))
    if upstream is not None:
        went.attempt = PoolAttempt(upstream, Address("10.0.0.1", 80), None, upstream, None)
    one = record(request, attempts=[went], response=response(b"Content-Type: text/plain; charset=utf-8"), **more)
    one.context.connection = connection
    return one


def test_it_is_what_squid_writes_and_made_of_little_when_it_comes_again():
    connection, (upstream,) = record().context.connection, Pool(["http://10.0.0.1"]).upstreams
    lines = line_format("squid", "web", Connections())
    kept = Kept(IPv4Address("TCP", "10.0.0.1", 80))
    briefs = []
    for number in range(6):
        to = upstream if number % 2 else None
        one = usual(connection, b"/%d" % number, to, kept)
        briefs.append(lines.brief(one, NOW) is not None)
        way = b"FIRSTUP_PARENT" if to is not None else b"HIER_DIRECT"
        assert lines.exchange(one, NOW) == LINE % (5 + 60, b"%d" % number, way + b"/10.0.0.1")
    assert briefs == [False, False, True, True, True, True]


def test_who_goes_through_another_proxy_is_looked_at_each_time():
    connection = record().context.connection
    lines = line_format("squid", "web", Connections())
    for _ in range(4):
        one = usual(connection)
        one.attempts[0].attempt.address = Address("a.example", 80, through=Address("10.0.0.9", 3128))
        assert lines.brief(one, NOW) is None and b" FIRSTUP_PARENT/" in lines.exchange(one, NOW)
