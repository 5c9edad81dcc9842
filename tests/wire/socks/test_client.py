"""The side that asks a parent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.socks.said import BY_IPV4, BY_IPV6, FREE, LOGIN, REPLY, WITH_LOGIN
from txproxy.errors import DialError
from txproxy.wire.socks.client import SocksClient


@pytest.mark.parametrize(
    ("host", "port", "request_bytes"),
    [
        ("example.com", 443, b"\x05\x01\x00\x03\x0bexample.com\x01\xbb"),
        ("192.0.2.7", 80, BY_IPV4),
        ("2001:db8::1", 80, BY_IPV6),
    ],
)
def test_a_parent_is_asked_for_a_connection(host: str, port: int, request_bytes: bytes) -> None:
    client = SocksClient(host, port)
    assert client.take_output() == FREE
    client.receive(b"\x05\x00")
    assert client.take_output() == request_bytes
    assert not client.open
    client.receive(REPLY)
    assert client.open
    assert client.take_output() == b""
    assert client.take_buffered() == b""


def test_a_parent_gets_the_credentials_if_it_asks() -> None:
    client = SocksClient("example.com", 443, b"bob", b"secret")
    assert client.take_output() == WITH_LOGIN
    client.receive(b"\x05\x02")
    assert client.take_output() == LOGIN
    client.receive(b"\x01\x00")
    assert client.take_output().startswith(b"\x05\x01\x00\x03")


def test_a_parent_that_does_not_ask_gets_no_credentials() -> None:
    client = SocksClient("example.com", 443, b"bob", b"secret")
    client.take_output()
    client.receive(b"\x05\x00")
    assert client.take_output().startswith(b"\x05\x01\x00\x03")


@pytest.mark.parametrize("reply", [REPLY, b"\x05\x00\x00\x03\x01a\x00\x01", b"\x05\x00\x00\x04" + bytes(18)])
def test_a_reply_comes_byte_by_byte_and_the_tunnel_right_behind(reply: bytes) -> None:
    client = SocksClient("example.com", 443)
    client.receive(b"\x05")
    client.receive(b"\x00")
    for index in range(len(reply)):
        assert not client.open
        client.receive(reply[index : index + 1])
    assert client.open
    client.receive(b"first")
    assert client.take_buffered() == b"first"
    another = SocksClient("example.com", 443)
    another.receive(b"\x05\x00")
    another.receive(reply + b"first")
    assert another.take_buffered() == b"first"


@pytest.mark.parametrize(
    ("name", "steps", "detail"),
    [
        (None, [b"HTTP/1.1 400 Bad Request\r\n"], "does not speak"),
        (None, [b"\x00\x5b"], "does not speak"),
        (None, [b"\x05\xff"], "wants credentials"),
        (b"bob", [b"\x05\xff"], "wants other credentials"),
        (None, [b"\x05\x02"], "does not speak"),
        (b"bob", [b"\x05\x01"], "does not speak"),
        (None, [b"\x05\x00\x05\x00"], "does not speak"),
        (b"bob", [b"\x05\x02", b"\x01\x01"], "refused the credentials"),
        (b"bob", [b"\x05\x02", b"\x05\x00"], "does not speak"),
        (b"bob", [b"\x05\x02", b"\x01\x00\x05\x00"], "does not speak"),
        (None, [b"\x05\x00", b"\x04"], "does not speak"),
        (None, [b"\x05\x00", b"\x05\x00\x01\x01"], "does not speak"),
        (None, [b"\x05\x00", b"\x05\x00\x00\x02"], "does not speak"),
    ],
)
def test_a_parent_that_will_not_is_an_error_and_safe_to_go_round(
    name: bytes | None, steps: list[bytes], detail: str
) -> None:
    client = SocksClient("example.com", 443, name, b"secret")
    client.take_output()
    for step in steps[:-1]:
        client.receive(step)
    with pytest.raises(DialError, match=detail) as caught:
        client.receive(steps[-1])
    assert caught.value.retry_safe
    assert "secret" not in str(caught.value) + repr(client)
    client.receive(REPLY)
    assert not client.open
    assert client.take_output() == b""


@pytest.mark.parametrize(
    ("host", "name", "password"),
    [
        ("", None, b""),
        ("a" * 256, None, b""),
        ("exämple.com", None, b""),
        ("example.com", b"", b"x"),
        ("example.com", b"bob", b""),
        ("example.com", b"b" * 256, b"x"),
        ("example.com", b"bob", b"x" * 256),
    ],
)
def test_what_the_protocol_cannot_say_is_refused_before_it_is_sent(
    host: str, name: bytes | None, password: bytes
) -> None:
    with pytest.raises(ValueError):
        SocksClient(host, 443, name, password)


@given(
    st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([b"\x05\x00", b"\x05\x02", b"\x01\x00", REPLY]))),
    st.booleans(),
)
def test_nothing_that_a_parent_sends_raises_another_error(pieces: list[bytes], login: bool) -> None:
    client = SocksClient("example.com", 443, b"bob" if login else None, b"secret")
    for piece in pieces:
        try:
            client.receive(piece)
        except DialError:
            assert not client.open
            assert client.take_buffered() == b""
            return
        if client.open:
            return
