"""What a start needs beside the configuration itself: files that can be written, folders, packages. One list, for who
starts it, reloads it, or only wants to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from txproxy.config.model import Config, TcpListener
from txproxy.errors import ConfigError, Finding, Path
from txproxy.frozen_values import frozen
from txproxy.observe.access_log import look_at_log
from txproxy.observe.log_destinations import FileDestination


@frozen
class _Need:
    """Something that is opened or imported: ``key`` is what, ``path`` where it is named, and ``look`` raises what is
    wrong with it, and changes nothing.
    """

    key: tuple[str, str]
    path: Path
    look: Callable[[], object]


def preflight(config: Config, before: Config | None = None) -> None:
    """See whether all is there; ``ConfigError`` with everything that is not. What is needed by the configuration that
    runs ``before`` is there, and stays open: whoever this is now may be none who could open it again.
    """
    known = {need.key for need in _needs(before)} if before is not None else set()
    faults: list[Finding] = []
    for need in _needs(config):
        if need.key in known:
            continue
        known.add(need.key)
        try:
            need.look()
        except ConfigError as fault:
            faults += fault.at(*need.path).findings
    if faults:
        raise ConfigError(faults)


def _needs(config: Config) -> Iterator[_Need]:
    for number, listener in enumerate(config.listeners):
        to, _ = config.access_log_of(listener)
        if to is not None:
            own: Path = ("listeners", number, "access_log")
            yield _log(to, own if listener.access_log is not None else ("log", "access"))
        if listener.audit is not None:
            place = FileDestination(listener.audit)
            yield _Need(("audit", place.path), ("listeners", number, "audit"), place.look)
    for number, more in enumerate(config.access_logs):
        if more.sink is None:
            yield _log(more.to, ("access_logs", number, "to"))
    if config.bounds.usage_file is not None:
        from txproxy.limits.sqlite import look_at_store

        file = config.bounds.usage_file
        yield _Need(("usage", file), ("usage_file",), partial(look_at_store, file))
    # Who reads no requests keeps nothing, and has no spans.
    reads_requests = not all(isinstance(listener, TcpListener) for listener in config.listeners)
    if config.cache.dir is not None and reads_requests:
        from txproxy.cache.disk.cache_directory import look_at_directory

        yield _Need(("cache", config.cache.dir), ("cache", "dir"), partial(look_at_directory, config.cache.dir))
    if config.tracing.endpoint is not None:
        from txproxy.observe.spans.span_exporting import span_library

        yield _Need(("spans", ""), ("tracing",), span_library)


def _log(to: str, path: Path) -> _Need:
    return _Need(("log", to), path, partial(look_at_log, to))
