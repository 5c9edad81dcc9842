"""A log whose lines go to somebody's code."""

from __future__ import annotations

from time import time
from typing import Any, Final

from txproxy.components.named_code import NamedCode, call_code, check_call, find_code
from txproxy.errors import ConfigError
from txproxy.interfaces.hooks.code_faults import CodeFaults
from txproxy.interfaces.record import FinishedExchange, FinishedStream, momentary
from txproxy.observe.log_formats.line_format import LineFormat

_ACCEPTED: Final = (
    "accepted is a class of objects with write(line), or a function of a line; the class may have close() as well"
)


def find_sink(code: NamedCode) -> Any:
    """What gives a :class:`txproxy.interfaces.LogSink`, or takes its lines; ``ConfigError`` if it is none."""
    found = find_code(code, "sink")
    if isinstance(found, type):
        if not callable(getattr(found, "write", None)):
            raise ConfigError(f"{code.name!r} has no write", _ACCEPTED)
        check_call(code, found)
    elif callable(found):
        check_call(code, found, 1, _ACCEPTED)
    else:
        raise ConfigError(f"{code.name!r} is no sink", _ACCEPTED)
    return found


class OwnSink:
    """What a configuration calls ``code``, made; several logs may have it. ``ConfigError`` if it cannot be."""

    def __init__(self, code: NamedCode) -> None:
        self.code = code
        self._faults = CodeFaults("sink", code.name)
        self._close: Any = None
        self._holders = 0
        found = find_sink(code)
        if isinstance(found, type):
            made = call_code(code, found, _ACCEPTED)
            self._write, self._close = made.write, getattr(made, "close", None)
        else:
            settings = code.settings
            self._write = lambda line: found(line, **settings)

    def write(self, line: bytes) -> None:
        """One line, with its end."""
        try:
            self._write(line.decode("utf-8", "replace").rstrip("\n"))
        except Exception:
            # The log is no part of the request.
            self._faults.failed()

    def hold(self) -> None:
        """Somebody has it, and will release it."""
        self._holders += 1

    def release(self) -> None:
        """The last one closes it."""
        self._holders -= 1
        if not self._holders and self._close is not None:
            try:
                self._close()
            except Exception:
                self._faults.failed()


class SinkLog:
    """Writes a line for each request, or raw stream, in the format of ``lines``, to a sink."""

    def __init__(self, sink: OwnSink, lines: LineFormat) -> None:
        self.sink = sink
        self._line, self._stream_line = lines.exchange, lines.stream
        self._connections = lines.connections

    @momentary
    def exchange(self, over: FinishedExchange) -> None:
        """One finished exchange."""
        connection = over.context.connection
        if connection.facts is None and self._connections is not None:
            self._connections.facts(connection)
        self.sink.write(self._line(over, time()))

    def stream(self, stream: FinishedStream) -> None:
        """One raw stream that has ended."""
        self.sink.write(self._stream_line(stream, time()))
