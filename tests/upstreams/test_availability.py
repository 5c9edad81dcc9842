"""Who serves: states, ejection and the circuit breaker, drains, backups, slow start, queues."""

import pytest
from twisted.internet.task import Clock

from txproxy import Pool
from txproxy.errors import ConfigError, ConnectionRefused, OutOfSockets
from txproxy.interfaces import Client
from txproxy.upstreams.health.checks import HealthCheck
from txproxy.upstreams.pool import Ejection, PoolSettings
from txproxy.upstreams.upstream import Breaker, State

GET = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
# Each request makes a connection of its own, so that it can be told where it went.
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 503 No\r\nDate: D\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
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


def answer_checks(proxy, seconds, answer=OK):
    """Let time pass in which checks are answered."""
    for _ in range(round(seconds * 5)):
        proxy.advance(0.2)
        for connection in proxy.network.connections:
            if not connection.closed and b"GET /hz " in connection.take():
                connection.send(answer)


def states(proxy):
    return [upstream.state for upstream in proxy.pool.upstreams]


def test_failures_in_a_row_eject_and_say_why(serve):
    proxy = serve(3, ejection=Ejection(failures=3))
    while proxy.pool.upstreams[0].state is State.HEALTHY:
        ask(proxy, {"1": BAD})
    upstream = proxy.pool.upstreams[0]
    assert (upstream.state, upstream.cause, upstream.breaker) == (State.EJECTED, "status 503", Breaker.OPEN)
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


def test_one_that_cannot_be_ejected_is_asked_about_once_in_so_many_failures(serve, monkeypatch):
    proxy = serve(1, ejection=Ejection(failures=4))
    asked = []
    monkeypatch.setattr(proxy.pool, "eject", lambda *args: asked.append(args))
    for _ in range(12):
        ask(proxy, {"1": BAD})
    assert len(asked) == 3


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


@pytest.mark.parametrize(
    ("eject_on", "status", "counts"),
    [
        ("gateway", 500, False),
        ("gateway", 501, False),
        ("gateway", 502, True),
        ("gateway", 503, True),
        ("gateway", 504, True),
        ("gateway", 505, False),
        ("gateway", 413, False),
        ("gateway", 431, False),
        ("5xx", 500, True),
        ("5xx", 505, True),
        ("5xx", 413, False),
    ],
)
def test_what_clients_can_make_an_upstream_answer_ejects_it_only_where_that_is_set(serve, eject_on, status, counts):
    proxy = serve(4, ejection=Ejection(eject_on=eject_on))
    answer = b"HTTP/1.1 %d No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % status
    for _ in range(40):
        ask(proxy, dict.fromkeys("1234", answer))
    assert states(proxy).count(State.EJECTED) == 2 * counts


def test_a_status_that_does_not_count_is_an_answer_between_failures(serve):
    proxy = serve(2, ejection=Ejection(failures=2))
    for answer in (BAD, BAD.replace(b"503", b"500")) * 4:
        ask(proxy, {"1": answer})
        ask(proxy, {"1": answer})
    assert states(proxy) == [State.HEALTHY] * 2


def test_a_trial_that_is_answered_by_what_does_not_count_closes_the_breaker(serve):
    proxy = serve(2, ejection=Ejection(failures=1))
    bad = eject_first(proxy)
    proxy.advance(31)
    for _ in range(2):
        ask(proxy, {"1": BAD.replace(b"503", b"500")})
    assert bad.breaker is Breaker.CLOSED


@pytest.mark.parametrize(("eject_on", "counts"), [("gateway", False), ("5xx", True)])
def test_a_malformed_answer_comes_from_who_is_there(serve, eject_on, counts):
    proxy = serve(2, ejection=Ejection(failures=2, eject_on=eject_on))
    for _ in range(8):
        ask(proxy, {"1": b"HTTP/1.1 what\r\n\r\n"})
    assert states(proxy) == [State.EJECTED if counts else State.HEALTHY, State.HEALTHY]


def test_other_words_for_what_ejects_are_refused():
    with pytest.raises(ConfigError, match="accepted: gateway, 5xx"):
        Ejection(eject_on="500")


BODY = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


