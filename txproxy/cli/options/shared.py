"""What the options of several modes have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from twisted.internet.task import Clock
from twisted.python import usage

from txproxy.cache.rules.cache_settings import CacheSettings
from txproxy.cli.reference.examples import examples_of
from txproxy.components.rates import parse_rate
from txproxy.components.settings import default_of
from txproxy.components.values import (
    has_control,
    one_of,
    parse_pseudonym,
    shown,
)
from txproxy.config.admin_endpoint import AdminConfig, read_token
from txproxy.config.endpoints import endpoint_text
from txproxy.config.findings import of_option
from txproxy.config.log_lines import DEFAULT_LINES, NAMED_LINES, parse_log_lines
from txproxy.config.model import Config, ReverseListener
from txproxy.config.setting_readers import options_of, parse_options
from txproxy.config.worker_count import parse_workers
from txproxy.errors import ConfigError
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.matching.networks import peer_network
from txproxy.proxy.limits import Limits
from txproxy.runtime.proxy_service import ProxyService, make_service
from txproxy.tls.hardening import MIN_VERSIONS
from txproxy.tls.listener_contexts import HTTP1, WITH_HTTP2, ListenerTls
from txproxy.tls.self_signed import SelfSigned, self_signed, served_name

if TYPE_CHECKING:
    from txproxy.auth.auth_policy import AuthPolicy
    from txproxy.runtime.workers.master_service import MasterService

T = TypeVar("T")
_ABOUT_LOG: Final = (
    "- for standard output, none, a file (reopened on SIGHUP and SIGUSR1), syslog:udp:HOST:PORT, syslog:unix:PATH, or "
    "journald:"
)


class Mode(usage.Options):
    """What all modes' options have. ``service`` is what they mean."""

    name: ClassVar[str]
    # The option that a word without one is nearly, if there is one.
    bare: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        # A docstring of several lines is one text.
        self.docs = {name: " ".join(text.split()) for name, text in self.docs.items()}
        self.service: ProxyService | MasterService | None = None
        self._words: list[str] = []

    def config(self) -> Config:
        """The configuration that the options mean."""
        raise NotImplementedError

    def getSynopsis(self) -> str:
        """The first line of the help."""
        return f"Usage: txproxy {self.name} [options]"

    def getUsage(self, width: int | None = None) -> str:
        """The rest of it: the options, and examples."""
        return f"{super().getUsage(width).rstrip()}\n\n{examples_of(self.name)}"

    def opt_version(self) -> None:
        """the versions of txproxy and Twisted"""
        import twisted

        import txproxy

        print(f"txproxy {txproxy.__version__}, Twisted {twisted.__version__}")
        raise SystemExit(0)

    def parseOptions(self, options: Any = None) -> None:
        """See ``twisted.python.usage.Options``. What would break a line of an error or a log is no value of any."""
        for word in options or ():
            if has_control(word):
                option = f"{word.partition('=')[0]}: " if word.startswith("--") and "=" in word else ""
                raise usage.UsageError(f"{option}{shown(word)} has control characters in it; accepted is none")
        self._words = list(options or ())
        super().parseOptions(options)

    def parseArgs(self, *args: str) -> None:
        """No bare arguments."""
        if args:
            for option, value, bare in zip(self._words, self._words[1:], self._words[2:], strict=False):
                # The value of the next option is left over where one without a value has taken that for its own.
                if f"{option[2:]}=" in self.longOpt and value.startswith("--") and bare == args[0]:
                    raise usage.UsageError(
                        f"{option}: {value!r} is an option; accepted is a value, as txproxy {self.name} --help has it"
                    )
            meant = f" (is {self.bare} {args[0]} meant?)" if self.bare else ""
            raise usage.UsageError(
                f"{args[0]!r} is no option of {self.name}{meant}; txproxy {self.name} --help lists them"
            )

    def postOptions(self) -> None:
        """All options are read: make the service, so that what is wrong is said before anything runs."""
        try:
            self.service = make_service(self.config())
        except ConfigError as fault:
            raise usage.UsageError(str(fault)) from None


def password_file(file: str) -> AuthPolicy:
    """Users by ``file``, which is read, so that what is wrong in it is said now."""
    from txproxy.auth.auth_policy import AuthPolicy, make_authenticator

    policy = AuthPolicy(password_file=file)
    make_authenticator(policy, Clock())
    return policy


