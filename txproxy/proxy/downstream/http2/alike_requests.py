"""The short cut of requests that have come one after the other in the same bytes: what is to be found out is found out
once for all of them, and they go on together as far as they have the same way.

Its slow twin is ``begin`` of :mod:`txproxy.proxy.downstream.http2.request_stream`, for each of them alone.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final

from twisted.logger import Logger

from txproxy.instance_names import instance_names
from txproxy.interfaces.plan import StandingPlan
from txproxy.proxy.exchanges.phases import OVER, PLANNING, SENT
from txproxy.proxy.exchanges.standing_exchange import StandingExchange, begin_standing, head_by
from txproxy.proxy.services import Services
from txproxy.wire.http2.field_blocks.request_heads import KnownRequest
from txproxy.wire.message import RequestHead, SharedHead, SharedRequest

_log = Logger()
_NUMBER: Final = attrgetter("id")


@instance_names(
    "services", "downstream", "request", "standing", "tracker", "phase", "upstream", "started", "kept", "eventful",
    "received", "status", "upstream_status", "response", "sent", "outcome", "first_byte", "seconds", "context", "plan",
    "detail", "wants_body", "_pending",
)  # fmt: skip
class AlikeExchange(StandingExchange):
    """One of those whose downstream is a stream of HTTP/2, of a request without a body."""

    in_runs = True

    def run_shared(self, head: SharedHead, alike: list[tuple[Any, bytes]]) -> int:
        """See :class:`txproxy.proxy.exchanges.responses.relayed_response.RelayedResponse`: of those whose client is the
        same as far as nothing else is to be done for them.
        """
        stream: Any = self.downstream
        client = stream.client
        session = client.session
        onward, size = head.onward, len(alike[0][1])
        # Else nothing is looked at but the first, as all of them would be once more for each that goes alone.
        most = session.most_last(onward, size) if onward is not None and size <= stream.send_window else 0
        run, exchanges = [], []
        for one, body in alike[:most]:
            exchange = one.exchange
            if not one.open or type(exchange) is not AlikeExchange or exchange.standing is None:
                break
            stream = exchange.downstream
            if stream.client is not client:
                break
            run.append((stream, body))
            exchanges.append(exchange)
        count = session.send_all_last(run, onward) if len(run) > 1 else 0
        if not count or onward is None:
            return super().run_shared(head, alike)
        _end_all(client, exchanges[:count], onward, size)
        return count

    def response_shared(self, head: SharedHead, body: bytes) -> None:
        """See :class:`txproxy.proxy.exchanges.standing_exchange.StandingExchange`: the same in fewer steps, as the
        stream ends with what is sent. What only those look at who are told of its end is not set for nobody.
        """
        onward = head.onward
        if onward is None or self.standing is None:
            super().response_shared(head, body)
            return
        self.upstream = None
        self.phase = OVER
        stream: Any = self.downstream
        tracker: Any = self.tracker
        client = stream.client
        session = client.session
        over = session.send_last(stream, onward, body)
        if not over:
            session.send_whole(stream, onward, body)
        if not client.output.wanted:
            client.want_out()
        status = onward.status
        started = self.started
        if started is None:
            tracker.ended(None, status)
        else:
            self.outcome = "ok"
            self.response = onward
            self.status = self.upstream_status = status
            self.sent = len(body)
            services = self.services
            # Not at once: see Exchange.start.
            seconds = services.seconds
            self.first_byte = self.seconds = seconds() - started
            tracker.ended(None, status)
            try:
                tell = services.tell
                tell(self)
            except Exception:
                _log.failure("an observer failed")
        if over:
            stream.exchange = None
            if not session.active:
                client.rest()
        else:
            stream.exchange_done()


def _end_all(client: Any, exchanges: list[AlikeExchange], onward: SharedHead, size: int) -> None:
    """These have been answered, all of a ``client``, with bodies of the same ``size``."""
    if not client.output.wanted:
        client.want_out()
    status = onward.status
    tracker: Any = exchanges[0].tracker
    ended, observed = 0, False
    for exchange in exchanges:
        stream: Any = exchange.downstream
        stream.exchange = None
        one: Any = exchange.upstream
        one.open = False
        one.exchange = exchange.upstream = None
        exchange.phase = OVER
        if exchange.tracker is not tracker:
            tracker.all_ended(ended, status)
            tracker, ended = exchange.tracker, 0
        ended += 1
        if exchange.started is not None:
            observed = True
    tracker.all_ended(ended, status)
    if observed:
        _tell_all([one for one in exchanges if one.started is not None], onward, size)
    if not client.session.active:
        client.rest()


def _tell_all(exchanges: list[AlikeExchange], onward: SharedHead, size: int) -> None:
    """Tell those who want to know that these are over, whose time was read when they began."""
    now = _time(exchanges[0].services)
    for exchange in exchanges:
        started: Any = exchange.started
        exchange.outcome = "ok"
        exchange.response = onward
        exchange.status = exchange.upstream_status = onward.status
        exchange.sent = size
        exchange.first_byte = exchange.seconds = now - started
        try:
            tell = exchange.services.tell
            tell(exchange)
        except Exception:
            _log.failure("an observer failed")


def begin_alike(client: Any, streams: list[Any], what: KnownRequest) -> None:
    """Begin the requests of these ``streams`` of a ``client``, of all of which the same is known."""
    opened = client.session.streams
    if len(streams) > 1 and not all(map(opened.__contains__, map(_NUMBER, streams))):
        # Some were reset by what came with them.
        for stream in streams:
            stream.client = client
        streams = [stream for stream in streams if stream.id in opened]
    while len(streams) > 1:
        begun = _begin_by_plan(client, streams, what) if what.headers is client.plain_fields else 0
        if begun == len(streams):
            return
        _begin_alone(client, streams[begun], what)
        # What was done by now may have reset others, or ended the connection.
        streams = [stream for stream in streams[begun + 1 :] if stream.id in opened]
    for stream in streams:
        _begin_one(client, stream, what)


def _begin_one(client: Any, stream: Any, what: KnownRequest) -> None:
    """Begin a request with which no others go, if it was not reset by what came with it."""
    stream.client = client
    if stream.id not in client.session.streams:
        return
    if what.headers is not client.plain_fields:
        stream.begin(what.head())
        return
    stream.plain = True
    factory = client.factory
    request = what.made or what.shared_head()
    stands = factory.handle is factory.standing_for
    if not (stands and begin_standing(stream, client.services, client.connection, request, AlikeExchange)):
        stream.begin_plainly(request.alone())


def _begin_alone(client: Any, stream: Any, what: KnownRequest) -> None:
    """Begin a request for which no plan stands, if what those before it have led to has not reset it."""
    stream.client = client
    if stream.id not in client.session.streams:
        return
    if what.headers is client.plain_fields:
        stream.plain = True
        stream.begin_plainly(what.shared_head().alone())
    else:
        stream.begin(what.head())


def _standing_for(client: Any, request: SharedRequest) -> StandingPlan | None:
    """The plan that stands for it, which it knows from then on, and what is sent (``onward``); or None."""
    factory, connection = client.factory, client.connection
    standing: StandingPlan | None = connection.standing
    # Where a connection has some of its own, the client may have logged in on one.
    if standing is None or factory.handle is not factory.standing_for or connection.connections is not None:
        return None
    return standing if request.standing is standing or head_by(standing, request) is not None else None


def _begin_by_plan(client: Any, streams: list[Any], what: KnownRequest) -> int:
    """Begin those for which a plan stands; gives how many of ``streams`` come before the first that has none."""
    request = what.made or what.shared_head()
    standing = _standing_for(client, request)
    if standing is None:
        return 0
    services, tolls = client.services, standing.tolls
    now = _time(services) if services.observed or tolls is not None else None  # they have come at the same time
    only = standing.take_all(len(streams)) if tolls is None else None
    if only is None:
        return _begin_by_turns(client, streams, request, standing, now)
    _begin_at_one(client, streams, request, only, now if services.observed else None)
    return len(streams)


def _begin_by_turns(
    client: Any, streams: list[Any], request: SharedRequest, standing: StandingPlan, now: float | None
) -> int:
    """The same of those that each ask whose turn it is, and pay what their limits want."""
    services, tolls, head = client.services, standing.tolls, request.onward
    started = now if services.observed else None
    # those that go out together, by upstream: by which connection, and how many there is room for
    groups: dict[Any, tuple[Any, int, list[AlikeExchange]]] = {}
    for stream in streams:
        stream.client = client
        if tolls is not None and not tolls.pay(now):
            # It is for them to say what becomes of it, and of those like it from now on.
            client.connection.standing = None
            break
        upstream = standing.take()
        if upstream is None:
            if tolls is not None:
                tolls.pay_back()
            break
        stream.plain = True
        stream.exchange = exchange = AlikeExchange()
        exchange.services = services
        exchange.downstream = stream
        exchange.request = request
        exchange.standing = standing
        exchange.tracker = upstream
        exchange.started = started
        exchange.phase = SENT
        group = groups.get(upstream)
        if group is not None:
            kept, room, together = group
            if len(together) < room:
                together.append(exchange)
                continue
            _send(together, kept, head)
        kept = services.connections.next_of(upstream.address.key)
        if kept is None or not kept.room:
            groups.pop(upstream, None)
            _send_alone(exchange, kept, head)
        else:
            groups[upstream] = kept, kept.room, [exchange]
    else:
        stream = None
    for kept, _, together in groups.values():
        _send(together, kept, head)
    return len(streams) if stream is None else streams.index(stream)


def _begin_at_one(
    client: Any, streams: list[Any], request: SharedRequest, upstream: Any, started: float | None
) -> None:
    """Begin those for all of which a plan stands, and has taken the turn of the same ``upstream``."""
    services, standing, head = client.services, request.standing, request.onward
    together = []
    for stream in streams:
        # Written out, as where each asks for its turn: a call takes as long as half of this.
        stream.client = client
        stream.plain = True
        stream.exchange = exchange = AlikeExchange()
        exchange.services = services
        exchange.downstream = stream
        exchange.request = request
        exchange.standing = standing
        exchange.tracker = upstream
        exchange.started = started
        exchange.phase = SENT
        together.append(exchange)
    connections, key = services.connections, upstream.address.key
    while together:
        kept = connections.next_of(key)
        room = kept.room if kept is not None else 0
        if room:
            _send(together[:room], kept, head)
            together = together[room:]
            continue
        _send_alone(together[0], kept, head)
        # If that has ended their connection, so have they.
        together = [one for one in together[1:] if one.phase is not OVER]


def _time(services: Services) -> float:
    # Not at once: see Exchange.start.
    seconds = services.seconds
    return seconds()


def _send(together: list[AlikeExchange], kept: Any, head: RequestHead | None) -> None:
    """Have these go out on a ``kept`` connection, which had room for all of them."""
    if together[0].phase is OVER:
        # Their client has gone meanwhile.
        together = [one for one in together if one.phase is not OVER]
    for exchange in together[kept.start_alike(together, head) :]:
        connections = exchange.services.connections
        tracker: Any = exchange.tracker
        _send_alone(exchange, connections.next_of(tracker.address.key), head)


def _send_alone(exchange: AlikeExchange, kept: Any, head: RequestHead | None) -> None:
    if kept is None:
        exchange.phase = PLANNING
        exchange.make_attempt()
    else:
        kept.start(exchange, head)
