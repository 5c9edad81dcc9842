"""``/api/events``: its readers, some of whom are slow."""

import json

import pytest
from twisted.internet.address import IPv4Address

from tests.admin.conftest import read
from tests.admin.events.conftest import A
from txproxy.admin.access_checks import Access
from txproxy.admin.admin_resource import AdminResource
from txproxy.admin.admin_site import AdminSite
from txproxy.admin.api_paths import ApiPaths
from txproxy.admin.events.event_stream import MOST_HELD, PATIENCE, SILENCE
from txproxy.admin.events.event_verbs import MOST_STREAMS
from txproxy.admin.proxy_view import Stage
from txproxy.config.admin_endpoint import AdminConfig
from txproxy.testing import MemoryConnection


class Stream:
    """A reader of a site's events."""

    def __init__(self, clock, site, path="/api/events", method="GET", version="1.1", *lines):
        self.connection = MemoryConnection(clock, site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 60000)))
        head = "\r\n".join([f"{method} {path} HTTP/{version}", "Host: localhost:9090", *lines, "", ""])
        self.connection.send(head.encode())
        self.head, _, self._rest = self.connection.take().partition(b"\r\n\r\n")

    def events(self):
        """What came since the last call: kinds, and what is told."""
        data, self._rest = self._rest + self.connection.take(), b""
        text = b""
        while data:
            size, _, data = data.partition(b"\r\n")
            self.ended = size == b"0"
            text, data = text + data[: int(size, 16)], data[int(size, 16) + 2 :]
        found = [one.split("\n") for one in text.decode().split("\n\n") if one.startswith("event: ")]
        return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in found]


@pytest.fixture
def resource(verbs):
    return AdminResource(ApiPaths(verbs), Access(AdminConfig(listen="127.0.0.1:9090")))


@pytest.fixture
def site(resource, clock):
    site = AdminSite(resource, clock)
    yield site
    site.abort()
    clock.advance(1)
    assert not site.protocols and clock.getDelayedCalls() == []


@pytest.fixture
def stream(clock, site):
    return Stream(clock, site)


def kinds(stream):
    return [kind for kind, _ in stream.events()]


def test_it_tells_at_once_and_each_second(stream, view, clock):
    assert stream.head.startswith(b"HTTP/1.1 200 ") and b"Content-Type: text/event-stream\r\n" in stream.head
    assert b"Cache-Control: no-store" in stream.head
    ((kind, told),) = stream.events()
    assert kind == "status" and told["stage"] == "serving" and told["upstreams"]["app"][0]["name"] == A
    view.pool.disable(A)
    clock.advance(1)
    (kind, told), (last, status) = stream.events()
    assert (kind, told["upstream"], told["state"]) == ("upstream", A, "disabled")
    assert last == "status" and status["upstreams"]["app"][0]["state"] == "disabled"


def test_it_lasts_longer_than_a_client_may_be_silent(stream, clock):
    for _ in range(200):
        clock.advance(1)
    assert kinds(stream) == ["status"] * 201 and not stream.connection.closed


def test_what_changes_may_be_all_that_is_wanted(clock, site, view):
    stream = Stream(clock, site, "/api/events?status=0")
    assert stream.events() == []
    view.pool.weigh(view.pool.upstreams[0], 5)
    clock.advance(1)
    clock.advance(1)
    assert stream.events() == [("weight", {"pool": "app", "upstream": A, "was": 1, "weight": 5})]


def test_a_comment_says_that_it_lives_where_there_is_nothing_to_tell(clock, site):
    stream = Stream(clock, site, "/api/events?status=0")
    clock.pump([1] * (int(SILENCE) - 1))
    assert stream.connection.take() == b""
    clock.pump([1] * int(SILENCE))
    assert stream.connection.take() == b"3\r\n:\n\n\r\n"


def test_who_leaves_is_told_no_more_and_the_last_one_ends_it(stream, clock, site):
    other = Stream(clock, site)
    stream.connection.drop()
    clock.advance(1)
    assert kinds(other) == ["status", "status"]
    other.connection.drop()
    assert clock.getDelayedCalls() == []


