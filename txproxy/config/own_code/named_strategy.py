"""A strategy of a pool that a configuration names."""

from __future__ import annotations

from typing import Any, Final

from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyClass, verifyObject

from txproxy.components.named_code import NamedCode, call_code, check_call, find_code
from txproxy.errors import ConfigError
from txproxy.upstreams.balancing.guarded_strategy import GuardedStrategy
from txproxy.upstreams.balancing.strategy import IStrategy

_ACCEPTED: Final = (
    "accepted is a class on txproxy.upstreams.Strategy with update(upstreams) and choose(head, context, skip), or a "
    "function that gives one of such a class"
)


def find_strategy(code: NamedCode) -> Any:
    """What gives the strategy; ``ConfigError`` where it cannot."""
    found = find_code(code, "strategy")
    if not callable(found):
        # A pool needs one of its own.
        raise ConfigError(f"{code.name!r} makes no strategy", _ACCEPTED)
    if isinstance(found, type):
        _verify(verifyClass, found, f"{code.name!r} is no strategy")
    check_call(code, found)
    return found


def make_strategy(code: NamedCode) -> GuardedStrategy:
    """One for one pool; ``ConfigError`` if there is none."""
    made = call_code(code, find_strategy(code), _ACCEPTED)
    _verify(verifyObject, made, f"{code.name!r} gives no strategy")
    return GuardedStrategy(code.name, made)


def _verify(verify: Any, found: Any, said: str) -> None:
    try:
        # Nobody has to declare it.
        verify(IStrategy, found, tentative=True)
    except Invalid as fault:
        why = " ".join(str(fault).split()).partition(": ")[2]
        raise ConfigError(f"{said}: {why}" if why else said, _ACCEPTED) from None
