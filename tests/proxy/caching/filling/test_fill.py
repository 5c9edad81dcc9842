"""A request on behalf of all that wait: what becomes of it, whatever the origin and the clients do."""

import pytest
from twisted.internet.address import IPv4Address

from tests.proxy.caching.caching_proxy import CachingProxy, get, got
from txproxy import Pool, ReverseProxyFactory
from txproxy.errors import DialError
from txproxy.proxy.caching.cache_middleware import CacheMiddleware
from txproxy.proxy.caching.filling import fill_answers, fill_keeping
from txproxy.testing.memory_connection import MemoryConnection

FRESH = {"cache_control": "max-age=60"}
OLD = {"cache_control": "max-age=60", "etag": '"1"'}


def cut(client):
    """Whether a client was told that what it has is not all."""
    return client.disconnecting or client.closed


def test_a_hundred_clients_are_one_request(proxy):
    clients = proxy.herd(*[get()] * 100)
    origin, _ = proxy.question()
    origin.send(proxy.response(**FRESH))
    answers = got(clients)
    assert {one.body for one in answers} == {b"hello"}
    assert [one.told.count("collapsed") for one in answers] == [0] + [1] * 99
    assert len(proxy.finished) == 100


@pytest.mark.parametrize("at", range(0, 150, 7))
def test_who_comes_at_any_byte_of_the_response_shares_it(proxy, at):
    (first,) = proxy.herd(get())
    origin, _ = proxy.question()
    response = proxy.response("a longer body than usual", **FRESH)
    assert len(response) < 150
    origin.send_each_byte(response[:at])
    (second,) = proxy.herd(get())
    origin.send_each_byte(response[at:])
    assert [one.body for one in got([first, second])] == [b"a longer body than usual"] * 2
    assert not proxy.questions()


@pytest.mark.parametrize("at", range(0, 150, 7))
def test_when_the_first_leaves_others_get_all_of_it(proxy, at):
    first, second = proxy.herd(get(), get())
    origin, _ = proxy.question()
    response = proxy.response("a longer body than usual", **FRESH)
    origin.send_each_byte(response[:at])
    first.drop()
    origin.send_each_byte(response[at:])
    assert got([second])[0].body == b"a longer body than usual"
    assert proxy.ask(get())[1] is None


def test_when_all_leave_before_the_head_it_is_cancelled(proxy):
    clients = proxy.herd(get(), get())
    origin, _ = proxy.question()
    for client in clients:
        client.drop()
    proxy.clock.advance(0)
    assert origin.closed and origin.reset and not proxy.cache.fills


@pytest.mark.parametrize(
    ("length", "there", "stored"),
    [(1000, 0, True), (3 << 20, 0, False), (3 << 20, 1 << 20, False), (3 << 20, 2 << 20, True)],
)
def test_when_all_leave_in_between_little_or_half_is_finished(make, length, there, stored):
    proxy = make(size=64 << 20)
    clients = proxy.herd(get(), get())
    origin, _ = proxy.question()
    origin.send(proxy.response("x" * there, length=length, **FRESH))
    for client in clients:
        client.drop()
    proxy.clock.advance(0)
    assert origin.closed is not stored
    origin.send(b"x" * (length - there))
    assert (proxy.ask(get(), proxy.response(**FRESH))[1] is None) is stored


@pytest.mark.parametrize("slow", [True, False])
def test_a_body_that_is_cut_is_cut_for_all_and_not_stored(proxy, slow):
    clients = proxy.herd(get(), get(range="bytes=0-1"), get(range="bytes=4-"))
    origin, _ = proxy.question()
    origin.send(proxy.response("hel", length=5, **FRESH))
    if slow:
        clients[0].stop_reading()
    origin.drop()
    assert cut(clients[0]) and cut(clients[2]) and not cut(clients[1])
    whole, part, rest = got(clients)
    assert whole.body == b"hel" and part.body == b"he" and rest.body == b""
    assert not len(proxy.store) and not proxy.store.growing
    clients[0].read_on()
    assert proxy.ask(get(), proxy.response(**FRESH))[1] is not None


