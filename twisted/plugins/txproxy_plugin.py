"""``twistd txproxy`` and ``twistd --reactor=txproxy``."""

from twisted.application.reactors import Reactor
from twisted.application.service import ServiceMaker

txproxy_service = ServiceMaker(
    "txproxy", "txproxy.tap", "An HTTP proxy: forward (clients' side), reverse (servers' side), and raw TCP.", "txproxy"
)
txproxy_reactor = Reactor("txproxy", "txproxy.reactor", "epoll(7) with a faster loop (Linux).")
