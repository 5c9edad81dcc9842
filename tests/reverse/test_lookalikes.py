"""No client says in another spelling what the proxy itself vouches for: to CGI, WSGI and PHP it would be the same."""

import base64
import itertools

import pytest

from txproxy import Pool, ReverseProxyFactory
from txproxy.auth.auth_policy import AuthPolicy, make_authenticator
from txproxy.auth.credentials import SITE
from txproxy.matching.networks import PeerNetworks
from txproxy.observe.request_tracing import RequestTracing
from txproxy.reverse import (
    ForwardAuth,
    RequestRewrite,
    ReverseMode,
    Route,
    ToPool,
    Treated,
    Treatment,
    Trust,
)
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.site_login import LoginRequired, SiteLogin
from txproxy.testing import ProxyInMemory
from txproxy.wire.forwarding import CERTIFICATE_FIELDS, CLIENT_FIELDS, HOP_BY_HOP, TARGET_FIELDS, plain

POLICY = AuthPolicy(passwords=lambda name, password: name, realm="staff")
BOB = b"Authorization: Basic " + base64.b64encode(b"bob:x")
OK = b"HTTP/1.1 200 OK\r\n%bContent-Length: 0\r\n\r\n"
LIE = b"a-lie"
# Who has said what: a login, an authorization server, a route, and what the proxy does without being told.
VOUCHED = {
    "login": [b"x-remote-user"],
    "authorization server": [b"x-groups"],
    "route": [b"x-team"],
    "identifier": [b"x-request-id"],
    "client": sorted(CLIENT_FIELDS),
    "target": sorted(TARGET_FIELDS),
    "certificate": sorted(CERTIFICATE_FIELDS),
    "hop": sorted(HOP_BY_HOP | {b"content-length"}),
}
SPELLINGS = [b"_", b".", b"-_", b"_.", b"~", b"!", b"+"]


def spelt(name, between):
    """``name`` with other characters between its words, in turn, and in capitals."""
    words = name.split(b"-")
    signs = itertools.cycle(between[i : i + 1] for i in range(len(between)))
    return b"".join(part for pair in zip(words, signs, strict=False) for part in pair)[: len(name)].title()


@pytest.fixture
def serve():
    made = []

    def serve(trust=None):
        def build(reactor):
            login = LoginRequired(
                SiteLogin(policy=POLICY, user_header="X-Remote-User"),
                make_authenticator(POLICY, reactor, fields=SITE),
                reactor.seconds,
            )
            tracing = RequestTracing(trusted=PeerNetworks(["127.0.0.1"] if trust else ["192.0.2.1"]))
            treatment = Treatment(
                request=RequestRewrite(set_headers={"X-Team": "blue"}),
                auth=ForwardAuth(ToPool(Pool(["http://10.0.0.9"])), b"/check", (b"X-Groups",)),
            )
            action = Treated(ToPool(Pool(["http://10.0.0.1"])), treatment)
            mode = ReverseMode(routes=[Route("all", Match(), action)], trust=trust)
            return ReverseProxyFactory(mode, reactor=reactor, middleware=(tracing, login), via=None)

        made.append(ProxyInMemory(build))
        return made[-1]

    yield serve
    for proxy in made:
        proxy.close()


def passed(proxy, *lines):
    """What the authorization server was asked, and what the upstream got."""
    client = proxy.connect()
    client.send(b"\r\n".join([b"GET / HTTP/1.1", b"Host: a.example", BOB, *lines, b"", b""]))
    question = proxy.upstream
    asked = question.take()
    question.send(OK % b"X-Groups: staff\r\n")
    got = proxy.upstream.received
    assert question is not proxy.upstream and b"X-Remote-User: bob\r\n" in got
    assert b"X-Groups: staff\r\n" in got and b"X-Team: blue\r\n" in got and b"X-Request-Id: " in got
    return asked, got


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("by", VOUCHED)
def test_no_spelling_of_it_goes_on(serve, by, trusted):
    lies = []
    for name, between in itertools.product(VOUCHED[by], SPELLINGS):
        if (other := spelt(name, between)).lower() != name:
            assert plain(other) == name
            lies.append(other + b": " + LIE)
    # Fifty at a time, as there may be a hundred fields.
    for start in range(0, len(lies), 50):
        # A kept identifier is no reason to keep what looks like one.
        asked, got = passed(
            serve(Trust(["127.0.0.1"]) if trusted else None), b"X-Request-Id: mine", *lies[start : start + 50]
        )
        assert LIE not in got
        assert by in ("authorization server", "route") or LIE not in asked
        assert trusted == (b"X-Request-Id: mine" in got)


def test_what_looks_like_none_of_it_goes_on(serve):
    lines = [b"My_Own: 1", b"My.Own: 2", b"X_Remote_Users: 3", b"X.Team.Mates: 4"]
    _, got = passed(serve(), *lines)
    assert all(line + b"\r\n" in got for line in lines)


def test_what_a_route_spells_so_goes_on_as_it_is(serve):
    rewrite = RequestRewrite(set_headers={"X_Remote.Team": "blue"})
    proxy = ProxyInMemory(
        lambda reactor: ReverseProxyFactory(
            ReverseMode(
                routes=[Route("all", Match(), Treated(ToPool(Pool(["http://10.0.0.1"])), Treatment(request=rewrite)))]
            ),
            reactor=reactor,
        )
    )
    proxy.connect().send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Remote-Team: red\r\nX_Remote_Team: red\r\n\r\n")
    assert b"X_Remote.Team: blue\r\n" in proxy.upstream.received and b"red" not in proxy.upstream.received
    proxy.close()