def test_a_chunked_one_that_is_cut_has_no_end(proxy):
    clients = proxy.herd(get(), get().replace(b"1.1", b"1.0"))
    origin, _ = proxy.question()
    origin.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n")
    origin.end()
    proxy.clock.advance(0)
    assert cut(clients[0]) and b"0\r\n\r\n" not in clients[0].take()
    assert clients[1].reset
    assert not len(proxy.store)


def test_a_body_without_an_end_of_its_own_is_not_stored(proxy):
    clients = proxy.herd(get(), get())
    origin, _ = proxy.question()
    origin.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nConnection: close\r\n\r\nhel")
    other, _ = proxy.question()
    origin.send(b"lo")
    origin.end()
    other.send(proxy.response("other", cache_control="no-store"))
    assert b"hello" in clients[0].take().replace(b"\r\n2\r\n", b"") and clients[1].take().endswith(b"other")


def test_a_failure_is_shared_after_one_retry(proxy):
    clients = proxy.herd(*[get()] * 50)
    for _ in range(2):
        proxy.question()[0].drop()
    assert {one.status for one in got(clients)} == {502}
    assert not proxy.questions() and len(proxy.finished) == 50


def test_a_request_that_was_sent_again_to_be_sure_is_not_retried(proxy):
    proxy.ask(get("/other"), proxy.response())
    clients = proxy.herd(*[get()] * 50)
    for _ in range(2):
        # First the connection that was kept, of which nobody knows whether it was idle for too long.
        proxy.question()[0].drop()
    assert {one.status for one in got(clients)} == {502}
    assert not proxy.questions()


def test_a_retry_that_succeeds_is_for_all(proxy):
    clients = proxy.herd(*[get()] * 3)
    proxy.question()[0].drop()
    proxy.question()[0].send(proxy.response(**FRESH))
    assert [one.body for one in got(clients)] == [b"hello"] * 3


def test_one_that_is_alone_is_not_asked_for_again(proxy):
    (client,) = proxy.herd(get())
    proxy.question()[0].drop()
    assert got([client])[0].status == 502 and not proxy.questions()


@pytest.mark.parametrize("stale", [True, False])
def test_dials_that_are_refused(proxy, stale):
    if stale:
        proxy.ask(get(), proxy.response(**OLD, connection="close"))
        proxy.clock.advance(0)
        proxy.pass_time(61)
    proxy.network.script += [DialError("refused")] * 20
    clients = proxy.herd(get(), get())
    assert {one.status for one in got(clients)} == {200 if stale else 503}


def test_dials_that_hang_are_waited_for_and_cancelled(proxy):
    proxy.network.script += ["hang"]
    clients = proxy.herd(get(), get())
    assert len(proxy.network.hanging) == 1
    proxy.network.answer()
    proxy.question()[0].send(proxy.response(**FRESH))
    assert [one.body for one in got(clients)] == [b"hello"] * 2


def test_what_is_stored_stands_in_for_what_does_not_come(proxy):
    proxy.ask(get(), proxy.response(**OLD))
    proxy.pass_time(61)
    clients = proxy.herd(get(), get())
    for _ in range(3):
        proxy.questions()
        proxy.advance(70)
    assert [one.body for one in got(clients)] == [b"hello"] * 2


def test_who_has_waited_for_five_seconds_goes_its_own_way(proxy):
    clients = proxy.herd(get(), get(), get())
    origin, _ = proxy.question()
    proxy.advance(4)
    assert not proxy.questions()
    proxy.advance(2)
    others = proxy.questions()
    assert len(others) == 2
    for number, (other, _) in enumerate(others):
        other.send(proxy.response(f"late{number}", **FRESH))
    assert sorted(one.body for one in got(clients[1:])) == [b"late0", b"late1"]
    origin.send(proxy.response(**FRESH))
    assert got(clients[:1])[0].body == b"hello" and proxy.ask(get())[1] is None


def test_when_it_is_late_and_the_first_has_left_it_is_cancelled(proxy):
    first, second = proxy.herd(get(), get())
    origin, _ = proxy.question()
    first.drop()
    proxy.advance(6)
    assert origin.closed
    other, _ = proxy.question()
    other.send(proxy.response(**FRESH))
    assert got([second])[0].body == b"hello"


