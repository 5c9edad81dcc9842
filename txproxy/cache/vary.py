"""Which of several stored responses a request is answered with (RFC 9111 section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from txproxy.cache.dates import http_date
from txproxy.cache.stored import Entry, StoredHead, VaryValues
from txproxy.wire import grammar
from txproxy.wire.headers import Headers

_LANGUAGE: Final = b"accept-language"
_ENCODING: Final = b"accept-encoding"
_USUAL: Final = 128
_PLAIN_CONNECTIONS: Final = frozenset({b"keep-alive", b"close"})
# What is known to mean the same in another order and in other letters (RFC 9110 sections 12.5.3 and 12.5.4).
_OF_PREFERENCES: Final = frozenset({_LANGUAGE, _ENCODING})
# RFC 9110 12.4.2: weight = OWS ";" OWS "q=" qvalue
_PREFERENCE: Final = re.compile(
    rb"(" + grammar.TOKEN.pattern + rb")(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
)
# RFC 9110 8.4.1: the same under an older name
_OLD_CODINGS: Final = {b"x-gzip": b"gzip", b"x-compress": b"compress"}


def vary_names(response: Headers) -> tuple[bytes, ...] | None:
    """The fields of the request that a response was chosen by, in lower case and sorted; None if it was chosen by what
    no cache can know (``*`` anywhere, or what is no name), so that it matches no request.
    """
    if b"vary" not in response.index:
        return ()
    names = {*response.tokens(b"vary")}
    if b"*" in names or not all(grammar.TOKEN.fullmatch(name) for name in names):
        return None
    return tuple(sorted(names))


def vary_values(request: Headers, names: Iterable[bytes]) -> VaryValues:
    """The values that a ``request`` has under ``names`` (lower case), normalised: what differs in them alone means the
    same. A field that its Connection names is for one hop and says nothing (RFC 9110 section 7.6.1).
    """
    index = request.index
    connection = index.get(b"connection")
    hop = () if connection is None or connection in _PLAIN_CONNECTIONS else request.tokens(b"connection")
    return tuple([(name, _normal(name, index[name]) if name in index and name not in hop else None) for name in names])


def _normal(name: bytes, value: bytes) -> bytes:
    if name in _OF_PREFERENCES:
        # Browsers send the same few; and what is longer than theirs is not kept in mind.
        found = _normal_preferences(value) if len(value) <= _USUAL else _normal_preferences.__wrapped__(value)
        if found is not None:
            return found
    if b"," not in value or b'"' in value:
        # A comma in quotes is a character like others.
        return value.strip(b" \t")
    return b", ".join([item.strip(b" \t") for item in value.split(b",")])


@lru_cache(maxsize=1024)
def _normal_preferences(value: bytes) -> bytes | None:
    found = _preferences(value)
    if found is None:
        return None
    # In the grammar of the field, so that what is malformed can never read the same.
    return b", ".join([tag if q == 1000 else b"%b;q=0.%03d" % (tag, q) for tag, q in sorted(found.items())])


def _preferences(value: bytes) -> dict[bytes, int] | None:
    """What is wanted, in lower case, and how much, in thousandths; None if that is malformed, or contradicts itself."""
    found: dict[bytes, int] = {}
    for item in value.split(b","):
        item = item.strip(b" \t")
        if not item:
            continue
        match = _PREFERENCE.fullmatch(item)
        if match is None:
            return None
        tag, q = match[1].lower(), 1000 if match[2] is None else round(float(match[2]) * 1000)
        tag = _OLD_CODINGS.get(tag, tag)
        if found.setdefault(tag, q) != q:
            return None
    return found


def matches(head: StoredHead, request: Headers) -> bool:
    """Whether the fields that a response was chosen by are in the ``request`` as they were when it came."""
    vary = head.vary
    return not vary or vary_values(request, [name for name, _ in vary]) == vary


def choose(variants: Sequence[Entry], request: Headers) -> Entry | None:
    """The most recent of the ``variants`` that matches a ``request``; else one whose language is what that wants most;
    None if there is none.
    """
    if len(variants) == 1 and matches(variants[0].head, request):
        return variants[0]
    told = [one for one in variants if one.head.vary]
    # Most were chosen by the same fields.
    values = {names: vary_values(request, names) for names in {_names(one) for one in told}}
    matching = [one for one in told if one.head.vary == values[_names(one)]]
    if not matching and not _wants_something(values):
        matching = [one for one in variants if not one.head.vary]
    return _latest(matching or _in_wanted_language(told, request, values))


def _wants_something(values: Mapping[tuple[bytes, ...], VaryValues]) -> bool:
    """Whether a request has any of the fields that variants were chosen by. One that does not say what it was chosen by
    is not for such requests beside others that do: it is often the default of a resource, and was sent without Vary by
    mistake (RFC 9111 section 4.1).
    """
    return any(value is not None for pairs in values.values() for _, value in pairs)


def _names(entry: Entry) -> tuple[bytes, ...]:
    return tuple([name for name, _ in entry.head.vary])


def _latest(entries: Sequence[Entry]) -> Entry | None:
    if len(entries) < 2:
        return entries[0] if entries else None
    return max(entries, key=_made)


def _made(entry: Entry) -> tuple[float, float]:
    head = entry.head
    date = http_date(head.headers.get(b"date"), head.response_time)
    return head.response_time if date is None else date, head.response_time


def _in_wanted_language(
    variants: list[Entry], request: Headers, values: Mapping[tuple[bytes, ...], VaryValues]
) -> list[Entry]:
    """Those of the ``variants`` in the language that a ``request`` wants before all others, and that differ from what
    it would match in the value of Accept-Language alone (RFC 9111 section 4.1: a ranking that is known).
    """
    wanted = _wanted(request)
    return [
        one
        for one in variants
        if wanted is not None
        and (one.head.headers.get(b"content-language") or b"").lower() == wanted
        and _without_language(one.head.vary) == _without_language(values[_names(one)])
    ]


def _wanted(request: Headers) -> bytes | None:
    """The one language that a ``request`` wants before all others."""
    ((_, value),) = vary_values(request, (_LANGUAGE,))
    ranked = sorted((_preferences(value or b"") or {}).items(), key=lambda pair: -pair[1])
    if not ranked or ranked[0][1] == 0:
        return None
    # Of two that are wanted as much the origin chooses.
    return None if len(ranked) > 1 and ranked[0][1] == ranked[1][1] else ranked[0][0]


def _without_language(values: VaryValues) -> VaryValues:
    return tuple([pair for pair in values if pair[0] != _LANGUAGE])


def superseded(variants: Sequence[Entry], head: StoredHead, request: Headers) -> list[Entry]:
    """Those of the ``variants`` that have no place beside ``head``, which is the new answer to a ``request``."""
    names = {_names(one) for one in variants}
    if not head.vary and _wants_something({one: vary_values(request, one) for one in names}):
        # It was asked for by what others were chosen by, and does not differ by that any more.
        return list(variants)
    return [one for one in variants if one.head.vary == head.vary]
