"""Lines made of little, many together: when that can be, and what of them is kept for others."""

import json

import pytest
from twisted.internet.address import IPv4Address

from tests.observe.log_formats.records import NOW, Transport, attempt, head, record, response
from txproxy.observe.log_formats.connection_facts import Connections
from txproxy.observe.log_formats.json_lines.brief_lines import LONGEST_KNOWN, LONGEST_TEXT
from txproxy.observe.log_formats.json_lines.json_line import JsonLines
from txproxy.observe.request_counts import RequestCounts
from txproxy.upstreams.choice import PoolAttempt
from txproxy.upstreams.pool import Pool
from txproxy.wire.headers import Headers

FIELDS = Headers.from_lines([b"User-Agent: curl", b"X-Request-Id: 7"])
POOL = Pool(["http://10.0.0.1:80", "http://10.0.0.2:80"], name="app")


class Kept:
    """A connection to an upstream."""

    def __init__(self, host="10.0.0.1"):
        self.transport = Transport(IPv4Address("TCP", host, 80))
        self.facts = None


class Written:
    """Lines of one connection, which are all alike but for what is said of each."""

    def __init__(self, **more):
        self.lines = JsonLines("web", Connections())
        self.connection = record().context.connection
        self.kept = Kept()
        # What is common is found out by the second.
        for _ in range(2):
            self.lines.exchange(self.one(**more), NOW)

    def one(self, upstream=POOL.upstreams[0], kept=None, answered=200, seconds=0.0123, first_byte=0.009, **more):
        request = head(path=more.pop("path", b"/x"), minor=more.pop("minor", 1), scheme=more.pop("scheme", None))
        request.headers = FIELDS
        made = attempt(reused=True, began=0.001, connected=0.001, status=answered)
        made.attempt = PoolAttempt(upstream, upstream.address, None, upstream, None)
        made.upstream = kept or self.kept
        fields = more.pop("fields", ())
        one = record(
            request, attempts=[made], response=response(*fields), seconds=seconds, first_byte=first_byte, **more
        )
        one.context.connection = self.connection
        return one

    def brief(self, now=NOW, **more):
        said = self.lines.brief(self.one(**more), now)
        assert said is not None
        return said

    def said(self, *briefs, whole=None):
        return [json.loads(line) for line in self.lines.of_briefs(briefs, whole).splitlines()]


@pytest.fixture
def written():
    return Written()


def test_lines_that_are_made_together_are_each_as_by_itself(written):
    briefs = [written.brief(NOW + number * 0.0004, path=b"/%d" % number, sent=number) for number in range(40)]
    together = written.lines.of_briefs(briefs, None)
    assert together == b"".join(written.lines.of_briefs([one], None) for one in briefs)
    found = [json.loads(line) for line in together.splitlines()]
    assert [(one["target"], one["sent"]) for one in found] == [(f"/{number}", number) for number in range(40)]


@pytest.mark.parametrize("identifier", [None, b"7f"])
def test_each_request_of_http2_has_its_own_stream(identifier):
    written = Written(minor=2, stream=1)
    fields = [] if identifier is None else [b"X-Request-Id: " + identifier]
    numbers = [3, 5, 2147483647, 1]
    found = written.said(*[written.brief(minor=2, stream=number, fields=fields) for number in numbers])
    assert [one["stream"] for one in found] == numbers
    assert {one["request_id"] for one in found} == {"7" if identifier is None else "7f"}


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([0.0, 0.0004, 0.0009], ["40.123", "40.124", "40.124"]),
        # A clock that is set back says what it says.
        ([0.0, -60.0, 0.0], ["40.123", "40.123", "40.123"]),
        ([0.8759, 0.8763, 0.8775], ["40.999", "41.000", "41.001"]),
        ([1.0, 0.0, 1.0], ["41.123", "40.123", "41.123"]),
    ],
)
def test_each_has_its_own_time(written, times, said):
    found = written.said(*[written.brief(NOW + later) for later in times])
    assert [one["time"][17:23] for one in found] == said


def test_what_is_not_brief_stands_where_it_belongs(written):
    briefs = [
        written.brief(path=b"/1"),
        (None, "a", *(None,) * 5),
        (None, "b", *(None,) * 5),
        written.brief(path=b"/2"),
    ]
    made = {"a": b'{"target":"whole"}\n', "b": None}
    found = written.said(*briefs, whole=lambda brief: made[brief[1]])
    assert [one["target"] for one in found] == ["/1", "whole", "/2"], "and of one there is to be no line"


@pytest.mark.parametrize(
    ("seconds", "first_byte", "said"),
    [
        (0.000123, 0.000123, (0.000123, 0.000123)),
        (0.0123, 0.009, (0.0123, 0.009)),
        (5.0, 5.0, (5.0, 5.0)),
        (0.5, None, (0.5, None)),
        (-1.0, -1.0, (0.0, 0.0)),
        (0.0, 0.0, (0.0, 0.0)),
    ],
)
def test_durations_and_first_bytes(written, seconds, first_byte, said):
    brief = written.brief(seconds=seconds, first_byte=first_byte)
    for found in written.said(brief, brief):
        assert (found["duration"], found["first_byte"]) == said


