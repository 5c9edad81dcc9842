"""The exception tree. Each class says whose fault it is, which status a client gets, and whether another try is safe.

``error`` is the proxy error type of RFC 9209 section 2.3 that goes into ``Proxy-Status``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypeAlias

# A user, and perhaps a password, of a URL, or of HOST:PORT. In what is malformed nobody can tell where a password ends,
# so that it is all up to the last @ of the word.
_USERINFO: Final = re.compile(
    r"""(://|(?:\A|(?<=[\s'"=]))(?=[^\s'":/@]+:(?!//))|(?<=['"])(?=[^\s'":/@]+@))(?!USER:PASSWORD@)[^\s'"]*@"""
)


def masked(text: str) -> str:
    """``text`` with ``***`` for names and passwords of URLs in it."""
    return _USERINFO.sub(r"\1***@", text) if "@" in text else text


class TxproxyError(Exception):
    """The root of all errors that txproxy raises on purpose."""


# From what was given to a value in it: names of keys, and numbers of elements, the first of which is 0.
Path: TypeAlias = "tuple[str | int, ...]"

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


def written(path: Path) -> str:
    """A path as it is written: ``pools.web.upstreams[1]``."""
    parts = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        else:
            parts.append(f".{step}" if _BARE_KEY.fullmatch(step) else f".'{step}'")
    return "".join(parts).removeprefix(".")


class Finding(NamedTuple):
    """One thing that is wrong: the ``path`` from what was given to what it is about, what is ``said`` of that, and what
    is ``accepted`` in its place (a clause, ``accepted is ...``). ``place`` is what those who are told call it, where
    that is another name than its path: an option, a line of a file, the name of a rule; or empty, where what is said
    names it.
    """

    path: Path
    said: str
    accepted: str = ""
    place: str | None = None

    def __str__(self) -> str:
        place = written(self.path) if self.place is None else self.place
        return f"{place}: {self.text}" if place else self.text

    @property
    def text(self) -> str:
        """What is wrong and what is accepted, for who says where."""
        return "; ".join(filter(None, (self.said, self.accepted)))

    def within(self, place: str, *steps: str | int) -> Finding:
        """The same of what is at ``steps`` in something larger, where those who are told call that ``place``."""
        own = written(self.path) if self.place is None else self.place
        return self._replace(path=(*steps, *self.path), place=": ".join(filter(None, (place, own))))


