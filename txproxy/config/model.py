"""The frozen configuration of one process: listeners, pools and routes, which name each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import attrs

from txproxy.cache.rules.cache_settings import CacheSettings
from txproxy.components.named_code import NamedCode, codes
from txproxy.components.own_modules import OwnModule
from txproxy.config.admin_endpoint import AdminConfig
from txproxy.config.log_lines import DEFAULT_LINES
from txproxy.config.own_code.code_around import NOTHING_AROUND, CodeAround, DiscoveryConfig, HookConfig
from txproxy.config.sources.included import Included
from txproxy.config.sources.lines import Place
from txproxy.config.sources.outside_values import Outside
from txproxy.errors import Path
from txproxy.frozen_values import frozen
from txproxy.limits.quotas import Quota
from txproxy.limits.requests.adaptive_limit import AdaptiveBounds
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.limits.shaping import Bandwidth
from txproxy.matching.clients import IPV6_PREFIX
from txproxy.observe.log_conditions import LogConditions
from txproxy.observe.log_level import DEFAULT_LEVEL
from txproxy.observe.refused_lines import MOST as MOST_REFUSED
from txproxy.plain_values import PlainValue
from txproxy.proxy.downstream.negotiate import HTTP, SOCKS5
from txproxy.proxy.limits import Limits
from txproxy.reverse.challenge.challenge_settings import ChallengePlace, ChallengeSettings
from txproxy.reverse.routing.matches import Match
from txproxy.tls.listener_contexts import ListenerTls
from txproxy.upstreams.pool_settings import PoolSettings

if TYPE_CHECKING:
    from txproxy.cache.rules.cache_choice import CacheChoice
    from txproxy.forward.policy import ForwardPolicy
    from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
    from txproxy.reverse.rewriting.response_rewrite import ResponseRewrite
    from txproxy.reverse.route_actions.route_action import RouteAction
    from txproxy.reverse.site_login import SiteLogin


def _usual_policy() -> ForwardPolicy:
    # Who has no forward listener does not wait for all that one may need.
    from txproxy.forward.policy import ForwardPolicy

    return ForwardPolicy()


@frozen(kw_only=True)
class PoolConfig:
    """A pool. ``upstreams`` are texts as on the command line: URLs, or, with ``tcp``, ``HOST:PORT``. ``host`` and
    ``sticky`` as in :class:`txproxy.reverse.ReverseProxyFactory`, for routes that say nothing else; ``sticky_key``
    makes cookies that outlive the process.
    """

    name: str = "pool"
    upstreams: tuple[str, ...]
    tcp: bool = False
    # a name of one, or code that gives one
    strategy: str | NamedCode = "round-robin"
    settings: PoolSettings = attrs.field(factory=PoolSettings)
    host: str | None = None
    sticky: str | None = None
    # how many requests it is good for at once, to be found out within these bounds
    adaptive: AdaptiveBounds | None = None
    sticky_key: bytes | None = attrs.field(default=None, repr=False)
    # code that knows its upstreams; those above are there until it has told them
    discovery: DiscoveryConfig | None = None


@frozen(kw_only=True)
class AuthConfig:
    """Ask ``path`` of a pool first; see :class:`txproxy.reverse.ForwardAuth`."""

    pool: str
    path: str = "/"
    copy: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()


@frozen(kw_only=True)
class MirrorConfig:
    """Send a copy to a pool; see :class:`txproxy.reverse.Mirror`."""

    pool: str
    share: float = 1.0


@frozen(kw_only=True)
class RouteConfig:
    """A route of reverse listeners: those that ``listeners`` names; where it names none, all that name no routes of
    their own. ``response_timeout`` and ``tunnel_timeout`` are in seconds, ``max_body`` in bytes.
    """

    name: str
    listeners: tuple[str, ...] = ()
    match: Match = attrs.field(factory=Match)
    action: RouteAction
    request: RequestRewrite | None = None
    response: ResponseRewrite | None = None
    response_timeout: float | None = None
    tunnel_timeout: float | None = None
    max_body: int | None = None
    auth: AuthConfig | None = None
    # who has to log in, in place of the listener's; or nobody
    login: SiteLogin | None = None
    open_to_all: bool = False
    mirror: MirrorConfig | None = None
    cache: CacheChoice | None = None
    # which of its requests go on before others where a pool has too much to do: high, normal or low
    priority: str = "normal"
    # of all of its requests
    request_limits: tuple[RequestLimit, ...] = ()
    # when they have to have passed the challenge, if ever
    challenge: ChallengePlace | None = None
    # code that is named to stand around its action
    around: CodeAround = NOTHING_AROUND

    @property
    def pools(self) -> tuple[str, ...]:
        """The pools that it needs."""
        others = (self.auth, self.mirror)
        return (*(use.pool for use in self.action.uses), *(other.pool for other in others if other is not None))


@frozen(kw_only=True)
class AccessLogConfig:
    """One more log of access, of requests that are as ``conditions`` say, at the listeners of these names; where there
    are none, at all. ``to`` and ``format`` as of :class:`Config`.
    """

    to: str = ""
    # code that takes the lines, in place of a file
    sink: NamedCode | None = None
    format: str = DEFAULT_LINES
    listeners: tuple[str, ...] = ()
    conditions: LogConditions = attrs.field(factory=LogConditions)


@frozen(kw_only=True)
class BoundsConfig:
    """What clients, users and rules may use, of one listener or of all forward listeners together; see
    :class:`txproxy.Allotments`. ``usage_file`` is a file of SQLite, of all of them; without one, what was used is
    forgotten at the end.
    """

    bandwidths: tuple[Bandwidth, ...] = ()
    quotas: tuple[Quota, ...] = ()
    usage_file: str | None = None
    ipv6_prefix: int = IPV6_PREFIX

    def __bool__(self) -> bool:
        return bool(self.bandwidths or self.quotas or self.usage_file)


@frozen(kw_only=True)
class ListenerConfig:
    """What listeners of all modes have: endpoint strings to listen on, plain and with TLS, and limits. With
    ``proxy_protocol`` all of them expect its header, from the peers in ``trusted_proxies`` (CIDRs).
    """

    name: str
    listen: tuple[str, ...] = ()
    tls_listen: tuple[str, ...] = ()
    tls: ListenerTls | None = None
    limits: Limits = attrs.field(factory=Limits)
    # by upstreams, where the mode reads their responses
    tolerate: tuple[str, ...] = ()
    # around a mode that reads requests, or before connections, the first outermost
    middleware: tuple[NamedCode, ...] = attrs.field(default=(), converter=codes)
    # short functions that are asked within it, where requests are read
    before: tuple[HookConfig, ...] = ()
    after: tuple[HookConfig, ...] = ()
    # the file of the audit log, or -
    audit: str | None = None
    # where its access lines go (- or a file, "none" for nowhere), and in which format; None as the others' do
    access_log: str | None = None
    access_log_format: str | None = None
    # what may be used here; forward listeners have those of the whole file
    bounds: BoundsConfig = attrs.field(factory=BoundsConfig)
    # of all requests, or raw streams
    request_limits: tuple[RequestLimit, ...] = ()
    proxy_protocol: bool = False
    trusted_proxies: tuple[str, ...] = ()

    @property
    def around(self) -> CodeAround:
        """All code that is named to stand around it."""
        return CodeAround(middleware=self.middleware, before=self.before, after=self.after)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Both kinds."""
        return self.listen + self.tls_listen

    @property
    def entrance_paths(self) -> list[tuple[str, tuple[str, int]]]:
        """Both kinds, each with its path in the listener."""
        kinds = (("listen", self.listen), ("tls_listen", self.tls_listen))
        return [(text, (key, number)) for key, texts in kinds for number, text in enumerate(texts)]


