"""What routes do: answers, redirects, tunnels, rewriting, limits, authorization, copies."""

import pytest
from twisted.logger import capturedLogs, formatEvent

from tests.reverse.actions.routed import OK, at, get, to
from txproxy import Pool
from txproxy.errors import ConfigError, ConnectionRefused, ConnectTimeout
from txproxy.reverse.actions.redirects import Redirect
from txproxy.reverse.actions.subrequests import ForwardAuth, Mirror
from txproxy.reverse.actions.to_pool import ToPool
from txproxy.reverse.actions.treatments import Respond, SendElsewhere, Treated, Treatment, TunnelTo
from txproxy.reverse.client_identity import Trust
from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
from txproxy.reverse.rewriting.response_rewrite import ResponseRewrite
from txproxy.upstreams.affinity import affinity_from
from txproxy.upstreams.ejection import Breaker, Ejection
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.wire.forwarding import TARGET_FIELDS
from txproxy.wire.headers import SERVER_NAMING


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


def test_what_a_route_makes_of_a_path_is_the_path_of_its_redirect(serve):
    request = RequestRewrite(pattern=r"/old/(\w+)/(.*)", replacement="/$2/of/$1")
    elsewhere = SendElsewhere(Redirect("https://b.example$path?$query", 301))
    proxy = serve({"/old": Treated(elsewhere, Treatment(request=request))})
    for path, location in ((b"/old/may/a/b?c=d", b"/a/b/of/may?c=d"), (b"/old/x", b"/old/x")):
        client = proxy.connect()
        client.send(get(path))
        assert b"Location: https://b.example%b\r\n" % location in client.received


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
    assert (upstream.active, pool.waiting, len(pool.retries)) == (0, 0, 0)


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


SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    b"Set-Cookie: s=1; Domain=10.0.0.1; Path=/\r\nSet-Cookie: t=2; Domain=old.internal\r\n"
    b"Location: http://10.0.0.1/y\r\n\r\n"
)


@pytest.mark.parametrize(
    ("rewrite", "lines"),
    [
        (None, [b"s=1; Path=/", b"t=2; Domain=old.internal", b"http://a.example/y"]),
        ({"map_back": False}, [b"s=1; Domain=10.0.0.1; Path=/", b"t=2; Domain=old.internal", b"http://10.0.0.1/y"]),
        (
            {"cookie_domains": {"old.internal": "a.example"}},
            [b"s=1; Path=/", b"t=2; Domain=a.example", b"http://a.example/y"],
        ),
    ],
)
def test_what_a_change_of_protocols_says_is_mapped_back_as_well(serve, rewrite, lines):
    action = to("10.0.0.1")
    if rewrite is not None:
        action = Treated(action, Treatment(response=ResponseRewrite(**rewrite)))
    proxy = serve({"/": action})
    client = proxy.connect()
    client.send(get(b"/", b"Connection: upgrade", b"Upgrade: websocket"))
    proxy.upstream.send(SWITCHED)
    said = client.received.split(b"\r\n")
    assert said[0] == b"HTTP/1.1 101 Switching Protocols"
    assert [line.partition(b": ")[2] for line in said if line.startswith((b"Set-Cookie", b"Location"))] == lines
