"""What logs say of an exchange that is not written in its record as it stands. Each function gives None for what is not
known.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from txproxy.interfaces.record import AttemptRecord, FinishedExchange, FinishedStream
from txproxy.observe.log_formats.connection_facts import UpstreamFacts, place_of
from txproxy.wire.grpc.calls import is_call
from txproxy.wire.grpc.grpc_statuses import read_status
from txproxy.wire.headers import Headers
from txproxy.wire.message import VERSIONS

_PORT: Final = re.compile(rb":[0-9]*\Z")
_DEFAULT_PORTS: Final = {b"http": b":80", b"https": b":443"}
# what no field says: that it is there several times, perhaps
_SEVERAL: Final = bytes(2)
# So long blocks of fields are remembered.
_LONGEST_KNOWN: Final = 2048
# nginx's number for a client that left before it was answered
CLIENT_LEFT: Final = 499
# "HTTP/1.1 200 " and two ends of lines, and the same of "GET ", " HTTP/1.1" and three
STATUS_LINE: Final = len(b"HTTP/1.1 200 \r\n\r\n\r\n")
_REQUEST_LINE: Final = len(b"  HTTP/1.1\r\n\r\n\r\n")


# -- the request


def target(record: FinishedExchange) -> bytes:
    """The target of a request as it was sent; of what could not be read as a request the line as it came."""
    request = record.request
    if request.method == b"CONNECT":
        return request.authority
    if request.scheme is not None:
        return request.scheme + b"://" + request.authority + request.path
    return request.path


def request_line(record: FinishedExchange) -> bytes:
    """The request line; of what could not be read as a request the line as it came."""
    request = record.request
    line = target(record)
    # What could not be read as a request has no method, and is shown as it came.
    return b"%b %b HTTP/%b" % (request.method, line, VERSIONS[request.minor]) if request.method else line or b"-"


def scheme(record: FinishedExchange) -> bytes:
    """How the request was asked for, or, where that does not say, how the client speaks."""
    return record.request.scheme or record.context.scheme.encode("ascii")


def url(record: FinishedExchange) -> bytes | None:
    """The whole URL; of CONNECT ``HOST:PORT``."""
    request = record.request
    if not request.method:
        return None
    if request.method == b"CONNECT":
        return request.authority
    return b"%b://%b%b" % (scheme(record), request.authority, request.path)


def host(record: FinishedExchange) -> bytes | None:
    """The host that was asked for, in lower case, without its port."""
    authority = record.request.authority
    if b":" in authority:
        authority = _PORT.sub(b"", authority)
    return authority.lower() or None


def port(record: FinishedExchange) -> bytes | None:
    """The port that was asked for."""
    authority = record.request.authority
    if not authority:
        return None
    found = _PORT.search(authority)
    text = found.group() if found is not None else _DEFAULT_PORTS.get(scheme(record), b":")
    return text[1:] or None


def path(record: FinishedExchange) -> bytes | None:
    """The path, as it was sent."""
    return record.request.path.partition(b"?")[0] or None if record.request.method else None


def query(record: FinishedExchange) -> bytes | None:
    """What follows the question mark."""
    return record.request.path.partition(b"?")[2] or None if record.request.method else None


def protocol(record: FinishedExchange) -> bytes | None:
    """The version in which the request came."""
    return b"HTTP/" + VERSIONS[record.request.minor] if record.request.method else None


def request_head_size(record: FinishedExchange) -> int:
    """So many bytes the head of the request has, with one space after each colon."""
    request = record.request
    if not request.method:
        return len(request.path)
    return _REQUEST_LINE + len(request.method) + len(target(record)) + len(request.headers.block)


# -- the response


def response_head_size(record: FinishedExchange) -> int:
    """So many bytes the head of the response has, but for what is for the hop to the client."""
    response = record.response
    return 0 if response is None else STATUS_LINE + len(response.reason) + len(response.headers.block)


def response_field(record: FinishedExchange, name: bytes) -> bytes | None:
    """The value of a field of the response; ``name`` in lower case."""
    response = record.response
    return None if response is None else field_of(response.headers, name)


def field_of(fields: Headers, name: bytes) -> bytes | None:
    """The same of these ``fields``."""
    # Heads that are only sent have no index, and to make one takes longer than all of a line.
    block = fields.block
    value = _field_again(block, name) if len(block) <= _LONGEST_KNOWN else _field(block, name)
    return value if value is not _SEVERAL else fields.index.get(name)


def _field(block: bytes, name: bytes) -> bytes | None:
    """The value of a field of ``block``, or ``_SEVERAL`` where it has to be looked for with more care."""
    lower = block.lower()
    if name not in lower:
        return None
    start = name + b": "
    at = 0 if lower.startswith(start) else lower.find(b"\r\n" + start) + 2
    if at == 1 or lower.find(b"\r\n" + start, at) >= 0:
        # Part of something else, or there more than once.
        return _SEVERAL
    end = block.find(b"\r\n", at)
    return block[at + len(start) : end if end >= 0 else len(block)]


# An upstream that is asked the same again answers the same, for a second.
_field_again: Final = lru_cache(256)(_field)


def media_type(record: FinishedExchange) -> bytes | None:
    """The type of the response, without its parameters."""
    value = response_field(record, b"content-type")
    return None if value is None else value.partition(b";")[0].strip() or None


# -- where it went


def upstream_place(attempt: AttemptRecord) -> bytes:
    """Where an attempt went: ``HOST:PORT`` or ``unix:PATH``, by address where that is known."""
    address = attempt.address
    if address.path:
        return str(address).encode("utf-8", "surrogateescape")
    return place_of(_peer(attempt)) or str(address).encode("utf-8", "surrogateescape")


def _peer(attempt: AttemptRecord) -> Any:
    """The address of who was connected to: it is asked for once for each connection, as a transport makes it anew."""
    connection = attempt.upstream
    known: UpstreamFacts | None = getattr(connection, "facts", None)
    if known is not None:
        return known.peer
    peer = attempt.peer
    if peer is not None:
        # Whoever is connected to in another way has no place for it.
        with suppress(AttributeError):
            connection.facts = UpstreamFacts(peer)
    return peer


def upstream_host(attempt: AttemptRecord) -> bytes:
    """The same without the port."""
    address = attempt.address
    if address.path:
        return b"unix:"
    host: str | None = getattr(_peer(attempt), "host", None)
    if host is None:
        host = address.pinned[0] if address.pinned else address.host or str(address)
    return host.encode("utf-8", "surrogateescape")


def upstream_status(attempt: AttemptRecord) -> int:
    """What was answered, or the status that its failure would have got the client; 0 for neither."""
    return attempt.status or (attempt.fault.status if attempt.fault is not None else 0)


def pool(record: FinishedExchange) -> str | None:
    """The name of the pool whose upstream was asked last."""
    if not record.attempts:
        return None
    upstream = getattr(record.attempts[-1].attempt, "upstream", None)
    name: str | None = getattr(getattr(upstream, "pool", None), "name", None)
    return name


# -- what became of it


def request_id(record: FinishedExchange) -> bytes | None:
    """What ``X-Request-Id`` says, of the response or else of the request."""
    response = record.response
    return (response.headers.request_id if response is not None else None) or record.request.headers.request_id


def grpc_status(record: FinishedExchange) -> int | None:
    """How a call of gRPC has ended, if the client was told: in trailers, or with the head where there is no more."""
    request, trailers = record.request, record.context.trailers
    if request.minor != 2 or not is_call(request.headers.index.get(b"content-type")):
        return None
    said = trailers.get(b"grpc-status") if trailers is not None else response_field(record, b"grpc-status")
    return None if said is None else read_status(said)


def verdict(record: FinishedExchange) -> str | None:
    """What policy said: ``allow`` or ``deny``."""
    said = record.context.verdict
    return None if said is None else str(said.outcome.value)


def trace_id(record: FinishedExchange) -> bytes | None:
    """Which trace it belongs to, where traces are gone on with."""
    traced = record.context.traced
    return traced.trace if traced is not None else None


def stream_status(stream: FinishedStream) -> int:
    """What stands for the status of a raw stream: 200 if it went well, what a limit that has refused it refuses with
    (429 for a rate), and else 503.
    """
    if stream.outcome == "ok":
        return 200
    hit = stream.context.limit
    return stream.record.status if hit is not None and hit.outcome == "refused" and stream.record is not None else 503
