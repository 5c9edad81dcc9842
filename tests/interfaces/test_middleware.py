"""What stands around a mode."""

import base64

import attrs
import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer

from txproxy import ForwardPolicy, ForwardProxyFactory, Pool, PoolSettings, ReverseProxyFactory
from txproxy.errors import ConnectionRefused
from txproxy.forward import AuthPolicy, ContentRules
from txproxy.interfaces import Answer, IInnerMiddleware, Refusal, RequestDenied, RequestHead, ResponseFilter, decided
from txproxy.interfaces.middleware import around
from txproxy.reverse import RequestRewrite, ResponseRewrite, ReverseMode, ToPool, Treated, Treatment
from txproxy.testing import ProxyInMemory

GET = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Field:
    """Adds a field to what the client gets, and writes down who it was."""

    def __init__(self, line=b"X-Team: blue"):
        self.line, self.seen = line, []

    def handle(self, request, context, proceed):
        self.seen.append((request.path, context.client_ip))
        context.add_lines(self.line)
        return proceed(request, context)


class Says:
    """Decides on its own."""

    def __init__(self, decision):
        self.decision = decision

    def handle(self, request, context, proceed):
        if isinstance(self.decision, Exception):
            raise self.decision
        return self.decision


class Waits:
    """Goes on when somebody says so."""

    def __init__(self):
        self.cancelled = 0
        self.waiting = Deferred(self._cancel)

    def _cancel(self, _):
        self.cancelled += 1

    def handle(self, request, context, proceed):
        return self.waiting.addCallback(lambda _: proceed(request, context))


@pytest.fixture
def serve():
    made = []

    def serve(*middleware, upstreams=1, **settings):
        urls = [f"http://10.0.0.{number}" for number in range(1, upstreams + 1)]
        pool = Pool(urls, settings=PoolSettings(**settings))
        made.append(ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, middleware=middleware, reactor=reactor)))
        return made[-1]

    yield serve
    for proxy in made:
        proxy.close()


def test_without_any_the_mode_is_asked_itself(serve):
    proxy = serve()
    assert proxy.factory.handle == proxy.factory.mode.plan
    handler = object()
    assert around(handler, ()) is handler


def test_a_field_is_added_to_responses_and_to_refusals(serve):
    field = Field()
    proxy = serve(field)
    client, _ = proxy.exchange(GET, OK)
    assert b"\r\nX-Team: blue\r\n" in client.take()
    proxy.network.script = [ConnectionRefused("no")] * 2
    proxy.upstream.drop()
    other = proxy.connect("127.0.0.9")
    other.send(GET)
    assert other.received.startswith(b"HTTP/1.1 503") and b"\r\nX-Team: blue\r\n" in other.received
    assert field.seen == [(b"/x", "127.0.0.1"), (b"/x", "127.0.0.9")]


def test_it_is_there_once_when_another_upstream_was_tried_and_who_added_it_is_not_asked_again(serve):
    field = Field()
    proxy = serve(field, upstreams=2)
    proxy.network.script = [ConnectionRefused("no")]
    client, _ = proxy.exchange(GET, OK)
    assert client.received.startswith(b"HTTP/1.1 200") and client.received.count(b"X-Team: blue") == 1
    assert len(field.seen) == 1 and len(proxy.network.dialed) == 2


def test_it_is_there_where_the_body_of_a_request_is_waited_for(serve):
    proxy = serve(Field(), retries=0)
    client = proxy.connect()
    client.send(b"POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n")
    client.send(b"ab")
    proxy.upstream.send(OK)
    assert client.received.count(b"X-Team: blue") == 1


def test_places_that_are_bounded_change_nothing_of_that():
    pool = Pool(["http://10.0.0.1;max=1"])
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, middleware=[Field()], reactor=reactor))
    client = proxy.connect()
    client.send(b"POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n")
    assert not proxy.network.connections
    client.send(b"ab")
    proxy.upstream.send(OK)
    assert client.received.count(b"X-Team: blue") == 1
    proxy.close()


