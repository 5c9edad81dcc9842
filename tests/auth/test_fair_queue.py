"""Each who asks gets a turn, whoever asks most."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from txproxy.auth.fair_queue import FairQueue, QueueFull


class Work:
    """What a queue has begun, until a test ends it."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.running: dict[str, Deferred[Any]] = {}
        self.begun: list[str] = []
        self.done: list[tuple[str, Any]] = []

    def ask(self, *names: str) -> list[Any]:
        """For the key that each name begins with."""
        return [self._ask(name) for name in names]

    def _ask(self, name: str) -> Any:
        def begin() -> Deferred[Any]:
            self.begun.append(name)
            self.running[name] = Deferred()
            return self.running[name]

        waiting = self.queue.run(name[0], begin)
        waiting.addBoth(lambda result: self.done.append((name, result)))
        return waiting

    def end(self, name: str, result: Any = None) -> None:
        self.running.pop(name).callback(result)


def made(at_once: int = 2, each: int = 1, longest: int = 100) -> Work:
    return Work(FairQueue(at_once, each, longest))


def test_keys_take_turns() -> None:
    work = made(at_once=1)
    work.ask("a1", "a2", "a3", "a4", "b1", "b2", "c1")
    order = []
    while work.running:
        (name,) = work.running
        order.append(name)
        work.end(name)
    assert order == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]
    assert [name for name, _ in work.done] == order and not len(work.queue)


def test_a_key_has_no_more_than_its_share_even_if_nobody_else_asks() -> None:
    work = made(at_once=3, each=2)
    work.ask("a1", "a2", "a3", "b1")
    assert work.begun == ["a1", "a2", "b1"]
    work.end("b1")
    assert work.begun == ["a1", "a2", "b1"]
    work.end("a1")
    assert work.begun[-1] == "a3"


def test_results_and_failures_reach_who_has_asked() -> None:
    work = made(at_once=1)
    work.ask("a1", "b1")
    work.end("a1", "one")
    work.end("b1", ZeroDivisionError("two"))
    assert work.done[0] == ("a1", "one") and str(work.done[1][1]) == "two"


def test_work_may_be_done_at_once() -> None:
    work = made(at_once=1, longest=5000)
    assert work.queue.run("a", lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        work.queue.run("a", lambda: 1 // 0)
    work.ask("a1")
    results: list[Any] = []
    for number in range(3000):
        work.queue.run("b", partial(int, number)).addCallback(results.append)
    work.queue.run("c", lambda: 1 // 0).addErrback(results.append)
    work.end("a1")
    # However many there are, they are not done one within the other.
    assert len(results) == 3001 and results[1].check(ZeroDivisionError)
    assert not len(work.queue)


def test_what_is_forgotten_never_begins() -> None:
    work = made(at_once=1)
    begun, dropped, kept = work.ask("a1", "a2", "b1")
    assert not work.queue.forget(begun)
    assert work.queue.forget(dropped) and not work.queue.forget(dropped)
    work.end("a1")
    work.end("b1")
    assert work.begun == ["a1", "b1"] and kept.called


def test_who_has_most_makes_room_for_others() -> None:
    work = made(at_once=1, longest=4)
    work.ask("a0", "a1", "a2", "a3", "a4")
    with pytest.raises(QueueFull):
        work.ask("a5")
    work.ask("b1")
    ((name, failure),) = work.done
    assert name == "a4" and failure.check(QueueFull)
    work.ask("b2")
    with pytest.raises(QueueFull):
        work.ask("b3")
    work.ask("c1")
    assert len(work.queue) == 4
