"""Who speaks another protocol than the port is for."""

from __future__ import annotations

import pytest

from txproxy.errors import RequestError, WrongProtocol
from txproxy.wire.http1 import ServerCodec
from txproxy.wire.other_protocols import in_place_of_http1, in_place_of_tls

TLS = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64))
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (TLS, "TLS on a port for plain HTTP"),
        (TLS[:3], "TLS on a port for plain HTTP"),
        (HTTP2, "HTTP/2 on a port for HTTP/1.1"),
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
        (TLS, ""),
        (b"GARBAGE", ""),
        (b"get / ", ""),
        (b"", ""),
    ],
)
def test_in_place_of_tls(data: bytes, said: str) -> None:
    assert in_place_of_tls(data) == said


@pytest.mark.parametrize("step", [1, 5, 1000])
@pytest.mark.parametrize("data", [TLS, HTTP2])
def test_the_codec_says_what_it_is(data: bytes, step: int) -> None:
    codec = ServerCodec()
    with pytest.raises(RequestError) as raised:
        for at in range(0, len(data), step):
            codec.receive(data[at : at + step])
            codec.next_event()
    if step > 1 or data is HTTP2:
        assert isinstance(raised.value, WrongProtocol)
        assert raised.value.page is not None
        assert raised.value.page(False)[1] == b"400 Bad Request\nThis is %b.\n" % in_place_of_http1(data).encode()
