"""What could not be read as a request, and is answered: a head that does not come to its end, or that is none.

Nothing is decided of it, and no filter is there for it: all that it takes is an answer, and to tell those who count and
log. Its slow twin is ``Exchange.refuse_unread``, which has a stream of its own to answer on.
"""

from __future__ import annotations

from twisted.logger import Logger

from txproxy.errors import ExchangeError
from txproxy.interfaces.answers import Refusal
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.record import AttemptRecord
from txproxy.proxy.exchanges.responses.own_answers import replied
from txproxy.proxy.services import Services
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.message import RequestHead, ResponseHead

_log = Logger()


class UnreadRequest:
    """One that was refused for a fault, after so many ``seconds`` (see
    :class:`txproxy.interfaces.record.FinishedExchange`).
    """

    # What never becomes of it.
    plan = standing = tracker = attempt = kept = first_byte = stream = None
    eventful = False
    received = upstream_status = 0
    attempts: tuple[AttemptRecord, ...] = ()

    __slots__ = ("request", "context", "outcome", "detail", "status", "sent", "seconds", "response")

    def __init__(
        self, request: RequestHead, context: RequestContext, refusal: Refusal, response: ResponseHead, seconds: float
    ) -> None:
        self.request = request
        self.context = context
        self.outcome = refusal.outcome or refusal.error or "refused"
        self.detail = refusal.detail
        self.status = response.status
        self.sent = 0
        self.seconds = seconds
        self.response = response


def answer_unread(
    services: Services, connection: ClientConnection, codec: ServerCodec, fault: ExchangeError, waited: float
) -> bytes:
    """The answer to what ``codec`` could not read, for which it was ``waited`` so many seconds; whoever wants to know
    of it is told. It is the last one of its connection.
    """
    services.say_fault(connection.peer_ip, fault)
    refusal = Refusal.of(fault)
    response, body = replied(services, refusal)
    answer = codec.send_head(response, True)
    sent = codec.sends_body
    if sent:
        answer += codec.send_data(body)
    if services.observed:
        unread = UnreadRequest(codec.unread_head(), RequestContext(connection), refusal, response, waited)
        if sent:
            unread.sent = len(body)
        try:
            services.tell(unread)
        except Exception:
            _log.failure("an observer failed")
    return answer
