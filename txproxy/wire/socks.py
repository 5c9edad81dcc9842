"""SOCKS5 (RFC 1928) with user and password (RFC 1929): the proxy's side, and the side that asks a parent proxy.

Both are fed bytes as they come, a byte at a time if need be, and say what to send; neither does I/O. CONNECT alone is
done. SOCKS4 is recognised, and refused as its clients understand it.
"""

from __future__ import annotations

import ipaddress
from enum import Enum
from typing import Final

import attrs

from txproxy.errors import ConnectionRefused, ConnectTimeout, DialError, ParentError, RequestError
from txproxy.wire.target import split_authority

# The first byte of a client that speaks SOCKS; no HTTP method and no TLS record begins with one.
VERSIONS: Final = b"\x04\x05"

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

_NO_LOGIN: Final = 0
_LOGIN: Final = 2
_NO_METHOD: Final = b"\x05\xff"
_LOGIN_ACCEPTED: Final = b"\x01\x00"
_LOGIN_REFUSED: Final = b"\x01\x01"
_SOCKS4_REFUSED: Final = b"\x00\x5b" + bytes(6)

_CONNECT: Final = 1
_IPV4: Final = 1
_NAME: Final = 3
_IPV6: Final = 4

# More than one read of the transport brings while it is being paused.
_MOST_EARLY: Final = 1 << 18

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


class SocksError(RequestError):
    """What a client sent is not SOCKS5, or more than is done here. What to answer is in ``SocksServer.take_output``."""


class SocksParentError(ParentError):
    """A parent proxy does not speak SOCKS5, or wants other credentials."""


def reply_code(status: int, error: str) -> int:
    """The code that tells a SOCKS client of an HTTP ``status`` and RFC 9209 ``error`` type."""
    code = _REPLY_CODES.get(error, GENERAL_FAILURE)
    return NOT_ALLOWED if code == GENERAL_FAILURE and status in (403, 407) else code


@attrs.frozen
class SocksLogin:
    """A client has said who it is; the bytes are as sent, most likely UTF-8."""

    name: bytes
    password: bytes = attrs.field(repr=False)


