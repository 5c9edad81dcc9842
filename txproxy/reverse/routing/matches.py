"""What requests a route is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import TypeVar

import attrs

from txproxy.components.named_code import NamedCode, codes
from txproxy.errors import ConfigError, Finding
from txproxy.frozen_values import frozen
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.hooks.matcher import Matcher
from txproxy.matching.hosts import HostPattern, named_host
from txproxy.matching.paths import PathPattern
from txproxy.matching.regular_expressions import EXPRESSION_MARK, regular_expression
from txproxy.plain_values import PlainValue
from txproxy.reverse.routing.conditions import Clients, Condition, HeaderField, Methods, OwnCode, QueryField
from txproxy.reverse.routing.file_condition import FileIn
from txproxy.wire.message import RequestHead
from txproxy.wire.target import LONGEST_AUTHORITY, split_authority

T = TypeVar("T")


@frozen
class HostExpression:
    """Hosts that a regular expression matches whole: after ``~``, over the host in lower case, without a port."""

    text: str
    fullmatch: Callable[[str], object] = attrs.field(eq=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> HostExpression:
        """From ``~regex``; ``ConfigError`` if it is none."""
        return cls(text, regular_expression(text).fullmatch)

    def holds(self, host: str) -> bool:
        """Whether ``host``, as it is named, is one; a request without a host has none."""
        return bool(host) and self.fullmatch(host) is not None

    def __str__(self) -> str:
        return self.text


def _host_pattern(text: str) -> HostPattern | HostExpression:
    return HostExpression.parse(text) if text.startswith(EXPRESSION_MARK) else HostPattern.parse(text)


def host_of(authority: bytes) -> str:
    """The host that patterns are compared with, as it is named and without a port; empty if there is none."""
    return _host_of(authority) if 0 < len(authority) <= LONGEST_AUTHORITY else ""


# A connection over TLS asks this with each request.
@lru_cache(maxsize=4096)
def _host_of(authority: bytes) -> str:
    try:
        return named_host(split_authority(authority)[0])
    except ValueError:
        return ""


def _texts(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _pairs(value: Mapping[str, str | bool] | Iterable[tuple[str, str | bool]]) -> tuple[tuple[str, str | bool], ...]:
    return tuple(value.items() if isinstance(value, Mapping) else value)


def _codes(value: str | NamedCode | Iterable[str | NamedCode]) -> tuple[NamedCode, ...]:
    return codes([value] if isinstance(value, str | NamedCode) else value)


@frozen
class Match(PlainValue):
    """Which requests: all that is given must hold, and nothing given holds for all.

    ``hosts``: patterns (see :mod:`txproxy.matching.hosts`), compared without port and case, and ``~regex``, which must
    match the whole host. ``path``: ``/prefix``
    (``/api`` is for ``/api`` and ``/api/x``, not for ``/apix``; ``/api/`` only for what is below it), ``=/exact`` or
    ``~regex``, which must match the whole path without the query; see :mod:`txproxy.matching.paths` for how a path is
    read. ``methods`` are compared with case. ``headers`` and ``query`` map a name to a value, to ``~regex`` (of the
    whole value), or to True: it must be there. ``clients``: CIDRs that the believed client address must be in.

    ``file_in``: a :class:`FileIn`, or the folder of one: there must be a file in it that would be served for the path.

    ``matches``: code that is asked last, a function of a :class:`txproxy.interfaces.Request` that says whether it is
    one, by its name (``MODULE:NAME``) as in a configuration file.

    ``weight`` shares requests among routes that match the same: each gets its part of the sum; 0 takes it out.

    Regular expressions are Python's, over bytes; one that backtracks without end is for its author to avoid. A wrong
    value is a ``ConfigError`` with one line for each fault, which begins with the name of the attribute.
    """

    hosts: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    path: str = ""
    methods: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    headers: tuple[tuple[str, str | bool], ...] = attrs.field(default=(), converter=_pairs)
    query: tuple[tuple[str, str | bool], ...] = attrs.field(default=(), converter=_pairs)
    clients: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    weight: int | None = None
    matches: tuple[NamedCode, ...] = attrs.field(default=(), converter=_codes)
    file_in: FileIn | str | None = None
    host_patterns: tuple[HostPattern | HostExpression, ...] = attrs.field(init=False, eq=False, repr=False)
    path_pattern: PathPattern = attrs.field(init=False, eq=False, repr=False)
    conditions: tuple[Condition, ...] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        faults: list[Finding] = []

        def read(name: str, parse: Callable[[], T], default: T) -> T:
            try:
                return parse()
            except ConfigError as fault:
                faults.extend(fault.at(name).findings)
                return default

        hosts = [read("hosts", partial(_host_pattern, text), None) for text in self.hosts]
        path = read("path", partial(PathPattern.parse, self.path), PathPattern())
        conditions: list[Condition | None] = []
        if self.methods:
            conditions.append(read("methods", partial(Methods.parse, self.methods), None))
        for name, value in self.headers:
            conditions.append(read("headers", partial(HeaderField.parse, name, value), None))
        for name, value in self.query:
            conditions.append(read("query", partial(QueryField.parse, name, value), None))
        if self.clients:
            conditions.append(read("clients", partial(Clients.parse, self.clients), None))
        if self.file_in is not None:
            given = self.file_in
            make = partial(FileIn.parse, given) if isinstance(given, str) else lambda: given
            conditions.append(read("file_in", make, None))
        conditions += [OwnCode(Matcher(code)) for code in self.matches]
        weight = self.weight
        if weight is not None and (not isinstance(weight, int) or isinstance(weight, bool) or not 0 <= weight <= 10**6):
            accepted = "accepted is a whole number from 0 to 1000000"
            faults.append(Finding(("weight",), f"{weight!r} is no weight", accepted))
        if faults:
            raise ConfigError(faults)
        object.__setattr__(self, "host_patterns", tuple(dict.fromkeys(hosts)))
        object.__setattr__(self, "path_pattern", path)
        object.__setattr__(self, "conditions", tuple(dict.fromkeys(conditions)))

    @property
    def settled(self) -> bool:
        """Whether it follows from a request and its connection alone."""
        return not self.matches and self.file_in is None

    def why_not(self, host: str, path: bytes, head: RequestHead, context: RequestContext) -> str:
        """Why a request does not match, in a few words; empty if it does. ``host`` is :func:`host_of` its authority,
        ``path`` canonical.
        """
        if self.host_patterns and not any(pattern.holds(host) for pattern in self.host_patterns):
            names = " or ".join(str(pattern) for pattern in self.host_patterns)
            return f"host is {host or 'missing'}, not {names}"
        if not self.path_pattern.holds(path):
            return self.path_pattern.why(path)
        for condition in self.conditions:
            if not condition.holds(head, context):
                return condition.why(head, context)
        return ""
