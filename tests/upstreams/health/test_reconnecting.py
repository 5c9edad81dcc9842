"""Whether somebody listens where requests were cut off."""

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from txproxy.errors import ConnectionRefused, ConnectTimeout, OutOfSockets, RequestDenied
from txproxy.interfaces import Address
from txproxy.testing import MemoryNetwork
from txproxy.upstreams.health.reconnecting import Reconnecting

ADDRESS = Address("10.0.0.1", 443, tls=object(), server_name="a.example")


@pytest.fixture
def network():
    return MemoryNetwork(Clock())


@pytest.fixture
def ask(network):
    reconnecting = Reconnecting(network.dial)

    def ask(address=ADDRESS):
        results = []
        return results, reconnecting.gone(address).addBoth(results.append)

    return ask


def test_who_takes_a_connection_is_there_and_it_is_closed_again(network, ask):
    results, _ = ask()
    assert results == [False]
    assert network.dialed == [ADDRESS]
    # for TLS there would have to be two who agree
    assert network.dialed[0].tls is None
    network._clock.advance(0)
    assert network.connections[0].reset and network.connections[0].received == b""


@pytest.mark.parametrize(
    ("fault", "gone"),
    [
        (ConnectionRefused("x"), True),
        (ConnectTimeout("x"), True),
        (RequestDenied("x"), False),
        (OutOfSockets("x"), False),
    ],
)
def test_who_takes_none_is_gone(network, ask, fault, gone):
    network.script = [fault]
    assert ask()[0] == [gone]


def test_as_many_as_ask_at_once_get_one_answer(network, ask):
    network.script = ["hang"]
    asked = [ask() for _ in range(5)]
    other, _ = ask(Address("10.0.0.2", 80))
    assert other == [False] and len(network.dialed) == 2
    asked[0][1].cancel()
    asked[3][1].cancel()
    network.answer()
    assert [results for results, _ in asked[1:3]] == [[False]] * 2 and asked[4][0] == [False]
    assert asked[0][0][0].check(CancelledError) and len(asked[0][0]) == 1
    # and those who ask later another
    assert ask()[0] == [False] and len(network.dialed) == 3


def test_when_nobody_wants_to_know_any_more_it_is_given_up(network, ask):
    network.script = ["hang"]
    asked = [ask() for _ in range(2)]
    asked[0][1].cancel()
    assert not network.hanging[0][0].called
    asked[1][1].cancel()
    assert network.hanging[0][0].called
    # and may be asked again
    assert ask()[0] == [False]


def test_who_leaves_when_another_is_told_is_told_nothing(network, ask):
    network.script = ["hang"]
    (_, first), (second, other) = ask(), ask()
    first.addCallback(lambda _: other.cancel())
    network.answer()
    assert len(second) == 1 and second[0].check(CancelledError)


def test_a_dialer_that_fails_at_once_leaves_nobody_waiting():
    def dial(address, build):
        raise RuntimeError("an embedder's")

    reconnecting = Reconnecting(dial)
    for _ in range(2):
        results = []
        reconnecting.gone(ADDRESS).addBoth(results.append)
        assert results == [False]
