"""What routes do: answers, redirects, tunnels, rewriting, limits, authorization, copies."""

import pytest
from twisted.logger import capturedLogs, formatEvent

from txproxy import Pool, ReverseProxyFactory
from txproxy.errors import ConfigError, ConnectionRefused, ConnectTimeout
from txproxy.reverse.actions.redirects import Redirect
from txproxy.reverse.actions.subrequests import ForwardAuth, Mirror
from txproxy.reverse.actions.to_pool import ToPool
from txproxy.reverse.actions.treatments import Respond, SendElsewhere, Treated, Treatment, TunnelTo
from txproxy.reverse.client_identity import Trust
from txproxy.reverse.mode import ReverseMode
from txproxy.reverse.rewriting.rewrites import Hsts, RequestRewrite, ResponseRewrite
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.routes import Route
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.affinity import affinity_from
from txproxy.upstreams.ejection import Ejection
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import Breaker
from txproxy.wire.forwarding import TARGET_FIELDS
from txproxy.wire.headers import SERVER_NAMING

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def serve():
    """Serves actions, each at its path, in memory."""
    made = []

    def serve(actions, observers=(), trust=None):
        routes = [Route(path, Match(path=path), action) for path, action in actions.items()]
        mode = ReverseMode(routes=routes, trust=trust)
        proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(mode, observers=observers, reactor=reactor))
        made.append(proxy)
        return proxy

    yield serve
    for proxy in made:
        proxy.close()


def to(address, host=None, **options):
    return ToPool(Pool([f"http://{address}"], name=address, **options), host=host)


def get(path, *lines):
    return b"\r\n".join([b"GET %b HTTP/1.1" % path, b"Host: a.example", *lines, b"", b""])


def at(proxy, host):
    """The connections to an upstream."""
    return [one for one in proxy.network.connections if one.address.host == host]


def test_requests_go_where_their_route_says(serve):
    proxy = serve({"/api": to("10.0.0.1"), "/": to("10.0.0.2")})
    for path, host in ((b"/api/x", "10.0.0.1"), (b"/apix", "10.0.0.2"), (b"/", "10.0.0.2")):
        client = proxy.connect()
        client.send(get(path))
        at(proxy, host)[-1].send(OK)
        assert client.received == OK


def test_without_a_route_there_is_a_404(serve):
    proxy = serve({"/api": to("10.0.0.1")})
    client = proxy.connect()
    client.send(get(b"/other") + get(b"/other"))
    assert client.received.count(b"HTTP/1.1 404 ") == 2


@pytest.mark.parametrize(
    ("method", "target", "status", "location"),
    [
        (b"GET", b"/api", b"301", b"./api/"),
        (b"HEAD", b"/api?a=/b", b"301", b"./api/?a=/b"),
        (b"DELETE", b"/api", b"308", b"./api/"),
        (b"GET", b"/%61pi", b"301", b"./%61pi/"),
    ],
)
def test_a_prefix_without_its_slash_is_sent_to_the_one_with_it(serve, method, target, status, location):
    treatment = Treatment(request=RequestRewrite(strip_prefix="/api"), response=ResponseRewrite())
    proxy = serve({"/api": Treated(to("10.0.0.1"), treatment)})
    client = proxy.connect()
    client.send(method + b" " + target + b" HTTP/1.1\r\nHost: a.example\r\n\r\n")
    lines = client.received.split(b"\r\n")
    assert lines[0].split(b" ")[1] == status and b"Location: " + location in lines
    assert not proxy.network.connections


def test_there_is_no_redirect_where_it_would_lead_elsewhere_or_nothing_is_sent_on(serve):
    strip = RequestRewrite(strip_prefix="/api")
    proxy = serve({"/api": Treated(to("10.0.0.1"), Treatment(request=strip, slash=b""))})
    proxy.connect().send(get(b"/api"))
    assert proxy.upstream.received.startswith(b"GET / HTTP/1.1\r\n")
    proxy = serve({"/api": Treated(Respond(200), Treatment(request=strip))})
    client = proxy.connect()
    client.send(get(b"/api"))
    assert client.received.startswith(b"HTTP/1.1 200 ")


