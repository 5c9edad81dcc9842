"""The options of the modes that have a pool: reverse and tcp."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from txproxy.cache.rules.cache_settings import CacheSettings
from txproxy.cli.options.shared import ListenerOptions, password_file, say
from txproxy.components.settings import default_of, settings_of
from txproxy.components.values import one_of
from txproxy.config.model import Config, PoolConfig, ReverseListener, TcpListener
from txproxy.config.setting_readers import options_of, parse_options
from txproxy.config.toml.pool_tables import health_value, strategy_name
from txproxy.errors import ConfigError
from txproxy.reverse.actions.to_pool import host_to_send
from txproxy.reverse.route_actions.pool_action import sticky_kind
from txproxy.tls.verification import client_connections
from txproxy.upstreams.balancing.strategies import NAMES
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import Upstream
from txproxy.upstreams.upstream_tls import UpstreamTls, offered
from txproxy.upstreams.upstream_urls import parse_tcp_upstream, parse_upstream

_CHECKS: Final = [one.option for one in settings_of(HealthCheck).values()]
_OF_TLS: Final = ("upstream-insecure", "upstream-ca", "upstream-cert", "upstream-key", "upstream-alpn")
# Of which raw streams have nothing.
_OF_REQUESTS: Final = (
    "via",
    "http2",
    "response-timeout",
    "max-header-size",
    "max-target-size",
    "max-fields",
    "max-body-size",
    "min-body-rate",
)


class _PoolOptions(ListenerOptions):
    """The options of modes that have a pool."""

    optParameters: ClassVar[list[list[object]]] = [
        [
            "balance",
            None,
            default_of(PoolConfig, "strategy"),
            f"how to choose an upstream: {', '.join(NAMES)}; the hashes also with ;bound=1.25",
        ],
        *options_of(HealthCheck),
    ]

    def opt_upstream(self, url: str) -> None:
        """a server of the pool; may be repeated, at least one is required"""
        self._add("upstream", url)

    def upstreams(self, parse: Callable[[str], Upstream], example: str) -> tuple[str, ...]:
        """What was given, each of them once, and sound; ``example`` is for who gives none."""
        texts = self.repeated.get("upstream")
        if not texts:
            raise ConfigError("--upstream is required", f"accepted is one or more, such as --upstream {example}")
        names: set[str] = set()
        for text, upstream in zip(texts, self.all_parsed("upstream", parse), strict=True):
            if upstream.name in names:
                raise ConfigError(f"--upstream {text}: it is there twice", "accepted is each upstream once")
            names.add(upstream.name)
        return tuple(texts)

    def health(self) -> HealthCheck | None:
        """What to ask of upstreams, or None."""
        what = self["health-check"]
        # Looked at even if there are no checks: what is wrong is wrong.
        values = parse_options(self, HealthCheck, self.parsed, health_value)
        if what is None:
            for name in self.given(_CHECKS):
                raise ConfigError(f"--{name} needs --health-check")
            return None
        if what == "connect":
            return HealthCheck(kind="connect", **values)
        word, _, service = what.partition(":")
        if word == "grpc":
            return self.parsed("health-check", lambda _: HealthCheck(kind="grpc", service=service, **values))
        return HealthCheck(path=self.parsed("health-check", _health_path), **values)


def _health_path(text: str) -> bytes:
    if not text.startswith("/"):
        accepted = "accepted is a path that begins with /, such as /health, connect, grpc or grpc:SERVICE"
        raise ConfigError(f"cannot be {text!r}", accepted)
    path: bytes = health_value("path", text)
    return path


def _protocols(text: str) -> tuple[str, ...]:
    return offered(name.strip() for name in text.split(","))


class ReverseOptions(_PoolOptions):
    """``txproxy reverse``"""

    name = "reverse"
    default_listen = "tcp:8080:interface=127.0.0.1"
    believes_fields = True
    optFlags: ClassVar[list[list[object]]] = [
        ["upstream-insecure", None, "do not verify TLS upstreams [default: off]"],
    ]
    optParameters: ClassVar[list[list[object]]] = [
        [
            "host",
            None,
            None,
            "Host sent upstream: a host, or upstream for the upstream's name [default: the client's own]",
        ],
        [
            "auth-file",
            None,
            None,
            "htpasswd file of who may see the site (bcrypt, SHA-crypt, apr1), else 401 [default: none]",
        ],
        ["sticky", None, None, "keep clients at their upstreams: cookie, cookie:NAME, ip [default: off]"],
        [
            "health-check",
            None,
            None,
            "ask upstreams for this path regularly; connect to only connect, grpc or grpc:SERVICE for servers of gRPC "
            "[default: off]",
        ],
        *options_of(PoolSettings),
        *options_of(CacheSettings),
        ["upstream-ca", None, None, "verify TLS upstreams with the CAs in this PEM file [default: the system's]"],
        ["upstream-cert", None, None, "client certificate shown to TLS upstreams, PEM [default: none]"],
        ["upstream-key", None, None, "its key [default: in the same file]"],
        [
            "upstream-alpn",
            None,
            None,
            "protocols offered to TLS upstreams, the one liked best first: h2,http/1.1 [default: none, for HTTP/1.1]",
        ],
    ]

    def opt_listen(self, endpoint: str) -> None:
        """accept plain connections here; may be repeated [default: tcp:8080:interface=127.0.0.1]"""
        self._add("listen", endpoint)

    def opt_upstream(self, url: str) -> None:
        """http://HOST:PORT, https://HOST:PORT, h2c://HOST:PORT (HTTP/2 without TLS), unix:/path or
        h2c+unix:/path, with ;weight=N, ;backup, ;max=N, ;resolve, ;drain, ;disabled; may be repeated, at least one is
        required
        """
        self._add("upstream", url)

    def config(self) -> Config:
        """The configuration that the options mean."""
        tls = UpstreamTls(
            ca_file=self["upstream-ca"],
            insecure=bool(self["upstream-insecure"]),
            cert_file=self["upstream-cert"],
            key_file=self["upstream-key"],
            alpn=self.parsed("upstream-alpn", _protocols) if self["upstream-alpn"] is not None else (),
        )
        if tls.ca_file is not None or tls.cert_file is not None or tls.key_file is not None:
            # Looked at on its own first, so that an error names its option, even where no upstream speaks TLS. The
            # system's trust is nobody's error, and to read it takes long.
            client_connections("localhost", tls.ca_file, tls.insecure, tls.cert_file, tls.key_file)
        if tls.insecure and tls.ca_file is not None:
            raise ConfigError("--upstream-insecure and --upstream-ca are both given", "accepted is one of them")
        upstreams = self.upstreams(lambda text: parse_upstream(text, tls), "http://127.0.0.1:8001")
        if not any(text.lower().startswith("https:") for text in upstreams):
            for name in self.given(_OF_TLS):
                raise ConfigError(f"--{name} needs an upstream with https://")
        pool = PoolConfig(
            upstreams=upstreams,
            strategy=self.parsed("balance", strategy_name),
            settings=PoolSettings(health=self.health(), tls=tls, **parse_options(self, PoolSettings, self.parsed)),
            sticky=self.parsed("sticky", sticky_kind) if self["sticky"] is not None else None,
            host=self.parsed("host", host_to_send) if self["host"] is not None else None,
        )
        login = None
        if self["auth-file"] is not None:
            from txproxy.reverse.site_login import SiteLogin

            login = SiteLogin(policy=self.parsed("auth-file", password_file))
        listener = ReverseListener(
            pool=pool.name,
            via=self.via(),
            http2=self.http2(),
            login=login,
            **self.shared(),
        )
        return Config(listeners=(listener,), pools=(pool,), cache=self.cache(), **self.process())


class TcpOptions(_PoolOptions):
    """``txproxy tcp``"""

    name = "tcp"
    speaks_http = False
    optParameters: ClassVar[list[list[object]]] = [
        ["health-check", None, None, "connect: try to connect to upstreams regularly [default: off]"],
    ]

    def __init__(self) -> None:
        super().__init__()
        for name in _OF_REQUESTS:
            # It may be given, as in every mode.
            self.docs[name] = f"without effect on streams; {self.docs[name]}"
        self.docs["header-timeout"] = "a header of the PROXY protocol must be complete by then"
        self.docs["idle-timeout"] = "when one side has ended, the other has so long without a byte"
        self.docs["tunnel-timeout"] = "streams without a byte for this long are closed"
        self.docs["connect-timeout"] = "to an upstream, before another one is tried"

    def opt_listen(self, endpoint: str) -> None:
        """accept plain connections here; may be repeated, at least one is required"""
        self._add("listen", endpoint)

    def opt_upstream(self, url: str) -> None:
        """HOST:PORT, with ;weight=N, ;backup, ;max=N, ;resolve, ;drain, ;disabled; may be repeated, at least one is
        required"""
        self._add("upstream", url)

    def config(self) -> Config:
        """The configuration that the options mean."""
        if self["health-check"] is not None:
            self.parsed("health-check", one_of(("connect",)))
        self.via()
        self.http2()
        pool = PoolConfig(
            upstreams=self.upstreams(parse_tcp_upstream, "127.0.0.1:5432"),
            tcp=True,
            strategy=self.parsed("balance", strategy_name),
            settings=PoolSettings(health=self.health()),
        )
        listener = TcpListener(pool=pool.name, **self.shared())
        for name in self.given(_OF_REQUESTS):
            say(f"txproxy tcp: --{name} has no effect: it is for requests, and tcp does not look into streams")
        return Config(listeners=(listener,), pools=(pool,), **self.process())
