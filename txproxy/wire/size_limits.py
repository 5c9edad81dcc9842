"""Bounds on what a peer may send."""

from __future__ import annotations

import attrs

from txproxy.frozen_values import frozen


@frozen
class WireLimits:
    """Sizes in bytes. ``max_head`` bounds a head (and a trailer section), ``max_target`` the request target (RFC 9112
    section 3 asks for at least 8000), ``max_fields`` the number of field lines of a request, ``max_body`` its body.
    """

    max_head: int = 65536
    max_target: int = 8192
    max_fields: int = 100
    max_body: int | None = None
    least: int = attrs.field(init=False, repr=False, eq=False)
    """No head that is not larger has a part that is too large."""

    @least.default
    def _least(self) -> int:
        return min(self.max_head, self.max_target)


DEFAULT_LIMITS = WireLimits()
