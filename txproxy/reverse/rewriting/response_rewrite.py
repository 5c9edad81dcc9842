"""What a route changes in responses on their way.

All is read and checked when the configuration is; what is not asked for is not looked at when a response comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import attrs

from txproxy.errors import ConfigError, Finding
from txproxy.frozen_values import frozen
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.interfaces.plan import MapBack
from txproxy.matching.hosts import host_name
from txproxy.matching.paths import configured_path
from txproxy.plain_values import PlainValue
from txproxy.reverse.rewriting.by_status import StatusChanges
from txproxy.reverse.rewriting.cookie_flags import CookieFlags, flagged
from txproxy.reverse.rewriting.header_fields import FieldChanges, Fields, fields_of, names_of
from txproxy.reverse.rewriting.location_mapping import LocationMapping
from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
from txproxy.reverse.rewriting.response_mapping import WayBack, WayToKeep
from txproxy.reverse.rewriting.strict_transport import HSTS_ALONE, Hsts, StrictTransport
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead

T = TypeVar("T")
V = TypeVar("V")


def _pairs(value: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(value.items() if isinstance(value, Mapping) else value)


def _flags(
    value: Mapping[str, str | Iterable[str]] | Iterable[tuple[str, str | Iterable[str]]],
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    pairs = value.items() if isinstance(value, Mapping) else value
    return tuple((name, names_of(words)) for name, words in pairs)


@frozen(kw_only=True)
class ResponseRewrite(PlainValue):
    """Changes in a response, before it goes to the client.

    First what the upstream says of itself is mapped back, if ``map_back`` (see
    :mod:`txproxy.reverse.rewriting.response_mapping`), with the prefixes of ``request``, the ``cookie_domains`` (from
    the domain of a cookie to another, or to nothing), the ``cookie_paths`` (from a path, for all below it, to another)
    and the ``locations``: from the beginning of a URL, or ``~regex`` for all of it, to another, which may have groups
    and variables. ``cookie_flags`` have words such as ``secure`` and ``samesite=lax`` for a cookie, for ``~regex`` or
    for ``*``: the first that it is counts.

    Then ``remove_headers``, ``set_headers`` and ``add_headers`` are done, as in requests; there is ``$upstream`` as
    well, which is empty where none was asked; and those of each of ``by_status`` that the status of the response is in.
    ``hsts`` replaces the upstream's ``Strict-Transport-Security``: where the client speaks TLS, by its own, and else by
    nothing (RFC 6797 section 7.2).

    It is false if it changes nothing. A wrong value is a ``ConfigError``, with one line for each fault.
    """

    set_headers: Fields = attrs.field(default=(), converter=fields_of)
    add_headers: Fields = attrs.field(default=(), converter=fields_of)
    remove_headers: tuple[str, ...] = attrs.field(default=(), converter=names_of)
    map_back: bool = True
    request: RequestRewrite | None = None
    cookie_domains: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_pairs)
    hsts: Hsts | None = None
    cookie_paths: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_pairs)
    cookie_flags: tuple[tuple[str, tuple[str, ...]], ...] = attrs.field(default=(), converter=_flags)
    locations: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_pairs)
    by_status: tuple[StatusChanges, ...] = attrs.field(default=(), converter=tuple)
    _changes: FieldChanges = attrs.field(init=False, eq=False, repr=False)
    # of a response that comes from an upstream, and of one that was kept; and what was mapped before that was
    _way_back: WayBack | None = attrs.field(init=False, eq=False, repr=False)
    _kept_back: WayBack = attrs.field(init=False, eq=False, repr=False)
    _to_keep: WayToKeep = attrs.field(init=False, eq=False, repr=False)
    _flags: tuple[CookieFlags, ...] = attrs.field(init=False, eq=False, repr=False)
    # what a response passes besides, whoever gives it; None without ``hsts``
    strict_transport: ResponseFilter | None = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        faults: list[Finding] = []
        try:
            changes = FieldChanges(self.set_headers, self.add_headers, self.remove_headers, of_response=True)
        except ConfigError as fault:
            faults += fault.findings
        domains = dict(_read(self.cookie_domains, "cookie_domains", _domains, faults))
        paths = _read(self.cookie_paths, "cookie_paths", _paths, faults)
        locations = _read(self.locations, "locations", LocationMapping.parse, faults)
        flags = _read(self.cookie_flags, "cookie_flags", CookieFlags.parse, faults)
        for key in ("cookie_domains", "cookie_paths", "locations"):
            if getattr(self, key) and not self.map_back:
                faults.append(Finding((key,), "nothing is mapped back", "accepted is map_back with it"))
        if faults:
            raise ConfigError(faults)
        prefixes = (self.request.strip, self.request.add) if self.request is not None else (b"", b"")
        for name, value in (
            ("_changes", changes),
            ("_way_back", WayBack(*prefixes, domains, paths, locations) if self.map_back else None),
            ("_kept_back", WayBack(*prefixes, None, paths, locations)),
            ("_to_keep", WayToKeep(domains, locations)),
            ("_flags", tuple(flags)),
            ("strict_transport", StrictTransport(self.hsts.line) if self.hsts is not None else None),
        ):
            object.__setattr__(self, name, value)

    @property
    def own_fields(self) -> frozenset[bytes]:
        """See :class:`RequestRewrite`."""
        sometimes = frozenset(name for one in self.by_status for name in one.changes.own)
        return self._changes.own | sometimes | (HSTS_ALONE if self.hsts is not None else frozenset())

    @property
    def _always(self) -> bool:
        """Whether there is something that any response passes."""
        return bool(self._changes or self._flags or self.by_status or self._way_back is not None)

    def __bool__(self) -> bool:
        return self._always or self.hsts is not None

    @property
    def map_to_keep(self) -> MapBack | None:
        """What is mapped of a response before it is kept; None for nothing."""
        return self._to_keep.map if self.map_back else None

    def of(self, asked: RequestHead) -> ResponseFilter | None:
        """What the response to a request passes that the client has ``asked`` in this way; None if nothing."""
        return _Rewriting(self, asked) if self._always else None

    def lines_of(self, response: ResponseHead, asked: RequestHead, context: RequestContext) -> list[bytes]:
        """Its lines as the client gets them."""
        lines = response.headers.lines
        attempt = context.attempt
        authority = attempt.upstream.authority if attempt is not None else _asked_by_cache(context)
        if self._way_back is not None and response.headers.names_server:
            if attempt is not None:
                told = attempt.head.authority if attempt.head is not None else b""
                lines = self._way_back.lines(lines, asked, context, authority, told)
            elif context.cache is not None:
                # Any other answer is one of the route's own, and has nothing that would have to be mapped back.
                lines = self._kept_back.lines(lines, asked, context, b"")
        index = response.headers.index
        if self._flags and b"set-cookie" in index:
            lines = [flagged(line, self._flags) if line[:11].lower() == b"set-cookie:" else line for line in lines]
        lines = self._changes.of(lines, index, asked, context, authority)
        for one in self.by_status:
            if response.status in one.held:
                lines = one.changes.of(lines, Headers.parsed(lines).index, asked, context, authority)
        return lines


class _Rewriting(ResponseFilter):
    """Changes the response to one request."""

    def __init__(self, rewrite: ResponseRewrite, asked: RequestHead) -> None:
        self._rewrite = rewrite
        self._asked = asked

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        lines = self._rewrite.lines_of(response, self._asked, context)
        return response if lines is response.headers.lines else response.with_lines(lines)


def _asked_by_cache(context: RequestContext) -> bytes:
    """The authority of the upstream that a cache has asked on behalf of a request; empty if there was none."""
    upstream = context.cache.upstream if context.cache is not None else None
    return upstream.authority if upstream is not None else b""


def _read(pairs: Iterable[tuple[str, V]], key: str, parse: Callable[[str, V], T], faults: list[Finding]) -> list[T]:
    """What ``parse`` makes of each of the ``pairs``; those that are wrong become ``faults``."""
    found = []
    for name, value in pairs:
        try:
            found.append(parse(name, value))
        except ConfigError as fault:
            faults += fault.at(key).findings
    return found


def _domains(text: str, other: str) -> tuple[bytes, bytes]:
    return _domain(text), _domain(other) if other else b""


def _paths(text: str, other: str) -> tuple[bytes, bytes]:
    # Without the slash at its end, so that what is below one is put below the other.
    return configured_path(text).rstrip(b"/"), configured_path(other).rstrip(b"/")


def _domain(text: str) -> bytes:
    # RFC 6265 section 5.2.3: a dot before it says nothing.
    return host_name(text.removeprefix(".")).encode("ascii")
