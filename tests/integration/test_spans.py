"""Spans of a proxy with several workers, as a collector hears them."""

import os

import pytest

if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
    pytest.importorskip("opentelemetry.sdk")

from tests.integration.test_workers import Served
from tests.observe.spans.collector import collecting, values

GIVEN = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ASKED = b"GET /app/%d HTTP/1.1\r\nHost: a\r\ntraceparent: %b\r\n\r\n"
MORE = '[pools.app]\nupstreams = ["{0}"]\n[[routes]]\nname = "app"\npath = "/app"\npool = "app"\n'


def test_all_workers_send_spans_and_the_last_ones_when_they_end(processes, tmp_path):
    with collecting() as collector:
        more = MORE.format(collector.url)
        tracing = f'tracing = {{ endpoint = "{collector.url}", service_name = "edge", sample = 0 }}'
        proxy = Served(processes, tmp_path, 2, more, before=tracing)
        for number in range(20):
            assert b" 200 " in proxy.ask(ASKED % (number, GIVEN))
        # Those that nobody writes down are none.
        assert proxy.ask() and proxy.ask(ASKED % (20, GIVEN[:-2] + b"00"))
        proxy.end()
        spans = [span for _, span in collector.spans]
        servers, clients = ([one for one in spans if one.kind == kind] for kind in (2, 3))
        assert len(servers) == len(clients) == 20
        assert {values(one.attributes)["url.path"] for one in servers} == {f"/app/{number}" for number in range(20)}
        assert {one.parent_span_id for one in clients} == {one.span_id for one in servers}
        assert {one.parent_span_id.hex() for one in servers} == {"b7ad6b7169203331"}
        passed = {headers["traceparent"].split("-")[2] for headers in collector.requests}
        assert {one.span_id.hex() for one in clients} == passed - {"b7ad6b7169203331"}
