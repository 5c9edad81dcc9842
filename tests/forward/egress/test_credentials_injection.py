"""Secrets that clients never hold, and tunnels that go where they say."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from txproxy.errors import ConfigError
from txproxy.forward.access.refusals import Blocked
from txproxy.forward.egress.credentials_injection import AgreedName, Injection, Masks
from txproxy.forward.request.privacy import Privacy
from txproxy.forward.request.targets import Targets
from txproxy.testing import context_of

SERVER_NAME, ECH = 0, 0xFE0D
ASKED = "www.example.com"


def said_by_openssl(name=None):
    """What OpenSSL's client says first."""
    connection = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    connection.set_connect_state()
    if name is not None:
        connection.set_tlsext_host_name(name)
    with pytest.raises(SSL.WantReadError):
        connection.do_handshake()
    return connection.bio_read(65536)


def vector(size, data):
    return len(data).to_bytes(size, "big") + data


def hello(*extensions):
    """A ClientHello with these extensions: (number, content)."""
    listed = b"".join(kind.to_bytes(2, "big") + vector(2, content) for kind, content in extensions)
    body = b"\x03\x03" + bytes(32) + vector(1, b"") + vector(2, b"\x13\x01") + vector(1, b"\0") + vector(2, listed)
    return b"\x16\x03\x01" + vector(2, b"\x01" + vector(3, body))


def named(name):
    return SERVER_NAME, vector(2, b"\0" + vector(2, name))


def refused(host, data):
    """Why a tunnel does not begin; None if it does."""
    client = context_of("127.0.0.1")
    try:
        assert AgreedName(host, 443, client).opens(data)
    except Blocked as fault:
        assert client.verdict is fault.verdict
        assert client.verdict.rule == "agree_names"
        start = f"a tunnel to {host} was asked for, and "
        assert client.verdict.reason.startswith(start)
        return client.verdict.reason.removeprefix(start)
    return None


@pytest.mark.parametrize("name", [b"www.example.com", b"WWW.Example.COM"])
def test_a_tunnel_that_asks_for_its_own_host_begins(name):
    assert refused(ASKED, said_by_openssl(name)) is None


def test_it_waits_for_the_whole_of_what_is_said():
    gate = AgreedName(ASKED, 443, context_of("127.0.0.1"))
    data = said_by_openssl(ASKED.encode())
    assert not any(gate.opens(data[:length]) for length in range(len(data)))
    assert gate.opens(data)


@pytest.mark.parametrize("name", [b"evil.example", b"example.com", b"www.example.com.evil.example", b"192.0.2.1"])
def test_one_that_asks_for_another_host_does_not(name):
    assert refused(ASKED, said_by_openssl(name)) == f"its ClientHello asks for {name.decode()}"


def test_nor_one_that_asks_for_none():
    assert refused(ASKED, said_by_openssl()) == "its ClientHello names no host"


def test_nor_one_whose_hello_is_encrypted():
    data = hello(named(b"www.example.com"), (ECH, bytes(40)))
    assert refused(ASKED, data) == "its ClientHello is encrypted, or pretends to be (ECH)"
    assert refused("192.0.2.1", hello((ECH, bytes(40)))) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",
        hello(named(b"www.example.com"), named(b"evil.example")),
        hello(named(b"www.example.com\0.evil.example")),
    ],
)
def test_nor_what_is_no_tls(data):
    assert refused(ASKED, data).startswith("it does not begin as TLS does: ")


def test_an_address_needs_no_name_but_may_not_have_another():
    assert refused("192.0.2.1", said_by_openssl()) is None
    assert refused("2001:db8::1", said_by_openssl()) is None
    assert refused("192.0.2.1", said_by_openssl(b"evil.example")) == "its ClientHello asks for evil.example"


def test_who_is_turned_away_is_told_so_by_tls():
    client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    gate = AgreedName(ASKED, 443, context_of("127.0.0.1"))
    with pytest.raises(Blocked):
        gate.opens(client.bio_read(65536))
    client.bio_write(gate.farewell)
    with pytest.raises(SSL.Error, match="access denied"):
        client.do_handshake()


