"""``/api/cache``: what is stored, purged, and fetched before anybody asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, cast

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import Verb
from txproxy.admin.caching.cache_listing import listed
from txproxy.admin.caching.warming import Way, field_line, warmed
from txproxy.admin.merging import Answers, Asked, Merge, sound, together
from txproxy.admin.proxy_view import ProxyView
from txproxy.cache.keys import canonical_authority
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.purging.mark import Kind, canonical, group_value
from txproxy.components.values import hint, shown
from txproxy.errors import ConfigError
from txproxy.proxy.caching.shared_cache import SharedCache

_KINDS: Final[Mapping[str, Kind]] = {
    "url": Kind.URL,
    "prefix": Kind.PREFIX,
    "host": Kind.HOST,
    "tag": Kind.TAG,
    "group": Kind.GROUP,
}
_LISTED: Final = 100
_MOST_LISTED: Final = 10_000
_MOST_WARMED: Final = 1000
# Workers have a memory each, and one disk.
_STATISTICS: Final = together(
    sums=("memory.objects", "memory.bytes", "memory.most_bytes", "hits", "evictions", "fetching"),
    most=("disk.bytes", "sequence", "marks"),
    least=("indexed",),
)
_PURGED: Final = together(most=("sequence",))
_WARMED: Final = Merge(Asked.IN_TURN, lambda call, answers: _all_warmed(answers), patience=None)
_ENTRIES: Final = Merge(Asked.ALL, lambda call, answers: _all_entries(call, answers), patience=None)


class CacheVerbs:
    """What may be done with the cache of what ``view`` shows."""

    def __init__(self, view: ProxyView, reactor: Any) -> None:
        self._view = view
        self._reactor = reactor

    def verbs(self) -> list[Verb]:
        """All of it."""
        purged = (*_KINDS, "origin", "all", "soft")
        return [
            Verb("GET", "/api/cache", self._statistics, merge=_STATISTICS),
            Verb("GET", "/api/cache/entries", self._entries, query=("prefix", "limit"), merge=_ENTRIES),
            Verb("POST", "/api/cache/purge", self._purge, body=purged, merge=_PURGED),
            Verb("POST", "/api/cache/warm", self._warm, body=("urls", "listener", "headers"), merge=_WARMED),
        ]

    def _cache(self) -> SharedCache:
        cache = self._view.cache
        if cache is None:
            raise ApiFault(404, "there is no cache; accepted is it with --cache, or [cache]")
        return cache

    def _statistics(self, call: ApiCall) -> dict[str, object]:
        return statistics(self._cache())

    async def _entries(self, call: ApiCall) -> dict[str, object]:
        limit = call.number("limit", _LISTED, 1, _MOST_LISTED)
        prefix = call.query.get("prefix", "")
        begin = _bad_request(lambda: canonical(Kind.PREFIX, prefix.encode("utf-8"))) if prefix else b""
        found = await listed(self._cache(), self._reactor, begin, limit)
        return {"entries": list(found.entries), "complete": found.complete}

    async def _purge(self, call: ApiCall) -> dict[str, object]:
        cache = self._cache()
        kind, value = _purged(call)
        try:
            # All workers are asked for it, so that none has to hear of it from another.
            number = _bad_request(lambda: cache.marks.add(kind, value, call.flag("soft")))
            await cache.flushed(self._reactor)
        except OSError as fault:
            raise ApiFault(500, f"the purge cannot be written down: {fault.strerror or fault}") from None
        return {"purged": True, "sequence": number}

    async def _warm(self, call: ApiCall) -> dict[str, object]:
        self._cache()
        urls, lines = _texts(call, "urls"), _texts(call, "headers", least=0)
        way = self._way(call)
        fields = [_bad_request(partial(field_line, line)) for line in lines]
        try:
            return {"warmed": await warmed(way, urls, fields, self._reactor)}
        except ConfigError as wrong:
            raise ApiFault(400, f"urls: {wrong}") from None

    def _way(self, call: ApiCall) -> Way:
        """That of the listener that is named; else the first reverse proxy's, or the first forward proxy's."""
        ways = sorted(self._view.ways, key=lambda way: way.forward)
        if "listener" not in call.body:
            return ways[0]
        name = call.text("listener")
        names = [way.name for way in ways]
        if name not in names:
            raise ApiFault(404, f"listener: there is no {shown(name)}{hint(name, names)}; accepted: {', '.join(names)}")
        return ways[names.index(name)]


def statistics(cache: SharedCache) -> dict[str, object]:
    """How much is stored of how much may be, how often it was used, and what was purged."""
    tiers = cache.tiers
    memory: Any = tiers.memory if tiers is not None else cache.store
    found: dict[str, object] = {}
    if isinstance(memory, MemoryStore):
        found["memory"] = {
            "objects": len(memory),
            "bytes": memory.bytes_used,
            "most_bytes": memory.size,
            "hits": memory.hits,
            "evictions": memory.evictions,
        }
    if tiers is not None:
        disk = tiers.disk
        found["disk"] = {
            "bytes": disk.bytes_used,
            "most_bytes": disk.size,
            "hits": disk.hits,
            "indexed": disk.is_complete,
        }
    found["fetching"] = len(cache.fills)
    found["purges"] = {"sequence": cache.marks.seq, "marks": len(cache.marks)}
    return found


def _all_warmed(answers: Answers) -> dict[str, object]:
    """Of each URL what the worker says that was asked first: where there is a disk, the others find it there."""
    first, *_ = sound(answers).values()
    return cast("dict[str, object]", first)


def _all_entries(call: ApiCall, answers: Answers) -> dict[str, object]:
    """Each response once, wherever it is."""
    found = sound(answers).values()
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for answer in found:
        for entry in answer["entries"]:
            there = entries.setdefault((entry["url"], repr(entry["vary"])), entry)
            there["in"] = list(dict.fromkeys((*there["in"], *entry["in"])))
    limit = call.number("limit", _LISTED, 1, _MOST_LISTED)
    ordered = sorted(entries.values(), key=lambda entry: str(entry["url"]))
    return {
        "entries": ordered[:limit],
        "complete": all(answer["complete"] for answer in found) and len(ordered) <= limit,
    }


def _purged(call: ApiCall) -> tuple[Kind, bytes]:
    given = [name for name in (*_KINDS, "all") if name in call.body]
    if len(given) != 1:
        raise ApiFault(
            400, f"what is to be purged is to be said once; accepted is one of {', '.join((*_KINDS, 'all'))}"
        )
    (name,) = given
    if "origin" in call.body and name != "group":
        raise ApiFault(400, "origin: it is for group; accepted is it with group")
    if name == "all":
        if not call.flag("all"):
            raise ApiFault(400, "all: nothing is to be purged; accepted is true")
        return Kind.ALL, b""
    value = call.text(name).encode("utf-8", "surrogatepass")
    if name != "group":
        return _KINDS[name], value
    # RFC 9875 section 2: a group is one of an origin.
    origin = call.text("origin").encode("utf-8", "surrogatepass")
    url = _bad_request(lambda: canonical(Kind.PREFIX, origin))
    scheme, _, rest = url.partition(b"://")
    authority, _, path = rest.partition(b"/")
    if path:
        raise ApiFault(400, f"origin: {shown(call.text('origin'))} has a path; accepted is https://example.com")
    return Kind.GROUP, group_value(scheme, canonical_authority(scheme, authority), value)


def _texts(call: ApiCall, name: str, least: int = 1) -> list[str]:
    given = call.body.get(name, [])
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise ApiFault(400, f"{name}: {shown(given)} is no list of texts")
    if not least <= len(given) <= _MOST_WARMED:
        raise ApiFault(400, f"{name}: there are {len(given)}; accepted are {least} to {_MOST_WARMED}")
    return given


def _bad_request(call: Callable[[], Any]) -> Any:
    """What ``call`` gives; what is wrong with a value is who has sent it to be told."""
    try:
        return call()
    except ConfigError as wrong:
        raise ApiFault(400, str(wrong)) from None
