"""Who of a pool serves: backups, panic, and what may be ejected."""

from tests.upstreams.asking import BAD, GET, OK, ask, at, eject_first
from txproxy.upstreams.ejection import Ejection
from txproxy.upstreams.upstream import State


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
    assert (bad.state, bad.cause, bad.fit) == (State.FAILING, "status 503", True)
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
