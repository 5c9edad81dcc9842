"""``before`` and ``after`` of a configuration: short functions, found, and made part of what stands around requests."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from txproxy.components.named_code import NamedCode, check_call, find_code
from txproxy.components.values import duration
from txproxy.config.own_code.code_around import TIMEOUT, CodeAround, HookConfig
from txproxy.config.own_code.code_tables import read_code, read_codes
from txproxy.config.own_code.middleware import find_middleware, make_all
from txproxy.config.toml.tables import Table
from txproxy.errors import ConfigError, Finding
from txproxy.proxy.hooks.hook_call import Hook
from txproxy.proxy.hooks.hooks_middleware import Hooks

_BEFORE: Final = "before"
_AFTER: Final = "after"
_ACCEPTED: Final = {
    _BEFORE: "accepted is a function of a request, before(request)",
    _AFTER: "accepted is a function of a request and its response, after(request, response)",
}
_GIVEN: Final = {_BEFORE: 1, _AFTER: 2}


def find_hook(code: NamedCode, kind: str) -> Any:
    """The function; ``ConfigError`` if there is none, or it cannot be called as one of that ``kind`` is."""
    found = find_code(code, "function")
    if isinstance(found, type) or not callable(found):
        raise ConfigError(f"{code.name!r} is no function", _ACCEPTED[kind])
    check_call(code, found, _GIVEN[kind], _ACCEPTED[kind])
    return found


def read_hooks(table: Table, kind: str) -> tuple[HookConfig, ...]:
    """Those at the key ``before`` or ``after``."""
    found = []
    for keys, value in table.elements(kind) or ():
        timeout = TIMEOUT
        if isinstance(value, dict):
            inner = table.inner(value, *keys, kind=f"{kind}[]")
            timeout = inner.read("timeout", duration, TIMEOUT)
            value = {key: one for key, one in value.items() if key != "timeout"}
        code = read_code(table, keys, value, f"{kind}[]", "function", partial(find_hook, kind=kind))
        if code is not None:
            found.append(HookConfig(code=code, timeout=timeout))
    return tuple(found)


def read_around(table: Table) -> CodeAround:
    """All that stands around a route, or a rule."""
    return CodeAround(
        middleware=read_codes(table, "middleware", "middleware", partial(find_middleware, connections=False)),
        before=read_hooks(table, _BEFORE),
        after=read_hooks(table, _AFTER),
    )


def read_rules_around(table: Table) -> tuple[tuple[str, CodeAround], ...]:
    """What the access rules of a listener have around what they let through, by their names. What else is in them,
    others read.
    """
    found = []
    for number, (keys, value) in enumerate(table.elements("rules") or (), 1):
        if isinstance(value, dict):
            inner = table.inner(value, *keys, kind="rules[]")
            around = read_around(inner)
            given = next((key for key in ("middleware", _BEFORE, _AFTER) if key in inner), None)
            if given is not None and inner.value("action", "") == "deny":
                inner.fault("has no effect with deny", given, accepted="accepted is it with allow")
            elif around:
                found.append((inner.value("name", "") or f"rule {number}", around))
    return tuple(found)


def make_around(around: CodeAround, clock: Any) -> tuple[Any, ...]:
    """The middleware, alive, the first outermost; ``ConfigError`` with the path of each that cannot be."""
    made: list[Any] = []
    faults: list[Finding] = []
    try:
        made += make_all(around.middleware)
    except ConfigError as fault:
        faults += fault.findings
    before = _hooks(around.before, _BEFORE, clock, faults)
    after = _hooks(around.after, _AFTER, clock, faults)
    if faults:
        raise ConfigError(faults)
    if before or after:
        made.append(Hooks(before, after))
    return tuple(made)


def _hooks(hooks: Iterable[HookConfig], kind: str, clock: Any, faults: list[Finding]) -> list[Hook]:
    made = []
    for number, one in enumerate(hooks):
        try:
            found = find_hook(one.code, kind)
        except ConfigError as fault:
            faults += fault.at(kind, number).findings
        else:
            made.append(Hook(kind, one.code.name, found, clock, dict(one.code.settings), one.timeout))
    return made
