"""Whether all code that a configuration names gives what it is named for, as it would when that is built."""

from __future__ import annotations

import attrs
from twisted.internet.task import Clock

from txproxy.components.named_code import NamedCode
from txproxy.config.model import Config, ForwardListener
from txproxy.config.own_code.code_around import NOTHING_AROUND, CodeAround
from txproxy.config.own_code.hooks import make_around
from txproxy.config.own_code.named_strategy import make_strategy
from txproxy.config.own_code.placing import rules_around
from txproxy.errors import ConfigError, Finding, Path
from txproxy.observe.own_sink import OwnSink


def try_to_make(config: Config) -> None:
    """Make all of it once; ``ConfigError`` where something cannot be."""
    faults: list[Finding] = []
    clock = Clock()
    places: list[tuple[Path, CodeAround]] = []
    for number, listener in enumerate(config.listeners):
        places.append((("listeners", number), listener.around))
        if isinstance(listener, ForwardListener):
            places += [(("listeners", number, "rules", rule), around) for rule, _, around in rules_around(listener)]
    places += [(("routes", number), route.around) for number, route in enumerate(config.routes)]
    for path, around in places:
        try:
            make_around(around, clock)
        except ConfigError as fault:
            faults += fault.at(*path).findings
    for pool in config.pools:
        if isinstance(pool.strategy, NamedCode):
            try:
                make_strategy(pool.strategy)
            except ConfigError as fault:
                faults += fault.at("pools", pool.name, "strategy").findings
    for number, log in enumerate(config.access_logs):
        if log.sink is not None:
            try:
                sink = OwnSink(log.sink)
            except ConfigError as fault:
                faults += fault.at("access_logs", number, "sink").findings
            else:
                sink.hold()
                sink.release()
    if faults:
        raise ConfigError(faults)


def without_code(config: Config) -> Config:
    """The same without what is made here, for those who build the rest."""
    listeners = [attrs.evolve(one, middleware=(), before=(), after=()) for one in config.listeners]
    return attrs.evolve(
        config,
        listeners=tuple(
            attrs.evolve(one, rules_around=()) if isinstance(one, ForwardListener) else one for one in listeners
        ),
        routes=tuple(attrs.evolve(route, around=NOTHING_AROUND) for route in config.routes),
        pools=tuple(
            attrs.evolve(pool, strategy="random") if isinstance(pool.strategy, NamedCode) else pool
            for pool in config.pools
        ),
        access_logs=tuple(log for log in config.access_logs if log.sink is None),
    )
