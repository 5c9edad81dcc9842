"""What a strategy is: the one who says which upstream of a pool is next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final, Protocol, TypeAlias

from zope.interface import Attribute, Interface

from txproxy.components.registry import unknown
from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.interfaces.context import RequestContext
from txproxy.wire.message import RequestHead


class Weighted(Protocol):
    """What strategies see of an upstream: one server, compared and hashed by identity."""

    @property
    def name(self) -> str:
        """Unique in its pool. Hashes hang on it, so that they survive a restart."""

    @property
    def weight(self) -> int:
        """Its share as configured, from 1 to ``MOST_WEIGHT``."""

    @property
    def effective(self) -> float:
        """Its share now, above 0 and up to ``weight``: less during a slow start."""

    @property
    def active(self) -> int:
        """Requests and tunnels that it serves now."""


# The kind of component that a strategy is, which is this folder.
BALANCING: Final = "upstreams/balancing"
Skip: TypeAlias = Callable[[Weighted], bool]


class BalancingStrategy(Protocol):
    """What :class:`IStrategy` asks for, for type checkers: any object with this may be the strategy of a pool."""

    counts: bool
    times: bool

    def update(self, upstreams: Sequence[Weighted]) -> None:
        """Choose from these from now on."""

    def choose(self, head: RequestHead | None, context: RequestContext, skip: Skip | None = None) -> Weighted | None:
        """Whose turn it is, or None if nobody is left."""

    def changed(self, upstream: Weighted) -> None:
        """The count of what an upstream has to do has changed."""

    def measured(self, upstream: Weighted, seconds: float) -> None:
        """An upstream took so long."""


class IStrategy(Interface):
    """Says which upstream of a pool is next. An object serves one pool; nothing of it may block or take long.

    :class:`Strategy` has those parts that many do not need. ``counts`` and ``times`` are read once, by the pool.
    """

    counts: bool = Attribute("Whether `changed` is to be called.")
    times: bool = Attribute("Whether `measured` is to be called.")

    def update(upstreams: Sequence[Weighted]) -> None:
        """Choose from these from now on, in the order of the configuration; there may be none.

        Called before the first choice, and whenever the available ones or an ``effective`` weight have changed. What
        ``active`` says at this time counts; of those that have left, ``changed`` and ``measured`` may still tell.
        """

    def choose(head: RequestHead | None, context: RequestContext, skip: Skip | None = None) -> Weighted | None:
        """Whose turn it is, or None if nobody is left.

        ``head`` is None for raw TCP. ``skip`` is true of those that cannot take this request: they are full, or were
        tried before. Mostly it is None, so that is the case to be fast in. The request may not come about, so that a
        choice is no promise: ``changed`` tells.
        """

    def changed(upstream: Weighted) -> None:
        """The ``active`` count of an upstream has changed. Only called where ``counts`` is true."""

    def measured(upstream: Weighted, seconds: float) -> None:
        """An upstream took ``seconds`` from the request to the first byte of its response. Only called where ``times``
        is true.
        """


@frozen
class StrategyText:
    """A strategy as it is written, ``NAME:ARGUMENT;PARAMETER``, of which the last two are None where they are not, and
    what it may be made with: ``seconds`` is a clock, and ``random`` draws lots.
    """

    text: str
    name: str
    argument: str | None
    parameter: str | None
    seconds: Callable[[], float]
    random: Random

    @classmethod
    def of(cls, text: str, seconds: Callable[[], float], random: Random) -> StrategyText:
        """From what is written."""
        words, mark, parameter = text.partition(";")
        name, colon, argument = words.partition(":")
        return cls(text, name, argument if colon else None, parameter if mark else None, seconds, random)

    def check_no_argument(self) -> None:
        """``ConfigError`` if there is one."""
        if self.argument is not None:
            raise unknown(BALANCING, self.text, "strategy")

    def check_alone(self) -> None:
        """``ConfigError`` if there is more than the name."""
        self.check_no_argument()
        if self.parameter is not None:
            raise ConfigError(f"{self.text!r}: {self.name} takes no parameter", "accepted is ;bound=1.25 after a hash")


class Strategy:
    """A strategy that needs to know neither of counts nor of times. Others set ``counts`` or ``times``, and have
    ``update`` and ``choose``.

    ``reads_requests`` says that it goes by what raw streams do not have, ``alike`` of a class itself, and not of those
    who inherit, that it never looks at who asks, nor for what, so that ``choose`` need not be told; and
    ``passed_over`` why an upstream that could be taken is not: for people.
    """

    counts = False
    times = False
    reads_requests = False
    alike = False
    passed_over = "another was chosen"

    @classmethod
    def read(cls, text: StrategyText) -> Any:
        """The strategy that is written; ``ConfigError`` if it cannot be."""
        text.check_alone()
        return cls()

    def changed(self, upstream: Weighted) -> None:
        """See :class:`IStrategy`."""

    def measured(self, upstream: Weighted, seconds: float) -> None:
        """See :class:`IStrategy`."""
