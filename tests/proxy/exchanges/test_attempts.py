"""Trackers and filters are told once, whatever becomes of an attempt; and what embedders get wrong is answered."""

import pytest
from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from txproxy.errors import ConnectionRefused, UpstreamUnavailable
from txproxy.interfaces import Address, Attempt, IMode, Plan, RequestFilter, ResponseFilter, Trace
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
PUT = b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
UPGRADE = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: w\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nX-Secret: 1\r\nConnection: upgrade\r\nUpgrade: w\r\n\r\n"


class Told(RequestFilter):
    """A tracker and a filter that write down what they are told."""

    keeps_length = True

    def __init__(self):
        self.ends = []
        self.copied = []

    def ended(self, fault, status):
        self.ends.append((type(fault).__name__ if fault is not None else None, status))

    def body(self, data):
        self.copied.append(data)
        return data

    def end(self):
        self.copied.append("end")
        return b""

    def closed(self):
        self.copied.append("closed")


class Rewrites(ResponseFilter):
    """Gives other lines."""

    def __init__(self, lines_of):
        self.lines_of = lines_of

    def head(self, response, context):
        return response.with_lines(self.lines_of(response.headers.lines))


@implementer(IMode)
class Scripted:
    """Plans one attempt, and then what ``again`` says."""

    def __init__(self, again=None):
        self.told = Told()
        self.answered = []
        self.on_answer = self.answered.append
        self.max_body = None
        self.attempt_lines = ()
        self.lines = ()
        self.rewrite = None
        self.again = again
        self.late = None
        self.tunnel = False

    def plan(self, head, context):
        lines = [*head.headers.lines]
        made = None if self.tunnel else RequestHead(head.method, head.path, Headers.from_lines(lines), body=head.body)
        plan = Plan.of(Attempt(Address("10.0.0.1", 80), made, self.told, self.on_answer, self.attempt_lines))
        plan.max_body = self.max_body
        plan.next_attempt = self.again
        context.add_lines(*self.lines)
        context.filter_requests(self.told)
        if self.rewrite is not None:
            context.filter_responses(Rewrites(self.rewrite))
        if self.late is not None:
            self.late.addCallback(lambda _: plan)
            return self.late
        return plan


@pytest.fixture
def serve(closing, failures):
    def serve(again=None):
        mode = Scripted(again)
        proxy = ProxyInMemory(lambda reactor: ProxyFactory(mode, reactor=reactor))
        proxy.failures = failures
        return closing(proxy), mode

    return serve


def test_a_party_learns_the_status_and_a_shadow_the_end(serve):
    proxy, mode = serve()
    client = proxy.connect()
    client.send(PUT + b"hello")
    proxy.upstream.send(OK)
    assert client.received == OK
    assert mode.told.ends == [(None, 200)]
    assert mode.told.copied == [b"hello", "end", "closed"]


def test_a_refusal_of_our_own_is_no_status_of_an_upstream(serve):
    proxy, mode = serve()
    mode.max_body = 3
    client = proxy.connect()
    client.send(PUT + b"hello")
    assert client.received.startswith(b"HTTP/1.1 413 ")
    assert mode.told.ends == [(None, 0)]
    assert mode.told.copied == ["closed"]


