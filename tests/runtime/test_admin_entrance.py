"""The admin API of what runs: begun with it, kept or moved by a reload, and left last."""

import os
import socket

import attrs
import pytest
from twisted.logger import capturedLogs, formatEvent

from tests.admin.conftest import read
from tests.runtime.listening import GET, ListeningReactor, Port
from txproxy.admin.proxy_view import ListenerView, Stage
from txproxy.config import Config, ForwardListener, parse
from txproxy.config.admin_endpoint import AdminConfig
from txproxy.config.endpoints import Bound
from txproxy.config.toml.file import load
from txproxy.errors import ConfigError
from txproxy.net.dns.resolver import Resolver
from txproxy.net.transports.adopted_ports import LeftSocket
from txproxy.runtime.admin_entrance import AdminEntrance, RunningView
from txproxy.runtime.builder import Around, Observers, assemble
from txproxy.runtime.live.live_counts import LiveCounts
from txproxy.runtime.proxy_service import make_service

TOKEN = "0123456789abcdef"
FILE = """
[log]
access = "none"
[admin]
listen = "127.0.0.1:9090"
[[listeners]]
listen = "tcp:8080"
pool = "app"
[pools.app]
upstreams = "http://10.0.0.1:80"
"""
ALONE = "[[routes]]\nname = 'all'\npath = '/x'\nrespond = { status = 200 }\n"


@attrs.frozen
class Proxy:
    """One that runs."""

    assembly: object
    stage: Stage = Stage.SERVING
    counts: LiveCounts = attrs.field(factory=LiveCounts)


@pytest.fixture
def reactor():
    return ListeningReactor()


@pytest.fixture
def start(reactor):
    services = []

    def start(config):
        service = make_service(parse(config, "edge.toml") if isinstance(config, str) else config, reactor)
        service.privilegedStartService()
        service.startService()
        services.append(service)
        return service

    yield start
    for service in services:
        service.hurry()
        if service.running:
            service.stopService()
    reactor.advance(90)
    assert not any(port.listens for port in reactor.ports.values())
    assert reactor.getDelayedCalls() == []


def ask(reactor, path, *lines, port=9090):
    client = reactor.connect(port)
    client.send("\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode())
    (answer,) = read(client.take())
    client.drop(clean=True)
    return answer


def test_without_it_nothing_more_listens(start, reactor):
    service = start(FILE.replace('[admin]\nlisten = "127.0.0.1:9090"\n', ""))
    assert list(reactor.ports) == [8080] and len(service.ports) == 1


def test_it_says_how_far_the_proxy_is(start, reactor):
    service = make_service(parse(FILE, "edge.toml"), reactor)
    service.privilegedStartService()
    assert ask(reactor, "/readyz").json["reasons"] == ["starting"]
    service.startService()
    assert ask(reactor, "/readyz").status == 200
    assert [port.number for port in service.ports] == [8080, 9090]
    client = reactor.connect(8080)
    client.send(GET)
    stopped = []
    service.stopService().addCallback(stopped.append)
    reactor.advance(0)
    assert not reactor.ports[8080].listens and stopped == []
    assert ask(reactor, "/readyz").json["reasons"] == ["draining"]
    assert ask(reactor, "/healthz").status == 200
    client.drop()
    reactor.advance(0.1)
    assert stopped and not reactor.ports[9090].listens
    reactor.advance(60)
    assert reactor.getDelayedCalls() == []


MANY = """
[[listeners]]
name = "edge"
listen = "tcp:1"
pool = "app"
routes = ["api"]
[[listeners]]
name = "own"
listen = "tcp:2"
routes = ["answers", "api"]
[[listeners]]
name = "streams"
mode = "tcp"
listen = "tcp:3"
pool = "raw"
sni = { "a.example" = "raw", "b.example" = "other" }
[[listeners]]
name = "out"
mode = "forward"
listen = "tcp:4"
[[routes]]
name = "api"
path = "/api"
pool = "api"
auth = { pool = "users" }
[[routes]]
name = "answers"
path = "/x"
respond = { status = 200 }
[pools]
app = { upstreams = "http://10.0.0.1" }
api = { upstreams = "http://10.0.0.2" }
users = { upstreams = "http://10.0.0.3" }
raw = { upstreams = "10.0.0.4:1" }
other = { upstreams = "10.0.0.5:1" }
"""


def test_what_each_listener_needs_is_seen(reactor):
    config = parse(MANY, "edge.toml")
    assembly = assemble(config, Observers(), Around(reactor, Resolver(reactor)))
    view = RunningView(Proxy(assembly))
    assert view.listeners == [
        ListenerView("edge", ("app", "api", "users"), without=False),
        ListenerView("own", ("api", "users"), without=True),
        ListenerView("streams", ("raw", "other"), without=False),
        ListenerView("out", (), without=True),
    ]
    assert {name: pool.name for name, pool in view.pools.items()} == {
        name: name for name in ("app", "api", "users", "raw", "other")
    }


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"listen": "127.0.0.1:5"},
            r"^--admin 127\.0\.0\.1:5: a listener is there; accepted is an endpoint of its own$",
        ),
        (
            {"listen": "6", "token_file": "/none"},
            r"^--admin-token-file /none: No such file or directory; accepted is a file",
        ),
    ],
)
def test_what_cannot_be_is_said_before_anything_listens(reactor, config, said):
    listener = ForwardListener(listen=("127.0.0.1:5",))
    with pytest.raises(ConfigError, match=said):
        make_service(Config(listeners=(listener,), admin=AdminConfig(**config)), reactor)
    assert reactor.ports == {}


