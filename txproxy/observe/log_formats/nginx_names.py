"""The names that nginx has for what a line may say (``$remote_addr``)."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final

from txproxy.interfaces.record import AttemptRecord, FinishedExchange
from txproxy.observe.log_formats import record_facts as facts
from txproxy.observe.log_formats.connection_facts import Connections, TlsFacts
from txproxy.observe.log_formats.escaping import Escape
from txproxy.observe.log_formats.log_field import (
    ABSENT,
    Getter,
    LogField,
    fixed,
    number,
    of_text,
    plain,
    sure,
    text,
    time_field,
)
from txproxy.wire.message import VERSIONS


def _seconds(value: float) -> bytes:
    return b"%.3f" % max(0.0, value)


def _each(record: FinishedExchange, say: Callable[[AttemptRecord], bytes]) -> bytes | None:
    """What there is to say of each attempt, as nginx joins it."""
    attempts = record.attempts
    if len(attempts) == 1:
        return say(attempts[0])
    return b", ".join([say(one) for one in attempts]) or None


def _connect_time(attempt: AttemptRecord) -> bytes:
    return b"-" if attempt.connected is None else _seconds(attempt.connected - attempt.began)


def _header_time(record: FinishedExchange, now: float) -> bytes | None:
    """Only the last attempt can have brought the head that went on."""
    if not record.attempts:
        return None
    last = record.attempts[-1]
    known = record.first_byte is not None and last.status and record.first_byte >= last.began
    ours = _seconds(record.first_byte - last.began) if known and record.first_byte is not None else b"-"
    return b", ".join([b"-"] * (len(record.attempts) - 1) + [ours])


def _response_time(attempt: AttemptRecord) -> bytes:
    return _seconds(attempt.ended - attempt.began)


def _status(attempt: AttemptRecord) -> bytes:
    status = facts.upstream_status(attempt)
    return b"%d" % status if status else b"-"


def _port(address: Any) -> bytes | None:
    found: int | None = getattr(address, "port", None)
    return None if found is None else b"%d" % found


def _peer_port(record: FinishedExchange, now: float) -> bytes | None:
    transport = record.context.transport
    return None if transport is None else _port(transport.getPeer())


def _host_of_listener(record: FinishedExchange, now: float) -> bytes | None:
    transport = record.context.transport
    return None if transport is None else of_text(getattr(transport.getHost(), "host", None))


def _port_of_listener(record: FinishedExchange, now: float) -> bytes | None:
    transport = record.context.transport
    return None if transport is None else _port(transport.getHost())


def _cache_status(record: FinishedExchange, now: float) -> bytes | None:
    verdict = record.context.cache
    return None if verdict is None else of_text(verdict.word)


def stream_status(stream: Any, now: float) -> int:
    """200 for one that went well, as nginx has it, what a limit refuses with, and else 503."""
    return facts.stream_status(stream)


def stream_upstream(stream: Any, now: float) -> bytes | None:
    """Where a stream went."""
    return of_text(str(stream.upstream)) if stream.upstream is not None else None


def stream_line(stream: Any, now: float) -> bytes:
    """In the place of a request line."""
    return b"TCP " + (stream_upstream(stream, now) or b"-")


def header_field(name: str) -> LogField:
    """The value of a field of the request."""
    key = name.lower().encode("ascii")

    def fused(escape: Escape, missing: bytes) -> Getter:
        plain, rewrite = escape.plain, escape.rewrite

        def shown(record: FinishedExchange, now: float) -> bytes:
            value = record.request.headers.index.get(key)
            if value is None:
                return missing
            return value if not value.translate(None, plain) else rewrite(value)

        return shown

    return text(lambda record, now: record.request.headers.index.get(key), fused=fused)


def _request_line(escape: Escape, missing: bytes) -> Getter:
    plain, rewrite = escape.plain, escape.rewrite

    def shown(record: FinishedExchange, now: float) -> bytes:
        request = record.request
        if request.scheme is None and request.path and request.method:
            line = b"%b %b HTTP/%b" % (request.method, request.path, VERSIONS[request.minor])
        else:
            line = facts.request_line(record)
        return line if not line.translate(None, plain) else rewrite(line)

    return shown


def _user(escape: Escape, missing: bytes) -> Getter:
    def shown(record: FinishedExchange, now: float) -> bytes:
        user = record.context.user
        return escape(user.encode("utf-8", "surrogateescape")) if user else missing

    return shown


REQUEST_LINE: Final = text(lambda record, now: facts.request_line(record), stream_line, _request_line)
USER: Final = text(lambda record, now: of_text(record.context.user), fused=_user)
# nginx's number for a client that left before it was answered
STATUS: Final = number(lambda record, now: record.status or facts.CLIENT_LEFT, stream_status)


def response_field(name: str) -> LogField:
    """The value of a field of the response."""
    key = name.lower().encode("ascii")
    return text(lambda record, now: facts.response_field(record, key))


def cookie_field(name: str) -> LogField:
    """The value of a cookie of the request."""
    key = name.encode("ascii")

    def get(record: FinishedExchange, now: float) -> bytes | None:
        return _parameter(record.request.headers.get_all(b"cookie"), b";", key)

    return text(get)


def _argument_field(name: str) -> LogField:
    key = name.lower().encode("ascii")

    def get(record: FinishedExchange, now: float) -> bytes | None:
        return _parameter([facts.query(record) or b""], b"&", key, any_case=True)

    return text(get, ABSENT)


def _parameter(texts: Iterable[bytes], separator: bytes, key: bytes, any_case: bool = False) -> bytes | None:
    for one in texts:
        for part in one.split(separator):
            name, equals, value = part.strip().partition(b"=")
            if equals and (name.lower() if any_case else name) == key:
                return value
    return None


# Names that go on as the user likes: each with what makes the field of the rest.
FAMILIES: Final[dict[str, Callable[[str], LogField]]] = {
    "http_": lambda rest: header_field(rest.replace("_", "-")),
    "sent_http_": lambda rest: response_field(rest.replace("_", "-")),
    "cookie_": cookie_field,
    "arg_": _argument_field,
}

_FIELDS: Final[dict[str, LogField]] = {
    "remote_addr": sure(lambda record, now: record.context.client_ip.encode("ascii")),
    "realip_remote_addr": sure(lambda record, now: record.context.peer_ip.encode("ascii")),
    "remote_port": plain(_peer_port),
    "remote_user": USER,
    "server_addr": plain(_host_of_listener),
    "server_port": plain(_port_of_listener),
    "msec": sure(lambda record, now: b"%.3f" % now, lambda stream, now: b"%.3f" % now),
    "request": REQUEST_LINE,
    "request_method": text(lambda record, now: record.request.method or None),
    "request_uri": text(lambda record, now: (record.request.path or None) if record.request.method else None),
    "uri": text(lambda record, now: facts.path(record)),
    "args": text(lambda record, now: facts.query(record)),
    "is_args": sure(lambda record, now: b"?" if facts.query(record) else b""),
    "host": text(lambda record, now: facts.host(record)),
    "scheme": text(lambda record, now: facts.scheme(record), ABSENT),
    "https": sure(lambda record, now: b"on" if record.context.scheme == "https" else b""),
    "server_protocol": text(lambda record, now: facts.protocol(record), lambda stream, now: b"TCP"),
    "content_length": header_field("content-length"),
    "content_type": header_field("content-type"),
    "status": STATUS,
    "body_bytes_sent": number(lambda record, now: record.sent),
    "bytes_sent": number(
        lambda record, now: record.sent + facts.response_head_size(record), lambda stream, now: stream.sent
    ),
    "bytes_received": number(
        lambda record, now: record.received + facts.request_head_size(record), lambda stream, now: stream.received
    ),
    "request_time": sure(lambda record, now: _seconds(record.seconds)),
    "request_completion": sure(lambda record, now: b"OK" if record.outcome in ("ok", "answered", "tunnel") else b""),
    "upstream_addr": text(lambda record, now: _each(record, facts.upstream_place)),
    "upstream_status": plain(lambda record, now: _each(record, _status), ABSENT),
    "upstream_connect_time": plain(lambda record, now: _each(record, _connect_time)),
    "upstream_header_time": plain(_header_time, ABSENT),
    "upstream_response_time": plain(lambda record, now: _each(record, _response_time)),
    "upstream_cache_status": plain(_cache_status),
}
# Names of nginx's own for the same.
_SAME: Final = {
    "document_uri": "uri",
    "query_string": "args",
    "request_length": "bytes_received",
    "session_time": "request_time",
    "protocol": "server_protocol",
}


def nginx_fields(connections: Connections) -> dict[str, LogField]:
    """All of them, by their names; connections are numbered by these ``connections``."""

    def tls(find: Callable[[TlsFacts], bytes | None]) -> LogField:
        return text(lambda record, now: find(connections.facts(record.context.connection).tls))

    fields = {
        **_FIELDS,
        "time_local": time_field("%d/%b/%Y:%H:%M:%S %z"),
        "time_iso8601": _iso_field(),
        "connection": number(lambda record, now: connections.facts(record.context.connection).number),
        "ssl_protocol": tls(lambda known: known.version),
        "ssl_cipher": tls(lambda known: known.cipher),
        "ssl_server_name": tls(lambda known: known.server_name),
        "ssl_client_s_dn": tls(lambda known: known.subject),
        "hostname": fixed(of_text(socket.gethostname())),
        "pid": number(lambda record, now: os.getpid()),
    }
    return fields | {name: fields[other] for name, other in _SAME.items()}


def _iso_field() -> LogField:
    """As nginx writes it: ``2026-01-02T03:04:05+00:00``."""
    said = time_field("%Y-%m-%dT%H:%M:%S%z").get
    return sure(lambda record, now: (found := said(record, now))[:-2] + b":" + found[-2:])
