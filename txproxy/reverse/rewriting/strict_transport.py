"""``Strict-Transport-Security`` (RFC 6797): what browsers are told of a site that is reached over TLS alone."""

from __future__ import annotations

from typing import Final

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.reverse.rewriting.header_fields import without_fields
from txproxy.wire.message import ResponseHead

HSTS_ALONE: Final = frozenset({b"strict-transport-security"})
_YEAR: Final = 31536000


@frozen
class Hsts:
    """``Strict-Transport-Security`` (RFC 6797): ``max_age`` in seconds. ``preload`` is only accepted with a ``max_age``
    of a year or more and ``include_subdomains``, as by those who keep the lists.
    """

    max_age: int
    include_subdomains: bool = False
    preload: bool = False

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.max_age, int) or isinstance(self.max_age, bool) or not 0 <= self.max_age < 10**10:
            raise ConfigError(
                f"{self.max_age!r} is no number of seconds", "accepted is 31536000, for a year", ("max_age",)
            )
        if self.preload and (self.max_age < _YEAR or not self.include_subdomains):
            raise ConfigError(
                f"it takes include_subdomains, and a max_age of {_YEAR} at least",
                "accepted is both of them",
                ("preload",),
            )

    @property
    def line(self) -> bytes:
        """The field line."""
        more = (b"; includeSubDomains" if self.include_subdomains else b"") + (b"; preload" if self.preload else b"")
        return b"Strict-Transport-Security: max-age=%d" % self.max_age + more


class StrictTransport(ResponseFilter):
    """Replaces an upstream's ``Strict-Transport-Security``."""

    # RFC 6797 section 7.1 makes no difference between responses.
    refusals = True

    def __init__(self, line: bytes) -> None:
        self._line = line

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        lines = without_fields(response.headers.lines, response.headers.index, HSTS_ALONE)
        if context.scheme == "https":
            return response.with_lines([*lines, self._line])
        return response if lines is response.headers.lines else response.with_lines(lines)
