"""What a reload keeps: each live object whose piece of the configuration is as it was."""

import base64
import gc
import os
import sys
import weakref
from types import ModuleType

import attrs
import pytest

from tests.runtime.listening import ListeningReactor
from tests.tls.authority import new_ca
from txproxy.auth.auth_policy import AuthPolicy
from txproxy.auth.login_throttle import TryLimits
from txproxy.config.model import Config, ForwardListener
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError, ParentError
from txproxy.forward.access.rules import Rule
from txproxy.forward.policy import ForwardPolicy
from txproxy.runtime.proxy_service import make_service
from txproxy.testing import MemoryNetwork

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
DOWN = ParentError("it refused the connection", error="connection_refused")
LISTENER = '[[listeners]]\nmode = "forward"\nlisten = "tcp:3128"\n'
OTHER = '[[listeners]]\nmode = "forward"\nlisten = "tcp:3129"\n'
RULE = '[[listeners.rules]]\naction = "allow"\n'
REVERSE = """
[[listeners]]
name = "web"
listen = "tcp:8080"
pool = "app"
[pools.app]
upstreams = "http://10.0.0.1:8001"
[[routes]]
name = "r"
path = "/r"
pool = "app"
"""


class Running:
    """A service in memory, whose dials all go to one network."""

    def __init__(self, config):
        self.reactor = ListeningReactor()
        self.network = MemoryNetwork(self.reactor)
        self.service = make_service(self._read(config), self.reactor)
        self.service.privilegedStartService()
        self.service.startService()
        self._take_dials()

    def _read(self, config):
        return config if isinstance(config, Config) else parse('[log]\naccess = "none"\n' + config, "edge.toml")

    def _take_dials(self):
        for factory in self.service.factories:
            factory.services.dialer = self.network

    def reload(self, config):
        self.service.reload(self._read(config))
        self._take_dials()
        self.reactor.advance(0)

    @property
    def factory(self):
        return self.service.factories[0]

    def ask(self, url="http://a.example/", port=3128, login=None, answer=OK):
        """One request of a new client, which an upstream answers; gives what the client gets."""
        client = self.reactor.connect(port)
        host = url.split("/")[2] if "//" in url else "a"
        more = f"Proxy-Authorization: Basic {base64.b64encode(login.encode()).decode()}\r\n" if login else ""
        client.send(f"GET {url} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode())
        if not client.received and self.network.connections:
            self.network.connections[-1].send(answer)
        return client

    def stop(self):
        self.service.hurry()
        self.service.stopService()
        self.reactor.advance(31)
        assert self.reactor.getDelayedCalls() == []


@pytest.fixture
def run():
    running = []

    def run(config):
        running.append(Running(config))
        return running[-1]

    yield run
    for one in running:
        one.stop()


class Checked:
    """Checks passwords, and counts."""

    def __init__(self):
        self.asked = 0

    def __call__(self, name, password):
        self.asked += 1
        return name if password == b"right" else None


def with_policy(**policy):
    return Config(listeners=(ForwardListener(listen=("tcp:3128",), policy=ForwardPolicy(**policy)),))


@pytest.mark.parametrize("rules", [[], [Rule(action="allow", name="new")]], ids=["nothing", "rules"])
def test_a_login_that_was_right_is_remembered_whatever_else_changes(run, rules):
    check = Checked()
    proxy = run(with_policy(auth=AuthPolicy(passwords=check)))
    assert proxy.ask(login="bob:right").received.endswith(b"ok")
    proxy.reload(with_policy(auth=AuthPolicy(passwords=check), rules=rules))
    assert proxy.ask(login="bob:right").received.endswith(b"ok")
    assert check.asked == 1
    proxy.reload(with_policy(auth=AuthPolicy(passwords=check, realm="elsewhere"), rules=rules))
    assert proxy.ask(login="bob:right").received.endswith(b"ok")
    assert check.asked == 2, "another authenticator knows nothing"


def test_failed_logins_are_counted_on(run):
    auth = AuthPolicy(passwords=Checked(), tries=TryLimits(free=1, first=2.0))
    proxy = run(with_policy(auth=auth))
    assert b" 407 " in proxy.ask(login="bob:wrong").received
    proxy.reload(with_policy(auth=attrs.evolve(auth), rules=[Rule(action="allow")]))
    client = proxy.ask(login="bob:wrong again")
    assert client.received == b""
    proxy.reactor.advance(2)
    assert b" 407 " in client.received


def test_a_parent_that_has_failed_is_still_out(run):
    text = LISTENER + 'parents = ["http://one.example:1", "http://two.example:2;backup"]\n'
    proxy = run(text + RULE)
    first = next(iter(proxy.factory.forward.parents))
    first.failed(DOWN)
    proxy.reload(text + RULE + 'name = "other"\n')
    assert next(iter(proxy.factory.forward.parents)) is first and first.out
    assert proxy.ask().received.endswith(b"ok")
    assert proxy.network.dialed[-1].through.address.host == "two.example"
    proxy.reload(text.replace(":1", ":11") + RULE)
    assert not next(iter(proxy.factory.forward.parents)).out
    assert proxy.ask().received.endswith(b"ok")
    assert proxy.network.dialed[-1].through.address.host == "one.example"


def test_lists_are_kept_and_those_that_have_changed_are_read_at_once(run, tmp_path):
    file = tmp_path / "ads.txt"
    file.write_text("ads.example\n")
    text = LISTENER + f'filters = "{file}"\n'
    proxy = run(text)
    filters = proxy.factory.forward.filters
    assert b" 403 " in proxy.ask("http://ads.example/").received
    file.write_text("other.example\n")
    for changed in ("", "pac = false\n"):
        proxy.reload(text + changed)
        assert proxy.factory.forward.filters is filters
        assert proxy.ask("http://ads.example/").received.endswith(b"ok")
        assert b" 403 " in proxy.ask("http://other.example/").received


def test_users_who_have_gone_are_not_remembered(run, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("t0ken:bob\n")
    text = LISTENER + f'auth = {{ token_file = "{tokens}" }}\n'
    proxy = run(text)

    def answer():
        client = proxy.reactor.connect(3128)
        client.send(b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nProxy-Authorization: Bearer t0ken\r\n\r\n")
        return client.received

    assert answer() == b"" and proxy.network.dialed
    tokens.write_text("other:eve\n")
    proxy.reload(text)
    assert b" 407 " in answer()


@pytest.mark.parametrize(
    ("text", "port", "url"), [(LISTENER, 3128, "http://a.example/"), (REVERSE, 8080, "/")], ids=["forward", "reverse"]
)
def test_connections_to_upstreams_stay_warm_where_nothing_of_the_listener_changes(run, text, port, url):
    proxy = run(text)
    client = proxy.ask(url, port)
    assert client.received.endswith(b"ok")
    factory = proxy.factory
    proxy.reload(OTHER + text)
    assert factory in proxy.service.factories
    assert proxy.ask(url, port).received.endswith(b"ok")
    assert len(proxy.network.connections) == 1
    client.received = b""
    client.send(f"GET {url} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
    assert not client.closed
    proxy.network.connections[-1].send(OK)
    assert client.received.endswith(b"ok")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('path = "/r"', 'path = "/s"'),
        ("8001", "8002"),
        ('listen = "tcp:8080"', 'listen = "tcp:8080"\nvia = "none"'),
        ('listen = "tcp:8080"', 'listen = "tcp:8080"\nlimits = { idle_timeout = 7 }'),
    ],
    ids=["a route", "a pool", "via", "limits"],
)
def test_whatever_a_reverse_listener_needs_makes_another_factory(run, old, new):
    proxy = run(REVERSE)
    before = proxy.factory
    proxy.reload(REVERSE)
    assert proxy.factory is before
    proxy.reload(REVERSE.replace(old, new))
    assert proxy.factory is not before
    assert proxy.ask("/", 8080).received.endswith(b"ok")


def test_an_error_page_that_was_written_again_is_sent(run, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("one")
    text = REVERSE.replace('pool = "app"\n[pools', f'error_pages = {{ 404 = "{page}" }}\n[pools')
    proxy = run(text)
    assert proxy.ask("/", 8080).received.endswith(b"one")
    page.write_text("two")
    proxy.reload(text)
    assert proxy.ask("/", 8080).received.endswith(b"two")


def test_the_audit_log_goes_on_and_ends_with_the_last_who_writes(run, tmp_path):
    text = LISTENER + f'audit = "{tmp_path}/audit.json"\n'
    proxy = run(text)
    (log,) = proxy.service.logs()
    proxy.reload(text + RULE)
    assert proxy.service.logs() == [log] and not log.closed
    proxy.reload(LISTENER)
    assert proxy.service.logs() == [] and log.closed


def test_logs_of_who_has_yet_to_leave_are_begun_anew_and_waited_for(run, tmp_path):
    text = LISTENER + 'audit = "{0}/{1}.audit"\naccess_log = "{0}/{1}.log"\n'
    proxy = run(text.format(tmp_path, "old"))
    client = proxy.ask(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
    upstream = proxy.network.connections[-1]
    proxy.reload(text.format(tmp_path, "new"))
    names = sorted(os.path.basename(log.path) for log in proxy.service.logs())
    assert names == ["new.audit", "new.log", "old.audit", "old.log"]
    (tmp_path / "old.log").rename(tmp_path / "moved")
    logs = proxy.service.logs()
    proxy.service.reopen_logs()
    assert all(log.flush(5) for log in logs)
    upstream.send(b"k")
    assert client.received.endswith(b"ok") and len(proxy.service.logs()) == 2
    assert all(log.flush(5) for log in logs)
    assert (tmp_path / "moved").read_text() == "" and "GET http://a.example/" in (tmp_path / "old.log").read_text()


def test_one_listener_without_clients_does_not_close_the_log_of_another(run, tmp_path):
    log = f'access_log = "{tmp_path}/old.log"\n'
    proxy = run(LISTENER + log + OTHER + log)
    client = proxy.ask(port=3129, answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
    (file,) = proxy.service.logs()
    upstream = proxy.network.connections[-1]
    proxy.reload(LISTENER + OTHER)
    assert not file.closed
    upstream.send(b"k")
    assert client.received.endswith(b"ok") and file.flush(5) and file.closed
    assert (tmp_path / "old.log").read_text().count("GET http://a.example/") == 1


def test_nothing_holds_what_has_gone(run, tmp_path):
    (tmp_path / "ads.txt").write_text("ads.example\n")
    (tmp_path / "tokens").write_text("t0ken:bob\n")
    lists = f'filters = "{tmp_path}/ads.txt"\nlists = {{ ads = "{tmp_path}/ads.txt" }}\n'
    text = LISTENER + lists + f'auth = {{ token_file = "{tmp_path}/tokens" }}\n' + RULE
    proxy = run(text)
    gone = weakref.ref(proxy.factory)
    kept = proxy.factory.forward.authenticator
    proxy.reload(text + 'hosts = "@ads"\n')
    assert proxy.factory.forward.authenticator is kept
    gc.collect()
    assert gone() is None


def test_a_reload_that_cannot_be_leaves_nothing_behind(run, tmp_path):
    text = LISTENER + f'audit = "{tmp_path}/audit.json"\n'
    proxy = run(text)
    (log,) = proxy.service.logs()
    before = proxy.factory
    proxy.reactor.taken = (3129,)
    with pytest.raises(ConfigError, match="3129"):
        proxy.reload(text + "pac = false\n" + OTHER)
    assert proxy.factory is before
    assert proxy.ask().received.endswith(b"ok")
    proxy.reload(LISTENER)
    assert log.closed, "who was not taken does not hold it"


def test_the_authorities_that_vouch_for_a_kept_parent_are_read_again(run, tmp_path):
    file = tmp_path / "ca.pem"
    file.write_bytes(new_ca().cert_pem)
    text = LISTENER + f'parents = "https://p.example:1;ca={file}"\n'
    proxy = run(text)
    tls = next(iter(proxy.factory.forward.parents)).address.tls
    file.write_bytes(new_ca("another").cert_pem * 2)
    proxy.reload(text)
    assert next(iter(proxy.factory.forward.parents)).address.tls is tls
    assert not tls.check(), "it has been read"


# -- middleware


class Counting:
    """Counts its requests, and says so to clients."""

    def __init__(self):
        self.seen = 0

    def handle(self, request, context, proceed):
        self.seen += 1
        context.add_lines(b"X-Seen: %d" % self.seen)
        return proceed(request, context)


@pytest.fixture
def counting(monkeypatch):
    """The name of a middleware that can be imported."""
    module = ModuleType("own_counting")
    module.Counting = Counting
    monkeypatch.setitem(sys.modules, "own_counting", module)
    return "own_counting:Counting"


@pytest.mark.parametrize(
    ("text", "port", "url"),
    [(REVERSE, 8080, "/r"), (LISTENER + 'allow_destinations = ["10.0.0.0/8"]\n', 3128, "http://10.0.0.1/")],
    ids=["reverse", "forward"],
)
def test_middleware_stays_where_its_listener_is_as_it_was(run, counting, text, port, url):
    text = text.replace("listen = ", f'middleware = "{counting}"\nlisten = ')
    here = run(text)
    assert b"X-Seen: 1" in here.ask(url, port).received
    here.reload(text + "\n")
    assert b"X-Seen: 2" in here.ask(url, port).received
    here.reload(text.replace("listen = ", "limits.idle_timeout = 5\nlisten = "))
    assert b"X-Seen: 1" in here.ask(url, port).received
    here.reload(text.replace(f'middleware = "{counting}"\n', ""))
    assert b"X-Seen" not in here.ask(url, port).received


def test_middleware_that_cannot_be_made_changes_nothing(run, counting, monkeypatch):
    text = REVERSE.replace("listen = ", f'middleware = "{counting}"\nlisten = ')
    here = run(REVERSE)
    monkeypatch.setattr(Counting, "__init__", lambda self: {}["x"])
    with pytest.raises(ConfigError, match=r"edge.toml:6: listeners\[0\].middleware\[0\]: .* cannot be called: Key"):
        here.reload(text)
    assert here.ask("/r", 8080).received.startswith(b"HTTP/1.1 200")