class ConfigError(TxproxyError, ValueError):
    """An option, a file or a value is wrong. ``str()`` of it has one line for each error found, and no password of a
    URL: it is shown, and logged. ``findings`` has the same as data.

    It is made from a text, of which each line is an error, and what else a :class:`Finding` has; or from findings.
    """

    def __init__(
        self, text: str | Iterable[Finding] = "", accepted: str = "", path: Path = (), place: str | None = None
    ) -> None:
        if isinstance(text, str):
            text = [Finding(path, line, accepted, place) for line in text.splitlines() or [""]]
        self.findings = tuple(one._replace(said=masked(one.said), accepted=masked(one.accepted)) for one in text)
        super().__init__("\n".join(map(str, self.findings)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.findings,)

    def at(self, *steps: str | int) -> ConfigError:
        """The same of what is at ``steps`` in something larger."""
        return ConfigError(one._replace(path=(*steps, *one.path)) for one in self.findings)

    def about(self, words: str) -> ConfigError:
        """The same, with ``words`` before what is said, where what is wrong is part of a value that they name."""
        return ConfigError(one._replace(said=f"{words}{one.said}") for one in self.findings)

    def accepting(self, accepted: str) -> ConfigError:
        """The same where something else is ``accepted``, as what was tried is not all that may be there."""
        return ConfigError(one._replace(accepted=accepted) for one in self.findings)

    def or_else(self, accepted: str) -> ConfigError:
        """The same where that is ``accepted`` as well."""
        return ConfigError(one._replace(accepted=f"{one.accepted}, or {accepted}") for one in self.findings)

    @property
    def said(self) -> str:
        """What is wrong, without what is accepted: for who says more of it."""
        return ", ".join(one.said for one in self.findings)


class ExchangeError(TxproxyError):
    """One exchange cannot go on.

    ``status`` is what the client gets if no response has begun, ``error`` the RFC 9209 type, and ``retry_safe`` says
    that the upstream cannot have seen the request, so that it may be sent elsewhere, whatever its method.
    ``connection_failed`` says that whoever was asked could not be connected to, cut the connection, or did not answer
    in time: that tells of the server, where what it says may hang on what a client has asked for. ``outcome`` is what
    logs and counts call it, where that is more than the type says. ``sentence`` and ``page`` are those of
    :class:`txproxy.interfaces.Refusal`.
    """

    status = 502
    error = "proxy_internal_error"
    retry_safe = False
    connection_failed = False
    sentence = ""
    page: Callable[[bool], tuple[bytes, bytes]] | None = None

    def __init__(
        self, detail: str = "", *, status: int | None = None, error: str | None = None, outcome: str = ""
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.outcome = outcome
        if status is not None:
            self.status = status
        if error is not None:
            self.error = error

    def said_of(self, who: object) -> ExchangeError:
        """The same, which names ``who`` has done it first."""
        return type(self)(f"{who}: {self.detail}", status=self.status, error=self.error, outcome=self.outcome)


class RequestError(ExchangeError):
    """The client's fault: the request is malformed, ambiguous, or over a limit. The connection closes after it.

    ``content_type`` is what was read of it where there is no head: what form of answers the client understands.
    """

    status = 400
    error = "http_request_error"
    content_type = b""

    def of_type(self, content_type: bytes | None) -> RequestError:
        """The same, of a request with this Content-Type, if it has any."""
        self.content_type = content_type or b""
        return self


class WrongProtocol(RequestError):
    """The client speaks another protocol than the port is for, and is told so."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        # A method of its own would be a circle, with all that its traceback has of a connection.
        # Who has sent no request has not said what it likes to read.
        text = f"400 Bad Request\nThis is {detail}.\n".encode()
        self.page = lambda html: (b"text/plain; charset=utf-8", text)


class AmbiguousPath(RequestError):
    """Servers may read the path in several ways, which do not come to the same here."""

    sentence = "The path of the request can be read in more than one way, and these do not lead to the same place."


class RequestDenied(ExchangeError):
    """Policy refuses the request."""

    status = 403
    error = "http_request_denied"


class DestinationProhibited(RequestDenied):
    """The address that the name resolves to may not be reached through this proxy."""

    error = "destination_ip_prohibited"


class ResponseDenied(ExchangeError):
    """Policy refuses the response."""

    status = 403
    error = "http_request_denied"


class LoopDetected(ExchangeError):
    """The request has been through this very proxy before (RFC 9110 section 7.6.3)."""

    status = 508
    error = "proxy_loop_detected"


class DialError(ExchangeError):
    """No connection could be made, so nothing was sent: the request may go elsewhere."""

    error = "destination_unavailable"
    retry_safe = True
    connection_failed = True


class OutOfSockets(DialError):
    """This machine gives no more sockets: no server's fault."""

    status = 503
    error = "proxy_internal_error"
    connection_failed = False


class DnsError(DialError):
    """The name does not resolve."""

    error = "dns_error"


class TooManyLookUps(DnsError):
    """So many names are being looked up that this one is not."""

    status = 503
    sentence = "Too many names are being looked up just now."


class ConnectionRefused(DialError):
    """The address answered that nobody listens there."""

    error = "connection_refused"


class ConnectTimeout(DialError):
    """The connection was not made in time."""

    status = 504
    error = "connection_timeout"


class TlsError(DialError):
    """The TLS handshake with the upstream failed, or its certificate is not to be trusted."""

    error = "tls_protocol_error"


class ParentError(DialError):
    """A parent proxy on the way could not be reached, or did not do its part: another one may."""

    sentence = "The proxy that this one goes through cannot be reached, or is not what it should be."


class ParentRefused(ParentError):
    """A parent proxy was reached, and then did not do its part: that may be due to what it was asked for."""

    connection_failed = False
    sentence = "The proxy that this one goes through did not lead on to the host."


class UpstreamUnavailable(DialError):
    """Every upstream was tried or is away."""

    status = 503


class UpstreamError(ExchangeError):
    """The upstream's fault, after a connection was made: it may have seen the request."""


class UpstreamClosed(UpstreamError):
    """The upstream closed the connection before a response."""

    error = "connection_terminated"
    connection_failed = True


class RequestUnseen(UpstreamError):
    """The upstream has said that it has done nothing with the request, and will not (RFC 9113 section 8.7), or nothing
    of it has gone out: it may go elsewhere, or to the same again.
    """

    status = 503
    error = "connection_terminated"
    retry_safe = True


class ConnectionFull(RequestUnseen):
    """The same, and all that is wrong with the request is that it was one more than the connection took."""


class ResponseError(UpstreamError):
    """The upstream's response is malformed or ambiguous."""

    error = "http_protocol_error"


class ResponseIncomplete(UpstreamError):
    """The upstream's response ended before its end."""

    error = "http_response_incomplete"
    connection_failed = True


class ResponseTimeout(UpstreamError):
    """The upstream did not answer in time."""

    status = 504
    error = "http_response_timeout"
    connection_failed = True
