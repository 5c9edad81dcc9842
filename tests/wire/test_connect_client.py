"""CONNECT to a parent: what is asked, and what its answers mean."""

from __future__ import annotations

import pytest

from txproxy.errors import DialError, ParentRefused
from txproxy.wire.connect_client import ConnectClient


def test_it_asks_for_a_tunnel_in_the_form_that_proxies_know() -> None:
    client = ConnectClient("example.com", 443, [b"Proxy-Authorization: Basic eA=="])
    assert client.take_output() == (
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nProxy-Authorization: Basic eA==\r\n\r\n"
    )
    assert client.take_output() == b""
    assert ConnectClient("2001:db8::1", 80).take_output().startswith(b"CONNECT [2001:db8::1]:80 HTTP/1.1\r\n")


@pytest.mark.parametrize("status", [200, 204, 299])
def test_each_2xx_opens_the_tunnel_and_what_follows_is_its_own(status: int) -> None:
    client = ConnectClient("a", 1)
    client.take_output()
    answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 %d Fine\r\nContent-Length: 5\r\n\r\nearly" % status
    for index in range(len(answer) - 5):
        assert not client.open
        client.receive(answer[index : index + 1])
    client.receive(b"early")
    assert client.open and not client.take_output()
    # RFC 9110 9.3.6: a length in a 2xx to CONNECT means nothing.
    assert client.take_buffered() == b"early"


@pytest.mark.parametrize(
    ("answer", "kind", "error", "detail"),
    [
        (b"407 x", ParentRefused, "proxy_configuration_error", "wants credentials"),
        (b"403 x", DialError, "http_request_denied", "answered 403"),
        (b"500 x", DialError, "destination_unavailable", "answered 500"),
        (b"503 x", DialError, "destination_unavailable", "answered 503"),
        (b"504 x", DialError, "connection_timeout", "answered 504"),
        (b"302 x", DialError, "destination_unavailable", "answered 302"),
        (
            b"502 x\r\nProxy-Status: o; error=dns_error, p; error=connection_refused",
            DialError,
            "connection_refused",
            "answered 502",
        ),
        (b"502 x\r\nProxy-Status: p; error=proxy_internal_error", DialError, "destination_unavailable", "answered 502"),
        (b"502 x\r\nProxy-Status: p; error=<b>", DialError, "destination_unavailable", "answered 502"),
    ],
)
def test_every_other_answer_says_why_there_is_no_tunnel(
    answer: bytes, kind: type[DialError], error: str, detail: str
) -> None:
    client = ConnectClient("a", 1)
    with pytest.raises(DialError, match=detail) as caught:
        client.receive(b"HTTP/1.1 %b\r\nProxy-Authenticate: Basic realm=x\r\n\r\n" % answer)
    assert type(caught.value) is kind
    # What it says of the destination is told; its redirects, challenges and failures are not the client's.
    told = int(answer[:3]) if answer[:3] in (b"403", b"503", b"504") else 502
    assert (caught.value.status, caught.value.error) == (told, error)
    assert not client.open


def test_wrong_credentials_are_told_from_missing_ones() -> None:
    client = ConnectClient("a", 1, [b"Proxy-Authorization: Basic c2VjcmV0"])
    with pytest.raises(ParentRefused, match="wants other credentials") as caught:
        client.receive(b"HTTP/1.1 407 No\r\n\r\n")
    assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"\x05\x00",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad line\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70000,
        b"HTTP/1.1 100 Go on\r\n\r\n" * 17,
    ],
)
def test_nonsense_is_the_parents_fault(answer: bytes) -> None:
    client = ConnectClient("a", 1)
    with pytest.raises(ParentRefused, match="the parent proxy's answer is malformed"):
        client.receive(answer)
    assert not client.open


@pytest.mark.parametrize("status", [403, 404, 410, 429, 451, 502, 503, 504, 508])
def test_a_status_that_is_about_the_destination_is_told(status: int) -> None:
    client = ConnectClient("a", 1)
    with pytest.raises(DialError) as caught:
        client.receive(b"HTTP/1.1 %d Blocked by policy <7>\xff\r\n\r\n" % status)
    assert caught.value.status == status
    assert caught.value.detail == f"the parent proxy answered {status} Blocked by policy 7"
    assert caught.value.sentence == f"The parent proxy says {status} Blocked by policy 7."


@pytest.mark.parametrize("status", [300, 302, 400, 401, 405, 407, 408, 411, 413, 426, 431, 500, 501, 505, 511, 599])
def test_a_status_that_is_about_this_proxy_is_not_the_clients(status: int) -> None:
    client = ConnectClient("a", 1)
    with pytest.raises(DialError) as caught:
        client.receive(b"HTTP/1.1 %d %b\r\n\r\n" % (status, b"x" * 200))
    assert caught.value.status == 502 and len(caught.value.detail) < 140


def test_who_is_to_log_in_is_told_to_the_client_without_a_challenge() -> None:
    client = ConnectClient("a", 1)
    with pytest.raises(ParentRefused) as caught:
        client.receive(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\n\r\n")
    assert caught.value.status == 502
    assert caught.value.sentence == "The parent proxy wants credentials of this proxy."
