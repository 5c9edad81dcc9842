"""What takes an upstream out, what does not, and how it comes back."""

import pytest
from twisted.internet.task import Clock

from tests.upstreams.asking import BAD, BODY, GET, OK, answer_checks, ask, eject_first, states
from txproxy.errors import ConfigError, ConnectionRefused, OutOfSockets
from txproxy.upstreams.ejection import Breaker, Ejection
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import State


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
    assert states(alone) == [State.FAILING]
    proxy = serve(4, ejection=Ejection(failures=1))
    for _ in range(20):
        ask(proxy, dict.fromkeys("1234", BAD))
    assert states(proxy).count(State.EJECTED) == 2 and states(proxy).count(State.FAILING) == 2


def test_one_that_fails_and_stays_is_not_called_healthy_until_it_works(serve):
    proxy = serve(1, ejection=Ejection(failures=2))
    (upstream,) = proxy.pool.upstreams
    ask(proxy, {"1": BAD})
    assert upstream.state is State.HEALTHY
    proxy.advance(1)
    began = proxy.clock.seconds()
    for _ in range(6):
        ask(proxy, {"1": BAD})
        proxy.advance(1)
    assert (upstream.state, upstream.cause, upstream.since) == (State.FAILING, "status 503", began)
    assert upstream.fit and proxy.pool.others(())
    ask(proxy, {"1": OK})
    assert (upstream.state, upstream.cause, upstream.since) == (State.HEALTHY, "", proxy.clock.seconds())


def test_one_that_fails_and_stays_is_healthy_by_checks_that_began_later(serve):
    proxy = serve(1, ejection=Ejection(failures=1))
    (upstream,) = proxy.pool.upstreams
    ask(proxy, {"1": BAD})
    began = upstream.since
    assert not upstream.passed(began - 1) and upstream.state is State.FAILING
    assert not upstream.passed(began) and upstream.state is State.HEALTHY


def test_one_that_fails_does_so_in_the_pool_that_comes_after():
    clock = Clock()
    first = Pool(["http://a"], settings=PoolSettings(ejection=Ejection(failures=1)), clock=clock)
    first.upstreams[0].struck("it closes")
    second = Pool(["http://a"], settings=first.settings, clock=clock)
    second.upstreams[0].take_over(first.upstreams[0])
    assert (second.upstreams[0].state, second.upstreams[0].cause) == (State.FAILING, "it closes")


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


def test_no_more_than_half_of_those_in_service_are_ejected(serve):
    proxy = serve(6, ejection=Ejection(failures=1))
    proxy.pool.disable("http://10.0.0.5")
    proxy.pool.drain("http://10.0.0.6")
    for _ in range(20):
        ask(proxy, dict.fromkeys("123456", BAD))
    assert states(proxy).count(State.EJECTED) == 2


@pytest.mark.parametrize(("times", "seconds"), [(1, 30), (2, 60), (10, 300), (11, 300)])
def test_who_is_out_again_and_again_is_out_for_longer_up_to_a_bound(times, seconds):
    assert Ejection().seconds(times) == seconds