class ListenerOptions(Mode):
    """The options of modes that are one listener."""

    default_listen: ClassVar[str | None] = None
    speaks_http: ClassVar[bool] = True
    believes_fields: ClassVar[bool] = False
    optFlags: ClassVar[list[list[object]]] = [
        [
            "proxy-protocol",
            None,
            "listeners expect PROXY protocol v1 or v2, from trusted proxies alone [default: off]",
        ],
    ]
    optParameters: ClassVar[list[list[object]]] = [
        ["tls-min-version", None, default_of(ListenerTls, "min_version"), " or ".join(MIN_VERSIONS)],
        ["tls-ciphers", None, None, "OpenSSL cipher string [default: OpenSSL's strong ones]"],
        ["tls-client-ca", None, None, "require client certificates signed by the CAs in this PEM file [default: none]"],
        ["http2", None, "on", "on or off: offer HTTP/2 to TLS clients, by ALPN"],
        ["access-log", None, "-", _ABOUT_LOG],
        [
            "access-log-format",
            None,
            DEFAULT_LINES,
            f"{', '.join(NAMED_LINES)}, or a text with nginx's $names or the %codes of Apache and Squid in it",
        ],
        ["admin", None, None, "serve the admin API, /healthz and /readyz at this endpoint [default: none]"],
        [
            "admin-token-file",
            None,
            None,
            "the token that the admin API asks for; needed where other machines reach it [default: none]",
        ],
        *options_of(Limits),
        [
            "rate-limit",
            None,
            None,
            "requests or streams of each client address, 100/s or 10/s:burst=50, over it 429 with Retry-After "
            "[default: off]",
        ],
        ["workers", None, "1", "processes that serve; auto is one a core"],
        ["via", None, default_of(ReverseListener, "via"), "pseudonym in Via of requests, or none"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.repeated: dict[str, list[str]] = {}
        # each certificate's file, and its key's
        self.certificates: list[tuple[str, str | None]] = []
        # for which hosts as well there is a certificate for trials, if there is one
        self.trial_names: tuple[str, ...] | None = None

    def _add(self, name: str, value: str) -> None:
        self.repeated.setdefault(name, []).append(value)

    def opt_listen(self, endpoint: str) -> None:
        """accept plain connections here; a Twisted endpoint, may be repeated [default: the mode's own]"""
        self._add("listen", endpoint)

    def opt_tls_listen(self, endpoint: str) -> None:
        """accept TLS connections here; may be repeated [default: none]"""
        self._add("tls-listen", endpoint)

    def opt_tls_cert(self, file: str) -> None:
        """PEM chain for --tls-listen, the key may be in it; may be repeated: SNI chooses, else it is the first
        [default: none]
        """
        self.certificates.append((file, None))

    def opt_tls_key(self, file: str) -> None:
        """key of the certificate before it; may be repeated [default: in the same file]"""
        if not self.certificates:
            raise usage.UsageError("--tls-key needs --tls-cert before it")
        cert, key = self.certificates[-1]
        if key is not None:
            raise usage.UsageError(f"--tls-key {file}: {cert} has one already, and one is accepted for each --tls-cert")
        self.certificates[-1] = cert, file

    def opt_tls_self_signed(self) -> None:
        """serve --tls-listen with a certificate that is made for this run, for localhost, and vouched for by nobody:
        for trials, in place of --tls-cert [default: off]
        """
        self.trial_names = self.trial_names or ()

    def opt_tls_self_signed_for(self, host: str) -> None:
        """the same, for this host as well; may be repeated [default: none]"""
        self.trial_names = (*(self.trial_names or ()), host)

    def opt_trusted_proxy(self, cidr: str) -> None:
        """peers whose PROXY headers are believed, and X-Forwarded-* in reverse mode; unix: for UNIX sockets; may be
        repeated [default: none]
        """
        self._add("trusted-proxy", cidr)

    def parsed(self, name: str, parse: Callable[[str], T]) -> T:
        """One option's value; an error names the option."""
        try:
            return parse(self[name])
        except ConfigError as fault:
            raise of_option(fault, name) from None

    def all_parsed(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """The values of a repeated option."""
        try:
            return tuple(parse(text) for text in self.repeated.get(name, ()))
        except ConfigError as fault:
            raise of_option(fault, name) from None

    def given(self, names: Iterable[str]) -> list[str]:
        """Which of these options have another value than their default."""
        defaults = {str(name): value for name, value in reversed(_parameters(type(self)))}
        return [name for name in names if self[name] != defaults.get(name, 0)]

    def shared(self) -> dict[str, Any]:
        """What all modes' configurations have."""
        listen = tuple(self.repeated.get("listen", ()))
        tls_listen = tuple(self.repeated.get("tls-listen", ()))
        if not listen and not tls_listen and self.default_listen is not None:
            listen = (self.default_listen,)
        return {
            "name": self.name,
            "listen": listen,
            "tls_listen": tls_listen,
            "tls": self._tls(),
            "limits": self._limits(),
            "request_limits": self._request_limits(),
            "proxy_protocol": bool(self["proxy-protocol"]),
            "trusted_proxies": self._trusted_proxies(),
        }

    def process(self) -> dict[str, Any]:
        """What is of the whole process."""
        return {"admin": self.admin(), "workers": self.parsed("workers", parse_workers), **self.access_log()}

    def access_log(self) -> dict[str, Any]:
        """Where it goes, or None, and what its lines are like."""
        where: str = self["access-log"]
        format = self.parsed("access-log-format", parse_log_lines)
        if where == "none" and self.given(["access-log-format"]):
            raise ConfigError("--access-log-format needs --access-log: there are no lines")
        return {"access_log": None if where == "none" else where, "access_log_format": format}

    def admin(self) -> AdminConfig | None:
        """Where the admin API is, or None."""
        file: str | None = self["admin-token-file"]
        if self["admin"] is None:
            if file is not None:
                raise ConfigError("--admin-token-file needs --admin ENDPOINT")
            return None
        if file is not None:
            self.parsed("admin-token-file", read_token)
        return self.parsed("admin", lambda text: AdminConfig(listen=endpoint_text(text), token_file=file))

    def _tls(self) -> ListenerTls | None:
        made = self._self_signed()
        if not self.certificates and made is None:
            for name in ("tls-client-ca", "tls-ciphers"):
                if self[name] is not None:
                    raise ConfigError(f"--{name} needs --tls-cert FILE")
            if self["tls-min-version"] != default_of(ListenerTls, "min_version"):
                raise ConfigError("--tls-min-version needs --tls-cert FILE")
            return None
        if "tls-listen" not in self.repeated:
            given = "cert" if made is None else "self-signed-for" if self.trial_names else "self-signed"
            raise ConfigError(f"--tls-{given} needs --tls-listen ENDPOINT")
        offered = () if not self.speaks_http else WITH_HTTP2 if self.http2() else HTTP1
        return ListenerTls(
            certificates=tuple(self.certificates),
            self_signed=made,
            min_version=self["tls-min-version"],
            ciphers=self["tls-ciphers"],
            client_ca=self["tls-client-ca"],
            alpn=offered,
        )

    def _self_signed(self) -> SelfSigned | None:
        """The certificate for trials, if there is to be one."""
        if self.trial_names is None:
            return None
        if self.certificates:
            raise ConfigError("--tls-self-signed and --tls-cert are both there", "accepted is one of them")
        try:
            return self_signed(map(served_name, self.trial_names))
        except ConfigError as fault:
            raise of_option(fault, "tls-self-signed-for") from None

    def _trusted_proxies(self) -> tuple[str, ...]:
        self.all_parsed("trusted-proxy", peer_network)
        if "trusted-proxy" in self.repeated and not self.believes_fields and not self["proxy-protocol"]:
            raise ConfigError("--trusted-proxy needs --proxy-protocol: there is nothing else to believe them here")
        return tuple(self.repeated.get("trusted-proxy", ()))

    def _limits(self) -> Limits:
        limits = Limits(**parse_options(self, Limits, self.parsed))
        if limits.max_target_size is not None and limits.max_target_size > limits.max_header_size:
            given = self["max-target-size"]
            raise ConfigError(
                f"--max-target-size: {given!r} is more than a head", "accepted is --max-header-size at most"
            )
        return limits

    def _request_limits(self) -> tuple[RequestLimit, ...]:
        if self["rate-limit"] is None:
            return ()
        return (RequestLimit(name="rate-limit", rate=self.parsed("rate-limit", parse_rate)),)

    def cache(self) -> CacheSettings:
        """The cache of a mode that reads requests."""
        settings = CacheSettings(**parse_options(self, CacheSettings, self.parsed))
        if settings.dir is None and settings.dir_size != CacheSettings().dir_size:
            raise ConfigError("--cache-dir-size needs --cache-dir DIR")
        return settings

    def http2(self) -> bool:
        """Whether clients may speak HTTP/2."""
        return self.parsed("http2", one_of(("on", "off"))) == "on"

    def via(self) -> str | None:
        """The pseudonym, or None."""
        return self.parsed("via", parse_pseudonym)


def _parameters(options: type) -> list[tuple[object, object]]:
    """Names and defaults of all options that take a value, those of the class itself first."""
    return [(row[0], row[2]) for one in options.__mro__ for row in one.__dict__.get("optParameters", ())]


def say(line: str) -> None:
    """A line for who has typed the command."""
    # twistd may have put its log in place of sys.stderr.
    (sys.__stderr__ or sys.stderr).write(f"{line}\n")
