"""Who has to log in, what servers are told then, and what they are not."""

import base64

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txproxy import Pool, ReverseProxyFactory
from txproxy.auth.auth_policy import AuthPolicy, make_authenticator
from txproxy.auth.credentials import SITE
from txproxy.errors import ConfigError
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.trace import Trace
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.site_login import LoginRequired, SiteLogin
from txproxy.testing import ProxyInMemory
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


def know(name, password):
    """Of everybody the password is the name turned round."""
    return name if password.decode() == name[::-1] else None


POLICY = AuthPolicy(passwords=know, realm="staff")


def basic(name, password=None):
    login = f"{name}:{name[::-1] if password is None else password}"
    return f"Authorization: Basic {base64.b64encode(login.encode()).decode()}\r\n"


class World:
    def __init__(self, policy=POLICY, **more):
        self.records = []

        def build(reactor):
            self.authenticator = make_authenticator(policy, reactor, fields=SITE)
            login = LoginRequired(SiteLogin(policy=policy, **more), self.authenticator, reactor.seconds)
            pool = Pool(["http://10.0.0.1"])
            return ReverseProxyFactory(
                pool, reactor=reactor, middleware=(login,), observers=(self.records.append,), via=None
            )

        self.proxy = ProxyInMemory(build)

    def ask(self, lines="", path="/x", method="GET"):
        """What a new client gets."""
        client = self.proxy.connect()
        client.send(f"{method} {path} HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n".encode())
        if not client.received and self.proxy.network.connections:
            self.proxy.upstream.send(OK)
        return client.received

    @property
    def sent(self):
        return self.proxy.upstream.received


@pytest.fixture
def make():
    made = []

    def make(*args, **settings):
        made.append(World(*args, **settings))
        return made[-1]

    yield make
    for world in made:
        world.proxy.close()


def test_who_has_no_credentials_is_asked_for_them(make):
    world = make()
    came = world.ask()
    assert came.startswith(b"HTTP/1.1 401 ")
    assert b'\r\nWWW-Authenticate: Basic realm="staff", charset="UTF-8"\r\n' in came
    assert b"Proxy-Authenticate" not in came and not world.proxy.network.connections
    # Those for a proxy are none for a site.
    assert world.ask("Proxy-" + basic("bob")).startswith(b"HTTP/1.1 401 ")
    assert [record.status for record in world.records] == [401, 401]


def test_who_has_some_is_served_and_the_server_does_not_get_them(make):
    world = make()
    assert world.ask(basic("bob") + "X-Kept: yes\r\n") == OK
    assert b"uthorization" not in world.sent and b"X-Kept: yes\r\n" in world.sent
    assert [record.context.user for record in world.records] == ["bob"]
    assert world.ask(basic("bob", "wrong")).startswith(b"HTTP/1.1 401 ")


def test_a_server_may_be_told_who_it_is_and_by_nobody_else(make):
    world = make(user_header="X-Remote-User")
    assert world.ask(basic("bob") + "X_Remote_User: eve\r\nx-remote-user: root\r\nConnection: x-remote-user\r\n") == OK
    assert b"\r\nX-Remote-User: bob\r\n" in world.sent
    assert b"eve" not in world.sent and b"root" not in world.sent


def test_credentials_may_be_passed_on(make):
    world = make(pass_credentials=True)
    assert world.ask(basic("bob")) == OK
    assert basic("bob").encode() in world.sent


def test_who_is_excepted_keeps_what_it_has_but_for_the_name_of_a_user(make):
    world = make(user_header="X-Remote-User", excepted=(Match(path="/health"),))
    assert world.ask("Authorization: Bearer t\r\nX-Remote-User: root\r\n", "/health/x") == OK
    assert b"Authorization: Bearer t\r\n" in world.sent and b"root" not in world.sent
    assert world.ask(path="/healthy").startswith(b"HTTP/1.1 401 ")
    # A server may read it as another path.
    assert world.ask(path="/health/..%2fx").startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 400 "))


