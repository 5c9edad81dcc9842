"""The limits of requests of a configuration, alive: what was counted stays where a reload changes nothing of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from txproxy.components.outside_text import identity
from txproxy.config.model import AnyListener, Config, ForwardListener, ReverseListener, RouteConfig, TcpListener
from txproxy.interfaces.context import NORMAL, PRIORITIES
from txproxy.interfaces.processes.shared_levels import SharedLevels
from txproxy.limits.requests.adaptive_concurrency import AdaptiveConcurrency, AdaptiveLimiter, Prioritized
from txproxy.limits.requests.adaptive_limit import AdaptiveBounds
from txproxy.limits.requests.concurrency import ConcurrencyLimiter
from txproxy.limits.requests.gcra import Gcra
from txproxy.limits.requests.lent_slots import LentSlots
from txproxy.limits.requests.limit_keys import LimitPlace
from txproxy.limits.requests.limiter import LimitCounts, Limiter
from txproxy.limits.requests.limits_middleware import AnyLimiter, InnerLimits, LimitsMiddleware
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.limits.requests.shared_adaptive import SharedAdaptiveLimiter
from txproxy.limits.requests.shared_gcra import SharedGcra
from txproxy.reverse.actions.treatments import Action
from txproxy.reverse.actions.wrapped_action import WrappedAction
from txproxy.reverse.challenge.challenge_settings import ChallengePlace
from txproxy.reverse.challenge.challenger import Challenger
from txproxy.reverse.challenge.challenges import Challenges
from txproxy.reverse.client_identity import Trust

# Sites that are for all do without.
if TYPE_CHECKING:
    from txproxy.reverse.site_login import LoginRequired


class LiveLimits:
    """Those of a ``config``; what is in it as it was ``before`` is what was there. ``clock`` is the reactor. They are
    those of several processes together where they are ``shared``.
    """

    def __init__(self, config: Config, clock: Any, before: LiveLimits | None = None, shared: bool = False) -> None:
        self._clock = clock
        known: Mapping[RequestLimit, AnyLimiter] = before._limiters if before is not None else {}
        self._limiters: dict[RequestLimit, AnyLimiter] = {
            limit: known[limit] if limit in known else _made(limit, clock if shared else None)
            for limit in _of_config(config)
        }
        self.challenges: Challenges = Challenges(
            config.challenge, clock, before.challenges if before is not None else None
        )
        # where there is one at any, by the names of listeners
        self._challenged = {one.name for one in config.listeners if _asks(one, config)}
        self._loads: dict[str, Gcra] = {}
        # how many requests are at work where a challenge goes by that
        self._work: dict[str, SharedLevels] = {}
        for listener, route, place in _places(config):
            self._load(listener, route, place, before, SharedGcra if shared else Gcra)
        pools = before._pools if before is not None else {}
        self._pools: dict[str, AdaptiveLimiter] = {}
        for pool in config.pools:
            if pool.adaptive is not None:
                old = pools.get(pool.name)
                same = old is not None and old.bounds == pool.adaptive
                self._pools[pool.name] = old if same and old else _adaptive(pool.name, pool.adaptive, clock, shared)

    @property
    def counts(self) -> tuple[LimitCounts, ...]:
        """What came of each of them until now."""
        return tuple(one.counts for one in (*self._limiters.values(), *self._pools.values()))

    @property
    def limiters(self) -> tuple[AnyLimiter, ...]:
        """All of them, but for those that find out what a pool is good for."""
        return tuple(self._limiters.values())

    @property
    def shared_rates(self) -> Mapping[str, SharedGcra]:
        """Rates that are those of several processes, each by a topic of its own, which is the same in all of them."""
        rates: dict[str, Any] = {
            f"rate {_digest(limit)}": limiter.rate
            for limit, limiter in self._limiters.items()
            if isinstance(limiter, Limiter)
        }
        return {topic: one for topic, one in (rates | self._loads).items() if isinstance(one, SharedGcra)}

    @property
    def shared_levels(self) -> Mapping[str, SharedLevels]:
        """How many are at work of several processes together, and are to be, in the same way."""
        found: dict[str, SharedLevels] = dict(self._work)
        for limit, limiter in self._limiters.items():
            if isinstance(limiter, ConcurrencyLimiter) and limiter.shared is not None:
                found[f"at work {_digest(limit)}"] = limiter.shared.levels
                found[f"unmet {_digest(limit)}"] = limiter.shared.unmet
        for name, adaptive in self.shared_adaptive.items():
            found[f"at work {name}"] = adaptive.slots.levels
            found[f"unmet {name}"] = adaptive.slots.unmet
        return found

    @property
    def lent_slots(self) -> Mapping[str, LentSlots[Any]]:
        """How many may be at work of several processes together, as their hub lends them, in the same way."""
        return {
            f"at work {_digest(limit)}": limiter.lent
            for limit, limiter in self._limiters.items()
            if isinstance(limiter, ConcurrencyLimiter) and limiter.lent is not None
        }

    @property
    def shared_adaptive(self) -> Mapping[str, SharedAdaptiveLimiter]:
        """Limits of pools that several processes find out together, each by its topic."""
        return {
            f"adaptive {name}": limiter
            for name, limiter in self._pools.items()
            if isinstance(limiter, SharedAdaptiveLimiter)
        }

    def basis(self, listener: AnyListener, routes: Iterable[RouteConfig] = ()) -> tuple[object, ...]:
        """All that a listener has, with its ``routes``."""
        pools = tuple(self._pools.values()) if isinstance(listener, ReverseListener) else ()
        challenges = (self.challenges.basis,) if listener.name in self._challenged else ()
        return (*self._of(_of_listener(listener, routes)), *pools, *challenges)

    def outermost(self, listener: AnyListener) -> tuple[Any, ...]:
        """What stands around all else at a listener: limits by what is known of a request as it comes, and the
        challenge.
        """
        streams = isinstance(listener, TcpListener)
        limits = [limit for limit in listener.request_limits if streams or not limit.known_late]
        client_of = None
        if isinstance(listener, ReverseListener) and listener.trusted_proxies:
            client_of = Trust(listener.trusted_proxies).client_of
        found: list[Any] = []
        if limits:
            found.append(LimitsMiddleware(self._of(limits), self._clock, _place(listener), client_of))
        if isinstance(listener, ReverseListener) and listener.name in self._challenged:
            found.append(self.challenges.answers(listener.name, client_of))
            if listener.challenge is not None:
                found.append(self._challenger(listener, None, listener.challenge))
        return tuple(found)

    def _challenger(self, listener: ReverseListener, route: RouteConfig | None, place: ChallengePlace) -> Challenger:
        rate = self._loads.get(_topic(listener, route, place))
        return self.challenges.at(listener.name, place, rate, self._work.get(_topic_of_work(listener, route)))

    def _load(
        self,
        listener: ReverseListener,
        route: RouteConfig | None,
        place: ChallengePlace,
        before: LiveLimits | None,
        made: type[Gcra],
    ) -> None:
        """What there is to do at a place, as it was counted ``before``."""
        if place.above is not None:
            topic = _topic(listener, route, place)
            rate = before._loads.get(topic) if before is not None else None
            self._loads[topic] = rate if rate is not None else made(place.above.interval, place.above.at_once)
        if place.active is not None:
            topic = _topic_of_work(listener, route)
            work = before._work.get(topic) if before is not None else None
            self._work[topic] = work if work is not None else SharedLevels()

    def within(self, listener: ForwardListener) -> tuple[InnerLimits, ...]:
        """What stands within the mode of a forward listener: limits by user, and those of its rules."""
        late = [limit for limit in listener.request_limits if limit.known_late]
        by_rule = {
            name: self._of(limit for limit in limits if limit not in listener.request_limits)
            for name, limits in listener.rule_limits
        }
        if not late and not any(by_rule.values()):
            return ()
        return (InnerLimits(self._of(late), by_rule, self._clock, _place(listener)),)

    @property
    def adaptive(self) -> tuple[AdaptiveConcurrency, ...]:
        """What stands before each pool that has an adaptive limit, within a cache."""
        return (AdaptiveConcurrency(self._pools.values(), self._clock),) if self._pools else ()

    def around_action(
        self, listener: ReverseListener, route: RouteConfig | None, action: Action, login: LoginRequired | None = None
    ) -> Action:
        """``action`` within the limits by user, route and pool of a listener, and those of its ``route``. Those by user
        are within the ``login`` that is asked for, if it is; who is over another one is not asked who he is.
        """
        limits = [limit for limit in listener.request_limits if limit.known_late]
        if route is not None:
            limits += [limit for limit in route.request_limits if limit not in listener.request_limits]
        if route is not None and PRIORITIES[route.priority] != NORMAL:
            action = WrappedAction(action, Prioritized(PRIORITIES[route.priority]))
        if login is not None:
            by_user = [limit for limit in limits if "user" in limit.by]
            limits = [limit for limit in limits if limit not in by_user]
            action = WrappedAction(self._limited(listener, by_user, action), login)
        if route is not None and route.challenge is not None:
            action = WrappedAction(action, self._challenger(listener, route, route.challenge))
        return self._limited(listener, limits, action)

    def _limited(self, listener: ReverseListener, limits: Sequence[RequestLimit], action: Action) -> Action:
        if not limits:
            return action
        return WrappedAction(action, LimitsMiddleware(self._of(limits), self._clock, _place(listener)))

    def _of(self, limits: Iterable[RequestLimit]) -> tuple[AnyLimiter, ...]:
        return tuple(self._limiters[limit] for limit in limits)


def _made(limit: RequestLimit, shared: Any) -> AnyLimiter:
    return Limiter(limit, shared=shared is not None) if limit.rate is not None else ConcurrencyLimiter(limit, shared)


def _adaptive(name: str, bounds: AdaptiveBounds, clock: Any, shared: bool) -> AdaptiveLimiter:
    return SharedAdaptiveLimiter(name, bounds, clock) if shared else AdaptiveLimiter(name, bounds)


def _digest(limit: RequestLimit) -> str:
    return blake2b(identity(limit).encode(), digest_size=16).hexdigest()


def _asks(listener: AnyListener, config: Config) -> bool:
    """Whether there is a challenge at a listener, or at one of its routes."""
    if not isinstance(listener, ReverseListener):
        return False
    return listener.challenge is not None or any(route.challenge is not None for route in config.routes_of(listener))


def _topic(listener: ReverseListener, route: RouteConfig | None, place: ChallengePlace) -> str:
    return f"challenge {_names(listener, route)} {place.above}"


def _topic_of_work(listener: ReverseListener, route: RouteConfig | None) -> str:
    return f"challenge at work {_names(listener, route)}"


def _names(listener: ReverseListener, route: RouteConfig | None) -> str:
    # As they are, where a file may call two by the same.
    return f"{str(listener.name)!r} {str(route.name if route is not None else '')!r}"


def _places(config: Config) -> Iterator[tuple[ReverseListener, RouteConfig | None, ChallengePlace]]:
    """Where there is a challenge: at which listeners, and which of their routes."""
    for listener in config.listeners:
        if isinstance(listener, ReverseListener):
            for route in (None, *config.routes_of(listener)):
                place = listener.challenge if route is None else route.challenge
                if place is not None:
                    yield listener, route, place


def _place(listener: AnyListener) -> LimitPlace:
    return LimitPlace(listener=listener.name, ipv6_prefix=listener.limits.ipv6_prefix)


def _of_listener(listener: AnyListener, routes: Iterable[RouteConfig]) -> tuple[RequestLimit, ...]:
    limits = [*listener.request_limits]
    for route in routes:
        limits += route.request_limits
    if isinstance(listener, ForwardListener):
        for _, own in listener.rule_limits:
            limits += own
    return tuple(dict.fromkeys(limits))


def _of_config(config: Config) -> tuple[RequestLimit, ...]:
    found = [limit for listener in config.listeners for limit in _of_listener(listener, config.routes)]
    return tuple(dict.fromkeys(found))