@pytest.mark.parametrize(
    ("decision", "status"),
    [
        (Answer(200, (), b"mine"), b"200"),
        (Refusal(418, "http_request_denied", "no"), b"418"),
        (RequestDenied("no"), b"403"),
    ],
)
def test_who_decides_is_heard_by_those_around_and_nobody_within_is_asked(serve, decision, status):
    outer, inner = Field(), Field(b"X-Inner: 1")
    proxy = serve(outer, Says(decision), inner)
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 " + status) and not inner.seen and not proxy.network.dialed
    assert b"X-Team: blue" in client.received


def test_one_that_waits_lets_only_its_request_wait(serve):
    waits = Waits()
    proxy = serve(Field(), waits)
    client = proxy.connect()
    client.send(GET)
    assert not proxy.network.dialed
    waits.waiting.callback(None)
    proxy.upstream.send(OK)
    assert b"X-Team: blue" in client.received


def test_what_is_waited_for_is_cancelled_when_the_client_leaves(serve):
    waits = Waits()
    proxy = serve(waits)
    client = proxy.connect()
    client.send(GET)
    client.drop()
    assert waits.cancelled == 1


def test_one_that_fails_is_said_loudly_and_answered_with_500(serve):
    proxy = serve(Says(ValueError("a bug")))
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 500")


def test_forward_proxies_have_them_as_well():
    policy = ForwardPolicy(allow_destinations=["10.0.0.0/8"])
    proxy = ProxyInMemory(lambda reactor: ForwardProxyFactory(policy, middleware=[Field()], reactor=reactor))
    client, _ = proxy.exchange(b"GET http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n", OK)
    assert b"X-Team: blue" in client.received
    proxy.close()


def test_what_is_decided_later_is_changed_later():
    later = Deferred()
    changed = decided(later, lambda one: attrs_status(one))
    seen = []
    changed.addCallback(seen.append)
    assert not seen
    later.callback(Answer(204))
    assert seen == [204]


def attrs_status(decision):
    return decision.status


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


POST = b"POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nab"


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


class Marks(ResponseFilter):
    """A filter and a middleware that adds it, around what follows."""

    refusals = True

    def __init__(self, name):
        self.name, self.ends = name, 0

    def handle(self, request, context, proceed):
        context.filter_responses(self)
        return proceed(request, context)

    def head(self, response, context):
        return response.with_lines([*response.headers.lines, b"X-By: " + self.name])

    def closed(self):
        self.ends += 1


def marks(received):
    return [line[6:] for line in received.split(b"\r\n") if line.startswith(b"X-By: ")]


def test_who_stands_around_the_others_sees_the_response_last(serve):
    proxy = serve(Marks(b"outer"), Marks(b"inner"))
    client, _ = proxy.exchange(GET, OK)
    assert marks(client.received) == [b"inner", b"outer"]


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


def test_filters_of_an_answer_are_those_of_what_is_made_of_it(serve):
    inner = Marks(b"inner")
    proxy = serve(Created(), inner, Says(Answer(200)))
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 201") and marks(client.received) == [b"inner"] and inner.ends == 1


class Created:
    """Makes another answer of one."""

    def handle(self, request, context, proceed):
        return decided(proceed(request, context), lambda one: attrs.evolve(one, status=201))


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


def test_another_head_is_that_of_each_attempt(serve):
    class Elsewhere:
        def handle(self, request, context, proceed):
            return proceed(RequestHead(b"GET", b"/other", request.headers, request.authority), context)

    proxy = serve(Elsewhere(), upstreams=2)
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.drop(clean=True)
    proxy.upstream.send(OK)
    assert client.received.startswith(b"HTTP/1.1 200") and len(proxy.network.dialed) == 2
    assert proxy.upstream.received.startswith(b"GET /other ")


# -- within the mode


@implementer(IInnerMiddleware)
class Kept:
    """Answers ``/kept`` itself, and writes down what it is asked."""

    def __init__(self):
        self.asked = []

    def handle(self, request, context, proceed):
        self.asked.append((request.path, context.user))
        if request.path == b"/kept":
            return Answer(200, (b"Server: x", b"Content-Type: video/mp4"), b"kept")
        return proceed(request.with_lines([*request.headers.lines, b"X-Inner: 1"]), context)


