"""The client's role in HTTP/1.1: writes requests, reads responses."""

from __future__ import annotations

from typing import Final, TypeAlias

from txproxy.errors import ExchangeError, ResponseError, ResponseIncomplete
from txproxy.wire import grammar
from txproxy.wire.headers import Form, Headers, normal_lines
from txproxy.wire.http1 import diagnosis, field_template, framing
from txproxy.wire.http1.body import Codec, State
from txproxy.wire.http1.field_template import FieldTemplate
from txproxy.wire.message import (
    CHUNKED,
    END,
    UNTIL_CLOSE,
    EndOfMessage,
    RequestHead,
    ResponseHead,
    SharedHead,
    SharedRequest,
)
from txproxy.wire.size_limits import DEFAULT_LIMITS, WireLimits

_MAX_INFORMATIONAL: Final = 16
_NONE: Final = Headers.parsed([])
_Framed: TypeAlias = "tuple[Headers | Form, bytes | None, int, int, bytes, int, bool]"

# The length of the body of a response to these is not what it says (RFC 9110 sections 9.3.2 and 9.3.6).
_OTHER_LENGTH: Final = frozenset((b"HEAD", b"CONNECT"))
# Who logs in by an answer has it looked at each time.
_LOGIN_WANTED: Final = (401, 407)
# The type, the flags and the stream of the SETTINGS by which who speaks HTTP/2 begins (RFC 9113 section 3.4).
_GREETING: Final = b"\x04\0\0\0\0\0"

# A look-up in an Enum class costs on each event.
_HEAD: Final = State.HEAD
_UNTIL_CLOSE: Final = State.UNTIL_CLOSE
_DONE: Final = State.DONE
_RAW: Final = State.RAW
_BROKEN: Final = State.BROKEN


