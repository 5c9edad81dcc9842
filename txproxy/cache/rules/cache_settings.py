"""What is said of a cache for all that shares it."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from txproxy.cache.rules.cache_choice import Changes, policy_changes
from txproxy.cache.rules.cache_rule import CacheRule
from txproxy.components.settings import setting
from txproxy.plain_values import PlainValue


def _rules(value: Iterable[CacheRule]) -> tuple[CacheRule, ...]:
    return tuple(value)


@attrs.frozen(kw_only=True)
class CacheSettings(PlainValue):
    """A cache in memory of ``size`` bytes; without a size there is none. ``defaults`` are what of the usual policies is
    otherwise, and of ``rules`` the first counts that is for a request.
    """

    size: int | None = setting(
        "size of a cache",
        None,
        "keep responses in so much memory, and answer from there what may be",
        option="cache",
        written="off",
    )
    defaults: Changes = attrs.field(default=(), converter=policy_changes)
    rules: tuple[CacheRule, ...] = attrs.field(default=(), converter=_rules)

    def __bool__(self) -> bool:
        return self.size is not None
