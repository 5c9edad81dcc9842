"""What would be done with a request, and why."""

import pytest
from twisted.internet.task import Clock

from txproxy.errors import RequestDenied
from txproxy.forward.access.rules import Rule
from txproxy.forward.auth.auth_policy import AuthPolicy
from txproxy.forward.explaining import explain
from txproxy.forward.mode import ForwardMode, ForwardPolicy
from txproxy.forward.request.url_rewrites import Rewrite
from txproxy.interfaces import Answer, Plan, Refusal
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


@pytest.fixture
def ask(tmp_path):
    (tmp_path / "ads.txt").write_text("ads.example\n")

    def ask(authority, user=None, client_ip="127.0.0.1", **policy):
        scheme = None if b":443" in authority else b"http"
        head = RequestHead(b"GET" if scheme else b"CONNECT", b"/x" if scheme else b"", Headers(), authority, scheme)
        head.headers.index  # noqa: B018
        client = context_of(client_ip)
        client.user = user
        mode = ForwardMode(ForwardPolicy(filters=[str(tmp_path / "ads.txt")], **policy), Clock())
        said = []
        try:
            return said, explain(mode, head, client, said)
        except RequestDenied as fault:
            return said, fault

    return ask


def test_what_passes_says_by_what(ask):
    said, plan = ask(b"a.example", rules=[Rule(action="deny", ports=81), Rule(name="all", action="allow")])
    assert said == [
        "client: 127.0.0.1 may use this proxy",
        "target: a.example, port 80: allowed",
        "filters: it is on no list",
        "rule rule 1 (deny): does not match, port 80 is not in ports = 81",
        "rule all (allow): matches, it has no conditions",
        "rule default (deny): -, a rule before it decides",
    ]
    assert isinstance(plan, Plan) and str(plan.attempt.address) == "a.example:80"


def test_what_does_not_says_where_it_ends(ask):
    said, refusal = ask(b"a.example", client_ip="192.0.2.1")
    assert (said, refusal.status) == (["client: 192.0.2.1 may not use this proxy"], 403)
    said, fault = ask(b"x.ads.example")
    assert said[-1] == "filters: ads.example is on the list ads"
    assert fault.detail == "ads.example is on the list ads (filters, list ads)"
    said, fault = ask(b"a.example:443", rules=[Rule(name="no", action="deny", schemes="connect")])
    assert fault.detail == "the rule 'no' says deny (no)"
    said, fault = ask(b"a.example:25")
    assert "port 25" in fault.detail


def test_users_are_those_that_it_is_told(ask):
    policy = {"auth": AuthPolicy(passwords=lambda name, _: name), "rules": [Rule(action="allow", users="bob")]}
    said, refusal = ask(b"a.example", **policy)
    assert said[1] == "auth: it is nobody, who is asked"
    assert refusal is None, "the rule has to know"
    said, plan = ask(b"a.example", user="bob", **policy)
    assert said[1] == "auth: it is bob" and isinstance(plan, Plan)
    said, refusal = ask(b"a.example", auth=policy["auth"])
    assert isinstance(refusal, Refusal) and refusal.status == 407
    said, plan = ask(b"a.example", auth=policy["auth"], auth_by_rules=True)
    assert said[1] == "auth: it is nobody, who is asked where a rule asks for it" and isinstance(plan, Plan)


def test_rules_that_have_to_know_more_are_open(ask):
    said, decision = ask(b"a.example", rules=[Rule(name="in", action="deny", addresses="10.0.0.0/8")])
    assert decision is None
    assert said[-2] == "rule in (deny): -, it needs the addresses of a.example"
    _, decision = ask(b"a.example", rules=[Rule(action="ask")])
    assert decision is None


@pytest.mark.parametrize(
    ("authority", "line"),
    [
        (b"old.example", "rewrites: it goes to https://new.example/x"),
        (b"told.example", "rewrites: told: sent to http://new.example/x"),
        (b"www.youtube.com", "rewrites: it is sent with YouTube-Restrict: Strict"),
        (b"www.youtube.com:443", "rewrites: restrict.youtube.com is connected to in its place"),
        (b"a.example", "rewrites: none is for it"),
    ],
)
def test_rewrites_say_where_it_goes(ask, authority, line):
    rewrites = [
        Rewrite(name="old", hosts="old.example", to="https://new.example{path}"),
        Rewrite(name="told", hosts="told.example", to="http://new.example{path}", redirect=307),
    ]
    said, decision = ask(authority, rewrites=rewrites, safe_search=["youtube"])
    assert line in said
    assert isinstance(decision, Answer if authority == b"told.example" else Plan)