def test_a_body_that_turns_out_too_long_is_cut(serve):
    proxy, mode = serve()
    mode.max_body = 3
    client = proxy.connect()
    client.send(PUT.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
    assert client.received.startswith(b"HTTP/1.1 413 ")
    assert mode.told.ends == [(None, 0)]
    assert mode.told.copied == ["closed"]


def test_a_client_that_leaves_is_no_fault_of_an_upstream(serve):
    proxy, mode = serve()
    client = proxy.connect()
    client.send(PUT + b"he")
    client.drop()
    assert mode.told.ends == [(None, 0)]
    assert mode.told.copied == [b"he", "closed"]


def test_a_plan_that_comes_after_the_client_has_left_is_given_back(serve):
    proxy, mode = serve()
    # one that does not care for its being cancelled
    mode.late = Deferred(lambda late: late.callback(None))
    client = proxy.connect()
    client.send(PUT)
    client.drop()
    assert mode.told.ends == [(None, 0)]
    assert mode.told.copied == ["closed"]
    assert not proxy.network.dialed


def test_a_connection_that_comes_after_the_client_has_left_is_closed(serve):
    proxy, mode = serve()
    dial = proxy.network.dial
    made = []

    def late(address, build):
        # one that does not care for its being cancelled
        done = Deferred()
        done.cancel = lambda: dial(address, build).addCallback(made.append)
        made.append(done)
        return done

    proxy.factory.services.dialer.dial = late
    client = proxy.connect()
    client.send(PUT)
    client.drop()
    done, connection = made
    done.callback(connection)
    proxy.clock.advance(0)
    assert proxy.network.connections[0].closed and not proxy.network.connections[0].received
    assert mode.told.ends == [(None, 0)]


def test_another_attempt_that_comes_after_the_client_has_left_is_given_back(serve):
    second = Told()
    waiting = Deferred()
    waiting.cancel = lambda: None
    proxy, mode = serve(lambda plan, fault: waiting)
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(PUT)
    client.drop()
    waiting.callback(Attempt(Address("10.0.0.2", 80), None, second))
    assert second.ends == [(None, 0)]
    assert mode.told.ends == [("ConnectionRefused", 0)] and len(proxy.network.dialed) == 1


@pytest.mark.parametrize(
    ("decide", "status"),
    [
        (lambda *_: None, b"502"),
        (lambda *_: fail(UpstreamUnavailable("no")), b"503"),
        (lambda *_: Deferred(), b""),
    ],
)
def test_whatever_is_decided_after_a_fault_it_is_told_once(serve, decide, status):
    proxy, mode = serve(decide)
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(PUT)
    assert client.received[9:12] == status
    client.drop()
    assert mode.told.ends == [("ConnectionRefused", 0)]
    assert mode.told.copied == ["closed"]


def test_a_refusal_may_be_raised(serve):
    def again(*_):
        raise UpstreamUnavailable("nobody")

    proxy, _ = serve(again)
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 503 ")
    assert not proxy.failures


def test_an_upgrade_is_told_of_when_it_begins_and_treated_as_an_answer(serve):
    proxy, mode = serve()
    mode.rewrite = lambda lines: [line for line in lines if not line.startswith(b"X-Secret")]
    mode.lines = (b"Set-Cookie: a=b",)
    client = proxy.connect()
    client.send(UPGRADE)
    proxy.upstream.send(SWITCH)
    assert client.received == (
        b"HTTP/1.1 101 Switching Protocols\r\nSet-Cookie: a=b\r\nConnection: upgrade\r\nUpgrade: w\r\n\r\n"
    )
    assert (mode.answered, mode.told.ends) == ([101], [])
    client.drop()
    assert mode.told.ends == [(None, 101)]


def test_lines_of_an_attempt_are_those_of_its_response_and_lines_of_the_request_of_whatever_answers_it(serve):
    def again(plan, fault):
        return Attempt(Address("10.0.0.2", 80), plan.attempt.head, lines=(b"X-Attempt: 2",))

    proxy, mode = serve(again)
    mode.lines, mode.attempt_lines = (b"X-Mode: 1",), (b"X-Attempt: 1",)
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.take() == OK.replace(b"\r\n\r\n", b"\r\nX-Mode: 1\r\nX-Attempt: 1\r\n\r\n")
    proxy, mode = serve(again)
    mode.lines, mode.attempt_lines = (b"X-Mode: 1",), (b"X-Attempt: 1",)
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK.replace(b"\r\n\r\n", b"\r\nX-Mode: 1\r\nX-Attempt: 2\r\n\r\n")
    client.drop()
    # nothing, late, and at once
    for lost in (lambda *_: None, lambda *_: fail(UpstreamUnavailable("no")), raising):
        mode.again = lost
        proxy.network.script = [ConnectionRefused("no")]
        client = proxy.connect()
        client.send(GET)
        head = client.received.partition(b"\r\n\r\n")[0].split(b"\r\n")
        assert head[0].split()[1] in (b"502", b"503") and b"X-Mode: 1" in head
        assert not any(line.startswith(b"X-Attempt") for line in head)
    mode.max_body = 1
    client = proxy.connect()
    client.send(PUT)
    assert client.received.startswith(b"HTTP/1.1 413 ") and b"\r\nX-Mode: 1\r\n" in client.received


def raising(*_):
    raise UpstreamUnavailable("no")


def test_a_tunnel_is_told_of_when_it_begins(serve):
    proxy, mode = serve()
    mode.tunnel = True
    client = proxy.connect()
    client.send(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")
    assert (mode.answered, mode.told.ends) == ([200], [])
    client.drop()
    assert mode.told.ends == [(None, 200)]


def failing(*_):
    raise ZeroDivisionError


@pytest.mark.parametrize("answer", [OK, OK[:-1], OK.replace(b"Content-Length: 2", b"X: y"), SWITCH])
@pytest.mark.parametrize("what", ["rewrite", "on_answer"])
def test_a_rewrite_that_fails_is_a_500(serve, what, answer):
    proxy, mode = serve()
    setattr(mode, what, failing)
    client = proxy.connect()
    client.send(UPGRADE if answer is SWITCH else GET)
    proxy.upstream.send(answer)
    assert client.received.startswith(b"HTTP/1.1 500 ") and client.received.count(b"HTTP/1.1 ") == 1
    assert proxy.failures.pop() is ZeroDivisionError
    assert mode.told.ends == [(None, int(answer[9:12]))]


def test_a_second_thought_that_fails_is_a_500(serve):
    proxy, mode = serve(failing)
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 500 ")
    assert proxy.failures.pop() is ZeroDivisionError
    assert mode.told.ends == [("ConnectionRefused", 0)]


def ask(proxy, mode, late):
    """A client whose request has its plan at once, or only after a while."""
    if late:
        mode.late = Deferred()
    client = proxy.connect()
    client.send(GET)
    if late:
        mode.late.callback(None)
    return client


@pytest.mark.parametrize("late", [False, True])
def test_a_dialer_that_fails_is_a_502(serve, late):
    proxy, mode = serve()
    proxy.factory.services.dialer.dial = failing
    client = ask(proxy, mode, late)
    assert client.received.startswith(b"HTTP/1.1 502 ")
    assert proxy.failures.pop() is ZeroDivisionError
    assert mode.told.ends == [("DialError", 0)]


class Breaking:
    """A connection to an upstream that an embedder has made, and that fails when it is used."""

    spoke_early = False

    def __init__(self):
        self.closed = 0

    def open(self):
        raise ZeroDivisionError

    def close(self):
        self.closed += 1


@pytest.mark.parametrize("late", [False, True])
def test_a_connection_that_cannot_be_used_is_a_500_and_closed(serve, late):
    proxy, mode = serve()
    connection, dialing = Breaking(), Deferred()
    proxy.factory.services.dialer.dial = lambda *_: dialing
    client = ask(proxy, mode, late)
    dialing.callback(connection)
    assert client.received.startswith(b"HTTP/1.1 500 ")
    assert proxy.failures.pop() is ZeroDivisionError
    assert (mode.told.ends, connection.closed) == ([(None, 0)], 1)


def test_a_second_attempt_that_cannot_be_made_is_a_500(serve):
    again = Deferred()
    proxy, _ = serve(lambda plan, fault: again)
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(GET)
    again.callback("no attempt")
    assert client.received.startswith(b"HTTP/1.1 500 ")
    assert proxy.failures.pop() is AttributeError


def test_a_late_plan_that_cannot_be_gone_by_is_a_500(serve):
    proxy, mode = serve()
    mode.late = Deferred()
    mode.max_body = "much"
    client = proxy.connect()
    client.send(GET)
    mode.late.callback(None)
    assert client.received.startswith(b"HTTP/1.1 500 ")
    assert proxy.failures.pop() is TypeError


def test_a_tunnel_that_fails_when_it_begins_is_cut_without_a_second_answer(serve):
    proxy, mode = serve()
    mode.tunnel = True
    connection = Breaking()
    proxy.factory.services.dialer.dial = lambda *_: Deferred.fromCoroutine(given(connection))
    client = proxy.connect()
    client.send(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")
    assert client.received.count(b"HTTP/1.1 ") == 1
    assert proxy.failures.pop() is AttributeError
    proxy.clock.advance(0)
    assert client.closed and connection.closed == 1
    assert mode.told.ends == [(None, 200)]


async def given(value):
    return value


def test_a_change_of_protocols_goes_with_the_upstream_that_has_agreed_to_it(filtered):
    filtered.mode.next_attempt = lambda plan, fault: plan.attempt
    client = filtered.connect()
    upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\n"
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + upgrade + b"Content-Length: 5\r\n\r\n")
    filtered.advance(0)
    filtered.upstream.send(b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade + b"\r\n")
    filtered.upstream.drop()
    client.send(b"hello")
    filtered.advance(0)
    assert len(filtered.network.dialed) == 2 and filtered.upstream.received.endswith(b"\r\n\r\nhello")
    assert client.received == b""
    response = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 0\r\n\r\n"
    filtered.upstream.send(response)
    assert client.received == response


def test_each_attempt_and_its_answer_are_told_whether_or_not_anybody_observes(serve):
    proxy, mode = serve()
    traces = []

    def handle(head, context):
        traces.append(Trace())
        context.trace = traces[-1]
        return mode.plan(head, context)

    proxy.factory.handle = handle
    client, upstream = proxy.exchange(GET, OK)
    client.send(GET)
    # on the connection that was kept
    upstream.send(OK)
    assert len(proxy.network.dialed) == 1 and len(traces) == 2
    for trace in traces:
        said = [(entry.who, entry.what) for entry in trace.entries]
        assert ("answer", "200 OK") in said and any("10.0.0.1" in f"{who} {what}" for who, what in said)
