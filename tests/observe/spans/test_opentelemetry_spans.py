"""What OpenTelemetry's library is given."""

import os

import pytest

if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
    pytest.importorskip("opentelemetry.sdk")

from opentelemetry.trace import SpanKind, StatusCode

from txproxy.observe.spans.opentelemetry_spans import made_of, resource
from txproxy.observe.spans.span_building import CLIENT, SERVER, Span


@pytest.mark.parametrize(
    ("kind", "known_as", "remote"), [(SERVER, SpanKind.SERVER, True), (CLIENT, SpanKind.CLIENT, False)]
)
def test_a_span_is_what_it_was(kind, known_as, remote):
    made = made_of(Span(kind, "GET", 7, 2, 1, 1100, 1900, {"a": 1}, "refused"), resource({"service.name": "edge"}))
    assert (made.name, made.kind, made.start_time, made.end_time) == ("GET", known_as, 1100, 1900)
    assert (made.context.trace_id, made.context.span_id, made.context.trace_flags.sampled) == (7, 2, True)
    assert (made.parent.span_id, made.parent.is_remote, made.context.is_remote) == (1, remote, False)
    assert (made.status.status_code, made.status.description) == (StatusCode.ERROR, "refused")
    assert dict(made.attributes) == {"a": 1} and made.resource.attributes["service.name"] == "edge"


def test_one_that_begins_a_trace_and_went_well_says_so():
    made = made_of(Span(SERVER, "GET", 7, 2, None, 1, 2, {}), resource({}))
    assert made.parent is None and made.status.status_code is StatusCode.UNSET
