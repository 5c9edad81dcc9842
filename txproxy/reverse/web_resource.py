"""A reverse proxy inside a twisted.web ``Site``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from twisted.internet.interfaces import IPushProducer, IReactorCore
from twisted.web import server
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from txproxy.errors import ConfigError, RequestError
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.interfaces.middleware import places
from txproxy.interfaces.streams import RawConnection
from txproxy.matching.paths import configured_path
from txproxy.net.transports.any_transports import set_tcp_options
from txproxy.net.transports.web_transports import take_channel, when_lost
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.exchanges.responses.own_answers import reply
from txproxy.proxy.limits import Limits
from txproxy.proxy.tunnel import Tunnel
from txproxy.proxy.upstream.connection_binding import close_all, own_connections
from txproxy.proxy.upstream.connection_pool import Connections
from txproxy.reverse.actions.treatments import Treatment
from txproxy.reverse.mode import ReverseProxyFactory, mode_to
from txproxy.reverse.rewriting.response_mapping import WayBack, map_back
from txproxy.reverse.web_resource_heads import MountedHead, below, head_of, to_slash
from txproxy.upstreams.pool import Pool
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead

_PIECE: Final = 65536
_NO_FIELDS: Final = Headers()
_HANDLING_ACCEPTED: Final = "accepted is an object with handle(request, context, proceed) alone"
# upstream connections by the twisted.web channel whose client alone they serve
_Held: TypeAlias = "dict[Any, Connections[Any]]"


@implementer(IPushProducer)
class _SiteRequest:
    """A twisted.web request as the downstream of an exchange. Its body is complete when it comes: twisted.web gathers
    it.
    """

    errand = ""

    def __init__(self, factory: ReverseProxyFactory, request: server.Request, path: bytes, held: _Held) -> None:
        self._request = request
        self._over = False
        peer = request.getClientAddress()
        self.connection = ClientConnection(getattr(peer, "host", "unix:"), "https" if request.isSecure() else "http")
        self.connection.transport = request.transport
        self.connection.connections = held.get(request.channel)
        self._held = held
        self._body_left = 0
        self._factory = factory
        self._exchange: Exchange | None = None
        # what is below the resource is appended to
        self._path = path
        # Of a response without a type nobody but the upstream could say what it is.
        request.defaultContentType = None

    def start(self) -> None:
        """Begin the exchange."""
        request = self._request
        request.notifyFinish().addErrback(self._gone)
        try:
            head = head_of(request, _may_change(request), self._factory.services.wire_limits)
            head = below(head, request, self._path)
        except RequestError as fault:
            self._refuse(Refusal.of(fault))
            return
        if head.bare:
            self._refuse(to_slash(head))
            return
        self._body_left = head.body
        self._exchange = exchange = Exchange(self._factory.services, self, head, RequestContext(self.connection))
        request.registerProducer(self, True)
        exchange.start(self._factory.handle)

    def _gone(self, _: object) -> None:
        self._over = True
        if self._exchange is not None:
            self._exchange.client_gone()

    # -- what twisted.web calls

    def pauseProducing(self) -> None:
        """The client is slow."""
        if self._exchange is not None:
            self._exchange.pause_response()

    def resumeProducing(self) -> None:
        """The client takes more."""
        if self._exchange is not None:
            self._exchange.resume_response()

    def stopProducing(self) -> None:
        """The request will say that it is finished as well."""

    # -- what the exchange calls (see txproxy.proxy.exchanges.exchange.Downstream)

    def request_wanted(self) -> None:
        """Bring the body, piece by piece, as long as it is wanted."""
        exchange = self._exchange
        assert exchange is not None
        while self._body_left and exchange.wants_body:
            content: Any = self._request.content
            data: bytes = content.read(min(_PIECE, self._body_left))
            self._body_left -= len(data)
            exchange.request_body(data)
            if self._body_left:
                exchange.request_flush()
        if not self._body_left and exchange.wants_body:
            exchange.request_end(_NO_FIELDS)

    def request_unwanted(self) -> None:
        """All of it is here."""

    def send_informational(self, response: ResponseHead) -> None:
        """twisted.web has answered Expect itself, and knows no other."""

    def send_head(self, response: ResponseHead) -> None:
        """Status and fields."""
        request = self._request
        request.setResponseCode(response.status, response.reason or None)
        # What twisted.web says of itself; a Date is always among ours.
        for name in (b"content-type", b"date", b"server"):
            request.responseHeaders.removeHeader(name)
        for name, value in response.headers:
            request.responseHeaders.addRawHeader(name, value)
        if not response.body and request.method != b"HEAD" and response.status not in (204, 304):
            request.responseHeaders.setRawHeaders(b"content-length", [b"0"])

    def send_whole(self, response: ResponseHead, body: bytes) -> None:
        """Status, fields and body."""
        self.send_head(response)
        if body:
            self.send_body(body)
        self.send_end(_NO_FIELDS)

    def send_body(self, data: bytes) -> None:
        """Body."""
        self._request.write(data)

    def sink(self) -> None:
        """Everything goes through twisted.web."""

    def sending_socket(self) -> None:
        """Everything goes through twisted.web."""

    def passed(self, size: int) -> None:
        """Nothing passes by."""

    def send_end(self, trailers: Headers) -> None:
        """The end; twisted.web sends no trailers."""
        self._over = True
        self._request.unregisterProducer()
        self._request.finish()

    def flush(self) -> None:
        """twisted.web has written already."""

    def _refuse(self, refusal: Refusal | Answer) -> None:
        """Answer before there is an exchange."""
        services = self._factory.services
        self.send_answer(refusal, *reply(refusal, services.name, False, services.http_date(), services.pages))

    def send_answer(self, given: Refusal | Answer, response: ResponseHead, body: bytes) -> int:
        """A response of the proxy's own."""
        exchange = self._exchange
        self.begin_answer(given, response)
        if self._request.method != b"HEAD":
            self._request.write(body)
        if exchange is not None:
            self._request.unregisterProducer()
        self._over = True
        self._request.finish()
        return len(body)

    def begin_answer(self, given: Refusal | Answer, response: ResponseHead) -> bool:
        """The head of one."""
        channel = self._request.channel
        if given.status == 400 and isinstance(given, Refusal) and isinstance(channel, HTTPChannel):
            # as with a port
            self._request.setHeader(b"connection", b"close")
            channel.persistent = False
        self.send_head(response)
        return bool(response.body) and self._request.method != b"HEAD"

    def cut(self) -> None:
        """Break the connection: the client must see that something is missing."""
        self._over = True
        request: Any = self._request
        request.unregisterProducer()
        if request.clientproto == b"HTTP/1.0":
            # A body that ends with the connection: only a reset says that it was cut.
            request.channel.transport.abortConnection()
        else:
            request.loseConnection()

    def switch(self, response: ResponseHead | None, upstream: RawConnection) -> None:
        """Take the connection from twisted.web, for good; what that had to say was nothing yet."""
        exchange, self._exchange = self._exchange, None
        assert exchange is not None and response is not None, "CONNECT does not come here"
        self._over = True
        self._request.unregisterProducer()
        channel: Any = self._request.channel
        transport = channel.transport
        bound = exchange.bound
        bounds = bound.bounds if bound is not None else None
        set_tcp_options(transport)
        timeout = exchange.plan.tunnel_timeout if exchange.plan is not None else None
        tunnel = Tunnel(self._factory.services, transport, upstream.transport, exchange.tunnel_closed, bounds, timeout)
        exchange.tunnel = tunnel
        early = take_channel(channel, tunnel.client)
        transport.write(
            b"HTTP/1.1 101 %b\r\n%b\r\n\r\n" % (response.reason or b"Switching Protocols", response.headers.block)
        )
        tunnel.start(early, upstream.become_tunnel(tunnel.upstream))

    def exchange_done(self) -> None:
        """Nothing follows: the next request of the connection is twisted.web's to read."""
        self._exchange = None

    def hold_connections(self) -> Connections[Any] | None:
        """See :class:`txproxy.interfaces.streams.ClientStream`: as long as twisted.web has the connection."""
        channel, held = self._request.channel, self._held
        if not isinstance(channel, HTTPChannel):
            # The streams of HTTP/2 share their connection, which nobody can log in to.
            return None
        if channel not in held:
            own = own_connections()

            def lost() -> None:
                del held[channel]
                close_all(own)

            when_lost(channel, lost)
            held[channel] = own
        self.connection.connections = held[channel]
        return held[channel]


