"""Requests that a route makes of its own: who may pass is asked, and copies are sent."""

import pytest

from tests.reverse.actions.routed import OK, at, get, to
from txproxy import Pool, ReverseProxyFactory
from txproxy.errors import ConfigError, ConnectionRefused
from txproxy.interfaces import RequestFilter
from txproxy.reverse.actions.subrequests import ForwardAuth, Mirror
from txproxy.reverse.actions.to_pool import ToPool
from txproxy.reverse.actions.treatments import Respond, Treated, Treatment
from txproxy.reverse.client_identity import Trust
from txproxy.reverse.mode import ReverseMode
from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
from txproxy.reverse.rewriting.response_rewrite import ResponseRewrite
from txproxy.reverse.rewriting.strict_transport import Hsts
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.pool_settings import PoolSettings

# -- authorization


def guarded(copy=(), path=b"/check"):
    return Treated(to("10.0.0.1"), Treatment(auth=ForwardAuth(to("10.0.0.9"), path, copy)))


def test_who_may_pass_passes_with_what_the_authorization_server_says(serve):
    proxy = serve({"/": guarded((b"X-User",))})
    client = proxy.connect()
    lies = (b"X-User: root", b"X_User: root", b"Connection: X-User", b"X-Forwarded-Uri: /public")
    client.send(get(b"/page?x=1", b"Cookie: c=d", *lies))
    question = at(proxy, "10.0.0.9")[0]
    asked = question.take()
    assert asked.startswith(b"GET /check HTTP/1.1\r\n")
    assert b"Cookie: c=d\r\n" in asked
    assert b"X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /page?x=1\r\n" in asked and b"/public" not in asked
    assert not at(proxy, "10.0.0.1")
    question.send(b"HTTP/1.1 200 OK\r\nX-User: alice\r\nContent-Length: 0\r\n\r\n")
    passed = at(proxy, "10.0.0.1")[0]
    assert b"X-User: alice\r\n" in passed.received and b"root" not in passed.received
    passed.send(OK)
    assert client.received == OK


LIES = (
    b"X-User: root\r\nx_user: root\r\nX_Team: root\r\nX-Forwarded_For: 9.9.9.9\r\nX-SSL-Client-Verify: SUCCESS\r\n"
    b"x_old: 1\r\nX-Hop: 1\r\nContent-Type: text/html\r\n"
)


@pytest.mark.parametrize("answer", [b"X-User: alice\r\n", b""])
def test_what_is_for_the_proxy_to_say_passes_in_no_trailer(serve, answer):
    inner = Treated(
        guarded((b"X-User",)), Treatment(request=RequestRewrite(add_headers={"X-Team": "blue"}, remove_headers="X-Old"))
    )
    proxy = serve({"/": Treated(inner, Treatment(request=RequestRewrite(set_headers={"X-Outer": "1"})))})
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n")
    at(proxy, "10.0.0.9")[0].send(b"HTTP/1.1 200 OK\r\n" + answer + b"Content-Length: 0\r\n\r\n")
    client.send(b"2\r\nhi\r\n0\r\nChecksum: 1\r\n" + LIES + b"X_outer: 2\r\n\r\n")
    passed = at(proxy, "10.0.0.1")[0]
    assert passed.received.endswith(b"2\r\nhi\r\n0\r\nChecksum: 1\r\n\r\n")
    passed.send(OK)
    assert client.received == OK


def test_what_a_route_sets_or_removes_in_responses_passes_in_no_trailer_of_theirs(serve):
    rewrite = ResponseRewrite(set_headers={"X-Frame": "deny"}, remove_headers=["X-Secret"], hsts=Hsts(60))
    inner = Treated(to("10.0.0.1"), Treatment(response=rewrite))
    proxy = serve({"/": Treated(inner, Treatment(max_body=10))})
    client = proxy.connect()
    client.send(get(b"/"))
    at(proxy, "10.0.0.1")[0].send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Frame: allow\r\nServer-Timing: a\r\n"
        b"X_Secret: 1\r\nStrict-Transport-Security: max-age=0\r\nSet-Cookie: a=b\r\n\r\n"
    )
    assert client.received.endswith(b"2\r\nhi\r\n0\r\nServer-Timing: a\r\n\r\n")


