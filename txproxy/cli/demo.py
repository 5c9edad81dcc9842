"""``txproxy demo``: three small upstreams, a reverse proxy over them, and a forward proxy."""

from __future__ import annotations

import select
import signal
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet import endpoints
from twisted.internet.defer import ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.web.resource import Resource
from twisted.web.server import Site

from txproxy.cli.arguments import wrong_call
from txproxy.forward.mode import ForwardPolicy
from txproxy.forward.proxy_factory import ForwardProxyFactory
from txproxy.proxy.factory import ProxyFactory
from txproxy.reverse.mode import ReverseProxyFactory
from txproxy.upstreams.pool import Pool


class _Hello(Resource):
    """An upstream: says its name, and what it was told of the client."""

    isLeaf = True

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def render_GET(self, request: Any) -> bytes:
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        client = request.getHeader("x-forwarded-for") or "somebody behind a forward proxy"
        asked = request.uri.decode("latin-1")
        return f"Hello from upstream {self._name}. You are {client}, and asked for {asked}.\n".encode()


async def _start(reactor: Any, factories: list[ProxyFactory]) -> None:
    ports = []
    for name in ("one", "two", "three"):
        site = Site(_Hello(name))
        site.noisy = False
        port = await endpoints.serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(site)
        ports.append(port.getHost().port)
    pool = Pool([f"http://127.0.0.1:{port}" for port in ports])
    factories.append(ReverseProxyFactory(pool, reactor=reactor))
    reverse = await _listen(reactor, 8080, factories[-1])
    policy = ForwardPolicy(allow_destinations=["127.0.0.0/8"], allow_ports=["80", "443", "1024-65535"])
    factories.append(ForwardProxyFactory(policy, reactor=reactor))
    forward = await _listen(reactor, 3128, factories[-1])
    print(
        f"""\
Three upstreams:  {"  ".join(f"http://127.0.0.1:{port}" for port in ports)}
Reverse proxy:    http://127.0.0.1:{reverse}
Forward proxy:    http://127.0.0.1:{forward}

Try, in another terminal:

  curl http://127.0.0.1:{reverse}/
  curl -x http://127.0.0.1:{forward} http://127.0.0.1:{ports[0]}/
  curl -p -x http://127.0.0.1:{forward} http://127.0.0.1:{ports[1]}/

The first, asked again and again, goes round the three. Ctrl-C ends the demonstration.""",
        flush=True,
    )


async def _listen(reactor: Any, wished: int, factory: ProxyFactory) -> int:
    for number in (wished, 0):
        try:
            port = await endpoints.serverFromString(reactor, f"tcp:{number}:interface=127.0.0.1").listen(factory)
        except CannotListenError:
            continue  # taken: any other port will do
        listening: int = port.getHost().port
        return listening
    raise SystemExit(1)


def run(arguments: Sequence[str]) -> int:
    """Run until Ctrl-C or SIGTERM; gives the exit status."""
    if arguments:
        return wrong_call("demo", f"{' '.join(arguments)!r} is too much; accepted is nothing more")
    if hasattr(select, "epoll"):
        from txproxy.reactor import install

        install()
    from twisted.internet import reactor as running

    reactor: Any = running
    factories: list[ProxyFactory] = []
    failed: list[object] = []

    def fail(failure: Any) -> None:
        failed.append(failure)
        sys.stderr.write(f"txproxy demo: {failure.getErrorMessage()}\n")
        reactor.stop()

    def stop(*_: object) -> None:
        reactor.callFromThread(lambda: reactor.running and reactor.stop())

    def started() -> None:
        signal.signal(signal.SIGINT, stop)
        ensureDeferred(_start(reactor, factories)).addErrback(fail)

    def stopping() -> None:
        for factory in factories:
            factory.stop()

    reactor.callWhenRunning(started)
    reactor.addSystemEventTrigger("before", "shutdown", stopping)
    reactor.run()
    return 1 if failed else 0
