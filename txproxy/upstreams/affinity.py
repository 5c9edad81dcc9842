"""Affinity: the same client gets the same upstream, as long as that is there.

An upstream that has gone, or is full, is replaced by another, to which the client is pinned from then on. One that is
draining keeps its clients until its deadline.
"""

from __future__ import annotations

import hmac
import os
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b, sha256
from typing import Final, Protocol, TypeAlias

from txproxy.errors import ConfigError
from txproxy.interfaces.context import RequestContext
from txproxy.upstreams.pool import DEFAULT_NAME, Pool
from txproxy.upstreams.upstream import Upstream
from txproxy.wire.grammar import TOKEN
from txproxy.wire.message import RequestHead

KINDS: Final = "cookie, cookie:NAME, ip, header:NAME"
DEFAULT_COOKIE: Final = "txproxy"
# How many clients are remembered by address or header, and for how many seconds without a request.
MOST_CLIENTS: Final = 65536
KEEP_FOR: Final = 1800.0
# Longer values of clients are known by their digests: the number of clients is bounded, and so their memory has to be.
_LONGEST: Final = 64

# What each request of a client has, if it has it.
KeyOf: TypeAlias = "Callable[[RequestHead, RequestContext], bytes | str | None]"


class Affinity(Protocol):
    """Knows which upstream a client is pinned to."""

    def find(self, head: RequestHead, context: RequestContext) -> Upstream | None:
        """The upstream that the client is pinned to, if it can be sent there."""

    def pin(self, upstream: Upstream, head: RequestHead, context: RequestContext) -> tuple[bytes, ...]:
        """Pin the client to ``upstream``; gives the field lines that tell it so."""


class CookieAffinity:
    """By a cookie of ours, HttpOnly and SameSite=Lax, Secure where the client speaks TLS.

    Its value is the upstream's name under a keyed hash (HMAC-SHA-256): it can be neither forged nor read, and one that
    is stale or forged is no upstream's, and is ignored. ``key`` is to be the same in all proxies before the same
    pool; a random one is good until this process ends.
    """

    def __init__(self, pool: Pool, name: str = DEFAULT_COOKIE, key: bytes | None = None) -> None:
        if not TOKEN.fullmatch(name.encode("ascii", "replace")) or "?" in name:
            raise ConfigError(f"{name!r} is no name of a cookie", "accepted are letters, digits and !#$%&'*+-.^_`|~")
        self._prefix = name.encode("ascii") + b"="
        self._key = os.urandom(32) if key is None else key
        self._pool = pool
        self._upstreams: dict[bytes, Upstream] = {}
        self._values: dict[Upstream, bytes] = {}
        # What was read last, and found in it: it is asked for twice.
        self._read = b""
        self._found: bytes | None = None
        pool.watch(self._joined, self._parted)

    def _joined(self, upstream: Upstream) -> None:
        digest = hmac.digest(self._key, upstream.name.encode(), sha256)
        value = urlsafe_b64encode(digest[:18])
        self._upstreams[value] = upstream
        self._values[upstream] = value

    def _parted(self, upstream: Upstream) -> None:
        del self._upstreams[self._values.pop(upstream)]

    def _value(self, head: RequestHead) -> bytes | None:
        # RFC 6265 4.2.1: pairs with "; " between them; a field that is repeated is joined with ", ".
        cookies = head.headers.index.get(b"cookie")
        if cookies is None or self._prefix not in cookies:
            return None
        if cookies is self._read:
            return self._found
        self._read = cookies
        self._found = None
        for pair in cookies.replace(b", ", b";").split(b";"):
            pair = pair.strip()
            if pair.startswith(self._prefix):
                self._found = pair[len(self._prefix) :]
                break
        return self._found

    def find(self, head: RequestHead, context: RequestContext) -> Upstream | None:
        """See :class:`Affinity`."""
        value = self._value(head)
        upstream = self._upstreams.get(value) if value is not None else None
        self._pool.tick()
        return upstream if upstream is not None and upstream.pinnable else None

    def pin(self, upstream: Upstream, head: RequestHead, context: RequestContext) -> tuple[bytes, ...]:
        """See :class:`Affinity`."""
        value = self._values.get(upstream)
        if value is None or value == self._value(head):
            return ()
        secure = b"; Secure" if context.scheme == "https" else b""
        return (b"Set-Cookie: %b%b; Path=/; HttpOnly; SameSite=Lax%b" % (self._prefix, value, secure),)


