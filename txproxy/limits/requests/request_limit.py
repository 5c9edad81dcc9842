"""A limit of requests, as it is configured."""

from __future__ import annotations

import re
from typing import Final

import attrs

from txproxy.errors import ConfigError
from txproxy.limits.requests.rates import Rate
from txproxy.plain_values import PlainValue

# By what requests are told apart, beside the values of fields and cookies.
BY: Final = ("client", "user", "route", "rule", "pool", "listener", "host")
BY_ACCEPTED: Final = f"accepted: {', '.join(BY)}, header:NAME, cookie:NAME"
# What only raw streams have.
OF_STREAMS: Final = ("client", "pool", "listener", "host")
# What is known only when it is decided who it is, and which way a request takes.
_KNOWN_LATE: Final = frozenset({"user", "route", "rule", "pool"})
# RFC 9110 5.6.2: names of fields are tokens, and so are those of cookies (RFC 6265 4.1.1).
_NAMED: Final = re.compile(r"(?:header|cookie):[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_STATUSES: Final = range(400, 600)
_MOST_WAITING: Final = 100000


def by_word(text: str) -> str:
    """``text`` if requests can be told apart by it; else ``ConfigError``."""
    if text not in BY and not _NAMED.fullmatch(text):
        raise ConfigError(f"{text!r} tells no requests apart", BY_ACCEPTED)
    return text


@attrs.frozen(kw_only=True)
class RequestLimit(PlainValue):
    """How many requests, or raw streams, may come of what is the same in all that ``by`` names; without any, of all.

    ``rate`` are so many a second, minute, hour or day. ``delay`` of those that come too soon wait for their turn, each
    as long as it has to; the others are answered with ``status``, and ``Retry-After``. Without ``enforce`` nobody waits
    or is refused: it is counted and logged alone. ``ratelimit_fields`` tells clients what is left to them (the fields
    ``RateLimit`` and ``RateLimit-Policy`` of draft-ietf-httpapi-ratelimit-headers). ``name`` is for logs, counts and
    clients; limits that are equal in all are one.
    """

    name: str
    rate: Rate
    by: tuple[str, ...] = attrs.field(default=("client",), converter=tuple)
    delay: int = 0
    status: int = 429
    enforce: bool = True
    ratelimit_fields: bool = False

    def __attrs_post_init__(self) -> None:
        for number, word in enumerate(self.by):
            try:
                by_word(word)
            except ConfigError as fault:
                raise fault.at("by", number) from None
            if word in self.by[:number]:
                raise ConfigError(f"{word!r} is there twice", "accepted is it once", ("by", number))
        if self.status not in _STATUSES:
            raise ConfigError(f"{self.status!r} is no refusal", "accepted is 400 to 599", ("status",))
        if not 0 <= self.delay <= _MOST_WAITING:
            raise ConfigError(
                f"{self.delay!r} cannot wait", f"accepted is a whole number from 0 to {_MOST_WAITING}", ("delay",)
            )

    @property
    def known_late(self) -> bool:
        """Whether a request is known by it only after it is known who it is, and which way it takes."""
        return not _KNOWN_LATE.isdisjoint(self.by)

    @property
    def for_streams(self) -> bool:
        """Whether raw streams have all that it tells apart."""
        return all(word in OF_STREAMS for word in self.by)

    def meaning(self) -> str:
        """It in a few words: ``10/s by client and user``."""
        by = f"by {' and '.join(self.by)}" if self.by else "of all together"
        return f"{self.rate} {by}"
