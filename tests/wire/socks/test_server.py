"""The proxy's side: what is said, byte by byte, and what becomes of nonsense."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.socks.said import BY_IPV4, BY_IPV6, BY_NAME, FREE, GENERAL_FAILURE, LOGIN, WITH_LOGIN
from txproxy.wire.socks import codes
from txproxy.wire.socks.server import SocksError, SocksLogin, SocksRequest, SocksServer


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


@pytest.mark.parametrize("code", [codes.GENERAL_FAILURE, codes.NOT_ALLOWED, codes.HOST_UNREACHABLE])
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
