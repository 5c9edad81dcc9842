"""What becomes of all that a middleware is given, and does not go on with."""

import attrs
import pytest
from twisted.internet.defer import Deferred

from tests.interfaces.middlewares import GET, OK, POST, Field, Marks, Says, Waits, marks
from txproxy import Pool, ReverseProxyFactory
from txproxy.interfaces import Answer, RequestDenied, RequestHead, decided
from txproxy.testing import ProxyInMemory


class Changes:
    """Asks what follows, and then decides otherwise: as soon as it knows (``how`` is ``answers``, ``raises``), or when
    somebody says so (``later``).
    """

    def __init__(self, how):
        self.how, self.waiting = how, Deferred()

    def handle(self, request, context, proceed):
        return decided(proceed(request, context), self.otherwise)

    def otherwise(self, plan):
        if self.how == "raises":
            raise RequestDenied("no")
        if self.how == "later":
            return self.waiting
        return Answer(204)


class Twice:
    """Asks twice, and takes the second."""

    def handle(self, request, context, proceed):
        proceed(request, context)
        return proceed(request, context)


@pytest.fixture
def places():
    """Serves a pool of two upstreams with one place each; gives the proxy and how many places are taken."""
    made = []

    def places(*middleware):
        pool = Pool(["http://10.0.0.1;max=1", "http://10.0.0.2;max=1"])
        made.append(ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, middleware=middleware, reactor=reactor)))
        return made[-1], lambda: [upstream.active for upstream in pool.upstreams]

    yield places
    for proxy in made:
        proxy.close()


@pytest.mark.parametrize("request_", [GET, POST])
@pytest.mark.parametrize(("how", "status"), [("answers", b"204"), ("raises", b"403")])
def test_a_plan_that_is_not_gone_on_with_is_given_back(places, how, status, request_):
    proxy, taken = places(Changes(how))
    client = proxy.connect()
    client.send(request_)
    assert client.received.startswith(b"HTTP/1.1 " + status) and not proxy.network.dialed
    assert taken() == [0, 0]


@pytest.mark.parametrize("request_", [GET, POST])
@pytest.mark.parametrize("end", ["answer", "fault", "the client leaves"])
def test_so_is_one_for_which_another_is_found_later(places, request_, end):
    changes = Changes("later")
    proxy, taken = places(Field(), changes)
    client = proxy.connect()
    client.send(request_)
    assert sum(taken()) == 1
    if end == "answer":
        changes.waiting.callback(Answer(204))
        assert client.received.startswith(b"HTTP/1.1 204")
    elif end == "fault":
        changes.waiting.errback(RequestDenied("no"))
        assert client.received.startswith(b"HTTP/1.1 403")
    else:
        client.drop()
    assert taken() == [0, 0]


def test_of_two_plans_the_one_that_is_gone_on_with_has_its_place(places):
    proxy, taken = places(Twice())
    client = proxy.connect()
    client.send(GET)
    assert sum(taken()) == 1
    proxy.upstream.send(OK)
    assert client.received.startswith(b"HTTP/1.1 200") and taken() == [0, 0]


@pytest.mark.parametrize("how", ["answers", "later"])
def test_filters_of_a_plan_that_is_not_gone_on_with_are_closed_and_see_nothing(places, how):
    outer, inner, changes = Marks(b"outer"), Marks(b"inner"), Changes(how)
    proxy, _ = places(outer, changes, inner)
    client = proxy.connect()
    client.send(GET)
    if how == "later":
        changes.waiting.callback(Answer(204))
    assert client.received.startswith(b"HTTP/1.1 204") and marks(client.received) == [b"outer"]
    assert (outer.ends, inner.ends) == (1, 1)


class Created:
    """Makes another answer of one."""

    def handle(self, request, context, proceed):
        return decided(proceed(request, context), lambda one: attrs.evolve(one, status=201))


def test_filters_of_an_answer_are_those_of_what_is_made_of_it(serve):
    inner = Marks(b"inner")
    proxy = serve(Created(), inner, Says(Answer(200)))
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 201") and marks(client.received) == [b"inner"] and inner.ends == 1


class Fresh:
    """Adds a new filter each time it is asked, and writes it down."""

    def __init__(self):
        self.made = []

    def handle(self, request, context, proceed):
        self.made.append(Marks(b"%d" % len(self.made)))
        return self.made[-1].handle(request, context, proceed)


def test_of_two_plans_the_filters_of_the_one_that_is_gone_on_with_are_asked(places):
    fresh, outer = Fresh(), Marks(b"outer")
    proxy, _ = places(outer, Twice(), fresh)
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(OK)
    assert marks(client.received) == [b"1", b"outer"]
    assert [one.ends for one in (outer, *fresh.made)] == [1, 1, 1]


@pytest.mark.parametrize("request_", [GET, POST])
def test_when_the_client_leaves_all_filters_are_closed_once(places, request_):
    outer, inner, changes = Marks(b"outer"), Marks(b"inner"), Changes("later")
    proxy, taken = places(outer, changes, inner)
    client = proxy.connect()
    client.send(request_)
    assert sum(taken()) == 1
    client.drop()
    assert taken() == [0, 0] and (outer.ends, inner.ends) == (1, 1)


class Impatient:
    """Decides before what follows has."""

    def handle(self, request, context, proceed):
        proceed(request, context)
        return Answer(204)


