"""A request as a short function sees it."""

from __future__ import annotations

from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.hooks.field_view import Fields
from txproxy.wire.message import RequestHead
from txproxy.wire.target import is_origin_form


class Request:
    """One request, as ``before`` and ``after`` of a configuration are called with it, and what decides whether a route
    is for it.

    ``headers``, ``path`` and ``query`` may be changed by ``before``, and go on as they are then. At a listener it is
    asked before a route is looked for, and before access rules, which go by the path as it is then; at a route or a
    rule that is done, and nothing is looked for again. ``head`` and ``context`` are the same as
    :class:`txproxy.interfaces.IMiddleware` has them, for those who need more.
    """

    __slots__ = ("head", "context", "_headers")

    def __init__(self, head: RequestHead, context: RequestContext) -> None:
        self.head = head
        self.context = context
        self._headers: Fields | None = None

    @property
    def method(self) -> str:
        """Such as ``GET``."""
        return self.head.method.decode("ascii")

    @property
    def scheme(self) -> str:
        """``http`` or ``https``: of the target, if that is absolute, else as the client speaks."""
        scheme = self.head.scheme
        return self.context.scheme if scheme is None else scheme.decode("ascii")

    @property
    def host(self) -> str:
        """Whom it is for, as the client says it, with a port if it names one."""
        return self.head.authority.decode("utf-8", "surrogateescape")

    @property
    def path(self) -> str:
        """The path as it was sent, without the query; empty for CONNECT."""
        return self.head.path.partition(b"?")[0].decode("utf-8", "surrogateescape")

    @path.setter
    def path(self, path: str) -> None:
        """Another path, escaped as it is to be sent. ``ValueError`` if it is none, or the request has none."""
        self._set_target(path, self.head.path.partition(b"?")[2].decode("utf-8", "surrogateescape"))

    @property
    def query(self) -> str:
        """What stands behind the question mark, as it was sent; empty if there is none."""
        return self.head.path.partition(b"?")[2].decode("utf-8", "surrogateescape")

    @query.setter
    def query(self, query: str) -> None:
        """Another query, escaped as it is to be sent; empty for none. ``ValueError`` if it is none."""
        self._set_target(self.path, query)

    def _set_target(self, path: str, query: str) -> None:
        if self.head.path[:1] != b"/":
            # CONNECT, and OPTIONS for a server as a whole
            raise ValueError(f"a request for {self.head.path.decode('ascii', 'replace') or 'a tunnel'} has no path")
        target = (f"{path}?{query}" if query else path).encode("utf-8", "surrogateescape")
        if "?" in path or not is_origin_form(target):
            raise ValueError(f"{path!r} with the query {query!r} is no path that can be asked for")
        self.head = self.head.with_fields(self.head.headers, target)

    @property
    def url(self) -> str:
        """All of it: ``https://shop.example/cart?id=1``; for CONNECT, ``HOST:PORT``."""
        if self.head.method == b"CONNECT":
            return self.host
        return f"{self.scheme}://{self.host}{self.head.path.decode('utf-8', 'surrogateescape')}"

    @property
    def headers(self) -> Fields:
        """Its fields."""
        if self._headers is None:
            self._headers = Fields(self.head.headers)
        return self._headers

    @property
    def client(self) -> str:
        """The believed address of who has sent it; ``unix:`` for a UNIX socket."""
        return self.context.client_ip

    @property
    def user(self) -> str | None:
        """Who that is, if it is known by then."""
        return self.context.user

    @property
    def route(self) -> str:
        """The name of the route, or the rule, that it is on; empty while that is not known."""
        return self.context.rule

    def changed_head(self) -> RequestHead:
        """The head with the fields as they are now."""
        headers = self._headers
        if headers is not None and headers.changed:
            # What is asked next begins with what was made of it.
            self.head = self.head.with_lines(headers.lines)
            self._headers = None
        return self.head

    def __repr__(self) -> str:
        return f"Request({self.method} {self.url})"
