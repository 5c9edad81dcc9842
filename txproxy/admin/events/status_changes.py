"""What has changed between two looks at a proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

# What kind of change, and what is told of it.
Change: TypeAlias = "tuple[str, dict[str, Any]]"


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    """All of them, of two answers of ``/api/status``."""
    if before["stage"] != now["stage"]:
        yield "stage", {"stage": now["stage"]}
    if before["revision"] != now["revision"]:
        yield "reload", {"revision": now["revision"]}
    was, there = _upstreams(before), _upstreams(now)
    for key in dict.fromkeys((*was, *there)):
        yield from _of_upstream(key, was.get(key), there.get(key))
    asked = {one["id"]: one for one in before["questions"]}
    waiting = {one["id"]: one for one in now["questions"]}
    yield from (("question", one) for name, one in waiting.items() if name not in asked)
    yield from (("question-over", {"id": name}) for name in asked if name not in waiting)
    known = {one["id"] for one in before["failed"]}
    # The newest stands first, and is told last.
    yield from (("failure", one) for one in reversed(now["failed"]) if one["id"] not in known)


def _upstreams(status: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    return {(pool, one["name"]): one for pool, found in status["upstreams"].items() for one in found}


def _of_upstream(key: tuple[str, str], was: Any, now: Any) -> Iterator[Change]:
    pool, name = key
    if now is None:
        yield "upstream", {"pool": pool, "upstream": name, "was": was["state"], "state": None, "cause": "removed"}
        return
    told = {"pool": pool, "upstream": name, "was": was["state"] if was is not None else None, "state": now["state"]}
    # Why it is unhealthy may be another reason each time, and that it is one is told once.
    if was is None or was["state"] != now["state"]:
        yield "upstream", {**told, "cause": now["cause"]}
    if was is not None and was["weight"] != now["weight"]:
        yield "weight", {"pool": pool, "upstream": name, "was": was["weight"], "weight": now["weight"]}
