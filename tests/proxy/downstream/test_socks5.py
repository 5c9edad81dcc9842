"""Clients that speak SOCKS5."""

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from tests.proxy.downstream.socks_world import BY_NAME, CONNECT, FREE, LOGIN, STANDS, WITH_LOGIN
from txproxy.errors import ConnectionRefused, ConnectTimeout, DialError, DnsError, RequestDenied
from txproxy.interfaces import Address, Answer, Headers, Plan, Refusal, RequestHead
from txproxy.proxy.downstream.serving import ServedBy


def refused(code):
    return b"\x05" + bytes([code]) + b"\x00\x01\x00\x00\x00\x00\x00\x00"


def ask(world, request=BY_NAME):
    client = world.connect()
    client.send(FREE)
    assert client.take() == b"\x05\x00"
    client.send(request)
    return client


# -- the tunnel


@pytest.mark.parametrize("bytewise", [False, True])
def test_a_request_becomes_a_tunnel(world, bytewise):
    client = world.connect()
    send = client.send_each_byte if bytewise else client.send
    send(FREE + BY_NAME)
    assert client.take() == b"\x05\x00" + STANDS
    assert [str(address) for address in world.network.dialed] == ["example.com:443"]
    client.send(b"hello")
    world.upstream.send(b"world")
    assert (world.upstream.received, client.received) == (b"hello", b"world")
    client.drop(clean=True)
    (exchange,) = world.seen
    assert (exchange.outcome, exchange.status, exchange.sent) == ("tunnel", 200, 5)


def test_it_is_what_connect_is_to_the_mode(world):
    world.connect().send(CONNECT)
    ask(world)
    by_http, by_socks = world.mode.heads
    assert repr(by_http) == repr(by_socks)
    assert (by_http.body, by_http.scheme) == (by_socks.body, by_socks.scheme)


def test_what_comes_early_is_the_tunnels(world):
    world.network.script = ["hang"]
    client = world.connect()
    client.send(FREE + BY_NAME + b"hel")
    client.send(b"lo")
    assert client.take() == b"\x05\x00"
    world.network.answer()
    assert client.take() == STANDS and world.upstream.received == b"hello"


def test_what_the_other_side_says_first_comes_after_the_reply(world):
    world.network.greeting = b"220 mail"
    client = ask(world)
    assert client.take() == STANDS + b"220 mail"


def test_too_much_that_comes_early_waits_in_the_kernel(world):
    world.network.script = ["hang"]
    client = ask(world)
    while not client.paused:
        client.send(b"x" * 10000)
    world.network.answer()
    assert not client.paused
    assert len(world.upstream.received) > 65536 and set(world.upstream.received) == set(b"x")


@pytest.mark.parametrize("data", [BY_NAME[:7], FREE[:2]])
def test_a_client_that_stops_in_the_middle_is_late(make_world, data):
    world = make_world(header_timeout=5)
    client = ask(world, data) if data != FREE[:2] else world.connect()
    client.send(data if data == FREE[:2] else b"")
    with capturedLogs() as events:
        world.advance(6)
        assert client.ended or client.closed
        world.advance(3)
    assert client.closed and not client.take()
    assert [event["status"] for event in events if "status" in event] == [408]


def test_a_silent_client_is_late(make_world):
    world = make_world(header_timeout=5)
    client = world.connect()
    world.advance(6)
    assert client.closed


def test_a_client_that_leaves_cancels_the_dial(world):
    world.network.script = ["hang"]
    client = ask(world)
    client.drop()
    assert world.seen[0].outcome == "client-gone"
    assert world.network.hanging[0][0].called


def test_a_client_that_sends_no_more_still_gets_what_comes(world):
    world.network.script = ["hang"]
    client = ask(world, BY_NAME + b"question")
    client.end()
    world.network.answer()
    assert world.upstream.received == b"question" and world.upstream.ended
    world.upstream.send(b"answer")
    assert client.take() == STANDS + b"answer"


def test_clients_are_admitted_as_all_are(make_world):
    world = make_world(max_connections=1)
    first, second = world.connect(), world.connect()
    assert second.paused
    first.send(FREE + BY_NAME)
    first.drop()
    assert not second.paused
    second.send(FREE + BY_NAME)
    assert second.take() == b"\x05\x00" + STANDS


