"""What a forward proxy would do with a request, and why, without waiting for anybody."""

from __future__ import annotations

from typing import Final

from txproxy.forward.access.refusals import Blocked, denied
from txproxy.forward.mode import ForwardMode
from txproxy.forward.steps.case import Case
from txproxy.forward.steps.permission import url_of
from txproxy.forward.steps.targeting import Aim
from txproxy.interfaces.answers import Answer, Outcome, Refusal, Verdict
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Decision
from txproxy.wire.message import RequestHead

_MATCHED: Final[dict[bool | None, str]] = {True: "matches", False: "does not match", None: "-"}


def explain(mode: ForwardMode, head: RequestHead, context: RequestContext, said: list[str]) -> Decision | None:
    """What becomes of a request of ``client``, whose ``user`` is whoever it is taken to be; None where something has to
    be found out first. Each part of the policy that has a say says it in a line of ``said``. An ``ExchangeError`` is
    how it is refused.
    """
    policy = mode.policy
    allowed = context.client_ip in mode.clients
    said.append(f"client: {context.client_ip} may{'' if allowed else ' not'} use this proxy")
    if not allowed:
        return Refusal(403, "http_request_denied", f"{context.client_ip} may not use this proxy")
    if policy.auth is not None:
        who = f"it is {context.user}" if context.user is not None else "it is nobody, who is asked"
        said.append(f"auth: {who}{' where a rule asks for it' if policy.auth_by_rules else ''}")
    case = Case(head, context)
    aim = Aim(mode.targets)
    if mode.changing is not None:
        answer = _change(mode, case, said)
        if answer is not None:
            return answer
    aim(case)
    said.append(f"target: {case.target.host}, port {case.target.port}: allowed")
    if mode.filters.lists:
        _filter(mode, case, said)
    if policy.rules:
        verdict = _verdict(mode, case, said)
        if verdict.challenge:
            return Refusal(407, "http_request_denied", f"{verdict.reason} ({verdict.rule})")
        if verdict.outcome is not Outcome.ALLOW:
            return None
    if policy.auth is not None and not policy.auth_by_rules and context.user is None:
        return Refusal(407, "http_request_denied", "credentials are missing")
    return mode.go(case)


def _change(mode: ForwardMode, case: Case, said: list[str]) -> Refusal | Answer | None:
    assert mode.changing is not None
    answer = mode.changing(case)
    if isinstance(answer, Answer):
        said.append(f"rewrites: {case.context.verdict.rule}: {case.context.verdict.reason}")
    elif case.head is not case.asked:
        head = case.head
        url = b"%b://%b%b" % (head.scheme or b"", head.authority, head.path)
        said.append(f"rewrites: it goes to {url.decode('latin-1')}")
    elif case.dial:
        said.append(f"rewrites: {case.dial} is connected to in its place")
    elif case.lines:
        said.append(f"rewrites: it is sent with {b', '.join(case.lines).decode('latin-1')}")
    else:
        said.append("rewrites: none is for it")
    return answer


def _filter(mode: ForwardMode, case: Case, said: list[str]) -> None:
    hit = mode.filters.find(case.facts)
    if hit is None:
        said.append("filters: it is on no list")
        return
    reason = f"{hit.entry} is on the list {hit.list_name}"
    said.append(f"filters: {reason}")
    raise Blocked(denied(reason, "filters", hit.list_name), url_of(case.facts))


def _verdict(mode: ForwardMode, case: Case, said: list[str]) -> Verdict:
    for step in mode.rules.explain(case.facts):
        said.append(f"rule {step.rule} ({step.action.value}): {_MATCHED[step.matched]}, {step.why}")
    verdict = mode.rules.decide(case.facts)
    if verdict.outcome is Outcome.DENY and not verdict.challenge:
        raise Blocked(verdict, url_of(case.facts))
    if verdict.outcome is Outcome.ALLOW:
        case.context.verdict, case.rule = verdict, verdict.rule
    return verdict
