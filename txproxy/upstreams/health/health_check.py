"""What the upstreams of a pool are asked, to find out whether they are well."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import attrs

from txproxy.components.settings import setting
from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.upstreams.health.grpc_check import call
from txproxy.wire import grammar
from txproxy.wire.grpc.health_messages import question
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead
from txproxy.wire.target import is_origin_form, written_authority

_USER_AGENT: Final = b"txproxy-health-check"
_DAY: Final = 86400.0
KINDS: Final = ("http", "grpc", "connect")
# Names of services are of packages and words of protocol buffers; a server may have others.
_SERVICE: Final = re.compile(rb"[!-~]{0,255}")


@frozen
class Statuses:
    """A set of statuses, as inclusive ``ranges``."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, value: Statuses | str | int | Iterable[str | int]) -> Statuses:
        """From a status (``204``), a range (``"200-299"``), or several (``"200-299, 401"``, ``[204, "300-399"]``); else
        ``ConfigError``.
        """
        if isinstance(value, Statuses):
            return value
        if isinstance(value, str):
            items: Iterable[object] = value.split(",")
        elif isinstance(value, Iterable):
            items = value
        else:
            items = (value,)
        ranges = tuple(_status_range(item) for item in items)
        if not ranges:
            raise _wrong("expect", value, "at least one status")
        return cls(ranges)

    def __contains__(self, status: int) -> bool:
        return any(first <= status <= last for first, last in self.ranges)

    def __str__(self) -> str:
        return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in self.ranges)


def _statuses(value: Statuses | str | int | Iterable[str | int]) -> Statuses:
    return Statuses.of(value)


def _wrong(name: str, value: object, accepted: str) -> ConfigError:
    shown = value.pattern if isinstance(value, re.Pattern) else value
    if isinstance(shown, bytes):
        shown = shown.decode("ascii", "backslashreplace")
    return ConfigError(f"cannot be {shown!r}", f"accepted is {accepted}", (name,), f"health check: {name}")


def _status_range(item: object) -> tuple[int, int]:
    match = re.fullmatch(r"\s*([2-5][0-9]{2})(?:\s*-\s*([2-5][0-9]{2}))?\s*", str(item), re.ASCII)
    first, last = (int(match[1]), int(match[2] or match[1])) if match is not None else (1, 0)
    if first > last:
        raise _wrong("expect", item, "a status from 200 to 599, a range such as 200-299, or a list of these")
    return first, last


def _octets(value: bytes | str) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


def _octets_or_none(value: bytes | str | None) -> bytes | None:
    return None if value is None else _octets(value)


def _content(value: bytes | str | re.Pattern[bytes] | None) -> bytes | re.Pattern[bytes] | None:
    return _octets(value) if isinstance(value, str) else value


def _check_kind(_check: HealthCheck, field: attrs.Attribute[str], value: str) -> None:
    if value not in KINDS:
        raise _wrong(field.name, value, "http, grpc or connect")


def _check_path(_check: HealthCheck, field: attrs.Attribute[bytes], value: bytes) -> None:
    if not isinstance(value, bytes) or not is_origin_form(value):
        raise _wrong(field.name, value, "a path that begins with /, without spaces or #, such as /health")


def _check_method(_check: HealthCheck, field: attrs.Attribute[bytes], value: bytes) -> None:
    if not isinstance(value, bytes) or not grammar.TOKEN.fullmatch(value) or value == b"CONNECT":
        raise _wrong(field.name, value, "an HTTP method other than CONNECT, such as GET")


