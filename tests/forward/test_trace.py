"""What a forward proxy says of its decisions, as it makes them."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txproxy.auth.auth_policy import AuthPolicy
from txproxy.auth.credentials import basic
from txproxy.errors import RequestDenied
from txproxy.forward.access.rules import Rule
from txproxy.forward.egress.credentials_injection import Injection
from txproxy.forward.mode import ForwardMode, ForwardPolicy
from txproxy.forward.request.url_rewrites import Rewrite
from txproxy.interfaces import Answer, Plan, Refusal, Trace
from txproxy.net.dns.resolver import Resolver
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


class Silent(Resolver):
    """Answers nobody."""

    def find(self, name, client_ip=""):
        return Deferred()


@pytest.fixture
def ask(tmp_path):
    (tmp_path / "ads.txt").write_text("ads.example\n")

    def ask(authority, user=None, client_ip="127.0.0.1", lists=True, **policy):
        scheme = None if b":443" in authority else b"http"
        lines = [b"Proxy-Authorization: " + basic(user.encode(), b"x")] if user is not None else []
        head = RequestHead(
            b"GET" if scheme else b"CONNECT", b"/x" if scheme else b"", Headers.from_lines(lines), authority, scheme
        )
        context = context_of(client_ip, trace=Trace())
        clock = Clock()
        if lists:
            policy["filters"] = [str(tmp_path / "ads.txt")]
        mode = ForwardMode(ForwardPolicy(**policy), clock, resolver=Silent(clock))
        try:
            decision = mode.plan(head, context)
        except RequestDenied as fault:
            decision = fault
        return str(context.trace).splitlines(), decision

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


def test_without_rules_the_target_is_told(ask):
    said, plan = ask(b"a.example", lists=False)
    assert said == ["client: 127.0.0.1 may use this proxy", "target: a.example, port 80: allowed"]
    assert isinstance(plan, Plan)


def test_what_does_not_says_where_it_ends(ask):
    said, fault = ask(b"a.example", client_ip="192.0.2.1")
    assert (said, fault.status) == (["client: 192.0.2.1 may not use this proxy"], 403)
    said, fault = ask(b"x.ads.example")
    assert said[-1] == "filters: ads.example is on the list ads"
    assert fault.detail == "ads.example is on the list ads (filters, list ads)"
    said, fault = ask(b"a.example:443", rules=[Rule(name="no", action="deny", schemes="connect")])
    assert said[-2] == "rule no (deny): matches, scheme connect is in schemes = connect"
    assert fault.detail == "the rule 'no' says deny (no)"
    said, fault = ask(b"a.example:25")
    assert "port 25" in fault.detail


def test_users_are_those_that_have_logged_in(ask):
    auth = AuthPolicy(passwords=lambda name, _: name)
    policy = {"auth": auth, "rules": [Rule(action="allow", users="bob")]}
    said, refusal = ask(b"a.example", **policy)
    assert said[1:] == ["auth: it is nobody, who is asked"], "nothing else is looked at"
    assert isinstance(refusal, Refusal) and refusal.status == 407
    said, plan = ask(b"a.example", user="bob", **policy)
    assert said[1] == "auth: it is bob" and isinstance(plan, Plan)
    said, plan = ask(b"a.example", auth=auth, auth_by_rules=True)
    assert said[1] == "auth: it is nobody, who is asked where a rule asks for it" and isinstance(plan, Plan)


def test_who_is_asked_by_a_rule_is_told_before_the_rules(ask):
    policy = {
        "auth": AuthPolicy(passwords=lambda name, _: name),
        "auth_by_rules": True,
        "rules": [Rule(name="bobs", action="allow", users="bob")],
    }
    said, plan = ask(b"a.example", user="bob", **policy)
    assert said[4:] == [
        "auth: it is bob",
        "rule bobs (allow): matches, user bob is in users = bob",
        "rule default (deny): -, a rule before it decides",
    ]
    assert isinstance(plan, Plan)
    said, refusal = ask(b"a.example", **policy)
    assert said[4:6] == ["auth: it is nobody, who is asked", "rule bobs (allow): -, it needs to know the user"]
    assert refusal.status == 407


def test_a_login_that_takes_its_time_is_told_of(ask):
    said, waiting = ask(b"a.example", user="bob", auth=AuthPolicy(passwords=lambda name, _: Deferred()))
    assert said[1:] == ["auth: the credentials are looked at"] and isinstance(waiting, Deferred)


def test_rules_that_have_to_know_more_are_open(ask):
    said, waiting = ask(b"a.example", rules=[Rule(name="in", action="deny", addresses="10.0.0.0/8")])
    assert isinstance(waiting, Deferred)
    assert said[-2] == "rule in (deny): -, it needs the addresses of a.example"
    said, waiting = ask(b"a.example", rules=[Rule(name="who", action="ask")])
    assert isinstance(waiting, Deferred) and said[-2] == "rule who (ask): matches, it has no conditions"


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


def test_parents_say_why(ask):
    parents = ["http://p:s3cret@one.example", "http://two.example;backup", "http://x.example;host=x.example", "direct"]
    policy = {"parents": parents, "no_proxy": ["near.example"]}
    said, plan = ask(b"a.example", **policy)
    assert said[3:] == [
        "parent: http://one.example:80",
        "    http://one.example:80: chosen",
        "    http://two.example:80: a backup",
        "    http://x.example:80: it is for other hosts, or for another rule",
        "    direct: only where no other works",
    ]
    trace = Trace()
    plan.attempt.tell(trace)
    assert "    Proxy-Authorization: ***" in str(trace).splitlines() and "s3cret" not in str(trace)
    said, _ = ask(b"near.example", **policy)
    assert said[3:] == ["parent: none, near.example is in no_proxy"]
    said, _ = ask(b"a.example", choose_parent=lambda head, context, parents: parents.direct)
    assert said[3:] == ["parent: direct, as the program has chosen"]


def test_what_is_injected_is_told_to_nobody(ask):
    policy = {"inject": [Injection(origin="http://api.example", headers={"X-Key": "s3cret"})]}
    head = RequestHead(b"GET", b"/", Headers.from_lines([]), b"api.example", b"http")
    context = context_of(trace=Trace())
    plan = ForwardMode(ForwardPolicy(**policy), Clock()).plan(head, context)
    plan.attempt.tell(context.trace)
    assert "    X-Key: ***" in str(context.trace).splitlines() and "s3cret" not in str(context.trace)
