"""Who serves: states, ejection and the circuit breaker, drains, backups, slow start, queues."""

import pytest
from twisted.internet.task import Clock

from txproxy import Pool
from txproxy.errors import ConfigError, ConnectionRefused
from txproxy.interfaces import Client
from txproxy.reverse.pool import Ejection, PoolSettings
from txproxy.reverse.upstream import Breaker, State

GET = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
# Each request makes a connection of its own, so that it can be told where it went.
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 500 No\r\nDate: D\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
CLIENT = Client("192.0.2.1")


def ask(proxy, answers):
    """One request; ``answers`` maps the last digit of the upstream to what it says. Gives the upstream's digit."""
    client = proxy.connect()
    before = len(proxy.network.connections)
    client.send(GET)
    digit = None
    if len(proxy.network.connections) > before or not client.received:
        upstream = proxy.upstream
        digit = upstream.address.host[-1]
        upstream.send(answers.get(digit, OK))
        upstream.drop(clean=True)
    return digit


def states(proxy):
    return [upstream.state for upstream in proxy.pool.upstreams]


def test_failures_in_a_row_eject_and_say_why(serve):
    proxy = serve(3, ejection=Ejection(failures=3))
    while proxy.pool.upstreams[0].state is State.HEALTHY:
        ask(proxy, {"1": BAD})
    upstream = proxy.pool.upstreams[0]
    assert (upstream.state, upstream.cause, upstream.breaker) == (State.EJECTED, "status 500", Breaker.OPEN)
    assert upstream.since == proxy.clock.seconds()
    assert {ask(proxy, {}) for _ in range(6)} == {"2", "3"}


def test_a_success_between_failures_starts_the_count_again(serve):
    proxy = serve(1, ejection=Ejection(failures=2, share=1.0))
    for answer in (BAD, OK, BAD, OK, BAD):
        ask(proxy, {"1": answer})
    assert states(proxy) == [State.HEALTHY]


def test_the_last_one_is_never_ejected_nor_more_than_half(serve):
    alone = serve(1, ejection=Ejection(failures=1))
    for _ in range(5):
        ask(alone, {"1": BAD})
    assert states(alone) == [State.HEALTHY]
    proxy = serve(4, ejection=Ejection(failures=1))
    for _ in range(20):
        ask(proxy, dict.fromkeys("1234", BAD))
    assert states(proxy).count(State.EJECTED) == 2


def test_failed_connections_count(serve):
    proxy = serve(2, ejection=Ejection(failures=2))
    for _ in range(2):
        client = proxy.connect()
        proxy.network.script = [ConnectionRefused("nobody listens")]
        client.send(GET)
        proxy.upstream.send(OK)
        proxy.pool.strategy.update(proxy.pool.upstreams)
    assert State.EJECTED in states(proxy)


def test_the_breaker_opens_lets_one_through_and_closes_or_opens_for_longer(serve):
    proxy = serve(2, ejection=Ejection(failures=2, base=30, longest=70))
    bad = proxy.pool.upstreams[0]
    while bad.state is State.HEALTHY:
        ask(proxy, {"1": BAD})
    proxy.advance(29)
    assert {ask(proxy, {}) for _ in range(4)} == {"2"}
    proxy.advance(2)
    # half open: one at a time
    clients = [proxy.connect() for _ in range(6)]
    for client in clients:
        client.send(GET)
    assert bad.breaker is Breaker.HALF_OPEN
    trial = [one for one in proxy.network.connections if one.address.host[-1] == "1" and not one.closed]
    assert len(trial) == 1
    for connection in proxy.network.connections:
        connection.send(BAD if connection is trial[0] else OK)
    assert bad.breaker is Breaker.OPEN
    # twice as long now
    proxy.advance(59)
    assert {ask(proxy, {}) for _ in range(4)} == {"2"}
    proxy.advance(2)
    for _ in range(3):
        ask(proxy, {"1": BAD})
    # and at most so long
    proxy.advance(71)
    for _ in range(3):
        ask(proxy, {})
    assert bad.breaker is Breaker.CLOSED
    assert {ask(proxy, {}) for _ in range(4)} == {"1", "2"}


def test_without_ejection_nobody_is_ejected(serve):
    proxy = serve(2, ejection=None)
    for _ in range(30):
        ask(proxy, {"1": BAD})
    assert states(proxy) == [State.HEALTHY, State.HEALTHY]


def test_backups_serve_only_when_no_primary_can(serve):
    proxy = serve(["http://10.0.0.1", "http://10.0.0.2", "http://10.0.0.3;backup"])
    assert {ask(proxy, {}) for _ in range(6)} == {"1", "2"}
    proxy.pool.upstreams[0].checked(False, "no answer")
    proxy.pool.upstreams[1].checked(False, "no answer")
    assert {ask(proxy, {}) for _ in range(6)} == {"3"}
    proxy.pool.upstreams[1].checked(True, "")
    assert {ask(proxy, {}) for _ in range(6)} == {"2"}


def test_when_nobody_is_available_there_is_a_503(serve):
    proxy = serve(1)
    proxy.pool.upstreams[0].checked(False, "no answer")
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 503 ")
    assert not proxy.network.dialed


