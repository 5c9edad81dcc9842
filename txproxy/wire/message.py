"""Heads of requests and responses, in no version's habits: what HTTP/1.1 puts into a start line and HTTP/2 into
pseudo-fields is an attribute here.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any, Final

from txproxy.wire.headers import Headers

# How a body is framed (RFC 9112 section 6.3): a length in bytes, or one of these.
CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2

# The versions of HTTP in which a message may have come, by their place here.
VERSIONS: Final = (b"1.0", b"1.1", b"2.0")

# Names of protocols (RFC 9110 section 16.7), those of drafts too, in which there may be requests of HTTP
_HTTP_WITHIN: Final = re.compile(rb"h2c?(?:-[0-9]+)?|(?:http|tls)(?:/.*)?").fullmatch


class RequestHead:
    """One request's control data and fields.

    ``method`` and ``path`` as sent (``path`` is the origin-form target, ``b"*"``, or empty for CONNECT); ``scheme`` is
    None unless the target was in absolute form; ``authority`` is that of the target, else the Host field, else empty
    (HTTP/1.0 only); ``body`` is its length in bytes, or ``CHUNKED``; ``minor`` is the place of the sender's version in
    ``VERSIONS``: the minor version of HTTP/1, or 2. ``kept`` are the lower-case names of fields that the proxy has set
    itself, so that they are not dropped as a client's word about itself.
    """

    kept: frozenset[bytes] = frozenset()

    __slots__ = ("method", "scheme", "authority", "path", "headers", "body", "minor", "keep_alive")

    def __init__(
        self,
        method: bytes,
        path: bytes,
        headers: Headers,
        authority: bytes = b"",
        scheme: bytes | None = None,
        body: int = 0,
        minor: int = 1,
        keep_alive: bool = True,
    ) -> None:
        self.method = method
        self.scheme = scheme
        self.authority = authority
        self.path = path
        self.headers = headers
        self.body = body
        self.minor = minor
        self.keep_alive = keep_alive

    def with_lines(self, lines: list[bytes]) -> RequestHead:
        """The same request with other field ``lines``, which are known to be well formed."""
        return self.with_fields(Headers.from_lines(lines), self.path)

    def with_fields(self, headers: Headers, path: bytes) -> RequestHead:
        """The same request with other ``headers``, for another ``path``."""
        return RequestHead(
            self.method, path, headers, self.authority, self.scheme, self.body, self.minor, self.keep_alive
        )

    @property
    def upgrade(self) -> bytes | None:
        """The protocols that the client offers to change to, if it does so validly (RFC 9110 section 7.8).

        It may come with a body, which is complete before the other protocol begins. An offer of what requests of HTTP
        could follow in is none, as they would go past each rule of the proxy: h2c (RFC 9113 section 3.1 has done away
        with it), another version of HTTP (RFC 9110 section 7.8), and TLS (RFC 2817), which is for the next hop alone.
        """
        headers = self.headers
        if b"upgrade" in headers.index and self.minor and b"upgrade" in headers.tokens(b"connection"):
            protocols = headers.tokens(b"upgrade")
            if protocols and not any(map(_HTTP_WITHIN, protocols)):
                return headers.index[b"upgrade"]
        return None

    def __repr__(self) -> str:
        return f"RequestHead({self.method!r}, {self.path!r}, authority={self.authority!r}, {self.headers!r})"


class SharedRequest(RequestHead):
    """The head of requests that are the same, and have no body: nobody changes it.

    ``onward`` is what is sent for it, by a plan that stands (``standing``); ``written`` is what it is in HTTP/1.1, and
    ``framed`` how it is written in HTTP/2, after the scheme there. None before somebody has found that out.
    """

    __slots__ = ("standing", "onward", "written", "framed")

    def __init__(
        self,
        method: bytes,
        path: bytes,
        headers: Headers,
        authority: bytes = b"",
        scheme: bytes | None = None,
        minor: int = 1,
    ) -> None:
        # What the other's does, written out: to call it takes as long as all of it.
        self.method = method
        self.scheme = scheme
        self.authority = authority
        self.path = path
        self.headers = headers
        self.body = 0
        self.minor = minor
        self.keep_alive = True
        self.standing: Any = None
        self.onward: RequestHead | None = None
        self.written: bytes | None = None
        self.framed: Any = None

    @classmethod
    def of(cls, head: RequestHead) -> SharedRequest:
        """One for those that are the same as that of ``head``."""
        return cls(head.method, head.path, head.headers, head.authority, head.scheme, head.minor)

    def alone(self) -> RequestHead:
        """One of the same for a single request, which may be changed."""
        return RequestHead(self.method, self.path, self.headers, self.authority, self.scheme, 0, self.minor)


class ResponseHead:
    """One response's status and fields. ``body`` is a length in bytes, ``CHUNKED`` or ``UNTIL_CLOSE``."""

    __slots__ = ("status", "reason", "headers", "body", "minor", "keep_alive")

    def __init__(
        self,
        status: int,
        headers: Headers,
        reason: bytes = b"",
        body: int = 0,
        minor: int = 1,
        keep_alive: bool = True,
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body
        self.minor = minor
        self.keep_alive = keep_alive

    def with_lines(self, lines: list[bytes]) -> ResponseHead:
        """The same response with other field ``lines``, which are known to be well formed."""
        return ResponseHead(self.status, Headers.from_lines(lines), self.reason, self.body, self.minor, self.keep_alive)

    def alone(self) -> ResponseHead:
        """One of the same for a single response, which may be changed."""
        return ResponseHead(self.status, self.headers, self.reason, self.body, self.minor, self.keep_alive)

    def __repr__(self) -> str:
        return f"ResponseHead({self.status}, {self.headers!r})"


class SharedHead(ResponseHead):
    """The head of many responses that are the same but for their bodies, which are of one length: nobody changes it.

    ``onward`` is what clients get of it where nothing else is to be done with it; None as long as nobody has made that,
    or where it is made each time anew. ``written`` is what it is in HTTP/1.1 where the connection goes on after the
    response, and ``framed`` what stands around the number of its stream in HTTP/2; None before somebody has written it.
    """

    __slots__ = ("onward", "written", "framed")

    def __init__(self, status: int, headers: Headers, reason: bytes, body: int) -> None:
        # as in SharedRequest
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body
        self.minor = 1
        self.keep_alive = True
        self.onward: SharedHead | None = None
        self.written: bytes | None = None
        self.framed: Any = None


class EndOfMessage:
    """The end of a message, with the trailer fields that came after a chunked body (RFC 9110 section 6.5)."""

    __slots__ = ("trailers",)

    def __init__(self, trailers: Headers) -> None:
        self.trailers = trailers

    def __repr__(self) -> str:
        return f"EndOfMessage({self.trailers!r})"


END: Final = EndOfMessage(Headers())
# Smaller parts of a body that wait are joined: each of a few bytes would take many times its size, and what bounds them
# counts only that.
_SMALL: Final = 1024


def keep_waiting(parts: deque[Any] | list[Any], part: Any) -> None:
    """Put ``part`` of a body, or what ends it, after the others that wait. Small ones are put together: some of what
    waits are arrays of bytes then, which are added to as long as they are the last.
    """
    if type(part) is not bytes or len(part) >= _SMALL or not parts:
        parts.append(part)
    elif type(last := parts[-1]) is bytearray and len(last) < _SMALL:
        last += part
    else:
        parts.append(bytearray(part))
