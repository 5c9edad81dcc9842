"""Conditions on where a request goes: hosts, the lists that may have them, and ports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from txproxy.forward.access.conditions.condition_type import ConditionType, Surroundings, Test
from txproxy.forward.blocklists.block_list import Hit
from txproxy.forward.blocklists.filtering import Filters
from txproxy.forward.request.facts import Facts
from txproxy.matching.hosts import HostPattern, HostPatterns, host_pattern, spellings
from txproxy.matching.ports import PortRange, Ports, covers, port_range
from txproxy.matching.regular_expressions import EXPRESSION_MARK, regular_expression

LIST_MARK: Final = "@"


def _host(text: str) -> str:
    if text[:1] == LIST_MARK:
        return text
    if text[:1] == EXPRESSION_MARK:
        regular_expression(text)
        return text
    return host_pattern(text)


def _host_covers(one: str, other: str) -> bool:
    marks = (LIST_MARK, EXPRESSION_MARK)
    if one[:1] in marks or other[:1] in marks:
        return one == other
    return HostPattern.parse(one).covers(HostPattern.parse(other))


def list_names(values: Iterable[str]) -> tuple[str, ...]:
    """The lists among the values of ``hosts``."""
    return tuple(value[1:] for value in values if value[:1] == LIST_MARK)


def list_hit(values: Iterable[str], lists: Filters | None, facts: Facts, loosely: bool = True) -> Hit | None:
    """The entry of a list by which a request fits; ``loosely`` also one of an address that its host carries."""
    for name in list_names(values):
        if lists is not None and (hit := lists.find_in(name, facts, loosely)) is not None:
            return hit
    return None


def hosts_test(values: Sequence[str], surroundings: Surroundings, loosely: bool) -> Test:
    """Whether a host is one of them, or on one of their lists; ``loosely`` also one that the address that it is
    carries (:func:`txproxy.matching.hosts.spellings`).
    """
    patterns = HostPatterns(value for value in values if value[:1] not in (LIST_MARK, EXPRESSION_MARK))
    searches = [regular_expression(value).search for value in values if value[:1] == EXPRESSION_MARK]
    names = list_names(values)
    lists = surroundings.lists

    def on_search(host: str) -> bool:
        return host in patterns or any(search(host) is not None for search in searches)

    is_one: Callable[[str], bool] = on_search if searches else patterns.__contains__

    def test(facts: Facts) -> bool:
        host = facts.host
        return is_one(host) or (loosely and ":" in host and any(map(is_one, spellings(host))))

    if lists is None or not names:
        return test
    return lambda facts: test(facts) or list_hit(values, lists, facts, loosely) is not None


def _no_test(values: Sequence[str], _: Surroundings) -> Test:
    raise AssertionError("hosts are tested by hosts_test")


def _ports_test(values: Sequence[PortRange], _: Surroundings) -> Test:
    ports = Ports(values)
    return lambda facts: facts.port in ports


HOST: Final = ConditionType("hosts", _host, _no_test, "host", lambda facts, _: f"host {facts.host}", _host_covers)
PORT: Final = ConditionType(
    "ports", port_range, _ports_test, "port", lambda facts, _: f"port {facts.port}", covers, numbers=True
)
