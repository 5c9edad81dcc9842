"""The combined form, whatever clients put into it."""

import gc
import json
import random
import re
import weakref
from pathlib import Path

import attrs
import pytest
from twisted.logger import capturedLogs, formatEvent

from tests.observe.log_formats.records import record
from tests.proxy.downstream.http2.http2_peer import GET, Http2Peer
from tests.proxy.upstream.http2_peer import Http2Peer as UpstreamPeer
from txproxy import ForwardProxyFactory, Pool, ReverseProxyFactory
from txproxy.errors import ConfigError
from txproxy.interfaces.record import momentary
from txproxy.observe.access_log import AccessLog
from txproxy.observe.log_formats.combined import CombinedLines
from txproxy.observe.log_formats.connection_facts import Connections
from txproxy.observe.log_formats.json_lines.json_line import JsonLines
from txproxy.observe.log_formats.line_format import line_format
from txproxy.observe.request_counts import RequestCounts
from txproxy.proxy.exchanges.phases import OVER
from txproxy.proxy.exchanges.standing_exchange import StandingExchange
from txproxy.proxy.limits import Limits
from txproxy.testing import ProxyInMemory, context_of
from txproxy.upstreams.upstream import Upstream
from txproxy.upstreams.upstream_urls import parse_upstream
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

SOON = 30.0  # for hangs alone


class Finished:
    outcome = "ok"
    standing = None

    def __init__(self, request, status=200, sent=5, user=None):
        self.context = context_of("192.0.2.1", user=user)
        self.request, self.status, self.sent = request, status, sent


class Stream:
    client_ip = "192.0.2.1"
    upstream = "10.0.0.1:5432"

    def __init__(self, outcome):
        self.outcome, self.sent = outcome, 7
        self.context, self.record = context_of("192.0.2.1"), None


@pytest.fixture
def written(tmp_path):
    log = AccessLog(str(tmp_path / "log"))

    def write(thing):
        (log.stream if isinstance(thing, Stream) else log.exchange)(thing)
        assert log.file.flush(SOON)
        line = (tmp_path / "log").read_text().splitlines()[-1]
        return re.sub(r"\[[^]]+\]", "[time]", line)

    yield write
    log.close()


def head(method=b"GET", path=b"/x", lines=(), **more):
    return RequestHead(method, path, Headers.from_lines(list(lines)), **more)


def test_a_request_is_a_line(written):
    request = head(lines=[b"Referer: http://a/", b"User-Agent: curl"])
    assert written(Finished(request)) == '192.0.2.1 - - [time] "GET /x HTTP/1.1" 200 5 "http://a/" "curl"'


def test_the_time_is_that_of_the_common_log_format(tmp_path):
    log = AccessLog(str(tmp_path / "log"))
    log.exchange(Finished(head()))
    log.close()
    assert log.file.flush(SOON)
    assert re.search(r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]", (tmp_path / "log").read_text())


def test_targets_are_written_as_they_were_sent(written):
    assert '"CONNECT a:443 HTTP/1.1"' in written(Finished(head(b"CONNECT", b"", authority=b"a:443")))
    assert '"GET http://a/x HTTP/1.0"' in written(Finished(head(authority=b"a", scheme=b"http", minor=0)))


