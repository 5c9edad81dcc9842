"""Which address of a name is tried first."""

import pytest

from txproxy.net.dns.address_order import best_first, is_usable

FOUR, OTHER_FOUR = "192.0.2.1", "192.0.2.2"
SIX, OTHER_SIX = "2a00::1", "2a00::2"


@pytest.mark.parametrize(
    ("addresses", "order"),
    [
        ([FOUR], (FOUR,)),
        ([FOUR, OTHER_FOUR, SIX, OTHER_SIX], (SIX, FOUR, OTHER_SIX, OTHER_FOUR)),
        ([FOUR, FOUR, SIX, OTHER_FOUR], (SIX, FOUR, OTHER_FOUR)),
        # RFC 6724: unique local addresses, 6to4 and Teredo after IPv4
        (["fd00::1", FOUR], (FOUR, "fd00::1")),
        (["2002::1", FOUR], (FOUR, "2002::1")),
        (["2001:0:1::1", FOUR], (FOUR, "2001:0:1::1")),
        (["fe80::1%eth0", FOUR], ("fe80::1%eth0", FOUR)),
        ([], ()),
    ],
)
def test_families_take_turns_and_ipv6_begins(addresses, order):
    assert best_first(addresses, lambda address: True) == order


def test_what_cannot_be_reached_comes_last():
    assert best_first([SIX, FOUR, OTHER_SIX], lambda address: ":" not in address) == (FOUR, SIX, OTHER_SIX)
    assert best_first([SIX], lambda address: False) == (SIX,)


def test_this_host_reaches_itself():
    assert is_usable("127.0.0.1")
    assert not is_usable("nonsense")
