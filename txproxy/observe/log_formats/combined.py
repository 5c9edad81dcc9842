"""The ``combined`` form, as Apache and nginx write it. It is what most use, and written out, as that is fastest."""

from __future__ import annotations

from typing import Final, Protocol

from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.record import FinishedExchange
from txproxy.observe.log_formats.escaping import one_word, quoted
from txproxy.observe.log_formats.log_field import SecondText
from txproxy.observe.log_formats.record_facts import stream_status
from txproxy.wire.message import VERSIONS

# What of a value needs no escape is looked for here: a call for each value takes longer than that.
_PLAIN: Final = quoted.plain


class BriefStream(Protocol):
    """A raw stream, as far as these lines are concerned."""

    client_ip: str
    context: RequestContext
    outcome: str
    sent: int
    record: FinishedExchange | None

    @property
    def upstream(self) -> object:
        """Where it went, or None."""


class CombinedLines:
    """Makes lines of it."""

    def __init__(self) -> None:
        self._time_of = SecondText("%d/%b/%Y:%H:%M:%S %z")
        # the second that was written last, and how
        self._second = -1
        self._time = b""

    def _turn_to(self, now: float) -> None:
        self._second, self._time = int(now), self._time_of(None, now)

    def exchange(self, record: FinishedExchange, now: float) -> bytes:
        """The line of a finished exchange."""
        request = record.request
        index = request.headers.index
        if request.method == b"CONNECT":
            target = request.authority
        elif request.scheme is not None:
            target = request.scheme + b"://" + request.authority + request.path
        else:
            target = request.path
        # What could not be read as a request has no method, and is shown as it came.
        version = VERSIONS[request.minor]
        line = b"%b %b HTTP/%b" % (request.method, target, version) if request.method else target or b"-"
        context = record.context
        user = context.user
        referer, agent = index.get(b"referer", b"-"), index.get(b"user-agent", b"-")
        if int(now) != self._second:
            self._turn_to(now)
        return b'%b - %b [%b] "%b" %d %d "%b" "%b"\n' % (
            context.client_ip.encode("ascii"),
            one_word(user.encode("utf-8", "replace")) if user else b"-",
            self._time,
            line if not line.translate(None, _PLAIN) else quoted(line),
            # nginx's number for a client that left before it was answered
            record.status or 499,
            record.sent,
            referer if not referer.translate(None, _PLAIN) else quoted(referer),
            agent if not agent.translate(None, _PLAIN) else quoted(agent),
        )

    def stream(self, stream: BriefStream, now: float) -> bytes:
        """The line of a raw stream that has ended."""
        if int(now) != self._second:
            self._turn_to(now)
        return b'%b - - [%b] "%b" %d %d "-" "-"\n' % (
            stream.client_ip.encode("ascii"),
            self._time,
            quoted(f"TCP {stream.upstream or '-'}".encode()),
            stream_status(stream),
            stream.sent,
        )