def _may_change(request: server.Request) -> bool:
    """Whether the connection of ``request`` could change to another protocol. HTTP/2 cannot, nor can what has begun in
    plain and then changed to TLS: to write to it might go past that.
    """
    channel = request.channel
    return (
        isinstance(channel, HTTPChannel)
        and request.clientproto == b"HTTP/1.1"
        and not getattr(channel.transport, "TLS", False)
    )


class _MapBack:
    """Maps back what an upstream says of itself, as :class:`txproxy.reverse.ResponseRewrite` does: a
    resource does not know where it is mounted before it is asked.
    """

    strict_transport = None
    map_to_keep = staticmethod(map_back)

    def __init__(self, path: bytes) -> None:
        self._path = path

    def of(self, asked: RequestHead) -> ResponseFilter:
        """See :class:`txproxy.reverse.ResponseRewrite`."""
        assert isinstance(asked, MountedHead)
        return _WayBackTo(asked, self._path)


class _WayBackTo(ResponseFilter):
    """Maps back the response to a request that has ``asked`` where the resource is mounted."""

    def __init__(self, asked: MountedHead, path: bytes) -> None:
        self._asked = asked
        self._path = path

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        attempt = context.attempt
        if not response.headers.names_server or (attempt is None and context.cache is None):
            return response
        asked = self._asked
        way_back = WayBack(asked.mount, self._path)
        # What was kept names no upstream any more.
        theirs = (attempt.upstream.authority, attempt.head.authority) if attempt is not None else (b"", b"")
        return response.with_lines(way_back.lines(response.headers.lines, asked, context, *theirs))


