"""The HTTP/1.1 connection codec, both roles, sans-I/O (RFC 9112).

Feed it with ``receive``, pull events with ``next_event`` until that gives None. An event is a head, ``bytes`` of
body, or an ``EndOfMessage``; each message ends with one. After it, no further message is read until ``next_message``
says that the one before is dealt with: that is what keeps pipelined requests in order. What breaks the rules raises,
and from then on the connection is of no use: no event comes any more, whatever else is received.

``ServerCodec`` reads requests and writes responses, ``ClientCodec`` the other way round.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, TypeAlias

from txproxy.errors import ExchangeError, RequestError, ResponseError, ResponseIncomplete, WrongProtocol
from txproxy.wire import grammar, other_protocols
from txproxy.wire.headers import Headers, normal_lines
from txproxy.wire.http1 import diagnosis, framing, trailers
from txproxy.wire.message import CHUNKED, END, UNTIL_CLOSE, EndOfMessage, RequestHead, ResponseHead
from txproxy.wire.size_limits import DEFAULT_LIMITS, WireLimits
from txproxy.wire.target import read_target

Event: TypeAlias = "RequestHead | ResponseHead | bytes | EndOfMessage"

# A line of chunk size and extensions is short; who sends a long one wants something else.
MAX_CHUNK_LINE: Final = 1024
# The lines before chunks of one digit's size.
_SMALL_CHUNKS: Final = {b"%b\r\n" % bytes([digit]): int(chr(digit), 16) for digit in b"123456789abcdefABCDEF"}
# So many chunks in what has come at once are more work than they need be.
_MANY_CHUNKS: Final = 256
# What a request line has besides the target: the method, two spaces and the version.
_REST_OF_LINE: Final = 64
_LONGEST_METHOD: Final = _REST_OF_LINE - len(b"  HTTP/1.1")
_MAX_INFORMATIONAL: Final = 16
# So much of a request line that is none is shown in logs.
_MOST_SHOWN: Final = 2048
_USERINFO: Final = re.compile(rb"(://)[^/?#@]*@")
_NONE: Final = Headers.parsed([])


class State(Enum):
    """Where in a message a codec is."""

    HEAD = "head"  # waiting for, or within, a head
    LENGTH = "length"  # within a body of known length
    CHUNK_SIZE = "chunk size"
    CHUNK_DATA = "chunk data"
    CHUNK_END = "chunk end"  # the CRLF after a chunk
    TRAILERS = "trailers"
    UNTIL_CLOSE = "until close"
    END = "end"  # the body is complete, its EndOfMessage is due
    DONE = "done"  # nothing more is read until next_message
    RAW = "raw"  # the connection has become a tunnel
    BROKEN = "broken"  # a body broke the rules


# A look-up in an Enum class costs on each event; these are the same objects.
_HEAD: Final = State.HEAD
_LENGTH: Final = State.LENGTH
_CHUNK_SIZE: Final = State.CHUNK_SIZE
_CHUNK_DATA: Final = State.CHUNK_DATA
_CHUNK_END: Final = State.CHUNK_END
_TRAILERS: Final = State.TRAILERS
_UNTIL_CLOSE: Final = State.UNTIL_CLOSE
_END: Final = State.END
_DONE: Final = State.DONE
_RAW: Final = State.RAW
_BROKEN: Final = State.BROKEN


class _Codec:
    """What both roles share: the buffer, and reading bodies."""

    # how a trailer section is read
    _trailers = grammar.TRAILERS
    __slots__ = ("limits", "many_chunks", "_buffer", "_state", "_remaining", "_checked", "_sending", "_received_body")

    def __init__(self, limits: WireLimits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        # whether the peer has ever sent its body in very small chunks
        self.many_chunks = False
        self._buffer = b""
        self._state = _HEAD
        # bytes left of the body, or of the chunk
        self._remaining = 0
        # how much of an incomplete head or trailer section was found to be without fault
        self._checked = 0
        self._received_body = 0
        # how the body being sent is framed: bytes left, CHUNKED, UNTIL_CLOSE
        self._sending = 0

    # -- receiving

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self._buffer = self._buffer + data if self._buffer else data

    @property
    def buffered(self) -> int:
        """How many bytes were received and not yet read."""
        return len(self._buffer)

    @property
    def started(self) -> bool:
        """Whether part of a message has come, or is being read."""
        return self._state is not _HEAD or bool(self._buffer)

    @property
    def passable(self) -> int:
        """How many bytes of a body of known length are still to come, with none in the buffer: they may pass by."""
        return self._remaining if self._state is _LENGTH and not self._buffer else 0

    def passed_in(self, size: int) -> None:
        """So many bytes of the body being received went another way."""
        self._remaining -= size
        if not self._remaining:
            self._state = _END

    def passed_out(self, size: int) -> None:
        """So many bytes of the body being sent went another way; it was framed by its length."""
        self._sending -= size

    @property
    def at_end(self) -> bool:
        """Whether no message is being read, and nothing has come of another."""
        return (self._state is _HEAD or self._state is _DONE) and not self._buffer

    def whole_body(self) -> bytes | None:
        """All of the body, and with it the message's end, if it has come and its length is known; else None.

        What ``next_event`` would give in pieces.
        """
        state = self._state
        if state is _LENGTH:
            buffer = self._buffer
            remaining = self._remaining
            if len(buffer) < remaining:
                return None
            self._buffer = buffer[remaining:]
            self._state = _DONE
            return buffer[:remaining]
        if state is _END:
            self._state = _DONE
            return b""
        return None

    def skip_end(self) -> None:
        """Instead of pulling the ``EndOfMessage`` of a message without a body."""
        assert self._state is _END, self._state
        self._state = _DONE

    def next_message(self) -> bool:
        """The message before is dealt with: go on to the next. Gives whether something of it has come already."""
        assert self._state is _DONE, self._state
        self._state = _HEAD
        self._received_body = 0
        return bool(self._buffer)

    def take_buffered(self) -> bytes:
        """End reading messages, for a tunnel: what came after the head."""
        data, self._buffer, self._state = self._buffer, b"", _RAW
        return data

    def _begin_body(self, body: int) -> None:
        if body > 0:
            self._state = _LENGTH
            self._remaining = body
        elif body == 0:
            self._state = _END
        elif body == CHUNKED:
            self._state = _CHUNK_SIZE
        else:
            self._state = _UNTIL_CLOSE

    def _next_of_body(self) -> bytes | EndOfMessage | None:
        state = self._state
        if state is _END:
            self._state = _DONE
            return END
        buffer = self._buffer
        if not buffer or state is _DONE or state is _RAW:
            return None
        if state is _LENGTH:
            remaining = self._remaining
            if len(buffer) <= remaining:
                self._buffer = b""
                self._remaining = remaining - len(buffer)
            else:
                self._buffer = buffer[remaining:]
                buffer = buffer[:remaining]
                self._remaining = 0
            if not self._remaining:
                self._state = _END
            return buffer
        if state is _UNTIL_CLOSE:
            self._buffer = b""
            return buffer
        return self._next_of_chunked()

    def _next_of_chunked(self) -> bytes | EndOfMessage | None:
        """RFC 9112 section 7.1. All data at hand comes as one event, so that many small chunks cost one write."""
        buffer = self._buffer
        position = 0
        parts: list[bytes] = []
        while True:
            if self._state is _CHUNK_SIZE:
                size = _SMALL_CHUNKS.get(buffer[position : position + 3])
                while size is not None:
                    # All of a small chunk at once: there may be ten thousand of them in what has come.
                    begin, end = position + 3, position + 3 + size
                    if buffer[end : end + 2] != b"\r\n":
                        break
                    parts.append(buffer[begin:end])
                    position = end + 2
                    size = _SMALL_CHUNKS.get(buffer[position : position + 3])
                end = buffer.find(b"\r\n", position)
                if end < 0:
                    self._check_chunk_line(buffer, position)
                    break
                match = grammar.CHUNK_SIZE.fullmatch(buffer, position, end + 2)
                if match is None or end - position > MAX_CHUNK_LINE:
                    raise self._fault("malformed chunk size or extension")
                position = end + 2
                self._remaining = int(match[1], 16)
                self._state = _CHUNK_DATA if self._remaining else _TRAILERS
            elif self._state is _CHUNK_DATA:
                part = buffer[position : position + self._remaining]
                if not part:
                    break
                parts.append(part)
                position += len(part)
                self._remaining -= len(part)
                if self._remaining:
                    break
                self._state = _CHUNK_END
            elif self._state is _CHUNK_END:
                if not buffer.startswith(b"\r\n", position):
                    if len(buffer) - position >= 2 or buffer[position:] not in (b"", b"\r"):
                        raise self._fault("no CRLF after a chunk")
                    break
                position += 2
                self._state = _CHUNK_SIZE
            else:
                break
        self._buffer = buffer[position:]
        return self._end_of_chunks(parts)

    def _end_of_chunks(self, parts: list[bytes]) -> bytes | EndOfMessage | None:
        if parts:
            if len(parts) > _MANY_CHUNKS:
                self.many_chunks = True
            data = b"".join(parts)
            self._received_body += len(data)
            self._check_body_size()
            return data
        return self._read_trailers() if self._state is _TRAILERS else None

    def _check_chunk_line(self, buffer: bytes, position: int) -> None:
        # One byte more than the line may be the CR after it.
        if len(buffer) - position > MAX_CHUNK_LINE + 1 or grammar.STRAY_CONTROL.search(buffer, position):
            raise self._fault("malformed chunk size or extension")
        if len(buffer) > position and buffer[position] not in b"0123456789abcdefABCDEF":
            raise self._fault("malformed chunk size or extension")

    def _check_body_size(self) -> None:
        pass

    def _read_trailers(self) -> EndOfMessage | None:
        buffer = self._buffer
        if buffer.startswith(b"\r\n"):
            self._buffer = buffer[2:]
            self._state = _DONE
            return END
        limits = self.limits
        checked = self._checked
        if buffer.find(b"\r\n\r\n", max(0, checked - 3)) < 0:
            if grammar.STRAY_CONTROL.search(buffer, max(0, checked - 1)):
                raise self._fault("malformed trailer section")
            if len(buffer) > limits.max_head:
                raise self._fault("the trailer section is too large", 431)
            self._checked = len(buffer)
            return None
        self._checked = 0
        match = self._trailers.match(buffer)
        if match is None:
            raise self._fault("malformed trailer section")
        self._buffer = buffer[match.end() :]
        lines = normal_lines(match[1])
        if match.end() > limits.max_head:
            raise self._fault("the trailer section is too large", 431)
        fields = Headers.from_lines(lines)
        self._check_trailers(fields)
        self._state = _DONE
        return EndOfMessage(trailers.permitted(fields))

    def _check_trailers(self, fields: Headers) -> None:
        pass

    def _fault(self, detail: str, status: int = 400) -> ExchangeError:
        """The error to raise for a fault in a body, after which nothing more is read."""
        raise NotImplementedError

    # -- sending

    def send_data(self, data: bytes) -> bytes:
        """``data`` of the body, framed as the head announced."""
        sending = self._sending
        if sending == CHUNKED:
            return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        if sending >= 0:
            assert len(data) <= sending, "more body than the head announced"
            self._sending = sending - len(data)
        return data

    def send_end(self, fields: Headers) -> bytes:
        """The end of the body; ``fields`` are sent as trailers where the framing has a place for them."""
        sending, self._sending = self._sending, 0
        if sending != CHUNKED:
            assert sending == 0 or sending == UNTIL_CLOSE, "less body than the head announced"
            return b""
        if not fields.lines:
            return b"0\r\n\r\n"
        return b"0\r\n%b\r\n\r\n" % b"\r\n".join(fields.lines)


def _hide_user(target: bytes) -> bytes:
    """``target`` without what a URL may have of a name and password."""
    return _USERINFO.sub(rb"\1***@", target)


class ServerCodec(_Codec):
    """Reads requests, writes responses."""

    __slots__ = ("_method", "_minor", "_line_skipped", "_block", "_headers", "_host", "_origin")

    def __init__(self, limits: WireLimits = DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self._method = b""
        self._minor = 1
        # The fields of the request before. A client repeats itself: most of its requests have the same ones. With them
        # the Host, if they say nothing of a body or the connection, and there was nothing else to look at.
        self._block = b""
        self._headers = Headers.parsed([])
        self._host: bytes | None = None
        # what an absolute target begins with that is at that Host
        self._origin = b""
        # whether the empty line that may be before a request line has been
        self._line_skipped = False

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
        match = grammar.REQUEST_PLAIN.match(buffer)
        if match is not None:
            method, target, minor, block = match.groups()
            if block == self._block and minor == b"1":
                headers = self._headers
                end = match.end()
                host = self._host
                if host is not None and end <= self.limits.max_target and method != b"CONNECT":
                    if target[0] == 0x2F:
                        return self._known_head(RequestHead(method, target, headers, host), end)
                    if target.startswith(self._origin):
                        path = target[len(self._origin) - 1 :]
                        return self._known_head(RequestHead(method, path, headers, host, b"http"), end)
            else:
                headers = Headers.parsed(block.split(b"\r\n")[1:])
                if minor == b"1":
                    # Of other versions other things are said (RFC 9110 7.6.3), even where the fields are the same.
                    self._headers = headers
                    self._block = block
                    self._host = None
        else:
            # RFC 9112 2.2: an empty line before the request line is ignored. One: a client that sends no more than
            # empty lines would never come to its deadline.
            if buffer.startswith(b"\r\n") and not self._line_skipped:
                self._line_skipped = True
                self._buffer = buffer = buffer[2:]
                self._checked = 0
            match = grammar.REQUEST_FULL.match(buffer)
            if match is None:
                self._check_incomplete(buffer)
                return None
            method, target, minor, block = match.groups()
            headers = Headers.parsed(normal_lines(block))
        end = match.end()
        limits = self.limits
        if end > limits.max_target:
            self._check_line(match)
        if end > limits.max_head or len(headers.lines) > limits.max_fields:
            raise RequestError("the head is too large", status=431)
        self._method = method
        self._minor = version = 0 if minor == b"0" else 1
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
        if b"connection" in index:
            keep = framing.keep_alive(version, headers)
        else:
            keep = version == 1
            if not body and keep and headers is self._headers:
                self._host = host = index[b"host"]
                self._origin = b"http://%b/" % host
        # Only now: a head that is refused stays where it is, so that nothing after it is ever taken for a request.
        self._buffer = buffer[end:]
        self._checked = 0
        self._line_skipped = False
        return RequestHead(method, path, headers, authority, scheme, body, version, keep)

    def unread_head(self) -> RequestHead:
        """For logs: what there is of a head that cannot be read. With a method, if the request line is one; else the
        ``path`` is the line as it came, or its beginning.
        """
        # A head that is refused stays where it is; what is left of a body is none.
        line = self._buffer[:_MOST_SHOWN] if self._state is _HEAD else b""
        line = line.lstrip(b"\r\n").split(b"\n", 1)[0].rstrip(b"\r")
        match = grammar.REQUEST_LINE.fullmatch(line)
        if match is None:
            return RequestHead(b"", _hide_user(line), _NONE)
        return RequestHead(match[1], _hide_user(match[2]), _NONE, minor=0 if match[3] == b"0" else 1)

    def _known_head(self, head: RequestHead, end: int) -> RequestHead:
        """``head``, which has no body, and all of whose fields were looked at with the request before."""
        self._method = head.method
        self._minor = 1
        self._state = _END
        self._buffer = self._buffer[end:]
        self._checked = 0
        self._line_skipped = False
        return head

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

    def _check_line(self, match: re.Match[bytes]) -> None:
        limit = self.limits.max_target
        if len(match[2]) > limit or match.end(3) > limit + _REST_OF_LINE:
            raise _too_long(len(match[1]))

    def _check_incomplete(self, buffer: bytes) -> None:
        limits = self.limits
        checked = self._checked
        line_end = buffer.find(b"\r\n")
        # Whoever speaks another protocol may never send an end of line.
        within_line = line_end < 0 and buffer not in other_protocols.TLS_BEGUN
        if within_line and not checked and not grammar.REQUEST_LINE_BEGUN.fullmatch(buffer):
            raise _no_request(buffer, "malformed request line")
        # A last byte that is no CRLF yet may be the CR.
        if (line_end if line_end >= 0 else len(buffer) - 1) > limits.max_target + _REST_OF_LINE:
            space = buffer.find(b" ")
            raise _too_long(space if space >= 0 else len(buffer))
        if within_line and grammar.NOT_IN_LINE.search(buffer, max(0, checked - 1)):
            raise _no_request(buffer, "malformed request line")
        if b"\r\n\r\n" in buffer[max(0, checked - 3) :] or grammar.STRAY_CONTROL.search(buffer, max(0, checked - 1)):
            raise _no_request(buffer, "malformed head")
        if line_end >= max(0, checked - 1):
            line = grammar.REQUEST_LINE.fullmatch(buffer, 0, line_end)
            if line is None:
                raise _no_request(buffer, "malformed request line")
            self._check_line(line)
        if len(buffer) > limits.max_head:
            raise RequestError("the head is too large", status=431)
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
        if not response.headers.lines:
            return b"HTTP/1.1 %d %b%b\r\n\r\n" % (status, response.reason, tail)
        return b"HTTP/1.1 %d %b\r\n%b%b\r\n\r\n" % (status, response.reason, response.headers.block, tail)

    def send_whole(self, response: ResponseHead, body: bytes, close: bool) -> bytes:
        """A whole response: ``send_head``, ``send_data`` and ``send_end`` in one. ``body`` is all that it has."""
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


def _too_long(method: int) -> RequestError:
    """The error for a request line that is too long and has a method of so many bytes."""
    if method > _LONGEST_METHOD:
        # RFC 9112 3: a method that is longer than any that is done here gets 501.
        return RequestError("the method is too long", status=501)
    return RequestError("the target is too long", status=414)


def _no_request(data: bytes, otherwise: str) -> RequestError:
    """Why ``data`` can be no request head, as well as can be told."""
    other = other_protocols.in_place_of_http1(data)
    return WrongProtocol(other) if other else RequestError(diagnosis.of_request(data) or otherwise)


class ClientCodec(_Codec):
    """Writes requests, reads responses."""

    _trailers = grammar.RESPONSE_TRAILERS
    __slots__ = ("_method", "_request_headers", "_informational", "_block", "_headers", "_framed")

    def __init__(self, limits: WireLimits = DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self._method = b""
        self._request_headers = Headers()
        self._informational = 0
        # The fields of the response before: who is asked the same again answers the same, within a second.
        self._block = b""
        self._headers = Headers.parsed([])
        # How the response before was framed, and all that this hangs on: fields, status, version and method.
        self._framed = (self._headers, 0, 0, b"", 0, False)

    def send_head(self, request: RequestHead) -> bytes:
        """The head of a request; ``request.headers`` has Host, and of the hop-by-hop fields only those for Upgrade
        and TE.
        """
        self._method = request.method
        self._sending = request.body
        self._request_headers = request.headers
        self._informational = 0
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
        match = grammar.RESPONSE_PLAIN.match(buffer)
        if match is not None:
            minor, status, reason, block = match.groups()
            if block == self._block:
                headers = self._headers
            else:
                headers = self._headers = Headers.parsed(block.split(b"\r\n")[1:])
                self._block = block
        else:
            match = grammar.RESPONSE_FULL.match(buffer)
            if match is None:
                self._check_incomplete(buffer)
                return None
            minor, status, reason, block = match.groups()
            headers = Headers.parsed(normal_lines(block))
        end = match.end()
        if end > self.limits.max_head:
            raise ResponseError("the response head is too large", error="http_response_header_section_size")
        head = self._head(0 if minor == b"0" else 1, int(status), reason or b"", headers)
        self._buffer = buffer[end:]
        self._checked = 0
        return head

    def _head(self, minor: int, status: int, reason: bytes, headers: Headers) -> ResponseHead:
        known, its_status, its_minor, its_method, body, keep_alive = self._framed
        if known is not headers or its_status != status or its_minor != minor or its_method != self._method:
            body = framing.response_body(minor, status, headers, self._method)
            if body <= UNTIL_CLOSE:
                keep_alive = False
                if body == framing.ANNOUNCED:
                    body = 0
            elif b"connection" in headers.index:
                keep_alive = framing.keep_alive(minor, headers)
            else:
                keep_alive = minor == 1
            self._framed = (headers, status, minor, self._method, body, keep_alive)
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
        return head

    def _check_incomplete(self, buffer: bytes) -> None:
        if not b"HTTP/1.".startswith(buffer[:7]):
            raise ResponseError("not an HTTP/1 response")
        checked = self._checked
        if b"\r\n\r\n" in buffer[max(0, checked - 3) :] or grammar.STRAY_CONTROL.search(buffer, max(0, checked - 1)):
            raise ResponseError(diagnosis.of_response(buffer) or "malformed response head")
        line_end = buffer.find(b"\r\n")
        if line_end >= max(0, checked - 1) and not grammar.STATUS_LINE.fullmatch(buffer, 0, line_end):
            raise ResponseError("malformed status line")
        if len(buffer) > self.limits.max_head:
            raise ResponseError("the response head is too large", error="http_response_header_section_size")
        self._checked = len(buffer)

    def receive_eof(self) -> EndOfMessage:
        """The upstream has closed its side: the end of a body until close, or ``ResponseIncomplete``."""
        if self._state is not _UNTIL_CLOSE or self._buffer:
            raise ResponseIncomplete("the connection closed within the response")
        self._state = _DONE
        return END

    def _fault(self, detail: str, status: int = 400) -> ExchangeError:
        self._state = _BROKEN
        return ResponseError(detail)
