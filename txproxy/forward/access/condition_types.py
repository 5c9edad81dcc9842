"""The kinds of conditions that access rules have: how a value of each is written, what it asks of a request, and which
of two values asks for less.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

import attrs

from txproxy.errors import ConfigError
from txproxy.forward.access.client_access import Ports
from txproxy.forward.access.destinations import embedded
from txproxy.forward.blocklists.block_list import Hit
from txproxy.forward.blocklists.filtering import Filters
from txproxy.forward.blocklists.url_globs import UrlGlob, regular_expression, text_pattern
from txproxy.forward.request.facts import Facts
from txproxy.matching.hosts import HostPattern, HostPatterns, host_pattern, is_literal
from txproxy.matching.methods import with_head
from txproxy.matching.networks import Network, network, unmapped
from txproxy.wire.grammar import TOKEN

Test: TypeAlias = "Callable[[Facts], bool]"
Usage: TypeAlias = "Callable[[str, str | None, str], int]"
"""Bytes that a client (address, user or None) has used in the running ``day`` or ``month``."""

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SCHEMES: Final = ("http", "https", "connect")
UNIX: Final = "unix:"
LIST_MARK: Final = "@"
EXPRESSION_MARK: Final = "~"
_DAY: Final = 24 * 60
_HOURS: Final = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])-([01]?[0-9]|2[0-4]):([0-5][0-9])")
_USED: Final = re.compile(r"([0-9]{1,15})([kKmMgG]?)(?:/(day|month))?")
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@attrs.frozen(kw_only=True)
class Surroundings:
    """What conditions ask beside the request: the time, what a client has used, and the lists."""

    now: Callable[[], datetime.datetime] = datetime.datetime.now
    usage: Usage | None = None
    lists: Filters | None = None


# --- clients and addresses


def _network(text: str) -> Network:
    net = network(text)
    mapped = unmapped(net.network_address)
    # Addresses are compared as what they stand for.
    return network(f"{mapped}/{net.prefixlen - 96}") if mapped.version != net.version and net.prefixlen >= 96 else net


def _client(text: str) -> Network | str:
    return UNIX if text == UNIX else _network(text)


def _network_covers(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str) or one.version != other.version:
        return bool(one == other)
    return bool(other.subnet_of(one))


def _clients_test(values: Sequence[Any], _: Surroundings) -> Test:
    networks = [value for value in values if value != UNIX]

    @lru_cache(maxsize=4096)
    def known(text: str) -> bool:
        try:
            address = unmapped(ipaddress.ip_address(text.partition("%")[0]))
        except ValueError:
            return text == UNIX and UNIX in values
        return any(address in net for net in networks)

    return lambda facts: known(facts.client_ip)


def addresses_of(facts: Facts) -> tuple[str, ...] | None:
    """The addresses of a request's host, if they are known: a literal is its own."""
    if facts.addresses is None and is_literal(facts.host):
        return (facts.host,)
    return facts.addresses


def by_readings(test: Test, every: bool) -> Test:
    """``test`` for each way in which a request's URL may be read: with ``every`` all have to fulfil it, as for a rule
    that allows; else one is enough, as for a rule that refuses.
    """

    def each(facts: Facts) -> bool:
        urls = facts.urls
        if len(urls) == 1:
            return test(facts)
        fits = (test(facts.by(url)) for url in urls)
        return all(fits) if every else any(fits)

    return each


def address_test(values: Sequence[Network], negated: bool, every: bool) -> Test:
    """Whether addresses are in the networks (with ``negated``: outside of them). With ``every`` each has to be, as for
    a rule that allows; else one is enough, as for a rule that refuses. An IPv4 address within an IPv6 one counts too.
    """

    @lru_cache(maxsize=4096)
    def known(text: str) -> bool:
        spelled = embedded(ipaddress.ip_address(text.partition("%")[0]))
        fits = [any(address in value for value in values) is not negated for address in spelled]
        return all(fits) if every else any(fits)

    def test(facts: Facts) -> bool:
        addresses = addresses_of(facts)
        if not addresses:
            return False
        return all(map(known, addresses)) if every else any(map(known, addresses))

    return test


# --- users and groups


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ConfigError(f"{text!r} is no name; accepted is one such as alice, or * for anyone who has one")
    return text


def _name_covers(one: str, other: str) -> bool:
    return one in ("*", other)


def _users_test(values: Sequence[str], _: Surroundings) -> Test:
    known = frozenset(values)
    if "*" in known:
        return lambda facts: facts.user is not None
    return lambda facts: facts.user in known


def _groups_test(values: Sequence[str], _: Surroundings) -> Test:
    known = frozenset(values)
    if "*" in known:
        return lambda facts: bool(facts.groups)
    return lambda facts: not known.isdisjoint(facts.groups)


# --- hosts and ports


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


