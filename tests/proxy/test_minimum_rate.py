"""Clients that send what they owe byte by byte, and those that take what they get so."""

import pytest

from tests.proxy.exchanges.test_exchange import OK, POST, status
from txproxy import ForwardPolicy, ForwardProxyFactory, Limits
from txproxy.net.deadlines import TimeLimit
from txproxy.proxy.minimum_rate import ResponseRate
from txproxy.testing import ProxyInMemory

LENGTH = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
CHUNKED = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
# what comes in small pieces, after the head and what came with it
DRIPS = {
    "a body of known length": (LENGTH, b"x"),
    "chunks": (CHUNKED, b"1\r\nx\r\n"),
    "one chunk": (CHUNKED + b"100000\r\n", b"x"),
    "chunk extensions": (CHUNKED + b"1;", b"e"),
    "trailers": (CHUNKED + b"1\r\nx\r\n0\r\nX-Trailer: ", b"t"),
}
# between two pieces, each of which is well within the idle timeout
PAUSE = 2


HEAD = b"GET /x HTTP/1.1\r\nHost: a\r\nX-Long: "


def drip(proxy, client, piece, times):
    for _ in range(times):
        client.send(piece)
        proxy.advance(PAUSE)


@pytest.mark.parametrize(("begin", "piece"), DRIPS.values(), ids=DRIPS)
def test_a_body_that_drips_is_too_slow(make, begin, piece):
    proxy = make(Limits(), upstreams=["http://10.0.0.1;max=1"])
    client = proxy.connect()
    client.send(begin)
    drip(proxy, client, piece, 14)
    assert not client.received
    drip(proxy, client, piece, 3)
    assert status(client.received) == 408
    # and the place at the upstream is another's
    assert proxy.upstream.reset
    other = proxy.connect()
    other.send(POST)
    proxy.upstream.send(OK)
    assert other.received == OK


def test_the_rate_counts_on_average_and_not_for_the_last_bytes(make):
    proxy = make(Limits())
    client = proxy.connect()
    client.send(LENGTH)
    proxy.advance(29)
    client.send(b"x" * 35000)
    proxy.advance(29)
    client.send(b"x")
    proxy.advance(3)
    assert not client.received
    # after 70 s it takes more than came in all
    client.send(b"x")
    proxy.advance(10)
    assert status(client.received) == 408


def test_who_sends_as_fast_as_asked_takes_as_long_as_it_takes(make):
    proxy = make(Limits())
    client = proxy.connect()
    client.send(LENGTH)
    for _ in range(1000):
        client.send(b"x" * 1000)
        proxy.advance(1.5)
    proxy.upstream.send(OK)
    assert client.received == OK


def test_a_silence_within_the_idle_timeout_is_no_fault_of_who_was_fast_before(make):
    proxy = make(Limits())
    client = proxy.connect()
    client.send(LENGTH + b"x" * 100_000)
    proxy.advance(70)
    client.send(b"x" * 900_000)
    proxy.upstream.send(OK)
    assert client.received == OK


def test_time_for_which_the_upstream_is_not_ready_does_not_count(make):
    proxy = make(Limits(response_timeout=1000))
    client = proxy.connect()
    client.send(LENGTH)
    upstream = proxy.upstream
    for _ in range(4):
        upstream.stop_reading()
        client.send(b"x" * 70000)
        assert not proxy.factory.admission.everyone()[0].exchange.wants_body
        proxy.advance(200)
        upstream.read_on()
    assert not client.received
    # now it does
    drip(proxy, client, b"x", 300)
    assert status(client.received) == 408


def test_none_may_be_asked_for(make):
    proxy = make(Limits(min_body_rate=0))
    client = proxy.connect()
    client.send(CHUNKED)
    drip(proxy, client, b"1\r\nx\r\n", 100)
    assert not client.received
    proxy.advance(76)
    assert status(client.received) == 408


def test_another_rate(make):
    proxy = make(Limits(min_body_rate=10))
    client = proxy.connect()
    client.send(LENGTH)
    drip(proxy, client, b"x" * 22, 30)
    assert not client.received
    drip(proxy, client, b"x" * 5, 100)
    assert status(client.received) == 408


def test_a_body_that_has_come_whole_waits_for_no_rate(make):
    proxy = make(Limits(response_timeout=1000))
    client = proxy.connect()
    client.send(POST)
    proxy.advance(500)
    proxy.upstream.send(OK)
    assert client.received == OK


def test_who_is_answered_while_it_asks_may_take_its_time(make):
    proxy = make(Limits())
    client = proxy.connect()
    client.send(CHUNKED + b"1\r\nq\r\n")
    proxy.advance(20)
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    for _ in range(10):
        proxy.advance(60)
        client.send(b"1\r\nq\r\n")
        assert proxy.upstream.take().endswith(b"1\r\nq\r\n")
    assert not client.closed
    proxy.advance(77)
    assert client.closed and not client.received.endswith(b"0\r\n\r\n")


