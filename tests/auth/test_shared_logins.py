"""Logins at several processes: a guesser gets no further than at one, and what one has found right the others know."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred, succeed

from tests.auth.asking import APR1, IP, RIGHT, WRONG, Asked, ask, basic, change
from tests.cluster.played import Cluster
from txproxy.auth.auth_policy import AuthPolicy, make_authenticator
from txproxy.auth.credentials import User
from txproxy.auth.login_throttle import TryLimits
from txproxy.auth.shared_logins import SharedLogins

LOGINS, UNDER_WAY = "logins", "under way"


class Hashing:
    """What hashes passwords, at once, and counts how often it had to; or later, where it is told to wait."""

    at_once = 4

    def __init__(self) -> None:
        self.times = 0
        self.waits: list[Deferred[bool]] | None = None

    def __call__(self, function: Callable[..., bool], name: str, password: bytes) -> Deferred[bool]:
        self.times += 1
        if self.waits is not None:
            waiting: Deferred[bool] = Deferred()
            self.waits.append(waiting)
            return waiting
        return succeed(function(name, password))


class Process:
    def __init__(self, cluster: Cluster, number: int, policy: AuthPolicy) -> None:
        self.hashing = Hashing()
        self.made = make_authenticator(policy, cluster.clock, self.hashing)
        self.logins = SharedLogins(self.made, cluster.clock)
        cluster.come(number, {LOGINS: self.logins, UNDER_WAY: self.logins.under_way})


class Together:
    def __init__(self, policy: AuthPolicy, count: int = 3, delay: float = 0.002) -> None:
        self.cluster = Cluster(delay)
        self.policy = attrs.evolve(policy, login_secret=b"the same", digest_secret=b"as well")
        self.processes: list[Process] = []
        for _ in range(count):
            self.come()
        self.cluster.go_on(0.1)

    def come(self) -> Process:
        self.processes.append(Process(self.cluster, len(self.processes), self.policy))
        return self.processes[-1]

    def tell(self) -> None:
        """Let them hear of each other."""
        self.cluster.go_on(0.06)


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    path.write_text(f"bob:{APR1}\n")
    return path


@pytest.fixture
def together(users: Path) -> Iterator[Together]:
    made = Together(AuthPolicy(password_file=str(users)))
    yield made
    # Delays of answers are over, and nobody has anything to tell.
    made.cluster.go_on(40, 1)
    assert not made.cluster.clock.getDelayedCalls()


def status(answer: Any) -> int | None:
    return getattr(answer, "status", None)


def test_failures_at_all_of_them_are_those_of_one_address(together: Together) -> None:
    first, second, third = together.processes
    for process in (first, second, third):
        assert status(ask(process.made, basic(WRONG))) == 407
        together.tell()
    # The free ones are used up: the next takes its time, wherever it is made.
    waiting = ask(second.made, basic(WRONG))
    assert waiting == []
    together.tell()
    later = ask(third.made, basic(WRONG))
    together.cluster.go_on(0.95)
    assert status(waiting[0]) == 407 and later == []
    together.cluster.go_on(1.1)
    assert status(later[0]) == 407
    # Another address has done nothing.
    assert status(ask(first.made, basic(WRONG), "192.0.2.9")) == 407


@pytest.mark.parametrize("delay", [0.002, 0.5])
def test_a_guesser_who_goes_round_the_processes_gets_no_more_tries_than_at_one(users: Path, delay: float) -> None:
    def guesses(count: int) -> int:
        made = Together(AuthPolicy(password_file=str(users)), count, delay)
        for number in range(10 * 60 * 5):
            ask(made.processes[number % count].made, basic(f"bob:guess{number}"))
            made.cluster.go_on(0.2, 0.05)
        return sum(process.hashing.times for process in made.processes)

    alone = guesses(1)
    # What is heard a second late is a second late to slow anybody.
    assert alone < 100 and guesses(4) <= (1.1 * alone + 4 if delay < 0.1 else 2 * alone)


def test_tries_that_are_under_way_elsewhere_take_places_too(together: Together) -> None:
    first, second, third = together.processes
    for _ in range(3):
        ask(first.made, basic(WRONG))
    first.hashing.waits = second.hashing.waits = []
    for number in range(2):
        ask(first.made, basic(f"bob:{number}"))
        ask(second.made, basic(f"bob:other{number}"))
    together.tell()
    assert third.made.tries.under_way.of(IP) == 4
    assert status(ask(third.made, basic("bob:one too many"))) == 429
    together.cluster.die(0)
    together.tell()
    # What a process had under way that is gone is so no more.
    assert third.made.tries.wait(IP) == 0


def test_what_one_has_hashed_the_others_know(together: Together) -> None:
    first, second, third = together.processes
    assert ask(first.made, basic(RIGHT)) == User("bob")
    together.tell()
    assert ask(second.made, basic(RIGHT)) == ask(third.made, basic(RIGHT)) == User("bob")
    assert [one.hashing.times for one in together.processes] == [1, 0, 0]
    assert not any(b"myPassword" in key for key in third.made.memory._users)
    # And for no longer than the one who has found it out.
    together.cluster.clock.advance(299.9)
    assert ask(second.made, basic(RIGHT)) == User("bob") and not second.hashing.times
    together.cluster.clock.advance(0.2)
    assert ask(second.made, basic(RIGHT)) == User("bob") and second.hashing.times == 1


def test_what_was_right_by_a_file_that_is_another_by_now_is_not_believed(together: Together, users: Path) -> None:
    first, second, third = together.processes
    change(users, f"eve:{APR1}\n")
    # One of them has seen that, and one has not, and is asked.
    second.made.check_files()
    assert ask(first.made, basic(RIGHT)) == User("bob")
    together.tell()
    assert status(ask(second.made, basic(RIGHT))) == 407 and second.hashing.times == 1
    assert ask(third.made, basic(RIGHT)) == User("bob") and not third.hashing.times


def test_what_was_right_before_a_file_changed_is_not_told_after_it(together: Together, users: Path) -> None:
    first, second, _ = together.processes
    assert ask(first.made, basic(RIGHT)) == User("bob")
    change(users, f"eve:{APR1}\n")
    for process in together.processes:
        process.made.check_files()
    together.tell()
    assert status(ask(second.made, basic(RIGHT))) == 407


def test_one_that_comes_knows_what_is_known_and_what_has_failed(together: Together) -> None:
    first, _, _ = together.processes
    ask(first.made, basic(RIGHT))
    waiting = [ask(first.made, basic(f"bob:{number}")) for number in range(5)]
    together.tell()
    together.cluster.die(0)
    new = together.come()
    together.cluster.go_on(0.1)
    assert ask(new.made, basic(RIGHT)) == User("bob") and not new.hashing.times
    record = new.made.tries._records[IP]
    assert record.failures == 5 and len(record.held) == 2 and waiting[3:] == [[], []]


def test_a_count_that_one_has_seen_is_good_at_no_other(users: Path) -> None:
    users.write_text("bob:txproxy:1cd34ffb3a7a8d5e1a8a1d0b9e0b0f4c\n")
    first, second, third = Together(AuthPolicy(digest_file=str(users))).processes
    nonces = [process.made.nonces for process in (first, second, third)]
    assert all(one is not None for one in nonces)
    one, other, last = (found for found in nonces if found is not None)
    cluster = first.logins._clock
    nonce = one.new()
    assert one.take(nonce, "bob", 1) and one.take(nonce, "bob", 3)
    assert other.take(nonce, "bob", 2)
    cluster.pump([0.001] * 60)  # type: ignore[attr-defined]
    for found in (one, other, last):
        assert not any(found.take(nonce, "bob", count) for count in (1, 2, 3))
        assert not found.take(nonce, "eve", 9) and found.knows(nonce, "bob")
    assert last.take(nonce, "bob", 200)
    cluster.pump([0.001] * 60)  # type: ignore[attr-defined]
    assert not one.take(nonce, "bob", 200) and not one.take(nonce, "bob", 2) and one.take(nonce, "bob", 199)


def test_where_there_are_no_others_nothing_is_kept_for_them(together: Together) -> None:
    process = together.processes[0]
    together.cluster.members[0].alone()
    ask(process.made, basic(RIGHT))
    ask(process.made, basic(WRONG))
    assert process.logins.news() == (None, False)
    assert ask(together.processes[1].made, basic(RIGHT)) == User("bob") and together.processes[1].hashing.times == 1


def test_an_embedder_s_users_are_told_with_their_groups() -> None:
    asked = Asked()

    def found(name: str, password: bytes) -> Any:
        return User(name, frozenset({"staff"})) if asked(name, password) else None

    made = Together(AuthPolicy(passwords=found, tries=TryLimits(free=1)))
    assert ask(made.processes[0].made, basic("bob:right")) == User("bob", frozenset({"staff"}))
    made.tell()
    assert ask(made.processes[1].made, basic("bob:right")) == User("bob", frozenset({"staff"})) and asked.times == 1
