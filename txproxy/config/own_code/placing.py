"""Where named code stands: around the action of a route, or around what a rule lets through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from txproxy.config.model import Config, ForwardListener, ReverseListener, RouteConfig
from txproxy.config.own_code.code_around import CodeAround
from txproxy.config.own_code.hooks import make_around
from txproxy.errors import ConfigError
from txproxy.proxy.hooks.middleware_by_rule import MiddlewareByRule
from txproxy.reverse.actions.treatments import Action
from txproxy.reverse.actions.wrapped_action import WrappedAction

_ROUTES: Final = "routes"


def at_listener(fault: ConfigError, number: int) -> ConfigError:
    """What is wrong at a listener, or at a route of it."""
    return ConfigError(
        one if one.path[:1] == (_ROUTES,) else one._replace(path=("listeners", number, *one.path))
        for one in fault.findings
    )


def with_code(action: Action, route: RouteConfig, config: Config, clock: Any) -> Action:
    """An action with what its route has around it."""
    try:
        made = make_around(route.around, clock)
    except ConfigError as fault:
        raise fault.at(_ROUTES, config.routes.index(route)) from None
    for one in reversed(made):
        action = WrappedAction(action, one)
    return action


def code_of(listener: ForwardListener | ReverseListener, clock: Any) -> tuple[Any, ...]:
    """What stands around a listener, and around what rules of it let through."""
    made = make_around(listener.around, clock)
    if isinstance(listener, ReverseListener) or not listener.rules_around:
        return made
    by_rule = {}
    for number, name, around in rules_around(listener):
        try:
            by_rule[name] = make_around(around, clock)
        except ConfigError as fault:
            raise fault.at("rules", number) from None
    return *made, MiddlewareByRule(by_rule)


def rules_around(listener: ForwardListener) -> Iterator[tuple[int, str, CodeAround]]:
    """The rules that have something around what they let through, each with its number and its name."""
    found = dict(listener.rules_around)
    for number, rule in enumerate(listener.policy.rules):
        name = rule.name or f"rule {number + 1}"
        if name in found:
            yield number, name, found[name]
