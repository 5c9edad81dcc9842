"""Conditions that code decides which a configuration names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from txproxy.components.named_code import NamedCode, read_name
from txproxy.forward.access.conditions.condition_type import ConditionType, Surroundings, Test
from txproxy.forward.request.facts import Facts
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.hooks.matcher import Matcher
from txproxy.interfaces.hooks.request_view import Request


def _matcher(given: Any) -> Matcher:
    return Matcher(given if isinstance(given, NamedCode) else NamedCode(read_name(given, "function")))


def _request(facts: Facts) -> Request:
    """A request as far as rules know it."""
    context = RequestContext(ClientConnection(facts.client_ip))
    context.user, context.groups = facts.user, facts.groups
    return Request(facts.head, context)


def _test(values: Sequence[Matcher], _: Surroundings) -> Test:
    return lambda facts: any(one.holds(_request(facts)) for one in values)


MATCHES: Final = ConditionType(
    "matches",
    _matcher,
    _test,
    "",
    lambda facts, _: f"request {facts.head.method.decode('ascii')} {facts.host}",
    verbs=("is one for", "is none for"),
)