class ClientCodec(Codec):
    """Writes requests, reads responses. ``shared`` is the head of those that come again, once there may be some."""

    _trailers = grammar.RESPONSE_TRAILERS
    __slots__ = ("shared", "_method", "_request_headers", "_informational", "_seen", "_line", "_start", "_headers",
                 "_template", "_framed")  # fmt: skip

    def __init__(self, limits: WireLimits = DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self._method = b""
        self._request_headers = Headers()
        self._informational = 0
        # The head of the response before as it came, and how much of it is the status line: who is asked the same again
        # answers the same, within a second, or differs in few values.
        self._seen = b""
        self._line = b""
        self.shared: SharedHead | None = None
        # What they say: version, status and reason, and the fields.
        self._start = (0, 0, b"")
        self._headers = _NONE
        self._template: FieldTemplate | None = None
        # How the response before was framed, and all that this hangs on: the fields, or their form and the length that
        # they say, status, version and method.
        self._framed: _Framed = (self._headers, None, 0, 0, b"", 0, False)

    def send_head(self, request: RequestHead) -> bytes:
        """The head of a request; ``request.headers`` has Host, and of the hop-by-hop fields only those for Upgrade
        and TE.
        """
        self._method = request.method
        self._sending = request.body
        self._request_headers = request.headers
        self._informational = 0
        if type(request) is SharedRequest:
            # It is written for all that are the same.
            written = request.written
            if written is None:
                written = request.written = b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (
                    request.method,
                    request.path or request.authority,
                    request.headers.block,
                )
            return written
        tail = b"\r\nTransfer-Encoding: chunked" if request.body == CHUNKED else b""
        return b"%b %b HTTP/1.1\r\n%b%b\r\n\r\n" % (
            request.method,
            request.path or request.authority,
            request.headers.block,
            tail,
        )

    def next_event(self) -> ResponseHead | bytes | EndOfMessage | None:
        """The next event, or None if more bytes are needed. A status under 200 but 101 is followed by another head."""
        if self._state is not _HEAD:
            return self._next_of_body()
        buffer = self._buffer
        if not buffer:
            return None
        checked = self._checked
        if checked and buffer.find(b"\r\n\r\n", max(0, checked - 3)) < 0:
            self._check_incomplete(buffer)
            return None
        seen = self._seen
        alike = buffer.startswith(seen) if seen else False
        end = len(seen) if alike else self._read_by_template(buffer)
        if not end:
            return self._new_head(buffer)
        minor, status, reason = self._start
        head = self._head(minor, status, reason, self._headers, end)
        if alike:
            self._share(head)
        return head

    def _share(self, head: ResponseHead) -> None:
        """A ``head`` has come in the same bytes as the one before. Those that come next may share one, if nothing but
        their bodies is to be looked at, and what of them is for clients hangs on the fields alone.
        """
        headers = head.headers
        alike = head.body > 0 and head.keep_alive and head.minor and head.status not in _LOGIN_WANTED
        if alike and headers.onward is not None and not headers.names_server:
            self.shared = SharedHead(head.status, headers, head.reason, head.body)

    def again(self, data: bytes) -> bytes | None:
        """The body of the response that ``data`` are, all of it, with the ``shared`` head before it and nothing behind,
        after which the next message may begin; None, with nothing taken, if that is not so.
        """
        shared, seen = self.shared, self._seen
        if (
            shared is None
            or len(data) - len(seen) != shared.body
            or not data.startswith(seen)
            or self._method in _OTHER_LENGTH
            or self._buffer
            or self._state is not _HEAD
        ):
            return None
        return data[len(seen) :]

    def _read_by_template(self, buffer: bytes) -> int:
        """Where a head ends that differs from the one before in few values, which are read; 0 if it is another."""
        template, line = self._template, self._line
        if template is None or not buffer.startswith(line):
            return 0
        headers = template.read(buffer, len(line))
        if headers is None:
            return 0
        self._headers = headers
        self._seen = buffer[: template.end]
        self.shared = None
        return template.end

    def _new_head(self, buffer: bytes) -> ResponseHead | None:
        """The head at the beginning of ``buffer``, whatever was before; None if it is not complete."""
        match = grammar.RESPONSE_PLAIN.match(buffer)
        if match is not None:
            start, end = match.start(4), match.end()
            headers = Headers.parsed(match[4].split(b"\r\n")[1:])
            if self._seen and end - start <= field_template.LONGEST:
                self._template = field_template.learned(
                    self._template, self._headers, headers, field_template.FIXED_IN_RESPONSES
                )
            self._seen = buffer[:end]
            self.shared = None
            self._line = buffer[:start]
            self._headers = headers
            self._start = 0 if match[1] == b"0" else 1, int(match[2]), match[3] or b""
            return self._head(*self._start, headers, end)
        match = grammar.RESPONSE_FULL.match(buffer)
        if match is None:
            self._check_incomplete(buffer)
            return None
        minor, status, reason, block = match.groups()
        headers = Headers.parsed(normal_lines(block))
        return self._head(0 if minor == b"0" else 1, int(status), reason or b"", headers, match.end())

    def _head(self, minor: int, status: int, reason: bytes, headers: Headers, end: int) -> ResponseHead:
        if end > self.limits.max_head:
            raise ResponseError("the response head is too large", error="http_response_header_section_size")
        known, its_length, its_status, its_minor, its_method, body, keep_alive = self._framed
        if (
            (known is not headers and (known is not headers.form or its_length != headers.content_length))
            or its_status != status
            or its_minor != minor
            or its_method != self._method
        ):
            body, keep_alive = self._frame(minor, status, headers)
        head = ResponseHead(status, headers, reason, body, minor, keep_alive)
        if status >= 200:
            if self._method == b"CONNECT" and status < 300:
                self._state = _RAW
            else:
                self._begin_body(body)
        elif status == 101:
            # RFC 9110 7.8: a server must not switch to a protocol that the client did not ask for, and says to which.
            offered = self._request_headers.tokens(b"upgrade")
            if not offered:
                raise ResponseError("101 without an Upgrade in the request")
            if set(offered).isdisjoint(headers.tokens(b"upgrade")):
                raise ResponseError("101 to no protocol that was offered")
            self._state = _RAW
        else:
            self._informational += 1
            if self._informational > _MAX_INFORMATIONAL:
                raise ResponseError("too many informational responses")
        self._buffer = self._buffer[end:]
        self._checked = 0
        return head

    def _frame(self, minor: int, status: int, headers: Headers) -> tuple[int, bool]:
        """How long the body is, and whether the connection can be kept."""
        body = framing.response_body(minor, status, headers, self._method)
        if body <= UNTIL_CLOSE:
            keep_alive = False
            if body == framing.ANNOUNCED:
                body = 0
        elif b"connection" in headers.index:
            keep_alive = framing.keep_alive(minor, headers)
        else:
            keep_alive = minor == 1
        length = headers.index.get(b"content-length")
        self._framed = (headers.form or headers, length, status, minor, self._method, body, keep_alive)
        return body, keep_alive

    def _check_incomplete(self, buffer: bytes) -> None:
        if not b"HTTP/1.".startswith(buffer[:7]):
            is_other = buffer[3:9] == _GREETING
            raise ResponseError(
                "an answer of HTTP/2, where HTTP/1 is to be spoken" if is_other else "not an HTTP/1 response"
            )
        checked = self._checked
        if b"\r\n\r\n" in buffer[max(0, checked - 3) :] or grammar.STRAY_CONTROL.search(buffer, max(0, checked - 1)):
            raise ResponseError(diagnosis.of_response(buffer) or "malformed response head")
        line_end = buffer.find(b"\r\n")
        if line_end >= max(0, checked - 1) and not grammar.STATUS_LINE.fullmatch(buffer, 0, line_end):
            raise ResponseError("malformed status line")
        if len(buffer) > self.limits.max_head:
            raise ResponseError("the response head is too large", error="http_response_header_section_size")
        self._checked = len(buffer)

    def receive_eof(self, clean: bool = True) -> EndOfMessage:
        """The upstream has closed its side: the end of a body until close, or ``ResponseIncomplete``. A reset is no
        ``clean`` end.
        """
        if self._state is not _UNTIL_CLOSE or self._buffer:
            raise ResponseIncomplete("the connection closed within the response")
        if not clean:
            raise ResponseIncomplete("the connection was reset within a body until close")
        self._state = _DONE
        return END

    def _fault(self, detail: str, status: int = 400) -> ExchangeError:
        self._state = _BROKEN
        return ResponseError(detail)
