"""Limits of requests of a file, in each mode, and over reloads."""

import base64

import attrs
import pytest

from tests.reverse.challenge.solving import question_of, solved
from tests.runtime.test_reload import OK, Running
from txproxy.components.outside_text import OutsideText
from txproxy.errors import ConfigError
from txproxy.runtime.builder import Around, Observers, assemble
from txproxy.runtime.live.live_limits import LiveLimits

REVERSE = """
[[listeners]]
name = "web"
listen = "tcp:8080"
pool = "app"
MORE
[pools.app]
upstreams = "http://10.0.0.1:8001"
[pools.other]
upstreams = "http://10.0.0.2:8001"
[[routes]]
name = "api"
path = "/api"
pool = "other"
ROUTE
[[routes]]
name = "here"
path = "/here"
respond = 200
ROUTE
"""
FORWARD = '[[listeners]]\nname = "out"\nmode = "forward"\nlisten = "tcp:3128"\n'
TCP = """
[[listeners]]
name = "db"
mode = "tcp"
listen = "tcp:5432"
pool = "db"
MORE
[pools.db]
upstreams = "10.0.0.1:5432"
"""
PER_USER = '[[request_limits]]\nname = "each"\nrate = "1/h"\nby = "user"\n'


def reverse(more="", route="", top=""):
    return top + REVERSE.replace("MORE", more).replace("ROUTE", route, 1).replace("ROUTE", "")


@pytest.fixture
def run():
    running = []

    def run(config):
        running.append(Running(config))
        return running[-1]

    yield run
    for one in running:
        one.stop()


def status(proxy, path="/", port=8080, lines="", keep=None):
    client = keep or proxy.reactor.connect(port)
    before = len(client.received)
    client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
    if len(client.received) == before and proxy.network.connections:
        proxy.network.connections[-1].send(OK)
    return int(client.received[before:].split(b" ", 2)[1])


def counts(proxy):
    return {one.name: (one.allowed, one.refused) for one in proxy.service.assembly.limits.counts}


def test_a_limit_that_nobody_names_holds_at_each_listener_and_counts_them_together(run):
    top = '[[request_limits]]\nname = "all"\nrate = "2/h"\n'
    proxy = run(reverse(top=top) + '[[listeners]]\nname = "b"\nlisten = "tcp:8081"\npool = "app"\n')
    assert [status(proxy), status(proxy, port=8081), status(proxy, "/here")] == [200, 200, 429]
    assert counts(proxy) == {"all": (2, 1)}


def test_a_limit_by_listener_counts_each_for_itself(run):
    top = '[[request_limits]]\nname = "all"\nrate = "1/h"\nby = ["client", "listener"]\n'
    proxy = run(reverse(top=top) + '[[listeners]]\nname = "b"\nlisten = "tcp:8081"\npool = "app"\n')
    assert [status(proxy), status(proxy, port=8081), status(proxy), status(proxy, port=8081)] == [200, 200, 429, 429]


def test_a_limit_that_is_named_holds_there_alone(run):
    top = '[[request_limits]]\nname = "few"\nrate = "1/h"\n'
    proxy = run(reverse(route='request_limits = "few"', top=top))
    assert [status(proxy, "/api"), status(proxy, "/api"), status(proxy), status(proxy, "/here")] == [200, 429, 200, 200]


@pytest.mark.parametrize("by", ["route", "pool"])
def test_limits_by_route_and_pool_stand_where_these_are_known(run, by):
    proxy = run(reverse(f'request_limits = {{ rate = "1/h", by = "{by}" }}'))
    assert [status(proxy, "/api"), status(proxy), status(proxy, "/here")] == [200, 200, 200]
    assert [status(proxy, "/api"), status(proxy), status(proxy, "/here")] == [429, 429, 429]


def test_a_limit_that_a_listener_and_its_route_name_counts_once(run):
    top = '[[request_limits]]\nname = "two"\nrate = "2/h"\n'
    proxy = run(reverse('request_limits = "two"', 'request_limits = "two"', top))
    assert [status(proxy, "/api") for _ in range(3)] == [200, 200, 429]


def test_behind_a_trusted_proxy_the_client_is_who_that_says(run):
    more = 'trusted_proxies = ["127.0.0.1"]\nrequest_limits = { rate = "1/h" }'
    proxy = run(reverse(more))
    one, other = ("X-Forwarded-For: 192.0.2.1\r\n", "X-Forwarded-For: 192.0.2.2\r\n")
    assert [status(proxy, lines=lines) for lines in (one, other, one)] == [200, 200, 429]
    # Who is not trusted says nothing by it.
    proxy = run(reverse('request_limits = { rate = "1/h" }').replace("8080", "8090"))
    assert [status(proxy, port=8090, lines=lines) for lines in (one, other)] == [200, 429]


