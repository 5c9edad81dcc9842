"""The codes with a percent sign that Apache and Squid have for what a line may say (``%h``, ``%>Hs``)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from txproxy.components.values import hint
from txproxy.errors import ConfigError
from txproxy.interfaces.record import FinishedExchange
from txproxy.observe.log_formats import record_facts as facts
from txproxy.observe.log_formats import squid_words
from txproxy.observe.log_formats.escaping import in_url, whole_url
from txproxy.observe.log_formats.log_field import (
    ABSENT,
    LogField,
    fixed,
    number,
    of_text,
    plain,
    sure,
    text,
    time_field,
)
from txproxy.observe.log_formats.nginx_names import (
    REQUEST_LINE,
    STATUS,
    USER,
    cookie_field,
    header_field,
    response_field,
    stream_status,
    stream_upstream,
)
from txproxy.observe.log_formats.own_names import proxy_error
from txproxy.wire.message import VERSIONS

_APACHE_TIME: Final = "[%d/%b/%Y:%H:%M:%S %z]"
_SQUID_TIME: Final = "%d/%b/%Y:%H:%M:%S %z"


def _milliseconds(seconds: float) -> int:
    return int(max(0.0, seconds) * 1000)


def _body_size(record: FinishedExchange, now: float) -> bytes | None:
    return b"%d" % record.sent if record.sent else None


def _question(record: FinishedExchange, now: float) -> bytes:
    query = facts.query(record)
    return b"?" + query if query else b""


def _path(record: FinishedExchange, now: float) -> bytes | None:
    return facts.path(record) or (facts.target(record) or None)


def _last_host(record: FinishedExchange, now: float) -> bytes | None:
    if not record.attempts or squid_words.is_lost(record.attempts[-1]):
        return None
    return facts.upstream_host(record.attempts[-1])


def _last_port(record: FinishedExchange, now: float) -> bytes | None:
    if not record.attempts:
        return None
    port = getattr(record.attempts[-1].peer, "port", None) or record.attempts[-1].address.port
    return b"%d" % port if port else None


def _last_status(record: FinishedExchange, now: float) -> bytes | None:
    status = record.attempts[-1].status if record.attempts else 0
    return b"%d" % status if status else None


def _upstream_time(record: FinishedExchange, now: float) -> bytes | None:
    if not record.attempts:
        return None
    return b"%d" % _milliseconds(record.attempts[-1].ended - record.attempts[0].began)


def _error(record: FinishedExchange, now: float) -> bytes | None:
    error = proxy_error(record.outcome)
    return None if error is None else of_text(error)


def _connection_end(record: FinishedExchange, now: float) -> bytes:
    """Apache's: cut by the client, kept, or closed."""
    if record.outcome in squid_words.CUT:
        return b"X"
    return b"+" if record.request.keep_alive else b"-"


def _squid(get: Callable[[FinishedExchange, float], bytes | None], of_stream: Any = None) -> LogField:
    """A text that Squid escapes in its own way."""
    return attrs.evolve(text(get, of_stream), escape=in_url)


def _as_sent(get: Callable[[FinishedExchange, float], bytes | None], of_stream: Any = None) -> LogField:
    """A URL, or part of one."""
    return attrs.evolve(text(get, of_stream), escape=whole_url)


def _url(record: FinishedExchange, now: float) -> bytes:
    request = record.request
    if request.scheme is not None and request.method:
        return b"%b://%b%b" % (request.scheme, request.authority, request.path)
    return facts.url(record) or squid_words.NO_REQUEST


def _media_type(record: FinishedExchange, now: float) -> bytes | None:
    value = facts.response_field(record, b"content-type")
    return value if value is None or b";" not in value else facts.media_type(record)


_CLIENT: Final = sure(lambda record, now: record.context.client_ip.encode("ascii"))

# Codes that take nothing in braces.
_CODES: Final[dict[str, LogField]] = {
    # Apache's
    "h": _CLIENT,
    "a": _CLIENT,
    "l": fixed(None),
    "u": USER,
    "r": REQUEST_LINE,
    "s": STATUS,
    ">s": STATUS,
    "b": plain(_body_size),
    "B": number(lambda record, now: record.sent),
    "D": number(lambda record, now: int(max(0.0, record.seconds) * 1_000_000)),
    "m": text(lambda record, now: record.request.method or None),
    "U": text(_path),
    "q": text(_question),
    "H": text(lambda record, now: facts.protocol(record), lambda stream, now: b"TCP"),
    "v": text(lambda record, now: facts.host(record)),
    "V": text(lambda record, now: facts.host(record)),
    "I": number(
        lambda record, now: record.received + facts.request_head_size(record), lambda stream, now: stream.received
    ),
    "O": number(lambda record, now: record.sent + facts.response_head_size(record), lambda stream, now: stream.sent),
    "X": sure(_connection_end),
    # Squid's
    ">a": _CLIENT,
    "<a": _squid(_last_host),
    "<p": plain(_last_port),
    "un": _squid(lambda record, now: of_text(record.context.user)),
    "ul": _squid(lambda record, now: of_text(record.context.user)),
    "ui": fixed(None),
    ">Hs": number(lambda record, now: record.status, stream_status),
    "Hs": number(lambda record, now: record.status, stream_status),
    "<Hs": plain(_last_status),
    "Ss": sure(squid_words.result, squid_words.stream_result),
    "Sh": sure(squid_words.hierarchy),
    "ts": number(lambda record, now: int(now), lambda stream, now: int(now)),
    "tu": number(lambda record, now: int(now * 1000) % 1000, lambda stream, now: int(now * 1000) % 1000),
    "tr": number(lambda record, now: _milliseconds(record.seconds), lambda stream, now: _milliseconds(stream.seconds)),
    "<tt": plain(_upstream_time),
    "rm": _squid(lambda record, now: record.request.method or b"NONE", lambda stream, now: None),
    "ru": _as_sent(_url, stream_upstream),
    "rp": _as_sent(lambda record, now: record.request.path or None),
    "rv": plain(lambda record, now: VERSIONS[record.request.minor] if record.request.method else None),
    ">rs": _squid(lambda record, now: facts.scheme(record), ABSENT),
    ">rd": _squid(lambda record, now: facts.host(record)),
    ">rP": _squid(lambda record, now: facts.port(record)),
    "mt": _squid(_media_type),
    "<st": number(lambda record, now: record.sent + facts.response_head_size(record), lambda stream, now: stream.sent),
    ">st": number(
        lambda record, now: record.received + facts.request_head_size(record), lambda stream, now: stream.received
    ),
    "<sh": number(lambda record, now: facts.response_head_size(record)),
    ">sh": number(lambda record, now: facts.request_head_size(record)),
    "err_code": plain(_error),
    "err_detail": _squid(lambda record, now: of_text(record.detail)),
}
# Squid's own further names for the same.
_CODES.update({f">{code}": _CODES[code] for code in ("rm", "ru", "rp", "rv")})


