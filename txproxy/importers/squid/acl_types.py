"""The types of Squid's access lists: what the values of each say, as formulas over the conditions of our rules."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from txproxy.errors import ConfigError
from txproxy.forward.access.conditions.head_conditions import SCHEMES
from txproxy.importers.notes import Untranslatable
from txproxy.importers.squid.expressions import python_expression
from txproxy.importers.squid.formulas import KIND_OF, TRUE, Conjunction, Formula, Literal, either, span_text
from txproxy.matching.networks import Network
from txproxy.matching.regular_expressions import EXPRESSION_MARK

_TOKEN: Final = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\.|.")


def _networks(words: Sequence[str]) -> list[Network] | None:
    """The networks that Squid understands by these words; None for all there are."""
    found: list[Network] = []
    for word in words:
        if word == "all":
            return None
        if word in ("ipv4", "ipv6"):
            found.append(ipaddress.ip_network("0.0.0.0/0" if word == "ipv4" else "::/0"))
            continue
        addresses, _, mask = word.partition("/")
        first, dash, last = addresses.partition("-")
        try:
            low = ipaddress.ip_network(f"{first}/{mask}" if mask else first, strict=False)
            high = ipaddress.ip_network(f"{last}/{mask}" if mask else last, strict=False) if dash else low
            # Both ends are of one version, or this is a TypeError.
            ends: Any = low.network_address, high.broadcast_address
            found += ipaddress.summarize_address_range(*ends) if dash else [low]
        except (ValueError, TypeError):
            raise Untranslatable(f"{word} is no network: names are not looked up for it") from None
    return found


def _by_networks(key: str) -> Callable[[Sequence[str]], Formula]:
    def formula(words: Sequence[str]) -> Formula:
        networks = _networks(words)
        if networks is None or {"0.0.0.0/0", "::/0"} <= set(map(str, networks)):
            return TRUE
        return ((Literal(key, tuple(dict.fromkeys(map(_network_text, networks)))),),)

    return formula


def _network_text(network: Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _domains(words: Sequence[str]) -> Formula:
    hosts = []
    for word in words:
        if word in (".", "*"):
            raise Untranslatable(f"{word} is no domain")
        try:
            KIND_OF["hosts"].parse(word)
        except ConfigError:
            raise Untranslatable(f"{word} is no domain") from None
        # Squid takes an asterisk for itself, and finds it in no name.
        hosts += [] if word[:1] in "*@~" else [word.lower()]
    return ((Literal("hosts", tuple(dict.fromkeys(hosts))),),)


def _expressions(words: Sequence[str]) -> list[tuple[str, str]]:
    """Python's expressions for Squid's, each after what begins a group of its case; ``-i`` and ``+i`` change that for
    the next ones.
    """
    found = []
    ignore_case = False
    for word in words:
        if word in ("-i", "+i"):
            ignore_case = word == "-i"
            continue
        try:
            expression = python_expression(word)
        except ValueError as fault:
            raise Untranslatable(f"{word} is no expression that can be translated: {fault}") from None
        found.append(("(?i:" if ignore_case else "(?:", expression))
    return found


def _alone(case: str, expression: str) -> str:
    return expression if case == "(?:" else f"{case}{expression})"


def _by_expressions(key: str) -> Callable[[Sequence[str]], Formula]:
    def formula(words: Sequence[str]) -> Formula:
        return ((Literal(key, tuple(EXPRESSION_MARK + _alone(*one) for one in _expressions(words))),),)

    return formula


def _alternatives(expression: str) -> list[str]:
    """The parts of an expression between the bars that are in no group."""
    parts = [""]
    depth = 0
    for token in _TOKEN.findall(expression):
        if token == "|" and not depth:
            parts.append("")
            continue
        depth += (token == "(") - (token == ")")
        parts[-1] += token
    return parts


def _paths(words: Sequence[str]) -> Formula:
    values = []
    for case, expression in _expressions(words):
        for part in _alternatives(expression):
            inner = part.removeprefix("^")
            if "^" in _TOKEN.findall(inner):
                raise Untranslatable(f"{expression}: where a path begins can only be said at the beginning")
            between = "" if inner != part else "(?=/).*?"
            values.append(f"~^[a-z]+://[^/]+{between}{case}{inner})")
    # Of a tunnel no path is known, here as there.
    return ((Literal("url", tuple(values)), Literal("schemes", ("connect",), negated=True)),)


def _header(name: str, words: Sequence[str]) -> Formula:
    expressions = _expressions(words)
    if not expressions:
        raise Untranslatable("it has no expressions")
    together = _alone(*expressions[0]) if len(expressions) == 1 else "|".join(f"{a}{b})" for a, b in expressions)
    return ((Literal("headers", ((name, f"{EXPRESSION_MARK}{together}"),)),),)


def _request_header(words: Sequence[str]) -> Formula:
    if len(words) < 2:
        raise Untranslatable("it names no field, or no expression")
    return _header(words[0], words[1:])


def _ports(words: Sequence[str]) -> Formula:
    values = []
    for word in words:
        first, _, last = word.partition("-")
        try:
            span = max(int(first), 1), int(last or first)
        except ValueError:
            raise Untranslatable(f"{word} is no port") from None
        if not span[0] <= span[1] < 65536:
            raise Untranslatable(f"{word} is no port")
        values.append(span_text("ports", *span))
    return ((Literal("ports", tuple(dict.fromkeys(values))),),)


def _methods(words: Sequence[str]) -> Formula:
    names = tuple(dict.fromkeys(word.upper() for word in words))
    found = Literal("methods", names)
    # To Squid, HEAD is not GET.
    alone = "GET" in names and "HEAD" not in names
    return ((found, Literal("methods", ("HEAD",), negated=True)),) if alone else ((found,),)


def _protocols(words: Sequence[str]) -> Formula:
    # A tunnel has none for Squid either.
    return ((Literal("schemes", tuple(word.lower() for word in words if word.lower() in SCHEMES[:2])),),)


def _users(words: Sequence[str]) -> Formula:
    names = tuple(dict.fromkeys("*" if word == "REQUIRED" else word for word in words))
    return ((Literal("users", ("*",) if "*" in names else names),),)


_LETTERS: Final = {"M": "mon", "T": "tue", "W": "wed", "H": "thu", "F": "fri", "A": "sat", "S": "sun"}
_DAY: Final = 24 * 60


def _times(words: Sequence[str]) -> Formula:
    """Each span of hours is for the days before it; days at the end are whole."""
    found = []
    days: list[str] = []
    for word in words:
        if not word[:1].isdigit():
            letters = word.replace("D", "MTWHF").replace("-", "")
            if not set(letters) <= set(_LETTERS):
                raise Untranslatable(f"{word} is no day")
            days += [day for letter, day in _LETTERS.items() if letter in letters]
            continue
        hours = re.fullmatch(r"(\d{1,2}):(\d{1,2})-(\d{1,2}):(\d{1,2})", word)
        if hours is None:
            raise Untranslatable(f"{word} is no time of day")
        numbers = [int(number) for number in hours.groups()]
        # The minute at the end belongs to it.
        start, end = numbers[0] * 60 + numbers[1], min(numbers[2] * 60 + numbers[3] + 1, _DAY)
        if start >= end:
            raise Untranslatable(f"{word} is no time of day")
        found.append(_time(days, [] if (start, end) == (0, _DAY) else [span_text("hours", start, end)]))
        days = []
    if days:
        found.append(_time(days, []))
    return either(tuple(found))


def _time(days: Iterable[str], hours: Iterable[str]) -> Conjunction:
    named = tuple(dict.fromkeys(days))
    literals = [Literal("days", named)] if named and len(named) < len(_LETTERS) else []
    return (*literals, *(Literal("hours", (span,)) for span in hours))


TYPES: Final[dict[str, Callable[[Sequence[str]], Formula]]] = {
    "src": _by_networks("clients"),
    "dst": _by_networks("addresses"),
    "dstdomain": _domains,
    "dstdom_regex": _by_expressions("hosts"),
    "url_regex": _by_expressions("url"),
    "urlpath_regex": _paths,
    "port": _ports,
    "method": _methods,
    "proto": _protocols,
    "proxy_auth": _users,
    "time": _times,
    "browser": lambda words: _header("User-Agent", words),
    "referer_regex": lambda words: _header("Referer", words),
    "req_header": _request_header,
}
