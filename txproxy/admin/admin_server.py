"""The endpoint of the admin API: listened on, kept over reloads, and left last."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txproxy.admin.access_checks import Access
from txproxy.admin.admin_resource import AdminResource
from txproxy.admin.admin_site import AdminSite
from txproxy.admin.api_paths import ApiPaths, Verb
from txproxy.admin.bounding.limit_verbs import LimitVerbs
from txproxy.admin.bounding.quota_verbs import QuotaVerbs
from txproxy.admin.caching.cache_verbs import CacheVerbs
from txproxy.admin.configuration_verbs import ConfigurationVerbs
from txproxy.admin.connections.connection_verbs import ConnectionVerbs
from txproxy.admin.connections.exchange_verbs import ExchangeVerbs
from txproxy.admin.console.console_pages import page_verbs
from txproxy.admin.events.event_verbs import event_verb
from txproxy.admin.events.proxy_status import status_verb
from txproxy.admin.metrics.metric_families import metrics_verb
from txproxy.admin.persist_verb import persist_verb
from txproxy.admin.pool_verbs import PoolVerbs
from txproxy.admin.proxy_view import ProxyView
from txproxy.admin.question_verbs import QuestionVerbs
from txproxy.admin.readiness import health_verbs
from txproxy.admin.self_description import self_description
from txproxy.config.admin_endpoint import UNIX_MODE, AdminConfig
from txproxy.config.endpoints import listen_at, server_endpoint
from txproxy.errors import ConfigError
from txproxy.file_stamps import Stamp
from txproxy.net.transports.adopted_ports import AdoptedEndpoint, LeftSocket, remove_path

_log = Logger()
# How long a request may take that is at work when another program takes this one's place, in seconds.
_LAST_ANSWERS: Final = 1.0
# And how long who has just connected has to ask.
_MOMENT: Final = 0.1


class AdminServer:
    """Serves the admin API of what ``view`` shows to who has ``access``, at the endpoint that this names. Where others
    do what is to be done, ``relayed`` makes of each verb one that asks them.
    """

    def __init__(
        self, access: Access, view: ProxyView, reactor: Any, relayed: Callable[[Verb], Verb] | None = None
    ) -> None:
        self.port: Any = None
        # what has to be removed in the end, where that is not the port's own to do
        self._path = ""
        self._reactor = reactor
        self._resource = AdminResource(ApiPaths(verbs_of(view, reactor, relayed)), access)
        self._site = AdminSite(self._resource, reactor)

    @property
    def config(self) -> AdminConfig:
        """What it serves by."""
        return self._resource.access.config

    def open(self, left: LeftSocket | None = None) -> None:
        """Listen, on the socket that the program before has ``left``, if there is one; ``ConfigError`` if that cannot
        be.
        """
        config = self.config
        text = config.listen
        try:
            endpoint = server_endpoint(self._reactor, text, UNIX_MODE)
            if left is not None:
                family, self._path = left.socket.family, left.path
                endpoint = AdoptedEndpoint(self._reactor, left.socket.detach(), family, shared=False)
                if self._path:
                    # It may be another one's by now.
                    os.chmod(self._path, config.unix_mode)
            self.port = listen_at(endpoint, text, self._site)
        except ConfigError as fault:
            raise fault.at("listen") from None

    def pause(self) -> Deferred[None]:
        """Let whoever comes now wait; fires when all are answered who are here, or it takes too long."""
        self.port.stopReading()
        return Deferred.fromCoroutine(self._site.settle(_MOMENT, _LAST_ANSWERS))

    def resume(self) -> None:
        """Let them in, after all."""
        self.port.startReading()

    @property
    def left(self) -> LeftSocket:
        """What another program in this process goes on with."""
        config = self.config
        path = config.place if config.is_unix else ""
        return LeftSocket(self.port.socket, self._path or (path if isinstance(path, str) else ""))

    def lead_to(self, access: Access) -> None:
        """The same place is to be served as another configuration has it."""
        config = access.config
        if config.is_unix and config.unix_mode != self.config.unix_mode:
            os.chmod(config.bound.path, config.unix_mode)
        self._resource.admit(access)

    def check_token(self) -> None:
        """Read the token again if its file has changed. One that cannot be read changes nothing, and is said."""
        access = self._resource.access
        if not access.changed:
            return
        try:
            self._resource.admit(Access.of(access.config))
        except ConfigError as fault:
            # Once for each change.
            self._resource.admit(attrs.evolve(access, stamp=Stamp.now(access.config.token_file or "")))
            _log.error("{fault}: the token that was there is kept", fault=str(fault))

    def close(self) -> Deferred[Any] | None:
        """Listen no more, and close all clients; gives a Deferred, or None."""
        self._site.abort()
        port, self.port = self.port, None
        closed: Deferred[Any] | None = port.stopListening() if port is not None else None
        path, self._path = self._path, ""
        remove_path(path)
        return closed


def verbs_of(view: ProxyView, reactor: Any, relayed: Callable[[Verb], Verb] | None = None) -> Iterable[Verb]:
    """All that the admin API does, by others where it is ``relayed``."""
    found = [
        *health_verbs(view),
        metrics_verb(view),
        *ConfigurationVerbs(view).verbs(),
        persist_verb(view),
        *PoolVerbs(view).verbs(),
        *ConnectionVerbs(view, reactor).verbs(),
        *ExchangeVerbs(view, reactor).verbs(),
        *LimitVerbs(view, reactor).verbs(),
        *QuotaVerbs(view).verbs(),
        *QuestionVerbs(view, reactor).verbs(),
        *CacheVerbs(view, reactor).verbs(),
    ]
    status = status_verb(view, reactor, found)
    found.append(status)
    if relayed is not None:
        found = [relayed(verb) for verb in found]
        status = found[-1]
    found += [event_verb(status, reactor), *page_verbs()]
    return [*found, *self_description(found)]
