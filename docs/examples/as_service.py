"""A proxy that is one of several services of an application: it listens when that starts, and drains when it stops."""

from __future__ import annotations

from typing import Any

from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from txproxy.service import load, make_service


def make_application() -> MultiService:
    """All that runs: what a configuration names, and something of one's own."""
    services = MultiService()
    make_service(load("as_service.toml"), reactor).setServiceParent(services)
    TimerService(60, print, "still here").setServiceParent(services)
    return services


def main(reactor: Any) -> Deferred[None]:
    services = make_application()
    services.privilegedStartService()
    services.startService()
    ended: Deferred[None] = Deferred()
    reactor.addSystemEventTrigger("before", "shutdown", services.stopService)
    return ended


if __name__ == "__main__":
    react(main)
