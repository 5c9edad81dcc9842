"""The short way through rate limits beside the long one."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from txproxy.components.rates import parse_rate
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.limits.requests.limit_keys import LimitPlace
from txproxy.limits.requests.limiter import Limiter
from txproxy.limits.requests.limits_middleware import Checks
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.wire.headers import Headers
from txproxy.wire.http1.field_template import FieldTemplate
from txproxy.wire.message import RequestHead

FIELDS = [
    Headers.parsed([b"User-Agent: " + agent, b"Cookie: a=b; s=" + cookie])
    for agent, cookie in ((b"curl", b"1"), (b"curl", b"2"), (b"wget", b"1"))
]
SECTION = b"\r\nUser-Agent: %b\r\nCookie: s=%d\r\n\r\n"
OTHER_COOKIES, OTHER_AGENTS = (
    FieldTemplate(Headers.parsed([b"User-Agent: curl", b"Cookie: s=0"]), [place]) for place in (1, 0)
)
BY_TEMPLATE = [
    *(OTHER_COOKIES.read(SECTION % (b"curl", number), 0) for number in range(3)),
    *(OTHER_AGENTS.read(SECTION % (agent, 0), 0) for agent in (b"curl", b"wget")),
]
STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([*FIELDS, *BY_TEMPLATE]),
        st.sampled_from([b"a.example", b"A.example", b"b.example"]),
        st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
        st.sampled_from([None, "bob"]),
        st.sampled_from(["", "api"]),
        st.sampled_from([0.0, 0.0, 0.25, 1.0, 7.0, -3.0]),
        st.sampled_from(["", "", "", "", "forget", "others", "give back", "tell"]),
    ),
    max_size=60,
)
BY_ALONE = [
    ("client",), ("header:User-Agent",), ("client", "pool"), ("cookie:s", "user"), ("host",), ("route", "client"),
]  # fmt: skip
BY = st.lists(st.sampled_from(BY_ALONE), min_size=1, max_size=3)
# the words that each part of a step matters to
WORDS = {
    0: (), 1: ("header:User-Agent", "cookie:s"), 2: ("host",), 3: (), 4: ("user",), 5: ("route",),
}  # fmt: skip


class Twin:
    """Limits of each of these kinds around what lets all through, asked in a ``way``: the short one, that for handlers
    which are given with each request, or the long one.
    """

    def __init__(self, kinds, way, shared):
        self.clock = Clock()
        self.clock.advance(100.0)
        self.limiters = [
            Limiter(RequestLimit(name=str(number), rate=parse_rate("1/s:burst=2"), by=by), 5, shared)
            for number, by in enumerate(kinds)
        ]
        self.woken = 0
        for one in self.limiters if shared else ():
            one.rate.join(self._wake)
        self.checks = Checks(self.limiters, LimitPlace(pool="app"), self.clock)
        given = {"given": self.checks.around_any, "long": lambda: self.checks.ask}.get(way)
        self._ask = partial(given(), lets_through) if given else self.checks.within(lets_through)
        self._connections = [ClientConnection("192.0.2.1"), ClientConnection("192.0.2.1")]

    def _wake(self):
        self.woken += 1

    def step(self, number, headers, authority, client, user, rule, seconds, event):
        self.clock.rightNow += seconds
        first, now = self.limiters[0].rate, self.clock.seconds()
        if event == "forget":
            first.forget()
        elif event == "others":
            first.add(client, 1, now)
        elif event == "give back":
            first.give_back(client, now)
        context = RequestContext(self._connections[number])
        context.client_ip, context.user, context.rule = client, user, rule
        decision = self._ask(RequestHead(b"GET", b"/", headers, authority), context)
        told = [getattr(one.rate, "news", list)() for one in self.limiters] if event == "tell" else None
        said = decision if decision == "on" else (type(decision), decision.detail, decision.lines, context.limit)
        return said, self.woken, told

    def state(self):
        now = self.clock.seconds()
        return [(one.counts, sorted(one.rate.debts(now), key=repr)) for one in self.limiters]


def lets_through(request, context):
    return "on"


@pytest.mark.parametrize("way", ["short", "given"])
@given(BY, STEPS, st.booleans())
def test_the_short_way_and_the_long_way_come_to_the_same(way, kinds, steps, shared):
    short, long = Twin(kinds, way, shared), Twin(kinds, "long", shared)
    for step in steps:
        assert short.step(*step) == long.step(*step)
        assert short.state() == long.state()


@pytest.mark.parametrize("way", ["short", "given"])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("by", [*BY_ALONE, ()])
def test_who_is_as_before_goes_the_short_way(way, shared, by):
    twin = Twin([by, ("client",)], way, shared)
    step = (0, FIELDS[0], b"a.example", "192.0.2.1", "bob", "api", 1.5, "")
    for _ in range(10):
        twin.step(*step)
    assert twin.checks.passed == 8
    # Of several processes the first since the others were told is noted.
    twin.step(*step[:-1], "tell")
    twin.step(*step)
    assert twin.checks.passed == (9 if shared else 10)
    # All that limits do not know makes it another one.
    others = (1, FIELDS[1], b"b.example", "192.0.2.2", None, "")
    for number, other in enumerate(others):
        twin.step(*step)
        before = twin.checks.passed
        twin.step(*step[:number], other, *step[number + 1 :])
        known = number in (0, 3) or any(word in WORDS[number] for word in by)
        assert twin.checks.passed == before + (not known), (by, number)


@pytest.mark.parametrize("template", [OTHER_COOKIES, OTHER_AGENTS])
@pytest.mark.parametrize("by", [("header:User-Agent",), ("cookie:s",), ("header:X",)])
def test_fields_that_differ_in_what_no_limit_asks_for_go_the_short_way(by, template):
    twin = Twin([by, ("client",)], "short", False)
    for number in range(10):
        headers = template.read(SECTION % ((b"curl", number) if template is OTHER_COOKIES else (b"%d" % number, 0)), 0)
        twin.step(0, headers, b"a.example", "192.0.2.1", None, "", 1.5, "")
    asked = "header:User-Agent" if template is OTHER_AGENTS else "cookie:s"
    assert twin.checks.passed == (0 if by == (asked,) else 8)


def test_what_a_place_has_let_through_counts_when_the_place_is_gone():
    twin = Twin([("client",)], "short", False)
    for _ in range(10):
        twin.step(0, FIELDS[0], b"a", "192.0.2.1", None, "", 1.0, "")
    (limit,) = twin.limiters
    assert (twin.checks.passed, limit.allowed, limit.counts.allowed) == (8, 2, 10)
    # It is known to a connection as well.
    twin.checks = twin._ask = None
    assert (limit.allowed, limit.counts.allowed) == (2, 10)
    twin._connections.clear()
    assert (limit.allowed, limit.counts.allowed, len(limit.places)) == (10, 10, 0)


def test_it_is_not_looked_up_again_as_long_as_it_is_the_same():
    asked = []
    connection = ClientConnection("192.0.2.1")
    one = Limiter(RequestLimit(name="often", rate=parse_rate("1000/s:burst=1000"), by=("header:User-Agent", "client")))
    checks = Checks([one], LimitPlace(), Clock())
    ask = checks.within(lambda request, context: asked.append(request))
    for number in range(200):
        ask(
            RequestHead(b"GET", b"/", FIELDS[0] if number < 50 else Headers.parsed([b"A: %d" % number])),
            RequestContext(connection),
        )
        if number in (1, 49):
            _, fields, debt = connection.debts[checks]
            assert fields is FIELDS[0] and debt is one.rate.debt((b"curl", "192.0.2.1"))
    # Who is never the same is not looked up for ever.
    assert connection.debts[checks][1].lines == [b"A: %d" % (50 + 64)]
    assert checks.passed == 48 and len(asked) == 200 == one.counts.allowed
    for _ in range(20):
        others = Checks([one], LimitPlace(), Clock()).within(lambda request, context: asked.append(request))
        others(RequestHead(b"GET", b"/", FIELDS[0]), RequestContext(connection))
    assert len(connection.debts) <= 9


def test_places_have_no_code_together():
    checks = [Checks([Limiter(RequestLimit(name="a", rate=parse_rate("1/s")))], LimitPlace(), Clock()) for _ in "ab"]
    one, other = (place.within(lets_through) for place in checks)
    assert one.__code__ == other.__code__ and one.__code__ is not other.__code__
