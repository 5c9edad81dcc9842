"""The audit log says who asked for what, and what was decided."""

import json
import re
import stat

import pytest
from twisted.internet.task import Clock

from txproxy import (
    BoundsMiddleware,
    CacheMiddleware,
    CachePolicy,
    ForwardPolicy,
    ForwardProxyFactory,
    MemoryStore,
    Pool,
    ReverseProxyFactory,
    SharedCache,
    StreamFactory,
)
from txproxy.auth.auth_policy import AuthPolicy
from txproxy.errors import ConfigError, DestinationProhibited
from txproxy.forward.access.rules import Rule
from txproxy.interfaces import RequestDenied
from txproxy.observe.audit import AuditLog
from txproxy.reverse import Match, Redirect, ReverseMode, Route, SendElsewhere, ToPool
from txproxy.testing import ProxyInMemory

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
BOB = b"Proxy-Authorization: Basic Ym9iOnJpZ2h0\r\n"  # bob:right

SOON = 30.0  # for hangs alone


@pytest.fixture
def log(tmp_path):
    return AuditLog(str(tmp_path / "audit.json"))


@pytest.fixture
def make(log):
    made = []

    def make(**policy):
        policy = ForwardPolicy(audit=log, **policy)
        made.append(ProxyInMemory(lambda reactor: ForwardProxyFactory(policy, reactor=reactor)))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


def entries(log):
    assert log.file.flush(SOON)
    with open(log.path, encoding="ascii") as file:
        return [json.loads(line) for line in file]


def get(url, more=b""):
    return b"GET " + url + b" HTTP/1.1\r\nHost: " + url.split(b"/")[2] + b"\r\n" + more + b"\r\n"


def test_a_request_that_was_allowed(make, log):
    proxy = make(
        auth=AuthPolicy(passwords=lambda name, password: name if password == b"right" else None),
        rules=[Rule(name="all", action="allow")],
    )
    client = proxy.connect()
    client.send(get(b"http://A.example:8080/x?token=s3cret", BOB))
    proxy.advance(1.5)
    proxy.upstream.send(OK)
    (entry,) = entries(log)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ", entry.pop("time"))
    assert entry == {
        "client": "127.0.0.1", "user": "bob", "method": "GET", "host": "a.example", "port": 8080,
        "url": "http://A.example:8080/x?...", "verdict": "allow", "rule": "all", "list": None, "reason": None,
        "to": "a.example:8080", "status": 200, "outcome": "ok", "detail": "", "received": 0, "sent": 2, "seconds": 1.5,
        "cache": None, "cache_detail": None, "limit": None, "limited": None,
    }  # fmt: skip


def test_no_secret_is_in_a_line(make, log):
    proxy = make(auth=AuthPolicy(passwords=lambda name, password: None))
    proxy.connect().send(get(b"http://a.example/?s3cret", BOB + b"Cookie: s3cret\r\nAuthorization: s3cret\r\n"))
    text = json.dumps(entries(log))
    assert "s3cret" not in text and "Ym9i" not in text and "right" not in text


def test_requests_that_were_refused_say_by_what(make, log, tmp_path):
    (tmp_path / "ads.txt").write_text("ads.example\n")
    proxy = make(
        deny_hosts=["denied.example"],
        filters=[str(tmp_path / "ads.txt")],
        rules=[Rule(name="no", action="deny", hosts="no.example", reason="Not here."), Rule(action="allow")],
    )
    for host in (b"denied.example", b"x.ads.example", b"no.example", b"a.example:25"):
        proxy.connect().send(get(b"http://" + host + b"/"))
    proxy.connect("192.0.2.1").send(get(b"http://a.example/"))
    proxy.connect().send(get(b"http://a.example/").replace(b"GET", b"TRACE"))
    assert [(entry["verdict"], entry["rule"], entry["list"], entry["status"]) for entry in entries(log)] == [
        ("deny", "deny_hosts", None, 403),
        ("deny", "filters", "ads", 403),
        ("deny", "no", None, 403),
        ("deny", "allow_ports", None, 403),
        ("deny", "allow_clients", None, 403),
        (None, None, None, 405),
    ]
    assert entries(log)[2]["reason"] == "Not here."


