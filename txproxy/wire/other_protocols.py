"""Which protocol speaks who does not speak the one that a port is for; known by its first bytes."""

from __future__ import annotations

import re
from typing import Final

# RFC 8446 5.1: a record of a handshake, of version 3.x
_TLS: Final = re.compile(rb"\x16\x03[\x00-\x04]")
# What may become one.
TLS_BEGUN: Final = (b"\x16", b"\x16\x03")
# RFC 9113 3.4: what a client of HTTP/2 begins with
_HTTP2: Final = b"PRI * HTTP/2"
_METHOD: Final = re.compile(rb"[A-Z][A-Z-]{1,19} ")
_METHOD_BEGUN: Final = re.compile(rb"[A-Z][A-Z-]{0,19}\Z")
# RFC 4253 4.2
_SSH: Final = b"SSH-"
# RFC 8446 B.1: the types of records
_RECORDS: Final = range(20, 25)
_SOCKS: Final = (4, 5)
# The PROXY protocol, versions 1 and 2. Of the second, the empty line that may be before a request may be gone already.
_PROXY: Final = re.compile(rb"PROXY (?:TCP[46]|UNKNOWN)[ \r]|(?:\r\n)?\r\n\0\r\nQUIT\n")
# What begins in the same way as a request, and is told from it only by more.
_LONGER: Final = (_HTTP2, b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN ", b"\r\n\r\n\0\r\nQUIT\n")
_UNEXPECTED: Final = "a header of the PROXY protocol on a port that expects none"

# What is said of what nobody knows.
NOT_TLS: Final = "something that is not TLS on a TLS port"
# How many bytes it takes to tell.
ENOUGH: Final = 24


def in_place_of_http1(data: bytes) -> str:
    """What ``data`` begins, where it should be a request of HTTP/1; empty if that is not known."""
    if _TLS.match(data):
        return "TLS on a port for plain HTTP"
    if _PROXY.match(data):
        return _UNEXPECTED
    return "HTTP/2 on a port for HTTP/1.1" if data.startswith(_HTTP2) else ""


def in_place_of_tls(data: bytes) -> str | None:
    """The same where it should be a handshake of TLS; None if it is none, and more has to come to tell what it is."""
    # RFC 5246 E.2: a hello of SSL 2, which OpenSSL knows what to do with, begins with a length whose first bit is set.
    if not data or data[0] in _RECORDS or data[0] & 0x80:
        return ""
    if data.startswith(_HTTP2):
        return "plain HTTP/2 on a TLS port"
    if _PROXY.match(data):
        return _UNEXPECTED
    if data.startswith(_SSH):
        return "SSH on a TLS port"
    if data[0] in _SOCKS:
        return "SOCKS on a TLS port"
    if any(longer.startswith(data) for longer in _LONGER) or _METHOD_BEGUN.match(data):
        return None
    return "plain HTTP on a TLS port" if _METHOD.match(data) else NOT_TLS