@frozen(kw_only=True)
class ForwardListener(ListenerConfig):
    """A forward proxy. ``protocols`` are those that clients may speak, inside TLS too: ``http`` and ``socks5``.
    ``audit`` is if the policy has none of its own; ``error_pages``, ``http2`` and ``h2c`` as in
    :class:`ReverseListener`; ``caching``, ``rule_limits`` and ``rules_around`` are what rules say of these, and of
    code, by their names.
    """

    name: str = "forward"
    policy: ForwardPolicy = attrs.field(factory=_usual_policy)
    protocols: tuple[str, ...] = (HTTP, SOCKS5)
    error_pages: tuple[tuple[str, str], ...] = ()
    http2: bool = True
    h2c: bool = False
    caching: tuple[tuple[str, CacheChoice], ...] = ()
    rule_limits: tuple[tuple[str, tuple[RequestLimit, ...]], ...] = ()
    rules_around: tuple[tuple[str, CodeAround], ...] = ()


@frozen(kw_only=True)
class ReverseListener(ListenerConfig):
    """A reverse proxy: its ``routes`` by name, and the ``pool`` for what none of them matches. ``via`` as in
    :class:`txproxy.reverse.ReverseProxyFactory`, with the ``via_mark`` that several processes have together;
    ``error_pages`` maps statuses and classes (``5xx``) to files; ``http2`` is spoken where TLS has agreed on it (see
    ``alpn`` of :class:`txproxy.tls.listener_contexts.ListenerTls`), and with ``h2c`` in the plain; ``split_by_client``
    gives a client always the same of the routes that share by weight; ``challenge`` is when requests have to have
    passed that, if ever, and ``login`` of whom they have to be, unless their route says something else.
    """

    name: str = "reverse"
    pool: str | None = None
    routes: tuple[str, ...] = ()
    host: str | None = None
    via: str | None = "txproxy"
    via_mark: str | None = None
    error_pages: tuple[tuple[str, str], ...] = ()
    http2: bool = True
    h2c: bool = False
    split_by_client: bool = False
    challenge: ChallengePlace | None = None
    login: SiteLogin | None = None