if TYPE_CHECKING:
    # putChild takes an IResource, and without a plugin no type checker knows which classes provide that.
    ProvidesResource: TypeAlias = Any
else:
    ProvidesResource = object


@implementer(IResource)
class ReverseProxyResource(Resource, ProvidesResource):  # type: ignore[misc]
    """Passes what is below it to a pool: ``root.putChild(b"api", ReverseProxyResource(pool))``.

    What follows the place where it is mounted is appended to ``path``: with the default, ``/api/users?page=2`` is
    asked of the upstream as ``/users?page=2``; ``/api`` alone is redirected to ``/api/``. A path that some server might
    find outside of ``/api``, or of ``path``, is refused, as is all that a port of our own would refuse. Redirects and
    cookies of the upstream are mapped back to where it is mounted. ``host``, ``trusted_proxies``, ``sticky`` and
    ``via`` are as in :class:`ReverseProxyFactory`.

    What twisted.web does not do cannot be had through it: it joins folded lines, gives names of fields its own case,
    gathers the body of a request before it asks anybody, answers ``Expect`` itself, passes no informational responses
    and no trailers, and knows no CONNECT. Responses stream, and WebSocket works where the client speaks HTTP/1.1: the
    connection is then taken from twisted.web.

    Health checks of the pool run from the first request on, until the reactor stops or :meth:`stop` is called.
    """

    isLeaf = True

    def __init__(
        self,
        pool: Pool,
        *,
        path: bytes = b"",
        host: str | None = None,
        via: str | None = "txproxy",
        trusted_proxies: Sequence[str] = (),
        sticky: str | None = None,
        limits: Limits | None = None,
        middleware: Iterable[Any] = (),
        reactor: Any = None,
    ) -> None:
        super().__init__()
        for one in places(middleware).filters:
            raise ConfigError(f"{one!r} admits connections, and the connections are the site's", _HANDLING_ACCEPTED)
        if path:
            try:
                configured_path(path.decode("latin-1"))
            except ConfigError as fault:
                raise fault.at("path") from None
        self._path = path.rstrip(b"/")
        mapping: Any = _MapBack(self._path)
        mode = mode_to(pool, host, via, trusted_proxies, sticky, Treatment(response=mapping))
        self._factory = ReverseProxyFactory(mode, via=via, limits=limits, middleware=middleware, reactor=reactor)
        self._serves = False
        self._held: _Held = {}

    def stop(self) -> None:
        """Check no more, and close the connections that are kept, for a ``Site`` that is taken down while the program
        goes on. A request that comes later begins all again.
        """
        if self._serves:
            self._serves = False
            self._factory.end()
            self._factory.stop()
            for own in self._held.values():
                close_all(own)

    def _begin(self) -> None:
        # A resource is not told when its site listens.
        self._serves = True
        self._factory.begin()
        reactor = self._factory.services.reactor
        if IReactorCore.providedBy(reactor):
            reactor.addSystemEventTrigger("before", "shutdown", self.stop)

    def render(self, request: server.Request) -> int:
        """Answer later."""
        if not self._serves:
            self._begin()
        _SiteRequest(self._factory, request, self._path, self._held).start()
        return server.NOT_DONE_YET
