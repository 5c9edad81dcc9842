"""Routes in a file."""

import pytest

from txproxy.components.rates import Rate
from txproxy.config.model import AuthConfig, MirrorConfig
from txproxy.reverse.actions.redirects import Redirect
from txproxy.reverse.challenge.challenge_settings import ChallengePlace, ChallengeSettings
from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
from txproxy.reverse.rewriting.response_rewrite import ResponseRewrite
from txproxy.reverse.rewriting.strict_transport import Hsts
from txproxy.reverse.route_actions.files_action import FilesAction
from txproxy.reverse.route_actions.pool_action import PoolAction
from txproxy.reverse.route_actions.redirect_action import RedirectAction
from txproxy.reverse.route_actions.respond_action import RespondAction
from txproxy.reverse.route_actions.tunnel_action import TunnelAction
from txproxy.reverse.routing.matches import Match

BEGIN = '[[routes]]\nname = "one"\npath = "/one"\n'
TO = BEGIN + 'pool = "app"\n'


@pytest.fixture
def route(more):
    return lambda text: more(BEGIN + text).routes[0]


def test_little_has_to_be_said(route):
    made = route('pool = "app"')
    assert (made.name, made.match, made.action) == ("one", Match(path="/one"), PoolAction(pool="app"))
    assert (made.request, made.response, made.response_timeout, made.max_body) == (None, None, None, None)
    assert (made.auth, made.mirror, made.listeners) == (None, None, ())


def test_all_that_can_be_matched(more):
    made = (
        more("""
        [[routes]]
        name = "x"
        hosts = ["a.example", "*.b.example"]
        path = "~/v[0-9]+/.*"
        methods = "GET"
        headers = { x-beta = "1", x-any = true, x-re = "~a.*" }
        query = { page = "~[0-9]+" }
        clients = ["10.0.0.0/8", "unix:"]
        weight = 5
        pool = "app"
    """)
        .routes[0]
        .match
    )
    assert made == Match(
        hosts=("a.example", "*.b.example"), path="~/v[0-9]+/.*", methods=("GET",),
        headers=(("x-beta", "1"), ("x-any", True), ("x-re", "~a.*")), query=(("page", "~[0-9]+"),),
        clients=("10.0.0.0/8", "unix:"), weight=5,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ('pool = "app"\nhost = "upstream"\nsticky = "ip"', PoolAction(pool="app", host="upstream", sticky="ip")),
        ('redirect = "https://$host$path"', RedirectAction(Redirect("https://$host$path", 308))),
        ('redirect = "/new$path"\nstatus = 301', RedirectAction(Redirect("/new$path", 301))),
        ("respond = 404", RespondAction(status=404)),
        (
            'respond = { status = 200, body = "x", headers = { X-A = "b" } }',
            RespondAction(status=200, body="x", headers=(("X-A", "b"),)),
        ),
        ('tunnel = "app"', TunnelAction(pool="app")),
    ],
)
def test_what_a_route_does(route, text, action):
    assert route(text).action == action


def test_files_are_below_a_folder_that_is_there(route, tmp_path, fault):
    (tmp_path / "www").mkdir()
    assert route('files = "www"').action == FilesAction(directory=str(tmp_path / "www"))
    assert fault(BEGIN + 'files = "gone"').startswith("routes[0].files: ")


def test_what_is_changed_on_the_way(route):
    made = route("""
        pool = "app"
        strip_prefix = "/one"
        add_prefix = "/two"
        rewrite = { pattern = "/a/(.*)", replacement = "/b/$1" }
        request_headers = { set = { X-A = "$client_ip" }, add = { X-B = ["1", "2"] }, remove = ["X-C"] }
        response_headers = { set = { X-D = "4" }, remove = "X-E" }
        cookie_domains = { "a.example" = "b.example" }
        hsts = { max_age = "1h", include_subdomains = true }
        response_timeout = "5s"
        tunnel_timeout = "2h"
        max_body = "1M"
        mirror = { pool = "app", share = 0.5 }
        auth = { pool = "app", path = "/ask?x", copy = ["X-User"] }
    """)
    request = RequestRewrite(
        strip_prefix="/one", add_prefix="/two", pattern="/a/(.*)", replacement="/b/$1",
        set_headers={"X-A": "$client_ip"}, add_headers={"X-B": ["1", "2"]}, remove_headers=["X-C"],
    )  # fmt: skip
    assert made.request == request
    assert made.response == ResponseRewrite(
        set_headers={"X-D": "4"}, remove_headers=["X-E"], map_back=True, request=request,
        cookie_domains={"a.example": "b.example"}, hsts=Hsts(3600, True),
    )  # fmt: skip
    assert (made.response_timeout, made.tunnel_timeout, made.max_body) == (5, 7200, 1 << 20)
    assert made.mirror == MirrorConfig(pool="app", share=0.5)
    assert made.auth == AuthConfig(pool="app", path="/ask?x", copy=("X-User",))
    assert made.pools == ("app", "app", "app")


