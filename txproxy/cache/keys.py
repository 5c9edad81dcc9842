"""The primary key: by what a stored response is found, and what of a request may therefore not reach the origin.

Whatever may change a response and is not in its key lets one client choose what the next one gets. So the key has all
that names the resource, as it is sent on; and what is left out of the key is left out of the request that fills it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from txproxy.cache.device_class import policy_class
from txproxy.cache.policy import CachePolicy
from txproxy.cache.vary import vary_values
from txproxy.matching.globs import TextGlob
from txproxy.matching.hosts import named_host
from txproxy.matching.urls import query_text
from txproxy.wire.forwarding import CLIENT_FIELDS, OVERRIDING_FIELDS, TARGET_FIELDS, plain
from txproxy.wire.headers import Headers
from txproxy.wire.target import DEFAULT_PORTS, split_authority

# In bytes. Nobody finds two alike on purpose among keys of this size, even with all the time in the world, which one of
# 16 would not promise; and to make it costs the same.
KEY_SIZE: Final = 32

# What only tells the origin of a client is not among these: X-Forwarded-For and the like go on.
_UNKEYED: Final = (
    TARGET_FIELDS
    | OVERRIDING_FIELDS
    | (CLIENT_FIELDS - frozenset({b"x-forwarded-for", b"x-forwarded-by", b"x-real-ip"}))
)


def cache_key(scheme: bytes, authority: bytes, path: bytes, scope: bytes = b"", parts: bytes = b"") -> bytes:
    """The key of what is asked for: ``path`` with its query as it is sent on, of ``authority`` (``host[:port]``), in a
    ``scope`` (a pool or route) that shares nothing with others. ``parts`` is what :func:`key_parts` gives.

    Each part has its length before it, so that none can reach into the next one.
    """
    return hashlib.blake2b(
        b"%b%d:%b%b" % (_origin(scope, scheme, authority), len(path), path, parts), digest_size=KEY_SIZE
    ).digest()


@lru_cache(maxsize=4096)
def _origin(scope: bytes, scheme: bytes, authority: bytes) -> bytes:
    return _with_lengths((scope, scheme.lower(), canonical_authority(scheme, authority)))


def canonical_authority(scheme: bytes, authority: bytes) -> bytes:
    """``host:port`` in one spelling: lower case, without a dot at the end, IPv6 addresses in their usual form, and with
    the port whether it was named or not. What is no authority stays as it is, in lower case.

    A request that fills the cache is best sent with :func:`sent_authority`: an origin may tell apart what has one key.
    """
    try:
        host, port = split_authority(authority)
    except ValueError:
        return authority.lower()
    number = port or DEFAULT_PORTS.get(scheme.lower(), 0)
    name = named_host(host)
    return (f"[{name}]:{number}" if ":" in name else f"{name}:{number}").encode("ascii")


def sent_authority(scheme: bytes, authority: bytes) -> bytes:
    """The same as Host has it: without a port that is the scheme's own (RFC 9110 section 4.2.3)."""
    canonical = canonical_authority(scheme, authority)
    return canonical.removesuffix(b":%d" % DEFAULT_PORTS.get(scheme.lower(), 0))


def _with_lengths(parts: Iterable[bytes]) -> bytes:
    return b"".join([b"%d:%b" % (len(part), part) for part in parts])


def key_parts(policy: CachePolicy, request: Headers) -> bytes:
    """What a ``policy`` has in a key beyond what is asked for: the values of its fields and cookies, and the class of
    the device.
    """
    if not policy.has_parts:
        return b""
    found = vary_values(request, policy.key_headers)
    # What is for one hop goes no further (see vary_values).
    ((_, sent),) = vary_values(request, (b"cookie",))
    cookie = (request.get(b"cookie") or b"") if sent is not None else b""
    pairs = [*found, *_cookies(cookie, policy.key_cookies)]
    # None of these can be the same as another: a value that is missing is no empty one.
    parts = _with_lengths(one for name, value in pairs for one in (name, b"-" if value is None else b"=" + value))
    # No length begins so.
    return parts + b"d" + policy_class(policy, request) if policy.key_device else parts


def _cookies(field: bytes, names: Sequence[bytes]) -> list[tuple[bytes, bytes | None]]:
    if not names:
        return []
    # All of one name count: which of them an application takes, nobody knows (RFC 6265 section 4.2.2).
    values: dict[bytes, list[bytes]] = {name: [] for name in names}
    for pair in field.split(b";"):
        name, equals, value = pair.partition(b"=")
        name = name.strip(b" \t")
        if equals and name in values:
            values[name].append(value.strip(b" \t"))
    # A semicolon is in no value.
    return [(name, b";".join(found) if found else None) for name, found in values.items()]


def sent_path(policy: CachePolicy, path: bytes) -> bytes:
    """``path`` with what of its query is in the key, which is what is sent on: what is dropped here reaches no origin,
    and so changes no response.
    """
    if policy.query == "all" and not (policy.query_keep or policy.query_drop or policy.query_sort):
        return path
    place, mark, query = path.partition(b"?")
    if not mark:
        return path
    if policy.query == "none":
        return place
    kept = [one for one in query.split(b"&") if one and _counts(policy, query_text(one.partition(b"=")[0]))]
    if policy.query_sort:
        # By the name alone, and stable: of several of one name the order may matter.
        kept.sort(key=lambda one: one.partition(b"=")[0])
    return place + b"?" + b"&".join(kept) if kept else place


def _counts(policy: CachePolicy, name: bytes) -> bool:
    text = name.decode("latin-1")
    if policy.query_keep and not any(glob.matches(text) for glob in _globs(policy.query_keep)):
        return False
    return not any(glob.matches(text) for glob in _globs(policy.query_drop))


@lru_cache(maxsize=256)
def _globs(patterns: tuple[bytes, ...]) -> tuple[TextGlob, ...]:
    return tuple(TextGlob(pattern.decode("latin-1")) for pattern in patterns)


def not_with_a_fill(lines: list[bytes], own: frozenset[bytes] = frozenset()) -> list[bytes]:
    """The ``lines`` of a request without those by which an application may take another target, method, host or scheme
    than those that are in the key; nor what is the same to CGI. ``own`` are names that this proxy has set itself, from
    what is in the key.
    """
    drop = _UNKEYED - own
    return [line for line in lines if plain(line.partition(b":")[0]) not in drop]