def test_an_endpoint_that_is_taken_ends_the_start(reactor):
    config = Config(listeners=(ForwardListener(listen=("tcp:1",)),), admin=AdminConfig(listen="127.0.0.1:9090"))
    reactor.taken = (9090,)
    with pytest.raises(ConfigError, match=r"^--admin 127\.0\.0\.1:9090: cannot listen there: Address already in use$"):
        make_service(config, reactor).privilegedStartService()
    assert reactor.ports == {}
    reactor.taken = (1,)
    with pytest.raises(ConfigError, match=r"^--listen tcp:1: cannot listen there: Address already in use$"):
        make_service(config, reactor).privilegedStartService()
    assert not reactor.ports[9090].listens


def test_a_reload_keeps_it_and_its_clients(start, reactor):
    service = start(FILE)
    port, client = reactor.ports[9090], reactor.connect(9090)
    service.reload(parse(FILE.replace("10.0.0.1", "10.0.0.2"), "edge.toml"))
    assert reactor.ports[9090] is port and port.listens and not client.closed
    assert ask(reactor, "/readyz").status == 200


def test_a_reload_may_move_it_take_it_away_and_bring_it_back(start, reactor):
    service = start(FILE)
    client = reactor.connect(9090)
    service.reload(parse(FILE.replace("9090", "9091"), "edge.toml"))
    reactor.advance(0)
    assert not reactor.ports[9090].listens and client.closed
    assert ask(reactor, "/readyz", port=9091).status == 200
    service.reload(parse(FILE.replace('[admin]\nlisten = "127.0.0.1:9090"\n', ""), "edge.toml"))
    assert not reactor.ports[9091].listens
    service.reload(parse(FILE, "edge.toml"))
    assert ask(reactor, "/readyz").status == 200


def test_a_reload_that_cannot_be_leaves_it_as_it_was(start, reactor):
    service = start(FILE)
    reactor.taken = (9091, 8081)
    for other in (FILE.replace("9090", "9091"), FILE.replace("9090", "9092").replace("8080", "8081")):
        with pytest.raises(ConfigError, match="cannot listen there"):
            service.reload(parse(other, "edge.toml"))
        assert ask(reactor, "/readyz").status == 200
    assert {number for number, port in reactor.ports.items() if port.listens} == {8080, 9090}


