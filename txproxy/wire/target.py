"""Request targets and authorities (RFC 9112 section 3.2, RFC 3986 section 3.2)."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

from txproxy.errors import RequestError
from txproxy.matching.hosts import why_no_host
from txproxy.matching.ports import read_port
from txproxy.wire.grammar import ABSOLUTE, AUTHORITY, REQUEST_LINE
from txproxy.wire.headers import Headers

LONGEST_AUTHORITY: Final = 300
DEFAULT_PORTS: Final = {b"http": 80, b"https": 443, b"ws": 80, b"wss": 443}


@lru_cache(maxsize=4096)
def split_authority(authority: bytes) -> tuple[str, int | None]:
    """``host[:port]`` as (host in lower case and without brackets, port or None); ``ValueError`` if it is neither."""
    # RFC 1035 2.3.4: no name is longer than 255; and what is not looked at is not remembered either.
    match = AUTHORITY.fullmatch(authority) if len(authority) <= LONGEST_AUTHORITY else None
    if match is None:
        raise ValueError("not a host and port")
    literal, name, port = match.groups()
    if literal is not None:
        ipaddress.IPv6Address(literal.decode("ascii"))
        host = literal
    else:
        host = name
    number = read_port(port.decode("ascii")) if port else None
    if number == 0:
        raise ValueError("no such port")
    return host.decode("ascii").lower(), number


def written_authority(authority: bytes) -> tuple[str, int | None]:
    """The same for what an administrator has written down: with a host that DNS can have, or an address in its usual
    form. Of what others send, less is asked.
    """
    host, port = split_authority(authority)
    why = why_no_host(host)
    if why:
        raise ValueError(f"{host} is no host, {why}")
    return host, port


def is_origin_form(target: bytes) -> bool:
    """Whether ``target`` is a path, with or without a query, as it can be asked for (RFC 9112 section 3.2.1)."""
    return target[:1] == b"/" and REQUEST_LINE.fullmatch(b"GET %b HTTP/1.1" % target) is not None


def read_target(method: bytes, target: bytes, minor: int, headers: Headers) -> tuple[bytes | None, bytes, bytes]:
    """Scheme, authority and path of a request; ``RequestError`` where target or Host is malformed.

    The scheme is None except for the absolute form, the path empty for CONNECT (RFC 9112 section 3.3). Where the target
    names an authority, Host says nothing: it is replaced when the request goes on (RFC 9112 section 3.2.2).
    """
    host = headers.index.get(b"host")
    # RFC 9112 3.2: a request of HTTP/1.1 without Host, or with more than one or an invalid one, gets 400. Values of a
    # repeated Host are joined with ", " in the index, which is no authority.
    if host is None:
        if minor:
            raise RequestError("Host is missing")
    else:
        try:
            split_authority(host)
        except ValueError:
            raise RequestError("Host is repeated or malformed") from None
    if method == b"CONNECT":
        return None, _connect_authority(target), b""
    if target[0] == 0x2F:
        return None, host or b"", target
    if target == b"*":
        if method != b"OPTIONS":
            raise RequestError("the asterisk is a target of OPTIONS alone")
        return None, host or b"", target
    return _absolute(method, target)


def _connect_authority(target: bytes) -> bytes:
    # RFC 9112 3.2.3: the authority form is host and port, and nothing else.
    try:
        _, port = split_authority(target)
    except ValueError:
        port = None
    if port is None:
        raise RequestError("the target of CONNECT is not host:port")
    return target


def _absolute(method: bytes, target: bytes) -> tuple[bytes, bytes, bytes]:
    match = ABSOLUTE.fullmatch(target)
    if match is None:
        raise RequestError("the target has no form that HTTP knows")
    scheme, authority, path = match.groups()
    scheme = scheme.lower()
    try:
        split_authority(authority)
    except ValueError:
        raise RequestError("the target has no valid authority") from None
    if scheme not in DEFAULT_PORTS:
        raise RequestError("the target's scheme is not http or https")
    if not path:
        # RFC 9112 3.2.4: OPTIONS without a path is for the server as a whole.
        path = b"*" if method == b"OPTIONS" else b"/"
    elif path[0] != 0x2F:
        path = b"/" + path
    return scheme, authority, path
