"""The URL that a request is for, as rules are compared with it: by each way in which servers may read it."""

from __future__ import annotations

from typing import Final

from txproxy.interfaces.context import RequestContext
from txproxy.matching.hosts import normal_host
from txproxy.matching.paths import PLAIN, normal_escapes, readings, split_path
from txproxy.matching.urls import DEFAULT_PORTS, Url
from txproxy.wire.message import RequestHead
from txproxy.wire.target import split_authority

# A handshake of WebSocket is a request of HTTP (RFC 6455 section 3).
_SCHEMES: Final = {b"http": "http", b"ws": "http", b"https": "https", b"wss": "https"}


def asked_urls(request: RequestHead, context: RequestContext) -> tuple[Url, ...]:
    """The URLs, of which the first is the one that is meant. ``AmbiguousPath`` if there are more than anybody can
    mean.
    """
    scheme = _SCHEMES.get(request.scheme or context.scheme.encode("ascii"), "http")
    try:
        host, port = split_authority(request.authority)
    except ValueError:
        host, port = "", None
    target = request.path
    if PLAIN.fullmatch(target) is not None and b"%" not in target:
        texts = [target.decode("latin-1")]
    else:
        path, query = split_path(target)
        rest = normal_escapes(query)
        texts = [(reading + rest).decode("latin-1") for reading in readings(path)]
    return tuple(Url(scheme, normal_host(host), port or DEFAULT_PORTS[scheme], text) for text in texts)
