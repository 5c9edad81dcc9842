"""Dials that succeed, fail and hang, as a test has written them down."""

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from txproxy.errors import ConnectionRefused
from txproxy.interfaces import Address, IDialer
from txproxy.testing.memory_network import MemoryNetwork

WHERE = Address("a.example", 80)


class Listener(Protocol):
    """Keeps what it has heard."""

    heard = b""

    def dataReceived(self, data):
        self.heard += data


@pytest.fixture
def network():
    return MemoryNetwork(Clock())


def dialed(network):
    outcome = []
    network.dial(WHERE, Listener).addBoth(outcome.append)
    return outcome


def test_it_is_a_dialer(network):
    assert verifyObject(IDialer, network)


def test_a_dial_succeeds_at_once_and_the_upstream_may_speak_first(network):
    network.greeting = b"hello"
    (protocol,) = dialed(network)
    assert (protocol.heard, network.dialed, network.connections[0].address) == (b"hello", [WHERE], WHERE)


def test_a_dial_fails_as_scripted_and_the_next_one_does_not(network):
    network.script = [ConnectionRefused("a.example:80")]
    (failure,) = dialed(network)
    assert failure.check(ConnectionRefused)
    assert network.connections == []
    assert isinstance(dialed(network)[0], Listener)


def test_a_dial_hangs_until_it_is_answered(network):
    network.script = ["hang", "hang"]
    first, second = dialed(network), dialed(network)
    assert (first, second, len(network.hanging)) == ([], [], 2)
    network.answer()
    assert (len(first), len(second), len(network.connections)) == (1, 0, 1)
