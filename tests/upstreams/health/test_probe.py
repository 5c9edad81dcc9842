"""One health check: what is sent, and what is made of the answer."""

import re
from random import Random

import pytest
from hpack import Encoder
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from tests.net.sockets import Turns, connected_pair
from tests.proxy.upstream.http2_peer import Http2Peer
from txproxy.errors import ConnectionRefused, DnsError, TlsError
from txproxy.interfaces import Address
from txproxy.testing import MemoryConnection, MemoryNetwork
from txproxy.upstreams.health.checks import Checks
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.wire.http2 import frames

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Told:
    """An upstream that remembers what it was told."""

    def __init__(self, address=None):
        self.name = "one"
        self.address = address or Address("10.0.0.1", 80)
        self.authority = b"one.example"
        self.told = []

    def checked(self, ok, cause):
        self.told.append((ok, cause))

    def passed(self, since):
        return False


class One:
    """A check that is under way; its first result is the upstream's verdict."""

    def __init__(self, *script, address=None, preface=b"", **check):
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.network.script = list(script)
        self.upstream = Told(address)
        check = HealthCheck(**{"rise": 1, "fall": 1, "interval": 60, **check})
        self.checks = Checks(check, self.clock, self.network.dial, Random(1), preface=preface)
        self.checks.watch(self.upstream)
        self.checks.start()
        self.clock.advance(1)

    @property
    def connection(self):
        return self.network.connections[-1]

    def connect(self, probe):
        """A connection whose dialer is not done yet."""
        self.network.connections.append(MemoryConnection(self.clock, probe, self.upstream.address))
        return self.connection

    @property
    def cause(self):
        """What was wrong, empty if nothing was; a check that has not come to an end is a fault of the test."""
        ((ok, cause),) = self.upstream.told
        assert ok is not bool(cause)
        return cause


@pytest.fixture
def one():
    made = []

    def make(*script, **options):
        made.append(One(*script, **options))
        return made[-1]

    yield make
    for each in made:
        each.checks.stop()
        each.clock.advance(0)
        assert all(connection.closed for connection in each.network.connections)
        assert not each.clock.getDelayedCalls()


# -- what is sent


def test_a_check_is_a_request_of_its_own_on_a_fresh_connection(one):
    check = one()
    assert check.connection.take() == (
        b"GET /health HTTP/1.1\r\nHost: one.example\r\nUser-Agent: txproxy-health-check\r\nAccept: */*\r\n"
        b"Connection: close\r\n\r\n"
    )
    check.connection.send(OK)
    check.clock.advance(70)
    assert len(check.network.connections) == 2
    assert check.network.connections[0].closed


def test_method_path_and_host_are_as_configured(one):
    lines = one(method=b"POST", path=b"/up?deep=1", host=b"checks.example:8080").connection.take().split(b"\r\n")
    assert lines[:2] == [b"POST /up?deep=1 HTTP/1.1", b"Host: checks.example:8080"]
    assert b"Content-Length: 0" in lines


@pytest.mark.parametrize("kind", ["http", "connect"])
@pytest.mark.parametrize("tls", [None, object()])
def test_a_preface_is_handed_to_the_dialer_which_knows_what_comes_first(one, kind, tls):
    check = one(preface=b"PROXY UNKNOWN\r\n", kind=kind, address=Address("10.0.0.1", 80, tls=tls))
    (dialed,) = check.network.dialed
    assert dialed == check.upstream.address
    assert dialed.tls is tls
    assert dialed.preface == b"PROXY UNKNOWN\r\n"


def test_without_a_preface_the_address_is_the_upstreams_own(one):
    check = one()
    assert check.network.dialed[0] is check.upstream.address