@frozen(kw_only=True)
class TcpListener(ListenerConfig):
    """Raw TCP streams to ``pool``; those of TLS clients that ask for a name that is in ``sni`` go to that one's."""

    name: str = "tcp"
    pool: str | None = None
    sni: tuple[tuple[str, str], ...] = ()

    @property
    def pools(self) -> tuple[str, ...]:
        """The pools that it needs."""
        named = tuple(pool for _, pool in self.sni)
        return named if self.pool is None else (self.pool, *named)


@frozen(kw_only=True)
class TracingConfig:
    """What tells a request from others wherever it goes: an ``X-Request-Id``, and a ``traceparent``
    (``trace_context``), each if it is wanted. Spans of traces go to the collector at ``endpoint``, if there is one, as
    of a service of that name; a share, ``sample``, of the traces that begin here is written down.
    """

    request_id: bool = False
    trace_context: bool = False
    endpoint: str | None = None
    service_name: str = "txproxy"
    sample: float = 1.0

    def __bool__(self) -> bool:
        return self.request_id or self.trace_context


AnyListener: TypeAlias = "ForwardListener | ReverseListener | TcpListener"


@frozen(kw_only=True)
class Config(PlainValue):
    """All of one process.

    ``access_log`` is ``-``, a file, or None for none, and ``access_log_format`` what its lines are like (a name or a
    text, see :func:`txproxy.observe.log_formats.line_format.line_format`), of listeners that say nothing else;
    ``access_logs`` are further ones, for some requests, ``access_refused`` is how many bytes a second each says of
    requests that were refused (0: all), and ``log_level`` how much the proxy says of itself. ``bounds`` are what
    clients may use; ``cache`` is shared by all listeners that read requests; ``admin`` is where the admin API is, if
    anywhere; ``challenge`` is what is asked of clients where there is one; ``tracing`` is of all listeners that read
    requests; ``python_path`` has folders whose modules may be named, ``own_modules`` what of them was read by then, and
    ``reload_code`` says that to read it again takes what has changed of that; ``workers`` is how many processes serve
    it.
    ``source`` is the file that it was read from, empty for options, ``text`` what was in that, ``included`` what was in
    those that it includes, and ``places`` has the place of each of its keys; ``outside`` are values that stand
    elsewhere, and ``named`` the files that it names; ``warnings`` are what may be a mistake in it, one line each.
    ``opened`` is no part of the value: what was read to check it, such as lists, and would take its time to be read
    again. Who builds what is configured empties it.
    """

    listeners: tuple[AnyListener, ...]
    pools: tuple[PoolConfig, ...] = ()
    routes: tuple[RouteConfig, ...] = ()
    access_log: str | None = None
    access_log_format: str = DEFAULT_LINES
    access_logs: tuple[AccessLogConfig, ...] = ()
    access_refused: int = MOST_REFUSED
    log_level: str = DEFAULT_LEVEL
    bounds: BoundsConfig = attrs.field(factory=BoundsConfig)
    cache: CacheSettings = attrs.field(factory=CacheSettings)
    admin: AdminConfig | None = None
    tracing: TracingConfig = attrs.field(factory=TracingConfig)
    challenge: ChallengeSettings = attrs.field(factory=ChallengeSettings)
    python_path: tuple[str, ...] = ()
    reload_code: bool = False
    own_modules: tuple[OwnModule, ...] = attrs.field(default=(), eq=False, repr=False)
    workers: int = 1
    source: str = attrs.field(default="", eq=False)
    text: str = attrs.field(default="", eq=False, repr=False)
    included: Included = attrs.field(factory=Included, eq=False, repr=False)
    places: Mapping[Path, Place] = attrs.field(factory=dict, eq=False, repr=False)
    outside: Outside = attrs.field(factory=Outside, eq=False, repr=False)
    named: tuple[str, ...] = attrs.field(default=(), eq=False, repr=False)
    warnings: tuple[str, ...] = attrs.field(default=(), eq=False)
    opened: list[object] = attrs.field(init=False, factory=list, eq=False, repr=False)

    def pool(self, name: str) -> PoolConfig:
        """The pool of that name, which must be there."""
        return next(pool for pool in self.pools if pool.name == name)

    def access_log_of(self, listener: AnyListener) -> tuple[str | None, str]:
        """Where the access lines of a listener go, or None, and their format."""
        path = self.access_log if listener.access_log is None else listener.access_log
        return None if path == "none" else path, listener.access_log_format or self.access_log_format

    def routes_of(self, listener: ReverseListener) -> tuple[RouteConfig, ...]:
        """The routes of a listener, in the order in which they are written."""
        return tuple(route for route in self.routes if route.name in listener.routes)