@pytest.mark.parametrize(
    ("sent", "line", "status"),
    [
        (b"GET /a b HTTP/1.1\r\n\r\n", "GET /a b HTTP/1.1", 400),
        (b"GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /x HTTP/1.1", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n", "\\x16\\x03\\x01\\x02\\x00\\x01", 400),
        (b"GET http://user:s3cret@a/x HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://***@a/x HTTP/1.1", 400),
        (b"GET http://user:s3cret@a/x", "GET http://***@a/x", 408),
        (b"GET /" + b"x" * 70000, "GET /" + "x" * 2043, 414),
        (b"GET /x HTTP/1.1\r\nHost: a\r\nA: " + b"x" * 70000 + b"\r\n\r\n", "GET /x HTTP/1.1", 431),
        (b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n", "POST /x HTTP/1.1", 413),
        (b"\x04\x01\x00\x50", "SOCKS", 400),
        (b"\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50", "SOCKS", 400),
    ],
)
def test_what_cannot_be_read_as_a_request_has_a_line_too(tmp_path, sent, line, status):
    log = AccessLog(str(tmp_path / "log"))
    limits = Limits(header_timeout=5.0, max_body_size=1000)
    proxy = ProxyInMemory(
        lambda reactor: ForwardProxyFactory(observers=(log.exchange,), limits=limits, reactor=reactor)
    )
    client = proxy.connect()
    client.send(sent)
    for _ in range(8):
        proxy.advance(1)
    log.close()
    assert log.file.flush(SOON)
    (written,) = (tmp_path / "log").read_text().splitlines()
    size = len(client.received.partition(b"\r\n\r\n")[2])
    assert re.sub(r"\[[^]]+\]", "[time]", written) == f'127.0.0.1 - - [time] "{line}" {status} {size} "-" "-"'
    proxy.close()


def test_nothing_can_end_its_quotes_or_its_line(written):
    line = written(Finished(head(path=b'/"', lines=[b"User-Agent: a\\b\tc\xff"])))
    assert '"GET /\\x22 HTTP/1.1"' in line
    assert line.endswith('"a\\x5Cb\\x09c\\xFF"')


def test_a_client_that_left_before_an_answer_is_a_499(written):
    assert '" 499 0 "' in written(Finished(head(), status=0, sent=0))


def test_a_log_that_cannot_be_begun_anew_goes_on_in_the_old_file(tmp_path):
    directory = tmp_path / "logs"
    directory.mkdir()
    log = AccessLog(str(directory / "log"))
    (directory / "log").rename(tmp_path / "old")
    directory.rmdir()
    with capturedLogs() as events:
        log.file.reopen()
        assert log.file.flush(SOON)
    assert "No such file" in formatEvent(events[0]) and "log_failure" not in events[0]
    log.exchange(Finished(head()))
    assert log.file.flush(SOON)
    directory.mkdir()
    log.file.reopen()
    assert log.file.flush(SOON)
    log.exchange(Finished(head(path=b"/new")))
    log.close()
    assert log.file.flush(SOON)
    assert "GET /x " in (tmp_path / "old").read_text()
    assert "GET /new " in (directory / "log").read_text()


def test_streams_have_lines_too(written):
    assert written(Stream("ok")) == '192.0.2.1 - - [time] "TCP 10.0.0.1:5432" 200 7 "-" "-"'
    assert '" 503 7 "' in written(Stream("client-gone"))


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ConfigError, match="accepted is a file"):
        AccessLog(str(tmp_path / "no" / "log"))


@pytest.mark.parametrize(
    ("user", "written_as"),
    [("bob", "bob"), ("Bob B.", "Bob\\x20B."), ('a"\n', "a\\x22\\x0A"), ("\xe9", "\\xC3\\xA9"), ("", "-")],
)
def test_a_user_has_a_column(written, user, written_as):
    assert written(Finished(head(), user=user)).startswith(f"192.0.2.1 - {written_as} [time] ")


def test_many_lines_are_made_together_and_none_is_forgotten(tmp_path):
    log = AccessLog(str(tmp_path / "log"))
    for number in range(1000):
        log.exchange(Finished(head(path=b"/%d" % number)))
    log.close()
    assert log.file.flush(SOON) and not log.waiting
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split()[6] for line in lines] == [f"/{number}" for number in range(1000)]


def test_a_line_alone_is_written_by_itself(tmp_path):
    log = AccessLog(str(tmp_path / "log"))
    for _ in range(2):
        # The second one finds the thread at rest again, or not.
        log.exchange(Finished(head()))
        with log.file._changed:
            assert log.file._changed.wait_for(lambda: not log.waiting and not log.file.waiting, SOON)
    assert (tmp_path / "log").read_text().count("\n") == 2
    log.close()


def test_a_line_that_cannot_be_made_harms_no_other(tmp_path):
    log = AccessLog(str(tmp_path / "log"))
    with capturedLogs() as logged:
        for request in (head(), None, head()):
            log.exchange(Finished(request))
        assert log.file.flush(SOON)
    assert (tmp_path / "log").read_text().count("\n") == 2
    assert [formatEvent(event) for event in logged] == ["a line of the access log could not be made"]
    log.close()