def test_a_verdict_is_of_one_request_alone(make, log):
    proxy = make(deny_hosts=["denied.example"])
    client = proxy.connect()
    client.send(get(b"http://denied.example/"))
    client.send(get(b"http://a.example/"))
    proxy.upstream.send(OK)
    client.send(get(b"http://a.example/").replace(b"GET", b"TRACE"))
    assert [entry["verdict"] for entry in entries(log)] == ["deny", "allow", None]


def test_what_cannot_be_read_is_nobodys_request(make, log):
    proxy = make(
        auth=AuthPolicy(passwords=lambda name, password: name if password == b"right" else None),
        rules=[Rule(name="all", action="allow")],
    )
    client = proxy.connect()
    client.send(get(b"http://a.example/", BOB))
    proxy.upstream.send(OK)
    client.send(b"GET /?s3cret HTTP/1.1\r\nHost: a b\r\n\r\n")
    wrong = proxy.connect()
    wrong.send(b"\x05\x01\x02\x01\x03bob\x05wrong")
    proxy.advance(1)
    _, refused, login = entries(log)
    for entry in (refused, login):
        assert entry["user"] is None and entry["verdict"] is None and entry["outcome"].startswith("http_request")
    assert (refused["method"], refused["url"], refused["status"]) == ("GET", "/?...", 400)
    assert (login["method"], login["url"], login["status"]) == (None, "SOCKS", 407)
    assert "host" in refused["detail"].lower() and login["detail"]


def test_what_is_for_the_proxy_itself_was_not_judged(make, log):
    proxy = make(
        auth=AuthPolicy(passwords=lambda name, password: name), rules=[Rule(name="all", action="allow")], via="me"
    )
    client = proxy.connect()
    client.send(get(b"http://a.example/", BOB))
    via = next(line for line in proxy.upstream.received.split(b"\r\n") if line.startswith(b"Via: "))
    proxy.upstream.send(OK)
    client.send(b"GET /proxy.pac HTTP/1.1\r\nHost: a\r\n\r\n")
    for method, more in ((b"OPTIONS", b"Max-Forwards: 0\r\n"), (b"TRACE", b""), (b"GET", via + b"\r\n")):
        client.send(get(b"http://a.example/", BOB + more).replace(b"GET", method))
    assert [(entry["user"], entry["verdict"], entry["status"]) for entry in entries(log)] == [
        ("bob", "allow", 200), (None, None, 200), (None, None, 200), (None, None, 405), (None, None, 508)
    ]  # fmt: skip


def test_a_destination_that_may_not_be_reached(make, log):
    proxy = make(rules=[Rule(name="all", action="allow")])
    proxy.network.script.append(DestinationProhibited("a.example is at 10.0.0.1, which may not be reached"))
    proxy.connect().send(get(b"http://a.example/"))
    (entry,) = entries(log)
    assert (entry["verdict"], entry["rule"]) == ("deny", "allow_destinations")
    assert "10.0.0.1" in entry["reason"]