@attrs.frozen
class SocksRequest:
    """A client wants a connection to ``host`` (lower-case name or IP literal, no brackets) and ``port``."""

    host: str
    port: int

    @property
    def authority(self) -> bytes:
        """The same as the target of a CONNECT request."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}".encode("ascii")


class _State(Enum):
    GREETING = "waits for the client's greeting"
    LOGIN = "waits for user and password"
    LOGIN_ASKED = "the owner is to accept or refuse the login"
    REQUEST = "waits for the request"
    REQUEST_ASKED = "the owner is to accept or refuse the request"
    OPEN = "all further bytes are the tunnel's"
    CLOSED = "refused, or not SOCKS"


# What to answer where more is sent before an answer than is kept.
_EARLY: Final = {
    _State.LOGIN_ASKED: _LOGIN_REFUSED,
    _State.REQUEST_ASKED: b"\x05\x01\x00\x01" + bytes(6),
}


class SocksServer:
    """The proxy's side of one connection. With ``login``, a client has to name user and password.

    ``receive`` bytes, ask for events until there is none, answer them, and send ``take_output()`` after each step, an
    error among them. Bytes that come before an answer are kept: pause the transport while an answer is due. After an
    error no answer is due any more.
    """

    def __init__(self, login: bool = False) -> None:
        self._login = login
        self._state = _State.GREETING
        self._buffer = b""
        self._output = b""

    def receive(self, data: bytes) -> None:
        """Take bytes from the client."""
        if self._state is not _State.CLOSED:
            self._buffer += data

    def next_event(self) -> SocksLogin | SocksRequest | None:
        """What the client wants next, or None if that takes more bytes or an answer. May raise ``SocksError``."""
        if self._state is _State.GREETING:
            self._read_greeting()
        if self._state is _State.LOGIN:
            return self._read_login()
        if self._state is _State.REQUEST:
            return self._read_request()
        if len(self._buffer) > _MOST_EARLY and self._state in _EARLY:
            raise self._fault("too many bytes before an answer", _EARLY[self._state])
        return None

    def take_output(self) -> bytes:
        """What is to be sent now."""
        output, self._output = self._output, b""
        return output

    def take_buffered(self) -> bytes:
        """Bytes of the client for the tunnel that came early."""
        buffer, self._buffer = self._buffer, b""
        return buffer

    @property
    def buffered(self) -> int:
        """How many bytes wait to be read, or for an answer."""
        return len(self._buffer)

    @property
    def closed(self) -> bool:
        """Whether the connection is to be closed once the output is sent."""
        return self._state is _State.CLOSED

    @property
    def asked(self) -> bool:
        """Whether a request waits for its answer."""
        return self._state is _State.REQUEST_ASKED

    @property
    def login_asked(self) -> bool:
        """Whether a user and password do."""
        return self._state is _State.LOGIN_ASKED

    def accept_login(self) -> None:
        """User and password are right."""
        assert self._state is _State.LOGIN_ASKED
        self._output += _LOGIN_ACCEPTED
        self._state = _State.REQUEST

    def refuse_login(self) -> None:
        """User or password is wrong; the connection must close (RFC 1929 section 2)."""
        assert self._state is _State.LOGIN_ASKED
        self._close(_LOGIN_REFUSED)

    def accept(self, host: str = "0.0.0.0", port: int = 0) -> None:
        """The connection is made, from the address ``host`` and ``port``, which may be left untold."""
        assert self._state is _State.REQUEST_ASKED
        self._output += _message(SUCCEEDED, host, port)
        self._state = _State.OPEN

    def refuse(self, code: int) -> None:
        """The connection was not made; ``code`` says why."""
        assert self._state is _State.REQUEST_ASKED
        self._close(_message(code))

    def _close(self, output: bytes) -> None:
        self._output += output
        self._buffer = b""
        self._state = _State.CLOSED

    def _fault(self, detail: str, output: bytes) -> SocksError:
        self._close(output)
        return SocksError(detail)

    def _read_greeting(self) -> None:
        buffer = self._buffer
        if not buffer:
            return
        if buffer[0] == 4:
            raise self._fault("SOCKS4 is not spoken here", _SOCKS4_REFUSED)
        if buffer[0] != 5:
            # Not SOCKS at all, so there is no answer that would be understood.
            raise self._fault("not a SOCKS greeting", b"")
        if len(buffer) < 2 or len(buffer) < 2 + buffer[1]:
            return
        methods = buffer[2 : 2 + buffer[1]]
        wanted = _LOGIN if self._login else _NO_LOGIN
        if wanted not in methods:
            missing = "user and password" if self._login else "no authentication"
            raise self._fault(f"the client does not offer {missing}", _NO_METHOD)
        self._buffer = buffer[2 + buffer[1] :]
        self._output += bytes((5, wanted))
        self._state = _State.LOGIN if self._login else _State.REQUEST

    def _read_login(self) -> SocksLogin | None:
        buffer = self._buffer
        if buffer and buffer[0] != 1:
            raise self._fault("malformed user and password", _LOGIN_REFUSED)
        if len(buffer) < 2:
            return None
        if not buffer[1]:
            # RFC 1929 2: 1 to 255 bytes. An empty password is sent by clients that have none, and is only wrong.
            raise self._fault("an empty user name", _LOGIN_REFUSED)
        middle = 2 + buffer[1]
        if len(buffer) <= middle or len(buffer) <= middle + buffer[middle]:
            return None
        end = middle + 1 + buffer[middle]
        self._buffer = buffer[end:]
        self._state = _State.LOGIN_ASKED
        return SocksLogin(buffer[2:middle], buffer[middle + 1 : end])

    def _read_request(self) -> SocksRequest | None:
        buffer = self._buffer
        # Each byte is judged as soon as it is there: a client that is wrong may be waiting for the answer.
        if buffer[:1] not in (b"", b"\x05") or buffer[2:3] not in (b"", b"\x00"):
            raise self._fault("malformed request", _message(GENERAL_FAILURE))
        if len(buffer) > 1 and buffer[1] != _CONNECT:
            raise self._fault("a command other than CONNECT", _message(COMMAND_NOT_SUPPORTED))
        if len(buffer) < 4:
            return None
        if buffer[3] not in (_IPV4, _NAME, _IPV6):
            raise self._fault("an unknown type of address", _message(ADDRESS_TYPE_NOT_SUPPORTED))
        end = _address_end(buffer)
        if not end or len(buffer) < end:
            return None
        host = _host_of(buffer[3], buffer[4 : end - 2])
        port = int.from_bytes(buffer[end - 2 : end], "big")
        if not host or not port:
            raise self._fault("no host that a name can have, or port 0", _message(GENERAL_FAILURE))
        self._buffer = buffer[end:]
        self._state = _State.REQUEST_ASKED
        return SocksRequest(host, port)


class _ClientState(Enum):
    METHOD = "waits for the parent to choose a method"
    LOGIN = "waits for the parent to accept the login"
    REPLY = "waits for the reply"
    OPEN = "all further bytes are the tunnel's"
    CLOSED = "refused, or not SOCKS"


class SocksClient:
    """The side that asks a parent for a connection to ``host`` (name or IP literal) and ``port``.

    ``take_output()`` is to be sent at once and after each ``receive``; once ``open`` is true, all else is the tunnel's.
    Name and password have 1 to 255 bytes each, a host that is a name likewise; others are a ``ValueError``.
    """

    def __init__(self, host: str, port: int, name: bytes | None = None, password: bytes = b"") -> None:
        self._request = b"\x05\x01\x00" + _address(host, port)
        self._login = b""
        methods = bytes((_NO_LOGIN,))
        if name is not None:
            if not 0 < len(name) < 256 or not 0 < len(password) < 256:
                raise ValueError("SOCKS5 takes user names and passwords of 1 to 255 bytes")
            self._login = b"\x01" + bytes((len(name),)) + name + bytes((len(password),)) + password
            methods = bytes((_NO_LOGIN, _LOGIN))
        self._state = _ClientState.METHOD
        self._buffer = b""
        self._output = b"\x05" + bytes((len(methods),)) + methods

    def receive(self, data: bytes) -> None:
        """Take bytes from the parent. May raise a ``DialError`` that says why there will be no connection."""
        if self._state is _ClientState.CLOSED:
            return
        self._buffer += data
        if self._state is _ClientState.METHOD:
            self._read_method()
        elif self._state is _ClientState.LOGIN:
            self._read_login()
        elif self._state is _ClientState.REPLY:
            self._read_reply()

    def take_output(self) -> bytes:
        """What is to be sent now."""
        output, self._output = self._output, b""
        return output

    def take_buffered(self) -> bytes:
        """Bytes of the tunnel that came right behind the reply."""
        buffer, self._buffer = self._buffer, b""
        return buffer

    @property
    def open(self) -> bool:
        """Whether the connection is made."""
        return self._state is _ClientState.OPEN

    def _fault(self, fault: DialError) -> DialError:
        self._state = _ClientState.CLOSED
        self._buffer = self._output = b""
        return fault

    def _malformed(self) -> DialError:
        return self._fault(SocksParentError("the parent proxy does not speak SOCKS5"))

    def _step(self, version: int) -> int | None:
        """The second byte of an answer that has two."""
        if self._buffer and self._buffer[0] != version:
            raise self._malformed()
        if len(self._buffer) < 2:
            return None
        if len(self._buffer) > 2:
            # It is our turn: what it says now cannot be an answer.
            raise self._malformed()
        answer = self._buffer[1]
        self._buffer = b""
        return answer

    def _read_method(self) -> None:
        method = self._step(5)
        if method == _NO_LOGIN:
            self._output += self._request
            self._state = _ClientState.REPLY
        elif method == _LOGIN and self._login:
            self._output += self._login
            self._state = _ClientState.LOGIN
        elif method == 0xFF:
            wants = "other credentials than user and password" if self._login else "credentials"
            raise self._fault(SocksParentError(f"the parent proxy wants {wants}", error="proxy_configuration_error"))
        elif method is not None:
            raise self._malformed()

    def _read_login(self) -> None:
        status = self._step(1)
        if status is None:
            return
        if status:
            fault = SocksParentError("the parent proxy refused the credentials", error="proxy_configuration_error")
            raise self._fault(fault)
        self._output += self._request
        self._state = _ClientState.REPLY

    def _read_reply(self) -> None:
        buffer = self._buffer
        if buffer and buffer[0] != 5:
            raise self._malformed()
        if len(buffer) > 1 and buffer[1]:
            # What follows a refusal says nothing more, and some leave it out.
            raise self._fault(_error_of(buffer[1]))
        if len(buffer) < 4:
            return
        if buffer[2] or buffer[3] not in (_IPV4, _NAME, _IPV6):
            raise self._malformed()
        end = _address_end(buffer)
        if not end or len(buffer) < end:
            return
        # Where the parent dials from is of no use here.
        self._buffer = buffer[end:]
        self._state = _ClientState.OPEN


def _address_end(message: bytes) -> int:
    """Where the address and port that begin at byte 3 end; 0 if that is not known yet."""
    if message[3] == _IPV4:
        return 10
    if message[3] == _IPV6:
        return 22
    return 7 + message[4] if len(message) > 4 else 0


def _host_of(kind: int, data: bytes) -> str:
    """The host that a client has named, or nothing if it can be none."""
    if kind == _IPV4:
        return str(ipaddress.IPv4Address(data))
    if kind == _IPV6:
        return str(ipaddress.IPv6Address(data))
    name = data[1:]
    try:
        if b":" in name:
            # Some send IPv6 literals as names; a zone would be the proxy's own business.
            return "" if b"%" in name else str(ipaddress.IPv6Address(name.decode("ascii")))
        return split_authority(name)[0]
    except ValueError:
        return ""


def _address(host: str, port: int) -> bytes:
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii")
        if not 0 < len(name) < 256:
            raise ValueError("SOCKS5 takes names of 1 to 255 bytes") from None
        packed = bytes((_NAME, len(name))) + name
    else:
        packed = bytes((_IPV4 if literal.version == 4 else _IPV6,)) + literal.packed
    return packed + port.to_bytes(2, "big")


def _message(code: int, host: str = "0.0.0.0", port: int = 0) -> bytes:
    return bytes((5, code, 0)) + _address(host, port)


def _error_of(code: int) -> DialError:
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
