"""Access rules, as they are written in TOML and in Python.

They stand in order, and the first that matches decides. A rule matches where all of its conditions do; one without
conditions matches everything. Its keys, beside ``name``, ``action`` (``allow``, ``deny``, ``ask``) and ``reason`` (told
to the client in place of our own):

- ``clients``: CIDRs and addresses, or ``unix:`` for UNIX sockets
- ``users``, ``groups``: names; ``*`` is anyone who has one
- ``hosts``: ``example.com`` that name alone, ``*.example.com`` all under it, ``.example.com`` both; after ``~`` a
  regular expression that is searched for in the name, which is in lower case; ``@NAME`` what is on the list of that
  name, by its host or its URL
- ``addresses``: CIDRs that the host resolves to. A rule that allows wants all of its addresses in them, one that
  refuses or asks matches where one is
- ``ports``: numbers and ranges (``8000-8999``)
- ``methods``, ``schemes``: ``GET``; ``http``, ``https``, ``connect`` (a tunnel)
- ``url``: globs over the whole URL, or after ``~`` regular expressions that are searched for. Both heed case. A rule
  that allows wants all ways in which servers may read the path to fit, one that refuses or asks matches where one does
- ``headers``: a table of field names, each with a glob for the whole value, ``~`` and an expression, ``true`` (it is
  there) or ``false``; all have to fit
- ``hours``, ``days``: ``08:00-18:00``, ``22:00-06:00``; ``mon-fri``, ``sat``. Times are local, the end is left out, and
  the day is that of the moment
- ``matches``: code, ``MODULE:NAME`` as in a configuration file: a function of a
  :class:`txproxy.interfaces.Request` that says whether it is one
- ``used_more_than``: bytes that the client has used, ``500M`` or ``1G/day`` of the day, ``20G/month`` of the month

Of a condition that is a list, one value has to fit. ``not_`` before a key (not ``headers`` nor ``used_more_than``)
turns it round.

``challenge`` makes a rule that denies ask for other credentials (407), by which its client may get in.

``tunnel_timeout``, in seconds, is no condition: tunnels and WebSockets of what the rule allows may be silent for so
long.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from txproxy.errors import ConfigError, Finding
from txproxy.forward.access.conditions.condition_types import CONDITION_TYPES, NEGATABLE
from txproxy.forward.access.conditions.rule_conditions import Condition, parse_condition
from txproxy.forward.access.contradictions import contradictions
from txproxy.plain_values import PlainValue

Texts: TypeAlias = "Iterable[str | int] | str | int | None"


class Action(enum.Enum):
    """What is to be done with a request."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"


def _action(value: object) -> Action:
    try:
        return Action(value)
    except ValueError:
        accepted = ", ".join(action.value for action in Action)
        raise ConfigError(f"{value!r} is none", f"accepted: {accepted}", ("action",)) from None


def _kept(value: Any) -> Any:
    # What was given must not change under a rule.
    if isinstance(value, Mapping):
        return tuple(value.items())
    return tuple(value) if isinstance(value, list | set | frozenset) else value


