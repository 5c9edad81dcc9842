"""Instances of classes that tell of their attributes beforehand have no dictionaries of their own."""

import sys

import pytest

from txproxy import Pool, ReverseProxyFactory
from txproxy.instance_names import MOST_NAMES, instance_names
from txproxy.interfaces.record import momentary
from txproxy.testing.proxy_in_memory import ProxyInMemory

pytestmark = pytest.mark.skipif(
    sys.implementation.name != "cpython" or sys.version_info < (3, 11), reason="names are kept in another way"
)
NAMES = tuple(f"name{number}" for number in range(MOST_NAMES))


@instance_names(*NAMES)
class Told:
    name0 = 0


def shares_names(instance):
    """Whether it has values alone: a dictionary with these names of its own is larger."""
    own = vars(instance)
    return sys.getsizeof(own) < sys.getsizeof(dict(list(own.items())))


def test_as_many_as_there_are_places_for_are_shared_by_instances_that_come_late():
    many = [Told() for _ in range(100)]
    for name in NAMES:
        setattr(many[-1], name, 1)
    assert shares_names(many[-1])


def test_the_instance_that_tells_of_them_changes_no_other():
    assert Told().name0 == 0 and not hasattr(Told(), "name1")


def test_more_have_no_place():
    with pytest.raises(AssertionError):
        instance_names(*NAMES, "more")


def test_what_each_request_has_shares_its_names_whatever_came_before_it():
    over = []

    @momentary
    def observer(exchange):
        over.append((exchange, exchange.context))

    pool = Pool(["http://192.0.2.1:8080"])
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, observers=(observer,), reactor=reactor))
    client, upstream = proxy.exchange(
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", answer := b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    )
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    upstream.send(answer)
    proxy.close()
    assert len(over) == 2
    assert all(shares_names(one) for one in over[1])
