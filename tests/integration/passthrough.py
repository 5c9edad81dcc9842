"""A program: TLS passed through by server name. ``REACTOR PORT DEFAULT NAME=HOST:PORT...``; ``-`` is no default."""

import importlib
import sys

REACTORS = {"epoll": "twisted.internet.epollreactor", "asyncio": "twisted.internet.asyncioreactor"}


def main(reactor_name, port, default, *named):
    importlib.import_module(REACTORS.get(reactor_name, "txproxy.reactor")).install()
    from twisted.internet import endpoints, reactor

    from txproxy import Limits, Pool
    from txproxy.stream.stream_factory import StreamFactory
    from txproxy.upstreams.upstream_urls import parse_tcp_upstream

    def pool(text):
        return Pool([parse_tcp_upstream(text)])

    sni = {name: pool(text) for name, _, text in (word.partition("=") for word in named)}
    factory = StreamFactory(
        pool(default) if default != "-" else None, sni=sni, limits=Limits(header_timeout=1), reactor=reactor
    )
    endpoints.serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1").listen(factory)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
