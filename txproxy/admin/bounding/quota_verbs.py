"""``/api/quotas``: who has used what of how much, when that begins anew, and a new beginning before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from twisted.logger import Logger

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import Verb
from txproxy.admin.merging import Answers, Asked, Merge, together
from txproxy.admin.proxy_view import ProxyView
from txproxy.components.values import hint, shown
from txproxy.limits.allotments import Allotments
from txproxy.limits.quotas import Consumed, Quota
from txproxy.limits.scopes import PER
from txproxy.limits.usage import DAY, MONTH

_log = Logger()

_MOST_LISTED: Final = 10_000
# Each worker has counted what it carried, and has heard what others have, but for the last moment.
_TOGETHER: Final = together(most=("used",), least=("left",))
_PERIODS: Final = (DAY, MONTH)


class QuotaVerbs:
    """What may be done with the quotas of what ``view`` shows."""

    def __init__(self, view: ProxyView) -> None:
        self._view = view

    def verbs(self) -> list[Verb]:
        """All of it."""
        query = ("listener", "per", "key", "limit")
        reset = ("listener", "per", "key", "period", "all")
        return [
            Verb("GET", "/api/quotas", self._list, query=query, merge=Merge(Asked.ALL, _of_all)),
            Verb("POST", "/api/quotas/reset", self._reset, body=reset, merge=together(most=("keys",))),
        ]

    def _places(self, listener: str | None) -> Iterator[tuple[tuple[str, ...], Allotments]]:
        """What counts, each with the names of its listeners, at that ``listener`` or at all."""
        by_place: dict[Allotments, list[str]] = {}
        for name, allotments in self._view.allotments.items():
            by_place.setdefault(allotments, []).append(name)
        known = tuple(self._view.allotments)
        if listener is not None and listener not in known:
            said = f"nothing is counted at a listener {shown(listener)}{hint(listener, known)}"
            raise ApiFault(404, f"{said}; accepted: {', '.join(known) or 'none'}")
        for allotments, names in by_place.items():
            if listener is None or listener in names:
                yield tuple(names), allotments

    def _consumed(
        self, listener: str | None, per: str | None, key: str | None
    ) -> list[tuple[tuple[str, ...], Allotments, Consumed]]:
        """What was used by those that are asked for."""
        others = tuple(self._view.allotments)
        return [
            (names, allotments, one)
            for names, allotments in self._places(listener)
            for one in allotments.quotas.consumed(others)
            if (per is None or one.per == per) and (key is None or one.name == key)
        ]

    def _list(self, call: ApiCall) -> dict[str, object]:
        query, limit = call.query, _limit(call)
        per = query.get("per")
        if per is not None and per not in PER:
            raise ApiFault(400, f"per: {shown(per)} is none; accepted: {', '.join(PER)}")
        places = list(self._places(query.get("listener")))
        found = self._consumed(query.get("listener"), per, query.get("key"))
        found.sort(key=lambda one: -one[2].month)
        first = places[0][1].quotas if places else None
        return {
            "day_ends": _moment(first.ends(DAY) if first is not None else None),
            "month_ends": _moment(first.ends(MONTH) if first is not None else None),
            "quotas": [
                {"name": f"{', '.join(names)} {number}", "listeners": list(names), **_quota(quota)}
                for names, allotments in places
                for number, quota in enumerate(allotments.quotas.quotas, 1)
            ],
            "used": [_told(names, one) for names, _, one in found[:limit]],
            "complete": len(found) <= limit,
        }

    async def _reset(self, call: ApiCall) -> dict[str, object]:
        body = call.body
        listener = call.text("listener") if "listener" in body else None
        per, period = call.word("per", PER), call.word("period", _PERIODS)
        key = call.text("key") if "key" in body else None
        if key is None and not call.flag("all"):
            raise ApiFault(400, "key: it is missing; accepted is one of those that are counted, or all = true")
        if key is not None and call.flag("all"):
            raise ApiFault(400, "all: there is a key as well; accepted is one of them")
        periods = _PERIODS if period is None else (period,)
        found = self._consumed(listener, per, key)
        # At once everywhere, and only then it is waited until that is written.
        by_place: dict[Allotments, list[str]] = {}
        for _, allotments, one in found:
            by_place.setdefault(allotments, []).append(one.key)
        waiting = [allotments.quotas.forget(keys, periods) for allotments, keys in by_place.items()]
        for written in waiting:
            await written
        what = "all that was used" if key is None else f"what {key} has used"
        when = "" if period is None else f" in this {period}"
        _log.info("{said}", said=f"admin API: {what}{when} was forgotten")
        return {"keys": len(found)}


def _of_all(call: ApiCall, answers: Answers) -> dict[str, Any]:
    """What all workers say, as much as is wanted of one."""
    limit, found = _limit(call), _TOGETHER.merged(call, answers)
    used = sorted(found["used"], key=lambda one: -one["month"]["used"])
    return {**found, "used": used[:limit], "complete": found["complete"] and len(used) <= limit}


def _limit(call: ApiCall) -> int:
    return call.number("limit", 100, 1, _MOST_LISTED)


def _quota(quota: Quota) -> dict[str, object]:
    return {"per": quota.per, "day": quota.day, "month": quota.month, "only": list(quota.only)}


def _told(names: tuple[str, ...], one: Consumed) -> dict[str, object]:
    return {
        "name": f"{', '.join(names)}: {one.per} {one.name}",
        "listeners": list(names),
        "per": one.per,
        "key": one.name,
        "day": _used(one.day, one.most_day),
        "month": _used(one.month, one.most_month),
    }


def _used(used: int, most: int | None) -> dict[str, int | None]:
    return {"used": used, "most": most, "left": max(0, most - used) if most is not None else None}


def _moment(when: datetime | None) -> str | None:
    # With the offset of its place: who asks may be elsewhere.
    return when.astimezone().isoformat() if when is not None else None
