"""What a request is counted by: functions made of the words of a limit, one for each place at which it holds."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final, TypeAlias

from txproxy.frozen_values import frozen
from txproxy.interfaces.context import RequestContext
from txproxy.matching.clients import IPV6_PREFIX, client_key
from txproxy.matching.hosts import normal_host
from txproxy.wire.message import RequestHead
from txproxy.wire.target import split_authority

# Longer values of clients are known by their digests: the number of keys is bounded, and so their memory has to be.
_LONGEST: Final = 64

# What it is counted by.
KeyOf: TypeAlias = "Callable[[RequestHead, RequestContext], Hashable]"


@frozen(kw_only=True)
class LimitPlace:
    """Where a limit holds: at the ``listener`` of that name, on the way to the ``pool`` of that one (empty: to none),
    where networks of IPv6 of ``ipv6_prefix`` are clients.
    """

    listener: str = ""
    pool: str = ""
    ipv6_prefix: int = IPV6_PREFIX


def key_of(by: Sequence[str], place: LimitPlace) -> KeyOf:
    """What gives the key of each request. What a request does not have, such as a user or a cookie, its client stands
    for, so that nobody gets away by leaving it out, nor takes it from all others that do.
    """
    parts = [_part(word, place) for word in by]
    if not parts:
        return _all
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        one, other = parts
        return lambda request, context: (one(request, context), other(request, context))
    return lambda request, context: tuple([part(request, context) for part in parts])


def _all(request: RequestHead, context: RequestContext) -> Hashable:
    return ""


def _part(word: str, place: LimitPlace) -> KeyOf:
    client = _client(place.ipv6_prefix)
    kind, _, name = word.partition(":")
    if kind == "header":
        return _header(name.lower().encode("ascii"), client)
    if kind == "cookie":
        return _cookie(name.encode("ascii"), client)
    if word in ("listener", "pool"):
        fixed = place.listener if word == "listener" else place.pool
        return lambda request, context: fixed
    return {"client": client, "user": _user(client), "route": _rule, "rule": _rule, "host": _host}[word]


def _client(prefix: int) -> KeyOf:
    def client(request: RequestHead, context: RequestContext) -> Hashable:
        address = context.client_ip
        return client_key(address, prefix) if ":" in address else address

    return client


def _user(client: KeyOf) -> KeyOf:
    # No address is a name within a tuple.
    return lambda request, context: (context.user,) if context.user else client(request, context)


def _rule(request: RequestHead, context: RequestContext) -> Hashable:
    return context.rule


def _header(name: bytes, client: KeyOf) -> KeyOf:
    def value(request: RequestHead, context: RequestContext) -> Hashable:
        found = request.headers.index.get(name)
        return _short(found) if found else client(request, context)

    return value


def _cookie(name: bytes, client: KeyOf) -> KeyOf:
    begins = name + b"="

    def value(request: RequestHead, context: RequestContext) -> Hashable:
        cookies = request.headers.index.get(b"cookie")
        if cookies is not None and begins in cookies:
            # RFC 6265 4.2.1; a field that is repeated is joined with a comma.
            for pair in cookies.replace(b", ", b";").split(b";"):
                pair = pair.strip()
                if pair.startswith(begins) and len(pair) > len(begins):
                    return _short(pair[len(begins) :])
        return client(request, context)

    return value


def _short(value: bytes) -> bytes:
    return value if len(value) <= _LONGEST else blake2b(value, digest_size=32).digest()


def _host(request: RequestHead, context: RequestContext) -> Hashable:
    return _named(request.authority)


@lru_cache(1024)
def _named(authority: bytes) -> str | bytes:
    try:
        return normal_host(split_authority(authority)[0])
    except ValueError:
        return _short(authority)