def test_panic_is_better_than_nothing_where_it_is_set(serve):
    proxy = serve(4, panic=0.5)
    proxy.pool.disable("http://10.0.0.4")
    for upstream in proxy.pool.upstreams[:2]:
        upstream.checked(False, "no answer")
    assert {ask(proxy, {}) for _ in range(8)} == {"1", "2", "3"}
    for upstream in proxy.pool.upstreams[:2]:
        upstream.checked(True, "")
    assert {ask(proxy, {}) for _ in range(8)} == {"1", "2", "3"}


def test_a_pool_is_changed_while_it_serves(serve):
    proxy = serve(1)
    added = proxy.pool.add("http://10.0.0.2;weight=3")
    assert sorted(ask(proxy, {}) for _ in range(8)) == ["1"] * 2 + ["2"] * 6
    proxy.pool.weigh(added, 1)
    assert sorted(ask(proxy, {}) for _ in range(8)) == ["1"] * 4 + ["2"] * 4
    proxy.pool.disable("http://10.0.0.1")
    assert {ask(proxy, {}) for _ in range(4)} == {"2"}
    proxy.pool.enable("http://10.0.0.1")
    proxy.pool.remove(added)
    assert {ask(proxy, {}) for _ in range(4)} == {"1"}
    with pytest.raises(ConfigError, match="at least one"):
        proxy.pool.remove("http://10.0.0.1")
    with pytest.raises(KeyError):
        proxy.pool.drain("http://10.0.0.9")
    with pytest.raises(ConfigError, match="1 to 1000"):
        proxy.pool.weigh("http://10.0.0.1", 0)
    with pytest.raises(ConfigError, match="already"):
        proxy.pool.add("http://10.0.0.1")


def test_a_removed_upstream_ends_what_it_carries(serve):
    proxy = serve(2)
    client = proxy.connect()
    client.send(GET)
    upstream = proxy.upstream
    proxy.pool.remove("http://10.0.0.1")
    upstream.send(OK)
    assert client.received.endswith(b"ok")


def test_a_drain_keeps_pinned_clients_until_its_deadline(serve):
    proxy = serve(2, sticky="cookie")
    first = proxy.connect()
    first.send(GET)
    assert proxy.upstream.address.host == "10.0.0.1"
    proxy.upstream.send(OK)
    cookie = next(line for line in first.received.split(b"\r\n") if line.startswith(b"Set-Cookie: "))
    pinned = GET[:-2] + cookie.replace(b"Set-Cookie", b"Cookie").partition(b";")[0] + b"\r\n\r\n"
    proxy.pool.drain("http://10.0.0.1", 60)
    assert {ask(proxy, {}) for _ in range(4)} == {"2"}
    again = proxy.connect()
    again.send(pinned)
    assert proxy.upstream.address.host == "10.0.0.1"
    proxy.upstream.send(OK)
    assert b"Set-Cookie" not in again.received
    proxy.advance(61)
    late = proxy.connect()
    late.send(pinned)
    assert proxy.upstream.address.host == "10.0.0.2"
    proxy.upstream.send(OK)
    assert b"Set-Cookie" in late.received
    assert proxy.pool.find("http://10.0.0.1").cause == "drained"


def test_slow_start_is_linear_and_not_at_process_start():
    clock = Clock()
    pool = Pool(["http://a;weight=100", "http://b;weight=100"], settings=PoolSettings(slow_start=10), clock=clock)
    a = pool.upstreams[0]
    assert a.effective == 100
    a.checked(False, "down")
    a.checked(True, "")
    shares = []
    for _ in range(11):
        pool.take(None, CLIENT).ended(None, 200)
        shares.append(round(a.effective))
        clock.advance(1)
    assert shares == [10, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    added = pool.add("http://c;weight=100")
    assert added.effective == 10


def test_max_bounds_what_an_upstream_has_and_the_others_wait_in_order(serve):
    proxy = serve(["http://10.0.0.1;max=2"], queue=2)
    clients = [proxy.connect() for _ in range(5)]
    for client in clients:
        client.send(GET)
    assert len(proxy.network.connections) == 2
    assert proxy.pool.waiting == 2
    assert clients[4].received.startswith(b"HTTP/1.1 503 ")
    assert b"error=connection_limit_reached" in clients[4].received
    proxy.network.connections[0].send(OK)
    assert len(proxy.network.connections) == 3
    proxy.network.connections[2].send(OK)
    assert clients[2].received.endswith(b"ok") and not clients[3].received.endswith(b"ok")
    assert proxy.pool.waiting == 0


def test_who_waits_too_long_gets_a_503(serve):
    proxy = serve(["http://10.0.0.1;max=1"], queue_timeout=3)
    first, second = proxy.connect(), proxy.connect()
    first.send(GET)
    second.send(GET)
    proxy.advance(2.5)
    assert not second.received
    proxy.advance(1)
    assert second.received.startswith(b"HTTP/1.1 503 ")
    assert proxy.pool.waiting == 0


def test_who_leaves_waits_no_longer(serve):
    proxy = serve(["http://10.0.0.1;max=1"])
    first, second = proxy.connect(), proxy.connect()
    first.send(GET)
    second.send(GET)
    second.drop()
    assert proxy.pool.waiting == 0
    proxy.upstream.send(OK)
    assert len(proxy.network.connections) == 1
    assert proxy.pool.upstreams[0].active == 0
