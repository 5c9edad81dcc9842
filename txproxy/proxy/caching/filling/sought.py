"""What a request of the cache's own is to bring, and why it is sent."""

from __future__ import annotations

import attrs

from txproxy.cache.answering.cache_status import ForwardedFor
from txproxy.cache.answering.conditional import validators
from txproxy.cache.parts.partial_content import lines_to_complete
from txproxy.cache.stored import Entry


@attrs.frozen(eq=False)
class Sought:
    """A response that is asked for, for the reason ``why``: one that validates ``stale``. Or the bytes that are
    ``missing`` of what is ``incomplete``. Or the ``part`` that a client has asked for, as its Range has it, where
    nothing is stored. Else the whole.
    """

    why: ForwardedFor
    stale: Entry | None = None
    incomplete: Entry | None = None
    missing: tuple[int, int] | None = None
    part: bytes | None = None

    @property
    def is_whole(self) -> bool:
        """Whether a whole response is asked for."""
        return self.part is None and self.incomplete is None

    def lines(self) -> list[bytes]:
        """What a request for that has beside what the client's has."""
        if self.incomplete is not None and self.missing is not None:
            return lines_to_complete(self.incomplete, self.missing)
        if self.part is not None:
            return [b"Range: " + self.part]
        return validators(self.stale.head) if self.stale is not None else []