# -- what is made of the answer


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.0 302 Found\r\nLocation: /\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK,
        # The body is nobody's concern.
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nbegins",
    ],
)
@pytest.mark.parametrize("pieces", ["whole", "bytes"])
def test_a_good_status_is_well(one, answer, pieces):
    check = one()
    if pieces == "whole":
        check.connection.send(answer)
    else:
        check.connection.send_each_byte(answer)
    assert check.cause == ""
    check.clock.advance(0)
    assert check.connection.closed
    assert not check.connection.reset


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "status 500, not 200-399"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "status 404, not 200-399"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "malformed answer: not an HTTP/1 response"),
        (frames.settings([]), "malformed answer: an answer of HTTP/2, where HTTP/1 is to be spoken"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "malformed answer: 101 without an Upgrade in the request"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 17, "malformed answer: too many informational responses"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 66000, "malformed answer: the response head is too large"),
    ],
)
def test_any_other_answer_is_a_failure(one, answer, cause):
    check = one()
    check.connection.send(answer)
    assert check.cause == cause
    check.clock.advance(0)
    assert check.connection.closed


def test_expected_statuses_are_as_configured(one):
    check = one(expect=[204, "400-499"])
    check.connection.send(b"HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n")
    assert check.cause == ""
    check = one(expect=[204, "400-499"])
    check.connection.send(OK)
    assert check.cause == "status 200, not 204, 400-499"


@pytest.mark.parametrize("wanted", [b"ready", re.compile(rb"^state: (ready|warm)$", re.MULTILINE)])
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\nall\nstate: ready\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nstate: re\r\n3\r\nady\r\n0\r\n\r\n",
    ],
)
def test_a_body_is_searched_once_it_is_complete(one, wanted, answer):
    check = one(body=wanted)
    check.connection.send(answer[:-1])
    assert check.upstream.told == []
    check.connection.send(answer[-1:])
    assert check.cause == ""


def test_a_body_until_close_is_complete_at_the_close(one):
    check = one(body=b"ready")
    check.connection.send(b"HTTP/1.1 200 OK\r\n\r\nready")
    assert check.upstream.told == []
    check.connection.drop(clean=True)
    assert check.cause == ""


@pytest.mark.parametrize(
    ("wanted", "cause"),
    [(b"ready", "'ready' is not in the body"), (re.compile(rb"rea[d]y"), "the body does not match 'rea[d]y'")],
)
@pytest.mark.parametrize("answer", [OK, b"HTTP/1.1 204 No Content\r\n\r\n"])
def test_a_body_without_what_is_looked_for_is_a_failure(one, wanted, cause, answer):
    check = one(body=wanted)
    check.connection.send(answer)
    assert check.cause == cause


def test_only_the_first_64_kb_are_searched(one):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    check = one(body=b"ready")
    check.connection.send(head + b"." * 65531 + b"ready")
    assert check.cause == ""
    check = one(body=b"ready")
    check.connection.send(head + b"." * 65532 + b"ready")
    assert check.cause == "'ready' is not in the body"


def test_a_bad_status_is_told_before_the_body(one):
    check = one(body=b"ready")
    check.connection.send(b"HTTP/1.1 503 Down\r\nContent-Length: 5\r\n\r\n")
    assert check.cause == "status 503, not 200-399"


@pytest.mark.parametrize(
    ("sent", "clean", "cause"),
    [
        (b"", True, "the connection closed before an answer"),
        (b"", False, "the connection was reset before an answer"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", True, "the connection closed before an answer"),
        (b"HTTP/1.1 200", True, "the connection closed within the answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nready", True, "the connection closed within the answer"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nready\r\n",
            True,
            "the connection closed within the answer",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nready", False, "the connection was reset within the answer"),
    ],
)
def test_a_cut_answer_is_a_failure(one, sent, clean, cause):
    check = one(body=b"ready")
    check.connection.send(sent)
    check.connection.drop(clean)
    assert check.cause == cause


def test_bytes_after_the_verdict_are_nobodys(one):
    check = one()
    check.connection.send(OK)
    check.network.connections[0]._protocol.dataReceived(b"HTTP/1.1 500 Oh\r\n\r\n")
    assert check.cause == ""


# -- connecting


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (ConnectionRefused("10.0.0.1:80 refused the connection"), "connection refused"),
        (DnsError("a.example was not found"), "a.example was not found"),
        (TlsError("the certificate of a is not trusted"), "the certificate of a is not trusted"),
        (TlsError(), "tls_protocol_error"),
    ],
)
@pytest.mark.parametrize("kind", ["http", "connect"])
def test_a_failed_connection_is_a_failure(one, fault, cause, kind):
    assert one(fault, kind=kind).cause == cause


