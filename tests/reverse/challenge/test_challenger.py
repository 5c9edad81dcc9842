"""Who has to bring a proof, what he gets, and where he goes then."""

import pytest
from twisted.internet.task import Clock

from tests.reverse.challenge.solving import question_of, solved, unsolved
from txproxy import Pool, ReverseProxyFactory
from txproxy.components.rates import parse_rate
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.trace import Trace
from txproxy.limits.requests.gcra import Gcra
from txproxy.reverse.challenge.challenge_load import HOLD
from txproxy.reverse.challenge.challenge_settings import ChallengePlace, ChallengeSettings
from txproxy.reverse.challenge.challenger import local
from txproxy.reverse.challenge.challenges import Challenges
from txproxy.reverse.routing.matches import Match
from txproxy.testing import ProxyInMemory
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
HTML = "Accept: text/html,*/*;q=0.8\r\n"
ANSWER = "/.well-known/txproxy-challenge/answer"


class World:
    """A proxy behind a challenge, and a clock for the time of day."""

    def __init__(self, place=None, rate=None, **settings):
        self.now = 1_800_000_000.0
        self.records = []
        place = place or ChallengePlace()
        settings = ChallengeSettings(**{"difficulty": 8, "secret": b"s" * 32, **settings})

        def build(reactor):
            self.challenges = challenges = Challenges(settings, reactor, now=lambda: self.now)
            middleware = (challenges.answers("web", None), challenges.at("web", place, rate))
            pool = Pool(["http://10.0.0.1"])
            return ReverseProxyFactory(
                pool, reactor=reactor, middleware=middleware, observers=(self.records.append,), via=None
            )

        self.proxy = ProxyInMemory(build)

    def ask(self, path="/x?y=1", lines=HTML, method="GET", answer=OK):
        """What a new client gets."""
        client = self.proxy.connect()
        client.send(f"{method} {path} HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n".encode())
        if not client.received and answer:
            self.proxy.upstream.send(answer)
        return client.received

    def answer(self, question, number="", to="/x"):
        return self.ask(f"{ANSWER}?question={question}&number={number}&to={to}")

    @property
    def counts(self):
        one = self.challenges.counts["web"]
        return one.given, one.refused, one.passed, one.failed


@pytest.fixture
def make():
    made = []

    def make(*args, **settings):
        made.append(World(*args, **settings))
        return made[-1]

    yield make
    for world in made:
        world.proxy.close()


@pytest.fixture
def world(make):
    return make()


def cookie_of(response):
    line = response.partition(b"Set-Cookie: ")[2].partition(b"\r\n")[0]
    return f"Cookie: {line.partition(b';')[0].decode()}\r\n", line


def test_a_browser_gets_a_page_and_passes_with_its_answer(world):
    page = world.ask()
    assert page.startswith(b"HTTP/1.1 403 ") and b"Cache-Control: no-store\r\n" in page
    assert b"Content-Security-Policy: default-src 'none'" in page and not world.proxy.network.connections
    question = question_of(page)
    came = world.answer(question, solved(question), "/x%3Fy%3D1")
    assert came.startswith(b"HTTP/1.1 303 ") and b"\r\nLocation: /x?y=1\r\n" in came
    cookie, line = cookie_of(came)
    assert line.endswith(b"; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax")
    assert world.ask(lines=HTML + cookie) == OK
    assert world.ask(lines=cookie, method="DELETE") == OK
    assert [record.outcome for record in world.records] == ["challenged", "answered", "ok", "ok"]
    assert world.counts == (1, 0, 1, 0)


def test_without_javascript_it_takes_its_time(world):
    question = question_of(world.ask())
    assert b" 403 " in (came := world.answer(question)) and question_of(came)
    world.now += 10
    assert world.answer(question).startswith(b"HTTP/1.1 303 ")
    assert world.records[1].outcome == "challenge-failed" and "too soon" in world.records[1].detail
    assert world.counts == (1, 0, 1, 1)


@pytest.mark.parametrize(
    ("method", "lines"),
    [
        ("GET", ""),
        ("GET", "Accept: */*\r\n"),
        ("GET", "Accept: application/json\r\n"),
        ("POST", HTML + "Content-Length: 0\r\n"),
    ],
)
def test_others_get_words(world, method, lines):
    said = world.ask(method=method, lines=lines)
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"in a browser first" in body and b"question" not in body and b"Cache-Control: no-store" in head
    assert b"error=http_request_denied" in head and world.counts == (0, 1, 0, 0)


def test_the_head_alone_may_be_asked_for(world):
    said = world.ask(method="HEAD")
    assert said.startswith(b"HTTP/1.1 403 ") and said.endswith(b"\r\n\r\n") and b"Content-Security-Policy" in said


