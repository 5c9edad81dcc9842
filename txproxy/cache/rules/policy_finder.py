"""Which policy is for which request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from txproxy.cache.policy import CachePolicy
from txproxy.cache.rules.asked_urls import asked_urls
from txproxy.cache.rules.cache_choice import CacheChoice
from txproxy.cache.rules.cache_rule import CacheRule
from txproxy.errors import AmbiguousPath
from txproxy.interfaces.context import RequestContext
from txproxy.matching.urls import Url
from txproxy.wire.message import RequestHead


class PolicyFinder:
    """Finds the policy of a request, or None for what is not to be cached: what the route or the access rule that it is
    on has said (``named``, by its name), else the first of the ``rules`` that is for it, else ``usual``.

    Servers may read a path in several ways. Where these lead to different rules, a request is not cached: else who asks
    for ``/account/..%2fimages`` might have the one kept by the rule of the other.

    It looks at path, authority, schemes and that name alone, which is what short cuts tell requests apart by.
    """

    __slots__ = ("_usual", "_rules", "_named")

    def __init__(
        self, usual: CachePolicy, rules: Sequence[CacheRule] = (), named: Mapping[str, CacheChoice] | None = None
    ) -> None:
        self._usual = usual
        self._rules = tuple((rule, rule.cache.policy(usual)) for rule in rules)
        self._named = {name: choice.policy(usual) for name, choice in (named or {}).items()}

    def __call__(self, request: RequestHead, context: RequestContext) -> CachePolicy | None:
        name, trace = context.rule, context.trace
        if name in self._named:
            policy = self._named[name]
            if trace is not None:
                trace.say("caching", _what(policy), f"as {name} says")
            return policy
        if not self._rules:
            return self._usual
        try:
            urls = asked_urls(request, context)
        except AmbiguousPath as fault:
            if trace is not None:
                trace.say("caching", _what(None), fault.detail)
            return None
        found = self._first(urls[0])
        if any(self._first(url) is not found for url in urls[1:]):
            if trace is not None:
                trace.say("caching", _what(None), "the path leads to different cache rules by different readings")
            return None
        if trace is not None:
            self._tell(found, urls[0], context)
        return self._usual if found is None else found[1]

    def _first(self, url: Url) -> tuple[CacheRule, CachePolicy | None] | None:
        return next((one for one in self._rules if not one[0].why_not(url)), None)

    def _tell(self, found: tuple[CacheRule, CachePolicy | None] | None, url: Url, context: RequestContext) -> None:
        trace = context.trace
        assert trace is not None
        for one in self._rules:
            rule = one[0]
            if one is found:
                trace.say(f"cache rule {rule.name}", "taken", _what(one[1]))
                return
            trace.say(f"cache rule {rule.name}", rule.why_not(url))


def _what(policy: CachePolicy | None) -> str:
    return "not cached" if policy is None else "cached"
