"""The access logs of a configuration: files that are written to, and who writes lines for which listener."""

from __future__ import annotations

from collections.abc import Iterable

from txproxy.config.model import AnyListener, Config
from txproxy.errors import ConfigError, Path
from txproxy.observe.access_log import AccessLog, open_log
from txproxy.observe.log_file import LogFile
from txproxy.observe.log_formats.connection_facts import Connections
from txproxy.observe.log_formats.line_format import line_format


class LiveLogs:
    """Those of ``config``. What was there ``before``, and would be the same, is: files, and logs of listeners.

    A file that cannot be written, and a format that is none, is a ``ConfigError``; then none is left open.
    """

    def __init__(self, config: Config, before: LiveLogs | None) -> None:
        self._before = before
        # numbers them
        self.connections: Connections = before.connections if before is not None else Connections()
        self.files: dict[str, LogFile] = {}
        # by where they go, their format, and the name in it, if it has one
        self.logs: dict[tuple[str, str, str], AccessLog] = {}
        # by the numbers of listeners
        self.of_listeners: dict[int, AccessLog] = {}
        try:
            for number, listener in enumerate(config.listeners):
                self._add(number, listener, config)
        except ConfigError:
            self.close_but(before.files.values() if before is not None else ())
            raise

    def _add(self, number: int, listener: AnyListener, config: Config) -> None:
        path, format = config.access_log_of(listener)
        if path is None:
            return
        own = listener.access_log is not None
        if path not in self.files:
            there = self._before.files.get(path) if self._before is not None else None
            if there is None or there.closed:
                try:
                    there = open_log(path)
                except ConfigError as fault:
                    key: Path = ("listeners", number, "access_log") if own else ("log", "access")
                    raise fault.at(*key) from None
            self.files[path] = there
        file = self.files[path]
        try:
            lines = line_format(format, listener.name, self.connections)
        except ConfigError as fault:
            own = listener.access_log_format is not None
            key = ("listeners", number, "access_log_format") if own else ("log", "access_format")
            raise fault.at(*key) from None
        name = (path, format, listener.name if lines.says_listener else "")
        log = self.logs.get(name)
        if log is None:
            log = self._before.logs.get(name) if self._before is not None else None
            if log is None or log.file is not file:
                log = AccessLog(path, lines, file)
            self.logs[name] = log
        self.of_listeners[number] = log

    def close_but(self, kept: Iterable[LogFile]) -> None:
        """No more lines, but in the files that are ``kept``."""
        still = list(kept)
        for file in self.files.values():
            if not any(file is other for other in still):
                file.close()
