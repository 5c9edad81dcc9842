"""Where Squid keeps responses, and how large these may be, as our cache in memory and on a disk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from txproxy.cache.disk.disk_store import SMALLEST, largest_object
from txproxy.importers.notes import Note, Untranslatable
from txproxy.importers.squid.reader import Directive
from txproxy.importers.squid.squid_measures import size_text
from txproxy.importers.squid.squid_settings import Settings

# Squid's own where its file says nothing.
_MEMORY: Final = "256M"
_LARGEST_IN_MEMORY: Final = 512 << 10
_MB: Final = 1 << 20
_TYPES: Final = ("ufs", "aufs", "diskd", "rock")
# By these, each of Squid's processes has a directory of its own; those of ours share one.
_MACRO: Final = re.compile(r"\$\{(?:process_number|process_name|service_name)\}")
# How Squid does it, and nothing that anybody notices here.
_HOW: Final = frozenset({"Q1", "Q2", "slot-size", "swap-timeout", "max-swap-rate"})
_SQUIDS_OWN: Final = "txproxy"


@attrs.frozen
class _Place:
    """A directory of Squid's: its ``path``, how many bytes it may have, and the largest object in it, if it says so."""

    directive: Directive
    path: str
    size: int
    largest: int | None


def cache_places(settings: Settings, notes: list[Note]) -> Mapping[str, Any]:
    """The keys of ``[cache]`` that say how much is kept, where, and how large it may be; empty if nothing is kept."""
    memory = settings.cache.get("size", _MEMORY)
    places = list(_places(settings.cache_dirs, notes))
    if not memory and not places:
        return {}
    found: dict[str, Any] = {"size": memory} if memory else {}
    bound = settings.largest
    if places:
        first, *others = places
        size = sum(place.size for place in places)
        found |= {"dir": f"{first.path.rstrip('/')}/{_SQUIDS_OWN}", "dir_size": size_text(size)}
        notes.append(first.directive.note(f"Squid's own files are not read: ours are in {found['dir']}"))
        notes += [
            other.directive.note(f"its size is added to that of line {first.directive.line}: one directory has it all")
            for other in others
        ]
        if not memory:
            notes.append(first.directive.note("a cache on a disk has one of 16M in memory above it"))
        bound = _smaller(bound, _largest_on_disk(places, settings.largest_in_memory))
        most = largest_object(size)
        if bound is not None and bound > most:
            notes.append(first.directive.note(f"what is larger than {size_text(most)} is not kept"))
            bound = None
    else:
        bound = _smaller(bound, settings.largest_in_memory)
    if bound:
        found["max_object_size"] = size_text(bound)
    return found


def _smaller(one: int | None, other: int | None) -> int | None:
    return min((size for size in (one, other) if size is not None), default=None)


def _largest_on_disk(places: Iterable[_Place], in_memory: int | None) -> int | None:
    """What is too large for all directories is kept if memory takes it."""
    sizes = [place.largest for place in places]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return None
    return max(*known, _LARGEST_IN_MEMORY if in_memory is None else in_memory)


def _places(directives: Iterable[Directive], notes: list[Note]) -> Iterable[_Place]:
    for directive in directives:
        try:
            place = _place(directive, notes)
        except Untranslatable as fault:
            notes.append(directive.note(str(fault)))
        else:
            if place is not None:
                yield place


def _place(directive: Directive, notes: list[Note]) -> _Place | None:
    """``TYPE DIR MB [L1 L2] [OPTIONS]``; None for what keeps nothing."""
    kind, path, size = (*directive.words, "", "", "")[:3]
    if kind == "null":
        return None
    if kind not in _TYPES:
        raise Untranslatable(f"a type, a directory and a size are wanted; types are {', '.join(_TYPES)}")
    options = dict(word.partition("=")[::2] for word in directive.words[3:] if not word.isdigit())
    if not size.isdigit() or int(size) * _MB < SMALLEST:
        raise Untranslatable(f"{size or 'nothing'} is no size in MB")
    plain = _MACRO.sub("", path)
    if not plain.startswith("/") or "${" in plain or not plain.isprintable():
        raise Untranslatable(f"{path} is no directory")
    if "no-store" in options or "read-only" in options:
        raise Untranslatable("nothing new is stored there, and what Squid has in it is nothing here")
    if plain != path:
        notes.append(directive.note("processes share one directory, whose size is for all of them"))
    lost = [name for name in options if name not in _HOW and name not in ("min-size", "max-size")]
    if options.get("min-size", "0") != "0":
        notes.append(directive.note("what is small is kept as well, without min-size"))
    largest = options.get("max-size", "")
    if largest and not largest.isdigit() and largest != "-1":
        lost.append(f"max-size={largest}")
    if lost:
        notes.append(directive.note(f"taken over without {', '.join(lost)}"))
    return _Place(directive, plain, int(size) * _MB, int(largest) if largest.isdigit() else None)