@pytest.mark.parametrize("eject_on", ["gateway", "5xx"])
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 413 No\r\nContent-Length: 9\r\n\r\nno"])
def test_a_body_that_an_upstream_does_not_want_to_the_end_is_no_failure(serve, eject_on, answer):
    proxy = serve(2, ejection=Ejection(failures=1, eject_on=eject_on), retries=0)
    for _ in range(8):
        client = proxy.connect()
        client.send(BODY + b"he")
        proxy.upstream.send(answer)
        proxy.upstream.drop()
        assert client.received.startswith(b"HTTP/1.1 413 " if answer else b"HTTP/1.1 502 ")
    assert states(proxy) == [State.HEALTHY] * 2
    client = proxy.connect()
    client.send(BODY + b"hello")
    proxy.upstream.drop()
    assert State.EJECTED in states(proxy), "after a whole request it is one"


def test_a_body_that_an_upstream_does_not_even_wait_for_is_no_failure(serve):
    proxy = serve(4, ejection=Ejection(failures=1))
    for _ in range(4):
        client = proxy.connect()
        client.send(BODY.replace(b"POST", b"PUT"))
        proxy.upstream.drop()
        proxy.upstream.drop()
    assert sum(upstream.served for upstream in proxy.pool.upstreams) == 8
    assert states(proxy) == [State.HEALTHY] * 4


def test_a_kept_connection_that_was_closed_just_then_is_no_failure(serve):
    proxy = serve(1, ejection=Ejection(failures=2, share=1.0))
    get, post = GET.replace(b"Connection: close\r\n", b""), BODY + b"hello"
    for _ in range(4):
        proxy.exchange(get, OK.replace(b"Connection: close\r\n", b""))
        client = proxy.connect()
        client.send(post)
        proxy.upstream.drop(clean=True)
        assert client.received.startswith(b"HTTP/1.1 502 ")
        assert proxy.pool.upstreams[0]._strikes == 0
    client = proxy.connect()
    client.send(post)
    proxy.upstream.drop(clean=True)
    assert proxy.pool.upstreams[0]._strikes == 1, "a new one is to bring an answer"


@pytest.mark.parametrize("how", ["drop", "end"])
def test_a_client_that_cuts_its_own_body_is_no_failure(serve, how):
    proxy = serve(2, ejection=Ejection(failures=1, eject_on="5xx"))
    for _ in range(8):
        client = proxy.connect()
        client.send(BODY + b"he")
        getattr(client, how)()
        proxy.advance(2)
    assert states(proxy) == [State.HEALTHY] * 2
    assert [upstream.active for upstream in proxy.pool.upstreams] == [0, 0]


def test_a_client_that_sends_its_body_too_slowly_is_no_failure(serve):
    proxy = serve(2, ejection=Ejection(failures=1, eject_on="5xx"))
    for _ in range(4):
        client = proxy.connect()
        client.send(BODY + b"he")
        proxy.advance(200)
        assert client.received.startswith(b"HTTP/1.1 408 ")
    assert states(proxy) == [State.HEALTHY] * 2


LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n"


@pytest.mark.parametrize("slow", [True, False])
def test_an_upstream_that_is_tired_of_a_slow_client_has_not_failed(serve, slow):
    proxy = serve(2, ejection=Ejection(failures=1))
    client = proxy.connect()
    client.send(GET)
    upstream = proxy.upstream
    if slow:
        client.stop_reading()
    upstream.send(LONG + b"x" * 100000)
    client.read_on()
    upstream.drop()
    assert states(proxy).count(State.EJECTED) == (not slow)


