"""Protocols of a forward proxy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from OpenSSL import SSL
from twisted.logger import Logger

from txproxy.errors import ConfigError
from txproxy.forward.access.destinations import GuardedDialer
from txproxy.forward.mode import ForwardMode
from txproxy.forward.parents.parent_checks import ParentChecks
from txproxy.forward.parents.selection import Parents
from txproxy.forward.policy import ForwardPolicy
from txproxy.forward.policy_parts import PolicyParts
from txproxy.interfaces.context import RequestContext
from txproxy.net.dns.resolver import Resolver
from txproxy.proxy.downstream.negotiate import HTTP, SOCKS5, Beginning, Speaking, http_kind, protocol_class, spoken
from txproxy.proxy.factory import ProxyFactory
from txproxy.proxy.limits import Limits
from txproxy.proxy.services import Observer

_log = Logger()


class ForwardProxyFactory(ProxyFactory):
    """Protocols of a forward proxy: ``endpoint.listen(ForwardProxyFactory(ForwardPolicy(...)))``.

    ``protocols``: what clients may speak, ``http`` and ``socks5``; the first byte tells. With ``https`` beside them and
    a ``tls_context`` (or a function that gives one), TLS is known by its first byte as well, and either may be spoken
    inside it. :meth:`speaking` is for listeners with a protocol of their own. ``resolver`` may be shared with others.
    ``parts`` are the live objects of the policy, where some are there already. For ``http2`` and ``h2c`` see
    :class:`txproxy.ProxyFactory`.
    """

    proxied = True

    def __init__(
        self,
        policy: ForwardPolicy | None = None,
        *,
        limits: Limits | None = None,
        tolerate: Iterable[str] = (),
        observers: tuple[Observer, ...] = (),
        protocols: Collection[str] = (HTTP, SOCKS5),
        tls_context: SSL.Context | Callable[[], SSL.Context] | None = None,
        resolver: Resolver | None = None,
        middleware: Iterable[Any] = (),
        http2: bool = False,
        h2c: bool = False,
        reactor: Any = None,
        parts: PolicyParts | None = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor  # the embedding program's
        policy = policy or ForwardPolicy()
        limits = limits or Limits()
        resolver = resolver or Resolver(reactor)
        mode = ForwardMode(policy, reactor, limits.connect_timeout, resolver, parts)
        mode.approvals.ipv6_prefix = limits.ipv6_prefix
        try:
            super().__init__(
                mode,
                limits=limits,
                tolerate=tolerate,
                dialer=GuardedDialer(reactor, mode.destinations, limits.connect_timeout, resolver),
                observers=observers,
                name=policy.via or "txproxy",
                resolver=resolver,
                middleware=middleware,
                audit=policy.audit,
                http2=http2,
                h2c=h2c,
                reactor=reactor,
            )
        except ConfigError:
            mode.close()
            raise
        mode.attach(self.services)
        self.forward = mode
        self._watch = mode.parts.watch(reactor)
        self.protocols = spoken(protocols, tls_context)
        self.tls_context = tls_context
        self._kind = protocol_class(self.protocols)
        self.login = _login_of(mode)
        self._parents = _parents_of(mode, reactor)
        self._checks: ParentChecks | None = None

    def build(self, addr: Any, scheme: str) -> Beginning | None:
        """A protocol for a client that may speak any of the protocols, inside TLS if the ``scheme`` is ``https``."""
        kind = self._kind if self.protocols != {HTTP} else http_kind(self, scheme)
        return self.build_as(kind, addr, scheme)

    def speaking(self, protocol: str) -> Speaking:
        """For a listener that speaks one ``protocol`` alone: ``http`` or ``socks5``."""
        return Speaking(self, protocol)

    def begin(self) -> None:
        """Look after the parents, and after files that may change."""
        self._watch.start()
        for warning in self.forward.warnings:
            _log.warn("{warning}", warning=warning)
        parents = self._parents
        if parents is not None and parents.check_interval is not None:
            self._checks = ParentChecks(
                parents,
                parents.check_interval,
                self.services.reactor,
                lambda address, build: self.services.dialer.dial(address, build),
            )

    def end(self) -> None:
        """No longer."""
        self._watch.stop()
        checks, self._checks = self._checks, None
        if checks is not None:
            checks.stop()

    def stop(self) -> None:
        """Close all that is open, at once."""
        super().stop()
        self.forward.close()


def _login_of(mode: ForwardMode) -> Callable[[bytes, bytes, RequestContext], Any] | None:
    users = mode.authenticator
    return users.check_login if users is not None and users.takes_passwords else None


def _parents_of(mode: ForwardMode, clock: Any) -> Parents | None:
    if mode.parents is not None:
        mode.parents.use_clock(clock)
    return mode.parents
