"""``/api/events``: how a proxy is each second, and what changes, told as long as somebody listens."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from txproxy.admin.api_call import ApiCall, ApiFault, Streamed
from txproxy.admin.api_paths import Verb
from txproxy.admin.events.event_feed import EventFeed
from txproxy.admin.events.event_stream import TYPE, EventStream
from txproxy.admin.events.proxy_status import look
from txproxy.admin.merging import BY_MASTER

MOST_STREAMS: Final = 16


def event_verb(status: Verb, reactor: Any) -> Verb:
    """Of what is answered at ``status``, as it is asked where the endpoint is."""
    feed = EventFeed(partial(look, status), reactor)

    def handle(call: ApiCall) -> Streamed:
        wanted = call.number("status", 1, 0, 1)
        if len(feed) >= MOST_STREAMS:
            raise ApiFault(503, f"{MOST_STREAMS} streams are read already, and accepted are no more")
        return Streamed(TYPE, lambda request: EventStream(feed, request, reactor, bool(wanted)).begin())

    return Verb("GET", "/api/events", handle, query=("status",), merge=BY_MASTER)
