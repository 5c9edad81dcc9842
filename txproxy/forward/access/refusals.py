"""How policy refuses: with a page that says why, and a verdict for the log."""

from __future__ import annotations

from txproxy.errors import RequestDenied, ResponseDenied
from txproxy.forward.access.block_pages import BlockPage
from txproxy.interfaces.answers import Outcome, Verdict


class Blocked(RequestDenied):
    """Policy refuses a request for ``url``, with a ``verdict`` that says by what and why."""

    def __init__(self, verdict: Verdict, url: str) -> None:
        super().__init__(_detail(verdict))
        self.verdict = verdict
        self.page = BlockPage(verdict.reason, url, verdict.list_name, verdict.rule)


class BlockedResponse(ResponseDenied):
    """Policy refuses the response to a request for ``url``, in the same way."""

    def __init__(self, verdict: Verdict, url: str, *, error: str | None = None) -> None:
        super().__init__(_detail(verdict), error=error)
        self.verdict = verdict
        self.page = BlockPage(verdict.reason, url, verdict.list_name, verdict.rule)


def denied(reason: str, by: str, list_name: str = "") -> Verdict:
    """That a part of policy, or a rule, says no."""
    return Verdict(outcome=Outcome.DENY, rule=by, reason=reason, list_name=list_name)


def _detail(verdict: Verdict) -> str:
    by = f"{verdict.rule}, list {verdict.list_name}" if verdict.list_name else verdict.rule
    return f"{verdict.reason} ({by})"
