"""Configuration to running service: listen, drain, stop."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from OpenSSL import SSL
from twisted.application.service import Service
from twisted.internet import endpoints
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.config import Config, ForwardConfig, ReverseConfig, TlsConfig
from txproxy.errors import ConfigError
from txproxy.forward.mode import ForwardProxyFactory
from txproxy.observe.access_log import AccessLog
from txproxy.proxy.factory import ProxyFactory
from txproxy.proxy.proxy_protocol import ProxyProtocolFactory
from txproxy.proxy.transports import accepts_tcp, deepen_backlog, serve_tls
from txproxy.reverse.mode import ReverseProxyFactory
from txproxy.reverse.pool import Pool
from txproxy.stream.mode import StreamFactory, StreamObserver
from txproxy.tls.listener import ServerConnections, server_context
from txproxy.wire.networks import Networks

_log = Logger()

Factory: TypeAlias = "ProxyFactory | StreamFactory"


def make_service(config: Config, reactor: Any = None) -> ProxyService:
    """The service that the command line runs. ``reactor`` is the running program's if None.

    A file or value that is wrong is a ``ConfigError`` here; an address that cannot be listened on is one when the
    service starts.
    """
    if reactor is None:
        from twisted.internet import reactor  # the embedding program's
    if not config.listen and not config.tls_listen:
        raise ConfigError("--listen or --tls-listen is needed")
    context = _context(config.tls) if config.tls is not None else None
    if config.tls_listen and context is None:
        raise ConfigError("--tls-listen needs --tls-cert FILE")
    if config.proxy_protocol and not config.trusted_proxies:
        raise ConfigError("--proxy-protocol needs --trusted-proxy CIDR: whose headers are to be believed")
    for text in (*config.listen, *config.tls_listen):
        _endpoint(reactor, text)
    access_log = AccessLog(config.access_log) if config.access_log is not None else None
    return ProxyService(config, _factory(config, access_log, reactor), context, access_log, reactor)


def _context(tls: TlsConfig) -> SSL.Context:
    return server_context(tls.cert, tls.key, tls.min_version, tls.ciphers)


def _factory(config: Config, access_log: AccessLog | None, reactor: Any) -> Factory:
    observers = (access_log.exchange,) if access_log is not None else ()
    if isinstance(config, ForwardConfig):
        return ForwardProxyFactory(config.policy, limits=config.limits, observers=observers, reactor=reactor)
    pool = Pool(config.upstreams)
    if isinstance(config, ReverseConfig):
        return ReverseProxyFactory(
            pool,
            host=config.host,
            via=config.via,
            trusted_proxies=config.trusted_proxies,
            limits=config.limits,
            observers=observers,
            reactor=reactor,
        )
    streams: tuple[StreamObserver, ...] = (access_log.stream,) if access_log is not None else ()
    return StreamFactory(pool, limits=config.limits, observers=streams, reactor=reactor)


def _endpoint(reactor: Any, text: str) -> Any:
    try:
        return endpoints.serverFromString(reactor, text)
    except (ValueError, TypeError, KeyError, IndexError, OSError) as fault:
        raise ConfigError(
            f"--listen {text}: {fault}; accepted is a Twisted endpoint "
            "such as tcp:8080:interface=127.0.0.1 or unix:/run/x.sock"
        ) from None


# These listen on a socket and nothing else: TLS can be spoken on what they accept. Others, such as haproxy:, put a
# protocol of their own in between, which has to come before TLS.
_SOCKET_ENDPOINTS: Final = (
    endpoints.TCP4ServerEndpoint,
    endpoints.TCP6ServerEndpoint,
    endpoints.AdoptedStreamServerEndpoint,
)


def _why(failure: Failure | None) -> str:
    if failure is None:
        return "this endpoint does not listen at once"
    fault = failure.value
    if isinstance(fault, CannotListenError):
        reason = fault.socketError
        return f"cannot listen there: {getattr(reason, 'strerror', None) or reason}"
    return f"cannot listen there: {fault}"


@implementer(IProtocolFactory)
class TlsClients:
    """The clients of a TLS listener, who speak https."""

    def __init__(self, factory: Factory) -> None:
        self._factory = factory

    def buildProtocol(self, addr: Any) -> Any:
        """A protocol for a new client."""
        if isinstance(self._factory, StreamFactory):
            return self._factory.buildProtocol(addr)
        return self._factory.build(addr, "https")

    def doStart(self) -> None:
        """The listener has begun."""
        self._factory.doStart()

    def doStop(self) -> None:
        """The listener has ended."""
        self._factory.doStop()


class ProxyService(Service):
    """One proxy: its listeners and what they share. Starts at once, stops after a drain."""

    def __init__(
        self,
        config: Config,
        factory: Factory,
        context: SSL.Context | None,
        access_log: AccessLog | None,
        reactor: Any,
    ) -> None:
        self.config = config
        self.factory = factory
        self.ports: list[IListeningPort] = []
        self._context = context
        self._access_log = access_log
        self._reactor = reactor

    def privilegedStartService(self) -> None:
        """Listen, while it is still allowed to on low ports."""
        super().privilegedStartService()
        self._listen()

    def startService(self) -> None:
        """Serve."""
        super().startService()
        self._listen()

    def _listen(self) -> None:
        if self.ports:
            return
        for text in self.config.listen:
            self._listen_on(text, self.factory, None)
        for text in self.config.tls_listen:
            self._listen_on(text, self.factory, self._context)

    def _listen_on(self, text: str, factory: Factory, context: SSL.Context | None) -> None:
        endpoint = _endpoint(self._reactor, text)
        clients: Any = factory if context is None else TlsClients(factory)
        on_socket = isinstance(endpoint, _SOCKET_ENDPOINTS)
        if context is not None and not on_socket:
            clients = TLSMemoryBIOFactory(ServerConnections(context), False, clients)
        told = self._told(clients, context if on_socket else None) if self.config.proxy_protocol else None
        result: list[Any] = []
        endpoint.listen(told or clients).addBoth(result.append)
        port = result[0] if result else None
        if isinstance(port, Failure) or port is None:
            self._stop_listening()
            raise ConfigError(f"--listen {text}: {_why(port)}")
        self.ports.append(port)
        deepen_backlog(port)
        if context is not None and on_socket:
            self._speak_tls(port, context, clients, told)
        _log.info("listening on {where}", where=port.getHost())

    def _told(self, clients: Any, context: SSL.Context | None) -> ProxyProtocolFactory:
        trusted = Networks(self.config.trusted_proxies)
        timeout = self.config.limits.header_timeout
        return ProxyProtocolFactory(
            clients, trusted, tls_context=context, header_timeout=timeout, reactor=self._reactor
        )

    def _speak_tls(self, port: Any, context: SSL.Context, clients: Any, told: ProxyProtocolFactory | None) -> None:
        """On the socket where that can be, at once or after the header of the PROXY protocol."""
        if told is None:
            if not serve_tls(port, context):
                port.factory = TLSMemoryBIOFactory(ServerConnections(context), False, clients)
        elif not accepts_tcp(port):
            told.factory = TLSMemoryBIOFactory(ServerConnections(context), False, clients)
            told.tls_context = None

    def _stop_listening(self) -> list[Any]:
        ports, self.ports = self.ports, []
        return [port.stopListening() for port in ports]

    def reopen_logs(self) -> None:
        """After the log files were moved away (SIGHUP, SIGUSR1)."""
        if self._access_log is not None:
            self._access_log.reopen()

    def stopService(self) -> Deferred[None]:
        """Stop accepting, finish what runs, for ``drain_timeout`` at the most, then leave."""
        super().stopService()
        closing = self._stop_listening()
        drained = self.factory.drain()
        if not drained.called:
            drained.addTimeout(self.config.limits.drain_timeout, self._reactor)
        done = DeferredList([drained, *[port for port in closing if port is not None]], consumeErrors=True)
        return done.addCallback(self._stopped)

    def _stopped(self, _: object) -> None:
        self.factory.stop()
        if self._access_log is not None:
            self._access_log.close()
