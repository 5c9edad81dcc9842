"""What a route does with requests and responses, where a cache stands between it and its pool: the same as without."""

import re

import pytest

from tests.proxy.caching.caching_proxy import Got, get
from txproxy import Pool, ReverseProxyFactory
from txproxy.reverse import (
    Match,
    Mirror,
    RequestRewrite,
    ResponseRewrite,
    ReverseMode,
    Route,
    ToPool,
    Treated,
    Treatment,
)

FRESH = {"cache_control": "max-age=60"}
ONCE = {"cache_control": "no-store"}
MOVED = RequestRewrite(strip_prefix="/api", add_prefix="/v1")


@pytest.fixture
def routed(make):
    """A proxy whose only route has this treatment; with a cache that keeps nothing if not ``kept``."""

    def routed(treatment, kept=True, host=None, inner=None):
        def build(reactor, middleware, observers):
            action = ToPool(Pool(["http://10.0.0.1:8080"], name="site"), host=host)
            if inner is not None:
                action = Treated(action, inner)
            mode = ReverseMode(None, [Route("r", Match(), Treated(action, treatment))])
            return ReverseProxyFactory(mode, observers=observers, middleware=middleware, reactor=reactor)

        return make(build=build, min_uses=1 if kept else 100)

    return routed


@pytest.mark.parametrize("words", [FRESH, ONCE])
@pytest.mark.parametrize(
    ("name", "said", "seen"),
    [
        ("location", "/v1/login", "/api/login"),
        ("location", "http://10.0.0.1:8080/v1/login?a=/v1", "http://a/api/login?a=/v1"),
        ("location", "http://a/v1/login", "http://a/api/login"),
        ("location", "http://elsewhere.example/v1/", "http://elsewhere.example/v1/"),
        ("location", "../x", "../x"),
        ("content-location", "/v1/x", "/api/x"),
        ("refresh", "5; url=/v1/x", "5; url=/api/x"),
        ("location", "http://10.0.0.1:8080/old/1", "http://new.example/1/x"),
        ("location", "http://a/old/1", "http://a/old/1"),
        ("set-cookie", "a=b; Path=/v1/x; Domain=10.0.0.1", "a=b; Path=/api/x"),
        ("set-cookie", "a=b; Domain=in.example; Path=/", "a=b; Path=/api; Domain=out.example"),
        ("set-cookie", "a=b; Domain=out.example; Path=/", "a=b; Path=/api; Domain=in.example"),
        ("set-cookie", "a=b; Path=/other", "a=b; Path=/mine"),
    ],
)
def test_what_an_upstream_says_of_itself_is_mapped_back_for_each_who_gets_it(routed, name, said, seen, words):
    mapping = ResponseRewrite(
        request=MOVED,
        cookie_domains={"in.example": "out.example", "out.example": "in.example"},
        cookie_paths={"/other": "/mine"},
        locations={"~http://10[.]0[.]0[.]1:8080/old/([0-9])": "http://new.example/$1$path"},
    )
    treatment = Treatment(request=MOVED, response=mapping)
    fields = {**words, name: said}
    if words is FRESH:
        fields["cache_control"] = "public, max-age=60"
    found = []
    for kept in (False, True):
        proxy = routed(treatment, kept)
        for _ in range(2):
            got, _ = proxy.ask(get("/api/x"), proxy.response("", "301 Moved", **fields))
            found.append(got.fields[name].decode())
    assert found == [seen.replace("1/x", "1/api/x")] * 4


def test_what_is_kept_is_mapped_for_the_host_and_the_prefix_by_which_it_is_asked_for(routed):
    proxy = routed(Treatment(request=MOVED, response=ResponseRewrite(request=MOVED)), host="upstream")
    moved = proxy.response("", "301 Moved", location="http://10.0.0.1:8080/v1/y", **FRESH)
    for host in (b"a", b"b.example:81", b"a"):
        got, _ = proxy.ask(get("/api/x").replace(b"Host: a", b"Host: " + host), moved)
        assert got.fields["location"] == b"http://%b/api/y" % host
    assert "hit" in got.told


@pytest.mark.parametrize("map_back", [True, False])
@pytest.mark.parametrize("treated", [True, False])
def test_what_is_kept_of_a_post_or_a_head_names_no_upstream(routed, treated, map_back):
    proxy = routed(Treatment(response=ResponseRewrite(map_back=map_back)) if treated else Treatment(max_body=9))
    mapped = b"5; url=http://%b/y" % (b"a" if map_back or not treated else b"10.0.0.1:8080")
    fields = {"content_location": "/x", "refresh": "5; url=http://10.0.0.1:8080/y", "etag": '"a"', **FRESH}
    posted = get("/x", "POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n")
    for asked, body in ((posted, "hello"), (get("/x", "HEAD"), "")):
        got, question = proxy.ask(asked, proxy.response(body, length=5, **fields))
        assert question is not None and got.fields["refresh"] == mapped
        got, question = proxy.ask(get("/x"))
        assert question is None and "hit" in got.told
        assert (got.fields["refresh"], got.body) == (mapped, b"hello")
        proxy.pass_time(61)