def test_an_answer_that_is_none_is_followed_by_another_question(world):
    question = question_of(world.ask())
    for answer in (question, unsolved(question)), ("nonsense", "1"), (question, "x"), ("", ""):
        came = world.answer(*answer, "/after")
        assert came.startswith(b"HTTP/1.1 403 ") and b'name="to" value="/after"' in came
    assert world.counts == (1, 0, 0, 4)
    assert world.ask(ANSWER + "?" + "a=b&" * 20).startswith(b"HTTP/1.1 403 ")
    assert world.ask(ANSWER + "?question=%ff").startswith(b"HTTP/1.1 403 ")


ELSEWHERE = [
    "//evil.example", "/\\evil.example", "https://evil.example/", "evil.example", "", "/\t/evil.example",
    "/a\r\nSet-Cookie: x=y", "/\x00", "/ö", "/a b", "\\/evil", "javascript:alert(1)", "/" + "a" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("to", ELSEWHERE, ids=repr)
def test_nobody_is_sent_elsewhere(to):
    assert local(to) == "/"


@pytest.mark.parametrize("to", ["/", "/a", "/a//b", "/a?b=//c", "/a?b=https://x/", "/%2F%2Fevil", "/'\"<>[]"])
def test_a_path_of_the_site_is_where_it_goes_on(to):
    assert local(to) == to


@pytest.mark.parametrize(
    "to", ["//evil.example", "%2F%5Cevil.example", "https%3A%2F%2Fevil.example", "%2Fa%0d%0aX:%20y"]
)
def test_an_answer_leads_to_the_site_alone(world, to):
    question = question_of(world.ask())
    came = world.answer(question, solved(question), to)
    assert b"\r\nLocation: /\r\n" in came and b"evil" not in came and b"X: y" not in came


def test_the_script_is_for_all_and_the_rest_for_nobody(world):
    script = world.ask("/.well-known/txproxy-challenge/solve.js", "")
    assert script.startswith(b"HTTP/1.1 200 ") and b"text/javascript" in script and b"function digest" in script
    assert world.ask("/.well-known/txproxy-challenge/x").startswith(b"HTTP/1.1 404 ")
    assert world.ask(ANSWER, method="POST", lines="Content-Length: 0\r\n").startswith(b"HTTP/1.1 405 ")


def test_some_requests_are_excepted(make):
    excepted = (Match(path="/health"), Match(headers={"X-Key": "k"}, methods="POST"))
    world = make(ChallengePlace(excepted=excepted))
    assert world.ask("/health") == world.ask("/health/live") == OK
    assert world.ask(method="POST", lines="X-Key: k\r\nContent-Length: 0\r\n") == OK
    assert b" 403 " in world.ask(lines="X-Key: k\r\n")[:20] and b" 403 " in world.ask("/healthy")[:20]


@pytest.mark.parametrize(
    "path", ["/health/../x", "/health/..%2fx", "/health%2f..%2fx", "/health/..\\x", "/health/..;/x"]
)
def test_a_path_that_may_mean_another_is_not_excepted(make, path):
    world = make(ChallengePlace(excepted=(Match(path="/health"),)))
    assert world.ask(path, answer=None).startswith(b"HTTP/1.1 403 ")


def test_load_has_it_asked_for(make):
    place = ChallengePlace(above=parse_rate("3/s"))
    world = make(place, Gcra(1 / 3, 3))
    assert [world.ask()[9:12] for _ in range(5)] == [b"200"] * 3 + [b"403"] * 2
    world.proxy.advance(HOLD + 1)
    assert world.ask() == OK


def test_so_does_work(make):
    world = make(ChallengePlace(active=2))
    one, other = (world.ask(answer=None) for _ in range(2))
    assert one == other == b""
    assert world.ask(answer=None)[9:12] == b"403"
    for upstream in [*world.proxy.network.connections]:
        upstream.send(OK)
    world.proxy.advance(HOLD + 1)
    assert world.ask() == OK


def test_it_says_of_itself_who_asks_why():
    challenges = Challenges(ChallengeSettings(), Clock())
    challenger = challenges.at("web", ChallengePlace(excepted=(Match(path="/health"),)), None)
    for path, said in ((b"/", "not passed"), (b"/health", "not for this request")):
        context = RequestContext(ClientConnection("192.0.2.1", "http"))
        context.trace = Trace(dry_run=True)
        head = RequestHead(b"GET", path, Headers(), b"a.example")
        assert challenger.handle(head, context, lambda request, context: "plan") == "plan"
        (entry,) = context.trace.entries
        assert (entry.who, entry.what, entry.why) == ("challenge", "always", said)
