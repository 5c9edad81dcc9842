"""The routes of one host pattern, found by path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Generic

from txproxy.interfaces.context import RequestContext
from txproxy.matching.paths import PathPattern
from txproxy.reverse.routing.route import A
from txproxy.reverse.routing.route_places import Entries, Entry
from txproxy.wire.message import RequestHead

# An alternative, or flags for all of it.
_UNSURE: Final = re.compile(rb"\||\(\?[A-Za-z]+\)")
_FIRST_SEGMENT: Final = re.compile(rb"(/(?:[A-Za-z0-9_~-]|\\[.~_-])+)/(?![?*{])")


def _take(entries: Entries[A], head: RequestHead, context: RequestContext) -> Entry[A] | None:
    for entry in entries:
        for holds in entry.tests:
            if not holds(head, context):
                break
        else:
            return entry
    return None


class PathIndex(Generic[A]):
    """The routes of one host pattern, by path."""

    __slots__ = ("_exact", "_at", "_below", "_longest", "_patterns", "_by_segment", "_any")

    def __init__(self, entries: Mapping[PathPattern, Entries[A]]) -> None:
        self._exact = {path.text: found for path, found in entries.items() if path.kind == "="}
        prefixes = {path.text: found for path, found in entries.items() if path.kind == "/"}
        # A prefix that ends in a slash is for what is below it alone, and longer than the one without.
        self._at = {text: found for text, found in prefixes.items() if text[-1:] != b"/"}
        self._below = {
            text: prefixes.get(text + b"/", ()) + self._at.get(text, ())
            for text in (text.removesuffix(b"/") for text in prefixes)
        }
        self._longest = max(map(len, self._below), default=0)
        self._any = entries.get(PathPattern(), ())
        patterns = [
            (_first_segment(path.text), path.fullmatch, found)
            for path, found in entries.items()
            if path.fullmatch is not None
        ]
        self._patterns = tuple((fullmatch, found) for segment, fullmatch, found in patterns if segment is None)
        self._by_segment = {
            wanted: tuple((fullmatch, found) for segment, fullmatch, found in patterns if segment in (None, wanted))
            for wanted in {segment for segment, _, _ in patterns if segment is not None}
        }

    def find(self, path: bytes, head: RequestHead, context: RequestContext) -> Entry[A] | None:
        """What is for a reading of the ``path``."""
        found = self._exact.get(path)
        if found is not None and (entry := _take(found, head, context)) is not None:
            return entry
        below = self._below
        if below:
            found = self._at.get(path)
            if found is not None and (entry := _take(found, head, context)) is not None:
                return entry
            slash = path.rfind(b"/", 0, self._longest + 1)
            while slash > 0:
                found = below.get(path[:slash])
                if found is not None and (entry := _take(found, head, context)) is not None:
                    return entry
                slash = path.rfind(b"/", 0, slash)
        patterns = self._patterns
        if self._by_segment:
            slash = path.find(b"/", 1)
            if slash > 0:
                patterns = self._by_segment.get(path[:slash], patterns)
        for fullmatch, found in patterns:
            if fullmatch(path) is not None and (entry := _take(found, head, context)) is not None:
                return entry
        return _take(self._any, head, context)


def _first_segment(pattern: bytes) -> bytes | None:
    """``b"/users"`` of ``/users/[0-9]+``: with what, and a slash, all paths begin that it matches; None where that is
    not plain to see.
    """
    found = _FIRST_SEGMENT.match(pattern)
    return found[1].replace(b"\\", b"") if found is not None and not _UNSURE.search(pattern) else None
