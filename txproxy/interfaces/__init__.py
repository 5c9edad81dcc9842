"""What embedders may implement, and the small values that pass through these seams."""

from txproxy.errors import (
    ConfigError,
    DialError,
    ExchangeError,
    RequestDenied,
    RequestError,
    ResponseDenied,
    TxproxyError,
    UpstreamError,
)
from txproxy.interfaces.address import Address, Hop, Opening
from txproxy.interfaces.allowances import Allowance, Bounds, Meter, Metered, Shaper
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.dialers import IClientDialer, IDialer
from txproxy.interfaces.middleware import Handler, IMiddleware, decided, with_lines
from txproxy.interfaces.mode import IMode
from txproxy.interfaces.plan import Answer, Decision, OwnFields, Party, Plan, Postponed, Refusal, Shadow, Uploading
from txproxy.interfaces.tunnels import Gatekeeper
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead

__all__ = [
    "IMode",
    "IMiddleware",
    "Handler",
    "decided",
    "with_lines",
    "RequestHead",
    "ResponseHead",
    "Headers",
    "ClientConnection",
    "RequestContext",
    "Decision",
    "Plan",
    "Answer",
    "Refusal",
    "Postponed",
    "Party",
    "Shadow",
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
    "ExchangeError",
    "RequestError",
    "RequestDenied",
    "ResponseDenied",
    "DialError",
    "UpstreamError",
]
