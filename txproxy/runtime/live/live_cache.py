"""The cache of a configuration, alive: one, which all listeners that read requests share, and which reloads keep."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs
from twisted.logger import Logger

from txproxy.cache.disk.disk_store import DiskStore
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.policy import FOR_FORWARD, FOR_REVERSE
from txproxy.cache.rules.cache_choice import CacheChoice, changed
from txproxy.cache.rules.policy_finder import PolicyFinder
from txproxy.cache.tiered_store import TieredStore
from txproxy.config.model import AnyListener, Config, ForwardListener, TcpListener
from txproxy.errors import ConfigError
from txproxy.proxy.caching.cache_middleware import CacheMiddleware
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.proxy.caching.shared_purges import SharedPurges

_log = Logger()
_NAME: Final = "txproxy"
_DIR: Final = ("cache", "dir")


@attrs.frozen(eq=False)
class LiveCache:
    """The cache of a ``config``: what is kept in ``memory``, and what all requests have of it (``shared``). Several
    processes tell each other of what is gone from it by ``purges``.
    """

    config: Config
    name: str
    memory: MemoryStore
    shared: SharedCache
    purges: SharedPurges

    def middleware(self, listener: AnyListener) -> CacheMiddleware:
        """What stands in a listener's way of requests."""
        settings = self.config.cache
        usual = changed(FOR_FORWARD if isinstance(listener, ForwardListener) else FOR_REVERSE, settings.defaults)
        finder = PolicyFinder(usual, settings.rules, _named(listener, self.config))
        return CacheMiddleware(self.shared, finder, _names(listener, self.config))

    @property
    def basis(self) -> tuple[object, ...]:
        """What that is made from, beside the listener and its routes: where it is the same, so is what it does."""
        settings = self.config.cache
        return self.shared, settings.defaults, settings.rules

    def open(self, reactor: Any) -> None:
        """It is about to serve: have the directory as well, if there is one that is not open. ``ConfigError`` if it
        cannot be used.
        """
        settings = self.config.cache
        if settings.dir is None or self.shared.tiers is not None:
            return
        try:
            disk = DiskStore(settings.dir, settings.dir_size)
            try:
                self.shared.use_store(TieredStore(self.memory, disk))
            except OSError:
                disk.close()
                raise
        except OSError as fault:
            raise ConfigError(
                f"{settings.dir}: {fault.strerror or fault}", "accepted is a directory that can be written", _DIR
            ) from None
        except ConfigError as wrong:
            raise ConfigError(one._replace(path=_DIR) for one in wrong.findings) from None
        self.shared.begin(reactor)

    def close(self) -> None:
        """It serves no more, and what it has kept in memory goes, whoever still has it."""
        self.shared.close()
        self.memory.close()

    def take_place(self, before: LiveCache | None) -> None:
        """The configuration is the one that runs now: what was kept is kept as it says."""
        if before is not None and before.shared is not self.shared:
            before.close()
        self.shared.forget_hot_answers()
        size = self.config.cache.memory
        self.shared.name = self.name.encode("ascii")
        if size != self.memory.size:
            kept = len(self.memory)
            self.memory.resize(size)
            _log.info(
                "the cache has {size} bytes now: of {before} responses in it, {left} stay",
                size=size,
                before=kept,
                left=len(self.memory),
            )


def live_cache(config: Config, before: LiveCache | None) -> LiveCache | None:
    """The cache of a configuration, if it has one: what was there ``before``, with all that it keeps."""
    settings = config.cache
    if not settings or all(isinstance(listener, TcpListener) for listener in config.listeners):
        return None
    name = _name(config)
    was = before.config.cache if before is not None else None
    if before is not None and was is not None and (was.dir, was.dir_size) == (settings.dir, settings.dir_size):
        return LiveCache(config, name, before.memory, before.shared, before.purges)
    memory = MemoryStore(settings.memory)
    shared = SharedCache(memory, name=name)
    return LiveCache(config, name, memory, shared, SharedPurges(shared))


def _named(listener: AnyListener, config: Config) -> dict[str, CacheChoice]:
    """What the listener's access rules or routes say, by their names."""
    if isinstance(listener, ForwardListener):
        return dict(listener.caching)
    if isinstance(listener, TcpListener):
        return {}
    return {route.name: route.cache for route in config.routes_of(listener) if route.cache is not None}


def _names(listener: AnyListener, config: Config) -> Iterable[str]:
    """The names of all routes or access rules of a listener."""
    if isinstance(listener, ForwardListener):
        return [rule.name for rule in listener.policy.rules]
    return [] if isinstance(listener, TcpListener) else [route.name for route in config.routes_of(listener)]


def _name(config: Config) -> str:
    """Who speaks in Cache-Status: as the listeners are called in Via, if they all are called the same."""
    names = {_via(listener) for listener in config.listeners if not isinstance(listener, TcpListener)}
    return (names.pop() if len(names) == 1 else None) or _NAME


def _via(listener: AnyListener) -> str | None:
    if isinstance(listener, ForwardListener):
        return listener.policy.via
    return None if isinstance(listener, TcpListener) else listener.via