def test_what_can_be_known_now_alone_is_not_asked_later(tmp_path):
    connections = Connections()
    json, own = (AccessLog(str(tmp_path / name), line_format(name, "web", connections)) for name in ("json", "$status"))
    over = Finished(head())
    json.exchange(over)
    assert over.context.connection.facts is not None and connections.facts(over.context.connection).number == 1
    own.exchange(Finished(head()))
    assert not own.waiting, "what somebody has written may ask for anything"
    json.close()
    own.close()


def test_a_file_forgets_who_writes_to_it_no_more(tmp_path):
    log = AccessLog(str(tmp_path / "log"))
    for _ in range(3):
        other = AccessLog(str(tmp_path / "log"), "combined", log.file)
        other.exchange(Finished(head()))
    gone = weakref.ref(other)
    del other
    assert log.file.flush(SOON)
    gc.collect()
    assert gone() is None
    log.close()


CLIENTS = ("192.0.2.1", "192.0.2.2", "2001:db8::1")
FIELDS = (
    b"User-Agent: curl",
    b'User-Agent: a "b" \\',
    b"Referer: http://a/\xff",
    b"X-Request-Id: of-mine",
    b"Via: 1.1 x",
)
RESPONSES = (
    b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=x\r\nX-Request-Id: 7\r\nContent-Length: 3\r\n\r\nabc",
    b'HTTP/1.1 404 Not Found\r\nContent-Type: a/"b\r\nContent-Length: 0\r\n\r\n',
    b"HTTP/1.1 503 Busy\r\nX-Request-Id: \xfe\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\n\r\n",
    # cut off
    b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 20\r\n\r\nok",
    b"HTTP/1.1 200",
)
REQUESTS = (
    b"GET /%d HTTP/1.1\r\nHost: a.example\r\n%b\r\n\r\n",
    b"GET /same HTTP/1.1\r\nHost: b.example:80\r\n%b\r\n\r\n",
    b"GET http://c.example/?%%22=%d HTTP/1.1\r\nHost: c.example\r\n%b\r\n\r\n",
    b"POST /\"'%d HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n%b\r\n\r\nhi",
    b"HEAD /%d HTTP/1.0\r\n%b\r\n\r\n",
    b"GET /%d HTTP/1.1\r\n%b\r\n\r\n",
    b"no request\r\n%b\r\n\r\n",
)


class Varied:
    """A proxy with clients of all kinds. Its ``log`` is told of each exchange, and ``alone`` has the line that somebody
    would have written who has seen no other; ``counts`` is told of each by itself. ``first`` counts them before anybody
    has asked for their context, and ``standing`` are those that had none after the log was told of them.
    """

    def __init__(self, format, log, now):
        self.alone = []
        self.first, self.counts = RequestCounts(), RequestCounts()
        self.standing = 0

        @momentary
        def observe(over):
            self.standing += over.standing is not None
            assert over.context is not None and over.standing is None
            self.alone.append(line_format(format, "web", Connections()).exchange(over, now))
            self.counts.exchange(over)

        pool = Pool(["http://192.0.2.80", "http://192.0.2.81"])
        self.proxy = ProxyInMemory(
            lambda reactor: ReverseProxyFactory(
                pool, observers=(self.first.exchange, log.exchange, observe), reactor=reactor
            )
        )
        self.clients = {}

    def ask(self, host, request, response):
        client = self.clients.get(host)
        if client is None or client.closed:
            self.clients[host] = client = self.proxy.connect(host)
        client.send(request)
        self.proxy.clock.advance(0)
        for upstream in self.proxy.network.connections:
            if upstream.received and not upstream.closed:
                upstream.received = b""
                upstream.send(response)
                if response in RESPONSES[-2:]:
                    upstream.drop()
        self.proxy.clock.advance(0)
        if not client.received or b"onnection: close" in client.received:
            # It leaves, before it is answered perhaps.
            client.drop()
        client.received = b""


def counted_of(counts):
    """All that was counted of requests that went well."""
    found = {}
    for key, row in counts.rows.items():
        times = [(one.counts, round(one.seconds, 6)) for one in (row.at_once, row.durations, row.first_bytes)]
        found[key] = (times, row.sent, row.received, row.retries)
    return found


