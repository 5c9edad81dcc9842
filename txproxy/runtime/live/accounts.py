"""What is used, and what is written down of it: the allotments and audit logs of a configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from txproxy.config.model import AnyListener, BoundsConfig, Config, ForwardListener
from txproxy.errors import ConfigError
from txproxy.limits.allotments import Allotments
from txproxy.observe.audit import AuditLog


def make_audits(config: Config, before: Mapping[str, AuditLog]) -> dict[str, AuditLog]:
    """The audit logs by their files: those that were there ``before``, and new ones."""
    paths = dict.fromkeys(listener.audit for listener in config.listeners if listener.audit is not None)
    return {path: before[path] if path in before else AuditLog(path) for path in paths}


def all_audits(audits: Mapping[str, AuditLog], listeners: Iterable[AnyListener]) -> list[AuditLog]:
    """Those, and what an embedder has put into policies of ``listeners``."""
    put = [one.policy.audit for one in listeners if isinstance(one, ForwardListener)]
    return list(dict.fromkeys([*audits.values(), *(one for one in put if isinstance(one, AuditLog))]))


def make_allotments(
    config: Config, reactor: Any, before: Mapping[str, Allotments], was: Config, shared: bool = False
) -> dict[str, Allotments]:
    """What counts and bounds, by the names of the listeners at which something is to. Those that were there ``before``,
    where the configuration ``was`` another, are kept if they would be the same. Forward listeners have one together.
    They are those of several processes where they are ``shared``.
    """
    made: dict[str, Allotments] = {}
    together: Allotments | None = None
    names = [listener.name for listener in config.listeners]
    for number, listener in enumerate(config.listeners):
        bounds = _bounds(config, listener)
        if bounds is None:
            continue
        if not isinstance(listener, ForwardListener) and names.count(listener.name) > 1:
            # A file is not read with such names, but who makes a configuration may have taken the mode's own.
            raise ConfigError(
                f"{listener.name!r} is the name of another, and what is counted goes by it",
                "accepted is a name of its own",
                ("listeners", number, "name"),
            )
        if isinstance(listener, ForwardListener) and together is not None:
            made[listener.name] = together
            continue
        allotments = _kept(config, bounds, listener, before, was) or _new(config, reactor, bounds, listener, shared)
        if isinstance(listener, ForwardListener):
            together = allotments
        made[listener.name] = allotments
    return made


def _bounds(config: Config, listener: AnyListener) -> BoundsConfig | None:
    """What is to be counted or bounded at a listener; None for nothing."""
    if not isinstance(listener, ForwardListener):
        return listener.bounds or None
    policies = [one.policy for one in config.listeners if isinstance(one, ForwardListener)]
    counts = any(rule.used_more_than is not None for policy in policies for rule in policy.rules)
    return config.bounds if config.bounds or counts else None


def _kept(
    config: Config, bounds: BoundsConfig, listener: AnyListener, before: Mapping[str, Allotments], was: Config
) -> Allotments | None:
    """The one that was there, if it would be the same."""
    if was.bounds.usage_file != config.bounds.usage_file:
        return None
    forward = isinstance(listener, ForwardListener)
    for one in was.listeners:
        alike = isinstance(one, ForwardListener) if forward else one.name == listener.name
        if alike and one.name in before and _bounds(was, one) == bounds:
            return before[one.name]
    return None


def _new(config: Config, reactor: Any, bounds: BoundsConfig, listener: AnyListener, shared: bool) -> Allotments:
    try:
        return Allotments(
            reactor,
            bandwidths=bounds.bandwidths,
            quotas=bounds.quotas,
            file=config.bounds.usage_file,
            ipv6_prefix=bounds.ipv6_prefix,
            place="" if isinstance(listener, ForwardListener) else listener.name,
            shared=shared,
        )
    except ConfigError as fault:
        raise fault.at("usage_file") from None
