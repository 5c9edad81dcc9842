"""Nobody is connected to, looked up or asked; and what is said is what a proxy does."""

import os
import re
import threading

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.config.everything import write_everything
from tests.config.test_preflight import LACKING, POOL, without_spans
from txproxy.config.model import ForwardListener, ReverseListener
from txproxy.config.toml.file import load, parse
from txproxy.errors import ConfigError
from txproxy.net.dns.resolver import Resolver
from txproxy.runtime.builder import Around, Observers, assemble
from txproxy.runtime.dry_run import dry_run, rehearse
from txproxy.runtime.explain import Question, explain
from txproxy.runtime.proxy_service import make_service
from txproxy.testing import ProxyInMemory


class Silent(Resolver):
    """Answers nobody."""

    def find(self, name, client_ip=""):
        return Deferred()


def run(config, question):
    """By a dry run of the only listener."""
    (listener,) = config.listeners
    request = question.request(absolute=isinstance(listener, ForwardListener))
    return dry_run(config, listener, request, question.client, question.scheme)


def serve(config, question):
    """By a proxy whose clients and upstreams are in memory: where it goes, what is sent, and the status."""
    records = []

    def make(clock):
        (factory,) = assemble(config, Observers(exchanges=(records.append,)), Around(clock, Silent(clock))).factories
        return factory

    proxy = ProxyInMemory(make)
    client = proxy.connect(question.client)
    client.send(question.request(absolute=isinstance(config.listeners[0], ForwardListener)))
    network = proxy.network
    sent = network.connections[-1].received if network.connections else b""
    answered = records[0].status if records else 0
    proxy.factory.stop()
    return [str(address) for address in network.dialed], sent, answered


def head_of(sent):
    """The lines of a head, without the mark by which each proxy knows itself again."""
    return MARK.sub("", sent.partition(b"\r\n\r\n")[0].decode()).split("\r\n")


def told(text):
    """What an explanation says of the same: of what is sent, the head."""
    where, head, status = "", [], 0
    for line in text.splitlines():
        if line.startswith("sent to "):
            where, _, first = line.removeprefix("sent to ").rpartition(": ")
            head = [first]
        elif line.startswith("answer: sent to "):
            where = line.removeprefix("answer: sent to ").partition(", if ")[0]
        elif line.startswith(("sent: nothing; a tunnel to ", "answer: a tunnel to ")):
            where = line.partition(" tunnel to ")[2].partition(", if ")[0]
        elif line.startswith("answer: ") and line[8:11].isdigit():
            status = int(line[8:11])
        elif line.startswith("    ") and head:
            head.append(line.strip())
    return where, head, status