def test_what_a_cache_has_counts_as_well(run):
    for more, route in [('request_limits = { rate = "3/h" }', ""), ("", 'request_limits = { rate = "3/h" }')]:
        proxy = run('[cache]\nsize = "1M"\n' + reverse(more, route))
        client = proxy.reactor.connect(8080)
        client.send(b"GET /api HTTP/1.1\r\nHost: a\r\n\r\n")
        proxy.network.connections[-1].send(
            b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok"
        )
        assert [status(proxy, "/api", keep=client) for _ in range(3)] == [200, 200, 429]
        assert len(proxy.network.dialed) == 1


def login(name, word):
    return "Proxy-Authorization: Basic " + base64.b64encode(f"{name}:{word}".encode()).decode() + "\r\n"


@pytest.fixture
def users(tmp_path):
    # bob:bob and eve:eve
    (tmp_path / "users").write_text("bob:{SHA}GKdzVBYNMjcMYLF2ONYtWVYtMUg=\neve:{SHA}0bUyvmGTTuUuWp5P8Qk1aYfIXBA=\n")
    return tmp_path / "users"


def test_in_forward_mode_a_flood_of_wrong_logins_counts_by_client(run, tmp_path):
    from txproxy.auth.auth_policy import AuthPolicy
    from txproxy.auth.login_throttle import TryLimits
    from txproxy.components.rates import Rate
    from txproxy.config.model import Config, ForwardListener
    from txproxy.forward.policy import ForwardPolicy
    from txproxy.limits.requests.request_limit import RequestLimit

    def right(name, password):
        return name if password == name.encode() else None

    auth = AuthPolicy(passwords=right, tries=TryLimits(free=100))
    limits = (
        RequestLimit(name="client", rate=Rate(3, 3600)),
        RequestLimit(name="user", rate=Rate(1, 3600), by=("user",)),
    )
    listener = ForwardListener(
        listen=("tcp:3128",), policy=ForwardPolicy(auth=auth), protocols=("http", "socks5"), request_limits=limits
    )
    proxy = run(Config(listeners=(listener,), access_log=None))

    def ask(words):
        return status(proxy, "http://a.example/", 3128, words)

    assert [ask(login("bob", "no")), ask(login("bob", "bob"))] == [407, 200]
    # the user's own limit, and then the client's
    assert [ask(login("bob", "bob")), ask(login("bob", "no"))] == [429, 429]
    assert counts(proxy) == {"client": (3, 1), "user": (1, 1)}


def test_rules_of_a_forward_proxy_have_limits(run):
    rules = (
        '[[listeners.rules]]\naction = "allow"\nname = "slow"\nhosts = ".slow.example"\n'
        'request_limits = { rate = "1/h", by = ["client", "host"] }\n[[listeners.rules]]\naction = "allow"\n'
    )
    proxy = run(FORWARD + rules)
    urls = ["http://a.slow.example/", "http://b.slow.example/", "http://a.slow.example/x", "http://b.example/"]
    assert [status(proxy, url, 3128) for url in [*urls, urls[3]]] == [200, 200, 429, 200, 200]
    client = proxy.reactor.connect(3128)
    client.send(b"CONNECT c.slow.example:443 HTTP/1.1\r\nHost: c.slow.example:443\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 200")
    client = proxy.reactor.connect(3128)
    client.send(b"CONNECT c.slow.example:443 HTTP/1.1\r\nHost: c.slow.example:443\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 429")


def test_tunnels_of_socks_clients_count(run):
    proxy = run(FORWARD + 'request_limits = { rate = "1/h" }\n')
    said = []
    for _ in range(2):
        client = proxy.reactor.connect(3128)
        client.send(b"\x05\x01\x00")
        client.send(b"\x05\x01\x00\x03\x01a\x01\xbb")
        said.append(client.received[2:4])
    # RFC 1928 6: succeeded, and not allowed
    assert said == [b"\x05\x00", b"\x05\x02"]


def test_raw_streams_over_a_limit_are_closed(run):
    proxy = run(TCP.replace("MORE", 'request_limits = { rate = "2/h" }'))
    clients = [proxy.reactor.connect(5432) for _ in range(3)]
    proxy.reactor.advance(0)
    assert [client.closed for client in clients] == [False, False, True]
    assert len(proxy.network.dialed) == 2 and clients[2].received == b""
    assert counts(proxy) == {"db 1": (2, 1)}


