"""What several workers say to one request, made one: each verb says how that is to be done with its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Any, Final, TypeAlias

import attrs

from txproxy.admin.api_call import ApiCall, ApiFault

# How long to wait for the slowest, in seconds.
_PATIENCE: Final = 5.0


class Asked(Enum):
    """Who is asked where there are several workers."""

    MASTER = "master"  # nobody: the master does it itself
    ONE = "one"  # any of them
    ALL = "all"  # all of them at once
    IN_TURN = "in turn"  # all, one after the other


@attrs.frozen
class WorkerName:
    """A worker. ``number`` is what people know it by; one that leaves may have the same as one that has come."""

    number: int
    pid: int

    def __str__(self) -> str:
        return f"worker {self.number}"


# What each has said, in their order: what a verb gives, or an ApiFault.
Answers: TypeAlias = "Mapping[WorkerName, Any]"


@attrs.frozen
class Merge:
    """Who is ``asked``, and what is made of what they say by ``merged``, which may raise an ``ApiFault``. An answer
    that is ``enough`` is not waited with for the others. Who has not answered after ``patience`` seconds (None: however
    long it takes) has failed.
    """

    asked: Asked
    merged: Callable[[ApiCall, Answers], Any]
    enough: Callable[[Any], bool] = lambda answer: False
    patience: float | None = _PATIENCE


def sound(answers: Answers) -> dict[WorkerName, Any]:
    """All that was said, where none of them has failed; else the ``ApiFault``, and whose it was if not all have it."""
    faults = {name: answer for name, answer in answers.items() if isinstance(answer, ApiFault)}
    if not faults:
        if not answers:
            raise ApiFault(503, "no worker serves")
        return dict(answers)
    name, worst = max(faults.items(), key=lambda one: one[1].status)
    if len(faults) == len(answers) and len({(fault.status, fault.text) for fault in faults.values()}) == 1:
        raise worst
    raise ApiFault(worst.status, f"{name}: {worst.text}", **worst.more)


def _any(call: ApiCall, answers: Answers) -> Any:
    for answer in answers.values():
        if not isinstance(answer, ApiFault):
            return answer
    return sound(answers)


def _equal(call: ApiCall, answers: Answers) -> Any:
    found = sound(answers)
    first = next(iter(found.values()))
    if all(answer == first for answer in found.values()):
        return first
    return {"workers": [{"worker": name.number, "answer": answer} for name, answer in found.items()]}


Rule: TypeAlias = "Callable[[Any, Any], Any]"


def _first(one: Any, other: Any) -> Any:
    return one


def _sum(one: Any, other: Any) -> Any:
    # Two truths are no number.
    return one and other if isinstance(one, bool) else one + other


def _put_together(one: Any, other: Any, path: str, rule_of: Callable[[str], Rule]) -> Any:
    """Two answers, or the parts of them that stand at a ``path``, as one."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        both = {
            key: _put_together(value, other[key], f"{path}.{key}" if path else key, rule_of) if key in other else value
            for key, value in one.items()
        }
        return {**both, **{key: value for key, value in other.items() if key not in one}}
    if isinstance(one, list) and isinstance(other, list):
        return _lists(one, other, path, rule_of)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return rule_of(path)(one, other)
    return other if one is None else one


def _lists(one: list[Any], other: list[Any], path: str, rule_of: Callable[[str], Rule]) -> list[Any]:
    """Tables that have a name are those of the same name; of other things all that one of them has."""
    if not all(isinstance(entry, dict) and "name" in entry for entry in (*one, *other)):
        return [*one, *(entry for entry in other if entry not in one)]
    named = {entry["name"]: entry for entry in one}
    for entry in other:
        name = entry["name"]
        named[name] = _put_together(named[name], entry, path, rule_of) if name in named else entry
    return list(named.values())


def together(sums: Sequence[str] = (), most: Sequence[str] = (), least: Sequence[str] = (), **how: Any) -> Merge:
    """All do it, and of what they say one thing is made: numbers that are named in ``sums`` are added up, of those in
    ``most`` and ``least`` the largest or smallest counts (of truths: whether any is, whether all are), and of others
    the first worker's. A number is named by its key, or by the keys that lead to it: ``memory.bytes``.
    """
    rules: dict[str, Rule] = {**dict.fromkeys(sums, _sum), **dict.fromkeys(most, max), **dict.fromkeys(least, min)}

    def rule_of(path: str) -> Rule:
        return rules.get(path) or rules.get(path.rpartition(".")[2], _first)

    return Merge(Asked.ALL, partial(_all_together, rule_of), **how)


def _all_together(rule_of: Callable[[str], Rule], call: ApiCall, answers: Answers) -> Any:
    first, *others = sound(answers).values()
    for other in others:
        first = _put_together(first, other, "", rule_of)
    return first


def _listed(call: ApiCall, answers: Answers) -> Any:
    """Each line says whose it is."""
    found: dict[str, Any] = {}
    for name, answer in sound(answers).items():
        for key, value in answer.items():
            if isinstance(value, list):
                lines = [{**line, "worker": name.number} if isinstance(line, dict) else line for line in value]
                found[key] = [*found.get(key, ()), *lines]
            elif isinstance(value, int | float) and key in found:
                found[key] = _sum(found[key], value)
            else:
                found.setdefault(key, value)
    return found


# The master does it itself, with what it sees.
BY_MASTER: Final = Merge(Asked.MASTER, _any)
# One of them does it for all.
OF_ONE: Final = Merge(Asked.ONE, _any)
# Whoever can do it, does; it is done where one of them has done it.
OF_ANY: Final = Merge(Asked.ALL, _any, enough=lambda answer: not isinstance(answer, ApiFault))
# All do it. What they say is said once if it is the same, and else by worker.
OF_ALL: Final = Merge(Asked.ALL, _equal)
# Numbers are added up, in all tables of an answer.
SUMMED: Final = Merge(Asked.ALL, partial(_all_together, lambda path: _sum))
# Lists are put together, and each table in them says of which ``worker`` it is; numbers beside them are added up.
LISTED: Final = Merge(Asked.ALL, _listed)
