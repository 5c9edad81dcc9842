"""Whom a request is from: what trusted proxies say, and nothing that others do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.errors import ConfigError
from txproxy.matching.networks import Networks
from txproxy.reverse.client_identity import Believed, Trust, peer_alone
from txproxy.wire.headers import Headers

TRUST = Trust(["10.0.0.0/8", "fd00::/8"])
PEER = "10.0.0.1"


def believe(peer_ip: str = PEER, scheme: str = "http", trust: Trust = TRUST, **fields: str) -> Believed:
    """What is believed of a request with these fields (``x_forwarded_for="..."``)."""
    lines = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in fields.items()]
    return trust.believe(peer_ip, scheme, Headers(lines))


@pytest.mark.parametrize("peer_ip", ["11.0.0.1", "192.0.2.1", "::1", "unknown"])
def test_strangers_are_not_believed(peer_ip):
    believed = believe(
        peer_ip,
        x_forwarded_for="192.0.2.9",
        forwarded="for=192.0.2.9",
        x_forwarded_proto="https",
        x_forwarded_host="bank.example",
        x_forwarded_port="443",
        x_real_ip="192.0.2.9",
    )
    assert believed == Believed(peer_ip, "http", b"", 0, peer_ip.encode())
    assert believed is peer_alone(peer_ip, "http")


@pytest.mark.parametrize(
    ("value", "client_ip", "chain"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1, 10.0.0.1"),
        # what the client has sent itself is left of it, and goes no further
        ("6.6.6.6, 192.0.2.1", "192.0.2.1", "192.0.2.1, 10.0.0.1"),
        ("10.0.0.5, 192.0.2.1", "192.0.2.1", "192.0.2.1, 10.0.0.1"),
        # over trusted proxies
        ("192.0.2.1, 10.0.0.2", "192.0.2.1", "192.0.2.1, 10.0.0.2, 10.0.0.1"),
        ("6.6.6.6, 192.0.2.1, fd00::2, 10.0.0.2", "192.0.2.1", "192.0.2.1, fd00::2, 10.0.0.2, 10.0.0.1"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3", "10.0.0.3, 10.0.0.2, 10.0.0.1"),
        # what is no address ends the walk
        ("192.0.2.1, unknown, 10.0.0.2", "10.0.0.2", "10.0.0.2, 10.0.0.1"),
        ("192.0.2.1, _x", "10.0.0.1", "10.0.0.1"),
        ("192.0.2.1, 10.0.0.2; DROP TABLE", "10.0.0.1", "10.0.0.1"),
        # forms that proxies write
        ("192.0.2.1:4711", "192.0.2.1", "192.0.2.1, 10.0.0.1"),
        ("192.0.2.1:0", "192.0.2.1", "192.0.2.1, 10.0.0.1"),
        ("2001:DB8::0:1", "2001:db8::1", "2001:db8::1, 10.0.0.1"),
        ("[2001:db8::1]", "2001:db8::1", "2001:db8::1, 10.0.0.1"),
        ("[2001:db8::1]:443", "2001:db8::1", "2001:db8::1, 10.0.0.1"),
        ("192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1", "192.0.2.1, 10.0.0.2, 10.0.0.1"),
        (" 192.0.2.1\t,, , 10.0.0.2 ,", "192.0.2.1", "192.0.2.1, 10.0.0.2, 10.0.0.1"),
        ("", "10.0.0.1", "10.0.0.1"),
        (" , ,", "10.0.0.1", "10.0.0.1"),
    ],
)
def test_the_chain_is_walked_from_the_right(value, client_ip, chain):
    believed = believe(x_forwarded_for=value.strip(" \t"))
    assert (believed.client_ip, believed.chain) == (client_ip, chain.encode())
    assert believed.lines[:2] == (b"X-Forwarded-For: " + chain.encode(), b"X-Real-IP: " + client_ip.encode())


@pytest.mark.parametrize(
    "entry",
    [
        *[
            "localhost",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.01",
            "1",
            "1:2",
            "192.0.2.1:",
            "192.0.2.1:123456",
            "a",
            "[::1",
        ],
        *["192.0.2.1:x", "[192.0.2.1]", "[::1]x", "[::1]:", "[]", "::g", "fe80::1%eth0", '"192.0.2.1"', "192.0.2.1/24"],
        *["\xb2", "for=192.0.2.1", "192.0.2.1 192.0.2.2", "unix:", "-"],
    ],
)
def test_what_is_no_address_is_not_believed(entry):
    assert believe(x_forwarded_for=f"192.0.2.1, {entry}").client_ip == PEER
    assert believe(x_forwarded_for=f"192.0.2.1, {entry}, 10.0.0.2").client_ip == "10.0.0.2"


def test_repeated_fields_are_one_list():
    headers = Headers([(b"X-Forwarded-For", b"6.6.6.6, 192.0.2.1"), (b"x-forwarded-for", b"10.0.0.2")])
    assert TRUST.believe(PEER, "http", headers).client_ip == "192.0.2.1"


def test_a_trusted_peer_that_says_nothing_is_the_client():
    assert believe(scheme="https") is peer_alone(PEER, "https")
    assert believe(x_real_ip="192.0.2.1").client_ip == PEER


def test_a_chain_that_is_too_long_is_not_walked_to_its_end():
    chain = ", ".join(f"10.0.{number}.1" for number in range(255, 0, -1))
    assert believe(x_forwarded_for=chain).client_ip == "10.0.32.1"


@pytest.mark.parametrize(
    ("value", "client_ip", "scheme", "host"),
    [
        ("for=192.0.2.1", "192.0.2.1", "http", b""),
        ("for=192.0.2.1;proto=https;host=a.example", "192.0.2.1", "https", b"a.example"),
        ('for=6.6.6.6;proto=http, for="192.0.2.1:80";proto=https;host="a.example:8443"', "192.0.2.1", "https",
         b"a.example:8443"),
        ('for="[2001:db8::1]";proto=https, for=10.0.0.2;proto=http;host=b', "2001:db8::1", "https", b""),
        ('for="[::ffff:192.0.2.1]:80"', "192.0.2.1", "http", b""),
        # who hides its client still tells how that came
        ("for=192.0.2.1, for=_hidden;proto=https;host=a, for=10.0.0.2;proto=http", "10.0.0.2", "https", b"a"),
        ("for=unknown;proto=https", PEER, "https", b""),
        ("by=10.0.0.1", PEER, "http", b""),
        ("proto=gopher;for=192.0.2.1", "192.0.2.1", "http", b""),
        ('host="a b";for=192.0.2.1', "192.0.2.1", "http", b""),
        # what is malformed ends the walk
        ('for="", for=10.0.0.2', "10.0.0.2", "http", b""),
        ('for=", for=192.0.2.1', "192.0.2.1", "http", b""),
        ("for=192.0.2.1:80", PEER, "http", b""),
        ("192.0.2.1", PEER, "http", b""),
    ],
)  # fmt: skip
def test_forwarded_is_walked_where_the_other_is_absent(value, client_ip, scheme, host):
    believed = believe(forwarded=value)
    assert (believed.client_ip, believed.scheme, believed.host) == (client_ip, scheme, host)
    # fields of the other kind were let pass, perhaps
    assert believe(forwarded=value, x_forwarded_proto="https", x_forwarded_host="evil.example") == believed


def test_x_forwarded_for_is_believed_if_both_are_there():
    contradiction = {"x_forwarded_for": "192.0.2.1", "forwarded": "for=6.6.6.6;proto=https;host=evil.example"}
    assert believe(**contradiction) == believe(x_forwarded_for="192.0.2.1")


def test_one_header_can_be_chosen():
    both = {"x_forwarded_for": "192.0.2.1", "forwarded": "for=192.0.2.2;proto=https"}
    listed = Trust(["10.0.0.0/8"], header="x-forwarded-for")
    standard = Trust(["10.0.0.0/8"], header="forwarded")
    assert believe(trust=listed, **both).client_ip == "192.0.2.1"
    assert believe(trust=standard, **both).client_ip == "192.0.2.2"
    assert believe(trust=listed, forwarded="for=192.0.2.2").client_ip == PEER
    assert believe(trust=standard, x_forwarded_for="192.0.2.1").client_ip == PEER
    with pytest.raises(ConfigError, match="accepted: x-forwarded-for, forwarded"):
        Trust([], header="x-real-ip")
    with pytest.raises(ConfigError, match="accepted are an address, and a CIDR"):
        Trust(["a"])


@pytest.mark.parametrize(
    ("chain", "proto", "scheme"),
    [
        ("192.0.2.1", "https", "https"),
        ("192.0.2.1", "HTTPS", "https"),
        ("192.0.2.1", "wss", "https"),
        ("192.0.2.1", "ws", "http"),
        # the client's own word is left of the proxy's
        ("192.0.2.1", "https, http", "http"),
        ("6.6.6.6, 192.0.2.1", "http, https", "https"),
        # one entry a proxy, or one for all
        ("192.0.2.1, 10.0.0.2", "https, http", "https"),
        ("192.0.2.1, 10.0.0.2", "https", "https"),
        ("192.0.2.1, 10.0.0.3, 10.0.0.2", "https, http", "https"),
        ("192.0.2.1, 10.0.0.2", "http, https, http", "https"),
        (None, "https", "https"),
        (None, "http, https", "https"),
        ("nonsense", "http, https", "https"),
        ("192.0.2.1", "gopher", "http"),
        ("192.0.2.1", ",", "http"),
    ],
)
def test_the_scheme_is_the_one_that_the_clients_own_proxy_has_seen(chain, proto, scheme):
    fields = {"x_forwarded_proto": proto} | ({"x_forwarded_for": chain} if chain is not None else {})
    believed = believe(**fields)
    assert believed.scheme == scheme
    assert b"X-Forwarded-Proto: " + scheme.encode() in believed.lines


def test_a_scheme_that_nobody_tells_is_the_connections_own():
    assert believe(scheme="https", x_forwarded_for="192.0.2.1").scheme == "https"
    assert believe(scheme="https", x_forwarded_for="192.0.2.1", x_forwarded_proto="http").scheme == "http"


def test_host_and_port():
    believed = believe(x_forwarded_for="192.0.2.1", x_forwarded_host="evil, a.example:8443", x_forwarded_port="8443")
    assert (believed.host, believed.port) == (b"a.example:8443", 8443)
    assert believed.lines[-1] == b"X-Forwarded-Port: 8443"
    for host in ("a b", "u@a", "a/b", "a:0", ","):
        assert believe(x_forwarded_for="192.0.2.1", x_forwarded_host=host).host == b""
    for port in ("0", "65536", "-1", "x", "123456", ","):
        believed = believe(x_forwarded_for="192.0.2.1", x_forwarded_port=port)
        assert believed.port == 0 and len(believed.lines) == 3


def test_unix_sockets_are_trusted_where_they_are_named_and_stand_in_no_chain():
    trust = Trust(["10.0.0.0/8", "unix:"])
    assert believe("unix:", trust=trust, x_forwarded_for="192.0.2.1, 10.0.0.2").chain == b"192.0.2.1, 10.0.0.2"
    assert believe("unix:", x_forwarded_for="192.0.2.1").chain == b"unix:"
    assert believe("unix:").chain == b"unix:"


def test_what_is_told_on_is_believed_by_the_next():
    first = believe(x_forwarded_for="6.6.6.6, 192.0.2.1, 10.0.0.2", x_forwarded_proto="https")
    second = believe("10.0.0.9", x_forwarded_for=first.chain.decode(), x_forwarded_proto="https")
    assert (second.client_ip, second.scheme) == ("192.0.2.1", "https")


def test_answers_are_remembered_unless_they_are_long():
    short = {"x_forwarded_for": "192.0.2.1", "x_forwarded_proto": "https"}
    assert believe(**short) is believe(**short)
    assert believe(**short) is not believe(scheme="https", **short)
    long = {"x_forwarded_for": "6.6.6.6, " * 200 + "192.0.2.1"}
    assert believe(**long) is not believe(**long)
    assert believe(**long) == believe(x_forwarded_for="192.0.2.1")


ENTRIES = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(network="10.0.0.0/8").map(str),
    st.ip_addresses(network="fd00::/8").map(str),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters=",\x7f"), max_size=12),
)


@given(st.lists(ENTRIES, max_size=6), ENTRIES)
def test_nothing_that_a_client_sends_changes_what_is_believed(sent, client):
    # The client sends whatever it likes, and two trusted proxies append what they see.
    client_ip = "192.0.2.77"
    seen = [*sent, client_ip, "10.0.0.2"]
    for value in ([client_ip, "10.0.0.2"], seen, [client, *seen]):
        believed = believe(x_forwarded_for=", ".join(value))
        assert (believed.client_ip, believed.chain) == (client_ip, b"192.0.2.77, 10.0.0.2, 10.0.0.1")
    line = ", ".join([*sent, "for=192.0.2.77;proto=https", "for=10.0.0.2"])
    assert believe(forwarded=line).client_ip == client_ip


@given(st.binary(max_size=80), st.sampled_from([b"X-Forwarded-For", b"Forwarded"]))
def test_no_bytes_raise_and_the_believed_are_addresses(value, name):
    believed = TRUST.believe(PEER, "http", Headers.from_lines([name + b": " + value]))
    everybody = Networks(["0.0.0.0/0", "::/0"])
    assert believed.client_ip in everybody
    assert all(entry in everybody for entry in believed.chain.decode().split(", "))
