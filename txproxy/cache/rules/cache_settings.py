"""What is said of a cache for all that shares it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from txproxy.cache.rules.cache_choice import Changes, policy_changes
from txproxy.cache.rules.cache_rule import CacheRule
from txproxy.components.settings import setting
from txproxy.frozen_values import frozen
from txproxy.plain_values import PlainValue

_DIR_SIZE: Final = 1 << 30
# How much memory is taken where only a directory is named, in bytes.
_ABOVE_A_DISK: Final = 16 << 20


def _rules(value: Iterable[CacheRule]) -> tuple[CacheRule, ...]:
    return tuple(value)


@frozen(kw_only=True)
class CacheSettings(PlainValue):
    """A cache in memory of ``size`` bytes, and below it one in the directory ``dir`` of ``dir_size`` bytes; without
    either there is none. ``defaults`` are what of the usual policies is otherwise, and of ``rules`` the first counts
    that is for a request.
    """

    size: int | None = setting(
        "size of a cache",
        None,
        "keep responses in so much memory, and answer from there what may be",
        option="cache",
        written="off",
    )
    dir: str | None = setting(
        "directory", None, "keep them in this directory as well, where they survive a restart", option="cache-dir"
    )
    dir_size: int = setting(
        "size of a disk cache", _DIR_SIZE, "how much that may take", option="cache-dir-size", written="1G"
    )
    defaults: Changes = attrs.field(default=(), converter=policy_changes)
    rules: tuple[CacheRule, ...] = attrs.field(default=(), converter=_rules)

    def __bool__(self) -> bool:
        return self.size is not None or self.dir is not None

    @property
    def memory(self) -> int:
        """The bytes of memory that it may take."""
        return self.size if self.size is not None else _ABOVE_A_DISK
