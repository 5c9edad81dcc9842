"""Heads of requests that came by a twisted.web ``Site``, read as strictly as those of our own ports."""

from __future__ import annotations

from typing import Any, Final

from twisted.web import server

from txproxy.errors import RequestError
from txproxy.interfaces.answers import Answer
from txproxy.matching.paths import as_local, check_within, readings, split_path
from txproxy.wire.headers import Headers
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.message import RequestHead
from txproxy.wire.size_limits import WireLimits

_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


class MountedHead(RequestHead):
    """The head of a request that came by a resource; ``mount`` is the path to that, as it was sent, and ``query`` the
    query, with its question mark. ``bare``: it is for the resource itself, without a slash.
    """

    __slots__ = ("bare", "mount", "query")

    mount: bytes
    query: bytes
    bare: bool


def head_of(request: server.Request, may_change: bool, limits: WireLimits) -> RequestHead:
    """The request as our own codec reads its head; ``RequestError`` if it does not. Upgrade is left in it if the
    connection ``may_change``.
    """
    # What twisted.web has joined or left out (a folded line, an order, case) is not to be had back.
    lines = [b"%b %b HTTP/1.%d" % (request.method, request.uri, request.clientproto != b"HTTP/1.0")]
    for name, values in request.requestHeaders.getAllRawHeaders():
        if name.lower() != b"expect" and (may_change or name.lower() != b"upgrade"):
            lines += [name + b": " + value.strip(b" \t") for value in values]
    if any(b"\r" in line or b"\n" in line for line in lines):
        raise RequestError("a line break within a field or the target")
    codec = ServerCodec(limits)
    codec.receive(b"\r\n".join([*lines, b"", b""]))
    head = codec.next_event()
    if not isinstance(head, RequestHead):
        raise RequestError("the request is not complete")
    return _framed(head, request, limits)


def _framed(head: RequestHead, request: server.Request, limits: WireLimits) -> RequestHead:
    """``head`` with the length that its body has, however it was framed: twisted.web has gathered it."""
    content: Any = request.content
    length = content.seek(0, 2)
    content.seek(0)
    if limits.max_body is not None and length > limits.max_body:
        raise RequestError("the body is too large", status=413)
    names = zip(head.headers.lines, head.headers.names(), strict=True)
    lines = [line for line, name in names if name not in _FRAMING]
    if length or not _FRAMING.isdisjoint(head.headers.index):
        lines.append(b"Content-Length: %d" % length)
    headers = Headers.parsed(lines)
    return RequestHead(
        head.method, head.path, headers, head.authority, head.scheme, length, head.minor, head.keep_alive
    )


def below(head: RequestHead, request: server.Request, path: bytes) -> MountedHead:
    """``head`` with what is below the resource, appended to ``path``, in place of its own path. ``RequestError`` if
    some servers would find it elsewhere.
    """
    sent, query = split_path(head.path)
    segments = sent.split(b"/")
    # postpath is unquoted: what was sent is what goes on. Of an absolute target twisted.web makes segments of all of
    # it, so that such a one comes only to a resource for all that there is.
    here = len(segments) - len(request.postpath or []) if head.scheme is None else 1
    mount = b"/".join(segments[:here])
    rest = b"/".join(segments[here:])
    asked = path + b"/" + rest
    bare = False
    if sent[:1] == b"/":
        bare = bool(mount) and not rest and here == len(segments) and b"upgrade" not in head.headers.index
        check_within(sent, readings(mount)[0])
        check_within(asked, path)
    else:
        # of OPTIONS and CONNECT
        asked = sent
    mounted = MountedHead(
        head.method,
        asked + query,
        head.headers,
        head.authority,
        head.scheme,
        head.body,
        head.minor,
        head.keep_alive,
    )
    mounted.mount = mount
    mounted.query = query
    mounted.bare = bare
    return mounted


def to_slash(head: MountedHead) -> Answer:
    """A redirect to where relative references work (308 keeps the method, RFC 9110 section 15.4.9)."""
    status = 301 if head.method in (b"GET", b"HEAD") else 308
    return Answer(status, (b"Location: " + as_local(head.mount + b"/") + head.query,))
