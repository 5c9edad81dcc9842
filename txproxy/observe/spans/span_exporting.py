"""How spans go to a collector of OpenTelemetry: many together, by a thread, for which no request waits."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from threading import Thread
from time import monotonic, time_ns
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from txproxy.errors import ConfigError
from txproxy.interfaces.record import FinishedExchange, momentary
from txproxy.observe.spans.span_building import Span, spans_of

_log = Logger()

# How long a collector may take to answer, and how long all of it may at the end, in seconds.
_PATIENCE: Final = 5.0
_AT_THE_END: Final = 2.0
# So many spans wait at the most; the oldest are dropped for others.
_MOST_WAITING: Final = 4096
# How often the log is told what is wrong, in seconds.
_SAY_EVERY: Final = 60.0
_LIBRARY: Final = "opentelemetry"


def span_library() -> Any:
    """What makes and sends spans; ``ConfigError`` at ``endpoint`` without the packages that this takes."""
    try:
        from txproxy.observe.spans import opentelemetry_spans
    except ImportError:
        raise ConfigError(
            "opentelemetry is not installed, by which spans are sent",
            "accepted is it with pip install 'txproxy[otel]', or no endpoint",
            ("endpoint",),
        ) from None
    return opentelemetry_spans


class SpanExporting:
    """Sends spans to the collector at ``endpoint``, as those of a service of that name. Its thread begins with the
    first span, in the process that has it. ``ConfigError`` without the library that this takes.
    """

    def __init__(self, endpoint: str, service_name: str) -> None:
        self._library = span_library()
        self._endpoint = endpoint
        self._service = {"service.name": service_name}
        self._listeners: dict[str, ListenerSpans] = {}
        self._processor: Any = None
        self._exporter: Any = None
        self._resource: Any = None
        self._handler = _Complaints(endpoint)

    def of(self, listener: str) -> ListenerSpans:
        """Who is told of the exchanges of a listener."""
        if listener not in self._listeners:
            self._listeners[listener] = ListenerSpans(self, listener)
        return self._listeners[listener]

    def tell(self, spans: Iterable[Span]) -> None:
        """Send these as well."""
        if self._processor is None:
            self._begin()
        for span in spans:
            self._processor.on_end(self._library.made_of(span, self._resource))

    def _begin(self) -> None:
        logger = logging.getLogger(_LIBRARY)
        logger.addHandler(self._handler)
        # What it has to say is for our log.
        logger.propagate = False
        self._resource = self._library.resource(self._service)
        self._processor, self._exporter = self._library.processor(self._endpoint, _PATIENCE, _MOST_WAITING)

    def close(self, reactor: Any) -> Deferred[Any]:
        """Send what is left; fires when that is done, or takes too long."""
        processor, self._processor = self._processor, None
        exporter = self._exporter
        if processor is None:
            return succeed(None)
        done: Deferred[Any] = Deferred()

        def send_the_rest() -> None:
            processor.shutdown()
            logging.getLogger(_LIBRARY).removeHandler(self._handler)
            reactor.callFromThread(lambda: None if done.called else done.callback(None))

        # Whoever ends does not wait for a thread that waits for a collector.
        Thread(target=send_the_rest, daemon=True).start()

        def late(failure: Any) -> None:
            _log.warn("the last spans could not be sent in time, and are lost")
            # It tries no more.
            exporter.shutdown()

        return done.addTimeout(_AT_THE_END, reactor).addErrback(late)


class ListenerSpans:
    """Has the exchanges of one ``listener`` sent, those of which the trace is written down."""

    def __init__(self, exporting: SpanExporting, listener: str) -> None:
        self._exporting = exporting
        self._listener = listener

    @momentary
    def exchange(self, over: FinishedExchange) -> None:
        """One that is over."""
        traced = over.context.traced
        if traced is not None and traced.sampled:
            self._exporting.tell(spans_of(over, self._listener, time_ns()))

    def stream(self, stream: object) -> None:
        """A raw stream has no trace."""


class _Complaints(logging.Handler):
    """Says in the log what the library complains of, once and then every minute at the most."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(logging.WARNING)
        self._endpoint = endpoint
        self._next = 0.0
        self._unsaid = 0

    def emit(self, record: logging.LogRecord) -> None:
        """See :class:`logging.Handler`."""
        now = monotonic()
        if now < self._next:
            self._unsaid += 1
            return
        self._next = now + _SAY_EVERY
        unsaid, self._unsaid = self._unsaid, 0
        more = f" (and {unsaid} times before)" if unsaid else ""
        _log.warn("spans for {endpoint}: {said}{more}", endpoint=self._endpoint, said=record.getMessage(), more=more)
