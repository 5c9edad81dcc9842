"""What a configuration comes to, and what a pool takes over from the one before it."""

from contextlib import nullcontext

import pytest
from twisted.internet.task import Clock

from tests.tls.authority import new_ca
from txproxy.config.model import Config, ForwardListener
from txproxy.config.toml.file import parse
from txproxy.errors import DestinationProhibited
from txproxy.forward.policy import ForwardPolicy
from txproxy.net.dns.resolver import Resolver
from txproxy.runtime.builder import Around, Observers, assemble
from txproxy.testing import ProxyInMemory

SELF = (
    b"HTTP/1.1 302 Found\r\nDate: D\r\nLocation: http://127.0.0.1:8001/login\r\n"
    b"Set-Cookie: s=1; Domain=127.0.0.1; Path=/\r\nContent-Length: 0\r\n\r\n"
)


def around(reactor):
    return Around(reactor, Resolver(reactor))


def in_memory(text):
    """The first listener of a configuration."""
    config = parse(text, "edge.toml")
    return ProxyInMemory(lambda reactor: assemble(config, Observers(), around(reactor)).served[0].factory)


@pytest.mark.parametrize("path", [b"/", b"/app"])
@pytest.mark.parametrize("host", ['host = "upstream"', ""])
def test_an_upstream_is_mapped_back_with_and_without_a_route(path, host):
    proxy = in_memory(f"""
        [[listeners]]
        listen = "tcp:8080:interface=127.0.0.1"
        pool = "a"
        [pools.a]
        upstreams = ["http://127.0.0.1:8001"]
        {host}
        [[routes]]
        name = "r"
        path = "/app"
        pool = "a"
    """)
    client = proxy.connect()
    client.send(b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n" % path)
    proxy.upstream.send(SELF)
    assert b"\r\nLocation: http://a.example/login\r\nSet-Cookie: s=1; Path=/\r\n" in client.received
    proxy.close()


@pytest.mark.parametrize("action", ['redirect = "https://www.a.example/"', "respond = 410", 'pool = "a"'])
@pytest.mark.parametrize("scheme", [b"https", b"http"])
def test_whatever_a_route_answers_says_that_the_host_is_for_tls_alone(action, scheme):
    proxy = in_memory(f"""
        [[listeners]]
        listen = "tcp:8080:interface=127.0.0.1"
        routes = ["r"]
        trusted_proxies = ["127.0.0.0/8"]
        [pools.a]
        upstreams = ["http://127.0.0.1:8001"]
        [[routes]]
        name = "r"
        path = "/"
        {action}
        hsts = {{ max_age = 60 }}
        response_headers = {{ set = {{ X-By = "r" }} }}
    """)
    client = proxy.connect()
    client.send(b"GET /x HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Proto: %b\r\n\r\n" % scheme)
    for upstream in proxy.network.connections:
        upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (b"\r\nStrict-Transport-Security: max-age=60\r\n" in client.received) is (scheme == b"https")
    assert b"\r\nX-By: r\r\n" in client.received
    proxy.close()


@pytest.mark.parametrize("changed", ["", "[listeners.limits]\nidle_timeout = 5\n"], ids=["nothing", "limits"])
def test_tls_is_kept_with_its_sessions_and_tickets(tmp_path, changed):
    cert, key = new_ca().issue("a.example").write(tmp_path, "pair")
    text = f'''
        [[listeners]]
        mode = "forward"
        tls_listen = "tcp:3129"
        certificates = {{ cert = "{cert}", key = "{key}" }}
    '''
    clock = Clock()
    first = assemble(parse(text, "edge.toml"), Observers(), around(clock))
    second = assemble(parse(text + changed, "edge.toml"), Observers(), around(clock), first)
    (before,), (after,) = first.served, second.served
    assert after.tls is before.tls
    assert (after.factory is before.factory) == (changed == "")
    other = assemble(parse(text + 'tls = { min_version = "1.3" }', "edge.toml"), Observers(), around(clock), second)
    assert other.served[0].tls is not before.tls


def test_listeners_that_are_alike_go_on_each_as_what_it_was():
    listener = ForwardListener(listen=("tcp:0",), policy=ForwardPolicy(parents=["http://p.example:1"]))
    config = Config(listeners=(listener, listener))
    clock = Clock()
    first = assemble(config, Observers(), around(clock))
    second = assemble(config, Observers(), around(clock), first)
    assert [one.factory for one in second.served] == [one.factory for one in first.served]
    assert first.served[0].factory is not first.served[1].factory


LISTENERS = """
    [[listeners]]
    listen = "tcp:8080:interface=127.0.0.1"
    pool = "a"
    trusted_proxies = ["10.9.0.0/16"]
    [[listeners]]
    mode = "forward"
    listen = "tcp:3128:interface=127.0.0.1"
    [pools.a]
    upstreams = ["http://127.0.0.1:8001"]
"""


@pytest.mark.parametrize("closed", [True, False], ids=["no token", "a token"])
def test_clients_of_a_forward_proxy_do_not_reach_its_admin_endpoint(tmp_path, closed):
    (tmp_path / "token").write_text("0123456789abcdef")
    token = "" if closed else f'token_file = "{tmp_path}/token"'
    text = """
        [[listeners]]
        mode = "forward"
        listen = "tcp:3128:interface=127.0.0.1"
        allow_destinations = ["127.0.0.0/8", "localhost"]
    """
    clock = Clock()
    before = assemble(parse(text, "edge.toml"), Observers(), around(clock))
    admin = f'[admin]\nlisten = "127.0.0.1:9090"\n{token}\n'
    after = assemble(parse(admin + text, "edge.toml"), Observers(), around(clock), before)
    before.served[0].factory.forward.destinations.check("localhost", ["127.0.0.1"], 9090)
    destinations = after.served[0].factory.forward.destinations
    destinations.check("localhost", ["127.0.0.1"], 9091)
    with pytest.raises(DestinationProhibited) if closed else nullcontext():
        destinations.check("localhost", ["127.0.0.1"], 9090)


def test_requests_of_all_modes_are_told_by_something_where_that_is_wanted():
    clock = Clock()
    told = []
    for text, before in (("", None), ("[tracing]\n", None)):
        config = parse(text + LISTENERS, "edge.toml")
        assembly = assemble(config, Observers(), around(clock), before)
        for served, target in zip(assembly.served, (b"/", b"http://192.0.2.9/"), strict=True):
            proxy = ProxyInMemory(lambda reactor, factory=served.factory: factory)
            client = proxy.connect()
            client.send(b"GET %b HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n" % target)
            told.append((b"traceparent:" in proxy.upstream.received, b"X-Request-Id: mine" in proxy.upstream.received))
            proxy.close()
    # Clients of a forward proxy speak to origins; of a reverse proxy those that nobody trusts are strangers.
    assert told == [(False, True), (False, True), (True, False), (True, True)]


def test_a_reload_that_traces_makes_other_factories():
    clock = Clock()
    first = assemble(parse(LISTENERS, "edge.toml"), Observers(), around(clock))
    same = assemble(parse(LISTENERS, "edge.toml"), Observers(), around(clock), first)
    traced = assemble(parse("[tracing]\n" + LISTENERS, "edge.toml"), Observers(), around(clock), same)
    assert same.factories == first.factories
    assert all(one not in first.factories for one in traced.factories)
    for assembly in (first, traced):
        for factory in assembly.factories:
            factory.stop()


@pytest.mark.parametrize("token", ["0123456789abcdef", None])
def test_who_shows_the_admin_token_is_told_why_where_there_is_one(tmp_path, token):
    """At listeners of both modes; a reload that has another token's file makes other factories."""
    file = tmp_path / "admin.token"
    file.write_text("0123456789abcdef\n")
    admin = '[admin]\nlisten = "unix:/a"\n' + (f'token_file = "{file}"\n' if token else "")
    config = parse(admin + LISTENERS, "edge.toml")
    clock = Clock()
    first = assemble(config, Observers(), around(clock))
    other = assemble(parse(LISTENERS, "edge.toml"), Observers(), around(clock), first)
    assert all(one not in first.factories for one in other.factories) is bool(token)
    for factory in {*first.factories, *other.factories}:
        factory.stop()
    for number in range(len(config.listeners)):
        proxy = ProxyInMemory(lambda reactor: assemble(config, Observers(), around(reactor)).factories[number])  # noqa: B023
        client = proxy.connect()
        client.send(b"GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Txproxy-Explain: 0123456789abcdef\r\n\r\n")
        if proxy.network.connections:
            assert b"xplain" not in proxy.upstream.received
            proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert (b"X-Txproxy-Explain: " in client.received) is bool(token) and b"HTTP/1.1 " in client.received
        proxy.close()


@pytest.mark.parametrize(
    ("path", "body", "passes"),
    [(b"/up", 5000, True), (b"/up", 5001, False), (b"/", 1000, True), (b"/", 1001, False), (b"/less", 101, False)],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_route_may_take_longer_bodies_than_its_listener(path, body, passes, chunked):
    proxy = in_memory("""
        [[listeners]]
        listen = "tcp:8080:interface=127.0.0.1"
        pool = "a"
        limits = { max_body_size = 1000 }
        [pools.a]
        upstreams = ["http://127.0.0.1:8001"]
        [[routes]]
        name = "up"
        path = "/up"
        pool = "a"
        max_body = 5000
        [[routes]]
        name = "less"
        path = "/less"
        pool = "a"
        max_body = 100
    """)
    client = proxy.connect()
    if chunked:
        framing, sent = b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (body, b"x" * body)
    else:
        framing, sent = b"Content-Length: %d" % body, b"x" * body
    client.send(b"POST %b HTTP/1.1\r\nHost: a.example\r\n%b\r\n\r\n" % (path, framing) + sent)
    if passes:
        assert not client.received and proxy.upstream.received.count(b"x") >= body
        proxy.upstream.send(b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 0\r\n\r\n")
        assert client.received.startswith(b"HTTP/1.1 200 ")
    else:
        assert client.received.startswith(b"HTTP/1.1 413 ")
    proxy.close()
