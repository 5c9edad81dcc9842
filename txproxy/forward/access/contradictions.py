"""What is wrong with rules that are each well written: conditions that contradict each other, and rules that can never
match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from txproxy.errors import Finding
from txproxy.forward.access.client_access import CONNECT_PORTS, REQUEST_PORTS
from txproxy.forward.access.conditions.host_conditions import LIST_MARK
from txproxy.forward.access.conditions.rule_conditions import Condition
from txproxy.matching.globs import text_pattern
from txproxy.matching.hosts import HostPattern, HostPatterns
from txproxy.matching.ports import Ports
from txproxy.matching.regular_expressions import EXPRESSION_MARK
from txproxy.matching.url_patterns import UrlGlob


def contradictions(conditions: Sequence[Condition]) -> list[Finding]:
    """A finding for each two conditions that no request can fulfil together, though each makes sense alone."""
    found = {condition.kind.key: condition for condition in conditions if not condition.negated and condition.values}
    schemes = _values(found, "schemes")
    methods = _values(found, "methods")
    faults: list[str] = []
    tunnel = schemes == ("connect",) or methods == (b"CONNECT",)
    if schemes and methods:
        if schemes == ("connect",) and b"CONNECT" not in methods:
            faults.append(f"{found['methods']} contradicts schemes = connect: a tunnel is asked for by CONNECT")
        elif methods == (b"CONNECT",) and "connect" not in schemes:
            faults.append(f"{found['schemes']} contradicts methods = CONNECT, which asks for a tunnel: connect")
    globs = _values(found, "url")
    if globs and all(isinstance(glob, UrlGlob) for glob in globs):
        faults += [f"{found['url']} contradicts {other}" for other in _against_globs(globs, found, tunnel)]
    presence: dict[bytes, set[bool]] = {}
    for name, value in _values(found, "headers"):
        presence.setdefault(name, set()).add(value is not False)
    torn = [name.decode("ascii") for name, wanted in presence.items() if len(wanted) > 1]
    return [
        *(Finding((), fault) for fault in faults),
        *(Finding(("headers",), f"{name} is to be there and not to be there") for name in torn),
    ]


def _values(found: Mapping[str, Condition], key: str) -> tuple[Any, ...]:
    return found[key].values if key in found else ()


def _against_globs(globs: Sequence[UrlGlob], found: Mapping[str, Condition], tunnel: bool) -> list[str]:
    """The conditions that no URL of these forms fulfils."""
    against = []
    schemes, hosts, ports = (_values(found, key) for key in ("schemes", "hosts", "ports"))
    if tunnel and not any(glob.path is None or text_pattern(glob.path)("/") for glob in globs):
        against.append("tunnels: of these, no path is known")
    if schemes and "connect" not in schemes and not any(_fits_scheme(glob, schemes) for glob in globs):
        against.append(str(found["schemes"]))
    if hosts and not any(host[:1] in (LIST_MARK, EXPRESSION_MARK) for host in hosts):
        patterns = HostPatterns(hosts)
        if not any(glob.literal_host is None or glob.literal_host in patterns for glob in globs):
            against.append(str(found["hosts"]))
    if ports:
        known = Ports(ports)
        if not any(glob.literal_port is None or glob.literal_port in known for glob in globs):
            against.append(str(found["ports"]))
    return against


def _fits_scheme(glob: UrlGlob, schemes: Sequence[str]) -> bool:
    return glob.scheme is None or any(map(text_pattern(glob.scheme), schemes))


def never_matches(conditions: Sequence[Condition]) -> str:
    """Why no request can fulfil all ``conditions``; empty if one may."""
    for condition in conditions:
        if condition.empty:
            return f"{condition.key} is empty"
        for other in conditions:
            if other.excludes(condition):
                return f"{other} leaves nothing of {condition}"
    return ""


def covers(before: Sequence[Condition], after: Sequence[Condition]) -> bool:
    """Whether all that fulfils the conditions ``after`` is known to fulfil those ``before``, so that a rule with them
    leaves nothing to one that comes after it.
    """
    return all(any(one.covers(other) for other in after) for one in before)


def port_never_allowed(conditions: Sequence[Condition], allow_ports: Sequence[str] | None) -> str:
    """Why a rule for some ports allows nothing, since these may not be reached whatever it says; empty if it may."""
    found = {condition.kind.key: condition for condition in conditions if not condition.negated and condition.values}
    if "ports" not in found:
        return ""
    schemes, methods = _values(found, "schemes"), _values(found, "methods")
    requests = (not schemes or set(schemes) != {"connect"}) and (not methods or set(methods) != {b"CONNECT"})
    tunnels = (not schemes or "connect" in schemes) and (not methods or b"CONNECT" in methods)
    sets = [Ports(allow_ports or REQUEST_PORTS)] * requests + [Ports(allow_ports or CONNECT_PORTS)] * tunnels
    if any(ports.meets(wanted) for ports in sets for wanted in found["ports"].values):
        return ""
    what = "tunnels" if tunnels and not requests else "requests" if requests and not tunnels else "anything"
    return f"allow_ports has none of them for {what}; accepted are ports that allow_ports has as well"


def no_such_destination(allow: Sequence[str], deny: Sequence[str]) -> list[tuple[str, int, str]]:
    """Hosts that are allowed or denied to no effect: the list that it is in, its number there, and why."""
    allowed, denied = ([HostPattern.parse(text) for text in texts] for texts in (allow, deny))
    found = []
    for number, pattern in enumerate(allowed):
        covering = next((one for one in denied if one.covers(pattern)), None)
        if covering is not None:
            found.append(("allow_hosts", number, f"{pattern} is denied by {covering}, and what is denied comes first"))
    for number, pattern in enumerate(denied):
        if allowed and not any(one.covers(pattern) or pattern.covers(one) for one in allowed):
            found.append(("deny_hosts", number, f"{pattern} is not among the allowed hosts anyway"))
    return found
