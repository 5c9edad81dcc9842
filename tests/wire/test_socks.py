"""SOCKS5 on both sides: what is said, byte by byte, and what becomes of nonsense."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.errors import ConnectionRefused, ConnectTimeout, DialError, ExchangeError
from txproxy.wire import socks
from txproxy.wire.socks import SocksClient, SocksError, SocksLogin, SocksRequest, SocksServer

FREE = b"\x05\x01\x00"
WITH_LOGIN = b"\x05\x02\x00\x02"
LOGIN = b"\x01\x03bob\x06secret"
BY_NAME = b"\x05\x01\x00\x03\x0bExample.COM\x01\xbb"
BY_IPV4 = b"\x05\x01\x00\x01\xc0\x00\x02\x07\x00\x50"
BY_IPV6 = b"\x05\x01\x00\x04" + bytes.fromhex("20010db8000000000000000000000001") + b"\x00\x50"
GENERAL_FAILURE = b"\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00"


def server_after(data: bytes, login: bool = False) -> tuple[SocksServer, list[Any], bytes]:
    """A server that got ``data`` and accepts logins; its events, and all that it said."""
    server = SocksServer(login)
    server.receive(data)
    events = []
    said = b""
    while (event := server.next_event()) is not None:
        events.append(event)
        said += server.take_output()
        if isinstance(event, SocksLogin):
            server.accept_login()
    return server, events, said + server.take_output()


# -- the proxy's side


@pytest.mark.parametrize(
    ("request_bytes", "host", "port", "authority"),
    [
        (BY_NAME, "example.com", 443, b"example.com:443"),
        (BY_IPV4, "192.0.2.7", 80, b"192.0.2.7:80"),
        (BY_IPV6, "2001:db8::1", 80, b"[2001:db8::1]:80"),
        (b"\x05\x01\x00\x03\x09127.0.0.1\x00\x01", "127.0.0.1", 1, b"127.0.0.1:1"),
        (b"\x05\x01\x00\x03\x03::1\xff\xff", "::1", 65535, b"[::1]:65535"),
    ],
)
def test_a_request_says_where_to(request_bytes: bytes, host: str, port: int, authority: bytes) -> None:
    server, events, said = server_after(FREE + request_bytes)
    assert events == [SocksRequest(host, port)]
    assert events[0].authority == authority
    assert said == b"\x05\x00"
    server.accept()
    assert server.take_output() == b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    assert not server.closed


def test_the_address_dialled_from_can_be_told() -> None:
    server, _, _ = server_after(FREE + BY_NAME)
    server.accept("2001:db8::2", 4660)
    assert server.take_output() == b"\x05\x00\x00\x04" + bytes.fromhex("20010db8000000000000000000000002") + b"\x12\x34"


def test_user_and_password_are_asked_for_and_accepted() -> None:
    server = SocksServer(login=True)
    server.receive(WITH_LOGIN)
    assert server.next_event() is None
    assert server.take_output() == b"\x05\x02"
    server.receive(LOGIN)
    assert server.next_event() == SocksLogin(b"bob", b"secret")
    assert server.take_output() == b""
    server.accept_login()
    assert server.take_output() == b"\x01\x00"
    server.receive(BY_NAME)
    assert server.next_event() == SocksRequest("example.com", 443)


def test_a_refused_login_ends_the_connection() -> None:
    server = SocksServer(login=True)
    server.receive(WITH_LOGIN + LOGIN + BY_NAME)
    assert server.next_event() == SocksLogin(b"bob", b"secret")
    server.take_output()
    server.refuse_login()
    assert server.take_output() == b"\x01\x01"
    assert server.closed
    assert server.next_event() is None
    assert server.take_buffered() == b""


def test_an_empty_password_is_for_the_owner_to_judge() -> None:
    _, events, _ = server_after(WITH_LOGIN + b"\x01\x03bob\x00", login=True)
    assert events == [SocksLogin(b"bob", b"")]


def test_a_password_is_not_in_the_repr() -> None:
    assert "secret" not in repr(SocksLogin(b"bob", b"secret"))


@pytest.mark.parametrize("early", [b"", b"GET / HTTP/1.1\r\n\r\n"])
def test_bytes_sent_early_are_kept_for_the_tunnel(early: bytes) -> None:
    server, events, _ = server_after(WITH_LOGIN + LOGIN + BY_NAME + early, login=True)
    assert len(events) == 2
    assert server.buffered == len(early)
    server.accept()
    assert server.take_buffered() == early
    assert server.buffered == 0


@pytest.mark.parametrize("stage", [WITH_LOGIN + LOGIN, WITH_LOGIN + LOGIN + BY_NAME])
def test_what_is_sent_early_is_bounded(stage: bytes) -> None:
    server = SocksServer(login=True)
    server.receive(stage)
    event = server.next_event()
    assert event is not None
    if len(stage) > len(WITH_LOGIN + LOGIN):
        server.accept_login()
        assert server.next_event() is not None
    server.take_output()
    server.receive(bytes((1 << 18) + 1))
    with pytest.raises(SocksError, match="too many bytes"):
        server.next_event()
    assert server.take_output() == (GENERAL_FAILURE if len(stage) > len(WITH_LOGIN + LOGIN) else b"\x01\x01")
    server.receive(bytes(1 << 18))
    assert server.buffered == 0


@pytest.mark.parametrize("code", [socks.GENERAL_FAILURE, socks.NOT_ALLOWED, socks.HOST_UNREACHABLE])
def test_a_refused_request_says_why_and_ends_the_connection(code: int) -> None:
    server, _, _ = server_after(FREE + BY_NAME + b"early")
    server.refuse(code)
    assert server.take_output() == bytes((5, code, 0, 1)) + bytes(6)
    assert server.closed
    assert server.take_buffered() == b""


@pytest.mark.parametrize(
    ("login", "sent", "answer"),
    [
        (False, b"\x04\x01\x00\x50\x7f\x00\x00\x01bob\x00", b"\x00\x5b" + bytes(6)),
        (False, b"\x04\x01\x00\x50\x00\x00\x00\x01\x00example.com\x00", b"\x00\x5b" + bytes(6)),
        (True, b"\x04", b"\x00\x5b" + bytes(6)),
        (False, b"GET / HTTP/1.1\r\n", b""),
        (False, b"\x06\x01\x00", b""),
        (False, b"\x05\x00", b"\x05\xff"),
        (False, b"\x05\x02\x01\x02", b"\x05\xff"),
        (True, b"\x05\x02\x00\x01", b"\x05\xff"),
        (True, WITH_LOGIN + b"\x05", b"\x05\x02\x01\x01"),
        (True, WITH_LOGIN + b"\x01\x00\x01x", b"\x05\x02\x01\x01"),
        (False, FREE + b"\x04", b"\x05\x00" + GENERAL_FAILURE),
        (False, FREE + b"\x05\x01\x01", b"\x05\x00" + GENERAL_FAILURE),
        (False, FREE + b"\x05\x02", b"\x05\x00\x05\x07\x00\x01" + bytes(6)),
        (False, FREE + b"\x05\x03\x00\x01", b"\x05\x00\x05\x07\x00\x01" + bytes(6)),
        (False, FREE + b"\x05\x00\x00\x01", b"\x05\x00\x05\x07\x00\x01" + bytes(6)),
        (False, FREE + b"\x05\x01\x00\x02", b"\x05\x00\x05\x08\x00\x01" + bytes(6)),
        (False, FREE + b"\x05\x01\x00\x03\x00\x00\x50", b"\x05\x00" + GENERAL_FAILURE),
        (False, FREE + b"\x05\x01\x00\x03\x03a b\x00\x50", b"\x05\x00" + GENERAL_FAILURE),
        (False, FREE + b"\x05\x01\x00\x03\x03a\x00b\x00\x50", b"\x05\x00" + GENERAL_FAILURE),
        (False, FREE + b"\x05\x01\x00\x03\x04a:80\x00\x50", b"\x05\x00" + GENERAL_FAILURE),
        (False, FREE + b"\x05\x01\x00\x03\x02a:\x00\x50", b"\x05\x00" + GENERAL_FAILURE),
        (False, FREE + b"\x05\x01\x00\x03\x05\xc3\xa4.de\x00\x50", b"\x05\x00" + GENERAL_FAILURE),
        (False, FREE + b"\x05\x01\x00\x03\x05[::1]\x00\x50", b"\x05\x00" + GENERAL_FAILURE),
        (False, FREE + b"\x05\x01\x00\x03\x09fe80::1%1\x00\x50", b"\x05\x00" + GENERAL_FAILURE),
        (False, FREE + b"\x05\x01\x00\x03\x07u@a.com\x00\x50", b"\x05\x00" + GENERAL_FAILURE),
        (False, FREE + b"\x05\x01\x00\x01\x01\x02\x03\x04\x00\x00", b"\x05\x00" + GENERAL_FAILURE),
    ],
)
def test_what_cannot_be_done_gets_the_answer_of_its_protocol(login: bool, sent: bytes, answer: bytes) -> None:
    server = SocksServer(login)
    with pytest.raises(SocksError) as caught:
        for index in range(len(sent)):
            server.receive(sent[index : index + 1])
            if isinstance(server.next_event(), SocksLogin):
                server.accept_login()
    assert server.take_output() == answer
    assert caught.value.status == 400
    assert server.closed
    server.receive(sent)
    assert server.next_event() is None
    assert (server.take_output(), server.buffered) == (b"", 0)


@pytest.mark.parametrize("wrong", [WITH_LOGIN + LOGIN[:-1], WITH_LOGIN[:-1], WITH_LOGIN + LOGIN + BY_NAME[:-1]])
def test_what_is_incomplete_waits(wrong: bytes) -> None:
    server, events, _ = server_after(wrong, login=True)
    assert not any(isinstance(event, SocksRequest) for event in events)
    assert not server.closed


@given(st.lists(st.integers(1, 40)), st.booleans())
def test_it_does_not_matter_how_the_bytes_are_cut(sizes: list[int], login: bool) -> None:
    data = (WITH_LOGIN + LOGIN if login else FREE) + BY_NAME + b"early"
    server = SocksServer(login)
    events: list[Any] = []
    said = b""
    for size in [*sizes, len(data)]:
        piece, data = data[:size], data[size:]
        server.receive(piece)
        while (event := server.next_event()) is not None:
            events.append(event)
            if isinstance(event, SocksLogin):
                server.accept_login()
        said += server.take_output()
    logins = [SocksLogin(b"bob", b"secret")] if login else []
    assert events == [*logins, SocksRequest("example.com", 443)]
    assert said == (b"\x05\x02\x01\x00" if login else b"\x05\x00")
    server.accept()
    assert server.take_buffered() == b"early"


PIECES = st.one_of(
    st.binary(max_size=300), st.sampled_from([FREE, WITH_LOGIN, LOGIN, BY_NAME, BY_IPV4, BY_IPV6, b"\x05\x01", b"\x04"])
)


@given(st.lists(PIECES, max_size=8), st.booleans(), st.booleans())
def test_nothing_that_a_client_sends_raises_another_error(pieces: list[bytes], login: bool, accepts: bool) -> None:
    server = SocksServer(login)
    fed = 0
    for piece in pieces:
        server.receive(piece)
        fed += len(piece)
        assert server.buffered <= fed
        try:
            event = server.next_event()
        except SocksError:
            assert server.closed
            assert server.buffered == 0
            return
        if isinstance(event, SocksLogin):
            if accepts:
                server.accept_login()
            else:
                server.refuse_login()
        elif isinstance(event, SocksRequest):
            assert 0 < event.port < 65536
            assert event.authority
            return


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (502, "connection_refused", 5),
        (502, "dns_error", 4),
        (504, "dns_timeout", 4),
        (504, "connection_timeout", 6),
        (502, "destination_ip_unroutable", 3),
        (403, "destination_ip_prohibited", 2),
        (403, "http_request_denied", 2),
        (403, "", 2),
        (407, "", 2),
        (503, "destination_unavailable", 4),
        (502, "tls_certificate_error", 1),
        (500, "proxy_internal_error", 1),
    ],
)
def test_the_proxys_own_refusals_have_a_code(status: int, error: str, code: int) -> None:
    assert socks.reply_code(status, error) == code


# -- towards a parent


REPLY = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"


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
    ("code", "kind", "status", "error"),
    [
        (1, DialError, 502, "destination_unavailable"),
        (2, DialError, 403, "http_request_denied"),
        (3, DialError, 502, "destination_ip_unroutable"),
        (4, DialError, 502, "destination_ip_unroutable"),
        (5, ConnectionRefused, 502, "connection_refused"),
        (6, ConnectTimeout, 504, "connection_timeout"),
        (7, DialError, 502, "destination_unavailable"),
        (8, DialError, 502, "destination_unavailable"),
        (0x5B, DialError, 502, "destination_unavailable"),
    ],
)
def test_a_parents_reasons_are_errors_of_ours(code: int, kind: type[ExchangeError], status: int, error: str) -> None:
    client = SocksClient("example.com", 443)
    client.receive(b"\x05\x00")
    with pytest.raises(kind) as caught:
        client.receive(bytes((5, code)))
    assert (caught.value.status, caught.value.error) == (status, error)
    assert caught.value.retry_safe


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


@given(st.binary(min_size=1, max_size=255), st.binary(min_size=1, max_size=255), st.integers(1, 65535), st.data())
def test_both_sides_understand_each_other(name: bytes, password: bytes, port: int, data: Any) -> None:
    host = data.draw(st.sampled_from(["example.com", "a." * 120 + "test", "192.0.2.1", "2001:db8::1"]))
    client = SocksClient(host, port, name, password)
    server = SocksServer(login=True)
    events = []
    while not client.open:
        server.receive(client.take_output())
        event = server.next_event()
        if event is not None:
            events.append(event)
        if isinstance(event, SocksLogin):
            server.accept_login()
        elif isinstance(event, SocksRequest):
            server.accept("192.0.2.1", 1)
        client.receive(server.take_output())
    assert events == [SocksLogin(name, password), SocksRequest(host, port)]
