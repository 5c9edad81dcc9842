"""Lines of a connection that have much in common, which is written once: the same as if each were written by itself."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address

from tests.observe.log_formats.records import NOW, Transport, attempt, head, record, response
from txproxy.cache.answering.cache_status import CacheVerdict, Served
from txproxy.forward.parents.to_parents import ParentAttempt
from txproxy.interfaces.allowances import LimitHit
from txproxy.interfaces.answers import Outcome, Verdict
from txproxy.interfaces.record import ExchangeRecord
from txproxy.observe.log_formats.connection_facts import Connections
from txproxy.observe.log_formats.json_lines.json_line import JsonLines
from txproxy.observe.log_formats.line_format import line_format
from txproxy.observe.log_formats.steady_line import Remembered
from txproxy.observe.request_counts import RequestCounts
from txproxy.upstreams.choice import PoolAttempt
from txproxy.upstreams.pool import Pool
from txproxy.wire.headers import Headers

HOSTILE = st.binary(max_size=8) | st.sampled_from([b"", b'"', b"\\", b"\n", b"\xff", b"\x00", b"%s", b"{}", b"/x?y"])
SECONDS = st.floats(-1, 1e7) | st.sampled_from([0.0, 0.0009999996, 0.9999996, 1.0, 59.99999951])
POOL = Pool(["http://10.0.0.1:80", "http://10.0.0.2:80"], name='a"b')
FIELDS = [Headers.from_lines([b"User-Agent: " + agent, b"X-Request-Id: 7"]) for agent in (b"curl", b'\xff"')]
FIELDS.append(Headers.from_lines([b"Referer: http://a/"]))
VERDICTS = (
    None,
    Verdict(outcome=Outcome.ALLOW, rule="r", reason=""),
    Verdict(outcome=Outcome.DENY, rule="", reason="n"),
)


class Kept:
    """A connection to an upstream."""

    def __init__(self, host="10.0.0.1"):
        self.transport = Transport(IPv4Address("TCP", host, 80))
        self.facts = None


KEPT = [Kept(), Kept(), Kept("10.0.0.2")]


PARENT = object()


def on(kept, upstream, **more):
    one = attempt(connected=more.get("began", 0.001), reused=True, **more)
    if upstream is PARENT:
        one.attempt = ParentAttempt(one.attempt, one.attempt.address, None, None, PARENT, ())
    elif upstream is not None:
        one.attempt = PoolAttempt(upstream, upstream.address, None, upstream, None)
    one.upstream = kept
    return one


@st.composite
def ended(draw):
    """What differs from one exchange of a connection to the next, or does not."""
    some = draw(st.booleans())
    pick = lambda usual, *others: draw(st.sampled_from((usual, *others))) if some else usual  # noqa: E731
    request = head(
        method=pick(b"GET", b"POST", b"X\xff"),
        path=draw(HOSTILE) or b"/",
        authority=pick(b"A.example:80", b'"', b""),
        scheme=pick(None, b"http"),
        minor=pick(1, 0),
    )
    request.headers = pick(*FIELDS)
    attempts = [on(pick(*KEPT), pick(*POOL.upstreams, None, PARENT), status=pick(200, 404, 0))]
    if pick(False, True):
        attempts = draw(st.sampled_from([[], [attempt(peer="10.0.0.1")], [*attempts, attempt()]]))
    fields = pick(
        (b"Content-Length: 1",),
        (b"X-Request-ID: \xfe",),
        (b"content-type: a/b;c=\xfe",),
        (b"Content-Type: ",),
        (b"A: x-request-id: 3",),
        (b"x-request-id: a",) * 2,
    )
    return record(
        request,
        outcome=pick("ok", "answered", "client-gone", "connection_refused"),
        detail=pick("", 'no "way"'),
        status=pick(200, 404, 0),
        sent=draw(st.integers(0, 2**40)),
        received=draw(st.integers(0, 2**40)),
        attempts=attempts,
        client=pick("192.0.2.1", "2001:db8::1"),
        scheme=pick("http", "https"),
        user=pick(None, 'b"\xe9', ""),
        rule=pick("api", "", "\u2028"),
        verdict=pick(*VERDICTS),
        limit=pick(None, LimitHit("l", "refused")),
        cache=pick(None, CacheVerdict(served=Served.HIT)),
        first_byte=pick(0.009, 0.0123, None),
        seconds=draw(SECONDS),
        response=pick(response(*fields), None),
    )


TIMES = st.sampled_from([NOW, NOW, NOW + 0.9, NOW + 1.5, NOW - 60, float(int(NOW)), int(NOW) + 0.9999999])
TIMES |= st.integers(-1, 4000).map(lambda number: NOW + number * 0.0005)


@pytest.mark.parametrize("format", ["json", "combined", "squid"])
@given(exchanges=st.lists(st.tuples(ended(), TIMES), min_size=3, max_size=6))
def test_it_is_the_line_that_it_would_be_by_itself(format, exchanges):
    numbers = Connections()
    lines = line_format(format, "web", numbers)
    connection = exchanges[0][0].context.connection
    together, each = [], []
    for one, now in exchanges:
        one.context.connection = connection
        brief = lines.brief(one, now)
        said = lines.exchange(one, now)
        # Who has written no line of that connection knows nothing of it.
        assert said == line_format(format, "web", numbers).exchange(one, now)
        assert brief is None or lines.of_briefs([brief], None) == said
        together.append(brief or (None, one, now, *(None,) * 4))
        each.append(said)
        assert said.isascii() and said.count(b"\n") == 1 and (format != "json" or json.loads(said))
    # Made later, all at once, they are the same.
    assert lines.of_briefs(together, lambda said: lines.exchange(*said[1:3])) == b"".join(each)
    assert lines.of_briefs(together, lambda said: None) == b"".join(
        line for line, brief in zip(each, together, strict=True) if brief[0] is not None
    )


@pytest.fixture
def wholes(monkeypatch):
    """How often a line was written as a whole."""
    seen = []
    whole = JsonLines.whole
    monkeypatch.setattr(JsonLines, "whole", lambda *words: seen.append(words) or whole(*words))
    return seen


def usual(connection, headers=FIELDS[0], **more):
    request = head(**more)
    request.headers = headers
    one = record(request, attempts=[on(KEPT[0], POOL.upstreams[0])], response=response())
    one.context.connection = connection
    return one


def test_what_comes_again_is_written_once(wholes):
    lines = JsonLines("web", Connections())
    connection = record().context.connection
    for number in range(10):
        lines.exchange(usual(connection, path=b"/%d" % number), NOW)
    assert len(wholes) == 2, "the first one may be the only one"


def test_who_is_never_the_same_is_not_tried_for_ever(wholes):
    lines = JsonLines("web", Connections())
    connection = record().context.connection
    for number in range(80):
        lines.exchange(usual(connection, Headers.from_lines([b"A: %d" % number])), NOW)
    assert len(wholes) == 80 and connection.facts.lines[lines].made == 32


def test_what_is_made_of_one_that_was_eventful_goes_for_others(wholes):
    lines = JsonLines("web", Connections())
    connection = record().context.connection
    first = usual(connection)
    first.attempts = (attempt(peer="10.0.0.1"),)
    assert first.eventful
    for one in (first, first, usual(connection), first):
        lines.exchange(one, NOW)
    assert len(wholes) == 3, "one that was eventful itself is always written by itself"


def test_who_makes_a_line_touches_nothing_of_what_is_counted():
    lines, counts = JsonLines("web", Connections()), RequestCounts()
    lines.count_in(counts.row)
    connection = record().context.connection
    for _ in range(4):
        lines.exchange(usual(connection), NOW)
    assert not counts.rows, "it may be another thread"
    changed = usual(connection)
    changed.status = 304
    assert lines.brief(changed, NOW)[6] is None and not counts.rows
    row = lines.brief(usual(connection), NOW)[6]
    assert counts.rows == {("", 200, b"GET", 'a"b', POOL.upstreams[0].name): row}


def test_what_fields_of_responses_say_is_not_taken_from_those_before():
    lines = JsonLines("web", Connections())
    connection = record().context.connection
    for number in range(60):
        one = usual(connection)
        one.response = response(b"X-Request-Id: %d" % (number // 2))
        one.attempts[0].upstream = Kept(f"10.0.1.{number % 20}")
        said = json.loads(lines.exchange(one, NOW))
        assert (said["request_id"], said["upstream"]) == (str(number // 2), f"10.0.1.{number % 20}:80")


def test_connections_whose_lines_are_alike_have_their_text_once():
    lines = JsonLines("web", Connections())
    connections = [record().context.connection for _ in range(2)]
    for connection in connections * 3:
        lines.exchange(usual(connection), NOW)
    one, other = (connection.facts.lines[lines] for connection in connections)
    assert one is not other
    assert one.start is other.start and one.after is other.after and one.routed is other.routed
    assert one.last[1] is other.last[1] and one.last[0][0] == b"/x"


def test_clients_that_all_ask_for_other_hosts_take_no_more_memory_than_is_allowed():
    lines = JsonLines("web", Connections())
    for number in range(2000):
        connection = record().context.connection
        for _ in range(3):
            host = b"%d.example" % number + b"x" * (number % 3 * 800)
            said = lines.exchange(usual(connection, authority=host, path=b"/" + host), NOW)
            assert json.loads(said)["host"] == host.decode()
        assert len(connection.facts.lines[lines].last[1]) <= 1000
    kept = [lines._known, lines._targets, lines._texts]
    assert sum(map(len, kept)) <= 1500 and len(lines._routed) <= 500
    assert sum(len(text) for known in kept for text in known.values()) < 500 * 2200


def test_no_more_is_remembered_than_is_allowed():
    made = []
    texts = Remembered(lambda key: made.append(key) or key * 2, most=3, longest=4)
    assert [texts[key] for key in (b"a", b"b", b"a", b"long one", b"long one", b"c")] == [
        b"aa", b"bb", b"aa", b"long onelong one", b"long onelong one", b"cc",
    ]  # fmt: skip
    assert made == [b"a", b"b", b"long one", b"long one", b"c"] and len(texts) == 3
    assert texts[b"d"] == b"dd" and list(texts) == [b"d"]


def test_an_exchange_is_as_good_as_its_record():
    one = usual(record().context.connection)
    assert ExchangeRecord.of(one).attempts == one.attempts and one.kept is KEPT[0] and not one.eventful