def test_what_is_below_a_prefix_and_who_follows_no_redirect_go_on(serve):
    treatment = Treatment(request=RequestRewrite(strip_prefix="/api"))
    proxy = serve({"/": Treated(to("10.0.0.1"), treatment)})
    for target, sent in ((b"/api/", b"/"), (b"/api/x", b"/x"), (b"/apix", b"/apix"), (b"/", b"/")):
        proxy.connect().send(get(target))
        assert proxy.network.connections[-1].received.startswith(b"GET %b HTTP/1.1\r\n" % sent)
    proxy.connect().send(get(b"/api", b"Connection: upgrade", b"Upgrade: websocket"))
    assert proxy.network.connections[-1].received.startswith(b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize("kind", ["mirror", "auth"])
def test_the_fault_of_a_request_of_the_routes_own_is_logged_as_its_own(serve, kind):
    action = to("10.0.0.2")
    treatment = Treatment(mirror=Mirror(action)) if kind == "mirror" else Treatment(auth=ForwardAuth(action))
    proxy = serve({"/": Treated(to("10.0.0.1"), treatment)})
    proxy.network.script = [ConnectionRefused("nobody is there")]
    client = proxy.connect()
    with capturedLogs() as said:
        client.send(get(b"/"))
        if kind == "mirror":
            at(proxy, "10.0.0.1")[-1].send(OK)
    lines = [formatEvent(event) for event in said]
    what = "copy" if kind == "mirror" else "authorization"
    assert [line for line in lines if line.startswith(f"{what} of a request of 127.0.0.1 failed: connection_refused: ")]
    assert not [line for line in lines if line.startswith("503 to ")]
    assert client.received.startswith(b"HTTP/1.1 200 " if kind == "mirror" else b"HTTP/1.1 503 ")


def test_a_fixed_answer_and_a_redirect(serve):
    proxy = serve(
        {
            "/gone": Respond(410, (("X-Why", "moved"),), "It is gone.\n"),
            "/empty": Respond(204),
            "/old": SendElsewhere(Redirect("https://$host/new?$query", 308)),
        }
    )
    client = proxy.connect()
    client.send(get(b"/gone"))
    gone = client.take()
    assert gone.startswith(b"HTTP/1.1 410 Gone\r\n") and gone.endswith(b"\r\n\r\nIt is gone.\n")
    assert b"X-Why: moved\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 12\r\n" in gone
    client.send(get(b"/empty"))
    assert b"Content-Length" not in client.take()
    client.send(get(b"/old?a=b"))
    assert b"HTTP/1.1 308 Permanent Redirect\r\n" in client.received
    assert b"Location: https://a.example/new?a=b\r\n" in client.received
    client.take()
    client.send(get(b"/gone").replace(b"GET", b"HEAD"))
    assert client.received.endswith(b"\r\n\r\n") and b"Content-Length: 12" in client.received


def test_answers_of_a_routes_own_get_its_fields_and_keep_their_place(serve):
    request = RequestRewrite(strip_prefix="/api")
    treatment = Treatment(
        request=request,
        response=ResponseRewrite(request=request, set_headers={"X-By": "us"}, remove_headers=("X-Why",)),
    )
    proxy = serve(
        {
            "/hello": Treated(Respond(200, (("X-Why", "no"),), "hello\n"), treatment),
            "/api": Treated(SendElsewhere(Redirect("/elsewhere")), treatment),
        }
    )
    client = proxy.connect()
    client.send(get(b"/hello"))
    assert b"X-By: us\r\n" in client.received and b"X-Why" not in client.take()
    client.send(get(b"/api/x"))
    assert b"Location: /elsewhere\r\n" in client.received and b"X-By: us\r\n" in client.received


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (100, (), ""),
        (600, (), ""),
        (204, (), "x"),
        (200, (("Bad Name", "x"),), ""),
        (200, (("X", "a\r\nb"),), ""),
        (200, (("Content-Length", "5"),), ""),
    ],
)
def test_an_answer_that_cannot_be_is_refused(status, headers, body):
    with pytest.raises(ConfigError, match="accepted"):
        Respond(status, headers, body)


