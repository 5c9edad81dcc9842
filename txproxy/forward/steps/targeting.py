"""Where a request goes: where its client wants, or elsewhere."""

from __future__ import annotations

from txproxy.forward.request.facts import Facts
from txproxy.forward.request.targets import Target, Targets
from txproxy.forward.request.url_rewrites import Change, Rewrites
from txproxy.forward.steps.case import Case, Result
from txproxy.interfaces.answers import Answer, Outcome, Verdict
from txproxy.interfaces.trace import Trace
from txproxy.matching.octets import shown
from txproxy.wire.grammar import ABSOLUTE
from txproxy.wire.message import RequestHead


class Aim:
    """Finds the target, and the ``facts`` that lists and rules are asked about, if there are any."""

    def __init__(self, targets: Targets, facts: bool = True) -> None:
        self._find = targets.of
        self._facts = facts

    def __call__(self, case: Case) -> None:
        """See :data:`Step`."""
        target = self._find(case.head, case.context)
        trace = case.context.trace
        if trace is not None:
            trace.say("target", target.host, f"port {target.port}: allowed")
        self.at(case, target)

    def at(self, case: Case, target: Target) -> None:
        """The same where the target is known."""
        case.target = target
        if self._facts:
            context = case.context
            case.facts = Facts(case.head, context.client_ip, target.host, target.port, context.user, context.groups)


class Changing:
    """Sends requests elsewhere than they want, and clients too. Where they want to go need not be allowed."""

    def __init__(self, rewrites: Rewrites, targets: Targets) -> None:
        self._find = rewrites.find
        self._named = targets.named

    def __call__(self, case: Case) -> Result:
        """See :data:`Step`."""
        head, context = case.head, case.context
        target = self._named(head.scheme or b"", head.authority)
        case.by_url = True
        change = self._find(Facts(head, context.client_ip, target.host, target.port, context.user, context.groups))
        result = self._apply(change, case) if change is not None else None
        if context.trace is not None:
            self._tell(case, context.trace)
        return result

    def _tell(self, case: Case, trace: Trace) -> None:
        if case.context.verdict is not None:
            trace.say("rewrites", f"{case.context.verdict.rule}: {case.context.verdict.reason}")
        elif case.head is not case.asked:
            head = case.head
            url = b"%b://%b%b" % (head.scheme or b"", head.authority, head.path)
            trace.say("rewrites", f"it goes to {shown(url)}")
        elif case.dial:
            trace.say("rewrites", f"{case.dial} is connected to in its place")
        elif case.lines:
            trace.say("rewrites", f"it is sent with {shown(b', '.join(case.lines))}")
        else:
            trace.say("rewrites", "none is for it")

    def _apply(self, change: Change, case: Case) -> Result:
        if change.redirect is not None:
            case.context.verdict = Verdict(outcome=Outcome.ALLOW, rule=change.name, reason=f"sent to {change.url}")
            return Answer(change.redirect, (b"Location: " + change.url.encode("ascii"),))
        case.dial = change.dial
        case.lines = change.lines
        if change.url:
            match = ABSOLUTE.fullmatch(change.url.encode("ascii"))
            assert match is not None, "it was looked at before"
            head = case.head
            path = match[3] if match[3][:1] == b"/" else b"/" + match[3]
            case.head = RequestHead(
                head.method, path, head.headers, match[2], match[1].lower(), head.body, head.minor, head.keep_alive
            )
        return None