def _time(format: str) -> LogField:
    if format == "sec":
        return number(lambda record, now: int(now), lambda stream, now: int(now))
    if format == "msec":
        return number(lambda record, now: int(now * 1000), lambda stream, now: int(now * 1000))
    if not format.isprintable():
        raise ConfigError(f"{format!r} is no form of the time", "accepted is one of strftime")
    return time_field(format)


_UNITS: Final = {"s": 1, "ms": 1000, "us": 1_000_000}


def _elapsed(unit: str) -> LogField:
    factor = _UNITS.get(unit)
    if factor is None:
        raise ConfigError(f"{unit!r} is no unit of %T", f"accepted are {', '.join(_UNITS)}")
    return number(lambda record, now: int(max(0.0, record.seconds) * factor))


def _number_of_ours(which: str) -> LogField:
    if which != "pid":
        raise ConfigError(f"{which!r} is no number of %P", "accepted is pid")
    return number(lambda record, now: os.getpid())


def _named(make: Callable[[str], LogField]) -> Callable[[str], LogField]:
    """Takes the name of a field."""

    def named(name: str) -> LogField:
        if not name.isascii() or not name or not name.isprintable() or " " in name:
            raise ConfigError(f"{name!r} is no name of a field", "accepted is one such as User-Agent")
        return make(name)

    return named


def _squid_named(make: Callable[[str], LogField]) -> Callable[[str], LogField]:
    take = _named(make)
    return lambda name: attrs.evolve(take(name), escape=in_url)


# Codes that have something in braces: each with what makes the field of that, and with what is meant by none.
Worded: TypeAlias = "tuple[Callable[[str], LogField], str | None]"
_WORDED: Final[dict[str, Worded]] = {
    "i": (_named(header_field), None),
    "o": (_named(response_field), None),
    "C": (_named(cookie_field), None),
    "t": (_time, _APACHE_TIME),
    "T": (_elapsed, "s"),
    "P": (_number_of_ours, "pid"),
    ">h": (_squid_named(header_field), None),
    ">ha": (_squid_named(header_field), None),
    "<h": (_squid_named(response_field), None),
    "tl": (_time, _SQUID_TIME),
    "tg": (lambda format: time_field(format, utc=True), _SQUID_TIME),
}


# What Squid, and mod_ssl of Apache, call what is known of TLS.
_SQUID_TLS: Final = {
    "ssl::>negotiated_version": "ssl_protocol",
    "ssl::>negotiated_cipher": "ssl_cipher",
    "ssl::>sni": "ssl_server_name",
    "ssl::>cert_subject": "ssl_client_s_dn",
}
_APACHE_TLS: Final = {
    "SSL_PROTOCOL": "ssl_protocol",
    "SSL_CIPHER": "ssl_cipher",
    "SSL_TLS_SNI": "ssl_server_name",
    "SSL_CLIENT_S_DN": "ssl_client_s_dn",
}


def percent_codes(names: Mapping[str, LogField]) -> tuple[dict[str, LogField], dict[str, Worded]]:
    """All codes that have nothing in braces, and those that have. ``names`` are the fields with nginx's names, some of
    which have others here.
    """

    def variable(word: str) -> LogField:
        if word not in _APACHE_TLS:
            raise ConfigError(
                f"{word!r} is no variable{hint(word, list(_APACHE_TLS))}", f"accepted are {', '.join(_APACHE_TLS)}"
            )
        return names[_APACHE_TLS[word]]

    codes = _CODES | {code: attrs.evolve(names[name], escape=in_url) for code, name in _SQUID_TLS.items()}
    codes |= {"A": names["server_addr"], "p": names["server_port"], ">p": names["remote_port"]}
    codes |= {
        "la": names["server_addr"],
        "lp": names["server_port"],
        ">la": names["server_addr"],
        ">lp": names["server_port"],
    }
    return codes, {**_WORDED, "x": (variable, None)}
