"""What becomes of a request, before anybody is dialled: who sends it, where it goes, and whether it may.

One chain of steps, built when the configuration is: what is off is not in it. Each step is a call; a Deferred comes
only where something has to wait (a password's hash, a name server, a person).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias

from OpenSSL import SSL
from twisted.internet.defer import Deferred, TimeoutError

from txproxy.forward.access.decisions import Outcome, Rules, Verdict
from txproxy.forward.access.refusals import Blocked, denied
from txproxy.forward.auth.authenticator import Authenticator
from txproxy.forward.auth.credentials import User
from txproxy.forward.blocklists.filtering import Filters
from txproxy.forward.egress.approvals import Ask, Question
from txproxy.forward.memo import Notes, notes_of
from txproxy.forward.request.facts import TUNNEL, Facts
from txproxy.forward.request.targets import Target, Targets
from txproxy.forward.request.url_rewrites import Change, Rewrites
from txproxy.interfaces import Answer, Client, Decision, Refusal
from txproxy.net.transports import tls_connection
from txproxy.wire.grammar import ABSOLUTE
from txproxy.wire.message import RequestHead

_ALLOW: Final = Outcome.ALLOW
_NO_GROUPS: Final[frozenset[str]] = frozenset()
_FOR_EVER: Final = float("inf")
_NEVER: Final = float("-inf")
# For so many seconds a decision that follows from the time, from use or from addresses is taken to be still the same.
_BRIEFLY: Final = 1.0


class Case:
    """One request on its way through the chain. ``head`` is what is to be sent on, ``asked`` what the client sent.

    ``dial`` is a host to connect to in place of the target's, ``lines`` are to be added to the request, ``rule`` is
    the one that allowed it, and ``pinned`` are the addresses that were judged, if any were.

    ``known_until``: until when the same fields are known to be of the same user; ``settled_until``: until when the same
    request would pass in the same way, and ``by_url`` whether one for another path might not. ``noted``: whether who
    sends it, and where to, is in the notes already.
    """

    __slots__ = (
        "asked", "head", "client", "target", "facts", "dial", "lines", "rule", "pinned", "known_until", "settled_until",
        "by_url", "noted",
    )  # fmt: skip

    target: Target
    facts: Facts

    def __init__(self, head: RequestHead, client: Client) -> None:
        self.asked = self.head = head
        self.client = client
        self.dial = ""
        self.lines: tuple[bytes, ...] = ()
        self.rule = ""
        self.pinned: tuple[str, ...] = ()
        self.known_until = self.settled_until = _FOR_EVER
        self.by_url = False
        self.noted = False


Result: TypeAlias = "Refusal | Answer | None"
Step: TypeAlias = "Callable[[Case], Result | Deferred[Result]]"
FindAddresses: TypeAlias = "Callable[..., tuple[str, ...] | Deferred[tuple[str, ...]]]"


class Judge:
    """Takes requests through the steps: ``first`` those that say who sends them, if any do, then what ``changes`` where
    they go, if anything does, then ``aim``, then the ``others``. What a step gives is the answer; None is for the next
    one, and after the last ``go`` makes a plan.

    What came of a request is remembered with its connection: for one with the very same fields, it is known who sends
    it, and for the same request again, what comes of it (``again`` makes the plan, from the notes).
    """

    def __init__(
        self,
        first: Sequence[Step],
        changes: Step | None,
        aim: Aim,
        others: Sequence[Step],
        go: Callable[[Case], Decision],
        again: Callable[[RequestHead, Client, Notes], Decision],
        clock: Any,
    ) -> None:
        self._steps: tuple[Step, ...] = (*first, *([changes] if changes is not None else []), aim, *others)
        self._count = len(self._steps)
        self._changes = changes is not None
        # where one whose sender is known goes on
        self._known_at = len(first) + (0 if self._changes else 1)
        self._aim = aim
        self._go = go
        self._again = again
        self._seconds: Callable[[], float] = clock.seconds
        self._generation = 0

    def forget(self) -> None:
        """What policy is made of has changed: judge everything anew."""
        self._generation += 1

    def __call__(self, head: RequestHead, client: Client) -> Decision:
        """What becomes of a request."""
        notes: Notes = client.notes or notes_of(client)
        if (
            notes.judged is head.headers
            and notes.authority == head.authority
            and notes.scheme == head.scheme
            and notes.generation == self._generation
        ):
            now = self._seconds()
            if now < notes.known_until:
                client.user, client.groups = notes.user, notes.groups
                if now < notes.settled_until and notes.method == head.method and notes.path in (None, head.path):
                    client.verdict = notes.verdict
                    return self._again(head, client, notes)
                client.verdict = None
                case = Case(head, client)
                case.known_until = notes.known_until
                case.noted = True
                if not self._changes:
                    self._aim.at(case, notes.aim)
                known: Decision = self._on(None, case, self._known_at)
                return known
        # Whoever sent the request before, and whatever became of that.
        client.user, client.groups, client.verdict = None, _NO_GROUPS, None
        decision: Decision = self._on(None, Case(head, client), 0)
        return decision

    def _on(self, result: Result, case: Case, at: int) -> Any:
        if result is not None:
            return result
        while at < self._count:
            step = self._steps[at]
            at += 1
            given = step(case)
            if given is not None:
                if isinstance(given, Deferred):
                    return given.addCallback(self._on, case, at)
                return given
        if case.known_until > 0.0 and case.head is case.asked:
            self._note(case)
        return self._go(case)

    def _note(self, case: Case) -> None:
        head, client = case.asked, case.client
        notes: Notes = client.notes
        if not case.noted:
            notes.judged, notes.scheme, notes.authority = head.headers, head.scheme, head.authority
            notes.generation, notes.known_until = self._generation, case.known_until
            notes.user, notes.groups, notes.aim = client.user, client.groups, case.target
        if case.settled_until > 0.0 and not case.dial and not case.lines:
            notes.method, notes.path = head.method, head.path if case.by_url else None
            notes.verdict, notes.rule, notes.pinned = client.verdict, case.rule, case.pinned
            notes.settled_until = case.settled_until
        else:
            notes.settled_until = _NEVER


class Authentication:
    """Asks who sends a request; ``client.user`` and ``client.groups`` say so from then on."""

    def __init__(self, authenticator: Authenticator, certificates: bool) -> None:
        self._authenticator = authenticator
        self._certificates = certificates

    def __call__(self, case: Case) -> Result | Deferred[Result]:
        """See :data:`Step`."""
        client = case.client
        client.user = None
        case.noted = False
        if self._certificates and client.certificate is None:
            client.certificate = _verified(client.transport)
        checked = self._authenticator.check(case.asked, client)
        if type(checked) is User:
            client.user = checked.name
            client.groups = checked.groups
            case.known_until = self._authenticator.known_until
            return None
        case.known_until = _NEVER
        if isinstance(checked, Deferred):
            return checked.addCallback(_known, client)
        assert isinstance(checked, Refusal)
        return _known(checked, client)

    def challenge(self, verdict: Verdict) -> Refusal:
        """Ask for other credentials than those that came, which were right, but of somebody who may not."""
        return self._authenticator.challenge(f"{verdict.reason} ({verdict.rule})")


def _known(checked: User | Refusal, client: Client) -> Result:
    if isinstance(checked, User):
        client.user = checked.name
        client.groups = checked.groups
        return None
    client.user = None
    client.groups = _NO_GROUPS
    client.verdict = denied(checked.detail, "auth")
    return checked


def _verified(transport: object) -> Any:
    """The certificate that a client has shown on its way to the proxy, and OpenSSL has verified."""
    connection = tls_connection(transport)
    # With VERIFY_PEER, and no callback that would forgive, OpenSSL ends the handshake if it does not verify.
    if connection is None or not connection.get_verify_mode() & SSL.VERIFY_PEER:
        return None
    return connection.get_peer_certificate()


class Aim:
    """Finds the target, and the ``facts`` that lists and rules are asked about, if there are any."""

    def __init__(self, targets: Targets, facts: bool = True) -> None:
        self._find = targets.of
        self._facts = facts

    def __call__(self, case: Case) -> None:
        """See :data:`Step`."""
        self.at(case, self._find(case.head, case.client))

    def at(self, case: Case, target: Target) -> None:
        """The same where the target is known."""
        case.target = target
        if self._facts:
            client = case.client
            case.facts = Facts(case.head, client.client_ip, target.host, target.port, client.user, client.groups)


class Changing:
    """Sends requests elsewhere than they want, and clients too. Where they want to go need not be allowed."""

    def __init__(self, rewrites: Rewrites, targets: Targets) -> None:
        self._find = rewrites.find
        self._named = targets.named

    def __call__(self, case: Case) -> Result:
        """See :data:`Step`."""
        head, client = case.head, case.client
        target = self._named(head.scheme or b"", head.authority)
        case.by_url = True
        change = self._find(Facts(head, client.client_ip, target.host, target.port, client.user, client.groups))
        return self._apply(change, case) if change is not None else None

    def _apply(self, change: Change, case: Case) -> Result:
        if change.redirect is not None:
            case.client.verdict = Verdict(outcome=_ALLOW, rule=change.name, reason=f"sent to {change.url}")
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


class Filtering:
    """Refuses what is on a block list."""

    def __init__(self, filters: Filters) -> None:
        self._filters = filters

    def __call__(self, case: Case) -> None:
        """See :data:`Step`."""
        hit = self._filters.find(case.facts)
        case.by_url = case.by_url or self._filters.by_url
        if hit is not None:
            verdict = denied(f"{hit.entry} is on the list {hit.list_name}", "filters", hit.list_name)
            raise _blocked(verdict, case)


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
            case.client.verdict = verdict
            case.rule = verdict.rule
            if program.by_url:
                case.by_url = True
            if program.by_time:
                case.settled_until = self._seconds() + _BRIEFLY
            return None
        return self._less_plain(verdict, case)

    def _less_plain(self, verdict: Verdict, case: Case) -> Result | Deferred[Result]:
        case.client.verdict = verdict
        outcome = verdict.outcome
        if outcome is Outcome.DENY:
            if verdict.challenge and self._users is not None:
                return self._users.challenge(verdict)
            raise _blocked(verdict, case)
        if outcome is Outcome.ASK:
            return self._question(verdict, case)
        if outcome is Outcome.NEEDS_ADDRESSES:
            found = self._find(case.dial or case.facts.host, client_ip=case.client.client_ip)
            if isinstance(found, Deferred):
                return found.addCallback(self._found, case)
            return self._found(found, case)
        assert self._users is not None, "rules know whether anybody can be asked"
        known = self._users(case)
        if isinstance(known, Deferred):
            return known.addCallback(self._identified, case)
        return self._identified(known, case)

    def _found(self, addresses: tuple[str, ...], case: Case) -> Result | Deferred[Result]:
        case.facts.addresses = case.pinned = addresses
        return self(case)

    def _identified(self, result: Result, case: Case) -> Result | Deferred[Result]:
        if result is not None:
            return result
        case.facts.user, case.facts.groups = case.client.user, case.client.groups
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
        case.settled_until = _NEVER  # a yes is for one request
        case.client.verdict = Verdict(outcome=_ALLOW, rule=verdict.rule, reason="approved")
        case.rule = verdict.rule

    def _not_answered(self, failure: Any, verdict: Verdict, case: Case) -> None:
        failure.trap(TimeoutError)
        # No 504, after which programs try again by themselves, and put the same question anew.
        raise _blocked(denied(f"the rule {verdict.rule!r} asks, and nobody answered in time", verdict.rule), case)


async def _wait(answer: Awaitable[bool]) -> bool:
    return await answer


def _blocked(verdict: Verdict, case: Case) -> Blocked:
    case.client.verdict = verdict
    return Blocked(verdict, url_of(case.facts))


def url_of(facts: Facts) -> str:
    """What a request is for, as its client knows it."""
    if facts.scheme is TUNNEL:
        return f"[{facts.host}]:{facts.port}" if ":" in facts.host else f"{facts.host}:{facts.port}"
    return facts.url.text