def test_what_cannot_be_stored_is_asked_for_by_all_at_once(proxy):
    clients = proxy.herd(*[get()] * 4)
    origin, _ = proxy.question()
    origin.send(proxy.response("0", length=2, cache_control="private"))
    others = proxy.questions()
    assert len(others) == 3
    for number, (other, _) in enumerate(others):
        other.send(proxy.response(f"{number}x", cache_control="private"))
    origin.send(b"!")
    assert [one.body for one in got(clients)] == [b"0!", b"0x", b"1x", b"2x"]


@pytest.mark.parametrize("status", ["403 No", "404 No"])
def test_refusals_of_the_origin_are_no_failures(proxy, status):
    proxy.ask(get(), proxy.response(**OLD))
    proxy.pass_time(61)
    assert proxy.ask(get(), proxy.response("no", status))[0].body == b"no"


def test_early_hints_are_for_who_has_asked(proxy):
    first, second = proxy.herd(get(), get())
    origin, _ = proxy.question()
    origin.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    assert first.take().startswith(b"HTTP/1.1 103 ") and second.take() == b""
    first.drop()
    origin.send(b"HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n")
    origin.send(proxy.response(**FRESH))
    assert got([second])[0].status == 200
    assert "link" not in proxy.ask(get())[0].fields


@pytest.mark.parametrize("status", ["206 Partial Content", "416 Range Not Satisfiable", "304 Not Modified"])
def test_parts_that_nobody_asked_for_are_not_stored(proxy, status):
    proxy.ask(get(), proxy.response("el", status, content_range="bytes 1-2/5", **FRESH))
    got_, asked = proxy.ask(get(), proxy.response(**FRESH))
    assert asked is not None and got_.body == b"hello"


def test_another_protocol_that_nobody_asked_for_fails(proxy):
    clients = proxy.herd(get(), get())
    for _ in range(4):
        for origin, _ in proxy.questions():
            origin.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
    assert {one.status for one in got(clients)} == {502}


def test_trailers_are_for_who_gets_what_is_not_kept(proxy):
    (client,) = proxy.herd(get(te="trailers", connection="TE"))
    origin, _ = proxy.question()
    origin.send(
        b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: 1\r\n\r\n"
    )
    assert client.take().endswith(b"0\r\nX: 1\r\n\r\n")


def test_pipelined_requests_for_the_same_are_one(proxy):
    (client,) = proxy.herd(get() * 3)
    origin, _ = proxy.question()
    response = proxy.response(**FRESH)
    origin.send(response[:-1])
    origin.send(response[-1:])
    assert client.take().count(b"hello") == 3 and not proxy.questions()


@pytest.mark.parametrize("half", [True, False])
def test_a_client_that_closes_its_side_while_it_waits_keeps_nobody(proxy, half):
    first, second = proxy.herd(get(), get())
    origin, _ = proxy.question()
    second.end() if half else second.drop()
    proxy.advance(2)
    assert second.closed
    origin.send(proxy.response(**FRESH))
    assert got([first])[0].body == b"hello"


@pytest.mark.parametrize("place", ["may_store", "stored_head", "growing_answer", "stored_answer", "vary_names"])
@pytest.mark.parametrize("whole", [True, False])
def test_faults_of_rules_leave_nobody_waiting(proxy, monkeypatch, place, whole):
    def fails(*_, **__):
        raise ZeroDivisionError

    module = fill_answers if place.endswith("_answer") else fill_keeping
    monkeypatch.setattr(module, place, fails)
    clients = proxy.herd(*[get()] * 3)
    origin, _ = proxy.question()
    origin.send(proxy.response("hello" if whole else "hel", length=5, **FRESH))
    if not whole:
        origin.send(b"lo")
    for one in got(clients):
        assert one.status in (200, 500, 502) and (one.status != 200 or one.body == b"hello")
    assert not proxy.cache.fills


@pytest.mark.parametrize("whole", [True, False])
def test_a_fault_for_one_is_no_matter_to_others(proxy, monkeypatch, whole):
    clients = proxy.herd(*[get(user_agent=str(number)) for number in range(3)])
    for place in ("growing_answer", "stored_answer"):
        given = getattr(fill_answers, place)

        def some(asking, *rest, given=given):
            if asking.request.headers.get(b"user_agent") == b"1" or asking.request.headers.get(b"user-agent") == b"1":
                raise ZeroDivisionError
            return given(asking, *rest)

        monkeypatch.setattr(fill_answers, place, some)
    origin, _ = proxy.question()
    origin.send(proxy.response("hello" if whole else "hel", length=5, **FRESH))
    if not whole:
        origin.send(b"lo")
    assert [one.status for one in got(clients)] == [200, 500, 200]