def test_a_connection_is_enough_for_a_check_of_kind_connect(one):
    check = one(kind="connect")
    assert check.cause == ""
    check.clock.advance(0)
    assert check.connection.received == b""
    assert check.connection.closed
    assert not check.connection.reset


def test_with_tls_the_handshake_counts(one):
    """The dialer (see txproxy.net.dialing) is done only then; a connection lost before it fails the dialing."""
    check = one("hang", kind="connect", address=Address("10.0.0.1", 443, tls=object()))
    dialed, _, build = check.network.hanging[0]
    probe = build()
    probe.handshake_done = lambda failure: dialed.errback(TlsError("the TLS handshake with 10.0.0.1:443 failed"))
    connection = check.connect(probe)
    assert check.upstream.told == []
    connection.drop()
    assert check.cause == "the TLS handshake with 10.0.0.1:443 failed"


def test_a_finished_handshake_is_told_to_the_dialer(one):
    check = one("hang", address=Address("10.0.0.1", 443, tls=object()))
    dialed, _, build = check.network.hanging.pop()
    probe = build()
    probe.handshake_done = lambda failure: dialed.callback(probe)
    connection = check.connect(probe)
    assert connection.received == b""
    probe.handshakeCompleted()
    assert connection.received.startswith(b"GET /health ")
    probe.handshake_done = None


def test_a_connection_that_is_lost_while_the_dialer_still_works_is_a_failure(one):
    check = one("hang", kind="connect")
    dialed, _, build = check.network.hanging.pop()
    probe = build()
    check.connect(probe).drop()
    dialed.callback(probe)
    assert check.cause == "the connection closed at once"


def test_a_dialer_with_a_bug_is_a_failure_with_a_traceback_in_the_log(one):
    logged = []
    globalLogPublisher.addObserver(logged.append)
    try:
        check = one(ZeroDivisionError("a bug"))
    finally:
        globalLogPublisher.removeObserver(logged.append)
    assert check.cause == "the check itself failed, see the log"
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [ZeroDivisionError]


# -- time


def test_no_connection_in_time_is_a_failure_and_the_dialing_is_cancelled(one):
    check = one("hang", timeout=2)
    dialed = check.network.hanging[0][0]
    check.clock.advance(1.5)
    assert check.upstream.told == []
    check.clock.advance(0.5)
    assert check.cause == "no connection within 2 s"
    assert dialed.called
    # A dialer that could not be stopped comes with a connection nevertheless.
    check.network.answer()
    check.clock.advance(0)
    assert check.connection.closed
    assert check.connection.reset


@pytest.mark.parametrize(
    ("sent", "cause"),
    [
        (b"", "no answer within 0.5 s"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "no answer within 0.5 s"),
        (b"HTTP/1.1 200 OK\r\n", "no complete answer within 0.5 s"),
        (b"HTTP/1.1 200 OK\r\n\r\nrea", "no complete answer within 0.5 s"),
    ],
)
def test_no_answer_in_time_is_a_failure_and_the_connection_is_reset(one, sent, cause):
    check = one(timeout=0.5, body=b"ready")
    check.connection.send(sent)
    check.clock.advance(0.5)
    assert check.cause == cause
    check.clock.advance(0)
    assert check.connection.reset


def test_a_handshake_that_takes_too_long_is_dropped_and_its_dialer_told_nothing_more(one):
    check = one("hang", address=Address("10.0.0.1", 443, tls=object()))
    _, _, build = check.network.hanging.pop()
    probe = build()
    heard = []
    probe.handshake_done = heard.append
    connection = check.connect(probe)
    check.clock.advance(2)
    assert check.cause == "no connection within 2 s"
    check.clock.advance(0)
    assert connection.reset
    assert heard == []


