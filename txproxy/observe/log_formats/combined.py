"""The ``combined`` form, as Apache and nginx write it. It is what most use, and written out, as that is fastest."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, TypeAlias

from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.record import FinishedExchange, FinishedStream
from txproxy.observe.log_formats import record_facts as facts
from txproxy.observe.log_formats.connection_facts import Connections
from txproxy.observe.log_formats.escaping import one_word, quoted
from txproxy.observe.log_formats.log_field import SecondText
from txproxy.observe.log_formats.record_facts import CLIENT_LEFT, stream_status
from txproxy.observe.log_formats.steady_line import Remembered, Steady, is_said, remember, template_of
from txproxy.wire.message import VERSIONS, RequestHead

# What of a value needs no escape is looked for here: a call for each value takes longer than that.
_PLAIN: Final = quoted.plain
# So many values of so many bytes at the most are remembered.
_MOST_KNOWN: Final = 1000
_LONGEST_KNOWN: Final = 200
# See :meth:`CombinedLines.brief`.
Brief: TypeAlias = "tuple[Steady, bytes, int, int, float]"


def _status(version: bytes, status: int) -> bytes:
    """From the version to what was sent."""
    return b' HTTP/%b" %d ' % (version, status or CLIENT_LEFT)


def _words(over: FinishedExchange, request: RequestHead, context: RequestContext) -> tuple[Any, ...]:
    """All that has to be the same beside the fields of a request."""
    return request.method, request.minor, request.scheme, context.client_ip, context.user, over.outcome


class CombinedLines:
    """Makes lines of it. ``connections`` knows those that others may make lines of as well."""

    def __init__(self, connections: Connections | None = None) -> None:
        self._connections = connections or Connections()
        self._time_of = SecondText("%d/%b/%Y:%H:%M:%S %z")
        # the second that was written last, and how
        self._since = -1.0
        self._time = b""
        # what was written before, as most of it comes again
        self._targets: Remembered[bytes, bytes] = Remembered(quoted, _MOST_KNOWN, _LONGEST_KNOWN)
        self._numbers: Remembered[int, bytes] = Remembered(b"%d".__mod__, _MOST_KNOWN)
        # by the version of the request
        self._statuses = tuple(Remembered(partial(_status, version), _MOST_KNOWN) for version in VERSIONS)

    def _turn_to(self, now: float) -> None:
        self._since, self._time = float(int(now)), self._time_of(None, now)

    def exchange(self, record: FinishedExchange, now: float) -> bytes:
        """The line of a finished exchange."""
        brief = self.brief(record, now)
        return self.whole(record, now) if brief is None else self.of_brief(brief)

    def brief(self, over: FinishedExchange, now: float) -> Brief | None:
        """What a line is made of that has most in common with others of its connection, for :meth:`of_brief`; None
        where it takes all of the exchange.
        """
        request, standing = over.request, over.standing
        steady: Steady | None
        if standing is not None:
            # All else that counts is the same of all that it stands for.
            steady = standing.lines.get(self)
            if steady is not None and request.minor == steady.words[1] and request.scheme is None:
                return steady, request.path, over.status, over.sent, now
        context = over.context
        try:
            steady = context.connection.facts.lines[self]
        except (AttributeError, KeyError):
            return None
        if steady is None or not is_said(request.headers, steady) or _words(over, request, context) != steady.words:
            return None
        if request.scheme is not None:
            return steady, facts.target(over), over.status, over.sent, now
        if standing is not None:
            standing.lines[self] = steady
        return steady, request.path, over.status, over.sent, now

    def of_brief(self, brief: Brief) -> bytes:
        """The line of an exchange of which this is known."""
        steady, target, status, sent, now = brief
        if not self._since <= now < self._since + 1.0:
            self._turn_to(now)
        return b"".join((
            steady.start,
            self._time,
            steady.middle,
            self._targets[target],
            self._statuses[steady.words[1]][status],
            self._numbers[sent],
            steady.end,
        ))  # fmt: skip

    def _remember(self, over: FinishedExchange, client: bytes, user: bytes, referer: bytes, agent: bytes) -> None:
        request, context = over.request, over.context
        remember(
            self,
            self._connections.facts(context.connection),
            Steady(
                request.headers,
                _words(over, request, context),
                b"%b - %b [" % (client, user),
                b'] "%b ' % quoted(request.method),
                b' "%b" "%b"\n' % (referer, agent),
                template_of(request.headers),
            ),
        )

    def whole(self, record: FinishedExchange, now: float) -> bytes:
        """The same, made of whatever there is: the slow twin of what lines of a connection have in common."""
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
        referer = referer if not referer.translate(None, _PLAIN) else quoted(referer)
        agent = agent if not agent.translate(None, _PLAIN) else quoted(agent)
        client = context.client_ip.encode("ascii")
        name = one_word(user.encode("utf-8", "replace")) if user else b"-"
        if record.outcome == "ok" and request.method and request.method != b"CONNECT":
            self._remember(record, client, name, referer, agent)
        if not self._since <= now < self._since + 1.0:
            self._turn_to(now)
        return b'%b - %b [%b] "%b" %d %d "%b" "%b"\n' % (
            client,
            name,
            self._time,
            line if not line.translate(None, _PLAIN) else quoted(line),
            record.status or CLIENT_LEFT,
            record.sent,
            referer,
            agent,
        )

    def stream(self, stream: FinishedStream, now: float) -> bytes:
        """The line of a raw stream that has ended."""
        if not self._since <= now < self._since + 1.0:
            self._turn_to(now)
        return b'%b - - [%b] "%b" %d %d "-" "-"\n' % (
            stream.client_ip.encode("ascii"),
            self._time,
            quoted(f"TCP {stream.upstream or '-'}".encode()),
            stream_status(stream),
            stream.sent,
        )
