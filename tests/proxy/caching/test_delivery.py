"""What is stored as the answer to a client, with all that stands around it."""

import datetime

import pytest
from zope.interface import implementer

from tests.proxy.caching.caching_proxy import get, got
from txproxy import Allotments, Bandwidth, BoundsMiddleware, Quota
from txproxy.interfaces import IMiddleware
from txproxy.interfaces.context import ResponseFilter
from txproxy.limits.usage import Usage

FRESH = {"cache_control": "max-age=60"}
LONG = bytes(index % 251 for index in range(100_000))


def growing(proxy, *requests, length=5, there=b"hel"):
    """Clients of a response that is still coming."""
    proxy.herd(get())
    origin, _ = proxy.question()
    origin.send(proxy.response("", length=length, etag='"1"', **FRESH) + there)
    return origin, proxy.herd(*requests)


def test_a_client_of_http_1_0_gets_it_without_chunks(proxy):
    proxy.herd(get())
    origin, _ = proxy.question()
    origin.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n")
    (old,) = proxy.herd(get().replace(b"1.1", b"1.0"))
    origin.send(b"2\r\nlo\r\n0\r\n\r\n")
    proxy.clock.advance(0)
    answer = got([old])[0]
    assert answer.body == b"hello" and "transfer-encoding" not in answer.fields and old.closed and not old.reset


def test_a_part_of_what_is_of_unknown_length_is_the_whole(proxy):
    proxy.herd(get())
    origin, _ = proxy.question()
    origin.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n")
    (part,) = proxy.herd(get(range="bytes=-2"))
    origin.send(b"2\r\nlo\r\n0\r\n\r\n")
    assert got([part])[0].status == 200


@pytest.mark.parametrize(
    ("fields", "status", "body"),
    [
        ({"range": "bytes=0-1"}, 206, b"he"),
        ({"range": "bytes=3-"}, 206, b"lo"),
        ({"range": "bytes=9-"}, 416, b""),
        ({"range": "bytes=0-1", "if_range": '"1"'}, 206, b"he"),
        ({"range": "bytes=0-1", "if_range": '"2"'}, 200, b"hello"),
    ],
)
def test_parts_of_what_is_still_coming(proxy, fields, status, body):
    origin, (client,) = growing(proxy, get(**fields))
    origin.send(b"lo")
    answer = got([client])[0]
    assert (answer.status, answer.body) == (status, body) and not proxy.questions()


def test_a_head_while_it_comes_is_asked_for(proxy):
    origin, (client,) = growing(proxy, get(method="HEAD"))
    other, asked = proxy.question()
    assert asked.startswith(b"HEAD ")
    other.send(proxy.response("", length=5, etag='"1"', **FRESH))
    assert got([client])[0].status == 200
    origin.send(b"lo")
    assert proxy.ask(get(method="HEAD"))[1] is None


def test_who_joins_learns_how_old_it_is(proxy):
    proxy.herd(get())
    origin, _ = proxy.question()
    origin.send(proxy.response("hel", length=5, **FRESH))
    proxy.pass_time(7)
    (client,) = proxy.herd(get())
    origin.send(b"lo")
    answer = got([client])[0]
    assert answer.fields["age"] == b"7" and answer.told == "txproxy; fwd=uri-miss; ttl=53; stored; collapsed"


class Upper(ResponseFilter):
    wants_body = True

    def body(self, data):
        return data.upper()


@implementer(IMiddleware)
class Changing:
    """Changes what each client gets, and says who that is."""

    def handle(self, request, context, proceed):
        context.filter_responses(Upper())
        context.add_lines(b"X-For: " + (request.headers.get(b"x-who") or b"-"))
        return proceed(request, context)


def test_filters_of_a_client_change_what_it_gets_and_not_what_is_stored(make):
    proxy = make(Changing())
    first = proxy.ask(get(x_who="1"), proxy.response(**FRESH))[0]
    origin_asked = proxy.ask(get(**{"x-who": "2"}))
    assert first.body == b"hello" or first.body.endswith(b"HELLO\r\n0\r\n\r\n") or first.body == b"HELLO"
    hit, asked = origin_asked
    assert asked is None and hit.fields["x-for"] == b"2" and b"HELLO" in hit.body
    assert proxy.store.variants(next(iter(proxy.store._variants)))[0].body.parts(0, 5) == [b"hello"]