def test_what_a_post_says_is_elsewhere_is_not_used_any_more(routed):
    proxy = routed(Treatment(response=ResponseRewrite()))
    assert proxy.ask(get("/y"), proxy.response(**FRESH))[1] is not None
    client = proxy.connect()
    client.send(get("/x", "POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n"))
    origin, _ = proxy.question()
    # RFC 9111 4.4
    origin.send(proxy.response("", "201 Created", location="http://10.0.0.1:8080/y"))
    assert b"http://a/y" in client.take()
    assert proxy.ask(get("/y"), proxy.response(**FRESH))[1] is not None


@pytest.mark.parametrize("map_back", [True, False])
def test_a_route_may_map_nothing(routed, map_back):
    proxy = routed(Treatment(response=ResponseRewrite(map_back=map_back, set_headers={"X-A": "b"})))
    for _ in range(2):
        got, _ = proxy.ask(get(), proxy.response("", "301 Moved", location="http://10.0.0.1:8080/y", **FRESH))
        assert got.fields["location"] == (b"http://a/y" if map_back else b"http://10.0.0.1:8080/y")
    assert "hit" in got.told and got.fields["x-a"] == b"b"


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("inner", [None, Treatment(response_timeout=50.0)])
def test_the_time_that_a_response_may_take_is_the_routes(routed, kept, inner):
    proxy = routed(Treatment(response_timeout=5.0), kept, inner=inner)
    client = proxy.connect()
    client.send(get())
    proxy.clock.pump([1.0] * 4)
    assert not client.received
    proxy.clock.pump([1.0] * 3)
    assert Got(client.take()).status == 504


def test_a_trailer_has_no_field_that_the_route_takes_away(routed):
    for kept in (True, False):
        proxy = routed(Treatment(response=ResponseRewrite(remove_headers="X-Secret")), kept)
        client = proxy.connect()
        client.send(get(te="trailers", connection="te"))
        origin, _ = proxy.question()
        head = b"HTTP/1.1 200 OK\r\nDate: D\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n"
        origin.send(head + b"2\r\nok\r\n")
        origin.send(b"0\r\nX-Secret: 1\r\nX-Sum: 2\r\n\r\n")
        received = client.take()
        assert b"X-Sum: 2" in received and b"X-Secret" not in received


def test_what_goes_to_the_pool_is_copied_once_and_what_is_answered_here_is_not(routed):
    shadow = Pool(["http://10.9.9.9:80"], name="shadow")
    proxy = routed(Treatment(request=MOVED, mirror=Mirror(ToPool(shadow))))
    clients = proxy.herd(get("/api/x"), get("/api/x"))
    asked = {one.address.host: question for one, question in proxy.questions()}
    assert [re.match(rb"GET (\S+) ", asked[host])[1] for host in ("10.0.0.1", "10.9.9.9")] == [b"/v1/x"] * 2
    origin, copy = sorted(proxy.network.connections, key=lambda one: one.address.host)
    copy.send(proxy.response("copy", **FRESH))
    origin.send(proxy.response(**FRESH))
    assert [Got(client.take()).body for client in clients] == [b"hello"] * 2
    got, asked = proxy.ask(get("/api/x"))
    assert got.body == b"hello" and asked is None


def test_a_request_that_is_sent_twice_for_one_client_is_copied_once(routed):
    shadow = Pool(["http://10.9.9.9:80"], name="shadow")
    proxy = routed(Treatment(mirror=Mirror(ToPool(shadow))))
    clients = proxy.herd(get(), get())
    origin, copy = sorted(proxy.network.connections, key=lambda one: one.address.host)
    proxy.questions()
    copy.send(proxy.response("copy"))
    origin.drop()
    again, _ = proxy.question()
    assert again.address.host == "10.0.0.1"
    again.send(proxy.response(**FRESH))
    assert [Got(client.take()).body for client in clients] == [b"hello"] * 2


@pytest.mark.parametrize("whole", [True, False])
def test_a_route_tells_which_upstream_has_answered_where_one_was_asked(routed, whole):
    proxy = routed(Treatment(response=ResponseRewrite(set_headers={"X-Up": "$upstream"})))
    theirs = b"10.0.0.1:8080"

    def told(said, *, path="/x", **fields):
        client = proxy.connect()
        client.send(get(path, **fields))
        if said is not None:
            origin, _ = proxy.question()
            origin.send(said if whole else said[:-1])
            origin.send(b"" if whole else said[-1:])
        return Got(client.take()).fields["x-up"]

    assert told(proxy.response(cache_control="max-age=60", etag='"a"')) == theirs
    assert told(None) == b""
    proxy.pass_time(61)
    assert told(proxy.response("", "304 Not Modified", cache_control="max-age=60", etag='"a"')) == theirs
    assert told(None) == b""
    # What is not kept, and what goes past the cache since.
    for _ in range(3):
        assert told(proxy.response(cache_control="no-store"), path="/y") == theirs
    first, second = proxy.herd(get("/z"), get("/z"))
    proxy.question()[0].send(proxy.response(**FRESH))
    assert [Got(one.take()).fields["x-up"] for one in (first, second)] == [theirs, b""]
