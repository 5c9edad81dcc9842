"""Where a request wants to go, in one spelling, and whether that may be at all: ports and hosts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import attrs

from txproxy.errors import ConfigError, RequestError
from txproxy.forward.access.client_access import CONNECT_PORTS, REQUEST_PORTS
from txproxy.forward.access.refusals import Blocked, denied
from txproxy.interfaces.address import Address
from txproxy.interfaces.context import RequestContext
from txproxy.matching.hosts import HostPatterns, is_literal, literal, normal_host, spellings
from txproxy.matching.ports import Ports
from txproxy.plain_values import PlainValue
from txproxy.tls.verification import client_connections
from txproxy.wire.message import RequestHead
from txproxy.wire.target import DEFAULT_PORTS, split_authority

_NAME: Final = re.compile(r"[a-z0-9_.-]+")


class Target:
    """A place that requests go to. ``host`` is in normal form (see :func:`~txproxy.forward.request.facts.normal_host`),
    and so is what Host says of it: judged, dialled and asked for are one.
    """

    __slots__ = ("scheme", "host", "port", "authority", "address")

    def __init__(self, scheme: bytes, host: str, port: int, address: Address) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.address = address
        name = f"[{host}]" if ":" in host else host
        usual = scheme and DEFAULT_PORTS[scheme] == port
        self.authority = (name if usual else f"{name}:{port}").encode("ascii")

    @property
    def url(self) -> str:
        """As a client that is refused knows it: without a path."""
        text = self.authority.decode("ascii")
        return f"{self.scheme.decode('ascii')}://{text}/" if self.scheme else text


def bind_address(text: str) -> str:
    """The address to connect from that ``text`` is; else ``ConfigError``."""
    try:
        return literal(text)
    except ConfigError:
        raise ConfigError(
            f"{text!r} is no address to connect from", "accepted is one of this host, such as 192.0.2.1"
        ) from None


def _texts(values: Iterable[str] | str) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


@attrs.frozen(kw_only=True)
class Bind(PlainValue):
    """Connect from ``address``, to ``hosts`` (patterns; None for all), for requests that one of ``rules`` allows (by
    their names; empty for all).
    """

    address: str = attrs.field(converter=bind_address)
    hosts: tuple[str, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(_texts))
    rules: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    patterns: HostPatterns | None = attrs.field(init=False, eq=False, repr=False)

    @patterns.default
    def _make_patterns(self) -> HostPatterns | None:
        return HostPatterns(self.hosts) if self.hosts is not None else None

    def is_for(self, host: str, rule: str) -> bool:
        """Whether it is for a request to ``host`` (in normal form) that ``rule`` has allowed."""
        return (self.patterns is None or host in self.patterns) and (not self.rules or rule in self.rules)


class Targets:
    """Finds the target of a request by its scheme (empty for a tunnel) and authority: ``find`` one that is allowed,
    ``named`` any.

    ``ports`` is for requests and tunnels alike; None stands for the usual ones of each. ``allow`` and ``deny`` are
    host patterns; None allows all, and what is denied is denied. ``bind`` is the address to connect from, but where one
    of ``binds`` says another.
    """

    def __init__(
        self,
        ports: Sequence[str] | None = None,
        allow: Sequence[str] | None = None,
        deny: Sequence[str] = (),
        bind: str = "",
        binds: Sequence[Bind] = (),
    ) -> None:
        self._request_ports = Ports(ports or REQUEST_PORTS)
        self._connect_ports = Ports(ports or CONNECT_PORTS)
        self._allowed = HostPatterns(allow) if allow is not None else None
        self._denied = HostPatterns(deny)
        self._bind = bind
        self._binds = tuple(binds)
        # The same request to the same origin meets the same Address object, and with it kept connections.
        self.find = lru_cache(maxsize=4096)(self._find)
        self.named = lru_cache(maxsize=4096)(self._named)
        self._other_address = lru_cache(maxsize=4096)(self._make_other)
        self._by_rule = any(one.rules for one in self._binds)

    def of(self, head: RequestHead, context: RequestContext) -> Target:
        """The target of a request."""
        try:
            return self.find(head.scheme or b"", head.authority)
        except Blocked as fault:
            context.verdict = fault.verdict
            raise

    def address(self, target: Target, rule: str, dial: str, pinned: tuple[str, ...]) -> Address:
        """Where to connect to for a request that ``rule`` has allowed: the target's own address, or ``dial`` in its
        place, at the addresses that are ``pinned``, if any are.
        """
        if not dial and not pinned and not self._by_rule:
            return target.address
        return self._other_address(target, rule, dial, pinned)

    def _make_other(self, target: Target, rule: str, dial: str, pinned: tuple[str, ...]) -> Address:
        bind = self._bind_for(target.host, rule)
        return attrs.evolve(target.address, host=dial or target.host, pinned=pinned, bind=bind)

    def _bind_for(self, host: str, rule: str) -> str:
        return next((one.address for one in self._binds if one.is_for(host, rule)), self._bind)

    def _find(self, scheme: bytes, authority: bytes) -> Target:
        target = self.named(scheme, authority)
        self._check(target)
        return target

    def _named(self, scheme: bytes, authority: bytes) -> Target:
        given, port = split_authority(authority)
        host = normal_host(given)
        if _NAME.fullmatch(host) is None and not is_literal(host):
            # What an escape hid, a line end too.
            raise RequestError("the target's host is no name that DNS can have")
        return Target(scheme, host, port or DEFAULT_PORTS[scheme], self._address(scheme, host, port))

    def _address(self, scheme: bytes, host: str, port: int | None) -> Address:
        if scheme not in (b"https", b"wss"):
            return Address(host, port or DEFAULT_PORTS[scheme], bind=self._bind_for(host, ""))
        try:
            tls = client_connections(host)
        except UnicodeError:
            raise RequestError("the target's host is no name that a certificate can have") from None
        bind = self._bind_for(host, "")
        return Address(host, port or DEFAULT_PORTS[scheme], tls=tls, server_name=host, bind=bind)

    def _check(self, target: Target) -> None:
        host, port = target.host, target.port
        ports = self._request_ports if target.scheme else self._connect_ports
        if port not in ports:
            kind = "requests" if target.scheme else "tunnels"
            raise Blocked(denied(f"port {port} is not allowed for {kind}", "allow_ports"), target.url)
        if host in self._denied or (":" in host and any(one in self._denied for one in spellings(host))):
            raise Blocked(denied(f"{host} is not allowed", "deny_hosts"), target.url)
        if self._allowed is not None and host not in self._allowed:
            raise Blocked(denied(f"{host} is not among the allowed hosts", "allow_hosts"), target.url)