@pytest.fixture
def told(monkeypatch):
    """Logs that were told of an exchange, each as often as it was told."""
    seen = []
    exchange = AccessLog.exchange
    noting = momentary(lambda log, over: seen.append(log) or exchange(log, over))
    monkeypatch.setattr(AccessLog, "exchange", noting)
    return seen


@pytest.mark.parametrize("format", ["json", "json, not counted", "combined", "squid"])
def test_no_line_has_anything_of_another_client_or_request(tmp_path, monkeypatch, format, told):
    format, _, not_counted = format.partition(", ")
    now = 1.8e9 + 0.123
    monkeypatch.setattr("txproxy.observe.access_log.time", lambda: now)
    log = AccessLog(str(tmp_path / "log"), line_format(format, "web", Connections()))
    # so that the next line can have something in common with these
    monkeypatch.setattr(log, "_most", 4)
    counts = None if not_counted else RequestCounts()
    counted = log.counted(counts)
    assert (counted is not None) == (format == "json")
    varied, chance = Varied(format, counted or log, now), random.Random(7)
    request, host = REQUESTS[0], CLIENTS[0]
    for number in range(900):
        varied.proxy.clock.advance(chance.choice([0, 0, 0.001, 0.3]))
        # Most are like one before, as with real clients.
        if chance.random() < 0.1:
            request, host = chance.choice(REQUESTS if number % 3 == 0 else REQUESTS[:2]), chance.choice(CLIENTS)
        fields = b"\r\n".join(chance.sample(FIELDS, chance.randrange(3)) if number % 29 == 0 else FIELDS[:1])
        words = (number % 50, fields) if b"%d" in request else (fields,)
        response = chance.choice(RESPONSES if number % 17 == 0 else RESPONSES[:2])
        varied.ask(host, request % words, response)
    assert log.file.flush(SOON)
    log.close()
    lines = (tmp_path / "log").read_bytes().splitlines(keepends=True)
    assert lines == varied.alone and len(lines) > 850
    assert len(set(lines)) > 120
    assert counted_of(varied.first) == counted_of(varied.counts) and varied.first.failures == varied.counts.failures
    assert varied.standing > 25
    # Of some all was known beforehand.
    assert (len(told) < len(lines) - 25) == (format == "json")
    if counts is not None and counted is not None:
        # By way of the log they are what they are without it.
        assert counted_of(counts) == counted_of(varied.counts) and counts.failures == varied.counts.failures
        assert sum(row.count for row in counts.rows.values()) == len(lines) and len(counts.rows) > 15


@pytest.mark.parametrize("own", [b"Cookie: s=%d", b"Cookie: s=%d\r\nReferer: /%d", b"User-Agent: u%d"])
@pytest.mark.parametrize("kind", [JsonLines, CombinedLines])
def test_heads_that_differ_in_a_few_values_have_in_common_what_these_do_not_say(tmp_path, monkeypatch, kind, own):
    now, wholes, whole = 1.8e9, [], kind.whole
    monkeypatch.setattr("txproxy.observe.access_log.time", lambda: now)
    format = "json" if kind is JsonLines else "combined"
    log = AccessLog(str(tmp_path / "log"), line_format(format, "web", Connections()))
    varied = Varied(format, log, now)
    monkeypatch.setattr(kind, "whole", lambda lines, over, now: wholes.append(lines) or whole(lines, over, now))
    for number in range(40):
        varied.ask("192.0.2.1", REQUESTS[1] % (own % ((number,) * own.count(b"%d"))), RESPONSES[0])
        log.make()
    assert log.file.flush(SOON)
    log.close()
    assert (tmp_path / "log").read_bytes().splitlines(keepends=True) == varied.alone
    # Those of the first requests, and those that have each been written alone.
    assert (len(wholes) - 40 < 5) == (own == b"Cookie: s=%d")


def made_whole(format, name):
    """Lines that are each made of all that there is."""
    lines = line_format(format, name, Connections())
    # Who has made no line before knows of nothing that they have in common.
    whole = lines.by.whole if lines.by is not None else lambda *told: line_format(format, name).exchange(*told)
    together = lambda said, whole: b"".join(filter(None, map(whole, said)))  # noqa: E731
    return attrs.evolve(lines, exchange=whole, brief=lambda over, now: None, of_briefs=together, count_in=None)


