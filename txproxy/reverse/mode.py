"""Request head to an upstream of a pool."""

from __future__ import annotations

from typing import Any, Final

from zope.interface import implementer

from txproxy.errors import ConfigError, ConnectTimeout, ExchangeError, LoopDetected, UpstreamUnavailable
from txproxy.interfaces import Client, Decision, IMode, Plan, Refusal
from txproxy.proxy.factory import Observer, ProxyFactory
from txproxy.proxy.limits import Limits
from txproxy.reverse.pool import Pool, Upstream
from txproxy.wire.forwarding import (
    CLIENT_FIELDS,
    HOP_BY_HOP,
    Via,
    connection_lines,
    end_to_end,
    new_mark,
    without_lookalikes,
)
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead
from txproxy.wire.target import split_authority

_DROP: Final = HOP_BY_HOP | CLIENT_FIELDS | {b"host"}
_ALLOW: Final = (b"Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH",)


def host_to_send(text: str) -> str:
    """``text`` if it can be a Host field, or is ``upstream``; else ``ConfigError``."""
    try:
        split_authority(text.encode("ascii"))
    except ValueError as fault:
        raise ConfigError(f"{text!r}: {fault}; accepted is HOST, HOST:PORT or upstream") from None
    return text


@implementer(IMode)
class ReverseMode:
    """Sends requests to a pool.

    ``host`` is what goes upstream as Host: None for the client's own, ``"upstream"`` for the upstream's name, else the
    host itself. ``via`` is the pseudonym in Via, or None.
    """

    def __init__(self, pool: Pool, *, host: str | None = None, via: str | None = "txproxy") -> None:
        self.pool = pool
        self._host = host_to_send(host).encode("ascii") if host is not None else None
        self._via = Via(via.encode("ascii"), new_mark()) if via is not None else None

    def plan(self, head: RequestHead, client: Client) -> Decision:
        """See :class:`txproxy.interfaces.IMode`."""
        method = head.method
        if method == b"CONNECT" or method == b"TRACE":
            return Refusal(405, "http_request_denied", f"{method.decode('ascii')} is not done here", _ALLOW)
        via = self._via
        if via is not None and b"via" in head.headers.index and via.is_in(head.headers):
            raise LoopDetected("the request has been through this proxy before")
        upstream = self.pool.choose()
        assert upstream is not None, "a pool is never empty"
        return Plan(upstream.address, self._head(head, client, upstream))

    def another(self, plan: Plan, error: ExchangeError) -> Plan | None:
        """See :class:`txproxy.interfaces.IMode`."""
        tried = (*plan.tried, plan.address)
        upstream = self.pool.choose(tried)
        if upstream is None:
            if isinstance(error, ConnectTimeout):
                return None
            raise UpstreamUnavailable(f"no upstream can be reached: {error.detail}", error=error.error)
        head = plan.head
        if head is not None and self._host == b"upstream":
            lines = [b"Host: " + upstream.authority, *head.headers.lines[1:]]
            head = RequestHead(
                head.method, head.path, Headers.from_lines(lines), authority=upstream.authority, body=head.body
            )
        return Plan(upstream.address, head, plan.response_lines, tried)

    def _head(self, head: RequestHead, client: Client, upstream: Upstream) -> RequestHead:
        headers = head.headers
        host = self._host
        if host is None:
            # HTTP/1.0 knows no Host; the upstream's own name is as good as any.
            host = head.authority or upstream.authority
        elif host == b"upstream":
            host = upstream.authority
        lines = [b"Host: " + host]
        lines += end_to_end(headers, _DROP)
        if b"_" in b"".join(headers.index):
            lines = without_lookalikes(lines, CLIENT_FIELDS)
        about = client.notes
        if about is None:
            about = client.notes = _about(client)
        lines += about
        if head.authority:
            lines.append(b"X-Forwarded-Host: " + head.authority)
        if self._via is not None:
            lines.append(self._via.request_line)
        if b"connection" in headers.index:
            lines += connection_lines(head)
        return RequestHead(head.method, head.path, Headers.from_lines(lines), authority=host, body=head.body)


def _about(client: Client) -> tuple[bytes, bytes, bytes]:
    ip = client.client_ip.encode("ascii")
    return (b"X-Forwarded-For: " + ip, b"X-Real-IP: " + ip, b"X-Forwarded-Proto: " + client.scheme.encode("ascii"))


class ReverseProxyFactory(ProxyFactory):
    """Protocols of a reverse proxy: ``endpoint.listen(ReverseProxyFactory(Pool([...])))``."""

    def __init__(
        self,
        pool: Pool,
        *,
        host: str | None = None,
        via: str | None = "txproxy",
        limits: Limits | None = None,
        observers: tuple[Observer, ...] = (),
        reactor: Any = None,
    ) -> None:
        super().__init__(
            ReverseMode(pool, host=host, via=via),
            limits=limits,
            observers=observers,
            name=via or "txproxy",
            reactor=reactor,
        )