def test_tunnels_that_end_in_any_way_are_no_failures(serve):
    proxy = serve(2, ejection=Ejection(failures=1, eject_on="5xx"))
    upgrade = GET.replace(b"Connection: close", b"Connection: upgrade\r\nUpgrade: w")
    for reset in (True, False) * 3:
        client = proxy.connect()
        client.send(upgrade)
        proxy.upstream.send(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: w\r\n\r\nhi")
        if reset:
            proxy.upstream.drop()
        else:
            client.drop()
    assert states(proxy) == [State.HEALTHY] * 2
    assert [upstream.active for upstream in proxy.pool.upstreams] == [0, 0]


@pytest.mark.parametrize("eject_on", ["gateway", "5xx"])
def test_sockets_that_are_used_up_here_are_no_failure_of_an_upstream(serve, eject_on):
    proxy = serve(2, ejection=Ejection(failures=1, eject_on=eject_on))
    proxy.network.script = [OutOfSockets("none left")] * 2
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 503 ")
    assert states(proxy) == [State.HEALTHY] * 2


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


def at(proxy, digit):
    """The connections to an upstream."""
    return [one for one in proxy.network.connections if one.address.host[-1] == digit]


def eject_first(proxy):
    """The first upstream fails as often as it may."""
    bad = proxy.pool.upstreams[0]
    while bad.breaker is Breaker.CLOSED:
        ask(proxy, {"1": BAD})
    return bad


# -- who waits


def test_room_that_comes_back_while_it_is_given_out_goes_to_the_next(serve):
    proxy = serve(["http://10.0.0.1;max=1"], ejection=None)
    clients = [proxy.connect() for _ in range(3)]
    for client in clients:
        client.send(GET)
    proxy.network.script = [ConnectionRefused("at once")] * 2
    proxy.upstream.send(OK)
    assert [client.received[9:12] for client in clients] == [b"200", b"503", b"503"]
    assert (proxy.pool.waiting, proxy.pool.upstreams[0].active) == (0, 0)


def test_who_waits_is_served_when_an_ejection_ends_though_nobody_asks(serve):
    proxy = serve(["http://10.0.0.1;max=1", "http://10.0.0.2;max=1"], ejection=Ejection(failures=1), queue_timeout=60)
    eject_first(proxy)
    clients = [proxy.connect() for _ in range(4)]
    for client in clients:
        client.send(GET)
    assert proxy.pool.waiting == 3
    proxy.advance(31)
    assert proxy.pool.waiting == 2
    assert [upstream.active for upstream in proxy.pool.upstreams] == [1, 1]
    # whose timer is left is found when the proxy is closed
    for client in clients:
        client.drop()
    assert proxy.pool.waiting == 0


def test_time_that_passes_while_room_is_given_out_gives_it_once(serve):
    proxy = serve(["http://10.0.0.1", "http://10.0.0.2;max=1"], ejection=Ejection(failures=1), queue_timeout=60)
    eject_first(proxy)
    clients = [proxy.connect() for _ in range(2)]
    for client in clients:
        client.send(GET)
    assert proxy.pool.waiting == 1
    proxy.clock.rightNow += 31
    at(proxy, "2")[-1].send(OK)
    assert clients[0].received.endswith(b"ok")
    assert sum(upstream.active for upstream in proxy.pool.upstreams) == 1


@pytest.mark.parametrize("back", ["checked", "enable", "add"])
def test_who_waits_is_served_when_an_upstream_comes(serve, back):
    proxy = serve(["http://10.0.0.1;max=1", "http://10.0.0.2;max=1"])
    other = proxy.pool.upstreams[1]
    other.checked(False, "no answer")
    if back == "enable":
        proxy.pool.disable(other)
        other.checked(True, "")
    for _ in range(2):
        proxy.connect().send(GET)
    assert proxy.pool.waiting == 1
    if back == "checked":
        other.checked(True, "")
    elif back == "enable":
        proxy.pool.enable(other)
    else:
        proxy.pool.add("http://10.0.0.3")
    assert proxy.pool.waiting == 0


def test_a_strategy_that_fails_harms_only_who_asked(serve):
    proxy = serve(["http://10.0.0.1;max=1"])
    clients = [proxy.connect() for _ in range(2)]
    for client in clients:
        client.send(GET)

    def choose(*_):
        raise ValueError("not today")

    proxy.pool._pick = choose
    proxy.upstream.send(OK)
    assert [client.received[9:12] for client in clients] == [b"200", b"500"]
    assert (proxy.pool.waiting, proxy.pool.upstreams[0].active) == (0, 0)


# -- checks that end an ejection


@pytest.mark.parametrize("half_open", [False, True])
def test_checks_that_go_well_end_an_ejection_and_then_it_starts_slowly(serve, half_open):
    proxy = serve(2, ejection=Ejection(failures=1), slow_start=100)
    bad = eject_first(proxy)
    if half_open:
        proxy.advance(31)
        proxy.pool.tick()
        assert bad.breaker is Breaker.HALF_OPEN
    assert not bad.passed(proxy.clock.seconds() - 50), "what was asked before says nothing"
    assert bad.breaker is not Breaker.CLOSED
    assert bad.passed(proxy.clock.seconds())
    assert (bad.breaker, bad.state) == (Breaker.CLOSED, State.HEALTHY)
    assert bad.effective == 0.1
    assert not bad.passed(proxy.clock.seconds()), "there is nothing to end"
    # How often it has been out is not forgotten by that.
    eject_first(proxy)
    assert bad._ejected_until - proxy.clock.seconds() == 60


def test_the_checks_of_a_pool_end_the_ejections_of_its_upstreams(serve):
    health = HealthCheck(path="/hz", interval=5, rise=2)
    proxy = serve(2, ejection=Ejection(failures=1), health=health)
    answer_checks(proxy, 11)
    bad = eject_first(proxy)
    at_once = proxy.clock.seconds()
    while bad.state is State.EJECTED:
        answer_checks(proxy, 1)
    # two of them, begun after it was ejected
    assert 4 <= proxy.clock.seconds() - at_once <= 13
    assert {ask(proxy, {}) for _ in range(4)} == {"1", "2"}


def test_checks_that_fail_or_hang_end_no_ejection(serve):
    proxy = serve(2, ejection=Ejection(failures=1), health=HealthCheck(path="/hz", interval=5, rise=2, fall=100))
    answer_checks(proxy, 11)
    bad = eject_first(proxy)
    answer_checks(proxy, 29, b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
    assert bad.state is State.EJECTED


# -- trials


def test_what_an_upstream_still_has_from_before_does_not_keep_it_from_being_tried(serve):
    proxy = serve(2, ejection=Ejection(failures=1))
    old = [proxy.connect() for _ in range(4)]
    for client in old:
        client.send(GET)
    bad = eject_first(proxy)
    assert bad.active == 2
    proxy.advance(31)
    for _ in range(4):
        proxy.connect().send(GET)
    assert bad.active == 3


def test_an_old_request_that_ends_makes_no_room_for_more_than_one_trial(serve):
    proxy = serve(2, ejection=Ejection(failures=1))
    old = [proxy.connect() for _ in range(6)]
    for client in old:
        client.send(GET)
    bad = eject_first(proxy)
    proxy.advance(31)
    proxy.pool.tick()
    for client in old:
        client.drop()
    assert bad.breaker is Breaker.HALF_OPEN and bad.active == 0
    for _ in range(6):
        proxy.connect().send(GET)
    assert bad.active == 1


@pytest.mark.parametrize("left_at", ["dialing", "sent"])
def test_a_trial_whose_client_leaves_makes_room_for_another(serve, left_at):
    proxy = serve(2, ejection=Ejection(failures=1))
    bad = eject_first(proxy)
    proxy.advance(31)
    for _ in range(2):
        proxy.network.script = ["hang"] if left_at == "dialing" else []
        one, other = proxy.connect(), proxy.connect()
        one.send(GET)
        other.send(GET)
        assert (bad.breaker, bad.active) == (Breaker.HALF_OPEN, 1)
        one.drop()
        other.drop()
        assert (bad.breaker, bad.active) == (Breaker.HALF_OPEN, 0)


def test_a_client_that_takes_its_time_with_a_trial_keeps_no_others_from_one(serve):
    proxy = serve(2, ejection=Ejection(failures=1))
    bad = eject_first(proxy)
    proxy.advance(31)
    for number in (1, 2):
        for _ in range(6):
            proxy.connect().send(BODY)
        assert (bad.breaker, bad.active) == (Breaker.HALF_OPEN, number)
        proxy.advance(10.1)
    assert {ask(proxy, {}) for _ in range(2)} == {"1", "2"}
    assert (bad.breaker, bad.active) == (Breaker.CLOSED, 2)


def test_a_trial_that_lasts_closes_the_breaker_when_it_is_answered(serve):
    proxy = serve(2, ejection=Ejection(failures=1))
    bad = eject_first(proxy)
    proxy.advance(31)
    for _ in range(2):
        proxy.connect().send(GET)
    at(proxy, "1")[-1].send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    assert (bad.breaker, bad.active, bad.state) == (Breaker.CLOSED, 1, State.HEALTHY)


def test_a_pinned_client_is_a_trial_as_well(serve):
    proxy = serve(2, ejection=Ejection(failures=1), sticky="ip")
    bad = proxy.pool.upstreams[0]
    assert ask(proxy, {}) == "1"
    proxy.pool.drain(bad)
    assert ask(proxy, {"1": BAD}) == "1"
    assert bad.breaker is Breaker.OPEN
    proxy.advance(31)
    assert ask(proxy, {}) == "1"
    assert (bad.breaker, bad.state) == (Breaker.CLOSED, State.DRAINING)


def test_backups_carry_what_is_not_sent_to_a_primary_that_is_tried(serve):
    proxy = serve(["http://10.0.0.1", "http://10.0.0.2;backup"], ejection=Ejection(failures=1))
    eject_first(proxy)
    proxy.advance(31)
    before = len(at(proxy, "1"))
    for _ in range(4):
        proxy.connect().send(GET)
    assert (len(at(proxy, "1")) - before, len(at(proxy, "2")), proxy.pool.waiting) == (1, 3, 0)
    at(proxy, "1")[-1].send(OK)
    assert {ask(proxy, {}) for _ in range(4)} == {"1"}


# -- the last one


def test_an_upstream_that_is_tried_and_fails_stays_if_it_is_the_last(serve):
    proxy = serve(2, ejection=Ejection(failures=1))
    bad = eject_first(proxy)
    proxy.pool.disable("http://10.0.0.2")
    proxy.advance(31)
    assert [ask(proxy, {"1": BAD}) for _ in range(5)] == ["1"] * 5
    assert bad.state is State.HEALTHY
    clients = [proxy.connect() for _ in range(3)]
    for client in clients:
        client.send(GET)
    assert bad.active == 3


def test_an_ejected_one_serves_if_all_others_are_gone(serve):
    proxy = serve(2, ejection=Ejection(failures=1))
    bad = eject_first(proxy)
    proxy.pool.upstreams[1].checked(False, "no answer")
    assert bad.state is State.EJECTED
    assert [ask(proxy, {}) for _ in range(3)] == ["1"] * 3
    proxy.pool.upstreams[1].checked(True, "")
    assert {ask(proxy, {}) for _ in range(3)} == {"2"}


def test_no_more_than_half_of_those_in_service_are_ejected(serve):
    proxy = serve(6, ejection=Ejection(failures=1))
    proxy.pool.disable("http://10.0.0.5")
    proxy.pool.drain("http://10.0.0.6")
    for _ in range(20):
        ask(proxy, dict.fromkeys("123456", BAD))
    assert states(proxy).count(State.EJECTED) == 2


def test_backups_serve_before_there_is_a_panic(serve):
    proxy = serve(["http://10.0.0.1", "http://10.0.0.2", "http://10.0.0.3;backup"], panic=0.6)
    for upstream in proxy.pool.upstreams[:2]:
        upstream.checked(False, "no answer")
    assert {ask(proxy, {}) for _ in range(4)} == {"3"}
    proxy.pool.upstreams[2].checked(False, "no answer")
    assert {ask(proxy, {}) for _ in range(4)} == {"1", "2"}
    for upstream in proxy.pool.upstreams[:2]:
        proxy.pool.disable(upstream)
    proxy.pool.upstreams[2].checked(True, "")
    assert {ask(proxy, {}) for _ in range(4)} == {"3"}


def test_who_is_taken_out_by_an_administrator_is_no_reason_to_panic(serve):
    proxy = serve(6, panic=0.5)
    for digit in "456":
        proxy.pool.disable(f"http://10.0.0.{digit}")
    proxy.pool.upstreams[0].checked(False, "no answer")
    assert {ask(proxy, {}) for _ in range(6)} == {"2", "3"}


# -- time


def test_states_are_told_as_they_are_though_nobody_has_asked_since():
    clock = Clock()
    pool = Pool(["http://a", "http://b", "http://c"], settings=PoolSettings(ejection=Ejection(failures=1)), clock=clock)
    a, b, _ = pool.upstreams
    pool.drain(a, 10)
    b.active = 1
    b.ended(None, 503)
    assert (a.state, b.state) == (State.DRAINING, State.EJECTED)
    clock.advance(31)
    assert (a.state, a.cause, a.since) == (State.DISABLED, "drained", 10)
    assert (b.state, b.cause) == (State.HEALTHY, "")


def test_a_pool_that_is_told_the_time_by_another_clock_loses_none():
    pool = Pool(["http://a", "http://b"])
    pool.drain("http://a", 60)
    clock = Clock()
    clock.advance(1e9)
    pool.use_clock(clock)
    a = pool.upstreams[0]
    assert a.state is State.DRAINING
    assert abs(a.since - clock.seconds()) < 30
    clock.advance(61)
    assert a.state is State.DISABLED
    assert pool.take(None, CLIENT).address.host == "b"


def test_to_enable_what_is_enabled_is_no_cold_start():
    clock = Clock()
    pool = Pool(["http://a;weight=100"], settings=PoolSettings(slow_start=10), clock=clock)
    clock.advance(100)
    pool.enable("http://a")
    assert pool.upstreams[0].effective == 100


# -- times


def test_a_client_that_sends_its_body_slowly_makes_no_upstream_look_slow(serve):
    proxy = serve(2, "least-time")
    averages = proxy.pool.strategy._averages
    client = proxy.connect()
    client.send(BODY + b"he")
    proxy.advance(20)
    client.send(b"llo")
    proxy.upstream.send(OK)
    assert list(averages.values()) == [None, None]
    proxy.connect().send(GET)
    proxy.advance(3)
    proxy.upstream.send(OK)
    assert {average and round(average[0], 3) for average in averages.values()} == {None, 3.0}
