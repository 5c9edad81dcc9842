"""What is known of one request beside its head, and what changes it on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, TypeAlias

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txproxy.errors import ExchangeError
from txproxy.instance_names import instance_names
from txproxy.interfaces.allowances import LimitHit
from txproxy.interfaces.answers import Answer, LastingAnswer, Refusal
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.trace import Trace
from txproxy.wire.headers import Headers
from txproxy.wire.message import ResponseHead
from txproxy.wire.trace_context import TraceParent

_log = Logger()

# Of requests to a server that has too much to do: which go on before others, and which are refused first.
HIGH: Final = 0
NORMAL: Final = 1
LOW: Final = 2
PRIORITIES: Final = {"high": HIGH, "normal": NORMAL, "low": LOW}
_NO_GROUPS: Final[frozenset[str]] = frozenset()
# of responses, and of requests
Filters: TypeAlias = "tuple[tuple[ResponseFilter, ...], tuple[RequestFilter, ...]]"


class Treating(Protocol):
    """See ``treatments``. The last of them that ``maps`` says by ``map_to_keep`` (None: nothing) what a response that a
    client gets as it comes has to be for others (see ``map_back`` of :class:`txproxy.interfaces.Plan`).
    """

    maps: bool
    map_to_keep: Any

    def __call__(self, plan: Any) -> None:
        """Treat a plan."""


@instance_names(
    "connection", "client_ip", "scheme", "lines", "trace", "user", "verdict", "limit", "cache", "again", "rule",
    "errand", "response_filters", "request_filters", "filters_aside", "fetched", "groups", "personal", "traced",
    "priority", "trailers", "waited_for", "not_repeated", "tunnel_ended_by", "informational", "repeats", "attempt",
    "treatments", "_closed",
)  # fmt: skip
class RequestContext:
    """What is known of one request: who has sent it, and what policy said of it. Each request has its own, so that
    several of one connection may be on their way at once.

    ``connection`` is the one that it has come on. ``client_ip`` is the believed address of the client, and ``scheme``
    how that speaks, to the proxy or to a trusted one before it; ``lines`` are the field lines that tell upstreams of
    the client (None: what the connection says). ``user`` is the name of who is known to have sent it, or None, and
    ``groups`` the groups of that user. ``verdict`` is what policy said, if any was asked, for logs. ``rule`` is the
    name of the rule that has let it through, or of the route that it is on; empty if there is none. ``trace`` is where
    all who have a say write down what they decided, and why; None where nobody wants to know.

    ``errand`` says what a request is that the proxy makes in the course of another; empty for a client's own.
    ``personal`` is whether an upstream may take it for somebody's though it does not say so itself: it is sent with a
    login that the client does not hold, or with what somebody has said of the client who was asked.
    ``cache`` is what a cache has done with it, if there is one, and ``limit`` what a limit of requests has, for logs;
    ``traced`` is the span that upstreams are told of as theirs; None where nobody makes one;
    ``fetched`` are the exchanges by which the cache has got for it what it had not.
    ``trailers`` are those of the response, if it had any.
    ``waited_for`` is the pool that had no upstream with room for it at once, ``not_repeated`` why no attempt followed
    the last one that has failed, and ``tunnel_ended_by`` what has ended its tunnel, if that was no peer.
    ``priority`` is ``HIGH``, ``NORMAL`` or ``LOW`` (0, 1, 2) where not all can be served.
    ``stream`` is the number of its stream of HTTP/2, where it asks to be told what becomes of it.
    ``informational`` tells the client something before the final response; None where nobody may.
    ``repeats`` is whether all that was decided of it so far follows from its bytes and its connection alone, for as
    long as that has the same factory: another one of the same bytes would have come as far as this one. Who knows that
    sets it, and it holds where the mode, and all that stands around it, say that they do so. ``again`` is then what has
    answered it, and would answer the other as well.

    ``treatments`` are what those who stand around the place of a cache do with the plan of a request, the innermost
    first: they are called with that of each one which is sent from there on its behalf, and map what is kept of others.

    ``response_filters`` and ``request_filters`` are what its messages pass, in the order in which they do; ``attempt``
    is, for response filters, the one whose response comes, or None for an answer of the proxy's own.
    """

    # Most requests have the values that stand here. Those that hardly any is asked for cost nothing so; to ask once for
    # one that is not set takes as long as to set three, so that what each request is asked for is set.
    lines: tuple[bytes, ...] | None
    trace: Trace | None
    response_filters: tuple[ResponseFilter, ...]
    user: str | None
    groups: frozenset[str] = _NO_GROUPS
    verdict: Any
    rule: str
    errand: str
    personal = False
    cache: Any
    limit: LimitHit | None
    traced: TraceParent | None = None
    priority = NORMAL
    fetched: tuple[Any, ...]
    trailers: Headers | None = None
    waited_for: Any = None
    not_repeated = ""
    tunnel_ended_by = ""
    stream: int | None = None
    informational: Callable[[ResponseHead], None] | None = None
    repeats = False
    again: LastingAnswer | None
    request_filters: tuple[RequestFilter, ...]
    attempt: Any = None
    treatments: tuple[Treating, ...] = ()
    # those of decisions that may still be asked for, or never will: they are told of the end as well
    filters_aside: tuple[Filters, ...]
    # the filters that were told that it is over
    _closed: tuple[ResponseFilter | RequestFilter, ...] = ()

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.client_ip = connection.peer_ip
        self.scheme = connection.peer_scheme
        self.lines = self.trace = self.user = self.verdict = self.limit = self.cache = self.again = None
        self.rule = self.errand = ""
        self.response_filters = self.request_filters = self.filters_aside = self.fetched = ()

    # What the connection says, for those who are asked about a request.

    @property
    def peer_ip(self) -> str:
        """The address of the connection's peer."""
        return self.connection.peer_ip

    @property
    def peer_scheme(self) -> str:
        """How that speaks."""
        return self.connection.peer_scheme

    @property
    def transport(self) -> Any:
        """The connection's, or None."""
        return self.connection.transport

    @property
    def certificate(self) -> Any:
        """The verified one that the peer has shown, or None."""
        return self.connection.certificate

    def filter_responses(self, *filters: ResponseFilter) -> None:
        """Whatever the client gets passes these ``filters``, one after the other, before those that are there already:
        who stands around the others adds his own first, and sees what they have made of the response.
        """
        self.response_filters = (*filters, *self.response_filters)

    def filter_requests(self, *filters: RequestFilter) -> None:
        """The body of the request passes these ``filters`` as well, after those that are there already."""
        self.request_filters = (*self.request_filters, *filters)

    def add_lines(self, *lines: bytes) -> None:
        """Whatever the client gets has these field lines (``b"X-Team: a"``) as well, be it the response of whichever
        upstream answers, an answer of the proxy's own, or a refusal.
        """
        self.filter_responses(AddedLines(lines))

    @property
    def filters(self) -> Filters:
        """All that there are."""
        return self.response_filters, self.request_filters

    @filters.setter
    def filters(self, filters: Filters) -> None:
        """All that there are."""
        self.response_filters, self.request_filters = filters

    def keep_filters(self, kept: Filters, given: Iterable[Filters]) -> None:
        """Of all filters that were ``given``, keep these; what was added since stays before them. Others are closed."""
        known = [one for filters in given for kind in filters for one in kind]
        responses = tuple(one for one in self.response_filters if not _has(known, one) and not _has(kept[0], one))
        requests = tuple(one for one in self.request_filters if not _has(known, one) and not _has(kept[1], one))
        self.filters = (*responses, *kept[0]), (*kept[1], *requests)
        for one in known:
            if not _has(kept[0], one) and not _has(kept[1], one):
                self._close(one)

    def close_filters(self) -> None:
        """The exchange is over."""
        ended, self.filters, self.filters_aside = (self.filters, *self.filters_aside), ((), ()), ()
        for filters in ended:
            for kind in filters:
                for one in kind:
                    self._close(one)

    def _close(self, one: ResponseFilter | RequestFilter) -> None:
        """Tell a filter that it is over, if it does not know. One that fails keeps no other from being told."""
        if not one.wants_end or _has(self._closed, one):
            return
        self._closed = (*self._closed, one)
        try:
            one.closed()
        except Exception:
            _log.failure("a filter failed when it was closed")

    def on(self, connection: ClientConnection) -> RequestContext:
        """The same of a request that is made in the course of this one, as of another ``connection``. What it is
        answered is not the client's, and what becomes of it is no part of this one's trace.
        """
        other = RequestContext(connection)
        other.__dict__.update(self.__dict__, connection=connection)
        other.response_filters, other.request_filters, other.trace = (), (), None
        other.filters_aside, other._closed = (), ()
        other.informational = other.again = other.waited_for = None
        other.not_repeated = other.tunnel_ended_by = ""
        return other


