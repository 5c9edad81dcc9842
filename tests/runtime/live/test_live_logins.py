"""Users of sites of a file: at listeners, at routes, and over reloads."""

import attrs
import pytest
from twisted.internet.task import Clock

from tests.runtime.test_reload import OK, Running
from txproxy.components.outside_text import OutsideText
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError
from txproxy.runtime.live.live_logins import LiveLogins
from txproxy.runtime.workers.common.shared_keys import with_shared_keys

FILE = """
[[listeners]]
name = "web"
listen = "tcp:8080"
pool = "app"
LISTENER
[pools.app]
upstreams = "http://10.0.0.1:8001"
[[routes]]
name = "admin"
path = "/admin"
pool = "app"
ADMIN
[[routes]]
name = "open"
path = "/open"
respond = 200
OPEN
"""


def file(listener="", admin="", open_=""):
    return FILE.replace("LISTENER", listener).replace("ADMIN", admin).replace("OPEN", open_)


@pytest.fixture
def run():
    running = []

    def run(config):
        running.append(Running(config))
        return running[-1]

    yield run
    for one in running:
        one.stop()


@pytest.fixture
def users(tmp_path):
    """Who is known by which tokens, and how it is written at a listener."""
    (tmp_path / "tokens").write_text("of-bob:bob\nof-eve:eve\n")
    return f"token_file = '{tmp_path / 'tokens'}'"


def status(running, path, token=""):
    client = running.reactor.connect(8080)
    line = f"Authorization: Bearer {token}\r\n" if token else ""
    client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n{line}\r\n".encode())
    if not client.received and running.network.connections:
        running.network.connections[-1].send(OK)
    return int(client.received.split()[1])


def test_a_route_has_its_own_or_that_of_its_listener_or_none(run, users):
    running = run(file(f"login = {{ {users} }}", f"login = {{ {users}, users = 'bob' }}", "login = false"))
    assert [status(running, path) for path in ("/", "/admin", "/open")] == [401, 401, 200]
    assert [status(running, path, "of-eve") for path in ("/", "/admin")] == [200, 403]
    assert [status(running, path, "of-bob") for path in ("/", "/admin")] == [200, 200]


def test_a_limit_by_user_counts_those_who_are_known(run, users):
    limit = "request_limits = [{ rate = '1/h', by = 'user' }]"
    running = run(file(f"login = {{ {users} }}\n{limit}"))
    assert [status(running, "/", "of-bob"), status(running, "/", "of-eve"), status(running, "/", "of-bob")] == [
        200, 200, 429,
    ]  # fmt: skip
    assert status(running, "/") == 401


def test_who_asks_too_much_is_not_asked_who_he_is(run, users):
    limit = "request_limits = [{ rate = '1/h', by = ['client', 'route'] }]"
    running = run(file(f"login = {{ {users} }}\n{limit}"))
    assert [status(running, "/"), status(running, "/"), status(running, "/", "of-bob")] == [401, 429, 429]


def test_a_reload_keeps_who_knows_them_and_takes_what_is_new(run, users, tmp_path):
    config = file(f"login = {{ {users} }}")
    running = run(config)
    factory = running.factory
    running.reload(config)
    assert running.factory is factory
    (tmp_path / "tokens").write_text("of-alice:alice\n")
    running.reload(config)
    assert running.factory is factory
    assert [status(running, "/", token) for token in ("of-bob", "of-alice")] == [401, 200]
    running.reload(file())
    assert running.factory is not factory and status(running, "/") == 200


def test_threads_end_with_the_users_that_they_were_for(tmp_path):
    (tmp_path / "users").write_text("bob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n")
    config = parse(file(f"login = {{ password_file = '{tmp_path / 'users'}' }}"), "edge.toml")
    running = Running(config)
    before = running.service._now.assembly.logins
    (made,) = before._authenticators.values()
    ended = []
    made.threads.close = lambda: ended.append(made)
    running.reload(file())
    assert ended == [made]
    running.stop()
    assert ended == [made]


def test_workers_have_one_secret_and_tell_each_other(users, tmp_path):
    config = with_shared_keys(parse(file(f"login = {{ {users} }}", f"login = {{ {users} }}"), "edge.toml"), b"secret")
    other = with_shared_keys(parse(file(f"login = {{ {users} }}", f"login = {{ {users} }}"), "edge.toml"), b"secret")
    assert config == other and config.listeners[0].login.policy.login_secret
    one, two = (LiveLogins(made, Clock()) for made in (config, other))
    # Both places have one and the same.
    assert one.shared.keys() == two.shared.keys() and len(one.shared) == 2


def test_who_is_called_the_same_is_not_known_to_the_same(tmp_path):
    logins = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokens").write_text(f"of-{name}:{name}\n")
        logins.append(OutsideText(str(tmp_path / name / "tokens"), "{ file = 'where' }"))
    config = parse(file(*(f"login = {{ token_file = '{one}' }}" for one in logins)), "edge.toml")
    # Read from files in two folders that are called the same in each.
    place = config.listeners[0]
    policies = [attrs.evolve(place.login.policy, token_file=one) for one in logins]
    listeners = (attrs.evolve(place, login=attrs.evolve(place.login, policy=policies[0])),)
    route = config.routes[0]
    routes = (attrs.evolve(route, login=attrs.evolve(route.login, policy=policies[1])),)
    assert len(LiveLogins(attrs.evolve(config, listeners=listeners, routes=routes), Clock()).shared) == 4


def test_a_file_that_is_gone_meanwhile_is_named(users, tmp_path):
    config = parse(file("", f"login = {{ {users} }}"), "edge.toml")
    (tmp_path / "tokens").unlink()
    with pytest.raises(ConfigError) as raised:
        LiveLogins(config, Clock())
    assert [one.path for one in raised.value.findings] == [("routes", 0, "login", "token_file")]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (file("login = { realm = 'x' }"), "listeners[0].login: authentication without users; accepted is at least one"),
        (file("login = { password_file = '/nowhere' }"), "listeners[0].login.password_file: /nowhere: "),
        (file("", "login = true"), "routes[0].login: true is no table; "),
        ("[[listeners]]\nmode = 'forward'\nlisten = 'tcp:1'\nlogin = {}\n", "login: it is for sites; accepted is auth"),
        ("[[listeners]]\nmode = 'forward'\nlisten = 'tcp:1'\nchallenge = true\n", "challenge: no browser can be asked"),
    ],
)
def test_what_is_wrong_is_named(config, said):
    with pytest.raises(ConfigError) as raised:
        parse(config, "edge.toml")
    assert said in str(raised.value)