def test_connect_is_tunnelled_where_a_route_says_so(serve):
    proxy = serve({"": TunnelTo(Pool(["http://10.0.0.1:22", "http://10.0.0.2:22"])), "/x": to("10.0.0.3")})
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(b"CONNECT inside:22 HTTP/1.1\r\nHost: inside:22\r\n\r\nhello")
    assert client.received.startswith(b"HTTP/1.1 200 ")
    assert [address.host for address in proxy.network.dialed] == ["10.0.0.1", "10.0.0.2"]
    assert proxy.upstream.received == b"hello"
    proxy.upstream.send(b"SSH-2.0")
    assert client.received.endswith(b"SSH-2.0")
    other = proxy.connect()
    other.send(get(b"/y"))
    assert other.received.startswith(b"HTTP/1.1 405 ") and b"Allow: CONNECT\r\n" in other.received


def test_connect_is_refused_elsewhere(serve):
    proxy = serve({"/": to("10.0.0.1")})
    client = proxy.connect()
    client.send(b"CONNECT inside:22 HTTP/1.1\r\nHost: inside:22\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 405 ")


def test_a_prefix_is_taken_away_and_mapped_back(serve):
    request = RequestRewrite(strip_prefix="/api", set_headers={"X-Team": "$host"})
    treatment = Treatment(request=request, response=ResponseRewrite(request=request, remove_headers=("Server",)))
    proxy = serve({"/api": Treated(to("10.0.0.1"), treatment)})
    client = proxy.connect()
    client.send(get(b"/api/users?page=2", b"X-Team: lies"))
    received = proxy.upstream.take()
    assert received.startswith(b"GET /users?page=2 HTTP/1.1\r\n")
    assert b"X-Team: a.example\r\n" in received and b"lies" not in received
    proxy.upstream.send(
        b"HTTP/1.1 302 Found\r\nDate: D\r\nServer: x\r\nLocation: /login\r\nSet-Cookie: a=b; Path=/\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert b"Location: /api/login\r\n" in client.received
    assert b"Set-Cookie: a=b; Path=/api" in client.received
    assert b"Server" not in client.received


@pytest.mark.parametrize("host", [None, "upstream", "inside.example:8000"])
def test_an_upstream_may_speak_of_itself_by_the_host_that_it_is_sent(serve, host):
    action = ToPool(Pool(["http://10.0.0.1:81"]), host=host)
    proxy = serve({"/": Treated(action, Treatment(response=ResponseRewrite()))})
    client = proxy.connect()
    for name in (b"10.0.0.1:81", (host or "a.example").replace("upstream", "10.0.0.1:81").encode()):
        client.send(get(b"/x"))
        cookie = b"Set-Cookie: a=b; Domain=%b\r\n" % name.partition(b":")[0]
        found = b"HTTP/1.1 302 Found\r\nLocation: http://%b/y\r\n%bContent-Length: 0\r\n\r\n" % (name, cookie)
        proxy.upstream.send(found)
        got = client.take()
        assert b"\r\nLocation: http://a.example/y\r\n" in got
        assert b"\r\nSet-Cookie: a=b\r\n" in got or name == b"a.example"


SELF = (
    b"HTTP/1.1 302 Found\r\nDate: D\r\nLocation: http://10.0.0.1:81/login\r\nContent-Location: http://10.0.0.1:81/x\r\n"
    b"Refresh: 3; url=https://10.0.0.1/y\r\nSet-Cookie: s=1; Domain=10.0.0.1; Path=/\r\nContent-Length: 0\r\n\r\n"
)
MAPPED = [
    b"Location: http://a.example/login",
    b"Content-Location: http://a.example/x",
    b"Refresh: 3; url=http://a.example/y",
    b"Set-Cookie: s=1; Path=/",
]


def spoken(client):
    return [line for line in client.received.split(b"\r\n") if line.partition(b":")[0].lower() in SERVER_NAMING]


@pytest.mark.parametrize("treatment", [None, Treatment(max_body=1), Treatment(response=ResponseRewrite())])
@pytest.mark.parametrize("host", [None, "upstream", "b.example"])
def test_what_an_upstream_says_of_itself_is_mapped_back_unless_told(serve, host, treatment):
    action = to("10.0.0.1:81", host=host)
    proxy = serve({"/": action if treatment is None else Treated(action, treatment)})
    for _ in range(2):
        client = proxy.connect()
        client.send(get(b"/"))
        at(proxy, "10.0.0.1")[-1].send(SELF)
        assert spoken(client) == MAPPED


@pytest.mark.parametrize("number", range(4))
def test_each_such_field_is_mapped_back_on_its_own(serve, number):
    line = [line for line in SELF.split(b"\r\n") if line.partition(b":")[0].lower() in SERVER_NAMING][number]
    proxy = serve({"/": to("10.0.0.1:81")})
    for date in (b"Date: D\r\n", b""):
        client = proxy.connect()
        client.send(get(b"/"))
        at(proxy, "10.0.0.1")[-1].send(b"HTTP/1.1 200 OK\r\n" + date + line + b"\r\nContent-Length: 0\r\n\r\n")
        assert spoken(client) == [MAPPED[number]]


def test_a_route_may_leave_it_as_it_is(serve):
    proxy = serve({"/": Treated(to("10.0.0.1:81"), Treatment(response=ResponseRewrite(map_back=False)))})
    client = proxy.connect()
    client.send(get(b"/"))
    at(proxy, "10.0.0.1")[-1].send(SELF)
    assert client.received == SELF


def test_after_a_retry_it_is_mapped_back_as_well(serve):
    proxy = serve({"/": ToPool(Pool(["http://10.0.0.1:81", "http://10.0.0.2"]), host="upstream")})
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(get(b"/"))
    at(proxy, "10.0.0.2")[-1].send(SELF.replace(b"10.0.0.1:81", b"10.0.0.2").replace(b"10.0.0.1", b"10.0.0.2"))
    assert spoken(client) == MAPPED


def test_an_authorization_server_is_mapped_back_too(serve):
    proxy = serve({"/": Treated(to("10.0.0.2"), Treatment(auth=ForwardAuth(to("10.0.0.1:81"))))})
    client = proxy.connect()
    client.send(get(b"/x"))
    at(proxy, "10.0.0.1")[-1].send(SELF)
    assert spoken(client) == MAPPED


def test_a_field_that_a_route_sets_is_no_word_of_the_clients(serve):
    request = RequestRewrite(set_headers={"X-Forwarded-Prefix": "/api"})
    proxy = serve({"/api": Treated(to("10.0.0.1"), Treatment(request=request))})
    proxy.connect().send(get(b"/api", b"X-Forwarded-Prefix: /lies", b"X-Forwarded-For: 6.6.6.6"))
    received = proxy.upstream.received
    assert b"X-Forwarded-Prefix: /api\r\n" in received and b"lies" not in received and b"6.6.6.6" not in received


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-Prefix",
        "X-Forwarded-Port",
        "X-Original-URL",
        "X-Forwarded-Uri",
        "X_Forwarded_Prefix",
        "Client-Cert",
        "X-SSL-Client-Verify",
        "Proxy",
    ],
)
@pytest.mark.parametrize("key", ["set_headers", "add_headers"])
def test_whatever_field_a_route_may_set_is_sent(serve, key, name):
    request = RequestRewrite(**{key: {name: "ours"}})
    mirror = Mirror(to("10.0.0.2"))
    proxy = serve({"/": Treated(to("10.0.0.1"), Treatment(request=request, mirror=mirror))})
    proxy.connect().send(get(b"/", name.encode() + b": lies", name.encode().replace(b"-", b"_") + b": lies"))
    for host in ("10.0.0.1", "10.0.0.2"):
        received = at(proxy, host)[-1].received
        assert name.encode() + b": ours\r\n" in received and b"lies" not in received
    # who has not set it does not send it
    proxy = serve({"/": to("10.0.0.1")})
    proxy.connect().send(get(b"/", name.encode() + b": lies"))
    assert b"lies" not in at(proxy, "10.0.0.1")[-1].received


