"""Active health checks: the upstreams of a pool are asked regularly whether they are well.

What is asked is a :class:`HealthCheck`; :class:`Checks` asks it of each upstream, on a connection of its own each time:
whether a new client would be served is what counts, and a kept connection cannot tell.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from random import Random
from typing import Any, Final

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from txproxy.errors import ConfigError
from txproxy.upstreams.health.probe import Checked, Dial, Probe
from txproxy.wire import grammar
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead
from txproxy.wire.target import written_authority

_log = Logger()

_USER_AGENT: Final = b"txproxy-health-check"
# Intervals differ by so much of themselves, so that many proxies and upstreams do not fall into step.
_JITTER: Final = 0.1
# All upstreams have had their first check after so many seconds, or one interval.
_FIRST: Final = 1.0
_DAY: Final = 86400.0


# -- what is asked


@attrs.frozen
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
    return ConfigError(f"health check: {name} cannot be {shown!r}; accepted is {accepted}")


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
    if value not in ("http", "connect"):
        raise _wrong(field.name, value, "http or connect")


def _check_path(_check: HealthCheck, field: attrs.Attribute[bytes], value: bytes) -> None:
    if (
        not isinstance(value, bytes)
        or not value.startswith(b"/")
        or not grammar.REQUEST_LINE.fullmatch(b"GET %b HTTP/1.1" % value)
    ):
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


def _check_content(check: HealthCheck, field: attrs.Attribute[Any], value: bytes | re.Pattern[bytes] | None) -> None:
    if value is None:
        return
    if not isinstance(value.pattern if isinstance(value, re.Pattern) else value, bytes):
        raise _wrong(field.name, value, "bytes, or a regular expression of bytes")
    if not value or check.kind == "connect" or check.method == b"HEAD":
        raise _wrong(
            field.name, value, "text to be found in the answer of a check of kind http, by a method other than HEAD"
        )


@attrs.frozen(kw_only=True)
class HealthCheck:
    """What upstreams are asked, and how often. A wrong value is a ``ConfigError``.

    ``kind`` is ``"http"``, or ``"connect"``: to take the connection is enough (the TLS handshake counts). ``method``,
    ``path`` and ``host`` (the Host field; None for the upstream's own name) are what is sent, ``expect`` the statuses
    that are well (see :meth:`Statuses.of`), ``body`` what has to be in the first 64 kB of the answer's body: bytes, or
    a compiled regular expression of bytes; None to look at no body. ``interval`` is from check to check and ``timeout``
    for a whole check, both in seconds. ``fall`` failures in a row make an upstream unhealthy, ``rise`` successes
    healthy.
    """

    kind: str = attrs.field(default="http", validator=_check_kind)
    path: bytes = attrs.field(default=b"/health", converter=_octets, validator=_check_path)
    method: bytes = attrs.field(default=b"GET", converter=_octets, validator=_check_method)
    interval: float = attrs.field(default=5.0, validator=_check_seconds)
    timeout: float = attrs.field(default=2.0, validator=_check_seconds)
    rise: int = attrs.field(default=2, validator=_check_count)
    fall: int = attrs.field(default=3, validator=_check_count)
    expect: Statuses = attrs.field(default=Statuses(((200, 399),)), converter=_statuses)
    body: bytes | re.Pattern[bytes] | None = attrs.field(default=None, converter=_content, validator=_check_content)
    host: bytes | None = attrs.field(default=None, converter=_octets_or_none, validator=_check_host)

    def request(self, authority: bytes) -> RequestHead:
        """The request for an upstream of this name."""
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


# -- who is asked, and when


class _Watch:
    """The checks of one upstream: one at a time, and what has come of them."""

    def __init__(self, checks: Checks, upstream: Checked) -> None:
        self._checks = checks
        self._upstream = upstream
        self._timer: IDelayedCall | None = None
        self._probe: Probe | None = None
        self._began = 0.0
        self._last = True
        self._streak = 0
        # when the last of those that went well in a row have begun, as many as make an upstream healthy
        self._well: deque[float] = deque(maxlen=checks.check.rise)
        # What the upstream was told last. It begins healthy; that is confirmed once, for one that other checks, before
        # these, have left unhealthy.
        self._told: bool | None = None

    def begin(self) -> None:
        """Check soon, and again and again."""
        checks = self._checks
        wait = checks.random.uniform(0, min(checks.check.interval, _FIRST))
        self._timer = checks.clock.callLater(wait, self._ask)

    def end(self) -> None:
        """Check no more; a check under way is dropped."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self._drop()

    def _drop(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.abandon()

    def _ask(self) -> None:
        self._timer = None
        # The one before has given its verdict, but its connection may not be gone.
        self._drop()
        checks = self._checks
        self._began = checks.clock.seconds()
        self._probe = probe = Probe(
            checks.check, self._upstream, checks.clock, checks.preface, self._verdict, checks.tolerate
        )
        probe.start(checks.dial)

    def _verdict(self, cause: str) -> None:
        checks = self._checks
        pause = checks.check.interval * checks.random.uniform(1 - _JITTER, 1 + _JITTER)
        left = self._began + pause - checks.clock.seconds()
        # Before the upstream is told: it may want to be forgotten.
        self._timer = checks.clock.callLater(max(0.0, left), self._ask)
        ok = not cause
        self._streak = self._streak + 1 if ok is self._last else 1
        self._last = ok
        if ok:
            self._well.append(self._began)
        else:
            self._well.clear()
        if ok is not self._told and self._streak >= (checks.check.rise if ok else checks.check.fall):
            self._change(ok, cause)
        if len(self._well) == checks.check.rise and self._upstream.passed(self._well[0]):
            _log.info(
                "{upstream} of {pool} is ejected no more, as its checks go well",
                upstream=self._upstream.name,
                pool=checks.name,
            )

    def _change(self, ok: bool, cause: str) -> None:
        before, self._told = self._told, ok
        names = {"upstream": self._upstream.name, "pool": self._checks.name}
        if not ok:
            _log.warn("{upstream} of {pool} is unhealthy: {cause}", cause=cause, **names)
        elif before is False:
            _log.info("{upstream} of {pool} is healthy again", **names)
        self._upstream.checked(ok, cause)


class Checks:
    """Checks the upstreams of a pool, each on its own.

    ``dial`` makes connections (see :class:`txproxy.interfaces.IDialer`), ``random`` spreads the checks, ``name`` is the
    pool's, for the log. ``preface`` is what each connection begins with, TLS included: a header of the PROXY protocol
    that speaks for nobody (UNKNOWN, LOCAL), where the pool's upstreams expect one. ``tolerate`` is what
    they may do wrong.

    An upstream is taken to be healthy until checks fail. After ``fall`` failures in a row its ``checked(False, cause)``
    is called, after ``rise`` successes ``checked(True, "")``: once for each change. As long as checks go well it is
    told so by ``passed``.
    """

    def __init__(
        self,
        check: HealthCheck,
        clock: IReactorTime,
        dial: Dial,
        random: Random | None = None,
        *,
        name: str = "the pool",
        preface: bytes = b"",
        tolerate: frozenset[str] = frozenset(),
    ) -> None:
        self.check = check
        self.clock = clock
        self.dial = dial
        self.random = random or Random()
        self.name = name
        self.preface = preface
        self.tolerate = tolerate
        self._watches: dict[Checked, _Watch] = {}
        self._running = False

    def start(self) -> None:
        """Begin with those that are watched."""
        if not self._running:
            self._running = True
            for watch in self._watches.values():
                watch.begin()

    def stop(self) -> None:
        """Check nobody, and leave no timer and no connection behind. What was found out stays, for another start."""
        if self._running:
            self._running = False
            for watch in self._watches.values():
                watch.end()

    def watch(self, upstream: Checked) -> None:
        """Check ``upstream`` as well."""
        if upstream not in self._watches:
            self._watches[upstream] = watch = _Watch(self, upstream)
            if self._running:
                watch.begin()

    def forget(self, upstream: Checked) -> None:
        """Check ``upstream`` no more."""
        watch = self._watches.pop(upstream, None)
        if watch is not None and self._running:
            watch.end()
