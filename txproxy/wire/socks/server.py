"""The proxy's side of SOCKS5."""

from __future__ import annotations

from enum import Enum
from typing import Final

import attrs

from txproxy.errors import RequestError
from txproxy.frozen_values import frozen
from txproxy.wire.socks import addresses
from txproxy.wire.socks.codes import (
    ADDRESS_TYPE_NOT_SUPPORTED,
    COMMAND_NOT_SUPPORTED,
    GENERAL_FAILURE,
    LOGIN,
    NO_LOGIN,
    SUCCEEDED,
)

# The first byte of a client that speaks SOCKS; no HTTP method and no TLS record begins with one.
VERSIONS: Final = b"\x04\x05"

_NO_METHOD: Final = b"\x05\xff"
_LOGIN_ACCEPTED: Final = b"\x01\x00"
_LOGIN_REFUSED: Final = b"\x01\x01"
_SOCKS4_REFUSED: Final = b"\x00\x5b" + bytes(6)

_CONNECT: Final = 1

# More than one read of the transport brings while it is being paused.
_MOST_EARLY: Final = 1 << 18


class SocksError(RequestError):
    """What a client sent is not SOCKS5, or more than is done here. What to answer is in ``SocksServer.take_output``."""


@frozen
class SocksLogin:
    """A client has said who it is; the bytes are as sent, most likely UTF-8."""

    name: bytes
    password: bytes = attrs.field(repr=False)


@frozen
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
        wanted = LOGIN if self._login else NO_LOGIN
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
        if buffer[3] not in addresses.TYPES:
            raise self._fault("an unknown type of address", _message(ADDRESS_TYPE_NOT_SUPPORTED))
        end = addresses.end_of(buffer)
        if not end or len(buffer) < end:
            return None
        host = addresses.host_of(buffer[3], buffer[4 : end - 2])
        port = int.from_bytes(buffer[end - 2 : end], "big")
        if not host or not port:
            raise self._fault("no host that a name can have, or port 0", _message(GENERAL_FAILURE))
        self._buffer = buffer[end:]
        self._state = _State.REQUEST_ASKED
        return SocksRequest(host, port)


def _message(code: int, host: str = "0.0.0.0", port: int = 0) -> bytes:
    return bytes((5, code, 0)) + addresses.packed(host, port)
