"""Answers that are remembered by several processes: each is told to all of them, and to those that come later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txproxy.forward.egress.approvals import Approvals


class SharedAnswers:
    """See :class:`txproxy.interfaces.processes.sharing.Shared`; of ``approvals``. Who remembers an answer, or forgets
    it, tells all processes that there are: here is told only who comes after that.
    """

    def __init__(self, approvals: Approvals) -> None:
        self._approvals = approvals

    def join(self, wake: Callable[[], None]) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""

    def news(self) -> tuple[Any, bool]:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        return None, False

    def heard(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""

    def whole(self, leads: bool, now: float) -> Any:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`: each answer, and for how many seconds it holds."""
        if not leads:
            return None
        remembered = self._approvals.remembered
        return {subject: (one.approved, one.until - now) for subject, one in remembered.items()} or None

    def heard_whole(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        known = self._approvals.remembered
        for subject, (approved, seconds) in content.items():
            if subject not in known:
                self._approvals.remember(subject, approved, seconds)

    def gone(self, peer: int) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""

    def lead(self, leads: bool) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. Nothing is done by one for all."""
