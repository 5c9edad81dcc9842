"""Which connections are kept."""

from txproxy.proxy.connections import Connections


class Connection:
    def __init__(self, key):
        self.key = key


def test_the_one_used_last_is_taken_first():
    connections = Connections(per_address=5, in_all=5)
    first, second = Connection("a"), Connection("a")
    connections.keep(first)
    connections.keep(second)
    assert connections.take("b") is None
    assert connections.take("a") is second
    assert connections.take("a") is first
    assert connections.take("a") is None


def test_the_oldest_of_an_address_goes_when_there_are_too_many():
    connections = Connections(per_address=1, in_all=5)
    first, second = Connection("a"), Connection("a")
    assert connections.keep(first) is None
    assert connections.keep(second) is first
    assert connections.all() == [second]


def test_the_oldest_of_all_goes_when_there_are_too_many_in_all():
    connections = Connections(per_address=5, in_all=2)
    first, second, third = Connection("a"), Connection("b"), Connection("c")
    connections.keep(first)
    connections.keep(second)
    assert connections.keep(third) is first
    assert len(connections) == 2


def test_one_that_is_discarded_is_not_taken():
    connections = Connections(per_address=5, in_all=5)
    connection = Connection("a")
    connections.discard(connection)
    connections.keep(connection)
    connections.discard(connection)
    assert connections.take("a") is None
    assert len(connections) == 0
