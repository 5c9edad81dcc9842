"""Request head to origin, or a refusal."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from txproxy.errors import LoopDetected, RequestDenied, RequestError
from txproxy.forward.access import CONNECT_PORTS, REQUEST_PORTS, HostPatterns, Networks, Ports
from txproxy.forward.destinations import Destinations, GuardedDialer
from txproxy.forward.no_proxy import NoProxy
from txproxy.forward.pac import PATH as PAC_PATH
from txproxy.forward.pac import Pac
from txproxy.forward.parent_checks import ParentChecks
from txproxy.forward.parents import Parents
from txproxy.forward.policy import FORWARDED_FOR_MODES, ForwardPolicy, forwarded_for_mode
from txproxy.forward.to_parents import ToParents
from txproxy.interfaces import Address, Client, Decision, IMode, Plan, Refusal
from txproxy.proxy.factory import Observer, ProxyFactory
from txproxy.proxy.limits import Limits
from txproxy.tls.upstream import client_connections
from txproxy.wire.forwarding import CLIENT_FIELDS, HOP_BY_HOP, Via, connection_lines, end_to_end, new_mark
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead
from txproxy.wire.target import DEFAULT_PORTS, split_authority

__all__ = ["FORWARDED_FOR_MODES", "ForwardMode", "ForwardPolicy", "ForwardProxyFactory", "forwarded_for_mode"]

_DROP: Final = HOP_BY_HOP | {b"host"}
_ALLOW: Final = (b"Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, CONNECT",)


@implementer(IMode)
class ForwardMode:
    """Sends requests where their targets say."""

    def __init__(self, policy: ForwardPolicy) -> None:
        self.policy = policy
        self._clients = Networks(policy.allow_clients)
        self._request_ports = Ports(policy.allow_ports or REQUEST_PORTS)
        self._connect_ports = Ports(policy.allow_ports or CONNECT_PORTS)
        self._hosts = HostPatterns(policy.allow_hosts) if policy.allow_hosts is not None else None
        self._via = Via(policy.via.encode("ascii"), new_mark()) if policy.via is not None else None
        self._response_lines = (self._via.response_line,) if self._via is not None else ()
        self.destinations = Destinations(policy.allow_destinations)
        self._to_parents = _to_parents(policy, self.destinations, self._via)
        self._pac = Pac(NoProxy(policy.no_proxy)) if policy.pac else None
        self._drop = _DROP | CLIENT_FIELDS if policy.forwarded_for == "delete" else _DROP
        # The same request to the same origin meets the same Address object, and with it kept connections.
        self._address = lru_cache(maxsize=4096)(self._origin)

    def plan(self, head: RequestHead, client: Client) -> Decision:
        """See :class:`txproxy.interfaces.IMode`."""
        if client.client_ip not in self._clients:
            raise RequestDenied(f"{client.client_ip} may not use this proxy")
        via = self._via
        if via is not None and b"via" in head.headers.index and via.is_in(head.headers):
            raise LoopDetected("the request has been through this proxy before")
        method = head.method
        if method == b"CONNECT":
            plan = Plan(self._address(b"", head.authority), None)
            return plan if self._to_parents is None else self._to_parents.plan(plan, head, client)
        if head.scheme is None:
            if self._pac is not None and head.path.partition(b"?")[0] == PAC_PATH:
                return self._pac.answer(head, client)
            raise RequestError("a proxy wants a target in absolute form")
        if method == b"TRACE":
            return Refusal(405, "http_request_denied", "TRACE is not done here", _ALLOW)
        if b"max-forwards" in head.headers.index and method == b"OPTIONS":
            hops = _max_forwards(head)
            if hops == 0:
                return Refusal(200, lines=_ALLOW)
        address = self._address(head.scheme, head.authority)
        plan = Plan(address, self._head(head, client), self._response_lines)
        return plan if self._to_parents is None else self._to_parents.plan(plan, head, client)

    def _head(self, head: RequestHead, client: Client) -> RequestHead:
        told = client.notes
        if told is not None and told[0] is head.headers and told[1] == head.authority:
            headers: Headers = told[2]
        else:
            headers = self._fields(head, client)
            index = head.headers.index
            if b"upgrade" not in index and b"max-forwards" not in index:
                # A client whose fields are the same again is told of in the same words.
                client.notes = (head.headers, head.authority, headers)
        return RequestHead(head.method, head.path, headers, head.authority, None, head.body)

    def _fields(self, head: RequestHead, client: Client) -> Headers:
        index = head.headers.index
        # RFC 9112 3.2.2: Host is made from the target, whatever the client sent.
        lines = [b"Host: " + head.authority]
        lines += end_to_end(head.headers, self._drop)
        if self._via is not None:
            # Several Via lines are one list, in order (RFC 9110 5.3).
            lines.append(self._via.request_line)
        mode = self.policy.forwarded_for
        if mode == "on":
            lines.append(b"X-Forwarded-For: " + client.client_ip.encode("ascii"))
        elif mode == "off":
            lines.append(b"X-Forwarded-For: unknown")
        if b"connection" in index:
            lines += connection_lines(head)
        if b"max-forwards" in index and head.method == b"OPTIONS":
            lines = _one_hop_less(lines, _max_forwards(head))
        return Headers.from_lines(lines)

    def _origin(self, scheme: bytes, authority: bytes) -> Address:
        host, port = split_authority(authority)
        ports = self._request_ports if scheme else self._connect_ports
        port = port or DEFAULT_PORTS[scheme]
        if port not in ports:
            raise RequestDenied(f"port {port} is not allowed")
        if self._hosts is not None and host not in self._hosts:
            raise RequestDenied(f"{host} is not allowed")
        tls: IOpenSSLClientConnectionCreator | None = None
        if scheme in (b"https", b"wss"):
            try:
                tls = client_connections(host)
            except UnicodeError:
                raise RequestError("the target's host is no name that a certificate can have") from None
        name = host if tls is not None else ""
        return Address(host, port, tls=tls, server_name=name, bind=self.policy.bind)


def _to_parents(policy: ForwardPolicy, destinations: Destinations, via: Via | None) -> ToParents | None:
    parents = policy.parents
    if parents is None:
        if policy.choose_parent is None:
            return None
        parents = Parents()
    return ToParents(parents, NoProxy(policy.no_proxy), destinations, choose=policy.choose_parent, via=via)


def _max_forwards(head: RequestHead) -> int:
    value = head.headers.index[b"max-forwards"]
    if not value.isdigit() or len(value) > 9:
        raise RequestError("Max-Forwards is not a number")
    return int(value)


def _one_hop_less(lines: list[bytes], hops: int) -> list[bytes]:
    # RFC 9110 7.6.2
    others = [line for line in lines if not line.lower().startswith(b"max-forwards:")]
    return [*others, b"Max-Forwards: %d" % (hops - 1)]


class ForwardProxyFactory(ProxyFactory):
    """Protocols of a forward proxy: ``endpoint.listen(ForwardProxyFactory(ForwardPolicy(...)))``."""

    def __init__(
        self,
        policy: ForwardPolicy | None = None,
        *,
        limits: Limits | None = None,
        observers: tuple[Observer, ...] = (),
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor  # the embedding program's
        policy = policy or ForwardPolicy()
        limits = limits or Limits()
        mode = ForwardMode(policy)
        super().__init__(
            mode,
            limits=limits,
            dialer=GuardedDialer(reactor, mode.destinations, limits.connect_timeout),
            observers=observers,
            name=policy.via or "txproxy",
            reactor=reactor,
        )
        self._parents = policy.parents
        self._checks: ParentChecks | None = None
        if self._parents is not None:
            self._parents.use_clock(reactor)

    def begin(self) -> None:
        """Look after the parents."""
        parents = self._parents
        if parents is not None and parents.check_interval is not None:
            self._checks = ParentChecks(
                parents, parents.check_interval, self.reactor, lambda address, build: self.dialer.dial(address, build)
            )

    def end(self) -> None:
        """No longer."""
        checks, self._checks = self._checks, None
        if checks is not None:
            checks.stop()