@pytest.mark.parametrize("place", ["keep", "unlearn", "find"])
@pytest.mark.parametrize("whole", [True, False])
def test_faults_of_the_store_are_no_matter_to_those_that_wait(proxy, monkeypatch, place, whole):
    clients = proxy.herd(*[get()] * 3)
    origin, _ = proxy.question()

    def fails(*_, **__):
        raise OSError("no space")

    monkeypatch.setattr(proxy.cache, place, fails)
    origin.send(proxy.response("hello" if whole else "hel", length=5, **FRESH))
    if not whole:
        origin.send(b"lo")
    assert [one.body for one in got(clients)] == [b"hello"] * 3


@pytest.mark.parametrize("control", ["max-age=60", "no-store"])
def test_a_store_that_fails_is_no_matter_to_a_validation(proxy, monkeypatch, control):
    proxy.ask(get(), proxy.response(**OLD))
    proxy.pass_time(61)

    def fails(*_):
        raise OSError("no space")

    monkeypatch.setattr(type(proxy.store), "put", fails)
    monkeypatch.setattr(type(proxy.store), "remove", fails)
    got_, _ = proxy.ask(get(), proxy.response("", "304 Not Modified", cache_control=control))
    assert (got_.status, got_.body) == (200, b"hello") and not proxy.cache.fills


@pytest.mark.parametrize("fields", [{}, {"if_none_match": '"1"'}])
@pytest.mark.parametrize("clients", [1, 2])
def test_a_304_to_a_request_without_a_condition_is_no_response(proxy, fields, clients):
    waiting = proxy.herd(*[get(**fields)] * clients)
    told = proxy.response("", "304 Not Modified", **OLD)
    while questions := proxy.questions():
        for origin, question in questions:
            assert b"If-None-Match" not in question
            origin.send(told)
    for one in got(waiting):
        assert one.status == 502 and b"http_protocol_error" in one.fields["proxy-status"]
    assert len(proxy.store) == 0
    # The next one is asked as ever.
    assert proxy.ask(get(), proxy.response(**FRESH))[0].body == b"hello"


def test_a_304_that_is_about_nothing_is_asked_about_once(proxy):
    fields = {"vary": "Accept-Language", **FRESH}
    proxy.ask(get(accept_language="en"), proxy.response("en", etag='"1"', **fields))
    proxy.pass_time(61)
    clients = proxy.herd(*[get(accept_language="en")] * 3)
    origin, asked = proxy.question()
    assert b'If-None-Match: "1"' in asked
    origin.send(proxy.response("", "304 Not Modified", etag='"9"', **fields))
    questions = proxy.questions()
    assert not any(b"If-None-Match" in one for _, one in questions)
    for one, _ in questions:
        one.send(proxy.response("new", **fields))
    assert [one.body for one in got(clients)] == [b"new"] * 3


def test_what_says_anew_what_it_was_chosen_by(proxy):
    proxy.ask(get(accept_language="en"), proxy.response("en", **OLD))
    proxy.pass_time(61)
    proxy.ask(get(accept_language="en"), proxy.response("", "304 Not Modified", vary="Accept-Language", **OLD))
    assert proxy.ask(get(accept_language="en"))[1] is None
    assert proxy.ask(get(accept_language="de"), proxy.response("de", **FRESH))[1] is not None


def test_what_is_no_longer_chosen_takes_the_place_of_what_was(proxy):
    for language in ("en", "de"):
        proxy.ask(get(accept_language=language), proxy.response(language, vary="Accept-Language", **FRESH))
    proxy.pass_time(61)
    proxy.ask(get(accept_language="en"), proxy.response("all", **FRESH))
    for language in ("en", "de", "fr"):
        hit, asked = proxy.ask(get(accept_language=language))
        assert asked is None and hit.body == b"all"


