"""A configuration that runs: its endpoints, and what stands behind each."""

from __future__ import annotations

import attrs
from twisted.application.service import Service

from txproxy.config.endpoints import Bound
from txproxy.config.model import Config
from txproxy.errors import ConfigError, Path
from txproxy.frozen_values import frozen
from txproxy.matching.networks import PeerNetworks
from txproxy.observe.log_formats.connection_facts import Connections
from txproxy.runtime.builder import Assembly, Factory, Served
from txproxy.runtime.entrance import Behind, Entrance
from txproxy.runtime.live.live_logs import LiveLogs


@frozen
class Place:
    """An endpoint of a listener, and what it takes for itself, by which it is told from others."""

    bound: Bound
    text: str
    served: Served
    tls: bool
    path: Path

    def behind(self) -> Behind:
        """What stands behind it."""
        listener = self.served.config
        return Behind(
            factory=self.served.factory,
            tls=self.served.tls if self.tls else None,
            trusted=PeerNetworks(listener.trusted_proxies) if listener.proxy_protocol else None,
            header_timeout=listener.limits.header_timeout,
        )


@attrs.define
class Running:
    """A configuration that runs: what it means, its access logs, and its entrances."""

    assembly: Assembly
    logs: LiveLogs
    entrances: dict[Bound, Entrance] = attrs.field(factory=dict)

    @property
    def factories(self) -> list[Factory]:
        """Each listener's."""
        return self.assembly.factories

    def places(self) -> list[Place]:
        """Each endpoint; ``ConfigError`` if one is there twice."""
        places: list[Place] = []
        for number, served in enumerate(self.assembly.served):
            for text, (kind, at) in served.config.entrance_paths:
                path = ("listeners", number, kind, at)
                bound = Bound.of(text)
                if not bound.port and not bound.path:
                    # A free port each time; the first such endpoint is the first of another configuration.
                    bound = Bound(path=f"{text} {sum(place.text == text for place in places)}")
                elif any(place.bound == bound for place in places):
                    raise ConfigError(f"{text}: it is there twice", "accepted is each endpoint once", path)
                places.append(Place(bound, text, served, kind == "tls_listen", path))
        return places


class RunningService(Service):
    """A service by which a configuration runs, here or in workers."""

    _now: Running

    @property
    def config(self) -> Config:
        """The one that runs."""
        return self._now.assembly.config

    @property
    def assembly(self) -> Assembly:
        """What that means, alive; though nobody is served where workers do that."""
        return self._now.assembly

    @property
    def connections(self) -> Connections:
        """What numbers connections."""
        return self._now.logs.connections
