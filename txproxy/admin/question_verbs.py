"""``/api/questions``: what rules ask a person about, and the answers; ``/api/answers``: those that are remembered."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Final

from twisted.logger import Logger

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import Verb
from txproxy.admin.merging import LISTED, OF_ANY, together
from txproxy.admin.proxy_view import ProxyView
from txproxy.components.outside_text import identity
from txproxy.components.values import hint, shown
from txproxy.forward.egress.approvals import Approvals, Pending, Subject

_log = Logger()

_ANSWER: Final = ("listener", "rule", "method", "host", "port", "client", "user", "allow", "for")
# So many seconds an answer is remembered at the most.
_LONGEST: Final = 7 * 86400.0


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
            Verb("GET", "/api/answers", self._answers, merge=together(most=("left",))),
            Verb("POST", "/api/answers", self._remember, body=_ANSWER, merge=together(sums=("answered",))),
            Verb("DELETE", "/api/answers/{answer}", self._forget, merge=OF_ANY),
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
                    "host": pending.question.host,
                    "port": pending.question.port,
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

    def _answers(self, call: ApiCall) -> dict[str, object]:
        now = self._reactor.seconds()
        return {
            "answers": [
                {
                    "name": _answer_name(listener, subject),
                    "listener": listener,
                    **_told(subject),
                    "allow": one.approved,
                    "left": round(one.until - now, 3),
                }
                for listener, approvals in self._view.questions
                for subject, one in approvals.remembered.items()
            ]
        }

    def _remember(self, call: ApiCall) -> dict[str, object]:
        listener, subject = call.text("listener"), _subject(call)
        if "allow" not in call.body:
            raise ApiFault(400, "allow: it is missing; accepted: true, false")
        allow, seconds = call.flag("allow"), call.duration("for")
        if seconds is None or seconds > _LONGEST:
            raise ApiFault(400, f"for: {shown(call.body.get('for'))} cannot be; accepted is up to 168h")
        found = [approvals for name, approvals in self._view.questions if name == listener]
        if not found:
            names = tuple(dict.fromkeys(name for name, _ in self._view.questions))
            there = f"{hint(listener, names)}; accepted: {', '.join(names) or 'none'}"
            raise ApiFault(404, f"there is no listener {shown(listener)} that asks{there}")
        answered = sum(approvals.remember(subject, allow, seconds) for approvals in found)
        what = f"{subject.method} {subject.host}:{subject.port} of {subject.client_ip}"
        said = f"admin API: {subject.rule}: {what} is {'allowed' if allow else 'refused'} for {seconds:.0f} s"
        _log.info("{said}", said=said)
        return {"remembered": _answer_name(listener, subject), "allowed": allow, "answered": answered}

    def _forget(self, call: ApiCall) -> dict[str, object]:
        (name,) = call.names
        for listener, approvals in self._view.questions:
            for subject in approvals.remembered:
                if _answer_name(listener, subject) == name and approvals.forget(subject):
                    _log.info("{said}", said=f"admin API: {subject.rule}: {subject.host} is asked about again")
                    return {"forgotten": name}
        raise ApiFault(404, f"there is no answer {shown(name)}, or not any more")


def _subject(call: ApiCall) -> Subject:
    user = call.text("user") if call.body.get("user") is not None else None
    port = call.whole("port", 1, 65535)
    if port is None:
        raise ApiFault(400, "port: it is missing; accepted is that of the question")
    rule, method, host, client = (call.text(key) for key in ("rule", "method", "host", "client"))
    return Subject(rule=rule, method=method, host=host, port=port, client_ip=client, user=user)


def _told(subject: Subject) -> dict[str, object]:
    return {
        "rule": subject.rule, "method": subject.method, "host": subject.host, "port": subject.port,
        "client": subject.client_ip, "user": subject.user,
    }  # fmt: skip


def _answer_name(listener: str, subject: Subject) -> str:
    """What an answer is called: the same in all workers."""
    text = f"{str(listener)!r} {identity(subject)}"
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def _name(approvals: Approvals, pending: Pending) -> str:
    """What a question is called: as no other of any listener or worker."""
    return f"{os.getpid()}-{id(approvals) >> 4 & 0xFFFFFF:x}-{pending.number}"