class Told:
    """A proxy with two logs of a ``format``, told as one with what is counted if that can be, or by the slow twins of
    that, and without the short cut of plans that stand.
    """

    def __init__(self, short, directory, counted, format="json", upstreams=()):
        directory.mkdir()
        make = line_format if short else made_whole
        self.logs = [AccessLog(str(directory / name), make(format, name)) for name in "ab"]
        self.counts = [RequestCounts() for _ in self.logs] if counted else []
        told = [log.exchange for log in self.logs] + [counts.exchange for counts in self.counts]
        if short and format == "json":
            told = [log.counted(counts) for log, counts in zip(self.logs, self.counts or (None, None), strict=True)]
            told = [one.exchange for one in told]
        one = parse_upstream("http://192.0.2.80;weight=12")
        # At the same place, and by the same connections.
        other = Upstream(one.address, one.authority, name="other")
        pool = Pool(upstreams or [one, other, "http://192.0.2.81;weight=12"], name="p")
        self.proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, observers=told, h2c=True, reactor=reactor))
        if not short:
            self.proxy.factory.standing_for = None
        self.clients = {}

    def ask(self, host, request, response, seconds):
        client = self.clients.get(host)
        if client is None or client.closed or client.disconnecting:
            self.clients[host] = client = self.proxy.connect(host)
        client.send(request)
        self.proxy.clock.advance(seconds)
        for upstream in self.proxy.network.connections:
            if upstream.received and not upstream.closed:
                upstream.received = b""
                upstream.send(response)

    def said(self):
        for log in self.logs:
            log.make()
            assert log.file.flush(SOON)
            log.close()
            yield Path(log.file.path).read_bytes()
        for counts in self.counts:
            yield counted_of(counts), counts.failures


ALIKE = b"%b HTTP/1.%d\r\nHost: c.example\r\nUser-Agent: %b\r\n%b\r\n"
ANSWER = b"HTTP/1.1 %b\r\nDate: D\r\n%bContent-Length: 2\r\n\r\nok"


OWN = (
    *[b""] * 7,
    b"Cookie: s=%d\r\n",
    b"Cookie: s=%d\r\nX-Request-Id: q%d\r\n",
    b"Cookie: s=%d\r\nReferer: http://a/%d\r\n",
    b"Cookie: s=1\r\nX-Request-Id: \r\n",
)