def _check_seconds(_check: HealthCheck, field: attrs.Attribute[float], value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _DAY:
        raise _wrong(field.name, value, f"more than 0 and at most {_DAY:g} seconds")


def _check_count(_check: HealthCheck, field: attrs.Attribute[int], value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        raise _wrong(field.name, value, "1 to 1000")


def _check_host(_check: HealthCheck, field: attrs.Attribute[bytes | None], value: bytes | None) -> None:
    if value is not None:
        try:
            written_authority(value if isinstance(value, bytes) else b"")
        except ValueError:
            raise _wrong(field.name, value, "a host, with :PORT if need be") from None


def _check_service(check: HealthCheck, field: attrs.Attribute[bytes], value: bytes) -> None:
    if not isinstance(value, bytes) or not _SERVICE.fullmatch(value) or (value and check.kind != "grpc"):
        raise _wrong(field.name, value, "the name of a service, for a check of kind grpc")


def _check_content(check: HealthCheck, field: attrs.Attribute[Any], value: bytes | re.Pattern[bytes] | None) -> None:
    if value is None:
        return
    if not isinstance(value.pattern if isinstance(value, re.Pattern) else value, bytes):
        raise _wrong(field.name, value, "bytes, or a regular expression of bytes")
    if not value or check.kind != "http" or check.method == b"HEAD":
        raise _wrong(
            field.name, value, "text to be found in the answer of a check of kind http, by a method other than HEAD"
        )


@frozen(kw_only=True)
class HealthCheck:
    """What upstreams are asked, and how often. A wrong value is a ``ConfigError``.

    ``kind`` is ``"http"``, ``"connect"``: to take the connection is enough (the TLS handshake counts), or ``"grpc"``:
    a call of ``grpc.health.v1`` over HTTP/2, which asks for ``service``, or for the whole server. ``method``,
    ``path`` and ``host`` (the Host field; None for the upstream's own name) are what is sent, ``expect`` the statuses
    that are well (see :meth:`Statuses.of`), ``body`` what has to be in the first 64 kB of the answer's body: bytes, or
    a compiled regular expression of bytes; None to look at no body. ``interval`` is from check to check and ``timeout``
    for a whole check, both in seconds. ``fall`` failures in a row make an upstream unhealthy, ``rise`` successes
    healthy.
    """

    kind: str = attrs.field(default="http", validator=_check_kind)
    path: bytes = attrs.field(default=b"/health", converter=_octets, validator=_check_path)
    method: bytes = attrs.field(default=b"GET", converter=_octets, validator=_check_method)
    interval: float = setting(
        "duration", 5.0, "time from check to check", option="health-interval", validator=_check_seconds
    )
    timeout: float = setting("duration", 2.0, "for a whole check", option="health-timeout", validator=_check_seconds)
    rise: int = setting(
        "checks",
        2,
        "so many good checks in a row make an upstream healthy",
        option="health-rise",
        validator=_check_count,
    )
    fall: int = setting(
        "checks", 3, "so many failed checks in a row make it unhealthy", option="health-fall", validator=_check_count
    )
    expect: Statuses = attrs.field(default=Statuses(((200, 399),)), converter=_statuses)
    body: bytes | re.Pattern[bytes] | None = attrs.field(default=None, converter=_content, validator=_check_content)
    host: bytes | None = attrs.field(default=None, converter=_octets_or_none, validator=_check_host)
    service: bytes = attrs.field(default=b"", converter=_octets, validator=_check_service)

    def body_to_send(self) -> bytes:
        """What is sent with it."""
        return question(self.service) if self.kind == "grpc" else b""

    def request(self, authority: bytes) -> RequestHead:
        """The request for an upstream of this name."""
        if self.kind == "grpc":
            return call(self.host or authority, _USER_AGENT)
        lines = [
            b"Host: " + (self.host or authority),
            b"User-Agent: " + _USER_AGENT,
            b"Accept: */*",
            b"Connection: close",
        ]
        if self.method in (b"POST", b"PUT", b"PATCH"):
            # RFC 9110 8.6: methods that mean a body say so when there is none.
            lines.append(b"Content-Length: 0")
        return RequestHead(self.method, self.path, Headers.from_lines(lines), authority=authority, keep_alive=False)
