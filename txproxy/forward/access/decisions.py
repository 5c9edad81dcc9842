"""What access rules say of a request.

What follows from one fact alone (client, host, port, ...) is worked out once for each value of it and remembered: the
set of rules that it leaves, as the bits of a number. The rules that all facts leave have only their conditions on the
time, the URL, fields, use and addresses still to be tested; this is remembered for each combination of facts that rules
ask for. Most combinations leave one verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeVar

import attrs

from txproxy.errors import ConfigError, Finding
from txproxy.forward.access.conditions.condition_type import Surroundings, Test
from txproxy.forward.access.conditions.host_conditions import list_hit, list_names
from txproxy.forward.access.conditions.network_conditions import addresses_of
from txproxy.forward.access.contradictions import covers, never_matches
from txproxy.forward.access.rules import Action, Rule
from txproxy.forward.request.facts import Facts
from txproxy.interfaces.answers import Outcome, Verdict

K = TypeVar("K")
V = TypeVar("V")

_REMEMBERED: Final = 4096
_WHO: Final = frozenset({"user", "groups"})
# Which conditions do not follow from the fields of a request, its target, and who sends it. A list has URLs in it where
# it does not follow from the host alone.
_BY_URL: Final = frozenset({"url", "hosts"})
_BY_TIME: Final = frozenset({"hours", "days", "used_more_than", "addresses", "matches"})
_NOT_REACHED: Final = "a rule before it decides"


@attrs.frozen
class Step:
    """Of an explanation: a rule, whether it matched (None: it was not reached), and why."""

    rule: str
    action: Action
    matched: bool | None
    why: str


class _Compiled:
    """A rule, made ready: its tests by what they follow from, and the verdict of it."""

    __slots__ = (
        "name", "rule", "verdict", "never", "stable", "changing", "who", "where", "listed", "by_url", "by_time",
        "_lists",
    )  # fmt: skip

    def __init__(self, name: str, rule: Rule, surroundings: Surroundings) -> None:
        self.name = name
        self.rule = rule
        # Nobody is asked who he is, and no name resolved, for a rule that comes to nothing.
        self.never = never_matches(rule.conditions)
        self.stable: dict[str, list[Test]] = {}
        self.changing: list[Test] = []
        self.who = False
        self.where: list[Test] = []
        self.listed: tuple[str, ...] = ()
        self.by_url = self.by_time = False
        self._lists = surroundings.lists
        for condition in rule.conditions:
            key, fact = condition.kind.key, condition.fact(surroundings)
            test = condition.test(surroundings, every=rule.action is Action.ALLOW)
            if key == "addresses":
                self.where.append(test)
            elif fact:
                self.stable.setdefault(fact, []).append(test)
            else:
                self.changing.append(test)
                self.by_url = self.by_url or key in _BY_URL
            self.by_time = self.by_time or key in _BY_TIME
            self.who = self.who or fact in _WHO
            if key == "hosts" and not condition.negated and list_names(condition.values):
                self.listed = condition.values
        outcome = Outcome(rule.action.value)
        reason = rule.reason or ("" if outcome is Outcome.ALLOW else f"the rule {name!r} says {rule.action.value}")
        self.verdict = Verdict(outcome=outcome, rule=name, reason=reason, challenge=rule.challenge)

    def decided(self, facts: Facts) -> Verdict:
        """The verdict, with the list that the request is on."""
        hit = list_hit(self.listed, self._lists, facts) if self.listed else None
        if hit is None:
            return self.verdict
        reason = self.rule.reason or f"{hit.entry} is on the list {hit.list_name}"
        return attrs.evolve(self.verdict, reason=reason, list_name=hit.list_name)


class _Fact:
    """One fact, and which rules each value of it leaves."""

    __slots__ = ("name", "_get", "_tests", "_others", "_known")

    def __init__(self, name: str, rules: Sequence[_Compiled]) -> None:
        self.name = name
        self._get = attrgetter(name)
        self._tests = [(1 << at, rule.stable[name]) for at, rule in enumerate(rules) if name in rule.stable]
        self._others = sum(1 << at for at, rule in enumerate(rules) if name not in rule.stable)
        self._known: dict[Any, int] = {}

    def left(self, facts: Facts) -> int:
        """The rules, as bits, that this fact does not rule out."""
        value = self._get(facts)
        left = self._known.get(value)
        if left is None:
            left = self._others
            for bit, tests in self._tests:
                if all(test(facts) for test in tests):
                    left |= bit
            _remember(self._known, value, left)
        return left


class _Entry(NamedTuple):
    """A rule that is left: its verdict holds where all ``tests`` do, unless ``finish`` makes another or none of it. One
    that is ``settled`` has nothing left to be tested.
    """

    verdict: Verdict
    tests: tuple[Test, ...]
    finish: Callable[[Facts], Verdict | None] | None
    settled: bool
    by_url: bool
    by_time: bool


class Program:
    """What is left to be tested for all requests that have the same facts. ``by_url`` and ``by_time`` say whether the
    path, or time, use and addresses, may yet decide.
    """

    __slots__ = ("by_url", "by_time", "_verdict", "_entries")

    def __init__(self, verdict: Verdict, entries: tuple[_Entry, ...] = ()) -> None:
        self._verdict = verdict
        self._entries = entries
        self.by_url = any(entry.by_url for entry in entries)
        self.by_time = any(entry.by_time for entry in entries)

    def run(self, facts: Facts) -> Verdict:
        """The verdict; see :meth:`Rules.decide`."""
        for verdict, tests, finish, _, _, _ in self._entries:
            for test in tests:
                if not test(facts):
                    break
            else:
                if finish is None:
                    return verdict
                finished = finish(facts)
                if finished is not None:
                    return finished
        return self._verdict


class Rules:
    """Rules in order, the first that matches decides, and ``default`` where none does.

    ``surroundings`` are what conditions ask beside the request. With ``authenticates``, a rule that names users or
    groups and matches in all else has the verdict ``NEEDS_USER`` while there is none; without it, nobody is a user that
    such a rule does not match. ``warnings`` has a line for each rule that can never match, ``unreachable`` the same
    with the number of the rule, from 0. ``ConfigError``, with a line for each and its place in ``where``, where rules
    have the same name, or ask for lists or use that ``surroundings`` do not have.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        default: Action = Action.DENY,
        surroundings: Surroundings | None = None,
        authenticates: bool = False,
        where: str = "rules",
    ) -> None:
        self.rules = tuple(rules)
        self._surroundings = surroundings or Surroundings()
        self._authenticates = authenticates
        self._names = tuple(rule.name or f"rule {number}" for number, rule in enumerate(self.rules, 1))
        # by the rule that allows it, how long a tunnel may be silent, where that is another time than the proxy's
        self.tunnel_timeouts = {
            name: rule.tunnel_timeout
            for name, rule in zip(self._names, self.rules, strict=True)
            if rule.tunnel_timeout is not None
        }
        self._check(where)
        self.unreachable = tuple(self._unreachable())
        self.warnings = tuple(text for _, text in self.unreachable)
        reason = "" if default is Action.ALLOW else "no rule allows it"
        self._default = Verdict(outcome=Outcome(default.value), rule="default", reason=reason)
        self._compile()
        if self._surroundings.lists is not None:
            self._surroundings.lists.watch(self._compile)

    def close(self) -> None:
        """Follow the lists no longer, which may be others' as well."""
        if self._surroundings.lists is not None:
            self._surroundings.lists.unwatch(self._compile)

    def decide(self, facts: Facts) -> Verdict:
        """What is to be done. Where the verdict is that more has to be known, set ``facts.addresses`` (or ``user`` and
        ``groups``) and ask again.
        """
        return self.program(facts).run(facts)

    def program(self, facts: Facts) -> Program:
        """How that is found out for all requests that have these facts."""
        key = self._key(facts)
        program = self._programs.get(key)
        return program if program is not None else self._program(key, facts)

    def explain(self, facts: Facts) -> tuple[Step, ...]:
        """Each rule in order, the default last, with why it did or did not match."""
        steps = []
        decided = False
        for compiled in self._compiled:
            matched, why = (None, _NOT_REACHED) if decided else self._why(compiled, facts)
            steps.append(Step(compiled.name, compiled.rule.action, matched, why))
            decided = decided or matched is not False
        action = Action(self._default.outcome.value)
        steps.append(Step("default", action, *((None, _NOT_REACHED) if decided else (True, "no rule matched"))))
        return tuple(steps)

    # --- making ready

    def _check(self, where: str) -> None:
        faults: list[Finding] = []
        numbers: dict[str, int] = {}
        lists = self._surroundings.lists
        known = lists.lists if lists is not None else {}
        for number, (name, rule) in enumerate(zip(self._names, self.rules, strict=True), 1):
            wrong: list[Finding] = []
            if name in numbers:
                wrong.append(Finding(("name",), f"{where}[{numbers[name]}] has it already", "accepted is another"))
            numbers.setdefault(name, number)
            if rule.challenge and not self._authenticates:
                wrong.append(Finding(("challenge",), "nobody is asked who he is", "accepted with auth"))
            for condition in rule.conditions:
                if condition.kind.key == "used_more_than" and self._surroundings.usage is None:
                    wrong.append(Finding(("used_more_than",), "nothing counts what is used", "accepted with quotas"))
                for asked in list_names(condition.values) if condition.kind.key == "hosts" else ():
                    if asked not in known:
                        accepted = f"accepted: {', '.join(known)}" if known else "accepted with lists"
                        wrong.append(Finding((condition.key,), f"there is no list {asked!r}", accepted))
            faults += [one.within(f"{where}[{number}] {name!r}", number - 1) for one in wrong]
        if faults:
            raise ConfigError(faults)

    def _unreachable(self) -> Iterable[tuple[int, str]]:
        before: list[tuple[str, Rule]] = []
        for number, (name, rule) in enumerate(zip(self._names, self.rules, strict=True)):
            why = never_matches(rule.conditions) or _taken_by(before, rule)
            if why:
                yield number, f"the rule {name!r} can never match: {why}"
            else:
                before.append((name, rule))

    def _compile(self) -> None:
        self._compiled = compiled = [
            _Compiled(name, rule, self._surroundings) for name, rule in zip(self._names, self.rules, strict=True)
        ]
        names = {name for rule in compiled for name in rule.stable}
        if self._authenticates and any(rule.who for rule in compiled):
            names.add("user")  # groups alone do not tell whether there is one
        self._facts = [_Fact(name, compiled) for name in sorted(names)]
        self._key: Callable[[Facts], Any] = attrgetter(*sorted(names)) if names else _nothing
        self._programs: dict[Any, Program] = {}
        self._left: dict[tuple[int, bool], tuple[tuple[_Entry, ...], Program]] = {}

    # --- deciding

    def _program(self, key: Any, facts: Facts) -> Program:
        asks = self._authenticates and facts.user is None
        left = -1
        for fact in self._facts:
            if not asks or fact.name not in _WHO:
                left &= fact.left(facts)
        known = self._left.get((left, asks))
        if known is None:
            entries = tuple(self._entries(left, asks))
            known = _remember(self._left, (left, asks), (entries, Program(self._default, entries)))
        entries, program = known
        first = entries[0]
        if first.settled:
            program = Program(first.verdict if first.finish is None else first.finish(facts) or first.verdict)
        return _remember(self._programs, key, program)

    def _entries(self, left: int, asks: bool) -> Iterator[_Entry]:
        for at, compiled in enumerate(self._compiled):
            if compiled.never or not left >> at & 1:
                continue
            unknown = bool(compiled.where) or (asks and compiled.who)
            entry = _Entry(
                verdict=compiled.verdict,
                tests=tuple(compiled.changing),
                finish=self._finish(compiled, asks) if unknown else compiled.decided if compiled.listed else None,
                settled=not compiled.changing and not unknown,
                by_url=compiled.by_url,
                by_time=compiled.by_time,
            )
            yield entry
            if entry.settled:
                return
        yield _Entry(verdict=self._default, tests=(), finish=None, settled=True, by_url=False, by_time=False)

    def _finish(self, compiled: _Compiled, asks: bool) -> Callable[[Facts], Verdict | None]:
        """What comes after all other tests, for it has its price: a user is asked, and a name is resolved."""
        needs_user = Verdict(outcome=Outcome.NEEDS_USER, rule=compiled.name) if asks and compiled.who else None
        needs_addresses = Verdict(outcome=Outcome.NEEDS_ADDRESSES, rule=compiled.name)

        def finish(facts: Facts) -> Verdict | None:
            known = addresses_of(facts) is not None
            if known and not all(test(facts) for test in compiled.where):
                return None
            if needs_user is not None:
                return needs_user
            return compiled.decided(facts) if known or not compiled.where else needs_addresses

        return finish

    def _why(self, compiled: _Compiled, facts: Facts) -> tuple[bool | None, str]:
        if compiled.never:
            return False, compiled.never
        rule = compiled.rule
        told = []
        unknown = ""
        for condition in rule.conditions:
            key = condition.kind.key
            if key == "addresses" and addresses_of(facts) is None:
                unknown = unknown or f"it needs the addresses of {facts.host}"
                continue
            if key in ("users", "groups") and self._authenticates and facts.user is None:
                unknown = unknown or "it needs to know the user"
                continue
            fits = condition.test(self._surroundings, rule.action is Action.ALLOW)(facts)
            one = fits is not condition.negated
            verb = condition.kind.verbs[0 if one else 1]
            sentence = f"{condition.kind.says(facts, self._surroundings)} {verb} {condition}"
            if not fits:
                return False, sentence
            told.append(sentence)
        if unknown:
            return None, unknown
        return True, "; ".join(told) or "it has no conditions"


def _remember(known: dict[K, V], key: K, value: V) -> V:
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = value
    return value


def _nothing(_: Facts) -> None:
    return None


def _taken_by(before: Iterable[tuple[str, Rule]], rule: Rule) -> str:
    for name, earlier in before:
        if covers(earlier.conditions, rule.conditions) and _decides_addresses(earlier, rule):
            return f"{name!r} before it matches all that it does"
    return ""


def _decides_addresses(earlier: Rule, later: Rule) -> bool:
    """Whether the addresses that ``later`` matches are such as ``earlier`` matches: one that allows wants all of them,
    which is more than the one that a rule which refuses wants.
    """
    asks = any(condition.kind.key == "addresses" for condition in earlier.conditions)
    return not asks or earlier.action is not Action.ALLOW or later.action is Action.ALLOW
