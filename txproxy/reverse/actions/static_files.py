"""Static files, by twisted.web's own ``File``: conditional requests, ranges and content types are its doing.

What is served are the regular files below a directory, and nothing else: no listings; no name that begins with a dot
(``.git``, ``.env``) but ``.well-known`` (RFC 8615); no devices and pipes; and nothing to which a symbolic link leads
out of the directory. Links within it are followed, and the directory itself may be one that is set to another place
while it is served.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

from twisted.web.http import stringToDatetime
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from twisted.web.static import File

from txproxy.errors import ConfigError
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.pages import TEXT_TYPE
from txproxy.interfaces.plan import Decision
from txproxy.matching.paths import PLAIN, readings, split_path
from txproxy.proxy.error_pages import ErrorPages
from txproxy.proxy.services import Services
from txproxy.reverse.actions.served_names import INDEX_NAMES, is_below, is_servable
from txproxy.reverse.actions.to_pool import ToPool
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream_urls import local_upstream
from txproxy.wire.forwarding import Via
from txproxy.wire.message import RequestHead

# asked when they are needed: the factory gets them later than its mode
Pages: TypeAlias = "Callable[[], ErrorPages | None]"

_DEFAULT_TYPE: Final = "application/octet-stream"
# What mimetypes knows only in later versions, or as another content in an encoding: a file arrives as it lies here.
_TYPES: Final = {
    ".avif": "image/avif",
    ".bz2": "application/x-bzip2",
    ".gz": "application/gzip",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
# Who asks for more pieces at once wants to cost time: each can be the whole file.
_MOST_RANGES: Final = 16
_MOST_RANGE: Final = 40  # characters


class _Plain(Resource):
    """A small answer without a file, or the page that ``pages`` has for its status."""

    isLeaf = True

    def __init__(self, pages: Pages, status: int, text: bytes, allow: bytes = b"") -> None:
        super().__init__()
        self._pages = pages
        self._status = status
        self._text = text
        self._allow = allow

    def render(self, request: Request) -> bytes:
        """Answer."""
        request.setResponseCode(self._status)
        headers = request.responseHeaders
        headers.removeHeader(b"server")
        pages = self._pages()
        kind, text = (pages.render(self._status) if pages is not None else None) or (TEXT_TYPE, self._text)
        headers.setRawHeaders(b"content-type", [kind])
        if self._allow:
            headers.setRawHeaders(b"allow", [self._allow])
        if request.method != b"HEAD":
            return text
        headers.setRawHeaders(b"content-length", [b"%d" % len(text)])
        return b""


class _Served(File):
    """A file or directory below ``root``."""

    indexNames = INDEX_NAMES
    contentTypes = {**File.contentTypes, **_TYPES}  # noqa: RUF012 (Twisted's own way)
    contentEncodings: dict[str, str] = {}  # noqa: RUF012
    root = ""
    # what else it says; set by :meth:`say` and :meth:`createSimilarFile`
    not_allowed: _Plain
    failed: _Plain

    def say(self, pages: Pages) -> None:
        """Have answers without a file, with ``pages`` in place of their own."""
        self.childNotFound = cast(Any, _Plain(pages, 404, b"there is no such file\n"))
        self.forbidden = cast(Any, _Plain(pages, 403, b"this file cannot be read\n"))
        # RFC 9110 15.5.6
        self.not_allowed = _Plain(pages, 405, b"a file can be read, and nothing else\n", b"GET, HEAD")
        self.failed = _Plain(pages, 412, b"the file is not as it was to be\n")

    def directoryListing(self) -> Any:
        """What is in a directory without an index is nobody's business (as nginx's default)."""
        return self.childNotFound

    def createSimilarFile(self, path: str) -> Any:
        """The same for what is below."""
        similar: Any = super().createSimilarFile(path)
        similar.root = self.root
        similar.childNotFound, similar.forbidden = self.childNotFound, self.forbidden
        similar.not_allowed, similar.failed = self.not_allowed, self.failed
        return similar

    def getChild(self, path: bytes, request: Any) -> Any:
        """What is named ``path`` here."""
        try:
            name = path.decode("utf-8")
        except UnicodeDecodeError:
            return self.childNotFound
        if not is_servable(name):
            return self.childNotFound
        child: IResource = super().getChild(path, request)
        return child

    def makeProducer(self, request: Request, fileForReading: Any) -> Any:
        """See :class:`_Whole`."""
        return super().makeProducer(request, _Whole(fileForReading, self.getFileSize(), request))

    def render(self, request: Request) -> Any:
        """Answer with the file."""
        if request.method not in (b"GET", b"HEAD"):
            return self.not_allowed.render(request)
        self.restat(reraise=False)
        if not is_below(self.path, self.root):
            return self.childNotFound.render(request)
        if self.isdir():
            return _to_directory(request)
        if not self.isfile():
            return self.childNotFound.render(request)
        request.responseHeaders.removeHeader(b"server")
        tag = b'"%x-%x"' % (int(self.getModificationTime() * 1000), self.getsize())
        if not _as_it_was(request, tag, self.getModificationTime()):
            return self.failed.render(request)
        if _has(request, tag):
            request.setLastModified(self.getModificationTime())
        else:
            _leave_ranges(request, tag, self.getsize())
            body = self.render_GET(request)
            if request.code != 304:
                return body
        # To return an empty body would say that the file is empty (RFC 9110 15.4.5).
        request.finish()
        return NOT_DONE_YET


class _Whole:
    """An open file that may become shorter while it is sent: the response is cut then, where ``File`` would try for
    ever to read the rest of it.
    """

    def __init__(self, file: Any, size: int, request: Request) -> None:
        self.seek = file.seek
        self.close = file.close
        self._file = file
        self._size = size
        self._request = request

    def read(self, size: int) -> bytes:
        """Up to so many bytes from where it is."""
        data: bytes = self._file.read(size)
        if not data and size and self._file.tell() < self._size:
            channel: Any = self._request.channel
            if channel is not None:
                channel.transport.abortConnection()
            # Nobody gets this. It lets the producer go on until it is told that the connection is gone.
            return bytes(size)
        return data


def _to_directory(request: Request) -> bytes:
    """A redirect to the place where relative references of an index work."""
    path, mark, query = request.uri.partition(b"?")
    request.setResponseCode(301)
    headers = request.responseHeaders
    headers.removeHeader(b"server")
    headers.setRawHeaders(b"content-type", [TEXT_TYPE])
    headers.setRawHeaders(b"content-length", [b"0"])
    # Relative, so that it holds under whatever prefix a route has taken away.
    headers.setRawHeaders(b"location", [b"./" + path.rpartition(b"/")[2] + b"/" + mark + query])
    return b""


def _as_it_was(request: Request, tag: bytes, changed: float) -> bool:
    """Whether a file with that ``tag``, last ``changed`` then, is what the client wants it to be (RFC 9110 13.2.2)."""
    asked = request.requestHeaders
    values = asked.getRawHeaders(b"if-match")
    if values is not None:
        # 13.1.1: a weak tag is never the same as another.
        return any(one.strip() in (b"*", tag) for one in b",".join(values).split(b","))
    dates = asked.getRawHeaders(b"if-unmodified-since")
    if dates is None or len(dates) > 1:
        return True
    try:
        # in whole seconds, as Last-Modified tells it
        return math.ceil(changed) <= int(stringToDatetime(dates[0]))
    except ValueError:
        # 13.1.4: what is no date is no condition.
        return True


def _has(request: Request, tag: bytes) -> bool:
    """Whether the client says that it has what ``tag`` stands for."""
    asked = request.requestHeaders
    values = asked.getRawHeaders(b"if-none-match")
    if values is None:
        request.setETag(tag)
        return False
    # RFC 9110 13.2.2: where there are tags, the date counts for nothing. Twisted takes them with spaces in between.
    asked.removeHeader(b"if-modified-since")
    tags = [one.strip().removeprefix(b"W/") for one in b",".join(values).split(b",")]
    asked.setRawHeaders(b"if-none-match", [b" ".join(tags)])
    return bool(request.setETag(tag))


def _leave_ranges(request: Request, tag: bytes, size: int) -> None:
    """Leave of a request's ranges those that ``File`` will do well with; without them it is one for the whole file (RFC
    9110 section 14.2).
    """
    asked = request.requestHeaders
    wanted = request.getHeader(b"range")
    if wanted is None:
        return
    # RFC 9110 13.1.5. Who has a date in place of the tag gets the whole: a file may change twice in a second.
    ranges = _ranges(wanted, size) if request.getHeader(b"if-range") in (None, tag) else b""
    if ranges:
        asked.setRawHeaders(b"range", [ranges])
    else:
        asked.removeHeader(b"range")


def _ranges(wanted: bytes, size: int) -> bytes:
    """``wanted``, a Range field, with no suffix longer than the file's ``size``; empty if it is malformed, or asks for
    too much.
    """
    unit, _, value = wanted.partition(b"=")
    pieces = [piece.strip() for piece in value.split(b",")]
    if unit.strip().lower() != b"bytes" or len(pieces) > _MOST_RANGES:
        return b""
    kept = []
    for piece in pieces:
        first, dash, last = piece.partition(b"-")
        if not dash or not (first or last) or len(piece) > _MOST_RANGE:
            return b""
        if not all(end.isdigit() for end in (first, last) if end):
            return b""
        if first and last and int(last) < int(first):
            return b""
        kept.append(b"0-" if not first and int(last) >= size else piece)
    return b"bytes=" + b",".join(kept)


class Files:
    """Answers with the files below ``directory``, by the canonical reading of a path; ``ConfigError`` if there is no
    such directory.
    """

    takes_connect = False

    def __init__(self, directory: str, via: Via | None = None) -> None:
        self._services: Services | None = None
        pool = files_pool(directory, lambda: self._services.pages if self._services is not None else None)
        self.pools: tuple[Pool, ...] = (pool,)
        self._send = ToPool(pool, via=via)

    def plan(self, head: RequestHead, context: RequestContext) -> Decision:
        """See :class:`txproxy.reverse.Action`."""
        if PLAIN.fullmatch(head.path) is None:
            path, query = split_path(head.path)
            target = readings(path)[0] + query
            head = RequestHead(
                head.method, target, head.headers, head.authority, head.scheme, head.body, head.minor, head.keep_alive
            )
        return self._send.plan(head, context)

    def attach(self, services: Services) -> None:
        """See :class:`txproxy.reverse.Action`."""
        self._services = services


def files_pool(directory: str, pages: Pages = lambda: None) -> Pool:
    """A pool that serves the files below ``directory``; ``ConfigError`` if that is none."""
    if not os.path.isdir(directory) or not os.access(directory, os.R_OK | os.X_OK):
        raise ConfigError(f"{directory!r} is no directory", "accepted is one that can be read")
    served = _Served(directory, defaultType=_DEFAULT_TYPE)
    served.root = served.path
    served.say(pages)
    return Pool([local_upstream(served, f"files:{directory}")], name=f"files:{directory}")
