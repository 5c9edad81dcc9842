"""What of OpenTelemetry's library is used. It is imported where spans are sent, and nowhere else."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from txproxy.observe.spans.span_building import SERVER, Span

_SCOPE: Final[Any] = InstrumentationScope("txproxy")
_SAMPLED: Final[Any] = TraceFlags(TraceFlags.SAMPLED)
_UNSET: Final[Any] = Status(StatusCode.UNSET)


def resource(attributes: dict[str, str]) -> Any:
    """What all spans are of, with what the environment says of it (``OTEL_RESOURCE_ATTRIBUTES``)."""
    return Resource.create(dict(attributes))


def processor(endpoint: str, patience: float, most: int) -> tuple[Any, Any]:
    """Who sends spans, by a thread of its own that begins now, where ``most`` of them wait; and by what it does."""
    exporter: Any = OTLPSpanExporter(endpoint=endpoint, timeout=patience)
    made: Any = BatchSpanProcessor(exporter, max_queue_size=most, schedule_delay_millis=1000, max_export_batch_size=512)
    return made, exporter


def made_of(span: Span, resource: Any) -> Any:
    """One, as the library has it."""

    def context(number: int, remote: bool) -> Any:
        return SpanContext(span.trace, number, remote, _SAMPLED)

    server = span.kind == SERVER
    return ReadableSpan(
        span.name,
        context(span.span, False),
        parent=context(span.parent, server) if span.parent is not None else None,
        resource=resource,
        attributes=dict(span.attributes),
        kind=SpanKind.SERVER if server else SpanKind.CLIENT,
        status=Status(StatusCode.ERROR, span.fault) if span.fault else _UNSET,
        start_time=span.start,
        end_time=span.end,
        instrumentation_scope=_SCOPE,
    )
