"""``/api/limits``: what came of the limits of requests, who owes what, and a new beginning for them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from hashlib import blake2b
from heapq import nlargest
from typing import Any, Final

from twisted.logger import Logger

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import Verb
from txproxy.admin.merging import together
from txproxy.admin.proxy_view import ProxyView
from txproxy.components.values import hint, shown
from txproxy.limits.requests.limiter import Limiter

_log = Logger()

_MOST_LISTED: Final = 10_000
# What is known of a key of a rate is known to all workers; what is at work is each worker's.
_LIMITS: Final = together(sums=("allowed", "delayed", "refused", "running", "waiting"), most=("keys",))
_KEYS: Final = together(sums=("running",), most=("seconds",), least=("left",))
_RESET: Final = together(most=("keys",))


class LimitVerbs:
    """What may be done with the limits of what ``view`` shows, by the clock of ``reactor``."""

    def __init__(self, view: ProxyView, reactor: Any) -> None:
        self._view = view
        self._reactor = reactor

    def verbs(self) -> list[Verb]:
        """All of it."""
        return [
            Verb("GET", "/api/limits", self._list, merge=_LIMITS),
            Verb("GET", "/api/limits/{limit}/keys", self._keys, query=("key", "limit"), merge=_KEYS),
            Verb("POST", "/api/limits/{limit}/reset", self._reset, body=("key",), merge=_RESET),
        ]

    def _list(self, call: ApiCall) -> dict[str, object]:
        return {
            "limits": [
                {
                    "name": one.name, "enforced": one.enforced, "allowed": one.allowed, "delayed": one.delayed,
                    "refused": one.refused, "keys": one.keys, "running": one.running, "waiting": one.waiting,
                }
                for one in self._view.limits
            ]
        }  # fmt: skip

    def _rates(self, call: ApiCall) -> list[Limiter]:
        """Those of the name, each of which has a rate."""
        name = call.names[0]
        names = tuple(dict.fromkeys(one.name for one in self._view.limits))
        if name not in names:
            raise ApiFault(
                404, f"there is no limit {shown(name)}{hint(name, names)}; accepted: {', '.join(names) or 'none'}"
            )
        found = [one for one in self._view.limiters if isinstance(one, Limiter) and one.config.name == name]
        if not found:
            said = f"{name} bounds how many are at work at once, and each gives its place back when it is over"
            raise ApiFault(409, f"{said}; accepted is a limit with a rate")
        return found

    def _keys(self, call: ApiCall) -> dict[str, object]:
        limit, wanted = call.number("limit", 100, 1, _MOST_LISTED), call.query.get("key")
        now = self._reactor.seconds()
        found = [(debt, limiter, key) for limiter in self._rates(call) for key, debt in limiter.rate.debts(now)]
        if wanted is not None:
            found = [one for one in found if _is_called(one[2], wanted)]
        told = nlargest(limit, found, key=lambda one: one[0])
        return {
            "keys": [_told(key, *limiter.rate.left(key, now)) for _, limiter, key in told],
            "complete": len(told) == len(found),
        }

    def _reset(self, call: ApiCall) -> dict[str, object]:
        limiters = self._rates(call)
        wanted = call.text("key") if "key" in call.body else None
        count = 0
        for limiter in limiters:
            keys = [key for key, _ in limiter.rate.debts(self._reactor.seconds())]
            for key in keys:
                if wanted is None or _is_called(key, wanted):
                    limiter.rate.forget(key)
                    count += 1
        what = "all keys" if wanted is None else f"key {wanted}"
        _log.info("{said}", said=f"admin API: limit {call.names[0]}: {what} was begun anew")
        return {"keys": count}


def _told(key: Hashable, left: int, seconds: float) -> dict[str, object]:
    return {"name": name_of(key), "left": left, "seconds": round(seconds, 3)}


def name_of(key: Hashable) -> str:
    """What a key of a limit is called. Values of fields and cookies may be secrets, and are called by a digest."""
    return " + ".join(_part(part) for part in _parts(key))


def _parts(key: Hashable) -> Iterator[Hashable]:
    # The name of a user stands in a tuple by itself (see txproxy.limits.requests.limit_keys).
    yield from key if isinstance(key, tuple) and len(key) > 1 else (key,)


def _part(part: Hashable) -> str:
    if isinstance(part, tuple):
        return f"user {part[0]}"
    if isinstance(part, bytes):
        return f"#{blake2b(part, digest_size=8).hexdigest()}"
    return str(part) or "all"


def _is_called(key: Hashable, name: str) -> bool:
    """Whether it is that key: by the name that it is told by, or by a value in it."""
    value = name.encode("utf-8", "surrogateescape")
    return name_of(key) == name or any(part in (name, value, (name,)) for part in _parts(key))
