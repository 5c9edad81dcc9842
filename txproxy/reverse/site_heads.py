"""Heads of requests that came by a twisted.web ``Site``, read as strictly as those of our own ports."""

from __future__ import annotations

from typing import Any, Final

from twisted.web import server

from txproxy.errors import RequestError
from txproxy.interfaces import Answer
from txproxy.matching.paths import as_local, check_within, readings, split_path
from txproxy.wire.http1 import ServerCodec
from txproxy.wire.limits import WireLimits
from txproxy.wire.message import RequestHead

# Framing and Expect are what twisted.web has dealt with.
_NOT_TAKEN: Final = frozenset({b"content-length", b"transfer-encoding", b"expect"})


class MountedHead(RequestHead):
    """The head of a request that came by a resource; ``mount`` is the path to that, as it was sent, and ``query`` the
    query, with its question mark.
    """

    __slots__ = ("mount", "query")

    mount: bytes
    query: bytes


def head_of(request: server.Request, may_change: bool, limits: WireLimits) -> RequestHead:
    """The request as our own codec reads its head; ``RequestError`` if it does not. Framing was twisted.web's. Upgrade
    is left in it if the connection ``may_change``.
    """
    # What twisted.web has joined or left out (a folded line, an order, case) is not to be had back.
    lines = [b"%b %b HTTP/1.%d" % (request.method, request.uri, request.clientproto != b"HTTP/1.0")]
    for name, values in request.requestHeaders.getAllRawHeaders():
        if name.lower() in _NOT_TAKEN or (name.lower() == b"upgrade" and not may_change):
            continue
        lines += [name + b": " + value.strip(b" \t") for value in values]
    content: Any = request.content
    length = content.seek(0, 2)
    content.seek(0)
    if length or request.requestHeaders.hasHeader(b"content-length"):
        lines.append(b"Content-Length: %d" % length)
    if any(b"\r" in line or b"\n" in line for line in lines):
        raise RequestError("a line break within a field or the target")
    codec = ServerCodec(limits)
    codec.receive(b"\r\n".join([*lines, b"", b""]))
    head = codec.next_event()
    if not isinstance(head, RequestHead):
        raise RequestError("the request is not complete")
    return head


def below(head: RequestHead, request: server.Request, path: bytes) -> MountedHead:
    """``head`` with what is below the resource, appended to ``path``, in place of its own path, which becomes empty for
    the resource itself without a slash. ``RequestError`` if some servers would find it elsewhere.
    """
    sent, query = split_path(head.path)
    segments = sent.split(b"/")
    # postpath is unquoted: what was sent is what goes on. Of an absolute target twisted.web makes segments of all of
    # it, so that such a one comes only to a resource for all that there is.
    here = len(segments) - len(request.postpath or []) if head.scheme is None else 1
    mount = b"/".join(segments[:here])
    rest = b"/".join(segments[here:])
    asked = path + b"/" + rest
    if sent[:1] == b"/":
        check_within(sent, readings(mount)[0])
        check_within(asked, path)
    else:
        # OPTIONS *, or nothing
        asked = sent
    bare = bool(mount) and here == len(segments) and b"upgrade" not in head.headers.index
    mounted = MountedHead(
        head.method,
        b"" if bare else asked + query,
        head.headers,
        head.authority,
        head.scheme,
        head.body,
        head.minor,
        head.keep_alive,
    )
    mounted.mount = mount
    mounted.query = query
    return mounted


def to_slash(head: MountedHead) -> Answer:
    """A redirect to where relative references work (308 keeps the method, RFC 9110 section 15.4.9)."""
    status = 301 if head.method in (b"GET", b"HEAD") else 308
    return Answer(status, (b"Location: " + as_local(head.mount + b"/") + head.query,))
