"""Numbers of SOCKS5 that both sides know, and which error each reply tells of (RFC 1928 sections 3 and 6)."""

from __future__ import annotations

from typing import Final

from txproxy.errors import ConnectionRefused, ConnectTimeout, DialError

# RFC 1928 6
SUCCEEDED: Final = 0
GENERAL_FAILURE: Final = 1
NOT_ALLOWED: Final = 2
NETWORK_UNREACHABLE: Final = 3
HOST_UNREACHABLE: Final = 4
CONNECTION_REFUSED: Final = 5
TTL_EXPIRED: Final = 6
COMMAND_NOT_SUPPORTED: Final = 7
ADDRESS_TYPE_NOT_SUPPORTED: Final = 8

# RFC 1928 3 and RFC 1929: the methods of authentication
NO_LOGIN: Final = 0
LOGIN: Final = 2

_REPLY_CODES: Final = {
    "connection_refused": CONNECTION_REFUSED,
    # as Dante has it, and what comes nearest
    "connection_timeout": TTL_EXPIRED,
    "destination_ip_prohibited": NOT_ALLOWED,
    "destination_ip_unroutable": NETWORK_UNREACHABLE,
    "destination_unavailable": HOST_UNREACHABLE,
    "dns_error": HOST_UNREACHABLE,
    "dns_timeout": HOST_UNREACHABLE,
    "http_request_denied": NOT_ALLOWED,
}


def reply_code(status: int, error: str) -> int:
    """The code that tells a SOCKS client of an HTTP ``status`` and RFC 9209 ``error`` type."""
    code = _REPLY_CODES.get(error, GENERAL_FAILURE)
    return NOT_ALLOWED if code == GENERAL_FAILURE and status in (403, 407) else code


def error_of(code: int) -> DialError:
    """The error that a parent's reply with this ``code`` is."""
    if code == CONNECTION_REFUSED:
        return ConnectionRefused("the parent proxy says: connection refused")
    if code == TTL_EXPIRED:
        return ConnectTimeout("the parent proxy says: TTL expired")
    if code in (NETWORK_UNREACHABLE, HOST_UNREACHABLE):
        what = "network" if code == NETWORK_UNREACHABLE else "host"
        return DialError(f"the parent proxy says: {what} unreachable", error="destination_ip_unroutable")
    if code == NOT_ALLOWED:
        return DialError("the parent proxy does not allow it", status=403, error="http_request_denied")
    if code in (COMMAND_NOT_SUPPORTED, ADDRESS_TYPE_NOT_SUPPORTED):
        return DialError("the parent proxy does not do this")
    return DialError(f"the parent proxy failed with code {code}")