@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        # by the pool's own doing
        ("", None),
        ('host = "upstream"', None),
        ("map_location = true", None),
        ("hsts = false", None),
        ('strip_prefix = "/one"', True),
        ('add_prefix = "/one"', True),
        ("response_headers = { remove = ['X'] }", True),
        ("map_location = false", False),
        ('strip_prefix = "/one"\nmap_location = false', False),
    ],
)
def test_locations_are_mapped_back_unless_told(route, text, mapped):
    response = route(f'pool = "app"\n{text}').response
    assert (response.map_back if response is not None else None) is mapped


@pytest.mark.parametrize(("text", "hsts"), [("true", Hsts(31536000)), ("false", None), ("{}", Hsts(31536000))])
def test_hsts_is_short_to_write(route, text, hsts):
    response = route(f'pool = "app"\nhsts = {text}').response
    assert (response.hsts if response is not None else None) == hsts


@pytest.mark.parametrize("strip", ["/one", "/one/", "/one/two"])
def test_a_prefix_that_paths_of_the_route_have_may_be_stripped(route, strip):
    assert route(f'pool = "app"\nstrip_prefix = "{strip}"').request.strip == strip.rstrip("/").encode()


@pytest.mark.parametrize("path", ["~/a//b", "~/a%2Fb", "~/a%2fb", "~/%c3%a9"])
def test_an_expression_that_no_path_is_like_is_warned_of(more, path):
    made = more(f'[[routes]]\nname = "x"\npath = "{path}"\npool = "app"')
    assert [warning.partition(": ")[2].partition(": ")[0] for warning in made.warnings] == ["routes[0].path"]
    assert "paths are compared with escapes decoded and slashes merged" in made.warnings[0]
    assert not more('[[routes]]\nname = "x"\npath = "~/a%20b/%C3%A9/.*"\npool = "app"').warnings


def test_cookies_of_an_authorization_server_can_be_the_clients(route):
    assert route('pool = "app"\nauth = { pool = "app", cookies = ["*"] }').auth.cookies == ("*",)


