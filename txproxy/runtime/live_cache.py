"""The cache of a configuration, alive: one, which all listeners that read requests share, and which reloads keep."""

from __future__ import annotations

from typing import Final

import attrs
from twisted.logger import Logger

from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.policy import FOR_FORWARD, FOR_REVERSE
from txproxy.cache.rules.cache_choice import CacheChoice, changed
from txproxy.cache.rules.policy_finder import PolicyFinder
from txproxy.config.model import AnyListener, Config, ForwardListener, TcpListener
from txproxy.proxy.caching.cache_middleware import CacheMiddleware
from txproxy.proxy.caching.shared_cache import SharedCache

_log = Logger()
_NAME: Final = "txproxy"


@attrs.frozen(eq=False)
class LiveCache:
    """The cache of a ``config``: what is kept in ``store``, and what all requests have of it (``shared``)."""

    config: Config
    name: str
    store: MemoryStore
    shared: SharedCache

    def middleware(self, listener: AnyListener) -> CacheMiddleware:
        """What stands in a listener's way of requests."""
        settings = self.config.cache
        usual = changed(FOR_FORWARD if isinstance(listener, ForwardListener) else FOR_REVERSE, settings.defaults)
        return CacheMiddleware(self.shared, PolicyFinder(usual, settings.rules, _named(listener, self.config)))

    @property
    def basis(self) -> tuple[object, ...]:
        """What that is made from, beside the listener and its routes: where it is the same, so is what it does."""
        settings = self.config.cache
        return self.shared, settings.defaults, settings.rules

    def take_place(self) -> None:
        """The configuration is the one that runs now: what was kept is kept as it says."""
        size = self.config.cache.size
        assert size is not None, "there is a cache"
        self.shared.name = self.name.encode("ascii")
        if size != self.store.size:
            before = len(self.store)
            self.store.resize(size)
            _log.info(
                "the cache has {size} bytes now: of {before} responses in it, {left} stay",
                size=size,
                before=before,
                left=len(self.store),
            )


def live_cache(config: Config, before: LiveCache | None) -> LiveCache | None:
    """The cache of a configuration, if it has one: what was there ``before``, with all that it keeps."""
    settings = config.cache
    if settings.size is None or all(isinstance(listener, TcpListener) for listener in config.listeners):
        return None
    name = _name(config)
    if before is not None:
        return LiveCache(config, name, before.store, before.shared)
    store = MemoryStore(settings.size)
    return LiveCache(config, name, store, SharedCache(store, name=name))


def _named(listener: AnyListener, config: Config) -> dict[str, CacheChoice]:
    """What the listener's access rules or routes say, by their names."""
    if isinstance(listener, ForwardListener):
        return dict(listener.caching)
    if isinstance(listener, TcpListener):
        return {}
    return {route.name: route.cache for route in config.routes_of(listener) if route.cache is not None}


def _name(config: Config) -> str:
    """Who speaks in Cache-Status: as the listeners are called in Via, if they all are called the same."""
    names = {_via(listener) for listener in config.listeners if not isinstance(listener, TcpListener)}
    return (names.pop() if len(names) == 1 else None) or _NAME


def _via(listener: AnyListener) -> str | None:
    if isinstance(listener, ForwardListener):
        return listener.policy.via
    return None if isinstance(listener, TcpListener) else listener.via
