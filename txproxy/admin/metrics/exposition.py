"""Numbers as text: the format of Prometheus (0.0.4), and OpenMetrics 1.0."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Final

import attrs

OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPED: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Together(Enum):
    """What several workers have of one number."""

    SUM = "sum"
    MOST = "most"  # all have the same, or whoever has the most counts
    LEAST = "least"
    FIRST = "first"  # all have the same, or will in a moment, and what one says fits together
    EACH = "each"  # each has its own, with a label that says whose it is


@attrs.frozen
class Sample:
    """A ``value``, with its ``labels``. ``suffix`` is what stands after the name of its family. ``together`` is what
    becomes of it where there are several workers.
    """

    value: float
    labels: Mapping[str, str] = attrs.field(factory=dict)
    suffix: str = ""
    together: Together = Together.SUM


@attrs.frozen
class Family:
    """Samples that are of one ``kind`` (counter, gauge, histogram), and what they are: ``about`` is a sentence without
    its full stop. The ``name`` of a counter is without ``_total``.
    """

    name: str
    kind: str
    about: str
    samples: tuple[Sample, ...]


def counter(name: str, about: str, samples: Iterable[tuple[float, Mapping[str, str]]]) -> Family:
    """Of what only grows."""
    return Family(name, "counter", about, tuple(Sample(value, labels, "_total") for value, labels in samples))


def gauge(
    name: str, about: str, samples: Iterable[tuple[float, Mapping[str, str]]], together: Together = Together.SUM
) -> Family:
    """Of what is as it is now."""
    return Family(name, "gauge", about, tuple(Sample(value, labels, together=together) for value, labels in samples))


def histogram(
    name: str,
    about: str,
    bounds: Sequence[float],
    found: Iterable[tuple[Sequence[int], float, Mapping[str, str]]],
) -> Family:
    """Of how often what was how much: counts up to each of the ``bounds`` and above, their sum, and labels."""
    samples: list[Sample] = []
    for counts, total, labels in found:
        reached = 0
        for count, bound in zip(counts, (*map(_number, bounds), "+Inf"), strict=True):
            reached += count
            samples.append(Sample(reached, {**labels, "le": bound}, "_bucket"))
        samples.append(Sample(reached, labels, "_count"))
        samples.append(Sample(total, labels, "_sum"))
    return Family(name, "histogram", about, tuple(samples))


def wants_openmetrics(accept: str) -> bool:
    """Whether who asks understands OpenMetrics, and would not rather have something else."""
    return "application/openmetrics-text" in accept.lower()


def written(families: Iterable[Family], openmetrics: bool) -> str:
    """All of it as text. A family without a sample is left out."""
    lines: list[str] = []
    for family in families:
        if not family.samples:
            continue
        # In the older format a counter's name has what its samples have.
        name = family.name + ("_total" if family.kind == "counter" and not openmetrics else "")
        lines.append(f"# HELP {name} {family.about}.")
        lines.append(f"# TYPE {name} {family.kind}")
        lines += [f"{family.name}{one.suffix}{_labels(one.labels)} {_number(one.value)}" for one in family.samples]
    if openmetrics:
        lines.append("# EOF")
    return "\n".join([*lines, ""])


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in labels.items()) + "}"


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    # As both formats have them.
    return "+Inf" if value == math.inf else repr(value).replace("inf", "Inf").replace("nan", "NaN")