def list_hit(values: Iterable[str], lists: Filters | None, facts: Facts) -> Hit | None:
    """The entry of a list by which a request fits."""
    for name in list_names(values):
        if lists is not None and (hit := lists.find_in(name, facts)) is not None:
            return hit
    return None


def _hosts_test(values: Sequence[str], surroundings: Surroundings) -> Test:
    patterns = HostPatterns(value for value in values if value[:1] not in (LIST_MARK, EXPRESSION_MARK))
    searches = [regular_expression(value).search for value in values if value[:1] == EXPRESSION_MARK]
    names = list_names(values)
    lists = surroundings.lists

    def test(facts: Facts) -> bool:
        host = facts.host
        return host in patterns or any(search(host) is not None for search in searches)

    if lists is None or not names:
        return test if searches else lambda facts: facts.host in patterns
    return lambda facts: test(facts) or list_hit(values, lists, facts) is not None


def _port(text: str) -> tuple[int, int]:
    Ports([text])
    low, _, high = text.partition("-")
    return int(low), int(high or low)


def _port_covers(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[0] and other[1] <= one[1]


def _ports_test(values: Sequence[tuple[int, int]], _: Surroundings) -> Test:
    return lambda facts: any(first <= facts.port <= last for first, last in values)


# --- methods, schemes, URLs and fields


def _method(text: str) -> bytes:
    method = text.upper().encode("utf-8")
    if TOKEN.fullmatch(method) is None:
        raise ConfigError(f"{text!r} is no method; accepted is one such as GET or CONNECT")
    return method


def _methods_test(values: Sequence[bytes], _: Surroundings) -> Test:
    known = with_head(values)
    return lambda facts: facts.head.method in known


def _scheme(text: str) -> str:
    if text.lower() not in SCHEMES:
        raise ConfigError(f"{text!r} is no scheme; accepted: {', '.join(SCHEMES)} (a tunnel)")
    return text.lower()


def _schemes_test(values: Sequence[str], _: Surroundings) -> Test:
    return lambda facts: facts.scheme in values


def _url(text: str) -> UrlGlob | re.Pattern[str]:
    return regular_expression(text) if text[:1] == "~" else UrlGlob(text)


def _url_covers(one: Any, other: Any) -> bool:
    return _text_of(one) == _text_of(other)


def _text_of(pattern: UrlGlob | re.Pattern[str]) -> str:
    return pattern.text if isinstance(pattern, UrlGlob) else "~" + pattern.pattern


def _url_test(values: Sequence[UrlGlob | re.Pattern[str]], _: Surroundings) -> Test:
    globs = [value for value in values if isinstance(value, UrlGlob)]
    searches = [value.search for value in values if isinstance(value, re.Pattern)]

    def test(facts: Facts) -> bool:
        for url in facts.urls:
            for glob in globs:
                if glob.matches(url):
                    return True
            for search in searches:
                if search(url.text) is not None:
                    return True
        return False

    return test


def _field(pair: tuple[str, str | bool]) -> tuple[bytes, str | bool]:
    name, value = pair
    if not isinstance(name, str) or TOKEN.fullmatch(name.encode("utf-8")) is None:
        raise ConfigError(f"{name!r} is no field name; accepted is one such as User-Agent")
    if not isinstance(value, str | bool):
        raise ConfigError(f"{name}: {value!r} is no pattern; accepted are a glob, ~ with an expression, true and false")
    if isinstance(value, str):
        text_pattern(value)
    return name.lower().encode("ascii"), value


def _headers_test(values: Sequence[tuple[bytes, str | bool]], _: Surroundings) -> Test:
    presence = [(name, value) for name, value in values if isinstance(value, bool)]
    patterns = [(name, text_pattern(value)) for name, value in values if isinstance(value, str)]

    def test(facts: Facts) -> bool:
        index = facts.head.headers.index
        for name, wanted in presence:
            if (name in index) is not wanted:
                return False
        for name, fits in patterns:
            value = index.get(name)
            if value is None or not fits(value.decode("latin-1")):
                return False
        return True

    return test


# --- time and use


def _hours(text: str) -> tuple[int, int]:
    match = _HOURS.fullmatch(text)
    numbers = [int(number) for number in match.groups()] if match is not None else [0, 0, 0, 0]
    start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    if start == end or start >= _DAY or end > _DAY:
        raise ConfigError(f"{text!r} are no hours; accepted is a time of day to another, 08:00-18:00 or 22:00-06:00")
    return start, end


def _hours_cover(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one == other or (one[0] <= other[0] < other[1] <= one[1])


def _hours_test(values: Sequence[tuple[int, int]], surroundings: Surroundings) -> Test:
    now = surroundings.now

    def test(_: Facts) -> bool:
        moment = now()
        minute = moment.hour * 60 + moment.minute
        return any(start <= minute < end if start < end else minute >= start or minute < end for start, end in values)

    return test


def _days(text: str) -> frozenset[int]:
    first, dash, last = text.strip().lower().partition("-")
    if first not in DAYS or (dash and last not in DAYS):
        raise ConfigError(f"{text!r} is no day; accepted: {', '.join(DAYS)}, or a range such as mon-fri")
    start = DAYS.index(first)
    count = (DAYS.index(last) - start) % 7 + 1 if dash else 1
    return frozenset((start + day) % 7 for day in range(count))


def _days_cover(one: frozenset[int], other: frozenset[int]) -> bool:
    return other <= one


def _days_test(values: Sequence[frozenset[int]], surroundings: Surroundings) -> Test:
    now = surroundings.now
    days = frozenset().union(*values)
    return lambda _: now().weekday() in days


def _used(text: str) -> tuple[int, str]:
    match = _USED.fullmatch(text)
    if match is None:
        raise ConfigError(f"{text!r} is no amount; accepted are bytes such as 500M, 1G/day, 20G/month")
    return int(match[1]) * _UNITS[match[2].lower()], match[3] or "day"


def _used_covers(one: tuple[int, str], other: tuple[int, str]) -> bool:
    return one[1] == other[1] and one[0] <= other[0]


def _used_test(values: Sequence[tuple[int, str]], surroundings: Surroundings) -> Test:
    usage = surroundings.usage
    if usage is None:
        return lambda _: False
    return lambda facts: any(usage(facts.client_ip, facts.user, period) > limit for limit, period in values)


# --- all of them


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other)


def _no_test(values: Sequence[Any], _: Surroundings) -> Test:
    raise AssertionError("addresses are tested by address_test")


@attrs.frozen
class Kind:
    """One kind of condition. ``fact`` is the attribute of ``Facts`` that its answer follows from alone, and empty where
    it follows from more, or changes by itself. ``says`` tells the fact for an explanation, and ``verbs`` how it stands
    to a condition that it fulfils, and to one that it does not.
    """

    key: str
    parse: Callable[[Any], Any]
    test: Callable[[Sequence[Any], Surroundings], Test]
    fact: str
    says: Callable[[Facts, Surroundings], str]
    covers: Callable[[Any, Any], bool] = _equal
    verbs: tuple[str, str] = ("is in", "is not in")
    listed: bool = False
    """Whether one text may hold several values, with commas between."""
    numbers: bool = False
    """Whether values may be numbers as well as texts."""


def _who(facts: Facts) -> str:
    return facts.user or facts.client_ip


_FITS: Final = ("fits", "does not fit")

KINDS: Final = (
    Kind("clients", _client, _clients_test, "client_ip", lambda facts, _: f"client {facts.client_ip}", _network_covers),
    Kind("users", _name, _users_test, "user", lambda facts, _: f"user {facts.user or '(none)'}", _name_covers),
    Kind(
        "groups",
        _name,
        _groups_test,
        "groups",
        lambda facts, _: f"group {' '.join(sorted(facts.groups)) or '(none)'}",
        _name_covers,
    ),
    Kind("hosts", _host, _hosts_test, "host", lambda facts, _: f"host {facts.host}", _host_covers),
    Kind(
        "addresses",
        _network,
        _no_test,
        "",
        lambda facts, _: f"address {' '.join(addresses_of(facts) or ()) or '(none)'}",
        _network_covers,
    ),
    Kind("ports", _port, _ports_test, "port", lambda facts, _: f"port {facts.port}", _port_covers, numbers=True),
    Kind(
        "methods",
        _method,
        _methods_test,
        "head.method",
        lambda facts, _: f"method {facts.head.method.decode('latin-1')}",
    ),
    Kind("schemes", _scheme, _schemes_test, "scheme", lambda facts, _: f"scheme {facts.scheme}"),
    Kind("url", _url, _url_test, "", lambda facts, _: f"URL {facts.url.text}", _url_covers, _FITS),
    Kind("headers", _field, _headers_test, "", lambda _, __: "the head", verbs=_FITS),
    Kind(
        "hours",
        _hours,
        _hours_test,
        "",
        lambda _, surroundings: f"time {surroundings.now():%H:%M}",
        _hours_cover,
        listed=True,
    ),
    Kind(
        "days",
        _days,
        _days_test,
        "",
        lambda _, surroundings: f"day {DAYS[surroundings.now().weekday()]}",
        _days_cover,
        listed=True,
    ),
    Kind(
        "used_more_than",
        _used,
        _used_test,
        "",
        lambda facts, _: f"what {_who(facts)} has used",
        _used_covers,
        ("is over", "is not over"),
        numbers=True,
    ),
)
# A field that must not be there is `false` of headers, and there is no use in having used little.
NEGATABLE: Final = frozenset(kind.key for kind in KINDS) - {"headers", "used_more_than"}
