"""Files of the configuration: read whole, and read again once they have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

from twisted.logger import Logger

from txproxy.errors import ConfigError
from txproxy.file_stamps import Stamp

T = TypeVar("T")

_log = Logger()

# Far more than the largest bundle of CAs; a device or a log by mistake would not end.
_MAX_SIZE: Final = 16 * 1024 * 1024


def read_file(path: str, option: str) -> bytes:
    """The content of a PEM file; a ``ConfigError`` names it and the ``option`` that asked for it."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_SIZE + 1)
    except OSError as fault:
        raise ConfigError(
            fault.strerror or str(fault), "accepted is a PEM file that can be read", place=f"{option} {path}"
        ) from None
    except ValueError:
        raise ConfigError("no file has such a name", "accepted is a PEM file", place=f"{option} {path!r}") from None
    if len(data) > _MAX_SIZE:
        raise ConfigError("too large", "accepted is a PEM file of less than 16 MB", place=f"{option} {path}")
    return data


class Watched(Generic[T]):
    """A ``value`` that ``load`` made from files, and makes again when one of them has changed.

    The constructor raises the ``ConfigError`` of ``load``; :meth:`check` says it in the log and keeps the value.
    """

    def __init__(self, files: Iterable[str | None], load: Callable[[], T]) -> None:
        self._files = [file for file in files if file is not None]
        self._load = load
        # Before reading: what changes while it is read is read again.
        self._stamps = self._look()
        self.value = load()

    def _look(self) -> list[Stamp | None]:
        return [Stamp.now(file) for file in self._files]

    def check(self) -> bool:
        """Read again if a file has changed since it was read last; whether there is a new value now."""
        stamps = self._look()
        if stamps == self._stamps:
            return False
        # A state that is wrong is said once: the next attempt waits for the next change.
        self._stamps = stamps
        try:
            self.value = self._load()
        except ConfigError as fault:
            _log.warn("{fault}; what was read before stays in use", fault=str(fault))
            return False
        _log.info("read again after a change: {files}", files=", ".join(self._files))
        return True
