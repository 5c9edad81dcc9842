"""What the name of a method means in a list of them, in all modes."""

from __future__ import annotations

from collections.abc import Iterable


def with_head(methods: Iterable[bytes]) -> frozenset[bytes]:
    """The ``methods``, and HEAD where GET is among them: what holds for a page holds for what is said of it (RFC 9110
    section 9.3.2).
    """
    known = frozenset(methods)
    return known | {b"HEAD"} if b"GET" in known else known
