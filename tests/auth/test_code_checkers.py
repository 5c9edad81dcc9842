"""Code that says whose a password or a token is."""

import base64

import pytest
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.defer import Deferred

from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.auth import code_checkers
from txproxy.auth.auth_policy import AuthPolicy
from txproxy.components.named_code import NamedCode
from txproxy.errors import ConfigError
from txproxy.testing import ProxyInMemory


@pytest.fixture
def own(monkeypatch):
    """Has code found by what stands here."""
    found = {}
    monkeypatch.setattr(code_checkers, "find_code", lambda code, what: found[code.name])
    return found


@pytest.fixture
def ask():
    """What a client with such credentials is answered."""
    made = []

    def ask(policy, value):
        make = lambda reactor: ForwardProxyFactory(ForwardPolicy(auth=policy), reactor=reactor)  # noqa: E731
        made.append(ProxyInMemory(make))
        client = made[-1].connect()
        client.send(b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nProxy-Authorization: %b\r\n\r\n" % value)
        made[-1].advance(1)
        return client.take()[9:12] or b"dialled"

    yield ask
    for proxy in made:
        proxy.close()


def basic(name, password):
    return b"Basic " + base64.b64encode(f"{name}:{password}".encode())


def check(name, password, *, secret):
    return name if password == secret.encode() else None


async def check_later(name, password, *, secret):
    return check(name, password, secret=secret)


@pytest.mark.parametrize("function", [check, check_later])
def test_a_function_of_a_name_and_a_password(own, ask, function):
    own["m:f"] = function
    policy = AuthPolicy(passwords=NamedCode("m:f", {"secret": "s"}))
    assert ask(policy, basic("bob", "s")) == b"dialled" and ask(policy, basic("bob", "t")) == b"407"


def test_a_function_of_a_token(own, ask):
    async def user(token):
        return "bob" if token == "t0ken" else None

    own["m:f"] = user
    policy = AuthPolicy(tokens=NamedCode("m:f"))
    assert ask(policy, b"Bearer t0ken") == b"dialled" and ask(policy, b"Bearer other") == b"407"


class Checker(InMemoryUsernamePasswordDatabaseDontUse):
    """One of twisted.cred, made with a setting."""

    def __init__(self, secret="s"):
        super().__init__(bob=secret.encode())


def test_a_checker_of_cred_or_a_class_of_such(own, ask):
    own |= {"m:C": Checker, "m:c": Checker("t")}
    assert ask(AuthPolicy(passwords=NamedCode("m:C", {"secret": "u"})), basic("bob", "u")) == b"dialled"
    assert ask(AuthPolicy(passwords=NamedCode("m:c")), basic("bob", "t")) == b"dialled"


def test_one_that_fails_is_no_login(own, ask):
    own["m:f"] = lambda name, password: {}["x"]
    assert ask(AuthPolicy(passwords=NamedCode("m:f")), basic("bob", "s")) == b"500"
    waiting = Deferred()
    own["m:g"] = lambda name, password: waiting
    assert ask(AuthPolicy(passwords=NamedCode("m:g")), basic("bob", "s")) == b"dialled"  # it has no answer yet
    waiting.callback(None)


@pytest.mark.parametrize("given", [1, 2])
def test_what_checks_nothing_is_told_of(own, given):
    own |= {"m:a": 5, "m:b": Deferred, "m:c": lambda: None, "m:d": Checker()}
    for code in (NamedCode("m:a"), NamedCode("m:b"), NamedCode("m:c"), NamedCode("m:d", {"secret": "s"})):
        with pytest.raises(ConfigError, match="accepted is a"):
            code_checkers.find_checker(code, given)


def test_the_place_of_what_is_wrong_is_its_key(own):
    own["m:C"] = Checker
    with pytest.raises(ConfigError) as fault:
        from twisted.internet.task import Clock

        from txproxy.auth.auth_policy import make_authenticator

        make_authenticator(AuthPolicy(tokens=NamedCode("m:C")), Clock())
    assert fault.value.findings[0].path == ("tokens",)