def test_raw_streams_can_wait(run):
    proxy = run(TCP.replace("MORE", 'request_limits = { rate = "60/m:burst=1", delay = 1, by = ["client", "pool"] }'))
    clients = [proxy.reactor.connect(5432) for _ in range(3)]
    proxy.reactor.advance(0)
    assert [client.closed for client in clients] == [False, False, True]
    assert len(proxy.network.dialed) == 1
    proxy.reactor.advance(1)
    assert len(proxy.network.dialed) == 2


def test_a_limit_for_users_at_the_top_is_not_for_raw_streams(run):
    proxy = run(PER_USER + TCP.replace("MORE", ""))
    assert [proxy.reactor.connect(5432).closed for _ in range(3)] == [False] * 3


def test_a_reload_keeps_what_was_counted_of_a_limit_that_has_not_changed(run):
    limits = 'request_limits = [{ name = "a", rate = "2/h" }, { name = "b", rate = "RATE" }]'
    proxy = run(reverse(limits.replace("RATE", "9/h")))
    assert [status(proxy), status(proxy)] == [200, 200]
    proxy.reload(reverse(limits.replace("RATE", "8/h") + '\nvia = "none"'))
    assert status(proxy) == 429
    assert counts(proxy) == {"a": (2, 1), "b": (0, 0)}
    proxy.reload(reverse(limits.replace("RATE", "8/h").replace("2/h", "1/h")))
    assert [status(proxy), status(proxy)] == [200, 429]
    proxy.reload(reverse())
    assert status(proxy) == 200 and counts(proxy) == {}


