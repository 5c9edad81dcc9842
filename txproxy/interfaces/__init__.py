"""What embedders may implement, and the small values that pass through these seams."""

from txproxy.errors import (
    ConfigError,
    DialError,
    ExchangeError,
    Finding,
    RequestDenied,
    RequestError,
    ResponseDenied,
    TxproxyError,
    UpstreamError,
)
from txproxy.interfaces.address import Address, Hop, Opening
from txproxy.interfaces.allowances import Allowance, Bounds, Meter, Metered, Shaper
from txproxy.interfaces.answers import Answer, BodyReceiver, BodySource, Refusal, RelayedAnswer
from txproxy.interfaces.attempt import Attempt, Tracker
from txproxy.interfaces.connection import ClientConnection, IConnectionFilter
from txproxy.interfaces.context import RequestContext, RequestFilter, ResponseFilter
from txproxy.interfaces.dialers import IClientDialer, IDialer
from txproxy.interfaces.hooks.field_view import Fields
from txproxy.interfaces.hooks.log_sink import LogSink
from txproxy.interfaces.hooks.request_view import Request
from txproxy.interfaces.hooks.response_view import Reply, Response
from txproxy.interfaces.middleware import Handler, IInnerMiddleware, IMiddleware, IMode, IStreamMiddleware, decided
from txproxy.interfaces.plan import Decision, Gatekeeper, OwnFields, Plan, Postponed, Uploading
from txproxy.interfaces.record import AttemptRecord, ExchangeRecord
from txproxy.interfaces.trace import Entry, Trace
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead

__all__ = [
    "IMode",
    "IMiddleware",
    "IInnerMiddleware",
    "IStreamMiddleware",
    "IConnectionFilter",
    "Handler",
    "decided",
    "Request",
    "Response",
    "Fields",
    "Reply",
    "ExchangeRecord",
    "AttemptRecord",
    "LogSink",
    "RequestHead",
    "ResponseHead",
    "Headers",
    "ClientConnection",
    "RequestContext",
    "RequestFilter",
    "ResponseFilter",
    "Trace",
    "Entry",
    "Decision",
    "Plan",
    "Attempt",
    "Answer",
    "RelayedAnswer",
    "BodySource",
    "BodyReceiver",
    "Refusal",
    "Postponed",
    "Tracker",
    "Uploading",
    "OwnFields",
    "Address",
    "Hop",
    "Opening",
    "IDialer",
    "IClientDialer",
    "Bounds",
    "Shaper",
    "Allowance",
    "Meter",
    "Metered",
    "Gatekeeper",
    "TxproxyError",
    "ConfigError",
    "Finding",
    "ExchangeError",
    "RequestError",
    "RequestDenied",
    "ResponseDenied",
    "DialError",
    "UpstreamError",
]