def test_what_an_authorization_server_gives_is_sent_whatever_its_name(serve):
    auth = ForwardAuth(to("10.0.0.2"), copy=(b"X-Forwarded-Prefix",))
    proxy = serve({"/": Treated(to("10.0.0.1"), Treatment(auth=auth))})
    proxy.connect().send(get(b"/", b"X-Forwarded-Prefix: lies"))
    assert b"lies" not in at(proxy, "10.0.0.2")[-1].received
    at(proxy, "10.0.0.2")[-1].send(OK.replace(b"Date", b"X-Forwarded-Prefix: /p\r\nDate"))
    received = at(proxy, "10.0.0.1")[-1].received
    assert b"X-Forwarded-Prefix: /p\r\n" in received and b"lies" not in received


def nested(action, inner, outer):
    return Treated(Treated(action, inner), outer)


def test_nested_treatments_do_all_of_what_each_says(serve):
    inner = Treatment(
        request=RequestRewrite(strip_prefix="/b", set_headers={"X-Forwarded-Prefix": "/a/b", "X-Inner": "1"}),
        response=ResponseRewrite(
            request=RequestRewrite(strip_prefix="/b"), add_headers={"X-In": "1"}, remove_headers=["X-Secret"]
        ),
        max_body=5,
        response_timeout=7.0,
    )
    outer = Treatment(
        request=RequestRewrite(strip_prefix="/a", set_headers={"X-Outer": "1"}),
        response=ResponseRewrite(request=RequestRewrite(strip_prefix="/a"), add_headers={"X-Out": "1"}),
    )
    pool = Pool(["http://10.0.0.1", "http://10.0.0.2"])
    proxy = serve({"/a": nested(ToPool(pool), inner, outer)})
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(get(b"/a/b/x", b"X-Forwarded-Prefix: lies"))
    received = proxy.upstream.received
    assert received.startswith(b"GET /x HTTP/1.1\r\n") and b"lies" not in received
    for line in (b"X-Forwarded-Prefix: /a/b", b"X-Inner: 1", b"X-Outer: 1"):
        assert b"\r\n" + line + b"\r\n" in received
    proxy.upstream.send(
        b"HTTP/1.1 302 Found\r\nDate: D\r\nLocation: /y\r\nX-Secret: 1\r\nSet-Cookie: a=b; Path=/\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert client.take() == (
        b"HTTP/1.1 302 Found\r\nDate: D\r\nLocation: /a/b/y\r\nSet-Cookie: a=b; Path=/a/b\r\nContent-Length: 0\r\n"
        b"X-In: 1\r\nX-Out: 1\r\n\r\n"
    )
    client.send(b"POST /a/b/x HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 413 ")
    client = proxy.connect()
    client.send(get(b"/a/b/x"))
    for _ in range(16):
        # at one, and at the other
        proxy.advance(1)
    assert client.received.startswith(b"HTTP/1.1 504 ")