def test_filters_change_what_is_still_coming(make):
    proxy = make(Changing())
    clients = proxy.herd(get(), get())
    origin, _ = proxy.question()
    origin.send(proxy.response("hel", length=5, **FRESH))
    origin.send(b"lo")
    for client in clients:
        data = client.take()
        assert b"HEL" in data and b"LO" in data and data.endswith(b"0\r\n\r\n")


class Failing(ResponseFilter):
    wants_body = True

    def body(self, data):
        raise ZeroDivisionError


@implementer(IMiddleware)
class FailingForSome:
    def handle(self, request, context, proceed):
        if b"x-fails" in request.headers:
            context.filter_responses(Failing())
        return proceed(request, context)


@pytest.mark.parametrize("whole", [True, False])
def test_a_filter_that_fails_is_one_clients_matter(make, whole):
    proxy = make(FailingForSome())
    clients = proxy.herd(get(), get(**{"x-fails": "1"}), get())
    origin, _ = proxy.question()
    origin.send(proxy.response("hello" if whole else "hel", length=5, **FRESH))
    if not whole:
        origin.send(b"lo")
    first, second, third = got(clients)
    assert first.body == third.body == b"hello" and (second.status == 500 or clients[1].disconnecting)
    assert proxy.ask(get())[1] is None


@pytest.mark.parametrize("slow", [True, False])
def test_long_bodies_go_out_whole(proxy, slow):
    (client,) = proxy.herd(get())
    origin, _ = proxy.question()
    origin.send(proxy.response("", length=len(LONG), **FRESH))
    origin.send(LONG)
    client.take()
    (client,) = proxy.herd(b"")
    if slow:
        client.stop_reading()
    client.send(get())
    if slow:
        client.read_on()
        proxy.clock.advance(0)
    assert got([client])[0].body == LONG


def test_what_is_evicted_while_it_is_sent_is_sent_whole(proxy):
    proxy.ask(get(), proxy.response("", length=len(LONG), **FRESH))
    proxy.upstream.send(LONG)
    client = proxy.connect()
    client.stop_reading()
    client.send(get())
    proxy.store.remove_key(next(iter(proxy.store._variants)))
    client.read_on()
    for _ in range(5):
        proxy.clock.advance(0)
    assert got([client])[0].body == LONG


def bounded(**words):
    """Bounds by what is allotted, of a proxy that is yet to be made."""
    found = []

    def bounds(*who):
        if not found:
            clock = made[0].clock
            usage = Usage(clock, now=lambda: datetime.datetime(2026, 3, 30))
            found.append(Allotments(clock, usage=usage, **words).bounds)
        return found[0](*who)

    made = []
    return BoundsMiddleware(bounds), made


def test_what_is_given_from_the_cache_is_as_fast_as_it_may_be(make):
    middleware, made = bounded(bandwidths=[Bandwidth(down=4000)])
    proxy = make(middleware)
    made.append(proxy)
    clients = proxy.herd(get(), get())
    origin, _ = proxy.question()
    origin.send(proxy.response("", length=len(LONG), **FRESH))
    origin.send(LONG)
    proxy.advance(1)
    assert all(0 < len(client.received) < len(LONG) // 2 for client in clients)
    proxy.advance(60)
    assert [one.body for one in got(clients)] == [LONG] * 2


def test_who_may_have_no_more_holds_up_nobody(make):
    middleware, made = bounded(quotas=[Quota(day=150)])
    proxy = make(middleware)
    made.append(proxy)
    proxy.ask(get("/other"), proxy.response("x" * 200, **FRESH))
    (rich,) = [proxy.connect("127.0.0.2")]
    rich.send(get())
    origin, _ = proxy.question()
    origin.send(proxy.response("hel", length=5, **FRESH))
    (poor,) = proxy.herd(get())
    assert got([poor])[0].status in (403, 429)
    origin.send(b"lo")
    assert got([rich])[0].body == b"hello"
