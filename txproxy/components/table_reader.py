"""What features see of a table of a file, when they read their own piece of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from txproxy.errors import ConfigError, Path

T = TypeVar("T")
D = TypeVar("D")


class TableReader(Protocol):
    """A table. Whoever reads it asks for each key that it may have; what else is in it is a fault. What is wrong is
    remembered, and reading goes on, so that all of it is told at once.
    """

    def __contains__(self, key: str) -> bool:
        """Whether there is such a key."""

    def read(self, key: str, parse: Callable[[Any], T], default: D) -> T | D:
        """What ``parse`` makes of a value; ``default`` if there is none, or it is wrong (a ``ConfigError``)."""

    def given(self, key: str) -> Any:
        """The value at ``key``, whatever it is; None if there is none."""

    def need(self, key: str, parse: Callable[[Any], T], default: D, accepted: str) -> T | D:
        """The same for a key that must be there."""

    def pairs(self, key: str, parse: Callable[[Any], T], accepted: str) -> tuple[tuple[str, T], ...]:
        """The pairs of a table whose keys are free."""

    def file_name(self, value: object) -> str:
        """The name of a file as it can be opened: a relative one begins where the configuration is."""

    def table(self, key: str, short: str = "") -> TableReader | None:
        """The table at ``key``, if there is one; to be closed. ``short`` is what may stand in its place."""

    def fault(self, said: str, *keys: str | int, accepted: str = "") -> None:
        """Something at ``keys`` is wrong."""

    def faults_of(self, fault: ConfigError, *keys: str | int, called: Mapping[str, Path] | None = None) -> None:
        """What somebody else says of what is at ``keys``; ``called`` has the paths of what has other names there."""

    def close(self) -> None:
        """All that is known was asked for."""
