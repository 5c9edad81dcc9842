"""The endpoints of a configuration that runs."""

import pytest
from twisted.internet.task import Clock

from txproxy.config import Config, ForwardListener
from txproxy.config.endpoints import Bound
from txproxy.errors import ConfigError
from txproxy.net.dns.resolver import Resolver
from txproxy.runtime.builder import Around, Observers, assemble
from txproxy.runtime.live.live_logs import LiveLogs
from txproxy.runtime.running import Running


def running(*listeners):
    clock = Clock()
    config = Config(listeners=tuple(ForwardListener(name=name, listen=listen) for name, listen in listeners))
    return Running(assemble(config, Observers(), Around(clock, Resolver(clock))), LiveLogs(config, None))


def test_each_endpoint_has_its_place():
    places = running(("a", ("tcp:1", "unix:/s")), ("b", ("127.0.0.1:1",))).places()
    assert [(place.bound, place.path) for place in places] == [
        (Bound("", 1), ("listeners", 0, "listen", 0)),
        (Bound(path="/s"), ("listeners", 0, "listen", 1)),
        (Bound("127.0.0.1", 1), ("listeners", 1, "listen", 0)),
    ]


def test_free_ports_are_told_apart_by_their_order():
    bounds = [place.bound.path for place in running(("a", ("tcp:0", "tcp:0")), ("b", ("tcp:0",))).places()]
    assert bounds == ["tcp:0 0", "tcp:0 1", "tcp:0 2"]


def test_one_that_is_there_twice_is_said():
    with pytest.raises(ConfigError, match="1: it is there twice") as fault:
        running(("a", ("tcp:1",)), ("b", ("1",))).places()
    assert fault.value.findings[0].path == ("listeners", 1, "listen", 0)
