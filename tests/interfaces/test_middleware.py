"""What stands around a mode."""

import base64

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer

from tests.interfaces.middlewares import GET, OK, Field, Marks, Says, Waits, marks
from txproxy import ForwardPolicy, ForwardProxyFactory, Pool, ReverseProxyFactory
from txproxy.errors import ConnectionRefused
from txproxy.forward import AuthPolicy, ContentRules
from txproxy.interfaces import Answer, IInnerMiddleware, Refusal, RequestDenied, RequestHead, decided
from txproxy.interfaces.middleware import around
from txproxy.reverse import RequestRewrite, ResponseRewrite, ReverseMode, ToPool, Treated, Treatment
from txproxy.testing import ProxyInMemory


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


def test_who_stands_around_the_others_sees_the_response_last(serve):
    proxy = serve(Marks(b"outer"), Marks(b"inner"))
    client, _ = proxy.exchange(GET, OK)
    assert marks(client.received) == [b"inner", b"outer"]


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
