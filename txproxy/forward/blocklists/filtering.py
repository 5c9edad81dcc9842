"""Block lists together: whether a request is on one of them, and on which; and their files as they change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias
from weakref import WeakValueDictionary

import attrs
from twisted.logger import Logger

from txproxy.errors import ConfigError, Finding
from txproxy.file_stamps import Stamp
from txproxy.forward.blocklists.block_list import BlockList, Hit, list_name, read_list
from txproxy.forward.blocklists.host_table import HostNames
from txproxy.forward.request.facts import Facts
from txproxy.matching.hosts import spellings

_log: Final = Logger()

# People and programs go to the same few hosts again and again.
_REMEMBERED: Final = 4096
_UNKNOWN: Final = Hit("", "")


@attrs.frozen
class ListFile:
    """A list's file, and the name that the list has in answers and the log (the file's own, if none is told)."""

    path: str
    name: str = attrs.field()

    @name.default
    def _file_name(self) -> str:
        return list_name(self.path)


class _Together:
    """All lists, with one table for the hosts of all of them."""

    def __init__(self, lists: Sequence[BlockList]) -> None:
        self.by_name = {entry.name: entry for entry in lists}
        self._lists = lists
        self._globbed = [entry for entry in lists if len(entry.globs)]
        self.by_url = bool(self._globbed)
        # A host that is on none of them, as most are, is looked up once and not in each.
        self._hosts = HostNames.union(names for entry in lists for names in (entry.hosts, entry.important))
        self._exceptions = [entry.exceptions for entry in lists if len(entry.exceptions)]
        # What one list alone has, it need not be asked for again.
        self._only = lists[0].name if len(lists) == 1 and not len(lists[0].important) else None
        self._by_host: dict[str, Hit | None] = {}

    def find(self, facts: Facts) -> Hit | None:
        host = facts.host
        known = self._by_host
        hit = known.get(host, _UNKNOWN)
        if hit is _UNKNOWN:
            if len(known) >= _REMEMBERED:
                known.clear()
            known[host] = hit = next(filter(None, map(self._find_host, spellings(host))), None)
        if hit is None and self._globbed and (hit := self._find_url(facts)) is not None:
            return None if self._excepted(host) else hit
        return hit

    def _find_host(self, host: str) -> Hit | None:
        found = self._hosts.find(host)
        if found is None:
            return None
        if self._only is None:
            return self._first(host, self._lists)
        return None if self._excepted(host) else Hit(self._only, found)

    def find_in(self, name: str, facts: Facts, loosely: bool) -> Hit | None:
        entry, host = self.by_name[name], facts.host
        hit = self._first(host, (entry,))
        if hit is None and loosely and ":" in host:
            hit = next(filter(None, (self._first(one, (entry,)) for one in spellings(host))), None)
        if hit is None and (hit := entry.find_url(facts)) is not None and self._excepted(facts.host):
            return None
        return hit

    def _first(self, host: str, lists: Sequence[BlockList]) -> Hit | None:
        """By its host; what is important comes before exceptions, and these before all else."""
        for entry in lists:
            found = entry.important.find(host)
            if found is not None:
                return Hit(entry.name, found)
        for entry in lists:
            found = entry.hosts.find(host)
            if found is not None:
                return None if self._excepted(host) else Hit(entry.name, found)
        return None

    def _find_url(self, facts: Facts) -> Hit | None:
        for entry in self._globbed:
            hit = entry.find_url(facts)
            if hit is not None:
                return hit
        return None

    def _excepted(self, host: str) -> bool:
        return any(names.find(host) is not None for names in self._exceptions) if self._exceptions else False


@attrs.frozen
class _News:
    """What came of reading files again: for each that changed its stamp, with its new list or what is wrong."""

    stamps: Mapping[str, Stamp | None]
    lists: Mapping[str, BlockList]
    faults: tuple[str, ...]
    emptied: Mapping[str, Stamp | None]
    together: _Together


Run: TypeAlias = "Callable[[Callable[[], _News | None]], Awaitable[_News | None]]"


# Lists that are in use, so that one that is named in two places, or again after a reload, is read and kept once.
_in_use: Final[WeakValueDictionary[tuple[str, str, Stamp | None], BlockList]] = WeakValueDictionary()


def _list(file: ListFile) -> tuple[BlockList, Stamp | None]:
    known = _in_use.get((file.path, file.name, stamp := Stamp.now(file.path)))
    if known is not None:
        return known, stamp
    made, stamp = read_list(file.path, file.name)
    _in_use[file.path, file.name, stamp] = made
    return made, stamp


# The same for what several lists come to together, by these, whose identities are theirs as long as it has them.
_together_in_use: Final[WeakValueDictionary[tuple[int, ...], _Together]] = WeakValueDictionary()


def _put_together(lists: Iterable[BlockList]) -> _Together:
    several = tuple(lists)
    key = tuple(map(id, several))
    known = _together_in_use.get(key)
    if known is None:
        _together_in_use[key] = known = _Together(several)
    return known


class Filters:
    """Block lists from files. ``ConfigError``, with one line for each file, where one cannot be used or two have the
    same name.

    ``files`` are those that it was given. An exception (``@@||good.example^``) of any list takes a host out of all of
    them, whatever it was blocked by, except for what a list marks as important.
    """

    def __init__(self, files: Iterable[ListFile | str] = ()) -> None:
        self.files = tuple(ListFile(file) if isinstance(file, str) else file for file in files)
        self._stamps: dict[str, Stamp | None] = {}
        # of files that had entries and have none now, until they are seen so again
        self._emptied: Mapping[str, Stamp | None] = {}
        self._watchers: list[Callable[[], None]] = []
        faults: list[Finding] = []
        lists: dict[str, BlockList] = {}
        for file in self.files:
            if file.name in lists:
                said = f"{file.path}: there is a list {file.name!r} already"
                faults.append(Finding((), said, "accepted is another name"))
                continue
            try:
                lists[file.name], self._stamps[file.name] = _list(file)
            except ConfigError as fault:
                faults += fault.findings
        if faults:
            raise ConfigError(faults)
        self._lists = lists
        self._together = _put_together(lists.values())

    @property
    def warnings(self) -> tuple[str, ...]:
        """A line for each list that has lines which are no entries."""
        return tuple(line for entry in self._lists.values() for line in entry.warnings)

    @property
    def lists(self) -> Mapping[str, BlockList]:
        """The lists as they are now, by name."""
        return self._lists

    @property
    def by_url(self) -> bool:
        """Whether that may follow from more of a URL than its host."""
        return self._together.by_url

    def find(self, facts: Facts) -> Hit | None:
        """Where a request is blocked, or None."""
        return self._together.find(facts)

    def find_in(self, name: str, facts: Facts, loosely: bool = True) -> Hit | None:
        """The same, of the list ``name`` alone; exceptions are those of all. An address that the host carries counts as
        well where it is asked ``loosely``, as by who refuses what is there.
        """
        return self._together.find_in(name, facts, loosely)

    def watch(self, changed: Callable[[], None]) -> None:
        """Have ``changed`` called whenever a list has been replaced."""
        self._watchers.append(changed)

    def unwatch(self, changed: Callable[[], None]) -> None:
        """No longer."""
        if changed in self._watchers:
            self._watchers.remove(changed)

    def check(self) -> bool:
        """Read again the files that have changed; True if that replaced a list. A file that cannot be used any more
        leaves its list as it was, and is told of in the log once. One that has lost all its entries is believed when it
        is still so at the next look: it may be about to be written.
        """
        return self._take(self._read_again())

    async def check_by(self, run: Run) -> bool:
        """The same, with the reading done by ``run``, such as ``deferToThread``: a million lines take a second."""
        return self._take(await run(self._read_again))

    def _read_again(self) -> _News | None:
        # Changes nothing, for it may run in a thread.
        stamps: dict[str, Stamp | None] = {}
        lists: dict[str, BlockList] = {}
        emptied: dict[str, Stamp | None] = {}
        faults: list[str] = []
        for file in self.files:
            stamp = Stamp.now(file.path)
            if stamp == self._stamps[file.name]:
                continue
            try:
                made, stamp = _list(file)
            except ConfigError as fault:
                faults.append(str(fault))
            else:
                if not made and self._lists[file.name] and self._emptied.get(file.name) != stamp:
                    emptied[file.name] = stamp
                    continue
                lists[file.name] = made
            stamps[file.name] = stamp
        if not stamps and not emptied:
            return None
        together = _put_together({**self._lists, **lists}.values()) if lists else self._together
        return _News(stamps, lists, tuple(faults), emptied, together)

    def _take(self, news: _News | None) -> bool:
        if news is None:
            return False
        self._stamps.update(news.stamps)
        self._emptied = news.emptied
        for name in news.emptied:
            _log.info("the list {name} is empty now, which is believed if it stays so", name=name)
        for fault in news.faults:
            _log.warn("the list stays as it was: {fault}", fault=fault)
        if not news.lists:
            return False
        self._lists = {**self._lists, **news.lists}
        self._together = news.together
        for name, entry in news.lists.items():
            _log.info("the list {name} was read again: {count} entries", name=name, count=len(entry))
            for line in entry.warnings:
                _log.warn("{line}", line=line)
        for changed in self._watchers:
            changed()
        return True