@pytest.mark.parametrize(("inner", "outer"), [(5, 9), (9, 5), (None, 5), (5, None)])
def test_of_nested_limits_the_lower_holds(serve, inner, outer):
    proxy = serve({"/": nested(to("10.0.0.1"), Treatment(max_body=inner), Treatment(max_body=outer))})
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 413 ")


def test_what_the_inner_treatment_adds_the_outer_can_remove(serve):
    inner = Treatment(response=ResponseRewrite(add_headers={"X-In": "1"}))
    outer = Treatment(response=ResponseRewrite(remove_headers=["X-In"]))
    proxy = serve({"/": nested(to("10.0.0.1"), inner, outer)})
    client = proxy.connect()
    client.send(get(b"/"))
    proxy.upstream.send(OK)
    assert client.received == OK


def test_nested_treatments_copy_to_both_and_go_on_after_a_retry(serve):
    pool = Pool(["http://10.0.0.1", "http://10.0.0.2"])
    mirrors = [Treatment(mirror=Mirror(to(host))) for host in ("10.0.0.8", "10.0.0.9")]
    proxy = serve({"/": nested(ToPool(pool), *mirrors)})
    proxy.network.script = [None, None, ConnectionRefused("no")]
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab")
    served = [one for one in proxy.network.connections if one.received.endswith(b"\r\n\r\nab")]
    assert {one.address.host for one in served} == {"10.0.0.2", "10.0.0.8", "10.0.0.9"}