@pytest.mark.parametrize("counted", [True, False])
def test_what_plans_stand_for_is_logged_and_counted_as_by_the_slow_twins(tmp_path, monkeypatch, counted, told):
    now, chance = [1.8e9], random.Random(11)
    monkeypatch.setattr("txproxy.observe.access_log.time", lambda: now[0])
    # Lines are made here alone, so that it is always the same.
    monkeypatch.setattr("txproxy.observe.log_file.LogFile.wait_for", lambda file, maker: None)
    asked, wholes, whole = [], [], JsonLines.whole
    monkeypatch.setattr(JsonLines, "whole", lambda lines, over, now: wholes.append(lines) or whole(lines, over, now))
    worlds = [Told(one, tmp_path / str(one), counted) for one in (True, False)]
    pick = lambda usual, *others: chance.choice(others) if chance.random() < rare else usual  # noqa: E731
    for number in range(2400):
        if number % 60 == 0:
            host, agent = chance.choice(CLIENTS), chance.choice([b"curl", b"wget"])
            identified = chance.choice([*[b""] * 5, b"X-Request-Id: 7\r\n", b"X-Request-Id: \r\n"])
            # What is new each time has others read anew as well.
            rare = chance.choice([0.0, 0.0, 0.06])
            # Heads that differ in a few values have a template.
            own = chance.choice(OWN)
        target = chance.choice([b"/same"] * 9 + [b"/%d" % number, b"http://c.example/same"])
        fields = own % ((number,) * own.count(b"%d"))
        request = ALIKE % (b"GET " + target, pick(1, 1, 1, 1, 0), agent, fields)
        asked.append(request)
        answer = ANSWER % (
            chance.choice([b"200 OK"] * 20 + [b"404 No", b"503 No"]),
            pick(identified, b"", b"X-Request-Id: %d\r\n" % number),
        )
        answer = pick(answer, answer.replace(b": 2", b": 3") + b"!")
        seconds = chance.choice([0.0, 0.0004, 0.003, 0.3, 1.5])
        now[0] += chance.choice([0.0, 0.0001, 0.001, 0.4])
        for world in worlds:
            world.ask(host, request, answer, seconds)
            if number % 60 < 5 or number % 4 == 0:
                # so that the next line can have something in common with these
                for log in world.logs:
                    log.make()
    said = [list(world.said()) for world in worlds]
    assert said[0] == said[1]
    assert said[0][0].count(b"\n") == 2400 and len(set(said[0][0].splitlines())) > 1000
    # The second log knows none beforehand.
    assert [told.count(log) < 2100 for log in worlds[0].logs] == [True, False]
    # Of few lines the short way took all that there is.
    assert max(sum(one is log.lines_by for one in wholes) for log in worlds[0].logs) < 1400
    assert 800 < sum(b"Cookie" in request for request in asked) < 1600


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("own", [b"", b"s=%d"])
def test_each_request_of_http2_is_logged_with_its_stream(tmp_path, monkeypatch, counted, own):
    monkeypatch.setattr("txproxy.observe.access_log.time", lambda: 1.8e9)
    monkeypatch.setattr("txproxy.observe.log_file.LogFile.wait_for", lambda file, maker: None)
    wholes, whole = [], JsonLines.whole
    monkeypatch.setattr(JsonLines, "whole", lambda lines, over, now: wholes.append(lines) or whole(lines, over, now))
    worlds = [Told(one, tmp_path / str(one), counted, upstreams=["h2c://192.0.2.80"]) for one in (True, False)]
    for world in worlds:
        client, upstream = Http2Peer(world.proxy.connect()), None
        for number in range(60):
            for _ in range(number % 5 + 1):
                # What is the same comes together.
                fields = [*GET[:3], (b":path", b"/%d" % number if own and number % 7 == 3 else b"/x")]
                fields += [(b"cookie", own % number)] if own else []
                client.h2.send_headers(client.h2.get_next_available_stream_id(), fields, end_stream=True)
            client.turn()
            upstream = upstream or UpstreamPeer(world.proxy.upstream)
            for stream in upstream.look().heads:
                upstream.answer(stream, 200, ("date", "D"), body=b"ok")
            upstream.heads.clear()
            client.turn()
            for log in world.logs:
                log.make()
    said = [list(world.said()) for world in worlds]
    assert said[0] == said[1]
    lines = [json.loads(line) for line in said[0][0].splitlines()]
    assert sorted(line["stream"] for line in lines) == list(range(1, 2 * len(lines), 2)) and len(lines) == 180
    # Of few lines the short way took all that there is, if they have much in common.
    assert own or sum(one is worlds[0].logs[0].lines_by for one in wholes) < 20


@pytest.mark.parametrize("format", ["combined", "squid"])
@pytest.mark.parametrize("rare", [0.0, 0.06])
def test_other_lines_of_what_plans_stand_for_are_those_of_the_slow_twins(tmp_path, monkeypatch, format, rare):
    now, chance = [1.8e9], random.Random(13)
    monkeypatch.setattr("txproxy.observe.access_log.time", lambda: now[0])
    monkeypatch.setattr("txproxy.observe.log_file.LogFile.wait_for", lambda file, maker: None)
    worlds = [Told(one, tmp_path / str(one), True, format) for one in (True, False)]
    asked_for_more, settle = [], StandingExchange.settle

    def settle_noting(one):
        if one.standing is not None and one.phase is OVER:
            asked_for_more.append(one)
        settle(one)

    monkeypatch.setattr(StandingExchange, "settle", settle_noting)
    pick = lambda usual, *others: chance.choice(others) if chance.random() < rare else usual  # noqa: E731
    for number in range(1200):
        if number % 60 == 0:
            host, agent = chance.choice(CLIENTS), chance.choice([b"curl", b'w"get'])
        target = chance.choice([b"/same"] * 9 + [b"/%d" % number, b"http://c.example/same"])
        request = ALIKE % (pick(b"GET ", b"HEAD ") + target, pick(1, 0), agent, b"")
        answer = ANSWER % (
            chance.choice([b"200 OK"] * 20 + [b"404 No", b"503 No"]),
            pick(b"", b"Content-Type: a/b\r\n"),
        )
        answer = pick(answer, answer.replace(b": 2", b": 3") + b"!")
        seconds = chance.choice([0.0, 0.0004, 0.003, 0.3, 1.5])
        now[0] += chance.choice([0.0, 0.0001, 0.001, 0.4])
        for world in worlds:
            world.ask(host, request, answer, seconds)
            if number % 4 == 0:
                for log in world.logs:
                    log.make()
    said = [list(world.said()) for world in worlds]
    assert said[0] == said[1]
    assert said[0][0].count(b"\n") == 1200 and len(set(said[0][0].splitlines())) > 250
    # The absolute ones are each looked at, and most others are not.
    assert 0 < len(asked_for_more) < 450


