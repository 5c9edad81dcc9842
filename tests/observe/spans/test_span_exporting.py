"""How spans go to a collector."""

import logging
import os
import sys
import threading

import pytest
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher

if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
    pytest.importorskip("opentelemetry.sdk")

from tests.observe.spans.collector import collecting, values
from txproxy.errors import ConfigError
from txproxy.observe import spans
from txproxy.observe.spans.span_building import CLIENT, SERVER, Span
from txproxy.observe.spans.span_exporting import SpanExporting

LATER = 20


class Reactor(Clock):
    """What threads have called is done at once."""

    def callFromThread(self, function, *words):
        function(*words)


def span(number, kind=SERVER, **more):
    return Span(kind, f"GET {number}", 7, number, None, 1000, 2000, {"url.path": "/a"}, **more)


def ended(exporting):
    """Whether all was sent, once it is closed."""
    over, clock = threading.Event(), Reactor()
    exporting.close(clock).addCallback(lambda _: over.set())
    assert over.wait(LATER)
    clock.advance(0)
    assert clock.getDelayedCalls() == []


def test_spans_are_those_of_a_service_and_the_last_are_sent_at_the_end():
    with collecting() as collector:
        exporting = SpanExporting(f"{collector.url}/v1/traces", "edge")
        exporting.tell([span(1), Span(CLIENT, "GET", 7, 2, 1, 1100, 1900, {"server.port": 80}, "refused")])
        ended(exporting)
        (known, server), (_, client) = sorted(collector.spans, key=lambda one: one[1].span_id)
    assert collector.paths == {"/v1/traces"} and known["service.name"] == "edge"
    assert (server.name, server.kind, server.parent_span_id, server.status.code) == ("GET 1", 2, b"", 0)
    assert server.trace_id == (7).to_bytes(16, "big") and values(server.attributes) == {"url.path": "/a"}
    assert (client.kind, client.parent_span_id, client.span_id) == (3, (1).to_bytes(8, "big"), (2).to_bytes(8, "big"))
    assert (client.status.code, client.status.message) == (2, "refused")
    assert (client.start_time_unix_nano, client.end_time_unix_nano) == (1100, 1900)


def test_nothing_begins_before_there_is_a_span():
    before = threading.active_count()
    exporting = SpanExporting("http://127.0.0.1:1/v1/traces", "edge")
    assert exporting.of("a") is exporting.of("a") is not exporting.of("b")
    assert threading.active_count() == before and exporting.close(Clock()).called


def test_a_collector_that_is_away_is_said_once_and_waited_for_no_longer_than_a_moment():
    said = []
    globalLogPublisher.addObserver(said.append)
    try:
        exporting = SpanExporting("http://127.0.0.1:1/v1/traces", "edge")
        exporting.tell(span(number) for number in range(5000))
        clock, closed = Reactor(), []
        exporting.close(clock).addCallback(closed.append)
        clock.advance(1.9)
        assert not closed
        clock.advance(0.1)
        assert closed == [None]
        for number in range(3):
            exporting._handler.emit(logging.LogRecord("opentelemetry", logging.WARNING, "", 0, f"{number}", (), None))
    finally:
        globalLogPublisher.removeObserver(said.append)
    lines = [formatEvent(event) for event in said if event["log_namespace"].endswith("span_exporting")]
    (first,) = [line for line in lines if line.startswith("spans for http://127.0.0.1:1/v1/traces: ")]
    assert "the last spans could not be sent in time, and are lost" in lines and len(lines) == 2 and first


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.delattr(spans, "opentelemetry_spans", raising=False)
    monkeypatch.delitem(sys.modules, "txproxy.observe.spans.opentelemetry_spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(ConfigError, match=r"pip install 'txproxy\[otel\]'") as caught:
        SpanExporting("http://127.0.0.1:1", "edge")
    assert str(caught.value).startswith("endpoint: ")