@pytest.fixture
def routed():
    """Serves a pool by a route that changes requests and responses; gives the proxy, what stands within, and around."""
    made = []

    def routed(upstream="http://10.0.0.1"):
        pool, kept, outer = Pool([upstream, "http://10.0.0.2"]), Kept(), Field()
        rewrite = RequestRewrite(strip_prefix="/api")
        treatment = Treatment(request=rewrite, response=ResponseRewrite(remove_headers=["Server"], request=rewrite))
        mode = ReverseMode(Treated(ToPool(pool), treatment))
        factory = lambda reactor: ReverseProxyFactory(mode, middleware=[kept, outer], reactor=reactor)  # noqa: E731
        made.append(ProxyInMemory(factory))
        return made[-1], kept, outer

    yield routed
    for proxy in made:
        proxy.close()


def test_one_within_is_asked_about_what_the_upstream_would_be_sent(routed):
    proxy, kept, outer = routed()
    proxy.network.script = [ConnectionRefused("no")]
    client, upstream = proxy.exchange(GET.replace(b"/x", b"/api/x"), OK.replace(b"Content", b"Server: x\r\nContent"))
    assert kept.asked == [(b"/x", None)] and outer.seen == [(b"/api/x", "127.0.0.1")]
    assert upstream.received.startswith(b"GET /x ") and b"\r\nX-Inner: 1\r\n" in upstream.received
    assert b"Server" not in client.received and b"X-Team: blue" in client.received
    assert len(proxy.network.dialed) == 2


def test_what_it_answers_is_changed_on_its_way_as_an_upstreams_response_is(routed):
    proxy, _, _ = routed()
    client = proxy.connect()
    client.send(GET.replace(b"/x", b"/api/kept"))
    assert client.received.endswith(b"\r\n\r\nkept") and not proxy.network.dialed
    assert b"Server" not in client.received and b"X-Team: blue" in client.received


def test_it_is_asked_before_the_place_of_a_slow_body_is_taken(routed):
    proxy, kept, _ = routed("http://10.0.0.1;max=1")
    client = proxy.connect()
    client.send(b"POST /api/x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n")
    assert kept.asked == [(b"/x", None)] and not proxy.network.dialed
    client.send(b"ab")
    assert proxy.upstream.received.endswith(b"\r\n\r\nab") and len(kept.asked) == 1


@pytest.mark.parametrize("remembered", [False, True])
def test_in_a_forward_proxy_it_is_asked_once_it_is_known_who_it_is_and_what_may_pass(remembered):
    policy = ForwardPolicy(
        allow_destinations=["10.0.0.0/8"],
        deny_hosts=["10.0.0.9"],
        auth=AuthPolicy(passwords=lambda name, _: name),
        content=ContentRules(deny_types=["video/*"]),
    )
    kept = Kept()
    proxy = ProxyInMemory(lambda reactor: ForwardProxyFactory(policy, middleware=[kept], reactor=reactor))
    client = proxy.connect()
    ask = b"GET http://10.0.0.%d%b HTTP/1.1\r\nHost: x\r\n%b\r\n"
    client.send(ask % (1, b"/x", b""))
    assert client.take().startswith(b"HTTP/1.1 407 ") and not kept.asked
    known = b"Proxy-Authorization: Basic " + base64.b64encode(b"alice:secret") + b"\r\n"
    client.send(ask % (9, b"/x", known))
    assert client.take().startswith(b"HTTP/1.1 403 ") and not kept.asked
    for _ in range(1 + remembered):
        client.send(ask % (1, b"/x", known))
        assert b"\r\nX-Inner: 1\r\n" in proxy.upstream.take()
        proxy.upstream.send(OK)
        client.take()
    client.send(ask % (1, b"/kept", known))
    assert client.received.startswith(b"HTTP/1.1 403 ") and b"video/mp4 is not allowed" in client.received
    assert kept.asked == [*[(b"/x", "alice")] * (1 + remembered), (b"/kept", "alice")]
    proxy.close()


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
