"""Taking over the connections of a twisted.web ``Site``."""

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request

from txproxy.net.transports.web_transports import take_channel, when_lost

GONE = Failure(ConnectionDone())


class End(Protocol):
    """Who takes over."""

    def __init__(self):
        self.came = []
        self.lost = None

    def dataReceived(self, data):
        self.came.append(data)

    def connectionLost(self, reason=GONE):
        self.lost = reason


class Waits(Request):
    """A request that is not answered."""

    def process(self):
        self.channel.finished = self.notifyFinish()


@pytest.fixture
def channel():
    """One within a request, on a clock."""
    clock = Clock()
    channel = HTTPChannel()
    channel.callLater = clock.callLater
    channel.requestFactory = Waits
    channel.clock = clock
    channel.makeConnection(StringTransport())
    channel.dataReceived(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    return channel


def test_what_comes_goes_to_who_has_taken_over_and_what_came_early_is_given(channel):
    channel.dataReceived(b"early")
    channel.transport.pauseProducing()
    end = End()
    assert take_channel(channel, end) == b"early"
    channel.dataReceived(b"later")
    assert end.came == [b"later"]
    assert channel.transport.producer is end
    assert channel.transport.producerState == "producing"


def test_no_time_limit_of_the_site_is_left(channel):
    channel.setTimeout(60)
    take_channel(channel, End())
    assert channel.clock.getDelayedCalls() == []


def test_who_has_taken_over_and_the_request_both_learn_of_the_end(channel):
    end, failed = End(), []
    channel.finished.addErrback(failed.append)
    take_channel(channel, end)
    channel.connectionLost(GONE)
    assert end.lost is GONE
    assert failed == [GONE]


def test_a_call_comes_when_the_connection_is_gone_and_the_request_learns_of_it_as_well(channel):
    called, failed = [], []
    channel.finished.addErrback(failed.append)
    when_lost(channel, lambda: called.append(True))
    assert called == []
    channel.connectionLost(GONE)
    assert (called, failed) == ([True], [GONE])