def test_what_may_be_seen_by_some_is_refused_to_others(make, tmp_path):
    world = make(users={"bob"})
    assert world.ask(basic("bob")) == OK
    refused = world.ask(basic("eve"))
    assert refused.startswith(b"HTTP/1.1 403 ") and b"WWW-Authenticate" not in refused
    assert world.records[-1].context.user == "eve"


def test_a_group_is_enough(make, tmp_path):
    (tmp_path / "groups").write_text("staff: bob eve\n")
    policy = AuthPolicy(passwords=know, group_file=str(tmp_path / "groups"))
    world = make(policy, users={"alice"}, groups={"staff"})
    assert world.ask(basic("bob")) == OK and world.ask(basic("alice")) == OK
    assert world.ask(basic("mallory")).startswith(b"HTTP/1.1 403 ")


def test_a_file_that_changes_is_read_again_within_ten_seconds(make, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("first:bob\n")
    world = make(AuthPolicy(token_file=str(tokens)))
    assert world.ask("Authorization: Bearer first\r\n") == OK
    tokens.write_text("second:bob\n# longer\n")
    world.proxy.advance(9)
    assert world.ask("Authorization: Bearer first\r\n") == OK
    world.proxy.advance(1)
    assert world.ask("Authorization: Bearer first\r\n").startswith(b"HTTP/1.1 401 ")
    assert world.ask("Authorization: Bearer second\r\n") == OK


def test_who_leaves_while_the_password_is_looked_at_is_forgotten(make):
    asked = []

    def slow(name, password):
        asked.append(Deferred())
        return asked[-1]

    world = make(AuthPolicy(passwords=slow))
    client = world.proxy.connect()
    client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{basic('bob')}\r\n".encode())
    client.drop()
    assert len(asked) == 1
    other = world.proxy.connect()
    other.send(f"GET / HTTP/1.1\r\nHost: a\r\n{basic('bob')}\r\n".encode())
    for one in asked:
        one.callback("bob")
    world.proxy.upstream.send(OK)
    assert other.received == OK
    assert len(world.proxy.network.connections) == 1


def test_a_cache_keeps_nothing_that_was_made_for_a_user():
    def personal(**more):
        context = RequestContext(ClientConnection("192.0.2.1"))
        head = RequestHead(b"GET", b"/", Headers.from_lines([basic("bob").strip().encode()]), authority=b"a")
        made = make_authenticator(POLICY, Clock(), fields=SITE)
        made = LoginRequired(SiteLogin(policy=POLICY, **more), made, lambda: 0.0)
        made.handle(head, context, lambda request, context: None)
        return context.personal

    assert (personal(), personal(user_header="X-User"), personal(pass_credentials=True)) == (False, True, True)


def test_it_is_told_who_it_is_for():
    def told(dry_run, **more):
        context = RequestContext(ClientConnection("192.0.2.1"))
        context.trace = Trace(dry_run=dry_run)
        head = RequestHead(b"GET", b"/health", Headers(), authority=b"a")
        login = LoginRequired(SiteLogin(policy=POLICY, **more), make_authenticator(POLICY, Clock()), lambda: 0.0)
        login.handle(head, context, lambda request, context: None)
        return str(context.trace)

    assert "login: for all who are known" in told(True)
    assert "login: for alice, bob" in told(True, users={"bob", "alice"})
    assert "login: not for this request" in told(True, excepted=(Match(path="/health"),))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"groups": {"staff"}}, "groups: nobody is in a group; accepted is it with group_file"),
        ({"user_header": "a b"}, "user_header: 'a b' is no field name"),
        ({"user_header": "Host"}, "user_header: Host is not set so"),
        ({"user_header": "Authorization"}, "user_header: it has the credentials"),
    ],
)
def test_what_makes_no_sense_is_refused(more, said):
    with pytest.raises(ConfigError, match=said):
        SiteLogin(policy=POLICY, **more)
