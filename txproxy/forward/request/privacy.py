"""What an origin is told of a client by the fields of its requests: removed, replaced, or only what is to be kept."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Final

import attrs

from txproxy.errors import ConfigError
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.interfaces.plan import OwnFields
from txproxy.matching.hosts import HostPatterns
from txproxy.plain_values import PlainValue
from txproxy.wire import grammar
from txproxy.wire.forwarding import HOP_BY_HOP, plain
from txproxy.wire.message import ResponseHead

# Where a message ends, and what is between two hops, is for the proxy alone to say.
_FRAMING: Final = HOP_BY_HOP | {b"content-length", b"trailer", b"host", b"expect"}
# Without these a message is another one: they stay with ``keep``.
_NEEDED: Final = _FRAMING | {b"content-type", b"content-encoding", b"upgrade", b"te", b"max-forwards"}
# What a handshake of WebSocket is made of (RFC 6455 section 4.1).
_WEBSOCKET: Final = frozenset(
    {b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol", b"sec-websocket-extensions"}
)


def field_name(text: str) -> bytes:
    """The name of a field that may be set or taken away, as it is written; else ``ConfigError``."""
    name = text.encode("utf-8")
    if grammar.TOKEN.fullmatch(name) is None:
        raise ConfigError(f"{text!r} is no field name", "accepted is one such as Referer")
    if name.lower() in _FRAMING:
        raise ConfigError(f"{text} is for the proxy itself to say, for each hop anew", "accepted are other fields")
    return name


def removable(text: str) -> str:
    """``text`` if it is the name of a field that may be set or taken away; else ``ConfigError``."""
    field_name(text)
    return text


def field_line(name: str, value: str) -> bytes:
    """The line that sets a field; ``ConfigError`` where it cannot be. What is wrong with a value is said without it."""
    text = value.encode("utf-8")
    if grammar.FIELD_VALUE.fullmatch(text) is None:
        raise ConfigError(
            f"{name}: this can be no field's value",
            "accepted is one without control characters, and without space at its ends",
        )
    return field_name(name) + b": " + text


def _names(values: Iterable[str] | str) -> tuple[str, ...]:
    texts = (values,) if isinstance(values, str) else tuple(values)
    for text in texts:
        field_name(text)
    return texts


def _optional_texts(values: Iterable[str] | str | None) -> tuple[str, ...] | None:
    return values if values is None else (values,) if isinstance(values, str) else tuple(values)


def field_lines(values: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Names and values, each of which can be sent."""
    pairs = tuple(values.items()) if isinstance(values, Mapping) else tuple(values)
    for name, value in pairs:
        field_line(name, value)
    return pairs


@attrs.frozen(kw_only=True)
class Privacy(PlainValue):
    """For ``hosts`` (patterns; None for all): fields that are ``remove``\\ d from requests, fields that are
    ``replace``\\ d, which every request then has with this value, also where the client sent none, and fields to be
    removed from responses (``remove_from_responses``). With ``keep``, requests keep no others than these, but what
    belongs to the message itself (Content-Type, what a WebSocket needs). ``ConfigError`` for what is no field.
    """

    hosts: tuple[str, ...] | None = attrs.field(default=None, converter=_optional_texts)
    remove: tuple[str, ...] = attrs.field(default=(), converter=_names)
    replace: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=field_lines)
    keep: tuple[str, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(_names))
    remove_from_responses: tuple[str, ...] = attrs.field(default=(), converter=_names)
    patterns: HostPatterns | None = attrs.field(init=False, eq=False, repr=False)

    @patterns.default
    def _make_patterns(self) -> HostPatterns | None:
        return HostPatterns(self.hosts) if self.hosts is not None else None

    def is_for(self, host: str) -> bool:
        """Whether requests to ``host`` (in normal form) are changed."""
        return self.patterns is None or host in self.patterns


@attrs.frozen
class _AllBut:
    kept: frozenset[bytes]

    def __contains__(self, name: object) -> bool:
        return name not in self.kept


class _FieldsDropped(ResponseFilter):
    """Takes fields of these lower-case ``names`` out of responses."""

    def __init__(self, names: frozenset[bytes]) -> None:
        self._names = names

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        if self._names.isdisjoint(response.headers.index):
            return response
        return response.with_lines(
            [line for line in response.headers.lines if line.partition(b":")[0].lower() not in self._names]
        )


@attrs.frozen
class Mask:
    """What changes in the fields of requests to one host: lower-case names that go (``drop``), those beside which
    nothing stays (``keep``; None for no such list), and ``lines`` that come. ``drop_from_responses``: names.
    """

    drop: frozenset[bytes] = frozenset()
    keep: frozenset[bytes] | None = None
    lines: tuple[bytes, ...] = ()
    drop_from_responses: frozenset[bytes] = frozenset()
    own_fields: OwnFields = attrs.field(init=False, eq=False, repr=False)
    # None without such names
    response_filter: ResponseFilter | None = attrs.field(init=False, eq=False, repr=False)

    @own_fields.default
    def _make_own_fields(self) -> OwnFields:
        request: tuple[Container[bytes], ...] = (frozenset(map(plain, self.drop)),)
        if self.keep is not None:
            request += (_AllBut(frozenset(map(plain, self.keep))),)
        return OwnFields(request, (frozenset(map(plain, self.drop_from_responses)),))

    @response_filter.default
    def _make_response_filter(self) -> ResponseFilter | None:
        return _FieldsDropped(self.drop_from_responses) if self.drop_from_responses else None

    def dropped(self, names: Iterable[bytes]) -> frozenset[bytes]:
        """Which of a request's names go."""
        if self.keep is None:
            return self.drop
        return self.drop | (frozenset(names) - self.keep)


_NO_MASK: Final = Mask()


def mask_of(rules: Iterable[Privacy], host: str) -> Mask:
    """What ``rules`` say together; of two that replace the same field, the first counts."""
    drop: set[bytes] = set()
    from_responses: set[bytes] = set()
    lines: dict[bytes, bytes] = {}
    keep: frozenset[bytes] | None = None
    for rule in rules:
        if not rule.is_for(host):
            continue
        drop.update(name.lower().encode() for name in rule.remove)
        from_responses.update(name.lower().encode() for name in rule.remove_from_responses)
        for name, value in rule.replace:
            lines.setdefault(name.lower().encode(), field_line(name, value))
        if rule.keep is not None:
            names = frozenset(name.lower().encode() for name in rule.keep) | _NEEDED | _WEBSOCKET
            keep = names if keep is None else keep & names
    if not drop and not lines and keep is None and not from_responses:
        return _NO_MASK
    return Mask(frozenset(drop | set(lines)), keep, tuple(lines.values()), frozenset(from_responses))
