"""Whether a request may go where it goes: by the block lists, and by the rules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from twisted.internet.defer import Deferred, TimeoutError

from txproxy.forward.access.decisions import Rules
from txproxy.forward.access.refusals import Blocked, denied
from txproxy.forward.blocklists.filtering import Filters
from txproxy.forward.egress.approvals import Ask, Question
from txproxy.forward.request.facts import TUNNEL, Facts
from txproxy.forward.steps.authentication import Authentication
from txproxy.forward.steps.case import NEVER_KNOWN, Case, Result
from txproxy.interfaces.answers import Outcome, Verdict

_ALLOW: Final = Outcome.ALLOW
_MATCHED: Final[dict[bool | None, str]] = {True: "matches", False: "does not match", None: "-"}
# For so many seconds a decision that follows from the time, from use or from addresses is taken to be still the same.
_BRIEFLY: Final = 1.0

FindAddresses: TypeAlias = "Callable[..., tuple[str, ...] | Deferred[tuple[str, ...]]]"


class Filtering:
    """Refuses what is on a block list."""

    def __init__(self, filters: Filters) -> None:
        self._filters = filters

    def __call__(self, case: Case) -> None:
        """See :data:`Step`."""
        hit = self._filters.find(case.facts)
        case.by_url = case.by_url or self._filters.by_url
        trace = case.context.trace
        if hit is not None:
            reason = f"{hit.entry} is on the list {hit.list_name}"
            if trace is not None:
                trace.say("filters", reason)
            raise _blocked(denied(reason, "filters", hit.list_name), case)
        if trace is not None:
            trace.say("filters", "it is on no list")


class Deciding:
    """Follows the rules. ``find`` looks up addresses: those that were judged are the ones to be dialled, as a name may
    come to mean others. ``users`` finds out who sends a request, where a rule asks for that; ``ask`` is who says yes
    or no where one asks, within ``ask_timeout`` seconds.
    """

    def __init__(
        self,
        rules: Rules,
        find: FindAddresses,
        users: Authentication | None,
        ask: Ask,
        ask_timeout: float,
        clock: Any,
    ) -> None:
        self._program = rules.program
        self._explain = rules.explain
        self._seconds: Callable[[], float] = clock.seconds
        self._find = find
        self._users = users
        self._ask = ask
        self._ask_timeout = ask_timeout
        self._clock = clock

    def __call__(self, case: Case) -> Result | Deferred[Result]:
        """See :data:`Step`."""
        program = self._program(case.facts)
        verdict = program.run(case.facts)
        if verdict.outcome is _ALLOW:
            if case.context.trace is not None:
                self._tell(case)
            case.context.verdict = verdict
            case.rule = verdict.rule
            if program.by_url:
                case.by_url = True
            if program.by_time:
                case.settled_until = self._seconds() + _BRIEFLY
            return None
        return self._less_plain(verdict, case)

    def _less_plain(self, verdict: Verdict, case: Case) -> Result | Deferred[Result]:
        case.context.verdict = verdict
        outcome = verdict.outcome
        # What has to be known first is told of when it is known, or has to be waited for.
        if case.context.trace is not None and outcome in (Outcome.DENY, Outcome.ASK):
            self._tell(case)
        if outcome is Outcome.DENY:
            if verdict.challenge and self._users is not None:
                return self._users.challenge(verdict)
            raise _blocked(verdict, case)
        if outcome is Outcome.ASK:
            return self._question(verdict, case)
        if outcome is Outcome.NEEDS_ADDRESSES:
            found = self._find(case.dial or case.facts.host, client_ip=case.context.client_ip)
            if isinstance(found, Deferred):
                if case.context.trace is not None:
                    self._tell(case)
                return found.addCallback(self._found, case)
            return self._found(found, case)
        assert self._users is not None, "rules know whether anybody can be asked"
        known = self._users(case)
        if case.context.trace is not None and known is not None:
            self._tell(case)
        if isinstance(known, Deferred):
            return known.addCallback(self._identified, case)
        return self._identified(known, case)

    def _tell(self, case: Case) -> None:
        trace = case.context.trace
        assert trace is not None
        for step in self._explain(case.facts):
            trace.say(f"rule {step.rule} ({step.action.value})", _MATCHED[step.matched], step.why)

    def _found(self, addresses: tuple[str, ...], case: Case) -> Result | Deferred[Result]:
        case.facts.addresses = case.pinned = addresses
        return self(case)

    def _identified(self, result: Result, case: Case) -> Result | Deferred[Result]:
        if result is not None:
            return result
        case.facts.user, case.facts.groups = case.context.user, case.context.groups
        return self(case)

    def _question(self, verdict: Verdict, case: Case) -> Result | Deferred[Result]:
        facts = case.facts
        answer = self._ask(
            Question(
                client_ip=facts.client_ip,
                user=facts.user,
                groups=facts.groups,
                method=facts.head.method.decode("latin-1"),
                host=facts.host,
                port=facts.port,
                url=facts.url.text,
                rule=verdict.rule,
                reason=verdict.reason,
            )
        )
        if isinstance(answer, bool):
            self._answered(answer, verdict, case)
            return None
        waiting: Deferred[Any] = answer if isinstance(answer, Deferred) else Deferred.fromCoroutine(_wait(answer))
        waiting.addTimeout(self._ask_timeout, self._clock)
        return waiting.addCallbacks(
            self._answered, self._not_answered, callbackArgs=(verdict, case), errbackArgs=(verdict, case)
        )

    def _answered(self, approved: object, verdict: Verdict, case: Case) -> None:
        if approved is not True:
            # Whatever is no clear yes is a no.
            raise _blocked(denied(f"the rule {verdict.rule!r} asks, and the answer was no", verdict.rule), case)
        case.settled_until = NEVER_KNOWN  # a yes is for one request
        case.context.verdict = Verdict(outcome=_ALLOW, rule=verdict.rule, reason="approved")
        case.rule = verdict.rule

    def _not_answered(self, failure: Any, verdict: Verdict, case: Case) -> None:
        failure.trap(TimeoutError)
        # No 504, after which programs try again by themselves, and put the same question anew.
        raise _blocked(denied(f"the rule {verdict.rule!r} asks, and nobody answered in time", verdict.rule), case)


async def _wait(answer: Awaitable[bool]) -> bool:
    return await answer


def _blocked(verdict: Verdict, case: Case) -> Blocked:
    case.context.verdict = verdict
    return Blocked(verdict, url_of(case.facts))


def url_of(facts: Facts) -> str:
    """What a request is for, as its client knows it."""
    if facts.scheme is TUNNEL:
        return f"[{facts.host}]:{facts.port}" if ":" in facts.host else f"{facts.host}:{facts.port}"
    return facts.url.text