@attrs.frozen(kw_only=True)
class Rule(PlainValue):
    """One rule; see the module for its conditions, each None where it is not asked for. ``ConfigError``, with a line
    for each, where values are wrong or contradict each other.
    """

    action: Action = attrs.field(converter=_action)
    name: str = ""
    reason: str = ""
    clients: Texts = attrs.field(default=None, converter=_kept)
    users: Texts = attrs.field(default=None, converter=_kept)
    groups: Texts = attrs.field(default=None, converter=_kept)
    hosts: Texts = attrs.field(default=None, converter=_kept)
    addresses: Texts = attrs.field(default=None, converter=_kept)
    ports: Texts = attrs.field(default=None, converter=_kept)
    methods: Texts = attrs.field(default=None, converter=_kept)
    schemes: Texts = attrs.field(default=None, converter=_kept)
    url: Texts = attrs.field(default=None, converter=_kept)
    headers: Mapping[str, str | bool] | None = attrs.field(default=None, converter=_kept)
    hours: Texts = attrs.field(default=None, converter=_kept)
    days: Texts = attrs.field(default=None, converter=_kept)
    used_more_than: Texts = attrs.field(default=None, converter=_kept)
    matches: Any = attrs.field(default=None, converter=_kept)
    not_clients: Texts = attrs.field(default=None, converter=_kept)
    not_users: Texts = attrs.field(default=None, converter=_kept)
    not_groups: Texts = attrs.field(default=None, converter=_kept)
    not_hosts: Texts = attrs.field(default=None, converter=_kept)
    not_addresses: Texts = attrs.field(default=None, converter=_kept)
    not_ports: Texts = attrs.field(default=None, converter=_kept)
    not_methods: Texts = attrs.field(default=None, converter=_kept)
    not_schemes: Texts = attrs.field(default=None, converter=_kept)
    not_url: Texts = attrs.field(default=None, converter=_kept)
    not_hours: Texts = attrs.field(default=None, converter=_kept)
    not_days: Texts = attrs.field(default=None, converter=_kept)
    not_matches: Any = attrs.field(default=None, converter=_kept)
    tunnel_timeout: float | None = None
    challenge: bool = False
    conditions: tuple[Condition, ...] = attrs.field(init=False, eq=False, repr=False)

    @conditions.default
    def _parse(self) -> tuple[Condition, ...]:
        found: list[Condition] = []
        faults: list[Finding] = []
        for key in ("name", "reason"):
            if not isinstance(getattr(self, key), str):
                faults.append(Finding((key,), f"{getattr(self, key)!r} is no text", "accepted is a string"))
        if self.tunnel_timeout is not None:
            if self.tunnel_timeout <= 0:
                faults.append(
                    Finding(
                        ("tunnel_timeout",), f"{self.tunnel_timeout!r} is no time", "accepted is more than 0 seconds"
                    )
                )
            elif self.action is Action.DENY:
                faults.append(
                    Finding(("tunnel_timeout",), "it has no effect with deny", "accepted is it with allow or ask")
                )
        if not isinstance(self.challenge, bool):
            faults.append(Finding(("challenge",), f"{self.challenge!r} is neither", "accepted: true, false"))
        elif self.challenge and self.action is not Action.DENY:
            faults.append(
                Finding(("challenge",), f"it has no effect with {self.action.value}", "accepted is it with deny")
            )
        for kind in CONDITION_TYPES:
            for negated in (False, True) if kind.key in NEGATABLE else (False,):
                given = getattr(self, f"not_{kind.key}" if negated else kind.key)
                if given is None:
                    continue
                try:
                    condition = parse_condition(kind, negated, given)
                except ConfigError as fault:
                    faults += fault.findings
                else:
                    # "None of nothing" is no condition.
                    found += [condition] if condition.values or not negated else []
        if not faults:
            faults = contradictions(found)
        if faults:
            raise ConfigError(faults)
        return tuple(found)


KEYS: Final = tuple(
    ["name", "action", "reason", "tunnel_timeout", "challenge"]
    + [kind.key for kind in CONDITION_TYPES]
    + [f"not_{kind.key}" for kind in CONDITION_TYPES if kind.key in NEGATABLE]
)


def read_rules(tables: Sequence[Mapping[str, Any]], where: str = "rules") -> tuple[Rule, ...]:
    """Rules from mappings as TOML gives them. ``ConfigError``, with a line for each thing that is wrong: its place is
    ``where`` with the number of the rule (the first is 1), its name and the key.
    """
    rules: list[Rule] = []
    faults: list[Finding] = []
    for number, table in enumerate(tables, 1):
        place = f"{where}[{number}]" + (f" {table['name']!r}" if "name" in table else "")
        wrong = [Finding((key,), "unknown", f"accepted: {', '.join(KEYS)}") for key in table if key not in KEYS]
        if "action" not in table:
            actions = ", ".join(action.value for action in Action)
            wrong.append(Finding((), "action is missing", f"accepted: {actions}"))
        # What is known is looked at all the same: each error is to be told.
        known = {key: value for key, value in table.items() if key in KEYS}
        try:
            rules.append(Rule(**{"action": Action.DENY, **known}))
        except ConfigError as fault:
            wrong += fault.findings
        faults += [one.within(place, number - 1) for one in wrong]
    if faults:
        raise ConfigError(faults)
    return tuple(rules)
