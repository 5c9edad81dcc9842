"""Both sides of a raw stream before there is a tunnel, and once there is one."""

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from txproxy.stream.relay import Relay, StreamUpstream
from txproxy.testing import MemoryConnection


class End:
    """An end of a tunnel, which notes what it is told."""

    def __init__(self):
        self.told = []

    def __getattr__(self, name):
        return lambda *words: self.told.append((name, *words))


def tell_all(relay, gone):
    relay.dataReceived(b"x")
    relay.readConnectionLost()
    relay.pauseProducing()
    relay.resumeProducing()
    relay.connectionLost(gone)


@pytest.mark.parametrize("kind", [Relay, StreamUpstream])
def test_the_end_of_a_tunnel_is_told_all_that_the_transport_tells(kind):
    relay, end, gone = kind(), End(), Failure(ConnectionDone())
    MemoryConnection(Clock(), relay)
    tell_all(relay, gone)
    relay.tunnel = end
    tell_all(relay, gone)
    assert end.told == [
        ("dataReceived", b"x"),
        ("readConnectionLost",),
        ("pauseProducing",),
        ("resumeProducing",),
        ("connectionLost", gone),
    ]


def test_what_an_upstream_says_early_is_kept_for_the_tunnel():
    upstream = StreamUpstream()
    transport = MemoryConnection(Clock(), upstream)
    transport.send(b"220 ")
    transport.send(b"ready")
    end = End()
    assert upstream.become_tunnel(end) == b"220 ready"
    transport.send(b"x")
    assert end.told == [("dataReceived", b"x")]
    assert upstream.transport is transport


def test_an_upstream_that_nobody_wants_any_more_is_reset():
    upstream = StreamUpstream()
    transport = MemoryConnection(Clock(), upstream)
    upstream.close()
    assert transport.reset
