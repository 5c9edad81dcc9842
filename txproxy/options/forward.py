"""The options of the forward mode."""

from __future__ import annotations

from typing import ClassVar

from txproxy.config import (
    Config,
    ForwardListener,
)
from txproxy.forward.access import LOOPBACK_CLIENTS, Ports, network
from txproxy.forward.destinations import Destinations
from txproxy.forward.mode import FORWARDED_FOR_MODES, ForwardPolicy, forwarded_for_mode
from txproxy.options.shared import ListenerOptions


class ForwardOptions(ListenerOptions):
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
        return Config(listeners=(ForwardListener(policy=policy, **self.shared()),), access_log=self.access_log())
