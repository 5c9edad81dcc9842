"""What Squid's file says of caching, as our cache and its rules.

Where something cannot be said here, less is cached than Squid would, and that is noted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from txproxy.importers.notes import Note, Untranslatable
from txproxy.importers.squid.access_lists import Acls
from txproxy.importers.squid.cache_access import CacheAccess, keeps_nothing, list_of
from txproxy.importers.squid.cache_places import cache_places
from txproxy.importers.squid.expressions import python_expression
from txproxy.importers.squid.reader import Directive
from txproxy.importers.squid.squid_measures import in_bytes, in_seconds, seconds_text, size_text
from txproxy.importers.squid.squid_settings import Setting, Settings, word_of

_LEAST: Final = 64 << 10
# The last of Squid's own patterns (0 20% 4320).
_HEURISTIC: Final[Mapping[str, Any]] = {"heuristic_fraction": 0.2, "heuristic_max": "72h"}
_YEAR: Final = "8760h"
# Those for which Squid takes negative_ttl, where they say nothing themselves (RFC 9111 4.2.2 is for some of them).
_FAILURES: Final = (204, 305, 400, 403, 404, 405, 414, 421, 500, 501, 502, 503, 504)
# Squid has it validated each time; ours would give one client's answer to others as long as it is fresh.
_PRIVATE: Final = "ignore-private"

_FLAGS: Final = {
    "override-expire": "override_expire",
    "override-lastmod": "override_lastmod",
    "reload-into-ims": "reload_into_ims",
    "ignore-reload": "ignore_reload",
}
# What can be validated is kept in any case, and what Squid no longer does itself is nothing.
_NOTHING: Final = frozenset({"store-stale", "ignore-no-cache", "ignore-must-revalidate"})
_EVERYTHING: Final = frozenset({".", ".*", "", "^.*", "^.*$", "^"})
_NO_HTTP: Final = re.compile(r"\^(?:ftp|gopher|wais|urn|cache_object):")


@attrs.frozen
class Caching:
    """The table of our cache (empty: there is none), its rules in order, and what could not be taken over."""

    table: Mapping[str, Any]
    rules: tuple[Mapping[str, Any], ...]
    notes: tuple[Note, ...]


def caching(settings: Settings, acls: Acls, place: Callable[[Directive], str]) -> Caching:
    """What was found, put together; ``place`` says where a directive stands."""
    notes: list[Note] = []
    if not settings.caches:
        return Caching({}, (), ())
    of_fresh: list[Note] = []
    fresh = list(_fresh(settings, place, of_fresh))
    rules = CacheAccess(acls, place, notes).rules(settings.cache_access, fresh)
    of_places: list[Note] = []
    places = cache_places(settings, of_places)
    if not places or keeps_nothing(rules):
        # What is not cached at all needs no cache.
        return Caching({}, (), tuple(notes))
    notes += of_fresh + of_places
    others = {key: value for key, value in settings.cache.items() if key != "size"}
    return Caching({**places, **_HEURISTIC, **others}, tuple(rules), tuple(notes))


# -- for how long


def _fresh(settings: Settings, place: Callable[[Directive], str], notes: list[Note]) -> Iterator[dict[str, Any]]:
    """A rule for each pattern, until one is for all."""
    for_all: Directive | None = None
    for directive in settings.refresh_patterns:
        if for_all is not None:
            notes.append(directive.note(f"it is never asked: that of line {for_all.line} is for all"))
            continue
        try:
            rule = _pattern(directive, place, notes)
        except Untranslatable as fault:
            notes.append(directive.note(str(fault)))
            continue
        if "url" not in rule:
            for_all = directive
        yield rule


def _pattern(directive: Directive, place: Callable[[Directive], str], notes: list[Note]) -> dict[str, Any]:
    """``[-i] REGEX MIN PERCENT MAX [OPTIONS]``; times are in minutes."""
    words = list(directive.words)
    ignore_case = False
    while words and words[0] in ("-i", "+i"):
        ignore_case = words.pop(0) == "-i"
    if len(words) < 4:
        raise Untranslatable("an expression, two times and a percentage are wanted")
    expression, least, percent, most, *options = words
    if _NO_HTTP.match(expression):
        raise Untranslatable("only http and https are cached here")
    rule: dict[str, Any] = {"name": f"{place(directive)}: refresh_pattern {expression}"}
    if expression not in _EVERYTHING:
        try:
            rule["url"] = [f"~{'(?i)' if ignore_case else ''}{python_expression(expression)}"]
        except ValueError as fault:
            raise Untranslatable(f"{expression} is no expression: {fault}") from None
    if not least.isdigit() or not most.isdigit() or not percent.rstrip("%").isdigit():
        raise Untranslatable(f"{least} {percent} {most} is no time, percentage and time")
    part = int(percent.rstrip("%"))
    if part > 100:
        notes.append(directive.note(f"taken over with 100% in place of {part}%"))
    if minutes := min(int(least), int(most)):
        rule["min_ttl"] = seconds_text(minutes * 60)
    rule |= {"heuristic_fraction": min(part, 100) / 100, "heuristic_max": seconds_text(int(most) * 60) or 0}
    lost = []
    for option in options:
        name, _, value = option.partition("=")
        if name in _FLAGS:
            rule[_FLAGS[name]] = True
        elif name == "max-stale" and value.isdigit():
            rule["stale_if_error"] = seconds_text(int(value) * 60) or _YEAR
        elif name == _PRIVATE:
            notes.append(directive.note("what is private is not kept, which Squid keeps and has validated each time"))
        elif name not in _NOTHING:
            lost.append(option)
    if lost:
        notes.append(directive.note(f"taken over without {', '.join(lost)}"))
    return rule


# -- directives


def _cache_mem(directive: Directive, settings: Settings, acls: Acls) -> None:
    size = in_bytes(directive.words)
    settings.caches = True
    settings.cache["size"] = size_text(max(size, _LEAST)) if size else ""


def _maximum_object_size(directive: Directive, settings: Settings, acls: Acls) -> None:
    size = in_bytes(directive.words)
    settings.caches = True
    if size:
        settings.largest = size


def _in_memory(directive: Directive, settings: Settings, acls: Acls) -> None:
    settings.largest_in_memory = in_bytes(directive.words) or None


def _negative_ttl(directive: Directive, settings: Settings, acls: Acls) -> None:
    seconds = seconds_text(in_seconds(directive.words))
    if seconds:
        settings.caches = True
        settings.cache["ttl"] = {str(status): seconds for status in _FAILURES}
        raise Untranslatable("it is for responses: a server that cannot be reached is tried by each request")


def _max_stale(directive: Directive, settings: Settings, acls: Acls) -> None:
    settings.cache["stale_if_error"] = seconds_text(in_seconds(directive.words)) or 0


def _switch(key: str) -> Setting:
    def take(directive: Directive, settings: Settings, acls: Acls) -> None:
        if word_of(directive) == "on":
            settings.caches = True
            settings.cache[key] = True

    return take


def _refresh_pattern(directive: Directive, settings: Settings, acls: Acls) -> None:
    settings.caches = True
    settings.refresh_patterns.append(directive)


def _cache(directive: Directive, settings: Settings, acls: Acls) -> None:
    settings.caches = True
    settings.cache_access.setdefault(list_of(directive), []).append(directive)


def _store_miss(directive: Directive, settings: Settings, acls: Acls) -> None:
    # What may not be stored, or not be served, is not cached at all.
    settings.cache_access.setdefault(list_of(directive), []).append(directive)


def _cache_dir(directive: Directive, settings: Settings, acls: Acls) -> None:
    settings.caches = True
    settings.cache_dirs.append(directive)


CACHING: Final[dict[str, Setting]] = {
    "cache_mem": _cache_mem,
    "cache_dir": _cache_dir,
    "maximum_object_size": _maximum_object_size,
    "maximum_object_size_in_memory": _in_memory,
    "negative_ttl": _negative_ttl,
    "max_stale": _max_stale,
    "offline_mode": _switch("offline"),
    "reload_into_ims": _switch("reload_into_ims"),
    "refresh_pattern": _refresh_pattern,
    "cache": _cache,
    "no_cache": _cache,
    "store_miss": _store_miss,
    "send_hit": _store_miss,
}