def test_who_reads_slowly_gets_all_events_and_the_last_status(stream, view, clock):
    stream.events()
    # What does not fit into a buffer pauses it.
    stream.connection.stop_reading()
    names = [f"http://10.9.{number >> 8}.{number & 255}:80" for number in range(400)]
    for name in names:
        view.overlays["app"].add(name)
    clock.advance(1)
    waiting = stream.connection.waiting
    for number in (3, 4, 5):
        view.pool.weigh(view.pool.upstreams[0], number)
        clock.advance(1)
    assert stream.connection.waiting == waiting
    stream.connection.read_on()
    found = stream.events()
    assert [told["weight"] for kind, told in found if kind == "weight"] == [3, 4, 5]
    assert [kind for kind, _ in found].count("status") == 2
    assert found[-1][1]["upstreams"]["app"][0]["weight"] == 5
    clock.advance(1)
    assert kinds(stream) == ["status"]


def pause(stream):
    stream.connection.stop_reading()
    # As a transport does whose buffer is full.
    stream.connection._producer.pauseProducing()


def test_of_what_waits_for_a_slow_reader_there_is_a_bound(stream, view, clock):
    stream.events()
    pause(stream)
    for number in range(MOST_HELD + 44):
        view.overlays["app"].add(f"http://10.9.{number >> 8}.{number & 255}:80")
    clock.advance(1)
    stream.connection.read_on()
    found = kinds_and_counts(stream.events())
    assert found["upstream"] == MOST_HELD and found["missed"] == 44


def kinds_and_counts(found):
    counted = {}
    for kind, told in found:
        counted[kind] = told["events"] if kind == "missed" else counted.get(kind, 0) + 1
    return counted


def test_who_reads_nothing_for_long_is_cut_off(stream, clock):
    pause(stream)
    clock.pump([1] * (int(PATIENCE) - 1))
    assert not stream.connection.closed
    clock.pump([1] * 2)
    assert stream.connection.closed and clock.getDelayedCalls() == []


@pytest.mark.parametrize("reads", [True, False])
def test_a_drain_ends_it(stream, view, clock, reads):
    if not reads:
        pause(stream)
    view.stage = Stage.DRAINING
    clock.advance(1)
    if reads:
        assert kinds(stream) == ["status", "stage", "status"] and stream.ended
        # The connection may be used again.
        stream.connection.send(b"GET /api/log HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert stream.connection.take().startswith(b"HTTP/1.1 404 ")
    else:
        clock.advance(0)
        assert stream.connection.closed
    stream.connection.drop()
    assert clock.getDelayedCalls() == []


def test_there_are_so_many_readers_at_once(clock, site):
    streams = [Stream(clock, site) for _ in range(MOST_STREAMS)]
    (refused,) = read(refused_by(clock, site))
    assert refused.status == 503 and "accepted are no more" in refused.json["error"]
    streams[0].connection.drop()
    assert Stream(clock, site).head.startswith(b"HTTP/1.1 200 ")


def refused_by(clock, site):
    connection = MemoryConnection(clock, site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 60000)))
    connection.send(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return connection.take()


def test_head_begins_nothing(clock, site):
    stream = Stream(clock, site, method="HEAD")
    assert b"text/event-stream" in stream.head and [call.getTime() for call in clock.getDelayedCalls()] == [60]


def test_a_client_of_http_1_0_reads_until_the_end(clock, site):
    stream = Stream(clock, site, version="1.0")
    assert b"chunked" not in stream.head and stream._rest.startswith(b": txproxy\n\nevent: status\n")


def test_another_token_ends_what_the_one_before_has_begun(clock, site, resource):
    config = AdminConfig(listen="127.0.0.1:9090", token_file="token")
    resource.admit(Access(config, b"old"))
    stream = Stream(clock, site, "/api/events", "GET", "1.1", "Authorization: Bearer old")
    resource.admit(Access(config, b"old"))
    clock.advance(1)
    assert kinds(stream) == ["status", "status"]
    resource.admit(Access(config, b"new"))
    clock.advance(0)
    assert stream.connection.closed
    assert Stream(clock, site).head.startswith(b"HTTP/1.1 401 ")