def test_who_does_not_speak_it_is_told_nothing():
    gate = AgreedName(ASKED, 443, context_of("127.0.0.1"))
    with pytest.raises(Blocked):
        gate.opens(b"GET / HTTP/1.1\r\n")
    assert gate.farewell == b""


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda data: b"\x16\x03\x01" + data)))
def test_nothing_that_is_said_makes_a_gate_fail(data):
    gate = AgreedName(ASKED, 443, context_of("127.0.0.1"))
    with contextlib.suppress(Blocked):
        assert gate.opens(data) in (True, False)


@given(st.data())
def test_no_change_to_a_hello_lets_another_name_pass(data):
    changed = bytearray(hello(named(b"www.example.com")))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Blocked):
        if AgreedName(ASKED, 443, context_of("127.0.0.1")).opens(bytes(changed)):
            assert b"www.example.com" in bytes(changed).lower()


# -- injection


def lines(masks, scheme=b"https", authority=b"api.example.com", rule=""):
    mask = masks.find(Targets().find(scheme, authority), rule)
    return None if mask is None else (mask.lines, mask.drop)


@pytest.fixture
def masks():
    return Masks([], [Injection(origin="https://API.example.com", headers={"Authorization": "Bearer s3cret"})])


@pytest.mark.parametrize("scheme", [b"https", b"wss"])
@pytest.mark.parametrize("authority", [b"api.example.com", b"API.example.com.:443", b"%61pi.example.com"])
def test_a_secret_goes_to_its_origin(masks, scheme, authority):
    assert lines(masks, scheme, authority) == ((b"Authorization: Bearer s3cret",), {b"authorization"})


@pytest.mark.parametrize(
    ("scheme", "authority"),
    [
        (b"http", b"api.example.com"),
        (b"http", b"api.example.com:443"),
        (b"https", b"api.example.com:8443"),
        (b"https", b"www.api.example.com"),
        (b"https", b"example.com"),
    ],
)
def test_and_nowhere_else(masks, scheme, authority):
    assert lines(masks, scheme, authority) is None


def test_what_a_client_says_of_itself_goes_nowhere_even_where_the_secret_is_a_cookie():
    masks = Masks([], [Injection(origin="http://a.example:8080/", headers={"Cookie": "id=1", "X-Key": "2"})])
    found, drop = lines(masks, b"http", b"a.example:8080")
    assert found == (b"Cookie: id=1", b"X-Key: 2")
    assert drop == {b"authorization", b"cookie", b"x-key"}


def test_a_secret_may_be_for_some_rules_alone():
    masks = Masks([], [Injection(origin="https://api.example.com", headers={"Authorization": "x"}, rules="agents")])
    assert lines(masks, rule="agents") is not None
    assert lines(masks, rule="guests") is None
    assert lines(masks) is None


def test_a_secret_comes_after_privacy_and_in_place_of_what_that_would_say():
    privacy = Privacy(replace={"authorization": "none", "User-Agent": "none"}, keep=["Accept"])
    masks = Masks([privacy], [Injection(origin="https://api.example.com", headers={"Authorization": "x"})])
    assert lines(masks)[0] == (b"User-Agent: none", b"Authorization: x")
    assert lines(masks, authority=b"b.example")[0] == (b"authorization: none", b"User-Agent: none")


def test_nothing_to_change_is_false():
    assert not Masks([], [])
    assert Masks([Privacy(remove="X")], [])


@pytest.mark.parametrize(
    "origin",
    ["api.example.com", "ftp://a.example", "https://a.example/path", "https://a@b.example", "https://", "https://a:b"],
)
def test_what_is_no_origin_is_refused(origin):
    with pytest.raises(ConfigError, match="accepted"):
        Injection(origin=origin, headers={"Authorization": "x"})


@pytest.mark.parametrize("headers", [{}, {"Host": "x"}, {"A": "s3cret\r\n"}, {"a b": "x"}])
def test_what_cannot_be_sent_is_refused_and_not_repeated(headers):
    with pytest.raises(ConfigError, match="accepted") as raised:
        Injection(origin="https://a.example", headers=headers)
    assert "s3cret" not in str(raised.value)


def test_a_secret_is_in_no_repr():
    assert "s3cret" not in repr(Injection(origin="https://a.example", headers={"A": "s3cret"}))