@pytest.mark.parametrize("counted", [True, False])
def test_heads_that_come_again_have_their_own_id_whatever_came_by_the_same_template(tmp_path, counted):
    worlds = [Told(one, tmp_path / str(one), counted) for one in (True, False)]
    for number in range(120):
        # Each of them comes often enough that a plan stands for it.
        request = ALIKE % (b"GET /same", 1, b"curl", b"Cookie: s=1\r\nX-Request-Id: q%d\r\n" % (number // 12))
        for world in worlds:
            world.ask(CLIENTS[0], request, ANSWER % (b"200 OK", b""), 0.0)
            for log in world.logs:
                log.make()
    said = [
        [re.findall(rb'"request_id":"q(\d+)"', one) for one in world.said() if isinstance(one, bytes)]
        for world in worlds
    ]
    assert said == [[[b"%d" % (number // 12) for number in range(120)]] * 2] * 2


def test_what_was_logged_before_it_was_counted_is_counted_from_then_on(tmp_path):
    world = Told(True, tmp_path / "logs", counted=False)
    # What was found out of the first client is then no longer among what is remembered.
    for made in (log.lines_by._routed for log in world.logs):
        made._most = 4
    services, log = world.proxy.factory.services, world.logs[0]

    def ask(client, method, times):
        for _ in range(times):
            world.ask(client, ALIKE % (method + b" /same", 1, b"curl", b""), ANSWER % (b"200 OK", b""), 0.0)
            for log in world.logs:
                log.make()

    ask(CLIENTS[0], b"GET", 40)
    for number in range(6):
        ask(CLIENTS[1], b"M%d" % number, 3)
    counts = RequestCounts()
    services._momentary = (log.counted(counts).exchange, *services._momentary[1:])
    ask(CLIENTS[0], b"GET", 40)
    assert sum(row.count for row in counts.rows.values()) == 40
    list(world.said())


def test_what_a_log_counts_is_counted_when_it_is_asked_for_and_in_bounds(tmp_path):
    log, counts = AccessLog(str(tmp_path / "log"), "json"), RequestCounts()
    counted = log.counted(counts)
    assert log.counted(counts) is counted and log.counted(RequestCounts()) is None
    pool = Pool(["http://192.0.2.80", "http://192.0.2.80:81"], name="p")
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, observers=(counted.exchange,), reactor=reactor))
    client = proxy.connect()
    for number in range(700):
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        for upstream in proxy.network.connections:
            if upstream.received:
                upstream.received = b""
                upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        if number == 20:
            by_upstream = {key[4]: row.count for key, row in counts.rows.items()}
            assert sum(by_upstream.values()) == 21 and len(by_upstream) == 2
    assert max(len(row.sizes) for row in counts._rows.values()) < 256
    assert sum(row.count for row in counts.rows.values()) == 700
    assert sum(row.sent for row in counts.rows.values()) == 1400
    log.close()


def test_a_log_that_fails_keeps_nothing_from_being_counted(tmp_path, monkeypatch):
    log, counts = AccessLog(str(tmp_path / "log"), "json"), RequestCounts()
    monkeypatch.setattr(log, "_brief", lambda over, now: 1 / 0)
    with capturedLogs() as logs:
        log.counted(counts).exchange(record(attempts=()))
    assert [formatEvent(one) for one in logs] == ["an observer failed"]
    assert sum(row.count for row in counts.rows.values()) == 1
    log.close()
