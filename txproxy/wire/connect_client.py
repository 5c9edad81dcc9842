"""CONNECT (RFC 9110 section 9.3.6), from the side that asks a parent proxy for a tunnel.

Fed bytes as they come, and says what to send, as :class:`txproxy.wire.socks.client.SocksClient` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from txproxy.errors import DialError, ParentRefused, ResponseError
from txproxy.wire.headers import Headers
from txproxy.wire.http1.client import ClientCodec
from txproxy.wire.message import RequestHead, ResponseHead
from txproxy.wire.size_limits import DEFAULT_LIMITS, WireLimits

# RFC 9209 2.3: those that say what became of the destination, which are as true of this proxy's answer
_PASSED_ON: Final = frozenset(
    b"dns_timeout dns_error destination_not_found destination_unavailable destination_ip_prohibited "
    b"destination_ip_unroutable connection_refused connection_timeout connection_limit_reached http_request_denied "
    b"proxy_loop_detected".split()
)
# What a parent says of the destination, or of itself for all who ask, is as good an answer to the client. All else is
# about the words of this proxy, or would want fields that it does not pass on.
_TOLD: Final = frozenset({403, 404, 410, 429, 451, 502, 503, 504, 508})
_NOT_SHOWN: Final = re.compile(r"[^ -~]|[<>&\"']")
_MOST_REASON: Final = 80
_ERROR: Final = re.compile(rb";[ ]*error=([a-z_]+)")
_ERROR_OF_STATUS: Final = {
    403: "http_request_denied",
    504: "connection_timeout",
    508: "proxy_loop_detected",
}


class ConnectClient:
    """Asks a parent for a connection to ``host`` (name or IP literal) and ``port``; ``lines`` are further field lines,
    among them credentials.

    ``take_output()`` is to be sent at once and after each ``receive``; once ``open`` is true, all else is the tunnel's.
    """

    def __init__(self, host: str, port: int, lines: Iterable[bytes] = (), limits: WireLimits = DEFAULT_LIMITS) -> None:
        authority = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode("ascii")
        headers = Headers.from_lines([b"Host: " + authority, *lines])
        self.open = False
        self._logged_in = b"proxy-authorization" in headers
        self._codec = ClientCodec(limits)
        self._output = self._codec.send_head(RequestHead(b"CONNECT", b"", headers, authority))

    def receive(self, data: bytes) -> None:
        """Take bytes from the parent. May raise a ``DialError`` that says why there will be no connection."""
        self._codec.receive(data)
        while not self.open:
            try:
                event = self._codec.next_event()
            except ResponseError as fault:
                raise ParentRefused(
                    f"the parent proxy's answer is malformed: {fault.detail}", error=fault.error
                ) from None
            if event is None:
                return
            assert isinstance(event, ResponseHead)
            if event.status >= 300:
                raise self._refused(event)
            # RFC 9110 15.2: 1xx may come before the answer.
            self.open = event.status >= 200

    def take_output(self) -> bytes:
        """What is to be sent now."""
        output, self._output = self._output, b""
        return output

    def take_buffered(self) -> bytes:
        """Bytes of the tunnel that came right behind the answer."""
        return self._codec.take_buffered()

    def _refused(self, head: ResponseHead) -> DialError:
        status = head.status
        if status == 407:
            # RFC 9110 11.7.1: the challenge is for the one who has asked, which is this proxy and not its client.
            return wants_credentials("the parent proxy", self._logged_in)
        error = _ERROR_OF_STATUS.get(status, "destination_unavailable")
        told = _ERROR.findall(head.headers.get(b"proxy-status") or b"")
        # RFC 9209 2: the last member is of the proxy next to us.
        if told and told[-1] in _PASSED_ON:
            error = told[-1].decode("ascii")
        said = f"{status} {_shown(head.reason)}".rstrip()
        fault = DialError(f"the parent proxy answered {said}", status=status if status in _TOLD else 502, error=error)
        fault.sentence = f"The parent proxy says {said}."
        return fault


def wants_credentials(parent: str, has_some: bool) -> ParentRefused:
    """The error for a ``parent`` that asks who this proxy is. Its challenge is none for a client, which has no part in
    that login, and would be asked for a password that goes nowhere (RFC 9110 section 11.7.1).
    """
    wants = "other credentials" if has_some else "credentials"
    fault = ParentRefused(f"{parent} wants {wants}", error="proxy_configuration_error")
    fault.sentence = f"The parent proxy wants {wants} of this proxy."
    return fault


def _shown(reason: bytes) -> str:
    """What may be said of a reason phrase: text of whoever made it, and so not too much of it."""
    return _NOT_SHOWN.sub("", reason.decode("ascii", "ignore"))[:_MOST_REASON].strip()
