"""Which listeners count together, what is kept when a file is read again, and who writes down what."""

import pytest
from twisted.internet.task import Clock

from txproxy.config.model import BoundsConfig, Config, PoolConfig, ReverseListener
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError
from txproxy.limits.quotas import Quota
from txproxy.limits.usage import DAY
from txproxy.net.dns.resolver import Resolver
from txproxy.runtime.builder import Around, Observers, assemble
from txproxy.testing import ProxyInMemory

FORWARD = '[[listeners]]\nname = "{}"\nmode = "forward"\nlisten = "tcp:{}"\nallow_clients = "0.0.0.0/0"\n'
WEB = '[[listeners]]\nname = "{}"\nlisten = "tcp:{}"\npool = "web"\n'
TCP = '[[listeners]]\nname = "db"\nmode = "tcp"\nlisten = "tcp:5432"\npool = "db"\n'
POOLS = '[pools.web]\nupstreams = "http://10.0.0.1"\n[pools.db]\nupstreams = "10.0.0.1:5432"\n'
QUOTA = "quotas = [{ day = 1000 }]\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 1000\r\n\r\n" + bytes(1000)


def built(text, before=None, clock=None):
    clock = clock or Clock()
    return assemble(parse(text + POOLS, "/tmp/edge.toml"), Observers(), Around(clock, Resolver(clock)), before)


@pytest.fixture
def serve():
    """Plays the listener of a configuration, in memory."""
    made = []

    def serve(text, number=0):
        made.append(ProxyInMemory(lambda reactor: built(text, clock=reactor).served[number].factory))
        return made[-1]

    yield serve
    for proxy in made:
        proxy.close()


def test_forward_listeners_count_together_and_others_each_for_itself():
    text = QUOTA + FORWARD.format("a", 3128) + FORWARD.format("b", 3129)
    text += WEB.format("web", 80) + QUOTA + WEB.format("api", 81) + QUOTA + WEB.format("free", 82) + TCP + QUOTA
    allotments = built(text).allotments
    assert set(allotments) == {"a", "b", "web", "api", "db"}
    assert allotments["a"] is allotments["b"]
    assert len(set(allotments.values())) == 4


def test_what_is_counted_at_a_listener_is_told_apart_in_the_file(tmp_path):
    file = f'usage_file = "{tmp_path / "usage.sqlite"}"\n'
    allotments = built(file + FORWARD.format("a", 3128) + WEB.format("web", 80) + QUOTA).allotments
    meters = [allotments[name].bounds("10.0.0.1", None, "").meter for name in ("a", "web")]
    assert [meter.keys for meter in meters] == [("client 10.0.0.1",), ("client 10.0.0.1 at web",)]
    assert allotments["web"].used("10.0.0.1", None, DAY) == 0
    for one in allotments.values():
        one.stop()


@pytest.mark.parametrize(
    ("again", "kept"),
    [
        (WEB.format("web", 8080) + QUOTA + FORWARD.format("b", 3129), True),
        (WEB.format("web", 80) + "quotas = [{ day = 2000 }]\n" + FORWARD.format("a", 3128), False),
        (WEB.format("other", 80) + QUOTA + FORWARD.format("a", 3128), False),
    ],
)
def test_what_is_used_is_known_when_the_file_is_read_again(again, kept):
    top = "bandwidths = [{ down = 1000 }]\n"
    before = built(top + WEB.format("web", 80) + QUOTA + FORWARD.format("a", 3128))
    after = built(top + again, before)
    names = [listener.name for listener in after.config.listeners]
    assert (after.allotments[names[0]] is before.allotments["web"]) is kept
    assert after.allotments[names[1]] is before.allotments["a"]
    before.stop_new(None)
    after.stop_new(None)


def test_a_listener_of_which_nothing_has_changed_goes_on():
    text = WEB.format("web", 80) + QUOTA + TCP + QUOTA
    before = built(text)
    after = built(text, before)
    assert after.factories == before.factories
    before.stop_new(None)


def test_a_reverse_listener_refuses_who_is_over_its_quota(serve):
    proxy = serve(WEB.format("web", 80) + QUOTA)
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(OK)
    client.take()
    client.send(GET)
    # Its name is nothing that clients are told.
    assert client.received.endswith(b"403 Forbidden\nclient 127.0.0.1 has used up the day's 1000 bytes.\n")


def test_a_tcp_listener_shapes(serve):
    proxy = serve(TCP + "bandwidths = [{ down = 4000 }]\n")
    client = proxy.connect()
    proxy.upstream.send(bytes(2000))
    assert len(client.received) == 1000
    proxy.advance(0.5)
    assert len(client.received) == 2000


def test_audit_logs_are_shared_by_their_files(tmp_path):
    files = [str(tmp_path / name) for name in ("one.json", "one.json", "other.json")]
    listeners = (FORWARD.format("a", 3128), WEB.format("web", 80), TCP)
    text = "".join(f'{listener}audit = "{file}"\n' for listener, file in zip(listeners, files, strict=True))
    before = built(text)
    assert list(before.audits) == ["/".join((str(tmp_path), name)) for name in ("one.json", "other.json")]
    logs = list(before.audits.values())
    assert [log.file.closed for log in logs] == [False, False]
    before.factories[0].stop()
    assert [log.file.closed for log in logs] == [False, False]
    assert built(text, before).audits == before.audits
    before.stop_new(None)
    assert [log.file.closed for log in logs] == [True, True]


@pytest.mark.parametrize("text", [FORWARD.format("a", 3128), WEB.format("web", 80)])
def test_error_pages_stand_in_place_of_the_small_ones(serve, tmp_path, text):
    (tmp_path / "page.html").write_text("<p>own page")
    pages = f'error_pages = {{ 4xx = "{tmp_path / "page.html"}" }}\n'
    client = serve(text + pages).connect()
    client.send(GET.replace(b"GET /", b"TRACE http://a.example/"))
    assert client.received.startswith(b"HTTP/1.1 405 ") and client.received.endswith(b"<p>own page")


def test_a_page_of_policy_says_why_all_the_same(serve, tmp_path):
    (tmp_path / "page.html").write_text("<p>own page")
    pages = f'error_pages = {{ 4xx = "{tmp_path / "page.html"}" }}\ndeny_hosts = "a.example"\n'
    client = serve(FORWARD.format("a", 3128) + pages).connect()
    client.send(GET.replace(b" / ", b" http://a.example/ "))
    assert client.received.startswith(b"HTTP/1.1 403 ")
    assert b"own page" not in client.received and b"a.example" in client.received


def test_two_of_one_name_cannot_be_told_apart():
    counted = ReverseListener(pool="web", bounds=BoundsConfig(quotas=(Quota(day=1),)))
    pools = (PoolConfig(name="web", upstreams=("http://10.0.0.1",)),)
    clock = Clock()
    around = Around(clock, Resolver(clock))
    with pytest.raises(ConfigError, match=r"listeners\[1\].name: 'reverse' is the name of another"):
        assemble(Config(listeners=(ReverseListener(pool="web"), counted), pools=pools), Observers(), around)
    assert assemble(Config(listeners=(counted,), pools=pools), Observers(), around).allotments