GIVEN = OK.replace(b"Date", b"Set-Cookie: s=1; Path=/\r\nSet-Cookie: t=2\r\nX-User: u\r\nDate")


@pytest.mark.parametrize(
    ("cookies", "given"),
    [((), []), ((b"s",), [b"s=1; Path=/"]), ((b"*",), [b"s=1; Path=/", b"t=2"]), ((b"x",), [])],
)
def test_cookies_of_an_authorization_server_are_handed_to_the_client(serve, cookies, given):
    pool = Pool(["http://10.0.0.1", "http://10.0.0.3"])
    auth = ForwardAuth(to("10.0.0.2"), copy=(b"X-User",), cookies=cookies)
    proxy = serve(
        {"/x": Treated(ToPool(pool), Treatment(auth=auth)), "/y": Treated(Respond(200), Treatment(auth=auth))}
    )
    expected = [b"Set-Cookie: " + value for value in given]
    for answered in ("at once", "after a retry", "not at all"):
        client = proxy.connect()
        client.send(get(b"/x"))
        failed = {"at once": 0, "after a retry": 1, "not at all": 2}[answered]
        proxy.network.script = [ConnectionRefused("no")] * failed
        at(proxy, "10.0.0.2")[-1].send(GIVEN)
        if failed < 2:
            sent = proxy.network.connections[-1]
            assert b"X-User: u\r\n" in sent.received and b"Set-Cookie" not in sent.received
            sent.send(OK)
            sent.drop()
        lines = client.received.split(b"\r\n")
        assert [line for line in lines if line.startswith(b"Set-Cookie")] == expected
        assert lines[0].split()[1] == (b"503" if failed == 2 else b"200")
    client = proxy.connect()
    client.send(get(b"/y"))
    at(proxy, "10.0.0.2")[-1].send(GIVEN)
    assert [line for line in client.received.split(b"\r\n") if line.startswith(b"Set-Cookie")] == expected


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"copy": (b"Set-Cookie",)}, "Set-Cookie is a field of responses; accepted are cookies"),
        ({"copy": (b"Location",)}, "Location is a field of responses"),
        ({"cookies": (b"a b",)}, "'a b' is no name of a cookie"),
    ],
)
def test_what_an_authorization_server_cannot_give_is_refused(values, said):
    with pytest.raises(ConfigError, match=said):
        ForwardAuth(to("10.0.0.2"), **values)