def test_a_mirror_is_short_to_write(route):
    assert route('pool = "app"\nmirror = "app"').mirror == MirrorConfig(pool="app")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[routes]]\npool = "app"', "routes[0]: name is missing; accepted is a name of its own"),
        (BEGIN, "routes[0]: nothing is to be done; accepted is exactly one of pool, redirect, respond, files, tunnel"),
        (TO + "respond = 404", "routes[0]: pool and respond are there; accepted is exactly one of"),
        (BEGIN + 'pool = "nope"', "routes[0].pool: there is no pool 'nope'; accepted: app"),
        (TO + "lisenters = []", "routes[0].lisenters: no such key (is listeners meant?)"),
        (TO + "listeners = []", "routes[0].listeners: there is none in it"),
        (TO + 'hosts = ["a:80"]', "routes[0].hosts: 'a:80' is no host pattern: a port has no place here"),
        ('[[routes]]\nname = "x"\npool = "app"\npath = "one"', "routes[0].path: 'one' is no path; accepted are /prefi"),
        (TO + 'methods = ["get"]', "routes[0].methods: 'get' is no method"),
        (TO + "headers = { x-a = 1 }", "routes[0].headers.x-a: this is no text"),
        (TO + 'headers = { "x a" = "1" }', "routes[0].headers: 'x a' is no field name"),
        (TO + "headers = []", "routes[0].headers: [] is no table"),
        (TO + 'query = { a = "~(" }', "routes[0].query: a: '~(' is no regular expression"),
        (TO + 'clients = "10.0.0.1/8"', "routes[0].clients: '10.0.0.1/8' is no network: it has host bits set"),
        (TO + "weight = -1", "routes[0].weight: -1 cannot be"),
        (BEGIN + 'redirect = "nowhere"', "routes[0].redirect: 'nowhere' is no place to go to"),
        (BEGIN + 'redirect = "/x"\nstatus = 300', "routes[0].status: 300 is none of a redirect; accepted are 301"),
        (BEGIN + "respond = 99", "routes[0].respond: 99 cannot be; accepted is a whole number from 200 to 599"),
        (BEGIN + "respond = {}", "routes[0].respond: status is missing"),
        (BEGIN + 'respond = { status = 204, body = "x" }', "routes[0].respond.body: a 204 has none"),
        (BEGIN + 'respond = { status = 200, headers = { Date = "x" } }', "routes[0].respond.headers: Date is the prox"),
        (BEGIN + "respond = true", "routes[0].respond: true is no table"),
        (TO + "strip_prefix = 1", "routes[0].strip_prefix: 1 is no text"),
        (TO + 'strip_prefix = "one"', "routes[0].strip_prefix: 'one'"),
        (TO + 'rewrite = { pattern = "(", replacement = "/" }', "routes[0].rewrite.pattern: '(' is no regular"),
        (TO + 'rewrite = { pattern = "/", replacement = "$2" }', "routes[0].rewrite.replacement: "),
        (TO + 'rewrite = { pattern = "/" }', "routes[0].rewrite: replacement is missing"),
        (TO + 'rewrite = "/x"', "routes[0].rewrite: '/x' is no table"),
        (TO + 'request_headers = { set = { Host = "x" } }', "routes[0].request_headers.set: Host is not set so"),
        (TO + 'request_headers = { sets = {} }', "routes[0].request_headers.sets: no such key (is set meant?)"),
        (TO + 'response_headers = { add = { X = "$nope" } }', "routes[0].response_headers.add: X: $nope is n"),
        (TO + 'response_headers = { remove = ["a b"] }', "routes[0].response_headers.remove: 'a b' is no field name"),
        (TO + 'cookie_domains = { "a b" = "" }', "routes[0].cookie_domains: 'a b' is no host: this is more than one"),
        (TO + "map_location = 1", "routes[0].map_location: 1 is neither"),
        (TO + "hsts = 1", "routes[0].hsts: 1 is no table"),
        (TO + "hsts = { max_age = 60, preload = true }", "routes[0].hsts.preload: it takes include_subdomains"),
        (TO + "response_timeout = 0", "routes[0].response_timeout: '0' is no time"),
        (TO + 'max_body = "x"', "routes[0].max_body: 'x' is no size"),
        (TO + 'mirror = "nope"', "routes[0].mirror: there is no pool 'nope'"),
        (TO + 'mirror = { pool = "app", share = 0 }', "routes[0].mirror.share: 0 is none at all"),
        (TO + "mirror = { share = 0.5 }", "routes[0].mirror: pool is missing"),
        (TO + 'auth = { path = "/" }', "routes[0].auth: pool is missing"),
        (TO + 'auth = { pool = "app", path = "x" }', "routes[0].auth.path: 'x' is no path"),
        (TO + 'auth = { pool = "app", copy = ["set-cookie"] }', "routes[0].auth.copy[0]: Set-Cookie is a field of res"),
        (TO + 'auth = { pool = "app", copy = ["Server"] }', "routes[0].auth.copy[0]: Server is a field of responses, "),
        (TO + 'auth = { pool = "app", cookies = ["a b"] }', "routes[0].auth.cookies[0]: 'a b' is no name of a cookie"),
        (TO + 'request_headers = { set = { Set-Cookie = "x" } }', "routes[0].request_headers.set: Set-Cookie is a fie"),
        (TO + 'request_headers = { remove = "Location" }', "routes[0].request_headers.remove: Location is a field of "),
        (TO + 'response_headers = { add = { Cookie = "x" } }', "routes[0].response_headers.add: Cookie is a field of "),
        (TO + 'response_headers = { set = { x = "1" }, remove = ["X"] }', "routes[0].response_headers.remove: X is se"),
        (TO + 'strip_prefix = "/onex"', "routes[0].strip_prefix: no path of the route is '/onex' or below it"),
        (TO + 'strip_prefix = "/one/*"', "routes[0].strip_prefix: '/one/*' has a *, which stands for nothing here"),
        ('[[routes]]\nname = "x"\npool = "app"\npath = "/one/*"', "routes[0].path: '/one/*' has a *, which stands for"),
        ('[[routes]]\nname = "x"\npool = "app"\npath = "=/a//b"', "routes[0].path: '/a//b' is not read alike by all"),
        (TO + 'auth = { pool = "app", copy = ["a b"] }', "routes[0].auth.copy[0]: 'a b' is no name of a field"),
        (TO + 'host = "a b"', "routes[0].host: 'a b': not a host and port"),
        (TO + 'sticky = "x"', "routes[0].sticky: 'x' is no kind of affinity"),
        (BEGIN + 'respond = 404\nstrip_prefix = "/x"', "routes[0].strip_prefix: has no effect with respond; accepted"),
        (BEGIN + 'tunnel = "app"\nauth = { pool = "app" }', "routes[0].auth: has no effect with tunnel"),
        (TO + "status = 301", "routes[0].status: has no effect with pool; accepted is it with redirect"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(fault, text, said):
    found = fault(text)
    assert found.startswith(said), found
    assert "accepted" in found


def test_a_challenge_is_asked_for_always_or_by_load(route, more):
    assert route('pool = "app"').challenge is None and route('pool = "app"\nchallenge = false').challenge is None
    assert route('pool = "app"\nchallenge = true').challenge == ChallengePlace()
    found = route('pool = "app"\nchallenge = { above = "500/s", active = 9, except = [{ path = "/x" }] }').challenge
    assert found == ChallengePlace(above=Rate(500, 1), active=9, excepted=(Match(path="/x"),))
    settings = more('[challenge]\ndifficulty = 20\nwait = 0\nlifetime = "1h"\n').challenge
    assert settings == ChallengeSettings(difficulty=20, wait=0.0, lifetime=3600.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("challenge = 1", "routes[0].challenge: 1 is no table"),
        ("challenge = { except = [{}] }", "routes[0].challenge.except[0]: all requests are excepted"),
        ("challenge = { except = [{ weight = 1 }] }", "weight"),
        ("challenge = { above = 5 }", "above"),
    ],
)
def test_what_is_wrong_with_a_challenge(faults, text, said):
    assert any(said in fault for fault in faults(BEGIN + 'pool = "app"\n' + text))
