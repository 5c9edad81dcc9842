"""Requests to the admin API: checked, handed to who knows, and answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, Final
from urllib.parse import unquote

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from txproxy.admin.access_checks import Access
from txproxy.admin.api_call import JSON, ApiCall, ApiFault, Streamed, Text, read_body, read_query, written
from txproxy.admin.api_paths import ApiPaths, Verb

_log = Logger()
_PLAIN: Final = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)


class AdminResource(Resource):
    """Answers by ``paths`` who has ``access``, which may become another while it serves."""

    isLeaf = True

    def __init__(self, paths: ApiPaths, access: Access) -> None:
        super().__init__()
        self._paths = paths
        self._access = access
        # those that are answered as long as they last
        self._streams: set[Any] = set()

    @property
    def access(self) -> Access:
        """Who may ask."""
        return self._access

    def admit(self, access: Access) -> None:
        """Others may ask from now on. Another token ends the streams of those who have shown the one before."""
        before, self._access = self._access, access
        if before.token != access.token:
            for request in list(self._streams):
                request.channel.transport.abortConnection()

    def render(self, request: Any) -> Any:
        """See ``twisted.web.resource.IResource``. It writes the answer itself."""
        for name, value in _PLAIN:
            request.setHeader(name, value)
        try:
            given = self._handled(request)
        except Exception:
            given = Failure()
        if isawaitable(given):
            _wait(request, given)
        elif isinstance(given, Streamed):
            self._stream(request, given)
        else:
            _answer(request, given)
        return NOT_DONE_YET

    def _stream(self, request: Any, given: Streamed) -> None:
        request.setHeader("Content-Type", given.type)
        if request.method == b"HEAD":
            request.finish()
            return
        self._streams.add(request)
        request.notifyFinish().addBoth(lambda _: self._streams.discard(request))
        given.begin(request)

    def _handled(self, request: Any) -> object | Awaitable[object]:
        fields = _fields(request)
        self.access.check_origin(fields("host"), fields("origin"), 0 if request.clientproto == b"HTTP/1.0" else 1)
        trusted = self.access.has_token(fields("authorization"))
        found = self._paths.find(request.path.decode("ascii", "replace"))
        if not trusted and not (found is not None and all(verb.open for verb in found[0].values())):
            request.setHeader("WWW-Authenticate", 'Bearer realm="txproxy"')
            raise ApiFault(401, "the token is missing or wrong; accepted is Authorization: Bearer TOKEN")
        if found is None:
            raise ApiFault(404, f"there is no {unquote(request.path.decode('ascii', 'replace'))!r} here")
        verbs, names = found
        verb = _verb(request, verbs)
        call = _call(request, verb, names, trusted)
        given = verb.handle(call)
        if verb.show is None:
            return given
        return _shown(verb.show, call, given) if isawaitable(given) else verb.show(call, given)


def _wait(request: Any, given: Any) -> None:
    """Answer when it is known; what is done ends where nobody waits for that any more."""
    waiting: Deferred[Any] = Deferred.fromCoroutine(_awaited(given))
    gone: list[object] = []

    def left(_: object) -> None:
        gone.append(request)
        waiting.cancel()

    request.notifyFinish().addErrback(left)
    waiting.addBoth(lambda found: None if gone else _answer(request, found))


async def _shown(show: Callable[[ApiCall, Any], object], call: ApiCall, given: Awaitable[object]) -> object:
    shown = show(call, await given)
    return await shown if isawaitable(shown) else shown


async def _awaited(given: Awaitable[object]) -> object:
    return await given


def _fields(request: Any) -> Callable[[str], list[str]]:
    """What a request has in the fields of a name, whatever its bytes are."""
    headers = request.requestHeaders
    return lambda name: [_text(one) for one in headers.getRawHeaders(name.encode("ascii"), [])]


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _verb(request: Any, verbs: dict[str, Verb]) -> Verb:
    method = request.method.decode("ascii", "replace")
    verb = verbs.get("GET" if method == "HEAD" else method)
    if verb is None:
        allowed = sorted(verbs) + (["HEAD"] if "GET" in verbs else [])
        request.setHeader("Allow", ", ".join(allowed))
        raise ApiFault(405, f"{method!r} is no method of it; accepted: {', '.join(allowed)}")
    return verb


def _call(request: Any, verb: Verb, names: tuple[str, ...], trusted: bool) -> ApiCall:
    query = read_query(request.uri.partition(b"?")[2], verb.query)
    data = request.content.read()
    accept = _text(request.getHeader(b"accept") or b"")
    if verb.body is None:
        if data:
            raise ApiFault(400, "there is a body; accepted is none")
        return ApiCall(names, query, {}, trusted, accept)
    body = read_body(_text(request.getHeader(b"content-type") or b""), data, verb.body)
    return ApiCall(names, query, body, trusted, accept)


def _answer(request: Any, given: object) -> None:
    """Say what is ``given``: text, what JSON can have, or why there is neither."""
    kind, status = JSON, 200
    if isinstance(given, Failure):
        if given.check(ApiFault) is None:
            # A fault of ours: what it is stands in the log alone.
            _log.failure("the admin API failed", given)
            given = Failure(ApiFault(500, "this has failed; the log says why"))
        fault = given.value
        assert isinstance(fault, ApiFault)
        status, body = fault.status, written({"error": fault.text, **fault.more})
    elif isinstance(given, Text):
        kind, body = given.type, given.text.encode("utf-8")
        for name, value in given.fields:
            request.setHeader(name, value)
    else:
        body = written(given)
    request.setResponseCode(status)
    request.setHeader("Content-Type", kind)
    request.setHeader("Content-Length", str(len(body)))
    request.write(body)
    request.finish()
