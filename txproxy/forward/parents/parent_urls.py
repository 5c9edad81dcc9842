"""Parent proxies as they are configured: texts, which say what is to be there, and nothing of how it fares."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from txproxy.forward.parents.selection import Parents
from txproxy.plain_values import PlainValue


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@attrs.frozen
class ParentUrls(PlainValue):
    """What :class:`Parents` are made from. ``ConfigError``, with one line for each fault, if they cannot be.

    ``rules`` are the names of the rules that any of them is for.
    """

    urls: tuple[str, ...] = attrs.field(converter=_texts, repr=False)  # there may be passwords in them
    check_interval: float | None = None
    rules: tuple[str, ...] = attrs.field(init=False, eq=False, repr=False)

    @rules.default
    def _find_rules(self) -> tuple[str, ...]:
        return tuple(rule for parent in self.made() for rule in parent.rules)

    def made(self) -> Parents:
        """The parents, of which nothing is known yet."""
        return Parents(self.urls, check_interval=self.check_interval)
