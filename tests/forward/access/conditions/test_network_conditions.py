"""Conditions on addresses: what they ask of clients and of hosts."""

import pytest

from tests.forward.access.conditions.asking import fits, request
from txproxy.forward.blocklists.filtering import Filters


@pytest.mark.parametrize(
    ("key", "value", "facts", "expected"),
    [
        ("clients", ["10.0.0.0/8", "::1"], {"client_ip": "10.1.2.3"}, True),
        ("clients", ["10.0.0.0/8", "::1"], {"client_ip": "::1"}, True),
        ("clients", "10.0.0.0/8", {"client_ip": "11.0.0.1"}, False),
        ("clients", "10.0.0.0/8", {"client_ip": "::ffff:10.0.0.1"}, True),
        ("clients", "::ffff:10.0.0.0/104", {"client_ip": "10.0.0.1"}, True),
        ("clients", "fe80::/10", {"client_ip": "fe80::1%eth0"}, True),
        # A UNIX socket is no network's, unless it is named.
        ("clients", ["0.0.0.0/0", "::/0"], {"client_ip": "unix:"}, False),
        ("clients", "unix:", {"client_ip": "unix:"}, True),
        ("clients", "unix:", {"client_ip": "10.0.0.1"}, False),
        ("clients", "0.0.0.0/0", {"client_ip": "?"}, False),
        ("not_clients", "10.0.0.0/8", {"client_ip": "11.0.0.1"}, True),
    ],
)
def test_what_a_condition_asks(key, value, facts, expected):
    assert fits(key, value, request(**facts)) is expected


@pytest.mark.parametrize(
    ("key", "addresses", "one", "every"),
    [
        ("addresses", ("10.0.0.1",), True, True),
        ("addresses", ("10.0.0.1", "192.0.2.1"), True, False),
        ("addresses", ("192.0.2.1",), False, False),
        ("addresses", ("::ffff:10.0.0.1",), True, True),
        # NAT64: to allow 10.0.0.0/8 is not to allow the ways to it; to refuse it is to refuse them.
        ("addresses", ("64:ff9b::a00:1",), True, False),
        ("addresses", (), False, False),
        ("not_addresses", ("10.0.0.1",), False, False),
        ("not_addresses", ("10.0.0.1", "192.0.2.1"), True, False),
        ("not_addresses", ("192.0.2.1",), True, True),
        ("not_addresses", ("64:ff9b::a00:1",), True, False),
        ("not_addresses", (), False, False),
    ],
)
def test_one_address_is_enough_to_refuse_and_all_are_needed_to_allow(key, addresses, one, every):
    facts = request(addresses=addresses)
    assert fits(key, "10.0.0.0/8", facts) is one
    assert fits(key, "10.0.0.0/8", facts, every=True) is every


def test_a_literal_is_its_own_address():
    assert fits("addresses", "10.0.0.0/8", request(host="10.1"))
    assert not fits("addresses", "10.0.0.0/8", request(host="192.0.2.1"))
    assert not fits("addresses", "10.0.0.0/8", request(host="name.example"))


@pytest.mark.parametrize(
    ("key", "value", "facts"),
    [
        ("clients", "10.0.0.0/8", {"client_ip": "64:ff9b::10.0.0.1"}),
        ("clients", "10.0.0.0/8", {"client_ip": "2002:a00:1::1"}),
        ("hosts", "8.8.4.4", {"host": "64:ff9b::8.8.4.4"}),
        ("hosts", "~8[.]8[.].*", {"host": "64:ff9b::8.8.4.4"}),
        ("url", "*://8.8.4.4/*", {"host": "64:ff9b::8.8.4.4"}),
    ],
)
def test_another_way_to_an_address_is_refused_with_it_and_not_allowed_with_it(key, value, facts):
    asked = request(**facts)
    assert fits(key, value, asked) and not fits(key, value, asked, every=True)
    # Nor is it taken from what is refused, and it is from what is allowed.
    assert fits(f"not_{key}", value, asked) and not fits(f"not_{key}", value, asked, every=True)


@pytest.mark.parametrize("entry", ["8.8.4.4", "*://8.8.4.4/*"])
def test_nor_is_it_where_the_address_is_on_a_list(tmp_path, entry):
    (tmp_path / "some").write_text(f"{entry}\n")
    lists = Filters([str(tmp_path / "some")])
    for host, allowed in (("8.8.4.4", True), ("64:ff9b::8.8.4.4", False)):
        asked = request(host=host)
        assert fits("hosts", "@some", asked, lists=lists)
        assert fits("hosts", "@some", asked, every=True, lists=lists) is allowed
        assert fits("not_hosts", "@some", asked, lists=lists) is not allowed
        assert not fits("not_hosts", "@some", asked, every=True, lists=lists)