def test_a_retry_is_treated_as_well(serve):
    pool = Pool(["http://10.0.0.1", "http://10.0.0.2"])
    request = RequestRewrite(strip_prefix="/api")
    treatment = Treatment(request=request, response=ResponseRewrite(add_headers={"X-By": "us"}), response_timeout=5.0)
    proxy = serve({"/api": Treated(ToPool(pool), treatment)})
    client = proxy.connect()
    client.send(get(b"/api/x"))
    proxy.upstream.drop()
    assert proxy.upstream.received.startswith(b"GET /x ")
    proxy.upstream.send(OK)
    assert b"X-By: us\r\n" in client.received


def test_a_route_has_its_own_time_limit(serve):
    proxy = serve({"/slow": Treated(to("10.0.0.1"), Treatment(response_timeout=120.0)), "/": to("10.0.0.2"),
                   "/fast": Treated(to("10.0.0.3"), Treatment(response_timeout=2.0))})  # fmt: skip
    slow, usual, fast = proxy.connect(), proxy.connect(), proxy.connect()
    slow.send(get(b"/slow"))
    usual.send(get(b"/"))
    fast.send(get(b"/fast"))
    proxy.advance(4)
    assert fast.received.startswith(b"HTTP/1.1 504 ") and not usual.received
    proxy.advance(60)
    assert usual.received.startswith(b"HTTP/1.1 504 ") and not slow.received
    proxy.advance(60)
    assert slow.received.startswith(b"HTTP/1.1 504 ")


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 6\r\n\r\nsecret",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nsec\r\n3\r\nret\r\n0\r\n\r\n",
    ],
)
def test_a_route_has_its_own_limit_of_bodies(serve, body):
    proxy = serve({"/small": Treated(to("10.0.0.1"), Treatment(max_body=5)), "/": to("10.0.0.2")})
    client = proxy.connect()
    client.send(b"POST /small HTTP/1.1\r\nHost: a\r\n" + body)
    assert client.received.startswith(b"HTTP/1.1 413 ")
    other = proxy.connect()
    other.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + body)
    assert b"secret" in at(proxy, "10.0.0.2")[0].received or b"sec" in at(proxy, "10.0.0.2")[0].received


def test_a_tunnel_to_whom_nobody_can_connect_is_told_why(serve):
    pool = Pool(["http://10.0.0.1:22", "http://10.0.0.2:22"])
    proxy = serve({"": TunnelTo(pool)})
    for script, status in (
        ([ConnectionRefused("no"), ConnectTimeout("slow")], b"504"),
        ([ConnectTimeout("slow"), ConnectionRefused("no")], b"503"),
    ):
        proxy.network.script = script
        client = proxy.connect()
        client.send(b"CONNECT inside:22 HTTP/1.1\r\nHost: inside:22\r\n\r\n")
        assert client.received[9:12] == status
    assert [upstream.active for upstream in pool.upstreams] == [0, 0]