def test_raw_streams_and_tunnels_have_a_place_until_they_end(run):
    proxy = run(TCP.replace("MORE", 'request_limits = { concurrent = 1, by = "client" }'))
    clients = [proxy.reactor.connect(5432) for _ in range(2)]
    proxy.reactor.advance(0)
    assert [client.closed for client in clients] == [False, True]
    clients[0].drop()
    proxy.reactor.advance(0)
    assert not proxy.reactor.connect(5432).closed and len(proxy.network.dialed) == 2
    proxy = run(FORWARD.replace("3128", "3129") + "request_limits = { concurrent = 1 }")
    tunnels = []
    for _ in range(2):
        tunnels.append(proxy.reactor.connect(3129))
        tunnels[-1].send(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")
    assert [tunnel.received[9:12] for tunnel in tunnels] == [b"200", b"503"]


def test_who_was_at_work_before_a_reload_has_its_place_after_it(run):
    limits = 'request_limits = { concurrent = 1, by = "route" }'
    proxy = run(reverse(limits))
    client = proxy.reactor.connect(8080)
    client.send(b"GET /api HTTP/1.1\r\nHost: a\r\n\r\n")
    waits = proxy.network.connections[-1]
    proxy.reload(reverse(limits + '\nvia = "none"'))
    assert status(proxy, "/api") == 503
    waits.send(OK)
    assert client.received.startswith(b"HTTP/1.1 200") and status(proxy, "/api") == 200


ADAPTIVE = """
[[listeners]]
name = "web"
listen = "tcp:8080"
pool = "app"
[pools.app]
upstreams = "http://10.0.0.1:8001"
adaptive = { max = 1 }
[[routes]]
name = "first"
path = "/first"
pool = "app"
priority = "high"
"""


def waiting(proxy, path="/"):
    client = proxy.reactor.connect(8080)
    client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return client


def test_a_pool_with_an_adaptive_limit_refuses_what_it_is_not_good_for_but_for_those_that_go_first(run):
    proxy = run(ADAPTIVE)
    one, other, first = waiting(proxy), waiting(proxy), waiting(proxy, "/first")
    assert (one.received, other.received[9:12], first.received) == (b"", b"503", b"")
    proxy.network.connections[-1].send(OK)
    proxy.network.connections[-1].send(OK)
    assert first.received.startswith(b"HTTP/1.1 200")
    assert counts(proxy) == {"pool app": (2, 1)}


def test_what_was_found_out_of_a_pool_outlives_a_reload(run):
    proxy = run(ADAPTIVE)
    one = waiting(proxy)
    proxy.reload(ADAPTIVE + 'max_body = "1M"\n')
    assert status(proxy) == 503 and one.received == b""
    proxy.network.connections[0].send(OK)
    assert status(proxy) == 200
    proxy.reload(ADAPTIVE.replace("max = 1", "max = 2"))
    assert counts(proxy) == {"pool app": (0, 0)}


def test_what_a_cache_has_is_no_work_for_a_pool(run):
    proxy = run('[cache]\nsize = "1M"\n' + ADAPTIVE)
    stored = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok"
    client = waiting(proxy, "/page")
    proxy.network.connections[-1].send(stored)
    assert client.received.endswith(b"ok")
    waiting(proxy)
    assert status(proxy, "/page") == 200 and status(proxy, "/other") == 503


def test_what_is_off_is_not_there(run):
    proxy = run(reverse())
    mode = proxy.factory.mode
    assert proxy.factory.handle == mode.plan


def test_a_configuration_that_is_not_taken_changes_no_count(run):
    proxy = run(reverse('request_limits = { rate = "1/h" }'))
    assert status(proxy) == 200
    with pytest.raises(ConfigError):
        assemble(
            proxy._read(reverse("error_pages = { 503 = 'no such file' }")),
            Observers(),
            Around(proxy.reactor, proxy.service.assembly.served[0].factory.services.resolver),
            proxy.service.assembly,
        )
    assert status(proxy) == 429


# -- the challenge

HTML = "Accept: text/html\r\n"
EASY = "[challenge]\ndifficulty = 8\n"


def passed(proxy, port=8080):
    """The cookie of who has answered."""
    client = proxy.reactor.connect(port)
    client.send(f"GET /api HTTP/1.1\r\nHost: a\r\n{HTML}\r\n".encode())
    question = question_of(client.take())
    client.send(
        f"GET /.well-known/txproxy-challenge/answer?question={question}&number={solved(question)} HTTP/1.1\r\n"
        "Host: a\r\n\r\n".encode()
    )
    return f"Cookie: {client.received.partition(b'Set-Cookie: ')[2].partition(b';')[0].decode()}\r\n"


def test_a_listener_asks_for_proofs_before_all_its_routes(run):
    proxy = run(reverse('challenge = { except = [{ path = "/here" }] }', top=EASY))
    assert [status(proxy, path, lines=HTML) for path in ("/", "/api", "/here")] == [403, 403, 200]
    cookie = passed(proxy)
    assert [status(proxy, path, lines=cookie) for path in ("/", "/api", "/here")] == [200, 200, 200]
    assert proxy.service.assembly.limits.challenges.counts["web"].passed == 1


def test_a_route_asks_for_them_alone_and_the_listener_takes_the_answers(run):
    proxy = run(reverse(route="challenge = true", top=EASY))
    assert [status(proxy, path) for path in ("/", "/api", "/here")] == [200, 403, 200]
    assert status(proxy, "/api", lines=passed(proxy)) == 200


def test_what_was_proved_holds_after_a_reload_unless_the_secret_is_another(run):
    proxy = run(reverse("challenge = true", top=EASY))
    cookie = passed(proxy)
    proxy.reload(reverse("challenge = true", top="[challenge]\ndifficulty = 9\n"))
    assert [status(proxy, lines=cookie), status(proxy)] == [200, 403]
    proxy.reload(reverse("challenge = true", top='[challenge]\nsecret = "written by a hand"\n'))
    assert status(proxy, lines=cookie) == 403


def test_load_goes_on_over_a_reload_and_is_that_of_all_workers(run):
    asks = 'challenge = { above = "2/h" }'
    proxy = run(reverse(asks, top=EASY))
    assert [status(proxy) for _ in range(2)] == [200, 200]
    proxy.reload(reverse(asks, top=EASY.replace("8", "9")))
    assert status(proxy) == 403
    assert not proxy.service.assembly.limits.shared_rates
    config = proxy._read(reverse(asks))
    shared = LiveLimits(config, proxy.reactor, shared=True).shared_rates
    assert list(shared) == ["challenge 'web' '' 2/h"]
    # As it is, and not as a file calls it, which may call two by the same.
    web = attrs.evolve(config.listeners[0], name=OutsideText("web", "{ file = 'name' }"))
    other = LiveLimits(attrs.evolve(config, listeners=(web,)), proxy.reactor, shared=True)
    assert other.shared_rates.keys() == shared.keys()


def test_who_comes_by_a_trusted_proxy_is_who_that_says(run):
    proxy = run(reverse('challenge = true\ntrusted_proxies = ["127.0.0.0/8"]', top=EASY))
    lines = [f"X-Forwarded-For: {address}\r\n" for address in ("192.0.2.7", "192.0.2.9", "198.51.100.1")]
    client = proxy.reactor.connect(8080)
    client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{HTML}{lines[0]}\r\n".encode())
    question = question_of(client.take())
    ask = f"GET /.well-known/txproxy-challenge/answer?question={question}&number={solved(question)} HTTP/1.1\r\n"
    client.send(f"{ask}Host: a\r\n{lines[0]}\r\n".encode())
    cookie = client.received.partition(b"Set-Cookie: ")[2].partition(b";")[0].decode()
    found = [status(proxy, lines=f"Cookie: {cookie}\r\n{line}") for line in lines]
    assert found == [200, 200, 403]
