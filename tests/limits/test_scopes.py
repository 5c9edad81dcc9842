"""Whom a limit is for."""

import pytest

from txproxy.errors import ConfigError
from txproxy.limits.scopes import parse_scope


@pytest.mark.parametrize(
    ("per", "only", "who", "name"),
    [
        ("client", (), ("10.0.0.1", "alice", "staff"), "10.0.0.1"),
        ("client", ("10.0.0.0/8",), ("10.0.0.1", None, ""), "10.0.0.1"),
        ("client", ("10.0.0.0/8",), ("192.0.2.1", None, ""), None),
        ("client", (), ("unix:", None, ""), "unix:"),
        ("client", (), ("2001:db8::1", None, ""), "2001:db8::/64"),
        ("client", (), ("::ffff:10.0.0.1", None, ""), "10.0.0.1"),
        ("client", ("10.0.0.0/8",), ("64:ff9b::10.0.0.1", None, ""), "10.0.0.1"),
        ("client", ("64:ff9b::/96",), ("64:ff9b::10.0.0.1", None, ""), "10.0.0.1"),
        ("client", ("10.0.0.0/8",), ("64:ff9b::11.0.0.1", None, ""), None),
        ("client", ("2001:db8::1/128",), ("2001:db8::1", None, ""), "2001:db8::/64"),
        ("client", ("2001:db8::1/128",), ("2001:db8::2", None, ""), None),
        ("client", (), ("2001:db8::1", None, "", 128), "2001:db8::1"),
        ("client", ("10.0.0.0/8", "0.0.0.0/0"), ("unix:", None, ""), None),
        ("client", ("10.0.0.0/8", "unix:"), ("unix:", None, ""), "unix:"),
        ("user", (), ("10.0.0.1", "alice", "staff"), "alice"),
        ("user", (), ("10.0.0.1", None, "staff"), None),
        ("user", ("bob",), ("10.0.0.1", "alice", "staff"), None),
        ("user", ("bob",), ("10.0.0.1", "bob", "staff"), "bob"),
        ("rule", (), ("10.0.0.1", "alice", "staff"), "staff"),
        ("rule", ("guests", "staff"), ("10.0.0.1", "alice", "staff"), "staff"),
        ("rule", ("guests",), ("10.0.0.1", "alice", "staff"), None),
    ],
)
def test_who_shares(per, only, who, name):
    assert parse_scope(per, only).name(*who) == name


@pytest.mark.parametrize(
    ("per", "only", "says"),
    [
        ("host", (), "per: 'host' shares nothing; accepted: client, user, rule"),
        (
            "client",
            ("alice",),
            "only: 'alice' is no network; accepted are an address, and a CIDR such as 10.0.0.0/8 or fd00::/8, or unix: "
            "for UNIX sockets",
        ),
        ("user", (1,), "only: [1] are no names; accepted is a list of texts"),
    ],
)
def test_what_is_no_scope(per, only, says):
    with pytest.raises(ConfigError) as caught:
        parse_scope(per, only)
    assert str(caught.value) == says
