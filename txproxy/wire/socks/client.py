"""The side of SOCKS5 that asks a parent proxy."""

from __future__ import annotations

from enum import Enum

from txproxy.errors import DialError, ParentError
from txproxy.wire.socks import addresses
from txproxy.wire.socks.codes import LOGIN, NO_LOGIN, error_of


class SocksParentError(ParentError):
    """A parent proxy does not speak SOCKS5, or wants other credentials."""


class _State(Enum):
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
        self._request = b"\x05\x01\x00" + addresses.packed(host, port)
        self._login = b""
        methods = bytes((NO_LOGIN,))
        if name is not None:
            if not 0 < len(name) < 256 or not 0 < len(password) < 256:
                raise ValueError("SOCKS5 takes user names and passwords of 1 to 255 bytes")
            self._login = b"\x01" + bytes((len(name),)) + name + bytes((len(password),)) + password
            methods = bytes((NO_LOGIN, LOGIN))
        self._state = _State.METHOD
        self._buffer = b""
        self._output = b"\x05" + bytes((len(methods),)) + methods

    def receive(self, data: bytes) -> None:
        """Take bytes from the parent. May raise a ``DialError`` that says why there will be no connection."""
        if self._state is _State.CLOSED:
            return
        self._buffer += data
        if self._state is _State.METHOD:
            self._read_method()
        elif self._state is _State.LOGIN:
            self._read_login()
        elif self._state is _State.REPLY:
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
        return self._state is _State.OPEN

    def _fault(self, fault: DialError) -> DialError:
        self._state = _State.CLOSED
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
        if method == NO_LOGIN:
            self._output += self._request
            self._state = _State.REPLY
        elif method == LOGIN and self._login:
            self._output += self._login
            self._state = _State.LOGIN
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
        self._state = _State.REPLY

    def _read_reply(self) -> None:
        buffer = self._buffer
        if buffer and buffer[0] != 5:
            raise self._malformed()
        if len(buffer) > 1 and buffer[1]:
            # What follows a refusal says nothing more, and some leave it out.
            raise self._fault(error_of(buffer[1]))
        if len(buffer) < 4:
            return
        if buffer[2] or buffer[3] not in addresses.TYPES:
            raise self._malformed()
        end = addresses.end_of(buffer)
        if not end or len(buffer) < end:
            return
        # Where the parent dials from is of no use here.
        self._buffer = buffer[end:]
        self._state = _State.OPEN