def test_who_asks_of_something_else_is_not_told_of_it_in_brief(written):
    assert written.lines.brief(written.one(rule="other"), NOW) is None
    assert written.lines.brief(written.one(user="bob"), NOW) is None
    assert written.lines.brief(written.one(outcome="answered"), NOW) is None
    unanswered = written.one()
    unanswered.response = None
    assert written.lines.brief(unanswered, NOW) is None
    assert written.lines.brief(written.one(answered=0, status=0), NOW) is None
    assert written.lines.brief(written.one(), NOW) is not None


def test_two_upstreams_are_told_apart_by_their_connections(written):
    other = Kept("10.0.0.2")
    briefs = [written.brief(), written.brief(upstream=POOL.upstreams[1], kept=other), written.brief()]
    assert [one["upstream"] for one in written.said(*briefs)] == ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.1:80"]
    # The same connection, for another pool's upstream.
    elsewhere = Pool(["http://10.0.0.1:80"], name="admin").upstreams[0]
    found = written.said(written.brief(), written.brief(upstream=elsewhere), written.brief())
    assert [one["pool"] for one in found] == ["app", "admin", "app"]


def test_what_was_answered_elsewhere_in_between_is_not_said_of_this(written):
    found = written.said(*[written.brief(answered=status, status=status) for status in (200, 404, 200, 304, 304)])
    assert [one["upstream_status"] for one in found] == [200, 404, 200, 304, 304]
    assert [one["status"] for one in found] == [200, 404, 200, 304, 304]
    changed = written.said(written.brief(answered=200, status=304), written.brief())
    assert [(one["status"], one["upstream_status"]) for one in changed] == [(304, 200), (200, 200)]


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        ({}, True),
        ({"answered": 404, "status": 404}, True),
        ({"answered": 499, "status": 499}, True),
        ({"answered": 500, "status": 500}, False),
        ({"answered": 503, "status": 503}, False),
        ({"status": 304}, False),
        ({"received": 1}, False),
    ],
)
def test_only_what_needs_no_more_is_counted_with_its_line(more, counts):
    written, told = Written(), RequestCounts()
    written.lines.count_in(told.row)
    for _ in range(2):
        row = written.brief(**more)[6]
        assert (row is not None) is counts
    status = more.get("status", 200)
    assert list(told.rows) == ([("", status, b"GET", "app", POOL.upstreams[0].name)] if counts else [])


def test_who_counts_from_now_on_is_told_of_what_was_known_before(written):
    assert written.brief()[6] is None
    told = RequestCounts()
    written.lines.count_in(told.row)
    assert written.brief()[6] is not None and written.brief()[6] is written.brief()[6]


def test_upstreams_without_end_are_not_all_remembered(written):
    for number in range(600):
        upstream = Pool(["http://10.0.0.1:80"], name=f"p{number}").upstreams[0]
        brief = written.brief(upstream=upstream, kept=Kept(f"10.1.{number // 250}.{number % 250}"))
        assert written.said(brief)[0]["pool"] == f"p{number}"
    (routed,) = written.lines._routed.values()
    assert len(routed.places) <= 256


def test_the_last_line_is_taken_again_only_where_it_says_the_same(written):
    alike = written.connection.facts.lines[written.lines]
    first = written.lines.head(alike, b"/x", 200, 5, 0)
    assert written.lines.head(alike, b"/x", 200, 5, 0) is first
    others = [(b"/y", 200, 5, 0), (b"/x", 404, 5, 0), (b"/x", 200, 6, 0), (b"/x", 200, 5, 1), (b"/x", 0, 5, 0)]
    assert len({first, *(written.lines.head(alike, *other) for other in others)}) == 6
    assert written.lines.head(alike, b"/x", 0, 5, 0).endswith(b'"status":null,"sent":5,"received":0,"duration":')


def test_what_is_very_long_is_not_kept(written):
    alike = written.connection.facts.lines[written.lines]
    kept = written.lines.head(alike, b"/x", 200, 5, 0)
    longest = b"/" + b"x" * (LONGEST_KNOWN - 1)
    for target in (longest, longest + b"x", b"/" * (LONGEST_TEXT + 1)):
        assert target in written.lines.head(alike, target, 200, 5, 0)
        assert (target in written.lines._targets) is (len(target) <= LONGEST_KNOWN)
        assert len(alike.last[1]) <= LONGEST_TEXT
    assert written.lines.head(alike, b"/x", 200, 5, 0) == kept


def test_what_a_plan_stands_for_is_taken_again_where_it_says_no_more(written):
    alike = written.connection.facts.lines[written.lines]
    request = written.one().request
    said = written.lines.head_again(alike, request, 200, 5)
    assert said == written.lines.head(alike, b"/x", 200, 5, 0)
    assert alike.again == ((b"/x", 200, 5, 1, None), said)
    assert written.lines.head_again(alike, written.one(minor=0).request, 200, 5) is None
    assert written.lines.head_again(alike, written.one(scheme=b"http").request, 200, 5) is None