def test_each_body_has_its_own_time(make):
    proxy = make(Limits())
    client = proxy.connect()
    for _ in range(5):
        client.send(POST[:-1])
        proxy.advance(20)
        client.send(POST[-1:])
        proxy.upstream.send(OK)
        assert client.take() == OK


@pytest.mark.parametrize(
    ("begin", "piece"),
    [(b"", b"\x05"), (b"\x05\xff", b"\x00"), (b"\x05\x01\x00", b"\x05\x01\x00\x03\xffabc")],
)
def test_a_greeting_of_socks_that_drips_is_too_slow(begin, piece):
    proxy = ProxyInMemory(lambda clock: ForwardProxyFactory(ForwardPolicy(), protocols=("socks5",), reactor=clock))
    client = proxy.connect()
    client.send(begin)
    for at in range(100):
        if client.closed:
            break
        client.send(piece[at : at + 1] if at < len(piece) else b"")
        proxy.advance(PAUSE)
    assert client.closed and 28 <= at * PAUSE <= 36
    proxy.close()


# -- heads


@pytest.mark.parametrize("before", [b"", POST])
def test_a_head_that_drips_is_too_slow(make_seen, before):
    proxy, records = make_seen(Limits())
    client = proxy.connect()
    if before:
        client.send(before)
        proxy.upstream.send(OK)
        client.take()
        proxy.advance(15)
    client.send(HEAD)
    drip(proxy, client, b"x", 9)
    assert not client.received
    drip(proxy, client, b"x", 2)
    assert status(client.received) == 408
    assert records[-1].outcome == "slow-head" and 20 <= records[-1].seconds <= 22


def test_a_head_that_comes_as_fast_as_asked_has_all_the_time_that_heads_have(make):
    proxy = make(Limits())
    client = proxy.connect()
    client.send(HEAD)
    drip(proxy, client, b"x" * 1200, 13)
    assert not client.received
    client.send(b"\r\n\r\n")
    proxy.upstream.send(OK)
    assert client.take() == OK
    client.send(HEAD)
    drip(proxy, client, b"x" * 1200, 17)
    # 30 s are all, at whatever rate
    assert status(client.received) == 408


def test_a_head_that_was_fast_and_stops_has_the_time_that_it_bought(make):
    proxy = make(Limits())
    client = proxy.connect()
    client.send(HEAD + b"x" * 12_500)
    proxy.advance(24)
    assert not client.received
    proxy.advance(3)
    assert status(client.received) == 408


def test_the_time_of_the_first_head_ends_with_that_of_its_connection(make):
    proxy = make(Limits())
    client = proxy.connect()
    proxy.advance(25)
    client.send(HEAD)
    proxy.advance(4)
    assert not client.received
    proxy.advance(3)
    assert status(client.received) == 408


@pytest.mark.parametrize(("limits", "last"), [({"min_header_rate": 0}, 30), ({"header_timeout": 6.0}, 6)])
def test_a_head_has_its_time_alone_where_no_rate_is_asked_for_or_time_is_short(make, limits, last):
    proxy = make(Limits(**limits))
    client = proxy.connect()
    client.send(HEAD)
    for _ in range(last - 1):
        client.send(b"x")
        proxy.advance(1)
    assert not client.received
    proxy.advance(3)
    assert status(client.received) == 408


def test_what_is_slow_is_called_so(make_seen):
    proxy, records = make_seen(Limits())
    client = proxy.connect()
    client.send(LENGTH)
    proxy.advance(32)
    assert b"error=http_request_error" in client.received
    client = proxy.connect()
    client.stop_reading()
    client.send(POST)
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 200_000)
    proxy.advance(77)
    assert client.reset and [record.outcome for record in records] == ["slow-body", "slow-response"]
    assert proxy.upstream.reset


@pytest.mark.parametrize(("much", "looks"), [(65537, 2), (65536, 1), (None, 1)])
def test_who_had_much_to_take_at_the_end_has_time_to_read_what_its_system_holds(much, looks):
    left = [0 if much is None else much]
    idle = TimeLimit(75.0)
    rate = ResponseRate(None, 500, idle, known=False, waiting=lambda place: left[0])
    if much is not None:
        rate.all_is_out()
    left[0] = 0
    idle.ahead += 2
    went_on = []
    while not went_on or went_on[-1]:
        went_on.append(rate.goes_on())
        idle.ahead += 75
    assert len(went_on) == looks


def test_who_still_takes_at_the_end_is_looked_at_as_before():
    left = [100000]
    idle = TimeLimit(75.0)
    rate = ResponseRate(None, 500, idle, known=False, waiting=lambda place: left[0])
    rate.all_is_out()
    assert rate.goes_on()
    idle.ahead += 75
    left[0] = 50000
    assert rate.goes_on()
    idle.ahead += 75
    assert not rate.goes_on()
