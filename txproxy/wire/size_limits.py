"""Bounds on what a peer may send."""

from __future__ import annotations

import attrs


@attrs.frozen
class WireLimits:
    """Sizes in bytes. ``max_head`` bounds a head (and a trailer section), ``max_target`` the request target (RFC 9112
    section 3 asks for at least 8000), ``max_fields`` the number of field lines of a request, ``max_body`` its body.
    """

    max_head: int = 65536
    max_target: int = 8192
    max_fields: int = 100
    max_body: int | None = None


DEFAULT_LIMITS = WireLimits()
