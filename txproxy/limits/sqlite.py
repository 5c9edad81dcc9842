"""What was used, in a file of SQLite."""

from __future__ import annotations

import datetime
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from typing import Final
from urllib.parse import quote

from txproxy.components.written_files import check_folder, check_writable
from txproxy.errors import ConfigError
from txproxy.limits.usage import Counts

# Periods are days (2026-03-29) and months (2026-03). Neither is looked at after it is over, but people may.
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS used (
    period TEXT NOT NULL, key TEXT NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (period, key)
) WITHOUT ROWID
"""
_COLUMNS: Final = frozenset({"period", "key", "bytes"})
_ADD: Final = """
INSERT INTO used (period, key, bytes) VALUES (?, ?, ?)
ON CONFLICT (period, key) DO UPDATE SET bytes = bytes + excluded.bytes
"""
_SUM: Final = "SELECT bytes FROM used WHERE period = ? AND key = ?"
_NOTHING: Final = "DELETE FROM used WHERE period = ? AND key = ?"
_FORGET: Final = "DELETE FROM used WHERE length(period) = ? AND period < ?"
_DAYS_KEPT: Final = 62
_MONTHS_KEPT: Final = 400  # in days
# How long to wait for another process that writes, in seconds.
_PATIENCE: Final = 10.0


def look_at_store(path: str) -> None:
    """A ``ConfigError`` if a :class:`SqliteStore` could not have that file. Nothing is made or changed."""
    try:
        check_writable(path)
        # SQLite has files of its own beside it.
        check_folder(os.path.dirname(os.path.realpath(path)))
        if os.path.exists(path):
            # Whoever uses it now is not disturbed, and is not waited for.
            with closing(sqlite3.connect(f"file:{quote(os.path.abspath(path))}?immutable=1", uri=True)) as opened:
                found = {name for (name,) in opened.execute("SELECT name FROM pragma_table_info('used')")}
        else:
            found = set()
    except (OSError, ValueError, sqlite3.Error) as fault:
        raise _refusal(path, getattr(fault, "strerror", None) or str(fault)) from None
    if found and not found >= _COLUMNS:
        raise _refusal(path, "its table `used` is none of ours")


def _refusal(path: str, why: str) -> ConfigError:
    return ConfigError(f"{path}: {why}", "accepted is a file of SQLite that can be written")


class SqliteStore:
    """See :class:`txproxy.limits.usage.Store`. Several processes may use one file at ``path``.

    ``ConfigError`` if it cannot be opened, or is none of ours. Days are kept for two months, and months for a year.
    """

    def __init__(self, path: str, today: datetime.date | None = None) -> None:
        # SQLite's own files beside it get the mode of this one: who may read it learns what others do.
        with suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            # One call at a time, though from different threads.
            self._connection = connection = sqlite3.connect(
                path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(_SCHEMA)
                self._forget(today or datetime.date.today())
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as fault:
            raise _refusal(path, str(fault)) from None

    def _forget(self, today: datetime.date) -> None:
        oldest_day = today - datetime.timedelta(days=_DAYS_KEPT)
        oldest_month = today - datetime.timedelta(days=_MONTHS_KEPT)
        self._connection.execute(_FORGET, (10, oldest_day.isoformat()))
        self._connection.execute(_FORGET, (7, f"{oldest_month:%Y-%m}"))

    def load(self, period: str) -> Counts:
        """See :class:`txproxy.limits.usage.Store`."""
        return dict(self._connection.execute("SELECT key, bytes FROM used WHERE period = ?", (period,)))

    def add(self, added: Sequence[tuple[str, str, int]]) -> Mapping[tuple[str, str], int]:
        """See :class:`txproxy.limits.usage.Store`."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(_ADD, added)
            sums = {(period, key): connection.execute(_SUM, (period, key)).fetchone()[0] for period, key, _ in added}
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        return sums

    def forget(self, places: Sequence[tuple[str, str]]) -> None:
        """See :class:`txproxy.limits.usage.Store`."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(_NOTHING, places)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """See :class:`txproxy.limits.usage.Store`."""
        self._connection.close()
