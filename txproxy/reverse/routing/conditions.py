"""What a request must have, besides its host and path, for a route to be taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import attrs

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.hooks.matcher import Matcher
from txproxy.interfaces.hooks.request_view import Request
from txproxy.matching.methods import usual_name, with_head
from txproxy.matching.networks import Network, PeerNetworks, covers, network_or_unix
from txproxy.matching.octets import as_bytes, shown
from txproxy.matching.regular_expressions import EXPRESSION_MARK, bytes_expression
from txproxy.matching.urls import query_text
from txproxy.wire import grammar
from txproxy.wire.message import RequestHead


class Condition(Protocol):
    """One thing that a request must have. Those that are equal hold for the same requests."""

    def holds(self, head: RequestHead, context: RequestContext) -> bool:
        """Whether it has."""

    def why(self, head: RequestHead, context: RequestContext) -> str:
        """Why it has not, in a few words."""

    def covers(self, other: Condition) -> bool:
        """Whether this one holds wherever ``other`` does."""


@frozen
class Methods:
    """The method is one of these; HEAD goes with GET, of which it asks (RFC 9110 section 9.3.2)."""

    names: frozenset[bytes]

    @classmethod
    def parse(cls, names: Iterable[str]) -> Methods:
        """From names; ``ConfigError`` if one is none."""
        for name in names:
            if not grammar.TOKEN.fullmatch(as_bytes(name)):
                raise ConfigError(f"{name!r} is no method", "accepted are names such as GET")
            if usual_name(name) != name:
                raise ConfigError(f"{name!r} is no method, as their case matters", f"accepted is {usual_name(name)}")
        return cls(with_head(map(as_bytes, names)))

    def holds(self, head: RequestHead, context: RequestContext) -> bool:
        """See :class:`Condition`."""
        return head.method in self.names

    def why(self, head: RequestHead, context: RequestContext) -> str:
        """See :class:`Condition`."""
        names = b", ".join(sorted(self.names)).decode("ascii")
        return f"method is {shown(head.method)}, accepted are {names}"

    def covers(self, other: Condition) -> bool:
        """See :class:`Condition`."""
        return isinstance(other, Methods) and self.names >= other.names


@frozen
class Wanted:
    """A value: any where both are None, else equal to ``exact``, or matched whole by the expression ``text``."""

    exact: bytes | None = None
    text: bytes | None = None
    fullmatch: Callable[[bytes], object] | None = attrs.field(default=None, eq=False)

    @classmethod
    def parse(cls, value: str | bool) -> Wanted:
        """From a value, ``~regex``, or True for any; ``ConfigError`` if it is none of them."""
        if value is True:
            return cls()
        if not isinstance(value, str):
            raise ConfigError(f"{value!r} is nothing to compare with", "accepted is a value, ~regex, or true for any")
        if value.startswith(EXPRESSION_MARK):
            pattern = bytes_expression(value)
            return cls(text=pattern.pattern, fullmatch=pattern.fullmatch)
        return cls(exact=as_bytes(value))

    def holds(self, value: bytes) -> bool:
        """Whether ``value`` is one."""
        if self.exact is not None:
            return value == self.exact
        return self.fullmatch is None or self.fullmatch(value) is not None

    def why(self) -> str:
        """What a value that does not do is not. What would do may be a secret."""
        return "not what is wanted" if self.exact is not None else "no match of what is wanted"

    def covers(self, other: Wanted) -> bool:
        """Whether this one takes whatever ``other`` takes."""
        if self == other or self == Wanted():
            return True
        return self.fullmatch is not None and other.exact is not None and self.holds(other.exact)


@frozen
class HeaderField:
    """A field, by its lower-case name. Values of a repeated one are compared as one, joined with ``, ``."""

    name: bytes
    wanted: Wanted

    @classmethod
    def parse(cls, name: str, value: str | bool) -> HeaderField:
        """From a configuration; ``ConfigError`` if the name is none, or no field can have the value."""
        if not grammar.TOKEN.fullmatch(as_bytes(name)):
            raise ConfigError(f"{name!r} is no field name", "accepted is a token such as x-beta")
        wanted = _wanted(name, value)
        if wanted.exact is not None and not grammar.FIELD_VALUE.fullmatch(wanted.exact):
            raise ConfigError(
                f"{name}: this can be no field's value",
                "accepted is one without control characters, and without space at its ends",
            )
        return cls(as_bytes(name.lower()), wanted)

    def holds(self, head: RequestHead, context: RequestContext) -> bool:
        """See :class:`Condition`."""
        value = head.headers.index.get(self.name)
        return value is not None and self.wanted.holds(value)

    def why(self, head: RequestHead, context: RequestContext) -> str:
        """See :class:`Condition`."""
        name = self.name.decode("ascii")
        value = head.headers.index.get(self.name)
        if value is None:
            return f"header {name} is missing"
        return f"header {name} is {shown(value)!r}, {self.wanted.why()}"

    def covers(self, other: Condition) -> bool:
        """See :class:`Condition`."""
        return isinstance(other, HeaderField) and self.name == other.name and self.wanted.covers(other.wanted)


@frozen
class QueryField:
    """A parameter of the query, name and value decoded (``+`` is a space). One of a repeated parameter's values is
    enough.
    """

    name: bytes
    wanted: Wanted

    @classmethod
    def parse(cls, name: str, value: str | bool) -> QueryField:
        """From a configuration, decoded; ``ConfigError`` if the value is none."""
        return cls(as_bytes(name), _wanted(name, value))

    def holds(self, head: RequestHead, context: RequestContext) -> bool:
        """See :class:`Condition`."""
        return any(self.wanted.holds(value) for value in self._values(head))

    def why(self, head: RequestHead, context: RequestContext) -> str:
        """See :class:`Condition`."""
        name, values = shown(self.name), self._values(head)
        if not values:
            return f"query parameter {name} is missing"
        return f"query parameter {name} is {' and '.join(repr(shown(value)) for value in values)}, {self.wanted.why()}"

    def covers(self, other: Condition) -> bool:
        """See :class:`Condition`."""
        return isinstance(other, QueryField) and self.name == other.name and self.wanted.covers(other.wanted)

    def _values(self, head: RequestHead) -> list[bytes]:
        pairs = (field.partition(b"=") for field in head.path.partition(b"?")[2].split(b"&") if field)
        return [query_text(value) for name, _, value in pairs if query_text(name) == self.name]


def _wanted(name: str, value: str | bool) -> Wanted:
    try:
        return Wanted.parse(value)
    except ConfigError as fault:
        raise fault.about(f"{name}: ") from None


@frozen
class OwnCode:
    """What code says of the request that a configuration names."""

    matcher: Matcher

    def holds(self, head: RequestHead, context: RequestContext) -> bool:
        """See :class:`Condition`."""
        return self.matcher.holds(Request(head, context))

    def why(self, head: RequestHead, context: RequestContext) -> str:
        """See :class:`Condition`."""
        return f"{self.matcher} says no"

    def covers(self, other: Condition) -> bool:
        """See :class:`Condition`."""
        return self == other


@frozen
class Clients:
    """The client's believed address is in one of these networks (see :mod:`txproxy.matching.networks`); ``unix:``
    stands for UNIX sockets.
    """

    networks: frozenset[Network | str]
    has: Callable[[str], bool] = attrs.field(eq=False, repr=False)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Clients:
        """From networks and ``unix:``; ``ConfigError`` if one is neither."""
        networks = frozenset(map(network_or_unix, texts))
        return cls(networks, PeerNetworks(networks).holds)

    def holds(self, head: RequestHead, context: RequestContext) -> bool:
        """See :class:`Condition`."""
        return self.has(context.client_ip)

    def why(self, head: RequestHead, context: RequestContext) -> str:
        """See :class:`Condition`."""
        return f"client {context.client_ip} is not in {' or '.join(sorted(map(str, self.networks)))}"

    def covers(self, other: Condition) -> bool:
        """See :class:`Condition`."""
        if not isinstance(other, Clients):
            return False
        return all(any(covers(ours, theirs) for ours in self.networks) for theirs in other.networks)
