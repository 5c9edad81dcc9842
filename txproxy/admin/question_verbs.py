"""``/api/questions``: what rules ask a person about, and the answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from twisted.logger import Logger

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import Verb
from txproxy.admin.merging import LISTED, OF_ANY
from txproxy.admin.proxy_view import ProxyView
from txproxy.components.values import shown
from txproxy.forward.egress.approvals import Approvals, Pending

_log = Logger()


class QuestionVerbs:
    """What may be done with the questions of what ``view`` shows, by the clock of ``reactor``."""

    def __init__(self, view: ProxyView, reactor: Any) -> None:
        self._view = view
        self._reactor = reactor

    def verbs(self) -> list[Verb]:
        """All of it."""
        return [
            Verb("GET", "/api/questions", self._list, merge=LISTED),
            Verb("POST", "/api/questions/{question}", self._answer, body=("allow",), merge=OF_ANY),
        ]

    def _waiting(self) -> Iterator[tuple[str, Approvals, Pending]]:
        """All that waits, with the names of listeners."""
        return ((listener, approvals, pending) for listener, approvals in self._view.questions for pending in approvals)

    def _list(self, call: ApiCall) -> dict[str, object]:
        now = self._reactor.seconds()
        return {
            "questions": [
                {
                    "id": _name(approvals, pending),
                    "listener": listener,
                    "client": pending.question.client_ip,
                    "user": pending.question.user,
                    "method": pending.question.method,
                    "url": pending.question.url,
                    "rule": pending.question.rule,
                    "reason": pending.question.reason,
                    "age": round(max(0.0, now - pending.since), 3),
                }
                for listener, approvals, pending in self._waiting()
            ]
        }

    def _answer(self, call: ApiCall) -> dict[str, object]:
        (name,) = call.names
        if "allow" not in call.body:
            raise ApiFault(400, "allow: it is missing; accepted: true, false")
        allow = call.flag("allow")
        for _, approvals, pending in list(self._waiting()):
            if _name(approvals, pending) == name and approvals.answer(pending.number, allow):
                said = f"admin API: {pending.question.rule} asked about {pending.question.url}: "
                _log.info("{said}", said=said + ("allowed" if allow else "refused"))
                return {"answered": name, "allowed": allow}
        raise ApiFault(404, f"there is no question {shown(name)}, or not any more")


def _name(approvals: Approvals, pending: Pending) -> str:
    """What a question is called: as no other of any listener or worker."""
    return f"{os.getpid()}-{id(approvals) >> 4 & 0xFFFFFF:x}-{pending.number}"
