"""The short way through rate limits, for a request that they count by what they counted the one before it by.

Python spends more on going through a list of limits than on the limits: the function for a place is written out for as
many as there are, as attrs writes methods. It compares, reads the clock once, and moves the debt of each; whatever is
out of the ordinary is left to the long way, which it stands for (:class:`~.limits_middleware.Checks`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any, Final, Protocol, TypeAlias

from txproxy.interfaces.context import RequestContext
from txproxy.limits.requests.gcra import ROUNDED, Debt, Gcra
from txproxy.limits.requests.shared_gcra import SharedDebt, SharedGcra
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

# What of a request has to be as it was before, by the words of limits: where that is, and whether it is another one.
# Fields that are the same are the same object (see txproxy.wire.http1.server), or were read by the same template that
# has one value of all that limits ask for. What a request has not, its client stands for; words that are not here hang
# on the place alone.
_CLIENT: Final = ("context.client_ip", "context.client_ip != {}")
_FIELDS: Final = ("fields_of(request.headers)", "request.headers is not {0} and request.headers.template is not {0}")
_RULE: Final = ("context.rule", "context.rule != {}")
_COMPARED: Final = {
    "client": (_CLIENT,),
    "header": (_CLIENT, _FIELDS),
    "cookie": (_CLIENT, _FIELDS),
    "user": (_CLIENT, ("context.user", "context.user != {}")),
    "host": (("request.authority", "request.authority != {}"),),
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
    names = {
        name.lower().encode("ascii") if kind == "header" else kind.encode("ascii")
        for kind, _, name in (word.partition(":") for word in by)
        if name
    }

    def fields_of(headers: Headers) -> object:
        template = headers.template
        return template if template is not None and not template.differ_in(names) else headers

    found = "".join(f"{where}, " for where, _ in compared(by))
    values: Callable[[RequestHead, RequestContext], tuple[object, ...]]
    values = eval(f"lambda request, context: ({found})", {"fields_of": fields_of})
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
    other = [unlike.format(name) for (_, unlike), name in zip(compared, names, strict=True)]
    text = _BEGIN.format(
        given="" if composed else "handler, ",
        known=", ".join((*names, *(f"debt_{number}" for number in range(len(shared))))),
        other=" or ".join((*other, "context.trace is not None")),
    )
    each = [(_EACH_SHARED if one else _EACH).format(n=number) for number, one in enumerate(shared)]
    return compile("".join((text, *each, _END)), "<rate limits>", "exec")


class Place(Protocol):
    """Where limits are asked: :class:`txproxy.limits.requests.limits_middleware.Checks`."""

    passed: float


class StandingDebts:
    """What requests owe at these ``places`` that a plan stands for, as they are like one before: all are counted by
    the same, so that nothing is compared, and nothing looked up. ``debts`` have the rate of which each is one;
    ``seconds`` tells the time that all of them go by. Whatever is out of the ordinary is left to the limits themselves,
    and nothing was taken before.

    ``pay(now)`` is whether the next one may go on at that time, by what is at hand; then it has paid for that. It is
    written out for so many debts and places (see :func:`standing_debts`).
    """

    __slots__ = ("seconds", "_debts", "_places")

    def __init__(
        self, places: Sequence[Place], debts: Iterable[tuple[Debt, Gcra]], seconds: Callable[[], float]
    ) -> None:
        self.seconds = seconds
        self._places = tuple(places)
        # each with what one takes, and how far it may be ahead
        self._debts: tuple[Any, ...] = tuple(
            one for debt, rate in debts for one in (debt, rate.interval, rate.tolerance + ROUNDED)
        )

    def pay(self, now: float) -> bool:
        """See above."""
        raise NotImplementedError

    def pay_back(self) -> None:
        """It does not go on, just after it has paid."""
        debts = self._debts
        for at in range(0, len(debts), 3):
            debt: Any = debts[at]
            debt.due -= debts[at + 1]
            if isinstance(debt, SharedDebt):
                debt.new -= 1
        for place in self._places:
            place.passed -= 1.0


def standing_debts(
    places: Sequence[Place], debts: Sequence[tuple[Debt, Gcra]], seconds: Callable[[], float]
) -> StandingDebts:
    """See :class:`StandingDebts`."""
    shared = tuple(isinstance(rate, SharedGcra) for _, rate in debts)
    return _paying(shared, len(places))(places, debts, seconds)


@lru_cache(64)
def _paying(shared: tuple[bool, ...], places: int) -> type[StandingDebts]:
    """Those with a ``pay`` that looks at so many debts, of which some are ``shared``, and takes what one request owes
    if all of them are content, at so many ``places``. It is written out as others are above.
    """
    each = range(len(shared))
    known = ", ".join(f"debt_{n}, interval_{n}, most_{n}" for n in each)
    lines = ["def pay(self, now):", f"    {known} = self._debts"]
    if not any(shared):
        # Most have paid off all when the next one comes.
        lines.append(f"    if {' and '.join(f'debt_{n}.due < now' for n in each)}:")
        lines += [f"        debt_{n}.due = now + interval_{n}" for n in each]
        lines.append("    else:")
        indent = "        "
    else:
        indent = "    "
    for n in each:
        lines += [
            f"{indent}due_{n} = debt_{n}.due",
            f"{indent}if due_{n} < now:",
            f"{indent}    due_{n} = now",
            f"{indent}elif due_{n} - now > most_{n}:",
            f"{indent}    return False",
        ]
        if shared[n]:
            # Others hear of the first since they last did by the long way.
            lines += [f"{indent}if not debt_{n}.new:", f"{indent}    return False"]
    for n in each:
        lines.append(f"{indent}debt_{n}.due = due_{n} + interval_{n}")
        if shared[n]:
            lines.append(f"{indent}debt_{n}.new += 1")
    lines.append(f"    {', '.join(f'place_{n}' for n in range(places))}, = self._places")
    lines += [f"    place_{n}.passed += 1.0" for n in range(places)]
    lines.append("    return True")
    names: dict[str, Any] = {}
    exec(compile("\n".join(lines), "<standing rate limits>", "exec"), names)
    return type("StandingDebts", (StandingDebts,), {"__slots__": (), "pay": names.pop("pay")})
