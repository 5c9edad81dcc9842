"""Which reply tells of which error, on both sides."""

from __future__ import annotations

import pytest

from txproxy.errors import ConnectionRefused, ConnectTimeout, DialError, ExchangeError
from txproxy.wire.socks.client import SocksClient
from txproxy.wire.socks.codes import reply_code


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
    assert reply_code(status, error) == code


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