MARK = re.compile(r" \([0-9a-f]{12}\)")
REVERSE = """
[[listeners]]
listen = "tcp:80"
tls_listen = "tcp:443"
certificates = "pair.pem"
trusted_proxies = "10.0.0.0/8"
{listener}
[pools.app]
upstreams = ["http://10.0.0.1", "http://10.0.0.2;weight=2"]
{pool}
[pools.db]
upstreams = ["http://10.0.1.1"]
[[routes]]
name = "admin"
path = "/admin"
respond = 403
[[routes]]
name = "api"
path = "/api"
strip_prefix = "/api"
request_headers = {{ set = {{ X-A = "$host" }} }}
response_headers = {{ set = {{ X-B = "b" }} }}
hsts = {{ max_age = "24h" }}
pool = "app"
[[routes]]
name = "old"
path = "~/old/[0-9]+"
redirect = "https://$host/new$path?$query"
[[routes]]
name = "small"
path = "/small"
max_body = 3
pool = "app"
[[routes]]
name = "rest"
host = "b.example"
pool = "app"
[[routes]]
name = "tunnel"
path = "/"
hosts = "db.example"
methods = "CONNECT"
tunnel = "db"
"""
FORWARD = """
[[listeners]]
mode = "forward"
listen = "tcp:3128"
{policy}
"""
ROUTED = [
    ("GET", "http://a.example/api/x?y=1"),
    ("POST", "http://a.example/api", "Content-Length: 5"),
    ("GET", "http://a.example/admin"),
    ("GET", "http://a.example//admin"),
    ("GET", "http://a.example/nowhere"),
    ("GET", "http://a.example/old/12?x"),
    ("GET", "http://a.example/old/x"),
    ("POST", "http://a.example/small", "Content-Length: 5"),
    ("PUT", "http://a.example/small", "Content-Length: 2"),
    ("GET", "http://a.example/api/x", "X-Forwarded-For: 192.0.2.7", "Cookie: a=b"),
    ("GET", "http://a.example/api/x", "Upgrade: websocket", "Connection: upgrade"),
    ("GET", "http://a.example/api/x", "Transfer-Encoding: nonsense"),
    ("TRACE", "http://a.example/"),
    ("OPTIONS", "http://a.example/api/x", "Max-Forwards: 0"),
    ("OPTIONS", "http://a.example/api/x", "Max-Forwards: 2"),
    ("CONNECT", "db.example:5432"),
    ("CONNECT", "a.example:443"),
]
FORWARDED = [
    ("GET", "http://a.example/x?y"),
    ("GET", "https://a.example/x"),
    ("GET", "http://a.example:25/"),
    ("GET", "http://x.ads.example/"),
    ("GET", "http://old.example/x"),
    ("GET", "http://moved.example/x"),
    ("GET", "http://8.8.8.8/"),
    ("GET", "http://www.youtube.com/", "Cookie: a=b"),
    ("POST", "http://a.example/", "Content-Length: 5", "Connection: x-a", "X-A: b"),
    ("CONNECT", "a.example:443"),
    ("CONNECT", "a.example:25"),
    ("CONNECT", "www.youtube.com:443"),
    ("TRACE", "http://a.example/"),
    ("OPTIONS", "http://a.example/", "Max-Forwards: 0"),
]
POLICIES = {
    "plain": "",
    "strict": 'allow_hosts = ".example"\nallow_ports = 80\nvia = "edge"\nforwarded_for = "on"',
    "lists": 'filters = "ads.txt"',
    "rules": '[[listeners.rules]]\nname = "no"\naction = "deny"\nmethods = "POST"\n'
    '[[listeners.rules]]\nname = "all"\naction = "allow"',
    "default": '[[listeners.rules]]\naction = "allow"\nhosts = "a.example"',
    "addresses": '[[listeners.rules]]\naction = "allow"\naddresses = "8.0.0.0/8"',
    "ask": '[[listeners.rules]]\naction = "ask"',
    "rewrites": 'safe_search = "youtube"\n[[listeners.rewrites]]\nname = "old"\nhosts = "old.example"\n'
    'to = "http://new.example{path}"\n[[listeners.rewrites]]\nname = "moved"\nhosts = "moved.example"\n'
    'to = "http://new.example{path}"\nredirect = 302',
    "parents": 'parents = ["http://bob:x@p.example:3128", "https://t.example;host=old.example"]\n'
    'no_proxy = "moved.example"',
    "auth": '[listeners.auth]\npassword_file = "users"',
    "inject": '[[listeners.inject]]\norigin = "http://a.example"\nheaders = { Authorization = "Bearer x" }',
    "privacy": '[[listeners.privacy]]\nremove = ["X-A"]\nreplace = { User-Agent = "none" }',
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("config")
    write_everything(folder)
    return folder


def agree(config, asked):
    method, url, *lines = asked
    reverse = isinstance(config.listeners[0], ReverseListener)
    question = Question.of(method, url, lines, "10.0.0.9" if reverse else "127.0.0.1", None)
    where, head, status = told(explain(config, question)[0])
    served, sent, answered = serve(config, question)
    got = run(config, question)
    assert [str(address) for address in got.dialed] == served
    assert head_of(got.sent) == head_of(sent)
    assert where == (served[-1] if served else "")
    assert status == answered
    if head:
        hidden = {line.removesuffix("***") for line in head if line.endswith(": ***")}
        shown = [next((f"{one}***" for one in hidden if line.startswith(one)), line) for line in head_of(sent)]
        assert [MARK.sub("", line) for line in head] == shown


@pytest.mark.no_cover
@pytest.mark.parametrize("asked", ROUTED, ids=lambda asked: " ".join(asked))
@pytest.mark.parametrize(
    ("listener", "pool"),
    [
        ("", ""),
        ('pool = "app"\nvia = "none"', 'strategy = "uri-hash"\nsticky = "cookie"\nsticky_key = "0123456789abcdef"'),
        ('host = "h.example"\npool = "db"', ""),
    ],
    ids=["routes", "sticky", "host"],
)
def test_it_agrees_with_a_reverse_proxy(listener, pool, asked, folder):
    agree(parse(REVERSE.format(listener=listener, pool=pool), str(folder / "proxy.toml")), asked)


@pytest.mark.no_cover
@pytest.mark.parametrize("asked", FORWARDED, ids=lambda asked: " ".join(asked))
@pytest.mark.parametrize("policy", POLICIES)
def test_it_agrees_with_a_forward_proxy(policy, asked, folder):
    agree(parse(FORWARD.replace("{policy}", POLICIES[policy]), str(folder / "proxy.toml")), asked)


@pytest.mark.parametrize("listener", ["web", "out"])
def test_it_leaves_nothing_behind(listener, folder):
    config = load(str(folder / "everything.toml"))
    before, threads = sorted(os.listdir(folder)), threading.active_count()
    for lines in ([], ["Proxy-Authorization: Basic Ym9iOng="]):
        for url in ("http://api.example/api/x", "http://x.example.com/", "http://old.example/"):
            explain(config, Question.of("GET", url, lines, "10.0.0.9", listener, None))
    assert (sorted(os.listdir(folder)), threading.active_count()) == (before, threads)


def test_names_are_noted_and_not_looked_up(folder):
    config = parse(FORWARD.replace("{policy}", POLICIES["addresses"]), str(folder / "proxy.toml"))
    got = run(config, Question.of("GET", "http://a.example/", (), "127.0.0.1", None))
    assert (got.looked_up, got.dialed, got.received, got.record) == (["a.example"], [], b"", None)


def test_a_password_that_is_typed_is_not_waited_for(folder):
    config = parse(FORWARD.replace("{policy}", POLICIES["auth"]), str(folder / "proxy.toml"))
    threads = threading.active_count()
    question = Question.of("GET", "http://a.example/", ["Proxy-Authorization: Basic Ym9iOng="], "127.0.0.1", None)
    got = run(config, question)
    assert str(got.entries[-1]) == "auth: the credentials are looked at" and got.record is None
    assert threading.active_count() == threads


def test_what_is_answered_is_what_the_client_received(folder):
    config = parse(REVERSE.format(listener="", pool=""), str(folder / "proxy.toml"))
    got = run(config, Question.of("GET", "http://a.example/old/12?x", (), "127.0.0.1", None))
    assert got.received.startswith(b"HTTP/1.1 308 ") and got.record.outcome == "answered"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("text", [text for text, _ in LACKING.values()], ids=LACKING)
def test_a_rehearsal_says_what_a_start_says(tmp_path, monkeypatch, text, workers):
    without_spans(monkeypatch)
    (tmp_path / "text").write_text("this is no database")
    (tmp_path / "other.db").write_text("nor is this")
    text = f"workers = {workers}\n{text}{'' if 'forward' in text else POOL}"
    config = parse(text, str(tmp_path / "proxy.toml"))
    with pytest.raises(ConfigError) as rehearsed:
        rehearse(config)
    with pytest.raises(ConfigError) as started:
        make_service(config, Clock())
    assert str(rehearsed.value) == str(started.value) and "proxy.toml:" in str(started.value)
    assert sorted(os.listdir(tmp_path)) == ["other.db", "text"]


def test_a_rehearsal_of_everything_changes_nothing(tmp_path):
    file = write_everything(tmp_path)
    before = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    threads = threading.active_count()
    rehearse(load(file))
    assert {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert threading.active_count() == threads
