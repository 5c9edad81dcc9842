"""What a client gets that no upstream has said."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from txproxy.errors import ExchangeError


@attrs.frozen
class Answer:
    """A whole response of a mode's own making: ``status``, field lines (``b"Location: /new"``) and ``body``.

    Date and Content-Length are added.
    """

    status: int
    lines: tuple[bytes, ...] = ()
    body: bytes = b""


@attrs.frozen
class Refusal:
    """An answer of the proxy's own: ``status``, the RFC 9209 ``error`` type (empty for none), a ``detail`` for the log,
    and further field lines (``b"Allow: GET"``). ``sentence`` tells the client why, where status and error do not say
    it. ``page(html)`` gives content type and body in place of the proxy's own; it may show what it likes of the detail.
    """

    status: int
    error: str = ""
    detail: str = ""
    lines: tuple[bytes, ...] = ()
    page: Callable[[bool], tuple[bytes, bytes]] | None = attrs.field(default=None, eq=False, repr=False)
    sentence: str = attrs.field(default="", eq=False, repr=False)

    @classmethod
    def of(cls, error: ExchangeError) -> Refusal:
        """The refusal that tells a client of ``error``."""
        return cls(error.status, error.error, error.detail, page=error.page, sentence=error.sentence)