def test_a_tunnel_that_has_tried_all_primaries_goes_on_to_the_backups(serve):
    proxy = serve({"": TunnelTo(Pool(["http://10.0.0.1:22", "http://10.0.0.9:22;backup"]))})
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(b"CONNECT inside:22 HTTP/1.1\r\nHost: inside:22\r\n\r\n")
    assert [address.host for address in proxy.network.dialed] == ["10.0.0.1", "10.0.0.9"]
    assert client.received.startswith(b"HTTP/1.1 200 ")


def test_who_logs_in_to_a_connection_leaves_none_behind_where_only_the_proxy_asks(serve):
    auth, mirror = ForwardAuth(to("10.0.0.2")), Mirror(to("10.0.0.3"))
    proxy = serve({"/": Treated(to("10.0.0.1"), Treatment(auth=auth, mirror=mirror))})
    client = proxy.connect()
    for number in (1, 2):
        client.send(get(b"/", b"Authorization: Negotiate x"))
        for host in ("10.0.0.2", "10.0.0.3", "10.0.0.1"):
            at(proxy, host)[-1].send(OK)
        proxy.clock.advance(0)
        assert len(at(proxy, "10.0.0.2")) == len(at(proxy, "10.0.0.3")) == number
        assert at(proxy, "10.0.0.2")[-1].closed and at(proxy, "10.0.0.3")[-1].closed
    assert len(at(proxy, "10.0.0.1")) == 1


def test_a_tunnel_may_be_silent_for_as_long_as_its_route_says(serve):
    tunnel = Treated(TunnelTo(Pool(["http://10.0.0.1:22"])), Treatment(tunnel_timeout=10.0))
    proxy = serve({"": tunnel, "/ws": Treated(to("10.0.0.3"), Treatment(tunnel_timeout=20.0))})
    client, other = proxy.connect(), proxy.connect()
    client.send(b"CONNECT a:22 HTTP/1.1\r\nHost: a:22\r\n\r\n")
    other.send(get(b"/ws", b"Connection: upgrade", b"Upgrade: websocket"))
    proxy.upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    proxy.advance(9)
    assert not client.closed
    proxy.advance(3)
    assert client.reset and not other.closed
    proxy.advance(10)
    assert other.reset


def test_a_tunnel_that_lasts_closes_a_breaker_when_it_begins(serve):
    pool = Pool(["http://10.0.0.1:22", "http://10.0.0.2:22"], settings=PoolSettings(ejection=Ejection(failures=1)))
    proxy = serve({"": TunnelTo(pool)})
    proxy.network.script = [ConnectionRefused("no")]
    connect = b"CONNECT inside:22 HTTP/1.1\r\nHost: inside:22\r\n\r\n"
    proxy.connect().send(connect)
    bad = pool.upstreams[0]
    assert bad.breaker is Breaker.OPEN
    proxy.advance(31)
    for _ in range(2):
        proxy.connect().send(connect)
    assert (bad.breaker, bad.active) == (Breaker.CLOSED, 1)


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


# -- what fails gives its place back


def fail(*_args):
    raise RuntimeError("it fails")


@pytest.mark.parametrize("queued", [False, True])
@pytest.mark.parametrize("what", ["address", "affinity", "mirror", "tunnel"])
def test_what_fails_while_a_request_is_planned_holds_no_place(serve, monkeypatch, what, queued):
    pool = Pool(["http://10.0.0.1;max=1"], settings=PoolSettings(proxy_protocol=1))
    affinity = affinity_from("cookie", pool)
    treatment = Treatment(response=ResponseRewrite(set_headers={"X-A": "b"}), mirror=Mirror(to("10.0.0.9")))
    action = TunnelTo(pool) if what == "tunnel" else Treated(ToPool(pool, affinity=affinity), treatment)
    proxy = serve({"": action})
    request = b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n" if what == "tunnel" else get(b"/x")
    (upstream,) = pool.upstreams
    if queued:
        pool.take_this(upstream)
    client = proxy.connect()
    if not queued:
        broken(monkeypatch, what, pool, affinity)
    client.send(request)
    if queued:
        assert pool.waiting == 1
        broken(monkeypatch, what, pool, affinity)
        upstream.ended(None, 200)
    assert client.received.startswith(b"HTTP/1.1 500 ")
    assert (upstream.active, pool.waiting, pool.retrying) == (0, 0, 0)


