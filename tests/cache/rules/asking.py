"""Requests of clients, as rules of caching get them."""

from txproxy.interfaces.trace import Trace
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def asked(path="/", host="a.example", scheme=None, rule="", traced=False):
    """A request, and its context."""
    context = context_of(rule=rule, trace=Trace(dry_run=True) if traced else None)
    return RequestHead(b"GET", path.encode(), Headers(()), host.encode(), scheme), context