def test_bounds_of_the_policy_hold_for_chunked_bodies_too(make):
    proxy = make(max_object_size=4)
    for _ in range(2):
        (client,) = proxy.herd(get())
        origin, _ = proxy.question()
        origin.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
        origin.send(b"5\r\nhello\r\n0\r\n\r\n")
        assert b"hello" in client.take()


def test_what_a_head_brings_about_in_the_background_is_a_get(proxy):
    proxy.ask(get(), proxy.response(etag='"1"', cache_control="max-age=60, stale-while-revalidate=60"))
    proxy.pass_time(61)
    proxy.ask(get(method="HEAD"))
    proxy.upstream.send(proxy.response("", "304 Not Modified", **FRESH))
    assert proxy.ask(get())[1] is None


def test_a_place_in_a_pool_is_given_back(make):
    pool = Pool(["http://10.0.0.1:80;max=1"])

    def build(reactor, middleware, observers):
        return ReverseProxyFactory(pool, middleware=middleware, observers=observers, reactor=reactor)

    proxy = make(build=build)
    for leave in (True, False):
        clients = proxy.herd(get(), get())
        origin, _ = proxy.question()
        for client in clients:
            client.drop() if leave else None
        if not leave:
            origin.send(proxy.response(**FRESH))
        proxy.clock.advance(0)
    assert all(one.active == 0 for one in pool.upstreams)


class TwoListeners(CachingProxy):
    """Two factories that share a cache."""

    def second(self):
        factory = ReverseProxyFactory(
            Pool(["http://10.0.0.1:80"]), middleware=[CacheMiddleware(self.cache)], reactor=self.clock
        )
        factory.services.dialer = self.network
        factory.doStart()

        def connect():
            client = MemoryConnection(self.clock, factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1)))
            self.clients.append(client)
            return client

        return factory, connect


@pytest.mark.parametrize("head_there", [True, False])
def test_when_one_of_two_listeners_stops_clients_of_the_other_get_theirs(head_there):
    proxy = TwoListeners()
    factory, connect = proxy.second()
    (mine,) = proxy.herd(get())
    other = connect()
    other.send(get())
    origin, _ = proxy.question()
    if head_there:
        origin.send(proxy.response("hel", length=5, **FRESH))
    proxy.factory.stop()
    proxy.clock.advance(0)
    assert mine.closed
    if head_there:
        origin.send(b"lo")
    else:
        assert origin.closed
        proxy.question()[0].send(proxy.response(**FRESH))
    assert got([other])[0].body == b"hello"
    factory.doStop()
    factory.stop()
    proxy.close()
    assert not proxy.cache.fills and not proxy.factory.services.errands and not factory.services.errands


@pytest.mark.parametrize("point", ["asking", "keeping", "passing"])
def test_when_the_proxy_stops_nothing_is_left(point):
    proxy = CachingProxy()
    clients = proxy.herd(get(), get())
    origin, _ = proxy.question()
    if point != "asking":
        control = "max-age=60" if point == "keeping" else "no-store"
        origin.send(proxy.response("hel", length=5, cache_control=control))
    proxy.factory.stop()
    proxy.clock.advance(0)
    assert all(client.closed for client in clients)
    assert not proxy.cache.fills and not proxy.factory.services.errands
    proxy.close()


def test_who_was_the_reason_has_the_attempts_in_its_record(proxy):
    clients = proxy.herd(get(), get())
    proxy.advance(2)
    origin, _ = proxy.question()
    origin.send(proxy.response(**FRESH))
    got(clients)
    first, second = proxy.finished
    (attempt,) = first.attempts
    assert (attempt.status, attempt.fault) == (200, None)
    assert (attempt.ended, first.first_byte) == pytest.approx((2, 2))
    assert not second.attempts and second.context.cache.collapsed
    proxy.ask(get())
    assert not proxy.finished[-1].attempts
    assert all(not one.context.fetched for one in proxy.finished)


def test_attempts_that_failed_are_in_it_as_well(proxy):
    proxy.network.script = [DialError("no"), DialError("no")]
    proxy.herd(get())
    (record,) = proxy.finished
    assert [one.fault.error for one in record.attempts] == ["destination_unavailable"] and record.status == 503
