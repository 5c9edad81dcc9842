"""What an address is called, and which of them share connections."""

import attrs
import pytest

from txproxy.interfaces.address import Address


class Proxy:
    """A hop, as far as addresses look at it."""

    def __init__(self, key):
        self.key = key

    def __str__(self):
        return self.key.partition("#")[0]


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (Address("a.example", 80), "a.example:80"),
        (Address("2001:db8::1", 80), "[2001:db8::1]:80"),
        (Address(path="/run/a.sock"), "unix:/run/a.sock"),
        (Address("app", local=object()), "local:app"),
        (Address("a.example", 80, through=Proxy("p#1")), "a.example:80 through p"),
        (Address(through=Proxy("p#1")), "p"),
    ],
)
def test_as_text_it_is_where_it_leads(address, text):
    assert str(address) == text


@pytest.mark.parametrize(
    "other",
    [
        {"port": 81},
        {"tls": object(), "server_name": "a.example"},
        {"preface": b"PROXY"},
        {"bind": "10.0.0.1"},
        {"tolerate": frozenset({"bare-lf"})},
        {"pinned": ("10.0.0.1",)},
        {"through": Proxy("p#1")},
    ],
    ids=lambda other: "-".join(other),
)
def test_what_makes_another_connection_makes_another_key(other):
    address = Address("a.example", 80)
    assert attrs.evolve(address, **other).key != address.key


def test_a_proxy_that_is_asked_in_other_words_is_another():
    first, second = (Address("a.example", 80, through=Proxy(key)) for key in ("p#1", "p#2"))
    assert (str(first), first.key != second.key) == (str(second), True)


def test_the_order_of_looked_up_addresses_is_no_difference():
    first = Address("a.example", 80, pinned=("10.0.0.1", "10.0.0.2"))
    assert first.key == Address("a.example", 80, pinned=("10.0.0.2", "10.0.0.1")).key