@pytest.mark.parametrize("leaves", [False, True])
def test_a_plan_that_comes_when_something_else_is_decided_is_given_back(places, leaves):
    waits, inner = Waits(), Marks(b"inner")
    proxy, taken = places(Impatient(), waits, inner)
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 204")
    if leaves:
        client.drop()
    waits.waiting.callback(None)
    assert taken() == [0, 0] and not proxy.network.dialed and inner.ends == 1


def test_filters_that_came_before_somebody_waited_are_of_no_use_to_another_answer(places):
    inner, waits = Marks(b"inner"), Waits()
    proxy, _ = places(Impatient(), inner, waits)
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 204") and marks(client.received) == [] and inner.ends == 1


class LooksFirst:
    """Asks for what would become of another request, and then for its own."""

    def handle(self, request, context, proceed):
        proceed(RequestHead(b"GET", b"/", request.headers, request.authority), context)
        return proceed(request, context)


@pytest.mark.parametrize("leaves", [False, True])
def test_a_plan_before_one_that_waits_for_a_body_is_given_back_at_once(places, leaves):
    outer, inner = Marks(b"outer"), Marks(b"inner")
    proxy, taken = places(outer, LooksFirst(), inner)
    client = proxy.connect()
    client.send(POST[:-1])
    assert taken() == [0, 0] and not proxy.network.dialed
    if leaves:
        client.drop()
    else:
        client.send(POST[-1:])
        assert sum(taken()) == 1
        proxy.upstream.send(OK)
        assert marks(client.received) == [b"inner", b"outer"]
    assert taken() == [0, 0] and (outer.ends, inner.ends) == (1, 1)


class WaitsEachTime:
    """Marks a request, and goes on with it when somebody says so."""

    def __init__(self):
        self.marks, self.waiting = [], []

    def handle(self, request, context, proceed):
        self.marks.append(Marks(b"%d" % len(self.marks)))
        context.filter_responses(self.marks[-1])
        self.waiting.append(Deferred())
        return self.waiting[-1].addCallback(lambda _: proceed(request, context))


class TakesOne:
    """Asks twice, and takes one of them."""

    def __init__(self, which):
        self.which = which

    def handle(self, request, context, proceed):
        asked = [proceed(request, context), proceed(request, context)]
        return asked[self.which]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("which", [0, 1])
def test_of_two_that_were_waited_for_each_has_its_own_filters(places, which, order):
    outer, waits = Marks(b"outer"), WaitsEachTime()
    proxy, taken = places(outer, TakesOne(which), waits)
    client = proxy.connect()
    client.send(GET)
    for number in order:
        waits.waiting[number].callback(None)
    proxy.upstream.send(OK)
    assert client.received.startswith(b"HTTP/1.1 200") and marks(client.received) == [b"%d" % which, b"outer"]
    assert taken() == [0, 0] and [one.ends for one in (outer, *waits.marks)] == [1, 1, 1]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("end", ["fault", "the client leaves"])
def test_of_two_that_are_waited_for_none_is_forgotten_when_they_fail(places, which, end):
    outer, waits = Marks(b"outer"), WaitsEachTime()
    proxy, taken = places(outer, TakesOne(which), waits)
    client = proxy.connect()
    client.send(GET)
    if end == "fault":
        waits.waiting[which].errback(RequestDenied("no"))
        assert client.received.startswith(b"HTTP/1.1 403") and b"X-By: outer" in client.received
    client.drop()
    waits.waiting[1 - which].callback(None)
    assert taken() == [0, 0] and [one.ends for one in (outer, *waits.marks)] == [1, 1, 1]


class MarksFirst(Fresh):
    """Adds a filter the first time that it is asked."""

    def handle(self, request, context, proceed):
        return proceed(request, context) if self.made else super().handle(request, context, proceed)


@pytest.mark.parametrize("kind", [Fresh, MarksFirst])
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("body", [POST[-2:], POST[-2:-1], b""])
def test_of_two_that_wait_for_a_body_each_has_its_own_filters_and_none_is_forgotten(places, kind, which, body):
    fresh = kind()
    proxy, taken = places(TakesOne(which), fresh)
    client = proxy.connect()
    client.send(POST[:-2] + body)
    assert taken() == ([1, 0] if len(body) == 2 else [0, 0])
    if len(body) == 2:
        proxy.upstream.send(OK)
        assert marks(client.received) == [b"%d" % which][: len(fresh.made) - which]
    client.drop()
    assert taken() == [0, 0] and [one.ends for one in fresh.made] == [1] * len(fresh.made)


class LooksLater:
    """Asks for its own request, and then for what would become of another."""

    def handle(self, request, context, proceed):
        own = proceed(request, context)
        proceed(RequestHead(b"GET", b"/", request.headers, request.authority), context)
        return own


@pytest.mark.parametrize("leaves", [False, True])
def test_a_plan_after_one_that_waits_for_a_body_takes_no_filters_from_it(places, leaves):
    fresh = Fresh()
    proxy, taken = places(LooksLater(), fresh)
    client = proxy.connect()
    client.send(POST[:-1])
    assert taken() == [0, 0]
    if not leaves:
        client.send(POST[-1:])
        proxy.upstream.send(OK)
        assert marks(client.received) == [b"0"]
    client.drop()
    assert taken() == [0, 0] and [one.ends for one in fresh.made] == [1, 1]
