"""All marks that count, and what they say of a stored response."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final

from txproxy.cache.purging.folding import covers, fold, groups_of
from txproxy.cache.purging.mark import Kind, Mark, canonical, group_value, url_of
from txproxy.cache.purging.marks_journal import MarksJournal, Numbered
from txproxy.cache.stored import StoredHead

# So many marks are kept. What is older than those that cannot be folded is taken to be purged.
_MOST: Final = 10_000
# A journal may be longer by so many bytes than four times what counts, before it is written anew.
_SPARE: Final = 64 * 1024


def _nothing() -> None:
    """There is no disk."""


class Verdict(enum.Enum):
    """What is known of a stored response: it may be used, after it was validated, or not at all."""

    ALIVE = enum.auto()
    STALE = enum.auto()
    GONE = enum.auto()


class Marks:
    """What was purged. Each mark has a number, higher than that before it; ``seq`` is the last. A response has in its
    head that of the last mark when it was asked for, so that a hit compares two numbers, and looks further only where
    something was purged since.

    With a ``journal`` they are those of all processes that share it: :meth:`look` hears of the others' marks.
    """

    __slots__ = ("seq", "_journal", "_all", "_values", "_lengths", "_most", "_rewrite_at")

    def __init__(self, journal: MarksJournal | None = None, most: int = _MOST) -> None:
        self.seq = 0
        self._journal = journal
        self._most = most
        self._rewrite_at = _SPARE
        # The last hard and the last soft mark, of all and of each value.
        self._all = (0, 0)
        self._values: dict[Kind, dict[bytes, tuple[int, int]]] = {kind: {} for kind in Kind}
        # How long the prefixes are.
        self._lengths: list[int] = []
        if journal is not None:
            self._take(journal.begin())
            self._bound()

    def __len__(self) -> int:
        return sum(map(len, self._values.values()))

    def add(self, kind: Kind, value: bytes = b"", soft: bool = False) -> int:
        """Purge what ``value`` says; gives the number as of which that counts. A ConfigError says that it is no value
        of this kind, an OSError that the journal cannot be written to: then nothing is purged.
        """
        mark = Mark(kind, canonical(kind, value), soft)
        self._take([Numbered(self.seq + 1, mark)] if self._journal is None else self._journal.append(mark))
        self._bound()
        if self._journal is not None and self._journal.size > self._rewrite_at:
            self._journal.rewrite(self._merged)
            self._rewrite_at = _SPARE + 4 * self._written()
        return self.seq

    def look(self) -> None:
        """Hear of what other processes have added. It costs little if there is nothing."""
        if self._journal is not None:
            self._take(self._journal.read())
            self._bound()

    def forget(self, oldest: int) -> None:
        """Forget what nothing that is stored can be older than: the least ``mark`` of all heads is ``oldest``."""
        for kind, values in self._values.items():
            self._values[kind] = {value: pair for value, pair in values.items() if max(pair) > oldest}
        self._lengths = sorted({*map(len, self._values[Kind.PREFIX])})

    def flushing(self) -> Callable[[], None]:
        """What is to be called, in a thread, so that all that was added until now survives a power failure. An OSError
        says that it does not.
        """
        return self._journal.flushing() if self._journal is not None else _nothing

    def verdict(self, head: StoredHead, key: bytes, scheme: bytes, authority: bytes, path: bytes) -> Verdict:
        """What is known of the response that ``head`` is of, which is stored under ``key`` for that URL; the authority
        is canonical, with a port.
        """
        if head.mark >= self.seq:
            return Verdict.ALIVE
        hard, soft = self._newest(head, key, scheme, authority, path)
        if hard > head.mark:
            return Verdict.GONE
        return Verdict.STALE if soft > head.mark else Verdict.ALIVE

    def _newest(self, head: StoredHead, key: bytes, scheme: bytes, authority: bytes, path: bytes) -> tuple[int, int]:
        """The last hard and the last soft mark that is about it."""
        values = self._values
        found = [self._all, values[Kind.KEY].get(key)]
        hosts = values[Kind.HOST]
        if hosts:
            found += covers(hosts, authority)
        urls, prefixes = values[Kind.URL], values[Kind.PREFIX]
        if urls or prefixes:
            url = url_of(scheme, authority, path)
            found.append(urls.get(url))
            found += [prefixes.get(url[:length]) for length in self._lengths]
        if head.tags and values[Kind.TAG]:
            found += map(values[Kind.TAG].get, head.tags)
        if head.groups and values[Kind.GROUP]:
            found += [values[Kind.GROUP].get(group_value(scheme, authority, group)) for group in head.groups]
        numbers = [pair for pair in found if pair is not None]
        return max(hard for hard, _ in numbers), max(soft for _, soft in numbers)

    def _take(self, found: list[Numbered]) -> None:
        for seq, (kind, value, soft) in found:
            self.seq = max(self.seq, seq)
            if kind is Kind.ALL:
                self._all = _later(self._all, seq, soft)
            if kind in (Kind.ALL, Kind.NONE):
                continue
            values = self._values[kind]
            values[value] = _later(values.get(value, (0, 0)), seq, soft)
            if kind is Kind.PREFIX and len(value) not in self._lengths:
                self._lengths.append(len(value))

    def _bound(self) -> None:
        """Have no more marks than there may be; those about the same origin become one about all of it before others
        are looked at.
        """
        if len(self) <= self._most and len(self._values[Kind.GROUP]) <= groups_of(self._most):
            return
        if not fold(self._values, self._most):
            self._forget_half()
        self._lengths = sorted({*map(len, self._values[Kind.PREFIX])})

    def _forget_half(self) -> None:
        """Take all for purged that is older than the older half of the marks, which are then no longer needed."""
        pairs = sorted((pair for values in self._values.values() for pair in values.values()), key=max)
        old = pairs[: len(pairs) // 2]
        self._all = max([self._all[0], *(hard for hard, _ in old)]), max([self._all[1], *(soft for _, soft in old)])
        self.forget(max(old[-1]))

    def _written(self) -> int:
        """About how long a journal of what counts is."""
        return sum(len(value) + 32 for values in self._values.values() for value in values)

    def _merged(self, found: list[Numbered]) -> list[Numbered]:
        """All that counts, when others have added what was ``found``."""
        self._take(found)
        values = {**self._values, Kind.ALL: {b"": self._all}}
        kept = [
            Numbered(seq, Mark(kind, value, bool(soft)))
            for kind, pairs in values.items()
            for value, pair in pairs.items()
            for soft, seq in enumerate(pair)
            if seq
        ]
        return [*sorted(kept), Numbered(self.seq, Mark(Kind.NONE, b""))]


def _later(pair: tuple[int, int], seq: int, soft: bool) -> tuple[int, int]:
    hard, softly = pair
    return (hard, max(softly, seq)) if soft else (max(hard, seq), softly)
