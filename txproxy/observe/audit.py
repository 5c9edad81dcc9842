"""The audit log of a forward proxy: a line of JSON for each request, with what policy said of it and why.

``time`` (UTC), ``client``, ``user``, ``method``, ``host``, ``port``, ``url``, ``verdict`` (``allow`` or ``deny``; null
where the request was none that policy could be asked about), ``rule`` and ``list`` (by which), ``reason``, ``to``
(where it went), ``status``, ``outcome``, ``detail``, ``received`` and ``sent`` (bytes of bodies, or of the tunnel, from
the client and to it) and ``seconds``. Queries are left out of URLs, with ``?...`` in their place: programs have secrets
in them, and a log is read by many. Fields of a request are in no line.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from time import time
from typing import Any, Final

from twisted.logger import Logger

from txproxy.errors import ConfigError, DestinationProhibited
from txproxy.matching.hosts import normal_host
from txproxy.proxy.exchange import Exchange
from txproxy.wire.target import DEFAULT_PORTS, split_authority

_log = Logger()

_MODE: Final = 0o640  # who may read it learns what others do


class AuditLog:
    """Appends to a file, or writes to standard output (``-``). Each line is written at once and whole.

    The file is opened with the first line, or by :meth:`open`, whose ``ConfigError`` says why it cannot be.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1

    def open(self) -> None:
        """Make sure that it can be written."""
        if self._fd < 0:
            self._fd = self._open()

    def _open(self) -> int:
        if self.path == "-":
            return 1
        try:
            return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
        except OSError as fault:
            raise ConfigError(f"{self.path}: {fault.strerror}; accepted is a file that can be written, or -") from None

    def reopen(self) -> None:
        """After the file was moved away: begin a new one. If that cannot be, the old one is kept."""
        try:
            opened = self._open()
        except ConfigError as fault:
            _log.error("{fault}; the lines go on to the file from before", fault=fault)
            return
        self.close()
        self._fd = opened

    def close(self) -> None:
        """No more lines, until there is another one."""
        if self._fd > 1:
            os.close(self._fd)
        self._fd = -1

    def exchange(self, exchange: Exchange) -> None:
        """One finished exchange."""
        line = json.dumps(entry(exchange, time()), ensure_ascii=True, separators=(",", ":")) + "\n"
        try:
            self.open()
            os.write(self._fd, line.encode("ascii"))
        except (OSError, ConfigError) as fault:
            # A full disk must not stop the traffic.
            _log.error("the audit log cannot be written: {fault}", fault=fault)


def entry(exchange: Exchange, now: float) -> dict[str, Any]:
    """What a line says of an exchange that has ended ``now``, in seconds since 1970."""
    request, client, plan = exchange.request, exchange.client, exchange.plan
    host, port = _place(request.scheme, request.authority)
    verdict, rule, list_name, reason = _verdict(exchange)
    return {
        "time": datetime.fromtimestamp(now, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "client": client.client_ip,
        "user": client.user,
        "method": request.method.decode("latin-1"),
        "host": host,
        "port": port,
        "url": _url(request.scheme, request.authority, request.path),
        "verdict": verdict,
        "rule": rule,
        "list": list_name,
        "reason": reason,
        "to": str(plan.address) if plan is not None else None,
        "status": exchange.status,
        "outcome": exchange.outcome,
        "detail": exchange.detail,
        "received": exchange.received,
        "sent": exchange.sent,
        "seconds": round(max(0.0, exchange.factory.seconds() - exchange.started), 3),
    }


def _verdict(exchange: Exchange) -> tuple[str | None, str | None, str | None, str | None]:
    if exchange.outcome == DestinationProhibited.error:
        # That is found out when it is dialled.
        return "deny", "allow_destinations", None, exchange.detail
    verdict = exchange.client.verdict
    if verdict is not None:
        return verdict.outcome.value, verdict.rule or None, verdict.list_name or None, verdict.reason or None
    return ("allow" if exchange.plan is not None else None), None, None, None


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
