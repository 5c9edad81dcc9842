"""Requests with the method PURGE, which a policy may allow."""

from __future__ import annotations

from typing import Any, Final

from twisted.python.failure import Failure

from txproxy.cache.purging.mark import Kind
from txproxy.errors import ConfigError
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Decision
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.wire.message import RequestHead

_PURGED: Final = Answer(200, (b"Content-Type: text/plain", b"Cache-Control: no-store"), b"purged\n")
_SCHEMES: Final = (b"http", b"https")


def purged(cache: SharedCache, request: RequestHead, context: RequestContext, path: bytes, reactor: Any) -> Decision:
    """Use nothing any more that is stored of a URL, by whichever route, and however its clients speak. Its ``path`` is
    the one that is sent on. Who has asked for that is told when it survives whatever happens to the machine.
    """
    if context.trace is not None:
        context.trace.say("cache", "what is stored of it is purged")
        if context.trace.dry_run:
            return _PURGED
    try:
        for scheme in _SCHEMES:
            cache.purge(Kind.URL, b"%b://%b%b" % (scheme, request.authority, path))
    except ConfigError as wrong:
        return Refusal(400, "http_request_error", str(wrong))
    except OSError as fault:
        return _unwritten(fault)
    flushed: Any = cache.flushed(reactor)
    decision: Decision = flushed.addCallbacks(lambda _: _PURGED, _unflushed)
    return decision


def _unflushed(failure: Failure) -> Refusal:
    failure.trap(OSError)
    return _unwritten(failure.value)


def _unwritten(fault: Any) -> Refusal:
    return Refusal(500, "proxy_internal_error", f"the purge cannot be written down: {fault.strerror or fault}")
