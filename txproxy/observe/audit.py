"""The audit log: a line of JSON for each request or raw stream, with what policy said of it and why.

``time`` (UTC), ``client``, ``user``, ``method``, ``host``, ``port``, ``url``, ``verdict`` (``allow`` or ``deny``; null
where the request was none that policy could be asked about), ``rule`` and ``list`` (by which; a route is a rule),
``reason``, ``to`` (where it went), ``status``, ``outcome``, ``detail``, ``received`` and ``sent`` (bytes of bodies, or
of the tunnel, from the client and to it) and ``seconds``. Queries are left out of URLs, with ``?...`` in their place:
programs have secrets in them, and a log is read by many. Fields of a request are in no line. A raw stream has no
method, URL and status; its host is the server name that it was found by.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from time import time
from typing import Any

from twisted.logger import Logger

from txproxy.errors import ConfigError, DestinationProhibited
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.record import ExchangeRecord, FinishedStream
from txproxy.matching.hosts import normal_host
from txproxy.observe.log_file import LogFile
from txproxy.wire.target import DEFAULT_PORTS, split_authority

_log = Logger()


class AuditLog:
    """Appends to a file, or writes to standard output (``-``). Lines that had to be dropped are counted in one of their
    own: ``time`` and ``dropped``.

    The file is opened with the first line, or by :meth:`open`, whose ``ConfigError`` says why it cannot be. It may be
    that of several proxies: each opens and closes it, and the last one ends it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.file: LogFile | None = None
        self._users = 0

    def open(self) -> None:
        """Make sure that it can be written."""
        self._opened()
        self._users += 1

    def _opened(self) -> LogFile:
        if self.file is None or self.file.closed:
            self.file = LogFile(self.path, counted=_dropped)
        return self.file

    def reopen(self) -> None:
        """After the file was moved away: begin a new one. If that cannot be, the old one is kept."""
        if self.file is not None:
            self.file.reopen()

    def close(self) -> None:
        """No more lines of whoever has opened it, until there is another one."""
        self._users = max(0, self._users - 1)
        if self.file is not None and not self._users:
            self.file.close()

    def exchange(self, record: ExchangeRecord) -> None:
        """One finished exchange."""
        self._write(entry(record, time()))

    def stream(self, stream: FinishedStream) -> None:
        """One raw stream that has ended."""
        self._write(stream_entry(stream, time()))

    def _write(self, said: dict[str, Any]) -> None:
        line = json.dumps(said, ensure_ascii=True, separators=(",", ":")) + "\n"
        try:
            file = self._opened()
        except ConfigError as fault:
            # That must not stop the traffic.
            _log.error("the audit log cannot be written: {fault}", fault=fault)
            return
        file.write(line.encode("ascii"))


def _dropped(count: int) -> bytes:
    return b'{"time":"%b","dropped":%d}\n' % (_time(time()).encode("ascii"), count)


def _time(now: float) -> str:
    return datetime.fromtimestamp(now, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entry(record: ExchangeRecord, now: float) -> dict[str, Any]:
    """What a line says of an exchange that has ended ``now``, in seconds since 1970."""
    request, context = record.request, record.context
    scheme = request.scheme
    if scheme is None and _was_for_others(record) and request.method != b"CONNECT":
        # A server is asked for a path; how it was asked for is known all the same.
        scheme = context.scheme.encode("ascii")
    host, port = _place(scheme, request.authority)
    verdict, rule, list_name, reason = _verdict(record)
    return {
        "time": _time(now),
        "client": context.client_ip,
        "user": context.user,
        "method": request.method.decode("latin-1") or None,
        "host": host,
        "port": port,
        "url": _url(scheme, request.authority, request.path),
        "verdict": verdict,
        "rule": rule,
        "list": list_name,
        "reason": reason,
        "to": str(record.address) if record.address is not None else None,
        "status": record.status,
        "outcome": record.outcome,
        "detail": record.detail,
        "received": record.received,
        "sent": record.sent,
        "seconds": round(max(0.0, record.seconds), 3),
        "cache": context.cache.word if context.cache is not None else None,
        "cache_detail": (context.cache.why or None) if context.cache is not None else None,
        **_limited(context),
    }


def _verdict(record: ExchangeRecord) -> tuple[str | None, str | None, str | None, str | None]:
    if record.outcome == DestinationProhibited.error:
        # That is found out when it is dialled.
        return "deny", "allow_destinations", None, record.detail
    return _said(record.context, _was_for_others(record))


def _was_for_others(record: ExchangeRecord) -> bool:
    """Whether it was to go to a server, or a cache has answered in the place of one."""
    return bool(record.attempts) or record.context.cache is not None


def _said(context: RequestContext, planned: bool) -> tuple[str | None, str | None, str | None, str | None]:
    verdict = context.verdict
    if verdict is not None:
        return verdict.outcome.value, verdict.rule or None, verdict.list_name or None, verdict.reason or None
    return ("allow" if planned else None), context.rule or None, None, None


def stream_entry(stream: FinishedStream, now: float) -> dict[str, Any]:
    """What a line says of a raw stream that has ended ``now``, in seconds since 1970."""
    verdict, rule, list_name, reason = _said(stream.context, stream.upstream is not None)
    return {
        "time": _time(now),
        "client": stream.client_ip,
        "user": None,
        "method": None,
        "host": stream.server_name,
        "port": None,
        "url": None,
        "verdict": verdict,
        "rule": rule,
        "list": list_name,
        "reason": reason,
        "to": str(stream.upstream) if stream.upstream is not None else None,
        "status": None,
        "outcome": stream.outcome,
        "detail": stream.detail,
        "received": stream.received,
        "sent": stream.sent,
        "seconds": round(max(0.0, stream.seconds), 3),
        "cache": None,
        "cache_detail": None,
        **_limited(stream.context),
    }


def _limited(context: RequestContext) -> dict[str, str | None]:
    hit = context.limit
    return {"limit": hit.name if hit is not None else None, "limited": hit.outcome if hit is not None else None}


def _place(scheme: bytes | None, authority: bytes) -> tuple[str | None, int | None]:
    try:
        host, port = split_authority(authority)
    except ValueError:
        return None, None
    return normal_host(host), port or DEFAULT_PORTS.get(scheme or b"")


def _url(scheme: bytes | None, authority: bytes, path: bytes) -> str:
    page, mark, _ = path.partition(b"?")
    text = authority + page if scheme is None else b"%b://%b%b" % (scheme, authority, page)
    return text.decode("latin-1") + ("?..." if mark else "")
