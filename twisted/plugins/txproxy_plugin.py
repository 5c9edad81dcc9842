"""``twistd txproxy`` and ``twistd --reactor=txproxy``."""

import signal
from typing import Any

from twisted.application.reactors import Reactor
from twisted.application.service import ServiceMaker


class TxproxyMaker(ServiceMaker):
    """A plugin whose loading takes a moment, in which Ctrl-C is not to end in a traceback."""

    @property
    def options(self) -> Any:
        """The options, which come with all the rest."""
        try:
            return super().options
        except KeyboardInterrupt:
            # As the shell says it of a program that a signal ends.
            raise SystemExit(128 + signal.SIGINT) from None


txproxy_service = TxproxyMaker(
    "txproxy", "txproxy.tap", "An HTTP proxy: forward (clients' side), reverse (servers' side), and raw TCP.", "txproxy"
)
txproxy_reactor = Reactor("txproxy", "txproxy.reactor", "epoll(7) with a faster loop (Linux).")
