"""A limit of requests, as it is configured."""

from __future__ import annotations

import re
from typing import Final

import attrs

from txproxy.components.rates import Rate
from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
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
_MOST: Final = 10**6


def by_word(text: str) -> str:
    """``text`` if requests can be told apart by it; else ``ConfigError``."""
    if text not in BY and not _NAMED.fullmatch(text):
        raise ConfigError(f"{text!r} tells no requests apart", BY_ACCEPTED)
    return text


@frozen(kw_only=True)
class RequestLimit(PlainValue):
    """How many requests, or raw streams, may come of what is the same in all that ``by`` names; without any, of all.

    With a ``rate``, so many may come a second, minute, hour or day: ``delay`` of those that come too soon wait for
    their turn, each as long as it has to. With ``concurrent``, so many may be at work at once, tunnels included:
    ``queue`` more wait for the end of one, ``queue_timeout`` seconds at most. A limit has one of the two. The others
    are answered with ``status`` (None: 429 for a rate, else 503), and ``Retry-After``. Without ``enforce`` nobody waits
    or is refused: it is counted and logged alone. ``ratelimit_fields`` tells clients what is left to them of a rate
    (the fields ``RateLimit`` and ``RateLimit-Policy`` of draft-ietf-httpapi-ratelimit-headers). ``name`` is for logs,
    counts and clients; limits that are equal in all are one.
    """

    name: str
    rate: Rate | None = None
    concurrent: int | None = None
    by: tuple[str, ...] = attrs.field(default=("client",), converter=tuple)
    delay: int = 0
    queue: int = 0
    queue_timeout: float = 1.0
    status: int | None = None
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
        if (self.rate is None) == (self.concurrent is None):
            what = "it bounds nothing" if self.rate is None else "it has a rate, and bounds how many there are at once"
            raise ConfigError(what, "accepted is one of rate and concurrent")
        if self.status is not None and self.status not in _STATUSES:
            raise ConfigError(f"{self.status!r} is no refusal", "accepted is 400 to 599", ("status",))
        for key, least in (("delay", 0), ("queue", 0), ("concurrent", 1)):
            value = getattr(self, key)
            if value is not None and not least <= value <= _MOST:
                raise ConfigError(f"{value!r} cannot be", f"accepted is a whole number from {least} to {_MOST}", (key,))
        if not self.queue_timeout > 0:
            raise ConfigError(f"{self.queue_timeout!r} is no time", "accepted is one above 0", ("queue_timeout",))

    @property
    def refuses_with(self) -> int:
        """The status for those that do not pass."""
        return self.status or (429 if self.rate is not None else 503)

    @property
    def known_late(self) -> bool:
        """Whether a request is known by it only after it is known who it is, and which way it takes."""
        return not _KNOWN_LATE.isdisjoint(self.by)

    @property
    def for_streams(self) -> bool:
        """Whether raw streams have all that it tells apart."""
        return all(word in OF_STREAMS for word in self.by)

    def meaning(self) -> str:
        """It in a few words: ``10/s by client and user``, ``5 at once by client``."""
        by = f"by {' and '.join(self.by)}" if self.by else "of all together"
        return f"{self.rate if self.rate is not None else f'{self.concurrent} at once'} {by}"