class TableAffinity:
    """By something that each request of a client has (``key_of``), in a table of those seen last. As in a cookie, an
    upstream is known there by its name: what its name was found to stand for may come later than it is known.
    """

    def __init__(self, pool: Pool, key_of: KeyOf) -> None:
        self._pool = pool
        self._key_of = key_of
        self._upstreams: dict[str, Upstream] = {}
        # the one seen last is the last
        self._pinned: OrderedDict[bytes | str, tuple[str, float]] = OrderedDict()
        pool.watch(self._joined, self._parted)

    def _joined(self, upstream: Upstream) -> None:
        self._upstreams[upstream.name] = upstream

    def _parted(self, upstream: Upstream) -> None:
        del self._upstreams[upstream.name]

    def follow(self, before: TableAffinity) -> None:
        """It takes the place of another, whose pool tells the time as this one's does: who was pinned stays so."""
        self._pinned.update(before._pinned)

    def find(self, head: RequestHead, context: RequestContext) -> Upstream | None:
        """See :class:`Affinity`."""
        key = self._key_of(head, context)
        found = self._pinned.get(key) if key is not None else None
        if found is None:
            return None
        name, seen = found
        upstream = self._upstreams.get(name)
        self._pool.tick()
        if self._pool.seconds() - seen > KEEP_FOR or upstream is None or not upstream.pinnable:
            return None
        return upstream

    def pin(self, upstream: Upstream, head: RequestHead, context: RequestContext) -> tuple[bytes, ...]:
        """See :class:`Affinity`."""
        key = self._key_of(head, context)
        if key is not None:
            self._pinned[key] = (upstream.name, self._pool.seconds())
            self._pinned.move_to_end(key)
            if len(self._pinned) > MOST_CLIENTS:
                self._pinned.popitem(last=False)
        return ()


def _default_cookie(pool: Pool) -> str:
    """A client of several pools of one site is pinned in each, and none of them takes the others' cookies away."""
    if pool.name == DEFAULT_NAME:
        return DEFAULT_COOKIE
    return f"{DEFAULT_COOKIE}-{blake2b(pool.name.encode(), digest_size=4).hexdigest()}"


def _by_header(field: bytes) -> KeyOf:
    def value(head: RequestHead, context: RequestContext) -> bytes | None:
        found = head.headers.index.get(field)
        if found is None or len(found) <= _LONGEST:
            return found
        return blake2b(found, digest_size=32).digest()

    return value


def affinity_from(
    text: str, pool: Pool, key: bytes | None = None, table: Callable[[Pool, KeyOf], Affinity] = TableAffinity
) -> Affinity:
    """``cookie``, ``cookie:NAME``, ``ip`` or ``header:NAME``; else ``ConfigError``. A cookie without a name has one of
    its pool's own; ``table`` remembers the clients of the others.
    """
    kind, colon, name = text.partition(":")
    if kind == "cookie" and (name or not colon):
        return CookieAffinity(pool, name or _default_cookie(pool), key)
    if text == "ip":
        return table(pool, lambda _, context: context.client_ip)
    if kind == "header" and TOKEN.fullmatch(name.encode("ascii", "replace")):
        return table(pool, _by_header(name.lower().encode("ascii")))
    raise ConfigError(f"{text!r} is no kind of affinity", f"accepted: {KINDS}")
