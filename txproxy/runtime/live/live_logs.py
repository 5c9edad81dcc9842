"""The access logs of a configuration: files that are written to, and who writes lines for which listener."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from txproxy.components.named_code import NamedCode
from txproxy.config.model import AnyListener, Config, TcpListener, TracingConfig
from txproxy.errors import ConfigError, Path
from txproxy.observe.access_log import AccessLog, open_log
from txproxy.observe.log_conditions import ConditionalLog, LogConditions
from txproxy.observe.log_file import LogFile
from txproxy.observe.log_formats.connection_facts import Connections
from txproxy.observe.log_formats.line_format import line_format
from txproxy.observe.own_sink import OwnSink, SinkLog

# Who sends no spans does without.
if TYPE_CHECKING:
    from txproxy.observe.spans.span_exporting import ListenerSpans, SpanExporting


class LiveLogs:
    """Those of ``config``. What was there ``before``, and would be the same, is: files, and logs of listeners.

    Without ``sinks``, nobody's code is given lines: it is where requests are served.

    A file that cannot be written, and a format that is none, is a ``ConfigError``; then none is left open.
    """

    def __init__(self, config: Config, before: LiveLogs | None, sinks: bool = True) -> None:
        self._before = before
        self._has_sinks = sinks
        # Each worker has its own.
        self._most_refused = config.access_refused / config.workers
        # numbers them
        self.connections: Connections = before.connections if before is not None else Connections()
        self.files: dict[str, LogFile] = {}
        # by where they go, their format, and the name in it, if it has one
        self.logs: dict[tuple[str, str, str], AccessLog] = {}
        # the same, with what they are asked for
        self.conditional: dict[tuple[AccessLog | SinkLog, LogConditions], ConditionalLog] = {}
        # by what they are called, their format, and the name in it
        self.sink_logs: dict[tuple[NamedCode, str, str], SinkLog] = {}
        self._sinks: list[OwnSink] = []
        # by the numbers of listeners
        self.of_listeners: dict[int, list[AccessLog | SinkLog | ConditionalLog | ListenerSpans]] = {}
        # by their collectors and services; those of before as well, as clients may have begun something then
        self.exporting: dict[tuple[str, str], SpanExporting] = {} if before is None else {**before.exporting}
        try:
            spans = self._spans(config.tracing)
            for number, listener in enumerate(config.listeners):
                self.of_listeners[number] = list(self._of(number, listener, config))
                if spans is not None and not isinstance(listener, TcpListener):
                    self.of_listeners[number].append(spans.of(listener.name))
        except ConfigError:
            self.close_but(before.files.values() if before is not None else ())
            raise

    def _spans(self, tracing: TracingConfig) -> SpanExporting | None:
        """Who sends spans of traces, if that is wanted."""
        if tracing.endpoint is None:
            return None
        key = tracing.endpoint, tracing.service_name
        if key not in self.exporting:
            try:
                from txproxy.observe.spans.span_exporting import SpanExporting

                self.exporting[key] = SpanExporting(*key)
            except ConfigError as fault:
                raise fault.at("tracing") from None
        return self.exporting[key]

    def _of(self, number: int, listener: AnyListener, config: Config) -> Iterator[AccessLog | SinkLog | ConditionalLog]:
        """The logs of a listener."""
        to, format = config.access_log_of(listener)
        if to is not None:
            own = ("listeners", number)
            to_at: Path = (*own, "access_log") if listener.access_log is not None else ("log", "access")
            format_at: Path = ("log", "access_format")
            if listener.access_log_format is not None:
                format_at = (*own, "access_log_format")
            yield self._log(to, format, listener.name, (to_at, format_at))
        for place, more in enumerate(config.access_logs):
            if more.sink is not None and not self._has_sinks:
                continue
            if not more.listeners or listener.name in more.listeners:
                at = ("access_logs", place)
                log: AccessLog | SinkLog
                if more.sink is not None:
                    log = self._sink_log(more.sink, more.format, listener.name, at)
                else:
                    log = self._log(more.to, more.format, listener.name, ((*at, "to"), (*at, "format")))
                yield self._conditional(log, more.conditions) if more.conditions else log

    def _log(self, to: str, format: str, listener: str, at: tuple[Path, Path]) -> AccessLog:
        """Who writes lines of that format there; what is wrong is said of the keys ``at`` which both stand."""
        file = self._file(to, at[0])
        try:
            lines = line_format(format, listener, self.connections)
        except ConfigError as fault:
            raise fault.at(*at[1]) from None
        name = (to, format, listener if lines.says_listener else "")
        log = self.logs.get(name)
        if log is None:
            log = self._before.logs.get(name) if self._before is not None else None
            if log is None or log.file is not file:
                log = AccessLog(to, lines, file)
            log.refused.most = self._most_refused
            self.logs[name] = log
        return log

    def _sink_log(self, code: NamedCode, format: str, listener: str, at: Path) -> SinkLog:
        """The same, of code that takes lines."""
        lines = line_format(format, listener, self.connections)
        name = (code, format, listener if lines.says_listener else "")
        if name not in self.sink_logs:
            known = self._before.sink_logs.get(name) if self._before is not None else None
            self.sink_logs[name] = known or SinkLog(self._sink(code, at), lines)
            self._hold(self.sink_logs[name].sink)
        return self.sink_logs[name]

    def _sink(self, code: NamedCode, at: Path) -> OwnSink:
        known = [*self._sinks, *(self._before._sinks if self._before is not None else ())]
        found = next((one for one in known if one.code == code), None)
        try:
            return found or OwnSink(code)
        except ConfigError as fault:
            raise fault.at(*at, "sink") from None

    def _hold(self, sink: OwnSink) -> None:
        if sink not in self._sinks:
            self._sinks.append(sink)
            sink.hold()

    def _file(self, to: str, at: Path) -> LogFile:
        if to not in self.files:
            there = self._before.files.get(to) if self._before is not None else None
            if there is None or there.closed:
                try:
                    there = open_log(to)
                except ConfigError as fault:
                    raise fault.at(*at) from None
            self.files[to] = there
        return self.files[to]

    def _conditional(self, log: AccessLog | SinkLog, conditions: LogConditions) -> ConditionalLog:
        key = (log, conditions)
        known = self._before.conditional.get(key) if self._before is not None else None
        return self.conditional.setdefault(key, known or ConditionalLog(log, conditions))

    def close_but(self, kept: Iterable[LogFile]) -> None:
        """No more lines, but in the files that are ``kept``."""
        sinks, self._sinks = self._sinks, []
        for sink in sinks:
            sink.release()
        still = list(kept)
        for file in self.files.values():
            if not any(file is other for other in still):
                file.close()
