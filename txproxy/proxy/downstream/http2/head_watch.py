"""Whether the head of a request that has begun to come on a connection of HTTP/2 comes on."""

from __future__ import annotations

from typing import Any, Final

from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.record import ExchangeRecord
from txproxy.proxy.downstream.http2.request_stream import UNREAD
from txproxy.proxy.minimum_rate import HeadRate, slow_head

_NOTHING: Final = -1


class HeadWatch:
    """Watches a ``client`` (:class:`txproxy.proxy.downstream.http2.http2_connection.Http2Protocol`) of which part of a
    frame, or of a field block, has come. What is not complete for long has to come at some least rate, as a head of
    HTTP/1 has to: it keeps all other streams of the connection from being heard.

    Where there are streams, only field blocks are looked at, each from when it was first seen: frames of bodies are
    their streams' own, and who is at work may have begun with a head just now.
    """

    __slots__ = ("_client", "_number", "_rate")

    def __init__(self, client: Any) -> None:
        self._client = client
        self._number = _NOTHING
        self._rate: HeadRate | None = None

    def until(self, rest: float) -> float:
        """The deadline of the client is over: the next one, or 0 if it was too slow. Until ``rest`` there may be no
        stream.
        """
        client = self._client
        until, active = self._until(), client.session.active
        if until and (active or client.deadline < rest):
            return until if active else min(until, rest)
        if client.session.reader.begun_head[0]:
            self._say(client)
        return 0.0

    def _say(self, client: Any) -> None:
        """Tell who is told of requests of one that has no stream yet."""
        services = client.services
        client.say_fault("the head of a request came too slowly")
        if services.observed:
            fault, waited = slow_head(), self._rate.waited if self._rate is not None else 0.0
            services.exchange_finished(
                ExchangeRecord(
                    UNREAD, RequestContext(client.connection), fault.outcome, fault.detail, 0, 0, 0, (), None, waited
                )
            )

    def _until(self) -> float:
        client = self._client
        services, session = client.services, client.session
        number, received = session.reader.begun_head
        if session.active and not number:
            self._number = _NOTHING
            return float(services.head_limit.ahead)
        rate: HeadRate | None = self._rate
        if rate is None or number != self._number:
            self._number = number
            seen = services.head_limit.ahead if session.active else client.deadline
            self._rate = rate = services.head_rate(seen)
            if session.active:
                return rate.until
        return rate.until if rate.goes_on(received) else 0.0
