"""What a route or a rule says of the cache: how long what may be kept, and what tells one response from another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.plain_values import PlainValue
from txproxy.wire import grammar
from txproxy.wire.forwarding import (
    CERTIFICATE_FIELDS,
    CLIENT_FIELDS,
    NOT_ALIKE,
    OVERRIDING_FIELDS,
    REQUEST_FIELDS,
    TARGET_FIELDS,
    TELLING_FIELDS,
    plain,
)

ANY_STATUS: Final = "any"
QUERIES: Final = ("all", "none")
_STATUS: Final = re.compile(r"[1-5](?:[0-9]{2}|xx)")
# What means something else to servers, or is not sent on. User-Agent says of devices what it would.
_NOT_FOR_DEVICES: Final = (
    NOT_ALIKE | CLIENT_FIELDS | TARGET_FIELDS | OVERRIDING_FIELDS | TELLING_FIELDS | CERTIFICATE_FIELDS
).union(
    REQUEST_FIELDS - {b"user-agent"}, (b"via", b"expect", b"cache-control", b"pragma", b"accept", b"accept-encoding")
)
_TTLS_ACCEPTED: Final = "accepted are times by status: 200 = 600, or all of a class, 4xx = 10, or any = 60"

Ttls: TypeAlias = "tuple[tuple[str, float], ...]"


def _names(values: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(name.lower() for name in _octets(values))


def _octets(values: Iterable[bytes]) -> tuple[bytes, ...]:
    if isinstance(values, bytes | str):
        raise ConfigError(f"{values!r} is no list of names", "accepted is a list")
    return tuple(one.encode("utf-8") if isinstance(one, str) else one for one in values)


def _ttls(value: Mapping[str | int, float] | Iterable[tuple[str | int, float]]) -> Ttls:
    pairs = value.items() if isinstance(value, Mapping) else value
    return tuple((str(status), seconds) for status, seconds in pairs)


def _check_ttls(_: object, attribute: Any, value: Ttls) -> None:
    for status, seconds in value:
        if status != ANY_STATUS and not _STATUS.fullmatch(status):
            raise ConfigError(f"{status!r} is no status", _TTLS_ACCEPTED, (attribute.name,))
        if not _is_number(seconds) or not seconds >= 0:
            raise ConfigError(f"{seconds!r} is no time", _TTLS_ACCEPTED, (attribute.name, status))


def _check_seconds(_: object, attribute: Any, value: Any) -> None:
    if value is not None and (not _is_number(value) or not value >= 0):
        raise ConfigError(f"{value!r} is no time", "accepted are seconds, 0 or more", (attribute.name,))


def _check_count(_: object, attribute: Any, value: Any) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ConfigError(f"{value!r} is no number", "accepted is a whole number above 0", (attribute.name,))


def _check_fraction(_: object, attribute: Any, value: Any) -> None:
    if not _is_number(value) or not 0 <= value <= 1:
        raise ConfigError(f"{value!r} is no fraction", "accepted is a number from 0 to 1", (attribute.name,))


def _check_query(_: object, attribute: Any, value: str) -> None:
    if value not in QUERIES:
        raise ConfigError(f"{value!r} is no part of a query", f"accepted: {', '.join(QUERIES)}", (attribute.name,))


def _check_tokens(_: object, attribute: Any, value: tuple[bytes, ...]) -> None:
    for name in value:
        if not grammar.TOKEN.fullmatch(name):
            raise ConfigError(
                f"{name!r} is no name of a field", "accepted are letters, digits and -", (attribute.name,)
            )


def _device(value: Any) -> Any:
    return value.encode("utf-8") if isinstance(value, str) else value


def _check_device(_: object, attribute: Any, value: Any) -> None:
    accepted = "accepted: true, false, the name of a field such as 'X-UA-Device'"
    if not isinstance(value, bool):
        if not isinstance(value, bytes) or not grammar.TOKEN.fullmatch(value):
            raise ConfigError(f"{value!r} is no name of a field", accepted, (attribute.name,))
        if plain(value) in _NOT_FOR_DEVICES:
            raise ConfigError(f"{value!r} means something else to servers", accepted, (attribute.name,))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@frozen(kw_only=True)
class CachePolicy(PlainValue):
    """What is kept, for how long, and by which key. All times are in seconds. A wrong value is a ``ConfigError``.

    What responses say:

    - ``targeted`` are the fields that count in place of Cache-Control and Expires, the first that is valid before
      the others (RFC 9213).
    - ``ttl`` has lifetimes by status, for responses that do not say how long they are fresh: ``200``, a class
      (``4xx``), or ``any``; the nearest counts. ``min_ttl`` is the least where they do not say it, and no longer
      lifetime comes of Last-Modified. With ``override_expire`` both count whatever a response says of its freshness,
      and with ``override_lastmod`` ``min_ttl`` counts as well where Last-Modified gives less. None of these makes a
      response kept that says ``no-store`` or ``private``, or whose Content-Type is not what the path's extension
      promises.
    - ``max_ttl`` bounds all lifetimes.
    - ``heuristic_fraction`` of the time since Last-Modified, and at most ``heuristic_max``, is how long a response is
      fresh that says nothing (RFC 9111 section 4.2.2 names a tenth, and wants no more than a day without a warning,
      as RFC 2616 had it). A fraction of 0 is no heuristic.
    - ``error_ttl`` bounds lifetimes for statuses from 400 on, but for 404 and 410, where ``ttl`` has none for them:
      what an attack or a failure has brought about is soon gone. Like ``ttl``, ``min_ttl`` and ``max_ttl`` it counts
      from when a response has come, whatever its age was.
    - ``stale_while_revalidate`` and ``stale_if_error`` are the windows of RFC 5861 where a response names none. By
      default nothing is served stale but on failure, for a day: longer than most failures, and shorter than what
      people would take for lost.
    - ``ignore_set_cookie`` keeps responses with Set-Cookie, without that field; ``ignore_private`` those that say
      ``private``.

    What requests say:

    - ``request_directives`` is whether Cache-Control and Pragma of a request count: those of a browser in a forward
      proxy do; in front of a site nobody's reload is to make it work.
    - With ``reload_into_ims`` a reload (no-cache, or max-age=0) makes a validation even where those do not count. With
      ``ignore_reload`` it makes none even where they do.

    What is kept:

    - ``max_object_size`` in bytes; None for whatever a store takes. ``min_uses`` is how often something is asked for
      before it is kept.
    - ``offline`` serves all that is kept and was fresh once, however old, and asks nobody for it. What is to be
      validated each time, or never was fresh, may be one client's alone: it is asked for as ever.
    - With ``purge``, requests with the method PURGE are answered by the cache: what it has of their URL is not used any
      more. Whoever may send them can have it all fetched again: it is for a route or a rule that few may use.

    The key:

    - ``query`` is ``all`` or ``none``. ``query_keep``, where there are any, are the parameters that count, and
      ``query_drop`` those that do not: globs over their names (``utm_*``). ``query_sort`` brings them into order.
    - ``key_headers`` (lower case) and ``key_cookies`` are fields and cookies by whose values responses differ.
    - ``key_device``: they differ by the class of the device (:mod:`txproxy.cache.device_class`). With the name of a
      field, servers are told the class in it, whatever a client has said there.
    """

    targeted: tuple[bytes, ...] = attrs.field(default=(), converter=_names, validator=_check_tokens)
    ttl: Ttls = attrs.field(default=(), converter=_ttls, validator=_check_ttls)
    min_ttl: float = attrs.field(default=0.0, validator=_check_seconds)
    max_ttl: float | None = attrs.field(default=None, validator=_check_seconds)
    override_expire: bool = False
    override_lastmod: bool = False
    heuristic_fraction: float = attrs.field(default=0.1, validator=_check_fraction)
    heuristic_max: float = attrs.field(default=86400.0, validator=_check_seconds)
    error_ttl: float = attrs.field(default=10.0, validator=_check_seconds)
    stale_while_revalidate: float = attrs.field(default=0.0, validator=_check_seconds)
    stale_if_error: float = attrs.field(default=86400.0, validator=_check_seconds)
    ignore_set_cookie: bool = False
    ignore_private: bool = False

    request_directives: bool = False
    ignore_reload: bool = False
    reload_into_ims: bool = False

    max_object_size: int | None = attrs.field(default=None, validator=_check_count)
    min_uses: int = attrs.field(default=1, validator=_check_count)
    offline: bool = False
    purge: bool = False

    query: str = attrs.field(default="all", validator=_check_query)
    query_keep: tuple[bytes, ...] = attrs.field(default=(), converter=_octets)
    query_drop: tuple[bytes, ...] = attrs.field(default=(), converter=_octets)
    query_sort: bool = False
    key_headers: tuple[bytes, ...] = attrs.field(default=(), converter=_names, validator=_check_tokens)
    key_cookies: tuple[bytes, ...] = attrs.field(default=(), converter=_octets, validator=_check_tokens)
    key_device: bool | bytes = attrs.field(default=False, converter=_device, validator=_check_device)

    # whether anything that a request says of caching counts, for whoever looks at each
    hears_requests: bool = attrs.field(init=False, eq=False, repr=False)
    # whether any response may get a lifetime here that does not name one itself
    has_lifetimes: bool = attrs.field(init=False, eq=False, repr=False)
    # whether one URL has several keys, by what else a request says
    has_parts: bool = attrs.field(init=False, eq=False, repr=False)
    # in which field servers are told the class of a device, empty for none
    device_field: bytes = attrs.field(init=False, eq=False, repr=False)
    _ttls: dict[str, float] = attrs.field(init=False, eq=False, repr=False)

    @hears_requests.default
    def _hears(self) -> bool:
        return self.request_directives or (self.reload_into_ims and not self.ignore_reload)

    @has_lifetimes.default
    def _has_any(self) -> bool:
        return bool(self.ttl or self.min_ttl)

    @has_parts.default
    def _has_some(self) -> bool:
        return bool(self.key_headers or self.key_cookies or self.key_device)

    @device_field.default
    def _field(self) -> bytes:
        return self.key_device if isinstance(self.key_device, bytes) else b""

    @_ttls.default
    def _by_status(self) -> dict[str, float]:
        return dict(self.ttl)

    def ttl_of(self, status: int) -> float | None:
        """The lifetime that ``ttl`` has for a ``status``; None if it says nothing."""
        ttls = self._ttls
        if not ttls:
            return None
        for key in (str(status), f"{status // 100}xx", ANY_STATUS):
            if key in ttls:
                return ttls[key]
        return None


# In front of a site: its CDN-Cache-Control counts (RFC 9213 section 3.1), and what browsers ask for does not.
FOR_REVERSE: Final = CachePolicy(targeted=(b"cdn-cache-control",))
# For clients: they say how old a response they take, and fields for the caches of sites do not count.
FOR_FORWARD: Final = CachePolicy(request_directives=True)