def test_a_token_is_asked_for_from_a_reload_on_and_read_again_when_it_changes(start, reactor, tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    config = parse(FILE, "edge.toml")
    service = start(config)
    asking = attrs.evolve(config, admin=AdminConfig(listen="127.0.0.1:9090", token_file=str(file)))
    service.reload(asking)
    assert ask(reactor, "/api/x").status == 401
    assert ask(reactor, "/api/x", f"Authorization: Bearer {TOKEN}").status == 404
    file.write_text("another-0123456789")
    service.check_files()
    assert ask(reactor, "/api/x", f"Authorization: Bearer {TOKEN}").status == 401
    assert ask(reactor, "/api/x", "Authorization: Bearer another-0123456789").status == 404
    file.write_text("short")
    with capturedLogs() as events:
        service.check_files()
        service.check_files()
    (said,) = [formatEvent(event) for event in events]
    assert said.startswith(f"token_file: {file}: there is no token in it") and said.endswith("that was there is kept")
    assert ask(reactor, "/api/x", "Authorization: Bearer another-0123456789").status == 404
    with pytest.raises(ConfigError, match="no token in it"):
        service.reload(attrs.evolve(asking, listeners=config.listeners))
    service.reload(config)
    assert ask(reactor, "/api/x").status == 404


def test_what_was_changed_of_a_pool_stays_until_the_file_says_something_else(start, reactor):
    file = FILE.replace('upstreams = "http://10.0.0.1:80"', 'upstreams = ["http://10.0.0.1", "http://10.0.0.2"]')
    service = start(file)
    path = "/api/pools/app/upstreams/http%3A%2F%2F10.0.0.1"
    client, body = reactor.connect(9090), b'{"order": "disabled", "weight": 4}'
    fields = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    client.send(f"PATCH {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body)
    assert read(client.take())[0].json["changed"] == ["order", "weight"]
    for config, changed in (
        (file, ["order", "weight"]),
        (file + "retries = 3\n", ["order", "weight"]),
        (file.replace("10.0.0.1", "10.0.0.1;weight=2") + "retries = 3\n", ["order"]),
        (file.replace("10.0.0.1", "10.0.0.1;drain"), []),
    ):
        service.reload(parse(config, "edge.toml"))
        assert ask(reactor, path).json["changed"] == changed
    assert ask(reactor, path).json["state"] == "draining"
    client.drop(clean=True)


def test_clients_of_a_configuration_before_are_seen_until_they_leave(start, reactor):
    service = start(FILE)
    old, new = reactor.connect(8080), None
    old.send(GET)
    service.reload(parse(FILE + "retries = 3\n", "edge.toml"))
    new = reactor.connect(8080)
    found = ask(reactor, "/api/connections").json["connections"]
    assert sorted((one["listener"], one["state"]) for one in found) == [("listener 1", "busy"), ("listener 1", "idle")]
    for client in (old, new):
        client.drop()
    reactor.advance(0)
    assert ask(reactor, "/api/connections").json == {"connections": [], "complete": True}


def post(reactor, path):
    client = reactor.connect(9090)
    client.send(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
    (answer,) = read(client.take())
    client.drop(clean=True)
    return answer


def test_the_file_is_read_again_and_goes_back_to_what_it_was(reactor, start, tmp_path):
    path = tmp_path / "edge.toml"
    path.write_text(FILE)
    service = start(load(str(path)))
    path.write_text(FILE.replace("tcp:8080", "tcp:8081"))
    assert post(reactor, "/api/reload").json == {"revision": 2, "file": str(path), "warnings": []}
    assert reactor.ports[8081].listens and not reactor.ports[8080].listens
    path.write_text(FILE.replace("8080", "nowhere"))
    answer = post(reactor, "/api/reload")
    assert answer.status == 422 and answer.json["findings"][0].startswith(f"{path}:7: listeners[0].listen: ")
    assert post(reactor, "/api/revisions/1/apply").json["revision"] == 3
    assert [port.number for port in service.ports] == [8080, 9090]
    found = ask(reactor, "/api/revisions").json["revisions"]
    assert [(one["number"], one["by"], one["runs"]) for one in found] == [
        (1, "start", False), (2, "admin API", False), (3, "admin API, back to revision 1", True),
    ]  # fmt: skip
    assert '+listen = "tcp:8080"' in ask(reactor, "/api/revisions/3").json["diff"]
    assert not service.read_again(), "the file is wrong as it was"
    path.write_text(FILE)
    assert service.read_again()
    assert list(service.file.revisions)[-1].by == "SIGHUP"


def test_where_there_is_no_file_what_options_name_is_read_again(start, reactor):
    start(attrs.evolve(parse(FILE, "edge.toml"), source=""))
    assert post(reactor, "/api/reload").json == {"revision": 1, "file": None, "warnings": []}


ASKS = """
[log]
access = "none"
[admin]
listen = "127.0.0.1:9090"
[[listeners]]
name = "out"
mode = "forward"
listen = "tcp:3128"
allow_clients = ["127.0.0.1"]
rules = [{ name = "new hosts", action = "ask", hosts = ["a.example"], reason = "nobody knows it" }]
"""


def test_a_person_is_asked_by_rules_and_refuses(start, reactor):
    start(parse(ASKS, "edge.toml"))
    guest = reactor.connect(3128)
    guest.send(b"GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n")
    (one,) = ask(reactor, "/api/questions").json["questions"]
    assert (one["listener"], one["rule"], one["url"]) == ("out", "new hosts", "http://a.example/x")
    admin, body = reactor.connect(9090), b'{"allow": false}'
    fields = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    admin.send(f"POST /api/questions/{one['id']} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body)
    assert read(admin.take())[0].json["allowed"] is False
    assert guest.take().startswith(b"HTTP/1.1 403 ")
    assert ask(reactor, "/api/questions").json == {"questions": []}
    for client in (guest, admin):
        client.drop(clean=True)


class Adopting(ListeningReactor):
    """One that listens on what was opened elsewhere, too."""

    def __init__(self):
        super().__init__()
        self.adopted = []

    def adoptStreamPort(self, descriptor, family, factory):
        """As a reactor does."""
        self.adopted.append(socket.socket(fileno=os.dup(descriptor)))
        return Port(9090)


@pytest.mark.parametrize("same", [True, False])
def test_where_the_program_before_has_listened_is_gone_on_with_or_left(tmp_path, same):
    reactor, config = Adopting(), parse(FILE, "edge.toml")
    path = tmp_path / "a.sock"
    path.touch()
    opened = socket.create_server(("127.0.0.1", 0))
    place = opened.getsockname()
    entrance = AdminEntrance(None, reactor)
    entrance.prepare(config)
    left = (config.admin.bound, LeftSocket(opened)) if same else (Bound(path=str(path)), LeftSocket(opened, str(path)))
    entrance.inherit(left)
    entrance.begin(config)
    if same:
        (adopted,) = reactor.adopted
        assert reactor.ports == {} and adopted.getsockname() == place
        adopted.close()
    else:
        # The file names another place by now.
        assert list(reactor.ports) == [9090] and reactor.adopted == [] and not path.exists()
    entrance.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place)