def _has(filters: Iterable[Any], wanted: ResponseFilter | RequestFilter) -> bool:
    """Whether ``wanted`` itself is among them: one that is equal to it is another."""
    return any(one is wanted for one in filters)


class ResponseFilter:
    """Changes what the client gets, or looks at it. This one changes nothing: others override what they need.

    It passes the response of whichever upstream answers in the end, and each :class:`~txproxy.interfaces.Answer`; where
    ``refusals``, also what the proxy says where it refuses or where an upstream fails. Filters are asked one after the
    other, the innermost first. An ``ExchangeError`` that one raises before the head has gone out is what the client
    gets in place of the response; after that the response is cut, so that the client can tell.
    """

    # whether it is for refusals as well
    refusals = False
    # whether the body is to pass it, from now on or for the response whose head it was just asked about. False leaves
    # the body to the kernel where that can pass it on.
    wants_body = False
    # whether as many bytes come out of it as go in. False takes away the Content-Length of a response whose body it
    # wants.
    keeps_length = False
    # whether it is told that the exchange is over: where it overrides ``closed``
    wants_end = False
    # whether all that it ever does is to add fields to heads, of whatever status these are
    only_adds = False
    # whether in addition it is by nothing but the head that it adds something to an answer
    steady = False
    # so many seconds a head may wait for it, and is answered with 504 then; None where it bounds that itself
    timeout: float | None = 10.0

    def __init_subclass__(cls, **words: Any) -> None:
        super().__init_subclass__(**words)
        cls.wants_end = cls.closed is not ResponseFilter.closed

    def head(
        self, response: ResponseHead, context: RequestContext
    ) -> ResponseHead | Answer | Refusal | Deferred[ResponseHead | Answer | Refusal]:
        """The head that the client gets: ``response``, another one, or an answer in place of the whole response; or a
        Deferred of one of these. Nothing of the body is read until that fires, and it is cancelled when the client
        leaves, and when it takes longer than ``timeout``; one with ``only_adds`` gives none.

        ``response.headers`` are end-to-end fields; they may be shared with other responses, so that a change is a new
        head (see :meth:`txproxy.interfaces.ResponseHead.with_lines`). Not asked for informational ones.
        """
        return response

    def body(self, data: bytes) -> bytes:
        """What passes of this part of the body; nothing, if more of it is needed first."""
        return data

    def end(self, trailers: Headers) -> bytes:
        """The body is complete; gives what is still to pass of it."""
        return b""

    def failed(self, fault: ExchangeError) -> Answer | Refusal | None:
        """The request has failed before any of a response went to the client; gives what to say in place of the
        refusal, or None.
        """
        return None

    def closed(self) -> None:
        """The exchange is over, in whatever way: called once."""


class RequestFilter:
    """Changes the body of a request on its way to the upstream, or looks at it. This one changes nothing.

    The head is a middleware's to change. Each part of the body passes once, whichever attempt it is sent with.
    """

    # whether as many bytes come out of it as go in; False has the body sent in chunks
    keeps_length = False
    # See ResponseFilter.
    wants_end = False

    def __init_subclass__(cls, **words: Any) -> None:
        super().__init_subclass__(**words)
        cls.wants_end = cls.closed is not RequestFilter.closed

    def body(self, data: bytes) -> bytes | Refusal:
        """What passes of this part, or why the request does not."""
        return data

    def end(self) -> bytes | Refusal:
        """The body is complete; gives what is still to pass of it."""
        return b""

    def closed(self) -> None:
        """The exchange is over, in whatever way: called once."""


class AddedLines(ResponseFilter):
    """Adds field ``lines`` to whatever the client gets."""

    refusals = only_adds = True

    def __init__(self, lines: tuple[bytes, ...]) -> None:
        self._lines = lines

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`ResponseFilter`."""
        return response.with_lines([*response.headers.lines, *self._lines])