def broken(monkeypatch, what, pool, affinity):
    if what in ("address", "tunnel"):
        monkeypatch.setattr(pool, "address_for", fail)
    elif what == "affinity":
        monkeypatch.setattr(affinity, "pin", fail)
    else:
        monkeypatch.setattr(Mirror, "begin", fail)


def test_a_body_that_is_waited_for_is_treated_and_copied_once(serve):
    """Where an upstream has so many places, its plan is made again when the body is there."""
    pool = Pool(["http://10.0.0.1;max=1"])
    response = ResponseRewrite(set_headers=(("X-By", "route"),), add_headers=(("X-More", "1"),))
    treatment = Treatment(response=response, mirror=Mirror(ToPool(Pool(["http://10.0.0.8;max=1"], name="copies"))))
    proxy = serve({"/": Treated(ToPool(pool), treatment)})
    client = proxy.connect()
    client.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
    assert not proxy.network.connections
    client.send(b"def")
    (first,), (copy,) = at(proxy, "10.0.0.1"), at(proxy, "10.0.0.8")
    assert first.received.endswith(b"\r\n\r\nabcdef") and copy.received.endswith(b"\r\n\r\nabcdef")
    first.send(OK)
    copy.send(OK)
    assert client.received.count(b"X-By: route\r\n") == client.received.count(b"X-More: 1\r\n") == 1
    assert pool.upstreams[0].active == 0


def test_a_body_that_is_late_is_treated_and_copied_once(serve):
    pool = Pool(["http://10.0.0.1;max=1"])
    treatment = Treatment(mirror=Mirror(to("10.0.0.8")), response=ResponseRewrite(set_headers=(("X-By", "route"),)))
    proxy = serve({"/": Treated(ToPool(pool), treatment)})
    client = proxy.connect()
    client.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
    other = proxy.connect()
    other.send(get(b"/"))
    # There is no room; the copy is one all the same.
    proxy.advance(3)
    at(proxy, "10.0.0.1")[0].send(OK)
    proxy.advance(2)
    client.send(b"def")
    copies = [one for one in at(proxy, "10.0.0.8") if b"POST" in one.received]
    assert [one.received.partition(b"\r\n\r\n")[2] for one in copies] == [b"abcdef"]
    upstream = at(proxy, "10.0.0.1")[-1]
    assert upstream.received.endswith(b"\r\n\r\nabcdef")
    upstream.send(OK)
    assert client.received.count(b"X-By: route\r\n") == 1


@pytest.mark.parametrize("name", sorted(TARGET_FIELDS))
@pytest.mark.parametrize("spelt", [str.title, str.upper, lambda name: name.replace("-", "_")])
@pytest.mark.parametrize("trust", [None, Trust(["127.0.0.0/8"])])
def test_what_a_client_says_that_it_has_asked_for_is_nobodys_target(serve, name, spelt, trust):
    """Symfony took X-Original-URL for the path, and Authelia takes it for what is to be authorized."""
    auth = ForwardAuth(to("10.0.0.2"), path=b"/verify")
    mirror = Mirror(to("10.0.0.3"))
    proxy = serve({"/": Treated(to("10.0.0.1"), Treatment(auth=auth, mirror=mirror))}, trust=trust)
    client = proxy.connect()
    client.send(get(b"/admin", spelt(name.decode()).encode() + b": /lies"))
    at(proxy, "10.0.0.2")[0].send(OK)
    assert b"X-Forwarded-Uri: /admin\r\n" in at(proxy, "10.0.0.2")[0].received
    assert b"X-Forwarded-Method: GET\r\n" in at(proxy, "10.0.0.2")[0].received
    assert len(proxy.network.connections) == 3
    assert not any(b"lies" in connection.received for connection in proxy.network.connections)