def test_the_body_of_a_request_waits_for_the_answer(serve):
    proxy = serve({"/": guarded()})
    client = proxy.connect()
    client.send(b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
    asked = at(proxy, "10.0.0.9")[0]
    assert b"hello" not in asked.received and b"Content-Length" not in asked.received
    asked.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    passed = at(proxy, "10.0.0.1")[0]
    assert passed.received.startswith(b"POST /form ") and passed.received.endswith(b"hello")
    passed.send(OK)
    assert client.received == OK


def test_another_answer_is_the_clients(serve):
    seen = []
    proxy = serve({"/": guarded()}, observers=(seen.append,))
    client = proxy.connect()
    client.send(get(b"/page"))
    at(proxy, "10.0.0.9")[0].send(
        b"HTTP/1.1 302 Found\r\nDate: D\r\nLocation: /login\r\nSet-Cookie: a=b\r\nContent-Length: 5\r\n\r\nlogin"
    )
    assert client.received.startswith(b"HTTP/1.1 302 Found\r\n") and client.received.endswith(b"login")
    assert b"Location: /login\r\nSet-Cookie: a=b\r\n" in client.received
    assert client.received.count(b"Date: ") == client.received.count(b"Content-Length: ") == 1
    assert not at(proxy, "10.0.0.1")
    # one request, one line in the log
    assert len(seen) == 1


@pytest.mark.parametrize("answer", [None, b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", b"nonsense\r\n\r\n"])
def test_without_an_answer_nobody_passes(serve, answer):
    proxy = serve({"/": guarded()})
    if answer is None:
        proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(get(b"/page"))
    if answer is not None:
        at(proxy, "10.0.0.9")[0].send(answer)
        at(proxy, "10.0.0.9")[0].drop()
    assert client.received[9:12] in (b"502", b"503")
    assert not at(proxy, "10.0.0.1")


def test_a_question_is_not_asked_of_what_the_client_has_in_its_cache(serve):
    proxy = serve({"/": guarded()})
    hops = (b"Connection: X-Hop", b"X-Hop: 1", b"TE: trailers")
    proxy.connect().send(get(b"/page", b"If-None-Match: *", b"Range: bytes=0-", *hops))
    asked = at(proxy, "10.0.0.9")[0]
    for name in (b"If-None-Match", b"Range", b"X-Hop", b"TE"):
        assert name + b": " not in asked.received
    asked.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    passed = at(proxy, "10.0.0.1")[0].received
    assert b"If-None-Match: *\r\nRange: bytes=0-\r\n" in passed and b"X-Hop" not in passed


def test_an_answer_without_content_announces_none(serve):
    proxy = serve({"/": guarded()})
    client = proxy.connect()
    client.send(get(b"/page"))
    at(proxy, "10.0.0.9")[0].send(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n")
    assert b"Content-Length" not in client.received and b"ETag: x\r\n" in client.received


@pytest.mark.parametrize(
    "name",
    [b"Content-Length", b"content_length", b"Transfer-Encoding", b"Connection", b"Host", b"X-Forwarded-For", b"a b"],
)
def test_an_authorization_server_does_not_say_where_a_request_ends(name):
    with pytest.raises(ConfigError, match="accepted"):
        ForwardAuth(to("10.0.0.9"), b"/check", (name,))


@pytest.mark.parametrize("phase", ["asked", "queued", "passed"])
def test_whoever_leaves_is_counted_nowhere(serve, phase):
    asked, real = Pool(["http://10.0.0.9"]), Pool(["http://10.0.0.1;max=1"])
    proxy = serve({"/": Treated(ToPool(real), Treatment(auth=ForwardAuth(ToPool(asked))))})
    yes = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    clients = [proxy.connect() for _ in range(2)]
    for client in clients:
        client.send(get(b"/page"))
        if phase != "asked":
            at(proxy, "10.0.0.9")[-1].send(yes)
    assert real.waiting == (phase != "asked")
    for client in clients[::-1] if phase == "queued" else clients:
        client.drop()
    assert (asked.upstreams[0].active, real.upstreams[0].active, real.waiting) == (0, 0, 0)


def test_a_client_that_leaves_asks_no_longer(serve):
    proxy = serve({"/": guarded()})
    client = proxy.connect()
    client.send(get(b"/page"))
    client.drop()
    proxy.clock.advance(0)
    assert at(proxy, "10.0.0.9")[0].closed


# -- copies


def mirrored(share=1.0):
    return Treated(to("10.0.0.1"), Treatment(mirror=Mirror(to("10.0.0.8"), share)))


def test_a_second_pool_gets_a_copy_and_its_answer_is_nobodys(serve):
    proxy = serve({"/": mirrored()})
    client = proxy.connect()
    client.send(b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
    client.send(b"lo")
    real, copy = at(proxy, "10.0.0.1")[0], at(proxy, "10.0.0.8")[0]
    assert real.received.startswith(b"PUT /x ") and real.received.endswith(b"\r\n\r\nhello")
    assert copy.received.startswith(b"PUT /x ") and copy.received.endswith(b"\r\n\r\nhello")
    copy.send(b"HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nbad")
    assert not client.received
    real.send(OK)
    assert client.received == OK


def test_what_becomes_of_the_copy_is_nobodys_concern(serve):
    proxy = serve({"/": mirrored()})
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(get(b"/x"))
    at(proxy, "10.0.0.1")[0].send(OK)
    assert client.received == OK


def test_a_copy_that_is_too_slow_is_given_up(serve):
    proxy = serve({"/": mirrored()})
    proxy.network.script = ["hang"]
    client = proxy.connect()
    client.send(b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
    for _ in range(30):
        client.send(bytes(100_000))
    real = at(proxy, "10.0.0.1")[0]
    assert len(real.received) > 3_000_000
    real.send(OK)
    assert client.received == OK
    assert not at(proxy, "10.0.0.8")


def test_a_copy_goes_on_when_the_client_is_served_and_only_one_is_sent(serve):
    pool = Pool(["http://10.0.0.1", "http://10.0.0.2"])
    proxy = serve({"/": Treated(ToPool(pool), Treatment(mirror=Mirror(to("10.0.0.8"))))})
    client = proxy.connect()
    client.send(get(b"/x"))
    at(proxy, "10.0.0.1")[0].drop()
    at(proxy, "10.0.0.2")[0].send(OK)
    assert client.received == OK
    (copy,) = at(proxy, "10.0.0.8")
    assert not copy.closed
    copy.send(OK)


PUT = b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
LOGGED_IN = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"


class Said(RequestFilter):
    """Says each part of a body so often."""

    def __init__(self, times):
        self.times = times

    def handle(self, request, context, proceed):
        context.filter_requests(self)
        return proceed(request, context)

    def body(self, data):
        return data * self.times


@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n5\r\n"])
def test_a_copy_has_the_body_that_goes_on(times, framing):
    mode = ReverseMode(mirrored())
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(mode, middleware=[Said(times)], reactor=reactor))
    client = proxy.connect()
    client.send(b"PUT / HTTP/1.1\r\nHost: a\r\n" + framing)
    client.send(b"hello" + (b"\r\n0\r\n\r\n" if b"chunked" in framing else b""))
    real, copy = at(proxy, "10.0.0.1")[0], at(proxy, "10.0.0.8")[0]
    passed = b"%x\r\n%b\r\n" % (5 * times, b"hello" * times) if times else b""
    for one in (real, copy):
        assert one.received.endswith(b"\r\n\r\n" + passed + b"0\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in one.received and b"Content-Length" not in one.received
        one.send(OK)
    assert client.received == OK
    proxy.close()


def mirroring(*upstreams, **settings):
    """The action, the pool that does the work, and the one that gets copies."""
    real, copies = Pool(upstreams, settings=PoolSettings(**settings)), Pool(["http://10.0.0.8"])
    return Treated(ToPool(real), Treatment(mirror=Mirror(ToPool(copies)))), real, copies


def test_what_goes_nowhere_is_not_copied(serve):
    action, real, copies = mirroring("http://10.0.0.1")
    proxy = serve({"/": action})
    real.disable("http://10.0.0.1")
    client = proxy.connect()
    client.send(PUT)
    assert client.received.startswith(b"HTTP/1.1 503 ")
    assert not proxy.network.dialed and copies.upstreams[0].active == 0


@pytest.mark.parametrize("phase", ["queued", "sent", "failed", "queued again"])
def test_a_copy_never_waits_for_a_body_that_will_not_come(serve, phase):
    action, real, copies = mirroring("http://10.0.0.1;max=1", *["http://10.0.0.2;max=1"] * (phase == "queued again"))
    proxy = serve({"/": action})
    first, client = proxy.connect(), proxy.connect()
    if phase == "queued":
        first.send(get(b"/"))
        client.send(PUT.replace(b"5", b"50000") + b"x" * 20_000)
        assert real.waiting == 1
    else:
        client.send(PUT)
        # Its body is late, and there is room without.
        proxy.advance(2)
        assert copies.upstreams[0].active == 1
        (sent,) = [one for one in proxy.network.connections if one.address.host != "10.0.0.8"]
    if phase == "failed":
        sent.drop()
        assert client.received.startswith(b"HTTP/1.1 502 ")
    elif phase == "queued again":
        first.send(get(b"/"))
        sent.drop()
        assert real.waiting == 1
    client.drop()
    first.drop()
    for copy in at(proxy, "10.0.0.8"):
        if copy.received.startswith(b"GET "):
            copy.send(OK)
    assert [upstream.active for upstream in (*real.upstreams, *copies.upstreams)] == [0] * (len(real.upstreams) + 1)


def test_what_a_route_adds_is_there_when_the_body_was_waited_for(serve):
    real = Pool(["http://10.0.0.1;max=1", "http://10.0.0.2;max=1"])
    auth = ForwardAuth(to("10.0.0.9"), b"/auth", cookies=(b"*",))
    rewrite = ResponseRewrite(set_headers=(("X-Mine", "1"),))
    treatment = Treatment(auth=auth, mirror=Mirror(to("10.0.0.8")), response=rewrite, max_body=10)
    proxy = serve({"/": Treated(ToPool(real), treatment)})
    client, too_long, chunked = proxy.connect(), proxy.connect(), proxy.connect()
    for one, request in ((too_long, PUT.replace(b"5", b"50")), (chunked, CHUNKED)):
        one.send(request)
        at(proxy, "10.0.0.9")[-1].send(LOGGED_IN)
    chunked.send(b"b\r\n01234567890\r\n")
    for one in (too_long, chunked):
        head = one.received.partition(b"\r\n\r\n")[0]
        assert head.startswith(b"HTTP/1.1 413 ")
        assert head.count(b"\r\nSet-Cookie: a=b") == 1
    client.send(PUT)
    at(proxy, "10.0.0.9")[-1].send(LOGGED_IN)
    assert not at(proxy, "10.0.0.1") and not at(proxy, "10.0.0.8")
    client.send(b"hello")
    (copy,) = at(proxy, "10.0.0.8")
    assert copy.received.endswith(b"hello")
    at(proxy, "10.0.0.1")[0].send(OK)
    head = client.received.partition(b"\r\n\r\n")[0]
    assert b"\r\nX-Mine: 1" in head and b"\r\nSet-Cookie: a=b" in head
    copy.send(OK)


def test_a_copy_whose_upstream_dies_gathers_no_more(serve):
    action, _, _ = mirroring("http://10.0.0.1")
    proxy = serve({"/": action})
    client = proxy.connect()
    client.send(PUT + b"h")
    at(proxy, "10.0.0.8")[0].drop()
    client.send(b"ello")
    at(proxy, "10.0.0.1")[0].send(OK)
    assert client.received == OK
    assert not proxy.factory.services.errands


def test_a_copy_that_is_sent_later_is_still_of_its_own_request(serve):
    copies = Pool(["http://10.0.0.8", "http://10.0.0.9"], settings=PoolSettings(proxy_protocol=1))
    action = Treated(to("10.0.0.1"), Treatment(mirror=Mirror(ToPool(copies))))
    proxy = serve({"/": action}, trust=Trust(["192.0.2.0/24"]))
    client = proxy.connect("192.0.2.1")
    for number in b"78":
        client.send(get(b"/%c" % number, b"X-Forwarded-For: 6.6.6.%c" % number))
        at(proxy, "10.0.0.1")[0].send(OK)

    def gone():
        # as of a socket
        raise AttributeError

    client.getPeer = client.getHost = gone
    client.drop()
    for copy in at(proxy, "10.0.0.8"):
        copy.drop()
    again = at(proxy, "10.0.0.9")[-1]
    assert b"GET /7 " in again.received and b"X-Forwarded-For: 6.6.6.7, 192.0.2.1\r\n" in again.received
    assert again.address.preface.startswith(b"PROXY TCP4 6.6.6.7 ")


def test_hop_by_hop_fields_are_not_copied(serve):
    proxy = serve({"/": mirrored()})
    proxy.connect().send(get(b"/x", b"Connection: X-Hop, close", b"X-Hop: 1"))
    assert b"X-Hop" not in at(proxy, "10.0.0.8")[0].received


def test_a_proxy_that_stops_leaves_no_copy_behind(serve):
    proxy = serve({"/": mirrored()})
    client = proxy.connect()
    client.send(get(b"/x"))
    at(proxy, "10.0.0.1")[0].send(OK)
    client.drop()
    proxy.factory.stop()
    proxy.clock.advance(0)
    assert at(proxy, "10.0.0.8")[0].closed


@pytest.mark.parametrize("share", [0, -1, 1.1])
def test_a_share_is_part_of_one(share):
    with pytest.raises(ConfigError, match="accepted"):
        Mirror(to("10.0.0.8"), share)