def test_a_drain_waits_for_tunnels_and_for_who_may_be_about_to_ask(world):
    client = ask(world)
    silent, late = world.connect(), world.connect()
    drained = world.factory.drain()
    world.advance(0.5)
    late.send(FREE + BY_NAME)
    assert late.take() == b"\x05\x00" + STANDS
    world.advance(2)
    assert silent.closed and not drained.called
    client.drop()
    late.drop()
    assert drained.called


# -- refusals


@pytest.mark.parametrize(
    ("fault", "code", "outcome"),
    [
        (RequestDenied("no"), 2, "http_request_denied"),
        (ConnectionRefused("no"), 5, "connection_refused"),
        (ConnectTimeout("late"), 6, "connection_timeout"),
        (DnsError("who?"), 4, "dns_error"),
        (DialError("no way", error="destination_ip_unroutable"), 3, "destination_ip_unroutable"),
        (DialError("no"), 4, "destination_unavailable"),
        (ZeroDivisionError(), 1, "proxy_internal_error"),
    ],
)
def test_a_fault_is_a_code(world, fault, code, outcome):
    if isinstance(fault, RequestDenied | ZeroDivisionError):
        world.mode.decision = fault
    else:
        world.network.script = [fault]
    with capturedLogs():
        client = ask(world)
    assert client.take() == refused(code)
    world.clock.advance(0)
    assert client.closed and not client.reset
    assert world.seen[0].outcome == outcome


@pytest.mark.parametrize(
    ("decision", "code"),
    [(Refusal(407, "http_request_denied"), 2), (Refusal(429), 1), (Answer(403, body=b"<p>no"), 2), (Answer(200), 1)],
)
def test_what_the_mode_answers_is_a_code_and_no_text(world, decision, code):
    world.mode.decision = decision
    client = ask(world, BY_NAME + b"early")
    assert client.take() == refused(code)


