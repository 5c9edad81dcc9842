"""Who speaks another protocol than the port is for."""

from __future__ import annotations

import pytest

from txproxy.errors import RequestError, WrongProtocol
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.other_protocols import NOT_TLS, in_place_of_http1, in_place_of_tls
from txproxy.wire.proxy_protocol import header

TLS = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64))
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PROXY1 = header(1, ("192.0.2.1", 5000), ("192.0.2.2", 80))
PROXY2 = header(2, ("192.0.2.1", 5000), ("192.0.2.2", 80))
UNEXPECTED = "a header of the PROXY protocol on a port that expects none"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (TLS, "TLS on a port for plain HTTP"),
        (TLS[:3], "TLS on a port for plain HTTP"),
        (HTTP2, "HTTP/2 on a port for HTTP/1.1"),
        (PROXY1, UNEXPECTED),
        (PROXY2, UNEXPECTED),
        (b"PROXY UNKNOWN\r\n", UNEXPECTED),
        (b"PROXY / HTTP/1.1\r\n", ""),
        (b"\x16\x02\x00", ""),
        (b"PRI * HTTP/1.1\r\n", ""),
        (b"GET / HTTP/1.1\r\n", ""),
        (b"", ""),
    ],
)
def test_in_place_of_http1(data: bytes, said: str) -> None:
    assert in_place_of_http1(data) == said


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"GET / HTTP/1.1\r\n", "plain HTTP on a TLS port"),
        (b"CONNECT a:443 HTTP/1.1", "plain HTTP on a TLS port"),
        (b"M-SEARCH ", "plain HTTP on a TLS port"),
        (HTTP2, "plain HTTP/2 on a TLS port"),
        (b"\x05\x01\x00", "SOCKS on a TLS port"),
        (PROXY1 + TLS, UNEXPECTED),
        (PROXY2 + TLS, UNEXPECTED),
        (PROXY1[:24], UNEXPECTED),
        (PROXY2[:24], UNEXPECTED),
        (TLS, ""),
        (TLS[:1], ""),
        # an alert
        (b"\x15\x03\x03\0\2", ""),
        # a hello of SSL 2
        (b"\x80\x2e\x01", ""),
        (b"GARBAGE", None),
        (b"G", None),
        (b"GARBAGE" * 4, NOT_TLS),
        (b"get / ", NOT_TLS),
        (b"g", NOT_TLS),
        (b"\0", NOT_TLS),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH on a TLS port"),
        (b"SS", None),
        (HTTP2[:11], None),
        (HTTP2[:12], "plain HTTP/2 on a TLS port"),
        (PROXY1[:8], None),
        (PROXY2[:11], None),
        (b"", ""),
    ],
)
def test_in_place_of_tls(data: bytes, said: str | None) -> None:
    assert in_place_of_tls(data) == said


@pytest.mark.parametrize("step", [1, 5, 1000])
@pytest.mark.parametrize("data", [TLS, HTTP2, PROXY1 + b"GET / HTTP/1.1\r\n\r\n", PROXY2 + b"GET / HTTP/1.1\r\n\r\n"])
def test_the_codec_says_what_it_is(data: bytes, step: int) -> None:
    codec = ServerCodec()
    with pytest.raises(RequestError) as raised:
        for at in range(0, len(data), step):
            codec.receive(data[at : at + step])
            codec.next_event()
    # Of the others too little has come when it is found to be no request.
    if step > 5 or data.startswith(b"P") or (data is TLS and step == 5):
        assert isinstance(raised.value, WrongProtocol)
        assert raised.value.page is not None
        assert raised.value.page(False)[1] == b"400 Bad Request\nThis is %b.\n" % in_place_of_http1(data).encode()
