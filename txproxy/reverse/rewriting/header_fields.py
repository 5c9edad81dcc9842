"""Header fields that a route sets, adds and removes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from txproxy.errors import ConfigError, Finding
from txproxy.interfaces.context import RequestContext
from txproxy.reverse.rewriting.templates import ANSWER_VARIABLES, REQUEST_VARIABLES, Template
from txproxy.wire import grammar
from txproxy.wire.forwarding import (
    CERTIFICATE_FIELDS,
    CLIENT_FIELDS,
    HOP_BY_HOP,
    REQUEST_FIELDS,
    RESPONSE_FIELDS,
    TARGET_FIELDS,
    has_unusual,
    plain,
)
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

Fields: TypeAlias = "tuple[tuple[str, str], ...]"

# Where a message ends, and what is between two hops, is for the proxy alone to say.
_FRAMING: Final = HOP_BY_HOP | {b"content-length", b"trailer", b"via", b"host"}
# What reverse mode writes itself.
_WRITTEN: Final = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip"})
# What a client may say of itself, and is not believed.
_OF_CLIENTS: Final = CLIENT_FIELDS | TARGET_FIELDS | CERTIFICATE_FIELDS | {b"proxy"}
_NOT_IN_REQUESTS: Final = {
    **dict.fromkeys(RESPONSE_FIELDS, "is a field of responses, and says nothing in a request"),
    **dict.fromkeys(_FRAMING | {b"expect"}, "is for the proxy itself to say, for each hop anew"),
    **dict.fromkeys(_WRITTEN, "is written by the proxy, of each client anew"),
    b"host": "is not set so; the option for the host sent upstream is",
}
_NOT_IN_RESPONSES: Final = {
    **dict.fromkeys(REQUEST_FIELDS, "is a field of requests, and says nothing in a response"),
    **dict.fromkeys(_FRAMING, "is for the proxy itself to say, for each hop anew"),
}


def fields_of(value: Mapping[str, str | Iterable[str]] | Iterable[tuple[str, str]]) -> Fields:
    """Pairs of a name and a value, from a table whose values may be several."""
    if not isinstance(value, Mapping):
        return tuple(value)
    return tuple(
        (name, text) for name, texts in value.items() for text in ([texts] if isinstance(texts, str) else texts)
    )


def names_of(value: str | Iterable[str]) -> tuple[str, ...]:
    """Names, from one or several."""
    return (value,) if isinstance(value, str) else tuple(value)


def without_fields(lines: list[bytes], index: Mapping[bytes, bytes], drop: frozenset[bytes]) -> list[bytes]:
    """``lines`` but those of the names in ``drop``, of which each has ``-`` for ``_``."""
    if not drop:
        return lines
    if has_unusual(index):
        return [line for line in lines if plain(line.partition(b":")[0]) not in drop]
    if drop.isdisjoint(index):
        return lines
    return [line for line in lines if line.partition(b":")[0].lower() not in drop]


class FieldChanges:
    """Header fields to set (instead of all of that name), to add and to remove. ``ConfigError`` for what cannot be, one
    line for each fault.

    ``drop`` has the names that go, in lower case and with ``-`` for ``_``; ``names`` the lower-case ones that come.
    """

    __slots__ = ("drop", "names", "_values", "_constant")

    def __init__(
        self,
        set_: Fields,
        add: Fields,
        remove: tuple[str, ...],
        *,
        of_response: bool = False,
    ) -> None:
        known = ANSWER_VARIABLES if of_response else REQUEST_VARIABLES
        forbidden = _NOT_IN_RESPONSES if of_response else _NOT_IN_REQUESTS
        faults: list[Finding] = []
        values: list[tuple[bytes, Template]] = []
        for key, fields in (("set_headers", set_), ("add_headers", add)):
            for name, text in fields:
                try:
                    values.append((_name(name, forbidden), _value(name, text, known)))
                except ConfigError as fault:
                    faults += fault.at(key).findings
        drop = []
        for key, names in (("set_headers", [name for name, _ in set_]), ("remove_headers", list(remove))):
            for number, name in enumerate(names):
                try:
                    drop.append(plain(_name(name, forbidden)))
                except ConfigError as fault:
                    if key == "remove_headers":
                        faults += fault.at(key).findings
                if name.lower() in (other.lower() for other in names[:number]):
                    faults.append(Finding((key,), f"{name} is there more than once", "accepted is one of each"))
        replaced_names = {name.lower() for name, _ in set_}
        for name in remove:
            if name.lower() in replaced_names:
                faults.append(
                    Finding(
                        ("remove_headers",), f"{name} is set as well, which replaces it", "accepted is one of the two"
                    )
                )
        if faults:
            raise ConfigError(faults)
        self.names = frozenset(name.lower() for name, _ in values)
        # What a client says of itself is not added to, but replaced.
        self.drop = frozenset(drop) | (frozenset() if of_response else _OF_CLIENTS.intersection(map(plain, self.names)))
        self._values = [(name + b": ", template) for name, template in values]
        self._constant: list[bytes] | None = None
        if all(template.constant is not None for _, template in values):
            self._constant = [name + (template.constant or b"") for name, template in self._values]

    @property
    def own(self) -> frozenset[bytes]:
        """The :func:`plain` names of all that it sets, adds or removes."""
        return self.drop | frozenset(map(plain, self.names))

    def __bool__(self) -> bool:
        return bool(self.drop or self._values)

    def of(
        self, lines: list[bytes], index: Mapping[bytes, bytes], asked: RequestHead, context: RequestContext, of: bytes
    ) -> list[bytes]:
        """The ``lines`` of a response, with the changes in them; they are never changed themselves. ``index`` has the
        names of their fields, and the response is ``of`` the upstream with this authority.
        """
        lines = without_fields(lines, index, self.drop)
        return [*lines, *self.added(asked, context, of)] if self.names else lines

    def added(self, head: RequestHead, context: RequestContext, upstream: bytes = b"") -> list[bytes]:
        """The lines that come. The list is not to be changed."""
        if self._constant is not None:
            return self._constant
        # A variable may be empty, and so leave white space at an end.
        return [name + template.render(head, context, upstream).strip(b" \t") for name, template in self._values]


class RouteHead(RequestHead):
    """The head of a request that a route has changed."""

    __slots__ = ("kept",)

    kept: frozenset[bytes]

    def with_fields(self, headers: Headers, path: bytes) -> RequestHead:
        """See :class:`txproxy.interfaces.RequestHead`: whoever changes it has not set what the route has."""
        return changed(self, path, headers, frozenset())


def changed(head: RequestHead, path: bytes, headers: Headers, kept: frozenset[bytes]) -> RequestHead:
    """``head`` with another ``path`` and other ``headers``, of which ``kept`` are set by a route; so are those of
    ``head`` that were before.
    """
    made = RouteHead(head.method, path, headers, head.authority, head.scheme, head.body, head.minor, head.keep_alive)
    made.kept = kept | head.kept
    return made


def settable(name: str) -> bytes:
    """The name of a field that may be put into a request; ``ConfigError`` if it is none."""
    return _name(name, _NOT_IN_REQUESTS)


def _name(name: str, forbidden: Mapping[bytes, str]) -> bytes:
    given = name.encode("utf-8", "surrogateescape")
    if not grammar.TOKEN.fullmatch(given):
        raise ConfigError(f"{name!r} is no field name", "accepted is a token such as X-Team")
    why = forbidden.get(plain(given))
    if why is not None:
        raise ConfigError(f"{name} {why}", "accepted are other fields")
    return given


def _value(name: str, text: str, known: tuple[str, ...]) -> Template:
    try:
        template = Template(text, known)
    except ConfigError as fault:
        # Without the value, which may be a secret
        raise fault.about(f"{name}: ") from None
    if not grammar.FIELD_VALUE.fullmatch(template.sample):
        raise ConfigError(
            f"{name}: this can be no field's value",
            "accepted is one without control characters, and without space at its ends",
        )
    return template