def test_a_tunnel_has_its_bytes_both_ways(make, log):
    proxy = make()
    client = proxy.connect()
    client.send(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\nhello")
    proxy.upstream.send(b"answer!")
    client.drop(clean=True)
    (entry,) = entries(log)
    assert (entry["method"], entry["url"], entry["host"], entry["port"]) == (
        "CONNECT", "a.example:443", "a.example", 443
    )  # fmt: skip
    assert (entry["received"], entry["sent"], entry["outcome"]) == (5, 7, "tunnel")


def test_a_line_cannot_be_broken_by_what_clients_send(make, log):
    proxy = make(deny_hosts=["a.example"])
    proxy.connect().send(get(b'http://a.example/"%0a\\n'))
    proxy.connect().send(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n")
    assert [entry["url"] for entry in entries(log)] == ['http://a.example/"%0a\\n', "a.example:443"]


def test_the_file_is_for_its_owner_and_group_and_can_be_begun_anew(make, log, tmp_path):
    proxy = make()
    client = proxy.connect()
    client.send(get(b"http://a.example/1"))
    proxy.upstream.send(OK)
    assert stat.S_IMODE((tmp_path / "audit.json").stat().st_mode) & 0o007 == 0
    (tmp_path / "audit.json").rename(tmp_path / "old.json")
    client.send(get(b"http://a.example/2"))
    proxy.upstream.send(OK)
    assert log.file.flush(SOON)
    log.reopen()
    client.send(get(b"http://a.example/3"))
    proxy.upstream.send(OK)
    assert [entry["url"][-1] for entry in entries(log)] == ["3"]


def test_a_file_that_cannot_be_written_is_said_at_the_start(make, log, tmp_path):
    log.path = str(tmp_path / "nowhere" / "audit.json")
    with pytest.raises(ConfigError, match="accepted"):
        make()


def test_one_that_can_be_written_no_more_stops_no_traffic(make, log, tmp_path):
    proxy = make()
    log.close()
    log.path = str(tmp_path / "nowhere" / "audit.json")
    log.reopen()
    client = proxy.connect()
    client.send(get(b"http://a.example/"))
    proxy.upstream.send(OK)
    assert client.received.endswith(b"ok")


@pytest.mark.parametrize("idle", [0, 20])
def test_a_head_that_took_too_long_took_so_long(make, log, idle):
    """Also on a connection that was kept, and silent before."""
    proxy = make(rules=[Rule(name="all", action="allow")])
    client = proxy.connect()
    if idle:
        client.send(get(b"http://a.example/x"))
        proxy.upstream.send(OK)
        proxy.advance(idle)
    client.send(b"GET http://a.example/y HTTP/1.1\r\n")
    proxy.advance(32)
    entry = entries(log)[-1]
    assert entry["status"] == 408
    assert entry["seconds"] == 20


def test_a_body_that_took_too_long_took_so_long(make, log):
    proxy = make(rules=[Rule(name="all", action="allow")])
    client = proxy.connect()
    client.send(b"POST http://a.example/y HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\n")
    proxy.advance(40)
    (entry,) = entries(log)
    assert entry["status"] == 408 and 30 <= entry["seconds"] <= 32


def test_several_proxies_may_share_one_and_the_last_ends_it(make, log):
    one, other = make(), make()
    one.close()
    assert not log.file.closed
    one.close()  # again, which is no one else's end
    assert not log.file.closed
    other.close()
    assert log.file.closed


# -- the other modes


@pytest.fixture
def serve():
    made = []

    def serve(build):
        made.append(ProxyInMemory(build))
        return made[-1]

    yield serve
    for proxy in made:
        proxy.close()


def test_a_request_to_a_reverse_proxy_has_its_route_for_a_rule(serve, log):
    pool = Pool(["http://10.0.0.1:80"])
    routes = [
        Route("api", Match(path="/api"), ToPool(pool)),
        Route("old", Match(path="/old"), SendElsewhere(Redirect("/api"))),
        Route("rest", Match(path="/x"), ToPool(pool)),
    ]
    proxy = serve(lambda reactor: ReverseProxyFactory(ReverseMode(routes=routes), audit=log, reactor=reactor))
    client = proxy.connect("192.0.2.1")
    client.send(b"GET /api?token=s3cret HTTP/1.1\r\nHost: A.example\r\n\r\n")
    proxy.advance(1.5)
    proxy.upstream.send(OK)
    client.send(b"GET /old HTTP/1.1\r\nHost: a.example\r\n\r\nGET /none HTTP/1.1\r\nHost: a.example\r\n\r\n")
    allowed, redirected, missing = entries(log)
    allowed.pop("time")
    assert allowed == {
        "client": "192.0.2.1", "user": None, "method": "GET", "host": "a.example", "port": 80,
        "url": "http://A.example/api?...", "verdict": "allow", "rule": "api", "list": None, "reason": None,
        "to": "10.0.0.1:80", "status": 200, "outcome": "ok", "detail": "", "received": 0, "sent": 2, "seconds": 1.5,
        "cache": None, "cache_detail": None, "limit": None, "limited": None,
    }  # fmt: skip
    told = [(one["verdict"], one["rule"], one["to"], one["status"]) for one in (redirected, missing)]
    assert told == [(None, "old", None, 302), (None, None, None, 404)]


def test_a_quota_that_is_used_up_is_a_rule_in_each_mode(serve, log):
    def find(client_ip, user, rule):
        raise RequestDenied("no more")

    pool = Pool(["http://10.0.0.1:80"])
    around = [BoundsMiddleware(find)]
    serve(lambda reactor: ReverseProxyFactory(pool, middleware=around, audit=log, reactor=reactor)).connect().send(
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    serve(lambda reactor: StreamFactory(pool, bounds=find, audit=log, reactor=reactor)).connect()
    told = [(one["verdict"], one["rule"], one["reason"], one["to"]) for one in entries(log)]
    assert told == [("deny", "quotas", "no more", None)] * 2


def test_a_raw_stream(serve, log):
    proxy = serve(lambda reactor: StreamFactory(Pool(["http://10.0.0.1:5432"]), audit=log, reactor=reactor))
    client = proxy.connect("192.0.2.1")
    client.send(b"question")
    proxy.advance(1.5)
    proxy.upstream.send(b"answer")
    client.drop(clean=True)
    (entry,) = entries(log)
    entry.pop("time")
    assert entry == {
        "client": "192.0.2.1", "user": None, "method": None, "host": None, "port": None, "url": None,
        "verdict": "allow", "rule": None, "list": None, "reason": None, "to": "10.0.0.1:5432", "status": None,
        "outcome": "ok", "detail": "", "received": 8, "sent": 6, "seconds": 1.5,
        "cache": None, "cache_detail": None, "limit": None, "limited": None,
    }  # fmt: skip


@pytest.mark.parametrize("build", [ReverseProxyFactory, StreamFactory])
def test_each_proxy_opens_and_closes_it_once(tmp_path, build):
    pool = Pool(["http://10.0.0.1:80"])
    with pytest.raises(ConfigError):
        build(pool, audit=AuditLog(str(tmp_path / "none" / "x")), reactor=Clock())
    log = AuditLog(str(tmp_path / "audit.json"))
    one, other = (build(pool, audit=log, reactor=Clock()) for _ in range(2))
    one.stop()
    one.stop()
    assert not log.file.closed
    other.stop()
    assert log.file.closed


def test_what_a_cache_has_done_is_told(log):
    cache = SharedCache(MemoryStore(1 << 20), lambda request, context: CachePolicy(ttl={200: 60}))
    pool = Pool(["http://10.0.0.1:80"])
    middleware = [CacheMiddleware(cache)]
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, middleware=middleware, audit=log, reactor=reactor))
    for answer in (OK.replace(b"Date: D", b"Set-Cookie: a=b"), OK, OK, None):
        proxy.connect().send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        if answer is not None:
            proxy.upstream.send(answer)
    assert {(entry["verdict"], entry["url"]) for entry in entries(log)} == {("allow", "http://a/")}
    told = [(entry["cache"], entry["cache_detail"]) for entry in entries(log)]
    proxy.close()
    assert told[0] == ("MISS", "uri-miss: Set-Cookie") and told[-1] == ("HIT", None)
