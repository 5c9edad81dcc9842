"""Command-line options to configuration to service. Nothing else reads options."""

from __future__ import annotations

import gc
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import attrs
from twisted.application.service import IService, MultiService
from twisted.python import usage

from txproxy.config import Config, ForwardConfig, ReverseConfig, TcpConfig, TlsConfig, parse_duration, parse_size
from txproxy.errors import ConfigError
from txproxy.forward.access import LOOPBACK_CLIENTS, Ports, network
from txproxy.forward.destinations import Destinations
from txproxy.forward.mode import FORWARDED_FOR_MODES, ForwardPolicy, forwarded_for_mode
from txproxy.proxy.limits import Limits
from txproxy.reverse.to_pool import host_to_send
from txproxy.reverse.upstream import UpstreamTls, parse_tcp_upstream, parse_upstream
from txproxy.service import ProxyService, make_service
from txproxy.tls.upstream import trust_of

T = TypeVar("T")

_DEFAULTS = Limits()


class _ModeOptions(usage.Options):
    """The options that all modes have."""

    name: ClassVar[str]
    default_listen: ClassVar[str | None] = None
    optFlags: ClassVar[list[list[object]]] = [
        [
            "proxy-protocol",
            None,
            "listeners expect PROXY protocol v1 or v2, from --trusted-proxy alone [default: off]",
        ],
    ]
    optParameters: ClassVar[list[list[object]]] = [
        ["tls-min-version", None, "1.2", "1.2 or 1.3"],
        ["tls-ciphers", None, None, "OpenSSL cipher string [default: OpenSSL's]"],
        ["access-log", None, "-", "- for standard output, none, or a file (reopened on SIGHUP and SIGUSR1)"],
        ["max-connections", None, "10000", "client connections at once; over it new ones wait in the backlog"],
        ["header-timeout", None, "30", "a request head must be complete by then, else 408"],
        ["idle-timeout", None, "75", "kept-alive connections without a request are closed after this"],
        ["connect-timeout", None, "5", "to an upstream or origin, else 504"],
        ["response-timeout", None, "60", "no byte from the upstream for this long, else 504"],
        ["max-header-size", None, "64k", "of one head, else 431"],
        ["max-body-size", None, None, "of one request body, else 413 [default: none]"],
        ["via", None, "txproxy", "pseudonym in Via of requests, or none"],
        ["drain-timeout", None, "30", "at SIGTERM: stop accepting, finish what runs for so long, then leave"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.repeated: dict[str, list[str]] = {}
        self.service: ProxyService | None = None

    def _add(self, name: str, value: str) -> None:
        self.repeated.setdefault(name, []).append(value)

    def opt_listen(self, endpoint: str) -> None:
        """accept plain connections here; a Twisted endpoint, may be repeated [default: the mode's own]"""
        self._add("listen", endpoint)

    def opt_tls_listen(self, endpoint: str) -> None:
        """accept TLS connections here; may be repeated [default: none]"""
        self._add("tls-listen", endpoint)

    def opt_tls_cert(self, file: str) -> None:
        """PEM chain for --tls-listen; the key may be in it [default: none]"""
        self._add_once("tls-cert", file)

    def opt_tls_key(self, file: str) -> None:
        """key of that certificate [default: in the same file]"""
        if "tls-cert" not in self.repeated:
            raise usage.UsageError("--tls-key needs --tls-cert before it")
        self._add_once("tls-key", file)

    def opt_trusted_proxy(self, cidr: str) -> None:
        """peers whose PROXY headers are believed, and X-Forwarded-* in reverse mode; may be repeated [default: none]"""
        self._add("trusted-proxy", cidr)

    def _add_once(self, name: str, value: str) -> None:
        if name in self.repeated:
            raise usage.UsageError(f"--{name} {value}: there is one already, and one is accepted")
        self._add(name, value)

    def getSynopsis(self) -> str:
        """The first line of the help."""
        return f"Usage: twistd [twistd's options] txproxy {self.name} [options]"

    def opt_version(self) -> None:
        """the versions of txproxy and Twisted"""
        import twisted

        import txproxy

        print(f"txproxy {txproxy.__version__}, Twisted {twisted.__version__}")
        raise SystemExit(0)

    def parseArgs(self, *args: str) -> None:
        """No bare arguments."""
        if args:
            raise usage.UsageError(f"{args[0]!r} is no option of {self.name}; txproxy {self.name} --help lists them")

    def postOptions(self) -> None:
        """All options are read: make the service, so that what is wrong is said before anything runs."""
        try:
            self.service = make_service(self.config())
        except ConfigError as fault:
            raise usage.UsageError(str(fault)) from None

    def config(self) -> Config:
        """The configuration that the options mean."""
        raise NotImplementedError

    def parsed(self, name: str, parse: Callable[[str], T]) -> T:
        """One option's value; an error names the option."""
        try:
            return parse(self[name])
        except ConfigError as fault:
            raise ConfigError(f"--{name}: {fault}") from None

    def all_parsed(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """The values of a repeated option."""
        try:
            return tuple(parse(text) for text in self.repeated.get(name, ()))
        except ConfigError as fault:
            raise ConfigError(f"--{name}: {fault}") from None

    def shared(self) -> dict[str, Any]:
        """What all modes' configurations have."""
        listen = tuple(self.repeated.get("listen", ()))
        tls_listen = tuple(self.repeated.get("tls-listen", ()))
        if not listen and not tls_listen and self.default_listen is not None:
            listen = (self.default_listen,)
        tls = None
        cert, key = self.repeated.get("tls-cert"), self.repeated.get("tls-key")
        if cert is not None:
            tls = TlsConfig(
                cert=cert[0],
                key=key[0] if key is not None else None,
                min_version=self["tls-min-version"],
                ciphers=self["tls-ciphers"],
            )
        return {
            "listen": listen,
            "tls_listen": tls_listen,
            "tls": tls,
            "limits": self._limits(),
            "access_log": None if self["access-log"] == "none" else self["access-log"],
            "proxy_protocol": bool(self["proxy-protocol"]),
            "trusted_proxies": self._trusted_proxies(),
        }

    def _trusted_proxies(self) -> tuple[str, ...]:
        self.all_parsed("trusted-proxy", network)
        return tuple(self.repeated.get("trusted-proxy", ()))

    def _limits(self) -> Limits:
        return attrs.evolve(
            _DEFAULTS,
            header_timeout=self.parsed("header-timeout", parse_duration),
            idle_timeout=self.parsed("idle-timeout", parse_duration),
            connect_timeout=self.parsed("connect-timeout", parse_duration),
            response_timeout=self.parsed("response-timeout", parse_duration),
            drain_timeout=self.parsed("drain-timeout", parse_duration),
            max_connections=self.parsed("max-connections", _positive),
            max_header_size=self.parsed("max-header-size", _positive_size),
            max_body_size=self.parsed("max-body-size", parse_size) if self["max-body-size"] is not None else None,
        )

    def via(self) -> str | None:
        """The pseudonym, or None."""
        return self.parsed("via", _pseudonym)


class ForwardOptions(_ModeOptions):
    """``txproxy forward``"""

    name = "forward"
    default_listen = "tcp:3128:interface=127.0.0.1"
    longdesc = "Example: twistd -n txproxy forward --allow-client 10.0.0.0/8"
    optParameters: ClassVar[list[list[object]]] = [
        ["forwarded-for", None, "delete", f"what becomes of X-Forwarded-For: {', '.join(FORWARDED_FOR_MODES)}"],
    ]

    def opt_listen(self, endpoint: str) -> None:
        """accept plain connections here; may be repeated [default: tcp:3128:interface=127.0.0.1]"""
        self._add("listen", endpoint)

    def opt_allow_client(self, cidr: str) -> None:
        """who may use the proxy, others get 403; may be repeated [default: 127.0.0.0/8 and ::1]"""
        self._add("allow-client", cidr)

    def opt_allow_port(self, port: str) -> None:
        """a port or range that may be reached; may be repeated [default: 80, 443 and 1024-65535; CONNECT: 443]"""
        self._add("allow-port", port)

    def opt_allow_destination(self, net: str) -> None:
        """CIDR or host that may be reached though it is loopback, link-local or private; may be repeated [default:
        none]
        """
        self._add("allow-destination", net)

    def config(self) -> Config:
        """The configuration that the options mean."""
        # Each is looked at on its own first, so that an error names its option.
        self.all_parsed("allow-client", network)
        self.all_parsed("allow-port", lambda port: Ports([port]))
        self.all_parsed("allow-destination", lambda net: Destinations([net]))
        policy = ForwardPolicy(
            allow_clients=self.repeated.get("allow-client", LOOPBACK_CLIENTS),
            allow_ports=self.repeated.get("allow-port"),
            allow_destinations=self.repeated.get("allow-destination", ()),
            via=self.via(),
            forwarded_for=self.parsed("forwarded-for", forwarded_for_mode),
        )
        return ForwardConfig(policy=policy, **self.shared())


class _UpstreamOptions(_ModeOptions):
    """The options of modes that have a pool."""

    def opt_upstream(self, url: str) -> None:
        """a server of the pool; may be repeated, at least one is required"""
        self._add("upstream", url)

    def upstream_texts(self) -> list[str]:
        """What was given."""
        texts = self.repeated.get("upstream")
        if not texts:
            raise ConfigError("--upstream is required")
        return texts


class ReverseOptions(_UpstreamOptions):
    """``txproxy reverse``"""

    name = "reverse"
    default_listen = "tcp:8080:interface=127.0.0.1"
    longdesc = "Example: twistd -n txproxy reverse --upstream http://127.0.0.1:8001 --upstream http://127.0.0.1:8002"
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
        ["upstream-ca", None, None, "verify TLS upstreams with the CAs in this PEM file [default: the system's]"],
    ]

    def opt_listen(self, endpoint: str) -> None:
        """accept plain connections here; may be repeated [default: tcp:8080:interface=127.0.0.1]"""
        self._add("listen", endpoint)

    def opt_upstream(self, url: str) -> None:
        """http://HOST:PORT, https://HOST:PORT or unix:/path, with ;weight=N; may be repeated, at least one is
        required
        """
        self._add("upstream", url)

    def config(self) -> Config:
        """The configuration that the options mean."""
        tls = UpstreamTls(ca_file=self["upstream-ca"], insecure=bool(self["upstream-insecure"]))
        self.upstream_texts()
        if tls.ca_file is not None:
            trust_of(tls.ca_file)
        return ReverseConfig(
            upstreams=self.all_parsed("upstream", lambda text: parse_upstream(text, tls)),
            host=self.parsed("host", host_to_send) if self["host"] is not None else None,
            via=self.via(),
            **self.shared(),
        )


class TcpOptions(_UpstreamOptions):
    """``txproxy tcp``"""

    name = "tcp"
    longdesc = "Example: twistd -n txproxy tcp --listen tcp:5432 --upstream 10.0.0.1:5432 --upstream 10.0.0.2:5432"

    def opt_listen(self, endpoint: str) -> None:
        """accept plain connections here; may be repeated, at least one is required"""
        self._add("listen", endpoint)

    def opt_upstream(self, url: str) -> None:
        """HOST:PORT, with ;weight=N; may be repeated, at least one is required"""
        self._add("upstream", url)

    def config(self) -> Config:
        """The configuration that the options mean."""
        self.upstream_texts()
        return TcpConfig(upstreams=self.all_parsed("upstream", parse_tcp_upstream), **self.shared())


class Options(usage.Options):
    """``twistd txproxy MODE [options]``"""

    longdesc = (
        "An HTTP proxy, forward or reverse. MODE --help prints the options of a mode. "
        "Example: twistd -n txproxy reverse --upstream http://127.0.0.1:8001"
    )
    subCommands: ClassVar[list[list[object]]] = [
        ["forward", None, ForwardOptions, "on the clients' side: absolute-URI requests and CONNECT"],
        ["reverse", None, ReverseOptions, "on the servers' side: HTTP to a pool of upstreams"],
        ["tcp", None, TcpOptions, "raw TCP streams to a pool of upstreams"],
    ]

    def getSynopsis(self) -> str:
        """The first line of the help."""
        return "Usage: twistd [twistd's options] txproxy MODE [options]"

    def parseOptions(self, options: Any = None) -> None:
        """What is wrong is one line on standard error, and exit status 1."""
        try:
            super().parseOptions(options)
        except usage.UsageError as fault:
            _fail(str(fault), getattr(self, "subCommand", None))

    def parseArgs(self, *args: str) -> None:
        """Only a mode."""
        if args:
            raise usage.UsageError(f"{args[0]!r} is no mode; accepted: forward, reverse, tcp")

    def postOptions(self) -> None:
        """A mode is needed."""
        if self.subCommand is None:
            raise usage.UsageError("a mode is needed; accepted: forward, reverse, tcp")


def _fail(text: str, mode: str | None = None) -> None:
    name = f"txproxy {mode}" if mode else "txproxy"
    if text.startswith("option ") and "not recognized" in text:
        text += f"; {name} --help lists what is accepted"
    elif text.startswith("Unknown command: "):
        text = f"{text.removeprefix('Unknown command: ')!r} is no mode; accepted: forward, reverse, tcp"
    # twistd may have put its log in place of sys.stderr.
    stream = sys.__stderr__ or sys.stderr
    for line in text.splitlines():
        stream.write(f"{name}: {line}\n")
    raise SystemExit(1)


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise ConfigError(f"{text!r} is no number; accepted is 1 or more")
    return int(text)


def _positive_size(text: str) -> int:
    size = parse_size(text)
    if size < 256:
        raise ConfigError(f"{text!r} is too little for any request; accepted is 256 or more")
    return size


def _pseudonym(text: str) -> str | None:
    # RFC 9110 7.6.3: a pseudonym is a token.
    if not text.isascii() or not text.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise ConfigError(f"{text!r} is no pseudonym; accepted are letters, digits, - _ and ., or none")
    return None if text == "none" else text


class CommandLineService(MultiService):
    """What twistd runs: the proxy, and what only a process of its own may do (signals, descriptors, the collector)."""

    def __init__(self, service: ProxyService) -> None:
        super().__init__()
        self._service = service
        service.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """Listen; an address that is taken ends the process with one line."""
        _raise_descriptor_limit()
        try:
            super().privilegedStartService()
        except ConfigError as fault:
            _fail(str(fault))

    def startService(self) -> None:
        """Serve."""
        super().startService()
        for number in (signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, self._reopen)
        # What start-up has made stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()

    def stopService(self) -> Any:
        """Drain; who asks a second time does not want to wait for that."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hurry)
        return super().stopService()

    def _reopen(self, *_: object) -> None:
        _soon(self._service.reopen_logs)

    def _hurry(self, *_: object) -> None:
        _soon(self._service.factory.stop)


def _soon(call: Callable[[], None]) -> None:
    """From a signal handler, into the reactor."""
    from twisted.internet import reactor

    reactor.callFromThread(call)  # type: ignore[attr-defined]


def _raise_descriptor_limit() -> None:
    """A proxied connection takes two descriptors: use all that the system grants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def makeService(options: Options) -> IService:
    """For twistd."""
    mode: Any = options.subOptions
    return CommandLineService(mode.service)
