"""The server's role in HTTP/1.1: reads requests, writes responses."""

from __future__ import annotations

from re import Match
from typing import Final

from txproxy.errors import ExchangeError, RequestError
from txproxy.wire import grammar
from txproxy.wire.headers import Headers, normal_lines
from txproxy.wire.http1 import diagnosis, field_template, framing, trailers
from txproxy.wire.http1.body import Codec, State
from txproxy.wire.http1.field_template import FieldTemplate
from txproxy.wire.http1.repeated_lines import MOST_BYTES, RepeatedLines
from txproxy.wire.message import (
    CHUNKED,
    UNTIL_CLOSE,
    EndOfMessage,
    RequestHead,
    ResponseHead,
    SharedHead,
    SharedRequest,
)
from txproxy.wire.size_limits import DEFAULT_LIMITS, WireLimits
from txproxy.wire.target import read_target

_NONE: Final = Headers.parsed([])

# A look-up in an Enum class costs on each event.
_HEAD: Final = State.HEAD
_END: Final = State.END
_BROKEN: Final = State.BROKEN
_DONE: Final = State.DONE
_new: Final = object.__new__
_match_line: Final = grammar.REQUEST_LINE.match


class ServerCodec(Codec):
    """Reads requests, writes responses. ``repeated`` are those that come again, by their first lines."""

    __slots__ = (
        "repeated", "_method", "_minor", "_line_skipped", "_fields", "_headers", "_known", "_template", "_lines",
    )  # fmt: skip

    def __init__(self, limits: WireLimits = DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self._method = b""
        self._minor = 1
        # The fields of the request before, as they came, with the empty line after them. A client repeats itself: most
        # of its requests have the same ones, or differ in few values.
        self._fields = b""
        self._headers = _NONE
        # If they say nothing of a body, and there was nothing else to look at: the Host, and what an absolute target
        # begins with that is at that Host.
        self._known: tuple[bytes, bytes] | None = None
        self._template: FieldTemplate | None = None
        # Requests that come again with the fields of the one before, and who finds out which those are.
        self.repeated: dict[bytes, SharedRequest] = {}
        self._lines: RepeatedLines | None = None
        # whether the empty line that may be before a request line has been
        self._line_skipped = False

    def use_limits(self, limits: WireLimits) -> None:
        """Others from now on; what was known of fields by those before is forgotten."""
        self.limits = limits
        self._fields = b""
        self._known = self._template = None
        self._forget_lines()

    def next_event(self) -> RequestHead | bytes | EndOfMessage | None:
        """The next event, or None if more bytes are needed. ``RequestError`` says what to answer before closing."""
        if self._state is not _HEAD:
            return self._next_of_body()
        buffer = self._buffer
        if not buffer:
            return None
        self._method = b""
        checked = self._checked
        if checked and buffer.find(b"\r\n\r\n", max(0, checked - 3)) < 0 and not buffer.startswith(b"\r\n"):
            # To match it all again with each piece that comes would make small pieces costly.
            self._check_incomplete(buffer)
            return None
        fields = self._fields
        if self.repeated and (request := self._repeated_head(buffer, fields)) is not None:
            return request
        line = _match_line(buffer) if fields else None
        if line is None:
            return self._new_head(buffer)
        method, target, minor = line.groups()
        at = line.end()
        # Of other versions other things are said (RFC 9110 7.6.3), even where the fields are the same.
        if minor != b"1":
            return self._new_head(buffer)
        alike = buffer.startswith(fields, at)
        end = at + len(fields) if alike else self._read_by_template(buffer, at)
        if not end:
            return self._new_head(buffer)
        if self._known is None or end > self.limits.least or method == b"CONNECT":
            return self._head(method, target, 1, self._headers, end)
        return self._known_head(method, target, end, line if alike else None)

    def _known_head(self, method: bytes, target: bytes, end: int, line: Match[bytes] | None) -> RequestHead:
        """A head without a body, all of whose fields were looked at with the request before. There is a ``line`` if
        they are the very same.
        """
        host, origin = self._known  # type: ignore[misc]
        # Its own constructor takes twice as long.
        head = _new(RequestHead)
        if target[0] == 0x2F:
            head.scheme, head.path = None, target
        elif target.startswith(origin):
            head.scheme, head.path = b"http", target[len(origin) - 1 :]
        else:
            return self._head(method, target, 1, self._headers, end)
        head.method = self._method = method
        head.headers, head.authority = self._headers, host
        head.body, head.minor, head.keep_alive = 0, 1, True
        self._minor = 1
        self._state = _END
        self._buffer = self._buffer[end:]
        self._checked = 0
        self._line_skipped = False
        if line is not None:
            lines = self._lines
            if lines is None:
                lines = self._lines = RepeatedLines(self.repeated)
            if lines.room:
                lines.came(line[0], head, end)
        return head

    def _repeated_head(self, buffer: bytes, fields: bytes) -> SharedRequest | None:
        """The same as :meth:`again`, for the first of what may be several in ``buffer``."""
        at = buffer.find(b"\r\n")
        request = self.repeated.get(buffer[:at])
        if request is None or not buffer.startswith(fields, at):
            return None
        self._method = request.method
        self._minor = 1
        self._state = _END
        self._buffer = buffer[at + len(fields) :]
        self._checked = 0
        self._line_skipped = False
        return request

    def again(self, data: bytes) -> SharedRequest | None:
        """The request that ``data`` are, with its end, if it has come in these bytes before and nothing else is there;
        None, with nothing taken, if that is not so.
        """
        fields = self._fields
        if not data.endswith(fields):
            return None
        request = self.repeated.get(data[: -len(fields)])
        if request is None or self._buffer or self._state is not _HEAD:
            return None
        self._method = request.method
        self._minor = 1
        self._state = _DONE
        self._line_skipped = False
        return request

    def goes_on(self, data: bytes) -> bool:
        """Take ``data`` if it is one more part of a head whose request line is there, and neither its end nor a fault:
        then there is no event. Else nothing is taken, and it is to be received.
        """
        checked, buffer = self._checked, self._buffer
        if not checked or checked != len(buffer) or self._state is not _HEAD or buffer.find(b"\r\n", 0, checked) < 1:
            return False
        more = buffer + data
        if (
            len(more) > self.limits.max_head
            or more.find(b"\r\n\r\n", checked - 3) >= 0
            or grammar.STRAY_CONTROL.search(more, checked - 1)
        ):
            return False
        self._buffer = more
        self._checked = len(more)
        return True

    def _read_by_template(self, buffer: bytes, at: int) -> int:
        """Where fields end that differ from those before in few values, which are read; 0 if they are others."""
        template = self._template
        headers = template.read(buffer, at) if template is not None else None
        if template is None or headers is None:
            return 0
        self._headers = headers
        self._fields = buffer[at : template.end]
        self._known = template.known
        self._forget_lines()
        return template.end

    def _forget_lines(self) -> None:
        """The fields are others from now on."""
        lines = self._lines
        if lines is not None and lines.room != MOST_BYTES:
            lines.forget()

    def _new_head(self, buffer: bytes) -> RequestHead | None:
        """The head at the beginning of ``buffer``, whatever was before; None if it is not complete."""
        # Without its end it is none, of whatever pattern.
        ended = b"\r\n\r\n" in buffer
        match = grammar.REQUEST_PLAIN.match(buffer) if ended else None
        if match is not None:
            method, target, minor, block = match.groups()
            headers = Headers.parsed(block.split(b"\r\n")[1:])
            if minor == b"1":
                end = match.end()
                if self._fields and end <= field_template.LONGEST:
                    self._template = field_template.learned(
                        self._template, self._headers, headers, field_template.FIXED_IN_REQUESTS
                    )
                self._headers = headers
                self._fields = buffer[match.end(3) : end]
                self._known = None
                self._forget_lines()
            return self._head(method, target, 0 if minor == b"0" else 1, headers, match.end())
        # RFC 9112 2.2: an empty line before the request line is ignored. One: a client that sends no more than empty
        # lines would never come to its deadline.
        if buffer.startswith(b"\r\n") and not self._line_skipped:
            self._line_skipped = True
            self._buffer = buffer = buffer[2:]
            self._checked = 0
        match = grammar.REQUEST_FULL.match(buffer) if ended else None
        if match is None:
            self._check_incomplete(buffer)
            return None
        method, target, minor, block = match.groups()
        return self._head(method, target, 0 if minor == b"0" else 1, Headers.parsed(normal_lines(block)), match.end())

    def _head(self, method: bytes, target: bytes, version: int, headers: Headers, end: int) -> RequestHead:
        """A head that ends at ``end``, and of which nothing else is known than that it is one."""
        limits = self.limits
        if end > limits.max_target:
            diagnosis.check_line(method, target, limits.max_target)
        if end > limits.max_head or len(headers.lines) > limits.max_fields:
            raise RequestError("the head is too large", status=431)
        self._method = method
        self._minor = version
        scheme, authority, path = read_target(method, target, version, headers)
        index = headers.index
        if (scheme is not None or not path) and index.get(b"host", authority) != authority:
            # RFC 9112 3.2.2: nobody behind this is to read another host out of it than the target's.
            headers = headers.with_one(b"host", authority)
            index = headers.index
        # RFC 9112 6.3 rule 7, asked here as well since most requests have neither field
        if b"content-length" in index or b"transfer-encoding" in index:
            body = self._request_body(method, version, headers)
        else:
            body = 0
            self._state = _END
        keep = framing.keep_alive(version, headers) if b"connection" in index else version == 1
        if keep and not body and headers is self._headers:
            host = index[b"host"]
            self._known = (host, b"http://%b/" % host)
            template = self._template
            if template is not None and template.form is headers.form:
                template.known = self._known
        # Only now: a head that is refused stays where it is, so that nothing after it is ever taken for a request.
        self._buffer = self._buffer[end:]
        self._checked = 0
        self._line_skipped = False
        return RequestHead(method, path, headers, authority, scheme, body, version, keep)

    def unread_head(self) -> RequestHead:
        """For logs: what there is of a head that cannot be read. With a method, if the request line is one; else the
        ``path`` is the line as it came, or its beginning.
        """
        # A head that is refused stays where it is; what is left of a body is none.
        return diagnosis.unread_head(self._buffer if self._state is _HEAD else b"")

    def _request_body(self, method: bytes, minor: int, headers: Headers) -> int:
        body = framing.request_body(minor, headers)
        # RFC 9110 9.3.6: content in a CONNECT request has no meaning, and what follows the head is the tunnel's;
        # RFC 9110 9.3.8: a client must not send content with TRACE.
        if body and (method == b"CONNECT" or method == b"TRACE"):
            raise RequestError("a body where the method has none")
        limit = self.limits.max_body
        if limit is not None and body > limit:
            raise RequestError("the body is too large", status=413)
        self._begin_body(body)
        return body

    def _check_incomplete(self, buffer: bytes) -> None:
        diagnosis.check_incomplete(buffer, self._checked, self.limits)
        self._checked = len(buffer)

    def _check_body_size(self) -> None:
        limit = self.limits.max_body
        if limit is not None and self._received_body > limit:
            raise self._fault("the body is too large", 413)

    def _check_trailers(self, fields: Headers) -> None:
        if len(fields) > self.limits.max_fields:
            raise self._fault("the trailer section is too large", 431)
        if not trailers.REFUSED.isdisjoint(fields.index):
            raise self._fault("a field that is forbidden in trailers")

    def _fault(self, detail: str, status: int = 400) -> ExchangeError:
        self._state = _BROKEN
        return RequestError(detail, status=status)

    def send_head(self, response: ResponseHead, close: bool) -> bytes:
        """The head of a response, framed for the request that was read last.

        ``response.headers`` has no hop-by-hop fields; ``close`` says that the connection ends after this response.
        A body without a length is sent chunked, or until close to an HTTP/1.0 client: ``must_close`` tells.
        """
        status = response.status
        tail = b""
        if status >= 200:
            body = response.body
            if self._method == b"HEAD" or status == 204 or status == 304:
                self._sending = 0
            elif body >= 0:
                self._sending = body
            elif self._minor:
                self._sending = CHUNKED
                tail = b"\r\nTransfer-Encoding: chunked"
            else:
                self._sending = UNTIL_CLOSE
                close = True
            if close:
                tail += b"\r\nConnection: close"
            elif not self._minor:
                tail += b"\r\nConnection: keep-alive"
        block = response.headers.block
        if not block:
            return b"HTTP/1.1 %d %b%b\r\n\r\n" % (status, response.reason, tail)
        return b"HTTP/1.1 %d %b\r\n%b%b\r\n\r\n" % (status, response.reason, block, tail)

    def repeat(self) -> bool:
        """Take a GET for read that has come whole, in the same bytes as one that was read before, and for answered;
        False if anything has come before it that is still to be told from it.
        """
        if self._buffer or self._state is not _HEAD or self._line_skipped:
            return False
        self._method = b"GET"
        self._minor = 1
        self._checked = 0
        return True

    def send_whole(self, response: ResponseHead, body: bytes, close: bool) -> bytes:
        """A whole response: ``send_head``, ``send_data`` and ``send_end`` in one. ``body`` is all that it has."""
        if type(response) is SharedHead and self._minor and not close and self._method != b"HEAD":
            # It is written for all who get it.
            written = response.written
            if written is None:
                written = response.written = self.send_head(response, False)
                self._sending = 0
            assert len(body) == response.body, "not the body that the head announced"
            return written + body
        head = self.send_head(response, close)
        if not self._sending:
            return head
        assert len(body) == self._sending, "not the body that the head announced"
        self._sending = 0
        return head + body

    @property
    def sends_body(self) -> bool:
        """Whether the head that was sent has announced a body of which some is to come."""
        return self._sending != 0

    @property
    def sends_length(self) -> bool:
        """Whether the body being sent is framed by its length."""
        return self._sending > 0

    @property
    def must_close(self) -> bool:
        """Whether the body being sent can end only with the connection."""
        return self._sending == UNTIL_CLOSE


def head_with_length(response: ResponseHead) -> bytes:
    """What :meth:`ServerCodec.send_head` gives for a response with a body of known length to a GET of HTTP/1.1 on a
    connection that stays open.
    """
    return b"HTTP/1.1 %d %b\r\n%b\r\n\r\n" % (response.status, response.reason, response.headers.block)
