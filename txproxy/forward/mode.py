"""Request head to origin, or a refusal."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from twisted.logger import Logger
from zope.interface import implementer

from txproxy.errors import LoopDetected, RequestError
from txproxy.forward.access.block_pages import greeting_page
from txproxy.forward.access.conditions.condition_type import Surroundings
from txproxy.forward.access.content_filter import ContentFilter
from txproxy.forward.access.decisions import Rules
from txproxy.forward.access.destinations import Destinations
from txproxy.forward.access.refusals import Blocked, denied
from txproxy.forward.egress.approvals import Approvals
from txproxy.forward.egress.credentials_injection import AgreedName, Masks
from txproxy.forward.egress.egress_scope import egress_scope
from txproxy.forward.egress.shared_answers import SharedAnswers
from txproxy.forward.memo import Memo
from txproxy.forward.pac import PATH as PAC_PATH
from txproxy.forward.pac import Pac
from txproxy.forward.parents.no_proxy import NoProxy
from txproxy.forward.parents.selection import Parents
from txproxy.forward.parents.to_parents import ToParents
from txproxy.forward.pipeline import Judge
from txproxy.forward.policy import FORWARDED_FOR_MODES, ForwardPolicy, forwarded_for_mode
from txproxy.forward.policy_parts import PolicyParts, make_parts
from txproxy.forward.request.kept_responses import ViaOfKept
from txproxy.forward.request.onward_head import Onward
from txproxy.forward.request.privacy import Mask
from txproxy.forward.request.targets import Target, Targets
from txproxy.forward.request.url_rewrites import Rewrites
from txproxy.forward.steps.authentication import Authentication
from txproxy.forward.steps.case import Case, Step
from txproxy.forward.steps.permission import Deciding, Filtering
from txproxy.forward.steps.targeting import Aim, Changing
from txproxy.interfaces.address import Address
from txproxy.interfaces.answers import Refusal
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import IMode, around, repeats
from txproxy.interfaces.plan import Decision, Plan
from txproxy.matching.networks import PeerNetworks
from txproxy.net.dns.host_endpoint import addresses_of
from txproxy.net.dns.resolver import Resolver
from txproxy.proxy.bounds_middleware import BoundsMiddleware
from txproxy.proxy.services import Services
from txproxy.wire.forwarding import max_forwards, via_entry
from txproxy.wire.message import RequestHead

__all__ = ["FORWARDED_FOR_MODES", "ForwardMode", "ForwardPolicy", "forwarded_for_mode"]

_log = Logger()

# Methods that may be for the proxy itself.
_FOR_US: Final = frozenset({b"TRACE", b"OPTIONS"})
_ALLOW: Final = (b"Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, CONNECT",)
# What somebody does who has opened the proxy's own address, as if it were a site.
_LOOKED_AT: Final = frozenset({b"GET", b"HEAD"})


@implementer(IMode)
class ForwardMode:
    """Sends requests where their targets say. ``timeout`` is for looking names up that rules are about, in seconds.

    ``warnings`` are what may be a mistake in the policy. ``approvals`` has the questions that rules ask, where the
    policy names nobody else who would answer them.
    """

    def __init__(
        self,
        policy: ForwardPolicy,
        reactor: Any = None,
        timeout: float = 5.0,
        resolver: Resolver | None = None,
        parts: PolicyParts | None = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor  # the embedding program's
        self.policy = policy
        self._resolver = resolver or Resolver(reactor)
        self.clients = PeerNetworks(policy.allow_clients)
        self.targets = Targets(policy.allow_ports, policy.allow_hosts, policy.deny_hosts, policy.bind, policy.binds)
        self._find = self.targets.find
        self._via = via_entry(policy.via, policy.via_mark)
        self._response_lines = (self._via.response_line,) if self._via is not None else ()
        self._via_of_kept = ViaOfKept(self._via.response_line) if self._via is not None else None
        self.destinations = Destinations(policy.allow_destinations, policy.closed)
        self.parts = parts = parts or make_parts(policy, reactor)
        self.parents = parts.parents
        self._to_parents = self._make_to_parents()
        self._pac = Pac(NoProxy(policy.no_proxy)) if policy.pac else None
        self._onward = Onward(self._via, policy.forwarded_for)
        masks = Masks(policy.privacy, policy.inject)
        self._masks = masks if masks else None
        self._content = policy.content
        self.authenticator = parts.authenticator
        self.filters, self.lists = parts.filters, parts.lists
        self.approvals = Approvals(reactor)
        self.answers = SharedAnswers(self.approvals)
        self.rules = self._make_rules()
        self._tunnel_timeouts = self.rules.tunnel_timeouts
        self.warnings = (*self.filters.warnings, *self.lists.warnings, *self.rules.warnings)
        self.changing: Changing | None = None
        # what stands within this mode
        self._inner: tuple[Any, ...] = ()
        self._scope = egress_scope(policy)
        # whether what nobody has to be asked about is decided on by what it is and by whom it comes from alone
        self._repeats = False
        self._judge = self._make_judge(reactor, timeout)
        if policy.bounds is not None:
            # Around the method itself: whoever asks this mode, its requests are bounded.
            self.plan = around(self.plan, [BoundsMiddleware(policy.bounds)])  # type: ignore[method-assign,assignment]
        self._held = self.authenticator
        if self._held is not None:
            self._held.hold()

    def _make_rules(self) -> Rules:
        policy = self.policy
        return Rules(
            policy.rules,
            surroundings=Surroundings(usage=policy.usage, lists=self.lists),
            authenticates=self.authenticator is not None,
        )

    def _make_judge(self, reactor: Any, timeout: float) -> Judge | None:
        """The chain that each request passes; None if there is nothing to be asked of any."""
        policy, targets = self.policy, self.targets
        users = None
        if self.authenticator is not None and policy.auth is not None:
            users = Authentication(self.authenticator, policy.auth.certificate_field is not None)
        first: list[Step] = [users] if users is not None and not policy.auth_by_rules else []
        if policy.rewrites or policy.safe_search:
            self.changing = Changing(Rewrites(policy.rewrites, policy.safe_search), targets)
        others: list[Step] = []
        if self.filters.lists:
            others.append(Filtering(self.filters))
        if policy.rules:
            find = partial(addresses_of, self._resolver, reactor, timeout=timeout)
            ask = policy.ask or self.approvals
            others.append(Deciding(self.rules, find, users, ask, policy.ask_timeout, reactor))
        if not first and not others and self.changing is None:
            return None
        judge = Judge(first, self.changing, Aim(targets, facts=bool(others)), others, self.go, self._go_again, reactor)
        self.filters.watch(judge.forget)
        self.lists.watch(judge.forget)
        if self.authenticator is not None:
            self.authenticator.when_forgotten(judge.forget)
        return judge

    def _make_to_parents(self) -> ToParents | None:
        policy, parents = self.policy, self.parents
        if parents is None:
            if policy.choose_parent is None:
                return None
            parents = Parents()
        no_proxy = NoProxy(policy.no_proxy)
        return ToParents(parents, no_proxy, self.destinations, choose=policy.choose_parent, via=self._via)

    def attach(self, services: Services) -> None:
        """This mode is served by means of ``services``."""
        self._inner = services.inner_middleware
        self._repeats = repeats(self._inner) and self._masks is None and self._content is None
        self._services = services

    @property
    def repeats(self) -> bool:
        """See :class:`txproxy.interfaces.IMode`; who does more than this says so anew."""
        return type(self).plan is ForwardMode.plan and self.policy.bounds is None

    def plan(self, head: RequestHead, context: RequestContext) -> Decision:
        """See :class:`txproxy.interfaces.IMode`."""
        if context.trace is not None:
            self._tell_of(context)
        if context.client_ip not in self.clients:
            context.verdict = denied(f"{context.client_ip} may not use this proxy", "allow_clients")
            raise Blocked(context.verdict, "")
        via = self._via
        if via is not None and b"via" in head.headers.index and via.is_in(head.headers):
            raise LoopDetected("the request has been through this proxy before")
        method = head.method
        if (head.scheme is None and method != b"CONNECT") or method in _FOR_US:
            answer = self._own_answer(head, context)
            if answer is not None:
                return answer
        if self._judge is not None:
            return self._judge(head, context)
        try:
            target = self._find(head.scheme or b"", head.authority)
        except Blocked as fault:
            context.verdict = fault.verdict
            raise
        if context.trace is not None:
            context.trace.say("target", target.host, f"port {target.port}: allowed")
        if self._repeats:
            context.repeats = True
        return self._send(head, head, context, target, target.address)

    def _tell_of(self, context: RequestContext) -> None:
        trace = context.trace
        assert trace is not None
        may = "may" if context.client_ip in self.clients else "may not"
        trace.say("client", f"{context.client_ip} {may} use this proxy")
        if self.policy.auth_by_rules and may == "may":
            trace.say("auth", "it is nobody, who is asked where a rule asks for it")

    def _own_answer(self, head: RequestHead, context: RequestContext) -> Decision | None:
        """The answer to a request that may be for the proxy itself; None if it is to go on."""
        if head.scheme is None:
            if self._pac is not None and head.path.partition(b"?")[0] == PAC_PATH:
                return self._pac.answer(head, context)
            if head.path == b"*":
                # RFC 9110 9.3.7: it is about the server that is asked, and that is us.
                return Refusal(200, lines=_ALLOW)
            fault = RequestError("a proxy wants a target in absolute form")
            if head.method in _LOOKED_AT:
                fault.page = greeting_page
            raise fault
        if head.method == b"TRACE":
            return Refusal(405, "http_request_denied", "TRACE is not done here", _ALLOW)
        if b"max-forwards" in head.headers.index and not max_forwards(head):
            return Refusal(200, lines=_ALLOW)
        return None

    def go(self, case: Case) -> Decision:
        """The plan for a request that has passed the chain."""
        target = case.target
        address = self.targets.address(target, case.rule, case.dial, case.pinned)
        return self._send(case.asked, case.head, case.context, target, address, case.rule, case.lines)

    def _go_again(self, head: RequestHead, context: RequestContext, memo: Memo) -> Decision:
        """The same for one that has passed it before."""
        target: Target = memo.aim
        address = self.targets.address(target, memo.rule, "", memo.pinned)
        return self._send(head, head, context, target, address, memo.rule)

    def _send(
        self,
        asked: RequestHead,
        head: RequestHead,
        context: RequestContext,
        target: Target,
        address: Address,
        rule: str = "",
        lines: tuple[bytes, ...] = (),
    ) -> Decision:
        """What was ``asked`` may pass, and goes on as ``head``."""
        if rule:
            context.rule = rule
        mask = self._masks.find(target, rule) if self._masks is not None else None
        if mask is not None and mask.response_filter is not None:
            context.filter_responses(mask.response_filter)
        if self._content is not None:
            # What it judges is the origin's response, or one that was kept.
            context.filter_responses(ContentFilter(self._content, target.url))
        if self._inner:
            context.personal = mask is not None
            if self._via_of_kept is not None:
                context.filter_responses(self._via_of_kept)
            sent = partial(self._sent, asked, target, address, rule, mask, lines)
            return around(sent, self._inner, self._scope, self._services)(head, context)
        return self._sent(asked, target, address, rule, mask, lines, head, context)

    def _sent(
        self,
        asked: RequestHead,
        target: Target,
        address: Address,
        rule: str,
        mask: Mask | None,
        lines: tuple[bytes, ...],
        head: RequestHead,
        context: RequestContext,
    ) -> Decision:
        plan = self._planned(head, context, target, address, rule, mask, lines)
        return plan if self._to_parents is None else self._to_parents.plan(plan, asked, context)

    def _planned(
        self,
        head: RequestHead,
        context: RequestContext,
        target: Target,
        address: Address,
        rule: str,
        mask: Mask | None,
        lines: tuple[bytes, ...],
    ) -> Plan:
        timeout = self._tunnel_timeouts.get(rule) if self._tunnel_timeouts else None
        if head.method == b"CONNECT":
            plan = Plan(address, None)
            plan.tunnel_timeout = timeout
            if self.policy.agree_names:
                plan.gate = AgreedName(target.host, target.port, context)
            return plan
        onward = self._onward.head(head, context, target, mask, lines)
        plan = Plan.of(Attempt(address, onward, lines=self._response_lines))
        if timeout is not None:
            plan.tunnel_timeout = timeout
        if mask is not None:
            if context.trace is not None:
                context.trace.hide(line.partition(b":")[0].lower() for line in mask.lines)
            plan.own_fields = mask.own_fields
        return plan

    def close(self) -> None:
        """There are no more requests: let go of what may be another mode's as well."""
        # The judge stays: whatever may still come is not to pass because nobody is asked.
        judge = self._judge
        if judge is not None:
            self.filters.unwatch(judge.forget)
            self.lists.unwatch(judge.forget)
        self.rules.close()
        users, self._held = self._held, None
        if users is not None:
            if judge is not None:
                users.no_more_when_forgotten(judge.forget)
            users.close()