def test_a_peer_that_does_not_close_in_its_turn_is_dropped_at_the_timeout(one):
    check = one(timeout=2)
    check.connection.stop_reading()
    check.connection.write(b"what its peer does not take keeps a connection open")
    check.connection.send(OK)
    assert check.cause == ""
    check.clock.advance(1)
    assert not check.connection.closed
    check.clock.advance(1.1)
    assert check.connection.reset


@pytest.mark.parametrize("last_word", [ConnectionRefused(), "connected"])
def test_a_dialing_that_was_cancelled_has_no_last_word(last_word):
    clock = Clock()
    upstream = Told()
    dialings = []

    def dial(address, build):
        said = Failure(last_word) if isinstance(last_word, Exception) else last_word
        dialings.append(Deferred(lambda dialing: dialing.callback(said)))
        return dialings[-1]

    checks = Checks(HealthCheck(fall=1), clock, dial, Random(1))
    checks.watch(upstream)
    checks.start()
    clock.advance(1)
    assert len(dialings) == 1
    checks.stop()
    assert dialings[0].called
    assert upstream.told == []
    assert not clock.getDelayedCalls()


def test_losing_the_connection_after_the_verdict_changes_nothing(one):
    check = one()
    check.connection.send(b"HTTP/1.1 500 Oh\r\n\r\n")
    check.network.connections[0]._protocol.connectionLost(Failure(ConnectionDone()))
    check.connection.closed = True
    assert check.cause == "status 500, not 200-399"


@pytest.mark.parametrize(("kind", "cause"), [("http", "it spoke before it was asked"), ("connect", "")])
def test_what_is_said_before_the_question_is_no_answer(one, kind, cause):
    check = one("hang", kind=kind)
    dialed, _, build = check.network.hanging.pop()
    probe = build()
    connection = check.connect(probe)
    probe.dataReceived(OK)
    dialed.callback(probe)
    assert check.cause == cause and connection.received == b""


@pytest.mark.parametrize(("said", "cause"), [(OK, "it spoke before it was asked"), (b"", "")])
def test_what_waits_to_be_read_has_come_before_the_question(one, said, cause):
    check = one("hang")
    dialed, _, build = check.network.hanging.pop()
    probe, turns = build(), Turns()
    end, other = connected_pair(200_000)
    end.sendall(said)
    transport = tcp.Server(other, probe, other.getpeername(), None, 0, turns)
    probe.makeConnection(transport)
    dialed.callback(probe)
    if not said:
        probe.dataReceived(OK)
    assert check.cause == cause
    transport.abortConnection()
    turns.end_turn()
    end.close()


# -- upstreams that speak HTTP/2

H2C = Address("10.0.0.1", 80, protocols=("h2",))


def h2_answer(*parts, ended=False):
    return frames.settings([]) + b"".join(
        (frames.headers(1, Encoder().encode([(":status", "200")]), ended, 16384), *parts)
    )


@pytest.mark.parametrize("early", [b"", frames.settings([])])
def test_an_upstream_of_http2_is_asked_in_that(one, early):
    check = one("hang", address=H2C)
    check.network.greeting = early
    check.network.answer()
    peer = Http2Peer(check.connection, silent=bool(early))
    assert peer.head(1)[":path"] == "/health" and peer.head(1)[":authority"] == "one.example" and peer.ended == {1}
    peer.answer(1)
    assert not check.cause and ("SETTINGS", 1, 0, b"") in peer.look().others


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "malformed answer"),
        (frames.settings([]) + frames.rst_stream(1, 7), "malformed answer: it was reset with code 7"),
        (h2_answer(frames.header(3, 0, 1, 1) + b"bad"), "'ok' is not in the body"),
    ],
)
def test_what_is_wrong_with_its_answer(one, data, cause):
    check = one(address=H2C, body="ok")
    check.connection.send(data)
    assert check.cause.startswith(cause)


def test_an_upstream_of_http2_that_closes_is_unwell(one):
    check = one(address=H2C, body="ok")
    check.connection.send(h2_answer(frames.header(2, 0, 0, 1) + b"ok"))
    check.connection.drop(clean=True)
    assert check.cause == "the connection closed within the answer"
