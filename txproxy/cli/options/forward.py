"""The options of the forward mode."""

from __future__ import annotations

from typing import ClassVar, Final

from txproxy.auth.auth_policy import AuthPolicy
from txproxy.cache.rules.cache_settings import CacheSettings
from txproxy.cli.options.shared import ListenerOptions, password_file, say
from txproxy.config.model import Config, ForwardListener
from txproxy.config.setting_readers import options_of
from txproxy.forward.access.client_access import LOOPBACK_CLIENTS
from txproxy.forward.access.contradictions import no_such_destination
from txproxy.forward.access.destinations import Destinations
from txproxy.forward.blocklists.filtering import Filters, ListFile
from txproxy.forward.mode import FORWARDED_FOR_MODES, ForwardPolicy, forwarded_for_mode
from txproxy.forward.parents.parent import Parent
from txproxy.matching.hosts import host_pattern
from txproxy.matching.networks import peer_network
from txproxy.matching.ports import port_range

_DEFAULTS: Final = ForwardPolicy()


class ForwardOptions(ListenerOptions):
    """``txproxy forward``"""

    name = "forward"
    default_listen = "tcp:3128:interface=127.0.0.1"
    optParameters: ClassVar[list[list[object]]] = [
        [
            "auth-file",
            None,
            None,
            "htpasswd file of who may use it (bcrypt, SHA-crypt, apr1), else 407 [default: none]",
        ],
        [
            "forwarded-for",
            None,
            _DEFAULTS.forwarded_for,
            f"what becomes of X-Forwarded-For: {', '.join(FORWARDED_FOR_MODES)}",
        ],
        *options_of(CacheSettings),
    ]

    def opt_listen(self, endpoint: str) -> None:
        """accept plain connections here; may be repeated [default: tcp:3128:interface=127.0.0.1]"""
        self._add("listen", endpoint)

    def opt_allow_client(self, cidr: str) -> None:
        """who may use the proxy, others get 403; unix: for UNIX sockets; may be repeated [default: 127.0.0.0/8 and
        ::1]
        """
        self._add("allow-client", cidr)

    def opt_allow_port(self, port: str) -> None:
        """a port or range that may be reached; may be repeated [default: 80, 443 and 1024-65535; CONNECT: 443]"""
        self._add("allow-port", port)

    def opt_allow_destination(self, net: str) -> None:
        """CIDR or host that may be reached though it is loopback, link-local or private; may be repeated [default:
        none]
        """
        self._add("allow-destination", net)

    def opt_allow_host(self, pattern: str) -> None:
        """example.com, *.example.com or .example.com; once given, all others are refused; may be repeated [default:
        all]
        """
        self._add("allow-host", pattern)

    def opt_deny_host(self, pattern: str) -> None:
        """refuse these, whatever --allow-host says; may be repeated [default: none]"""
        self._add("deny-host", pattern)

    def opt_filter(self, file: str) -> None:
        """block list: hosts, hosts-file lines, domain rules or globs over URLs, read again when it changes; may be
        repeated [default: none]
        """
        self._add("filter", file)

    def opt_parent(self, url: str) -> None:
        """go through this proxy: http://, https:// or socks5://, with credentials and ;host=PATTERN; may be repeated
        [default: none]
        """
        self._add("parent", url)

    def config(self) -> Config:
        """The configuration that the options mean."""
        # Each is looked at on its own first, so that an error names its option.
        self.all_parsed("allow-client", peer_network)
        self.all_parsed("allow-port", port_range)
        self.all_parsed("allow-destination", lambda net: Destinations([net]))
        self.all_parsed("allow-host", host_pattern)
        self.all_parsed("deny-host", host_pattern)
        self.all_parsed("parent", Parent)
        filters = self._filters()
        policy = ForwardPolicy(
            allow_clients=self.repeated.get("allow-client", LOOPBACK_CLIENTS),
            allow_ports=self.repeated.get("allow-port"),
            allow_destinations=self.repeated.get("allow-destination", ()),
            allow_hosts=self.repeated.get("allow-host"),
            deny_hosts=self.repeated.get("deny-host", ()),
            filters=filters.files,
            auth=self._auth(),
            parents=self.repeated.get("parent", ()),
            via=self.via(),
            forwarded_for=self.parsed("forwarded-for", forwarded_for_mode),
        )
        for key, _, what in no_such_destination(policy.allow_hosts or (), policy.deny_hosts):
            say(f"txproxy forward: --{key.removesuffix('s').replace('_', '-')}: {what}")
        listener = ForwardListener(policy=policy, http2=self.http2(), **self.shared())
        config = Config(listeners=(listener,), cache=self.cache(), **self.process())
        config.opened.append(filters)
        return config

    def _filters(self) -> Filters:
        files: dict[str, ListFile] = {}

        def read(path: str) -> Filters:
            file = ListFile(path)
            # Two files of the same name in two folders are two lists.
            file = ListFile(path, path) if file.name in files else file
            files[file.name] = file
            return Filters([file])

        # Those that could be read are kept, and not read again.
        kept = self.all_parsed("filter", read)
        return Filters(files.values()) if kept else Filters()

    def _auth(self) -> AuthPolicy | None:
        return self.parsed("auth-file", password_file) if self["auth-file"] is not None else None
