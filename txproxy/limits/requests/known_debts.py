"""The short way through rate limits, for a request that they count by what they counted the one before it by.

Python spends more on going through a list of limits than on the limits: the function for a place is written out for as
many as there are, as attrs writes methods. It compares, reads the clock once, and moves the debt of each; whatever is
out of the ordinary is left to the long way, which it stands for (:class:`~.limits_middleware.Checks`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any, Final, TypeAlias

from txproxy.interfaces.context import RequestContext
from txproxy.limits.requests.gcra import ROUNDED, Gcra
from txproxy.limits.requests.shared_gcra import SharedGcra
from txproxy.wire.message import RequestHead

# What of a request has to be as it was before, by the words of limits: where that is, and how the two are told apart.
# Fields that are the same are the same object (see txproxy.wire.http1.server). What a request has not, its client
# stands for; words that are not here hang on the place alone.
_CLIENT: Final = ("context.client_ip", "!=")
_FIELDS: Final = ("request.headers", "is not")
_RULE: Final = ("context.rule", "!=")
_COMPARED: Final = {
    "client": (_CLIENT,),
    "header": (_CLIENT, _FIELDS),
    "cookie": (_CLIENT, _FIELDS),
    "user": (_CLIENT, ("context.user", "!=")),
    "host": (("request.authority", "!="),),
    "route": (_RULE,),
    "rule": (_RULE,),
}

_BEGIN: Final = """
def limited({given}request, context):
    try:
        {known}, = context.connection.debts[place]
    except (KeyError, TypeError):
        return anew(handler, request, context)
    if {other}:
        return anew(handler, request, context)
    now = seconds()
"""
_EACH: Final = """
    due = debt_{n}.due
    if due < now:
        debt_{n}.due = now + interval_{n}
    elif due - now - tolerance_{n} <= ROUNDED:
        debt_{n}.due = due + interval_{n}
    else:
        return go_on(handler, request, context, now, {n})
"""
# Others hear of each that comes; of the first since they last did, by the long way.
_EACH_SHARED: Final = """
    due = debt_{n}.due
    if due < now and debt_{n}.new:
        debt_{n}.due = now + interval_{n}
    elif due - now - tolerance_{n} <= ROUNDED and debt_{n}.new:
        debt_{n}.due = due + interval_{n}
    else:
        return go_on(handler, request, context, now, {n})
    debt_{n}.new += 1
"""
_END: Final = """
    place.passed += 1.0
    return handler(request, context)
"""
Compared: TypeAlias = "tuple[tuple[str, str], ...]"


def compared(by: Sequence[str]) -> Compared:
    """What has to be as it was where limits have these words."""
    return tuple(dict.fromkeys(one for word in by for one in _COMPARED.get(word.partition(":")[0], ())))


def values_compared(by: Sequence[str]) -> Callable[[RequestHead, RequestContext], tuple[object, ...]]:
    """What gives all that of a request."""
    found = "".join(f"{where}, " for where, _ in compared(by))
    values: Callable[[RequestHead, RequestContext], tuple[object, ...]] = eval(f"lambda request, context: ({found})")
    return values


def short_way(place: Any, rates: Sequence[Gcra], by: Sequence[str], names: dict[str, Any]) -> Any:
    """The function for requests under these ``rates`` at a ``place``, whose limits have these words. A connection's
    ``debts[place]`` are what is compared of the last one, and what it owes of each rate. ``names`` are those of the
    long way, and the ``handler`` if it is always the same; else that is the first argument.
    """
    known = {"place": place, "ROUNDED": ROUNDED, **names}
    for number, rate in enumerate(rates):
        known[f"interval_{number}"] = rate.interval
        known[f"tolerance_{number}"] = rate.tolerance
    shared = tuple(isinstance(rate, SharedGcra) for rate in rates)
    exec(_code(compared(by), shared, "handler" in names), known)
    # No circle is left, which would wait for the collector.
    limited = known.pop("limited")
    # CPython keeps in the code where its names are found: what places had together would not hold for any of them.
    limited.__code__ = limited.__code__.replace()
    return limited


@lru_cache(64)
def _code(compared: Compared, shared: tuple[bool, ...], composed: bool) -> CodeType:
    """What is compiled for so many rates, of which some are ``shared``, of several processes together."""
    names = [f"before_{number}" for number in range(len(compared))]
    other = [f"{where} {unlike} {name}" for (where, unlike), name in zip(compared, names, strict=True)]
    text = _BEGIN.format(
        given="" if composed else "handler, ",
        known=", ".join((*names, *(f"debt_{number}" for number in range(len(shared))))),
        other=" or ".join((*other, "context.trace is not None")),
    )
    each = [(_EACH_SHARED if one else _EACH).format(n=number) for number, one in enumerate(shared)]
    return compile("".join((text, *each, _END)), "<rate limits>", "exec")