def test_what_still_comes_after_a_refusal_does_not_take_it_back(world):
    world.mode.decision = Refusal(403)
    client = world.connect()
    client.send(FREE)
    client.send(BY_NAME + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.take() == b"\x05\x00" + refused(2)
    client.send(BY_NAME)
    world.advance(3)
    assert client.closed and not client.reset and len(world.mode.heads) == 1


@pytest.mark.parametrize(
    ("data", "answer", "why"),
    [
        (b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", b"\x00\x5b" + bytes(6), "SOCKS4"),
        (b"\x05\x01\x02", b"\x05\xff", "no authentication"),
        (FREE + b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x50", b"\x05\x00" + refused(7), "other than CONNECT"),
        (FREE + b"\x05\x01\x00\x09", b"\x05\x00" + refused(8), "type of address"),
        (FREE + b"\x05\x01\x00\x03\x03a b\x00\x50", b"\x05\x00" + refused(1), "no host"),
        (FREE + CONNECT, b"\x05\x00" + refused(1), "malformed request"),
    ],
)
def test_what_is_malformed_gets_the_answer_of_its_protocol(world, data, answer, why):
    with capturedLogs() as events:
        client = world.connect()
        client.send(data)
    assert client.take() == answer
    said = [event for event in events if "status" in event]
    assert [(event["status"], why in event["detail"]) for event in said] == [(400, True)]
    # What still comes does not take the answer back.
    assert client.ended and not client.closed
    world.advance(3)
    assert client.closed and not world.network.dialed and not world.mode.heads


# -- who it is


class Users:
    """Knows bob, at once or later."""

    def __init__(self, later=False):
        self.asked = []
        self.waiting = Deferred() if later else None

    def __call__(self, name, password, client):
        self.asked.append((name, password, client.client_ip))
        if self.waiting is not None:
            return self.waiting
        return "bob" if (name, password) == (b"bob", b"secret") else Refusal(407, "http_request_denied", "wrong")


@pytest.mark.parametrize("together", [True, False])
def test_a_login_is_asked_for_and_told_to_the_mode_as_basic(make_world, together):
    users = Users()
    world = make_world(login=users)
    client = world.connect()
    if together:
        client.send(WITH_LOGIN + LOGIN + BY_NAME)
    else:
        client.send(WITH_LOGIN)
        assert client.received == b"\x05\x02"
        client.send(LOGIN)
        assert client.received == b"\x05\x02\x01\x00"
        client.send(BY_NAME)
    assert client.take() == b"\x05\x02\x01\x00" + STANDS
    assert users.asked == [(b"bob", b"secret", "127.0.0.1")]
    # base64 of bob:secret
    assert world.mode.heads[0].headers.get(b"proxy-authorization") == b"Basic Ym9iOnNlY3JldA=="


def test_a_wrong_login_is_refused_and_leads_nowhere(make_world):
    world = make_world(login=Users())
    with capturedLogs() as events:
        client = world.connect()
        client.send(WITH_LOGIN + LOGIN.replace(b"secret", b"guess!") + BY_NAME)
    assert client.take() == b"\x05\x02\x01\x01"
    world.advance(3)
    assert client.closed and not client.reset and not world.mode.heads
    assert [(event["status"], event["detail"]) for event in events if "status" in event] == [(407, "wrong")]
    assert "guess" not in str(events)


def test_a_client_without_a_login_is_told_that_there_is_no_way(make_world):
    client = make_world(login=Users()).connect()
    client.send(FREE)
    assert client.take() == b"\x05\xff"


@pytest.mark.parametrize("right", [True, False])
def test_a_login_may_be_checked_later(make_world, right):
    users = Users(later=True)
    world = make_world(login=users)
    client = world.connect()
    client.send(WITH_LOGIN + LOGIN + BY_NAME + b"early")
    assert client.take() == b"\x05\x02" and not world.mode.heads
    users.waiting.callback("bob" if right else Refusal(407))
    if right:
        assert client.take() == b"\x01\x00" + STANDS and world.upstream.received == b"early"
    else:
        assert client.take() == b"\x01\x01" and not world.mode.heads


@pytest.mark.parametrize("clean", [True, False])
def test_a_login_that_is_checked_for_somebody_who_has_left_is_given_up(make_world, clean):
    users = Users(later=True)
    client = make_world(login=users).connect()
    client.send(WITH_LOGIN + LOGIN)
    with capturedLogs() as events:
        client.drop(clean=clean)
    assert users.waiting.called
    assert not [event for event in events if "log_failure" in event]


def test_a_login_whose_check_takes_too_long_is_refused(make_world):
    users = Users(later=True)
    world = make_world(login=users, header_timeout=5)
    client = world.connect()
    client.send(WITH_LOGIN + LOGIN)
    client.take()
    with capturedLogs() as events:
        world.advance(6)
    assert client.take() == b"\x01\x01" and users.waiting.called
    assert not [event for event in events if "log_failure" in event]
    world.advance(3)
    assert client.closed


@pytest.mark.parametrize("later", [True, False])
@pytest.mark.parametrize("fault", [ZeroDivisionError("secret"), RequestDenied("not at night")])
def test_a_login_that_cannot_be_checked_is_refused(make_world, later, fault):
    users = Users(later)

    def check(name, password, client):
        if not later:
            raise fault
        return users(name, password, client)

    world = make_world(login=check)
    with capturedLogs() as events:
        client = world.connect()
        client.send(WITH_LOGIN + LOGIN + BY_NAME)
        if later:
            users.waiting.errback(fault)
    assert client.take() == b"\x05\x02\x01\x01" and not world.mode.heads
    assert any("log_failure" in event for event in events) is isinstance(fault, ZeroDivisionError)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nn",
    ],
)
def test_a_response_in_place_of_a_tunnel_is_a_code_too(world, response):
    head = RequestHead(b"GET", b"/", Headers([(b"Host", b"a")]), b"a")
    world.mode.decision = Plan(Address("a", 80), head)
    client = ask(world)
    world.upstream.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    world.upstream.send(response)
    assert client.take() == refused(2)
    world.upstream.drop()
    world.advance(3)
    assert client.closed and not client.take()


def test_a_client_of_a_proxy_that_has_gone_over_to_another_asks_nobody_else(world, make_world):
    client = world.connect()
    client.send(FREE[:1])
    served_by = world.factory.admission.everyone()[0].served_by = ServedBy(make_world().factory)
    assert not world.factory.retire().called and served_by.factory is not world.factory
    client.send(FREE[1:] + BY_NAME)
    assert client.take() == b"\x05\x00" + STANDS and world.mode.heads
