"""The cache's place in the way of requests: after all that decides whether a client may, and before any upstream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from zope.interface import implementer

from txproxy.cache.answering.cache_status import CacheVerdict, ForwardedFor, Served
from txproxy.cache.answering.conditional import for_the_origin
from txproxy.cache.changes.invalidation import SAFE_METHODS
from txproxy.cache.keys import sent_path
from txproxy.cache.parts.partial_content import asked_range, has_wanted, to_complete
from txproxy.cache.parts.parts_body import is_checked_late, is_incomplete
from txproxy.cache.policy import CachePolicy
from txproxy.cache.reuse import Use, may_stand_in, use_of, wants_stored_alone
from txproxy.cache.stored import Entry
from txproxy.interfaces.answers import Answer, Refusal, RelayedAnswer
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import Handler, IComposedMiddleware
from txproxy.interfaces.plan import Decision
from txproxy.proxy.caching.asking import Asking
from txproxy.proxy.caching.delivery import is_in_memory, stored_answer
from txproxy.proxy.caching.filling.fill_keeping import part_key
from txproxy.proxy.caching.filling.fill_sharing import PART_NOT_SHARED, FillSharing
from txproxy.proxy.caching.filling.sought import Sought
from txproxy.proxy.caching.hot_answers import HotAnswer, Scope, is_plain, later_body
from txproxy.proxy.caching.passing import (
    HeadFilter,
    LearnedFilter,
    PassedFilter,
    PostFilter,
    SilentFilter,
    UnsafeFilter,
)
from txproxy.proxy.caching.purge_requests import purged
from txproxy.proxy.caching.request_keys import keyed_request, may_fill, told_device
from txproxy.proxy.caching.shared_cache import Learned, PolicyOf, SharedCache
from txproxy.proxy.caching.slice_checks import unchecked_parts
from txproxy.proxy.caching.stored_reader import Reader
from txproxy.proxy.services import Services
from txproxy.proxy.upstream.connection_binding import authenticates_connection
from txproxy.wire.message import RequestHead

_NO_POLICY: Final = CachePolicy()
_SENTENCE: Final = "The request wants what is stored alone, and nothing is that could be used."


@implementer(IComposedMiddleware)
class CacheMiddleware:
    """Answers from ``cache`` what it may, and keeps there what comes. ``policy_of`` is in place of the cache's own.
    It finds a policy by method, target, and the name of the route or rule: what it has said of these holds for the next
    request for the same. ``rules`` are names of routes or rules by which anything may be stored already: what a request
    changes is gone for all of them.
    """

    repeats = True

    def __init__(self, cache: SharedCache, policy_of: PolicyOf | None = None, rules: Iterable[str] = ()) -> None:
        self.cache = cache
        self._known = frozenset(rules)
        self.policy_of = policy_of or cache.policy_of
        self._scopes: dict[str, Scope] = {}

    def within(self, handler: Handler, scope: str, services: Any) -> Handler:
        """See :class:`txproxy.interfaces.IComposedMiddleware`."""
        known = self._scopes.get(scope)
        if known is None:
            known = self._scopes[scope] = Scope(scope, {*self._known})
        return _Caching(self.cache, self.policy_of or known.usual, known, handler, services).handle


def _is_of_connection(request: RequestHead, context: RequestContext) -> bool:
    """Whether a request is tied to its connection, or is to tie it: what answers it is nobody else's, and comes by the
    upstream connection that is logged in (RFC 4559 section 6).
    """
    if context.connection.connections is not None:
        return True
    credentials = request.headers.index.get(b"authorization")
    return credentials is not None and authenticates_connection(credentials)


class _Caching:
    """The cache around one ``handler``."""

    __slots__ = ("_cache", "_policy_of", "_handle", "_services", "_reverse", "_hot", "_keys", "_sharing")

    # In forward mode there is one for each request.
    def __init__(
        self, cache: SharedCache, policy_of: PolicyOf, scope: Scope, handle: Handler, services: Services
    ) -> None:
        self._cache = cache
        self._policy_of = policy_of
        self._handle = handle
        self._services = services
        self._reverse = scope.reverse
        self._hot = scope.hot
        self._keys = scope.keys
        self._sharing = FillSharing(cache, services, handle)

    # A method by its name is called for less than an object.
    def handle(self, request: RequestHead, context: RequestContext) -> Decision:
        """What becomes of a request."""
        # Upstreams of a reverse proxy are not told of the scheme that a target names.
        scheme = None if self._reverse else request.scheme
        hot = self._hot.get((request.path, request.authority, scheme, context.scheme, context.rule))
        if hot is not None:
            if type(hot) is LearnedFilter:
                # It gets what the origin says, where nothing can be stored.
                if (
                    hot.learned.until
                    and request.method == b"GET"
                    and not request.body
                    and context.lines is None
                    and context.trace is None
                    and b"cache-control" not in request.headers.index
                    and not context.errand
                ):
                    context.cache = hot.verdict
                    filters = context.response_filters
                    context.response_filters = (hot, *filters) if filters else hot.alone
                    return self._handle(request, context)
            elif is_plain(request, context):
                answer = self._again(hot, context)
                if answer is not None:
                    return answer
        return self._asked(request, context)

    def _asked(self, request: RequestHead, context: RequestContext) -> Decision:
        """The same the plain way."""
        policy = self._policy_of(request, context)
        if policy is None or request.method == b"CONNECT":
            return self._uncached(request, context)
        if context.errand:
            # What is asked on the way is not for clients.
            return self._handle(request, context)
        if _is_of_connection(request, context):
            return self._uncached(request, context, policy)
        if policy.key_device:
            request = told_device(request, context, policy)
        path = sent_path(policy, request.path)
        if policy.purge and request.method == b"PURGE":
            return purged(self._cache, request, context, path, self._services.reactor)
        if self._reverse and request.scheme is not None:
            # Upstreams are told how the client speaks, whatever it says in a target in absolute form.
            request = request.with_fields(request.headers, request.path)
            request.scheme = None
        is_read = request.method in (b"GET", b"HEAD") and not request.body and request.upgrade is None
        if path is not request.path and is_read:
            # What changes something is to know all that the client has said.
            request = request.with_fields(request.headers, path)
        asking = Asking(
            request,
            context,
            self._keys.key(request, context, policy, path),
            policy,
            context.personal or (self._reverse and context.connection.certificate is not None),
            self._services,
            self._decide,
            self._pass_by,
        )
        if is_read:
            self._keys.rules.add(context.rule)
            return self._decide(asking)
        if request.method not in (b"GET", b"HEAD"):
            return self._other(asking)
        return self._bypass(asking, "body" if request.body else "upgrade")

    def _again(self, hot: HotAnswer, context: RequestContext) -> Answer | None:
        """What was given a moment ago, if it is still that."""
        answer = hot.by_now()
        if answer is None:
            return None
        context.cache = hot.verdict
        if type(answer.body) is bytes:
            if context.repeats:
                context.again = hot
            return answer
        # Each client reads of it at its own pace.
        body = hot.entry.body
        length = body.length
        return answer.with_body(Reader(body, ((0, length),), length, self._later))

    # -- a GET or HEAD

    def _decide(self, asking: Asking) -> Decision:
        cache, tiers = self._cache, self._cache.tiers
        if tiers is None:
            return self._found(asking)
        reads = tiers.reads
        read = cache.look(asking.key, asking.request.headers)
        if read is None:
            return self._found(asking, tiers.reads != reads)
        reading: Any = cache.in_thread(self._services.reactor, read)
        reading.addCallback(tiers.take)
        decision: Decision = reading.addCallback(lambda _: self._found(asking, True))
        return decision

    def _found(self, asking: Asking, read: bool = False) -> Decision:
        """What is at hand decides, and was ``read`` from a disk for that or not."""
        cache, request = self._cache, asking.request
        variants, entry = cache.find(asking)
        trace = asking.context.trace
        if entry is None:
            if trace is not None:
                trace.say("cache", "nothing is stored" + (" for such a request" if variants else ""), asking.condition)
            return self._miss(asking, ForwardedFor.VARY_MISS if variants else ForwardedFor.URI_MISS)
        now = cache.now()
        use = use_of(entry.head, request.headers, now, asking.policy)
        if trace is not None:
            trace.say("cache", f"what is stored is {use.value}, {entry.head.age(now):.0f} s old")
        if for_the_origin(request.headers):
            return self._bypass(asking, "a condition for the origin")
        if is_incomplete(entry.body) and not has_wanted(entry, request.method, request.headers, now):
            return self._incomplete(asking, entry, now)
        if use is Use.FRESH or use is Use.STALE or use is Use.STALE_WHILE_REVALIDATE:
            return self._hit(asking, entry, use, now, read)
        if use is Use.UNAVAILABLE:
            return self._unavailable(asking)
        why = ForwardedFor.REQUEST if use is Use.VALIDATE_FOR_REQUEST else ForwardedFor.STALE
        return self._ask(asking, why, entry)

    def _hit(self, asking: Asking, entry: Entry, use: Use, now: float, read: bool) -> RelayedAnswer:
        cache = self._cache
        cache.store.used(entry)
        served = Served.HIT
        if use is Use.STALE_WHILE_REVALIDATE:
            served = Served.UPDATING
            self._sharing.revalidate(asking, entry)
        elif use is Use.STALE:
            served = Served.STALE
        verdict = CacheVerdict(served=served, expiry=entry.head.expiry(), memory=not read and is_in_memory(entry))
        answer = stored_answer(asking, entry, verdict, cache, now, self._later)
        request, context, policy = asking.request, asking.context, asking.policy
        one_for_all = (
            not policy.has_parts and not is_checked_late(entry.body) and len(cache.store.variants(asking.key)) == 1
        )
        if use is Use.FRESH and one_for_all and not read and is_plain(request, context):
            asked = (request.path, request.authority, request.scheme, context.scheme, context.rule)
            # The body of the one that is given now is not for others to start.
            again = answer if isinstance(answer.body, bytes) else answer.with_body(later_body(entry))
            self._hot.remember(asked, HotAnswer(cache, entry, again, verdict))
        return answer

    def _miss(self, asking: Asking, why: ForwardedFor) -> Decision:
        request, cache = asking.request, self._cache
        if wants_stored_alone(request.headers, asking.policy):
            return self._unavailable(asking)
        if for_the_origin(request.headers):
            # RFC 9110 13.1.1: what comes without the condition may be what the client does not want.
            return self._bypass(asking, "a condition for the origin")
        if request.method == b"HEAD":
            return self._head(asking, why)
        if b"range" in request.headers.index:
            return self._part(asking, why)
        if asking.policy.min_uses > 1 and cache.count_use(asking.key) < asking.policy.min_uses:
            return self._passed(asking, PassedFilter(asking, cache, why, "not asked for often enough"))
        learned = cache.learned(asking.key, cache.now())
        if learned is not None:
            return self._learned(asking, learned)
        return self._ask(asking, why, None)

    def _part(self, asking: Asking, why: ForwardedFor) -> Decision:
        """A part of what is not there: what a client asks for is what the origin is asked for, and kept as part."""
        cache, request, sharing = self._cache, asking.request, self._sharing
        shared = not asking.alone and sharing.may_share(asking, None, PART_NOT_SHARED)
        joined = sharing.join(asking) if shared else None
        if joined is not None:
            return joined
        part = asked_range(request.headers)
        trace = asking.context.trace
        if (
            part is None
            or cache.learned(part_key(asking.key), cache.now()) is not None
            # The whole comes, and takes the place of parts.
            or any(fill.sought is None or fill.sought.is_whole for fill in cache.fills.get(asking.key, ()))
            or (asking.policy.min_uses > 1 and cache.count_use(asking.key) < asking.policy.min_uses)
        ):
            return self._bypass(asking, "range")
        if trace is not None and trace.dry_run:
            trace.say("cache", "a part is kept if it has a strong ETag, and says how long the whole is")
            return self._handle(asking.request, asking.context)
        return sharing.ask(asking, Sought(why, part=part), shared)

    def _incomplete(self, asking: Asking, entry: Entry, now: float) -> Decision:
        """What is stored is part of what is asked for, and does not do."""
        request, sharing, why = asking.request, self._sharing, ForwardedFor.PARTIAL
        if wants_stored_alone(request.headers, asking.policy):
            return self._unavailable(asking)
        if request.method == b"HEAD":
            return self._head(asking, why)
        if has_wanted(entry, b"GET", request.headers, now, validated=True):
            # It has what the client has already, which the origin alone can say of what is not all there.
            return self._ask(asking, why, entry)
        missing = None if asking.alone else to_complete(entry, request.headers, now)
        unchecked = unchecked_parts(entry, request.headers, now) if missing is not None else []
        if unchecked and not asking.checked:
            asking.checked = True
            # What comes is put between them, and nobody looks at them again.
            checking: Any = self._cache.check_parts(self._services.reactor, entry, unchecked)
            decision: Decision = checking.addCallback(lambda _: self._found(asking))
            return decision
        trace = asking.context.trace
        if missing is not None and not unchecked and not (trace is not None and trace.dry_run):
            shared = sharing.may_share(asking, entry)
            return sharing.ask(asking, Sought(why, incomplete=entry, missing=missing), shared)
        if b"range" in request.headers.index:
            return self._passed(asking, PassedFilter(asking, self._cache, why, "range"))
        return self._ask(asking, why, None)

    def _ask(self, asking: Asking, why: ForwardedFor, stale: Entry | None) -> Decision:
        """Have it fetched, or wait for what is being fetched."""
        request = asking.request
        trace = asking.context.trace
        if trace is not None and trace.dry_run:
            return self._handle(request, asking.context)
        if request.method == b"HEAD":
            return self._head(asking, why)
        shared = not asking.alone and why is not ForwardedFor.REQUEST and self._sharing.may_share(asking, stale)
        return self._sharing.ask(asking, Sought(why, stale), shared)

    def _head(self, asking: Asking, why: ForwardedFor) -> Decision:
        """A HEAD that is not answered here. What comes may change what is stored, and is asked for as that is."""
        asking.request = keyed_request(asking, asking.request.headers.lines, [])
        return self._passed(asking, HeadFilter(asking, self._cache, why))

    def _learned(self, asking: Asking, learned: Learned) -> Decision:
        """Responses of it are known not to be storable: it goes as if there were no cache."""
        told = learned.told
        if not isinstance(told, LearnedFilter):
            learned.told = told = LearnedFilter(asking, self._cache, learned)
        request, context, policy = asking.request, asking.context, asking.policy
        if not policy.has_parts and policy.min_uses == 1 and is_plain(request, context):
            asked = (request.path, request.authority, request.scheme, context.scheme, context.rule)
            self._hot.know(asked, told)
        context.cache = told.verdict
        context.filter_responses(told)
        return self._handle(request, context)

    def _pass_by(self, asking: Asking, why: str) -> Decision:
        headers, cache = asking.request.headers, self._cache
        _, entry = cache.find(asking)
        if entry is not None and may_stand_in(entry.head, headers, cache.now(), asking.policy):
            # It asks for itself, and has that in case of need.
            asking.alone = True
            return self._decide(asking)
        return self._passed(asking, PassedFilter(asking, self._cache, ForwardedFor.MISS, why))

    # -- what is not for the cache

    def _uncached(self, request: RequestHead, context: RequestContext, policy: CachePolicy = _NO_POLICY) -> Decision:
        """Nothing of it is stored; what it changes may be, by another rule."""
        if request.method not in SAFE_METHODS and request.method != b"CONNECT" and not context.errand:
            key = self._keys.key(request, context, policy, request.path)
            asking = Asking(request, context, key, policy, False, self._services, self._decide, self._pass_by)
            context.filter_responses(SilentFilter(asking, self._cache, self._keys.all))
            context.cache = None
        return self._handle(request, context)

    def _bypass(self, asking: Asking, why: str) -> Decision:
        return self._passed(asking, PassedFilter(asking, self._cache, ForwardedFor.BYPASS, why))

    def _other(self, asking: Asking) -> Decision:
        if asking.request.method in SAFE_METHODS:
            return self._passed(asking, PassedFilter(asking, self._cache, ForwardedFor.METHOD, ""))
        trace = asking.context.trace
        if asking.request.method == b"POST" and may_fill(asking) and not (trace is not None and trace.dry_run):
            return self._passed(asking, PostFilter(asking, self._cache, self._keys.all))
        return self._passed(asking, UnsafeFilter(asking, self._cache, self._keys.all))

    def _passed(self, asking: Asking, told: PassedFilter) -> Decision:
        asking.context.filter_responses(told)
        return self._handle(asking.request, asking.context)

    def _unavailable(self, asking: Asking) -> Refusal:
        """RFC 9111 section 5.2.1.7."""
        cache = self._cache
        # It went nowhere, and nothing that is stored came of it: neither hit nor fwd.
        asking.context.cache = verdict = CacheVerdict(served=Served.MISS, detail="only-if-cached")
        line = verdict.line(cache.name, cache.now())
        return Refusal(504, "", "only what is stored was wanted, and that cannot be used", (line,), sentence=_SENTENCE)

    def _later(self, call: Any) -> None:
        self._services.reactor.callLater(0, call)
