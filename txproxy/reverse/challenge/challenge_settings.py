"""What a challenge asks for, and where and when requests have to have passed it."""

from __future__ import annotations

from typing import Final

import attrs

from txproxy.components.rates import Rate
from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.matching.clients import IPV6_PREFIX, prefix_length
from txproxy.plain_values import PlainValue
from txproxy.reverse.routing.matches import Match

# Bits of zeros: a phone makes some 100,000 digests a second, a computer ten times as many.
LEAST_DIFFICULTY: Final = 8
MOST_DIFFICULTY: Final = 24
# An address of IPv4 that a client has today may be a neighbour's tomorrow.
IPV4_PREFIX: Final = 24
_MOST_LIFETIME: Final = 30 * 86400.0
_MOST_WAIT: Final = 300.0


@frozen(kw_only=True)
class ChallengeSettings(PlainValue):
    """What is asked of a browser: a digest that begins with ``difficulty`` bits of zeros, or, without JavaScript, to
    wait ``wait`` seconds (0: there is no way without). That is good for ``lifetime`` seconds and for a network of
    clients, as long as the prefixes say. ``secret`` signs it; None for one of the process's own.
    """

    difficulty: int = 16
    wait: float = 10.0
    lifetime: float = 12 * 3600.0
    ipv4_prefix: int = IPV4_PREFIX
    ipv6_prefix: int = attrs.field(default=IPV6_PREFIX, converter=prefix_length)
    secret: bytes | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        for key, least, most in (
            ("difficulty", LEAST_DIFFICULTY, MOST_DIFFICULTY),
            ("wait", 0.0, _MOST_WAIT),
            ("lifetime", 60.0, _MOST_LIFETIME),
            ("ipv4_prefix", 8, 32),
        ):
            value = getattr(self, key)
            if not least <= value <= most:
                raise ConfigError(f"{value:g} cannot be", f"accepted is {least:g} to {most:g}", (key,))


@frozen(kw_only=True)
class ChallengePlace(PlainValue):
    """Requests of a listener or a route have to have passed it, but for those that are ``excepted``: always, or while
    more come than ``above`` says, or more than ``active`` are at work.
    """

    above: Rate | None = None
    active: int | None = None
    excepted: tuple[Match, ...] = ()

    @property
    def always(self) -> bool:
        """Whether it asks at all times."""
        return self.above is None and self.active is None

    def meaning(self) -> str:
        """It in a few words."""
        loads = [f"above {self.above}"] if self.above is not None else []
        loads += [f"with more than {self.active} at work"] if self.active is not None else []
        return " or ".join(loads) or "always"
