"""Texts with variables, as configurations have them for header fields and redirects.

=============  =========================================================================================
``$client_ip``  the believed address of the client
``$host``       the host that the client asked for, in lower case, without the port; a literal in brackets
``$scheme``     how the client speaks to the proxy, ``http`` or ``https``
``$method``     the request's method
``$path``       the path as the client sent it, without the query; ``/`` where it is none (``OPTIONS *``)
``$query``      the query without its question mark; in ``?$query`` the mark goes where there is none
``$upstream``   the upstream's name, and port; only in what is answered, and empty where none was asked
``$$``          a dollar
=============  =========================================================================================

``${host}`` is the same as ``$host``, for where a letter follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from txproxy.errors import ConfigError
from txproxy.interfaces.context import RequestContext
from txproxy.wire.message import RequestHead
from txproxy.wire.target import split_authority

Variable: TypeAlias = "Callable[[RequestHead, RequestContext, bytes], bytes]"

_NAME: Final = re.compile(r"\$(?:(\$)|\{(\w+)\}|([A-Za-z_]\w*|[0-9]+)|)", re.ASCII)


def _host(head: RequestHead, context: RequestContext, upstream: bytes) -> bytes:
    if not head.authority:
        return b""
    host = split_authority(head.authority)[0].encode("ascii")
    return b"[%b]" % host if b":" in host else host


def _path(head: RequestHead, context: RequestContext, upstream: bytes) -> bytes:
    path = head.path.partition(b"?")[0]
    return path if path[:1] == b"/" else b"/"


def _marked_query(head: RequestHead, context: RequestContext, upstream: bytes) -> bytes:
    query = head.path.partition(b"?")[2]
    return b"?" + query if query else b""


VARIABLES: Final[dict[str, Variable]] = {
    "client_ip": lambda head, context, upstream: context.client_ip.encode("utf-8"),
    "host": _host,
    "scheme": lambda head, context, upstream: context.scheme.encode("ascii"),
    "method": lambda head, context, upstream: head.method,
    "path": _path,
    "query": lambda head, context, upstream: head.path.partition(b"?")[2],
    "upstream": lambda head, context, upstream: upstream,
    "?query": _marked_query,
}
ANSWER_VARIABLES: Final = ("client_ip", "host", "scheme", "method", "path", "query", "upstream")
REQUEST_VARIABLES: Final = ANSWER_VARIABLES[:-1]


def parse(text: str, known: Iterable[str]) -> list[tuple[bytes, str]]:
    """``text`` as literals, each with the name of the variable after it, or an empty one at the end. ``ConfigError`` if
    a variable is not ``known``, without the text, which may be a secret. A query and the question mark before it are
    one, named ``?query``.
    """
    pieces: list[tuple[bytes, str]] = []
    literal, end = "", 0
    for found in _NAME.finditer(text):
        literal += text[end : found.start()]
        end = found.end()
        if found[1]:
            literal += "$"
            continue
        name = found[2] or found[3]
        if name not in known:
            accepted = ", ".join(f"${other}" for other in known)
            what = f"{found[0]} is no variable" if name else "a dollar stands alone"
            raise ConfigError(what, f"accepted are {accepted}, and $$ for a dollar")
        if name == "query" and literal.endswith("?"):
            literal, name = literal[:-1], "?query"
        pieces.append((_encoded(literal), name))
        literal = ""
    pieces.append((_encoded(literal + text[end:]), ""))
    return pieces


def _encoded(literal: str) -> bytes:
    return literal.encode("utf-8", "surrogateescape")


class Template:
    """A text whose variables are filled in for each request; ``constant`` is all of it where it has none.

    ``ConfigError`` for a variable that is not one of ``known``.
    """

    __slots__ = ("constant", "sample", "_pieces")

    def __init__(self, text: str, known: Iterable[str] = REQUEST_VARIABLES) -> None:
        pieces = parse(text, known)
        self.constant = pieces[0][0] if len(pieces) == 1 else None
        # for checks: a value as it may become
        self.sample = b"x".join(literal for literal, _ in pieces)
        self._pieces: list[bytes | Variable] = []
        for literal, name in pieces:
            if literal:
                self._pieces.append(literal)
            if name:
                self._pieces.append(VARIABLES[name])

    def render(self, head: RequestHead, context: RequestContext, upstream: bytes = b"") -> bytes:
        """The text for a request; ``upstream`` is the authority of the one that answers, where it is known."""
        return b"".join(
            [piece if isinstance(piece, bytes) else piece(head, context, upstream) for piece in self._pieces]
        )
