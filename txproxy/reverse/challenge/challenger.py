"""Who lets requests pass that have a proof, gives the others what they are to do for one, and takes their answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

import attrs
from zope.interface import implementer

from txproxy.errors import AmbiguousPath
from txproxy.interfaces.answers import Answer, Outcome, Refusal, Verdict
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import Handler, IMiddleware
from txproxy.interfaces.plan import Decision
from txproxy.matching.paths import readings
from txproxy.proxy.exchanges.responses.own_answers import prefers_html
from txproxy.reverse.challenge.challenge_load import AtWork, ChallengeLoad
from txproxy.reverse.challenge.challenge_page import ANSWER_PATH, LINES, PREFIX, SCRIPT_PATH, page
from txproxy.reverse.challenge.challenge_script import SCRIPT
from txproxy.reverse.challenge.challenge_settings import ChallengePlace
from txproxy.reverse.challenge.proofs import COOKIE, Proofs
from txproxy.reverse.routing.matches import Match, host_of
from txproxy.wire.message import RequestHead

ClientOf: TypeAlias = "Callable[[RequestHead, RequestContext], str]"

# How logs and counts call requests that had none, and answers that are none.
CHALLENGED: Final = "challenged"
FAILED: Final = "challenge-failed"
_STATUS: Final = 403
_ERROR: Final = "http_request_denied"
_SENTENCE: Final = "Clients of this site have to open one of its pages in a browser first."
_READS: Final = (b"GET", b"HEAD")
_PREFIX: Final = PREFIX.encode("ascii")
_SCRIPT_PATH: Final = SCRIPT_PATH.encode("ascii")
_ANSWER_PATH: Final = ANSWER_PATH.encode("ascii")
_SCRIPT_LINES: Final = (
    b"Content-Type: text/javascript; charset=utf-8",
    b"Cache-Control: public, max-age=3600",
    b"X-Content-Type-Options: nosniff",
)
# A path of this site, and no other: browsers take // and /\ for another host, and leave out tabs and line ends.
_LOCAL: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_LONGEST: Final = 4096


@attrs.define
class ChallengeCounts:
    """How many requests of a listener were ``given`` the page, or ``refused`` as those of no browser; and how many
    answers have ``passed`` and ``failed``.
    """

    given: int = 0
    refused: int = 0
    passed: int = 0
    failed: int = 0


@implementer(IMiddleware)
class Challenger:
    """Stands around what is for clients that have passed, at a ``place``. ``load`` says when that is asked for; None
    for always. ``seconds`` is the clock of the load.
    """

    def __init__(
        self,
        proofs: Proofs,
        place: ChallengePlace,
        counts: ChallengeCounts,
        load: ChallengeLoad | None,
        seconds: Callable[[], float],
    ) -> None:
        self._proofs = proofs
        self._place = place
        self._counts = counts
        self._load = load
        self._seconds = seconds

    def handle(self, request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        """See :class:`txproxy.interfaces.IMiddleware`."""
        load = self._load
        trace = context.trace
        if trace is not None and trace.dry_run:
            trace.say("challenge", self._place.meaning(), self._said(request, context))
            return proceed(request, context)
        if load is not None and not load.comes(self._seconds()):
            return self._go_on(load, request, context, proceed)
        if self._proofs.passed(request.headers.index.get(b"cookie"), context.client_ip) or self._excepts(
            request, context
        ):
            return proceed(request, context) if load is None else self._go_on(load, request, context, proceed)
        return challenged(request, context, self._proofs, self._counts)

    def _go_on(self, load: ChallengeLoad, request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        if load.counts_work:
            context.filter_responses(AtWork(load))
        return proceed(request, context)

    def _excepts(self, request: RequestHead, context: RequestContext) -> bool:
        return bool(self._place.excepted) and excepts(self._place.excepted, request, context)

    def _said(self, request: RequestHead, context: RequestContext) -> str:
        if self._excepts(request, context):
            return "not for this request"
        passed = self._proofs.passed(request.headers.index.get(b"cookie"), context.client_ip)
        return "passed" if passed else "not passed"


def excepts(excepted: Sequence[Match], request: RequestHead, context: RequestContext) -> bool:
    """Whether a request is one of those, by each way in which its path may be read."""
    host = host_of(request.authority)
    try:
        read = readings(request.path.partition(b"?")[0])
    except AmbiguousPath:
        return False
    return any(all(not one.why_not(host, path, request, context) for path in read) for one in excepted)


def challenged(
    request: RequestHead, context: RequestContext, proofs: Proofs, counts: ChallengeCounts, why: str = "", to: str = ""
) -> Refusal:
    """What a client gets that has not passed: a browser that opens a page, what it is to do; others, words. ``why`` is
    said of an answer that is none, after which it was on its way ``to`` somewhere.
    """
    detail = f"the answer to the challenge is none: {why}" if why else "the challenge was not passed"
    context.verdict = Verdict(outcome=Outcome.DENY, rule="challenge", reason=detail)
    outcome = FAILED if why else CHALLENGED
    if request.method not in _READS or not prefers_html(request.headers):
        counts.refused += not why
        return Refusal(_STATUS, _ERROR, detail, sentence=_SENTENCE, outcome=outcome)
    counts.given += not why
    question = proofs.question(context.client_ip)
    body = page(question, to or local(request.path.decode("latin-1")), proofs.settings.wait)
    kind = b"text/html; charset=utf-8"
    return Refusal(_STATUS, _ERROR, detail, LINES, page=lambda html: (kind, body), outcome=outcome)


def local(path: str) -> str:
    """``path`` if it is one of this site, whatever a browser makes of it; else the first page of all."""
    return path if len(path) <= _LONGEST and _LOCAL.fullmatch(path) else "/"


@implementer(IMiddleware)
class ChallengeAnswers:
    """Serves what the page needs, around all of a listener at which there is a challenge. ``client_of`` says who has
    sent a request (None: who its connection says).
    """

    def __init__(self, proofs: Proofs, counts: ChallengeCounts, client_of: ClientOf | None = None) -> None:
        self._proofs = proofs
        self._counts = counts
        self._client_of = client_of

    def handle(self, request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        """See :class:`txproxy.interfaces.IMiddleware`."""
        if self._client_of is not None:
            context.client_ip = self._client_of(request, context)
        if not request.path.startswith(_PREFIX):
            return proceed(request, context)
        path, _, query = request.path.partition(b"?")
        if path not in (_SCRIPT_PATH, _ANSWER_PATH):
            return Refusal(404, detail="no such part of the challenge")
        if request.method not in _READS:
            return Refusal(405, detail="the challenge is read alone", lines=(b"Allow: GET, HEAD",))
        if path == _SCRIPT_PATH:
            return Answer(200, _SCRIPT_LINES, SCRIPT)
        return self._answer(request, context, query)

    def _answer(self, request: RequestHead, context: RequestContext, query: bytes) -> Decision:
        try:
            said: dict[str, Any] = parse_qs(query.decode("ascii"), keep_blank_values=True, max_num_fields=8)
        except ValueError:
            said = {}
        question, number, to = (said.get(name, [""])[0] for name in ("question", "number", "to"))
        to = local(to)
        why = self._proofs.answered(question, number, context.client_ip)
        if why:
            self._counts.failed += 1
            return challenged(request, context, self._proofs, self._counts, why, to)
        self._counts.passed += 1
        value, seconds = self._proofs.passing(question, context.client_ip)
        secure = "; Secure" if context.scheme == "https" else ""
        cookie = (
            f"Set-Cookie: {COOKIE.decode('ascii')}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
        )
        lines = (f"Location: {to}".encode("ascii"), cookie.encode("ascii"), b"Cache-Control: no-store")
        return Answer(303, (*lines, b"Referrer-Policy: same-origin"))
