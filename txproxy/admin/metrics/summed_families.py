"""The numbers of several workers, as those of one proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import attrs

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.merging import Answers, WorkerName, sound
from txproxy.admin.metrics.exposition import Family, Sample, Together, gauge

_COUNTED: Final = ("counter", "histogram")
_ADDED: Final[dict[Together, Callable[[float, float], float]]] = {
    Together.SUM: lambda one, other: one + other,
    Together.MOST: max,
    Together.LEAST: min,
    Together.FIRST: lambda one, _: one,
}


class SummedFamilies:
    """Makes one of what workers tell. What was counted by those that have ended still counts, as it was told last: what
    only grows must not become less, or whoever reads it takes it for a new beginning. ``revision`` gives the number of
    the configuration that runs.
    """

    def __init__(self, revision: Callable[[], int]) -> None:
        self._revision = revision
        self._last: dict[WorkerName, Sequence[Family]] = {}
        self._ended: list[Family] = []

    def __call__(self, call: ApiCall, answers: Answers) -> list[Family]:
        """For :class:`txproxy.admin.merging.Merge`. Who does not answer counts with what it has told last."""
        self._last.update((name, told) for name, told in answers.items() if not isinstance(told, ApiFault))
        for name in [name for name in self._last if name not in answers]:
            counted = [family for family in self._last.pop(name) if family.kind in _COUNTED]
            self._ended = _summed([self._ended, counted])
        if not self._last:
            sound(answers)
        # In the order of who answers, as for all other verbs: the first is the same for each.
        told = [(name, self._last[name]) for name in answers if name in self._last]
        alive = [[_named(family, name) for family in families] for name, families in told]
        workers = gauge("txproxy_workers", "Workers that serve, or finish what they have", [(len(alive), {})])
        # Workers begin at other times, and would count from there.
        return [workers, revision_family(self._revision()), *_summed([*alive, self._ended])]


def revision_family(revision: int) -> Family:
    """Which configuration runs."""
    about = "Which configuration runs, counted from 1"
    return gauge("txproxy_configuration_revision", about, [(revision, {})], Together.MOST)


def _named(family: Family, name: WorkerName) -> Family:
    if not any(sample.together is Together.EACH for sample in family.samples):
        return family
    label = {"worker": str(name.number)}
    return attrs.evolve(
        family, samples=tuple(attrs.evolve(one, labels={**one.labels, **label}) for one in family.samples)
    )


def _summed(told: Iterable[Sequence[Family]]) -> list[Family]:
    found: dict[str, tuple[Family, dict[object, Sample]]] = {}
    for families in told:
        for family in families:
            _, samples = found.setdefault(family.name, (family, {}))
            for sample in family.samples:
                key = (sample.suffix, *sorted(sample.labels.items()))
                there = samples.get(key)
                if there is not None and sample.together in _ADDED:
                    sample = attrs.evolve(there, value=_ADDED[sample.together](there.value, sample.value))
                samples[key] = sample
    return [attrs.evolve(family, samples=tuple(samples.values())) for family, samples in found.values()]
