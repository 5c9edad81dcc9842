"""What is said of a cache for all that shares it."""

from __future__ import annotations

import attrs

from txproxy.components.settings import setting
from txproxy.plain_values import PlainValue


@attrs.frozen(kw_only=True)
class CacheSettings(PlainValue):
    """A cache in memory of ``size`` bytes; without a size there is none."""

    size: int | None = setting(
        "size of a cache",
        None,
        "keep responses in so much memory, and answer from there what may be",
        option="cache",
        written="off",
    )

    def __bool__(self) -> bool:
        return self.size is not None
