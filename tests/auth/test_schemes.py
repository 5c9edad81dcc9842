"""Basic and Bearer, and the threads in which passwords are hashed."""

from __future__ import annotations

import base64
import threading
from queue import Queue
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from txproxy.auth.digest import Failure
from txproxy.auth.htpasswd import Passwords
from txproxy.auth.schemes import Basic, Bearer, HashingThreads, file_passwords, file_tokens
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

HEAD = RequestHead(b"GET", b"/", Headers(), authority=b"a", scheme=b"http")


def basic(text: str) -> bytes:
    return base64.b64encode(text.encode())


def test_what_is_asked_for() -> None:
    assert Basic("staff", lambda name, password: None).challenges() == (b'Basic realm="staff", charset="UTF-8"',)
    bearer = Bearer("staff", lambda token: None)
    assert bearer.challenges() == (b'Bearer realm="staff"',)
    assert not bearer.knows(b"abc")
    assert bearer.challenges(Failure.WRONG) == (b'Bearer realm="staff", error="invalid_token"',)


def test_basic_asks_for_name_and_password() -> None:
    asked = []
    scheme = Basic("staff", lambda name, password: asked.append((name, password)) or name)
    assert scheme.check(basic("jürgen:sé:cret"), HEAD) == "jürgen"
    assert asked == [("jürgen", "sé:cret".encode())]
    assert scheme.check(b"!", HEAD) is Failure.WRONG
    assert len(asked) == 1


@pytest.mark.parametrize("rest", [b"", b"two words", b"a=b", b"\xff", b"a" * 8193, b"a, Bearer b"])
def test_what_can_be_no_token_is_not_looked_up(rest: bytes) -> None:
    asked: list[str] = []
    assert Bearer("staff", asked.append).check(rest, HEAD) is Failure.WRONG  # type: ignore[arg-type]
    assert asked == []


def test_tokens_of_a_file_are_found_and_follow_its_changes() -> None:
    content = {"abc": "bob", "def": "alice"}
    check = file_tokens(lambda: content)
    scheme = Bearer("staff", check)
    assert scheme.check(b"abc", HEAD) == "bob"
    assert scheme.check(b"def", HEAD) == "alice"
    assert scheme.check(b"ab", HEAD) is None
    content = {"def": "carol"}
    assert scheme.check(b"abc", HEAD) is None
    assert scheme.check(b"def", HEAD) == "carol"


def test_passwords_of_a_file_are_hashed_elsewhere() -> None:
    runs: list[Any] = []

    def run(function: Any, name: str, password: bytes) -> Deferred[bool]:
        runs.append((Deferred(), name, password))
        return runs[-1][0]  # type: ignore[no-any-return]

    content = Passwords({})
    check = file_passwords(lambda: content, run)
    results: list[Any] = []
    for _ in range(2):
        found = check("bob", b"secret")
        assert isinstance(found, Deferred)
        found.addCallback(results.append)
    assert [run[1:] for run in runs] == [("bob", b"secret")] * 2
    runs[0][0].callback(True)
    runs[1][0].callback(False)
    assert results == ["bob", None]


class Calls:
    """What a reactor is to do in its own thread, and at its end."""

    def __init__(self) -> None:
        self.calls: Queue[Any] = Queue()
        self.ends: list[Any] = []

    def callFromThread(self, function: Any, *arguments: Any) -> None:
        self.calls.put((function, arguments))

    def addSystemEventTrigger(self, phase: str, event: str, function: Any) -> Any:
        assert (phase, event) == ("during", "shutdown")
        self.ends.append(function)
        return function

    def removeSystemEventTrigger(self, function: Any) -> None:
        self.ends.remove(function)


def test_hashes_run_in_threads_of_their_own_that_end_with_the_reactor() -> None:
    reactor = Calls()
    run = HashingThreads(reactor, 1)
    assert not reactor.ends
    where: list[threading.Thread] = []
    results: list[Any] = []

    def slow(name: str, password: bytes) -> bool:
        where.append(threading.current_thread())
        return (name, password) == ("bob", b"secret")

    for password in (b"secret", b"wrong"):
        run(slow, "bob", password).addCallback(results.append)
        function, arguments = reactor.calls.get(timeout=30)
        function(*arguments)
    assert results == [True, False]
    assert where[0] is not threading.main_thread()
    (end,) = reactor.ends
    end()
    run.close()
    assert not any(thread.is_alive() for thread in where)


def test_they_end_before_it_where_nobody_wants_them_any_more() -> None:
    reactor = Calls()
    run = HashingThreads(reactor, 1)
    run.close()
    where: list[threading.Thread] = []
    results: list[Any] = []

    def note(name: str, password: bytes) -> bool:
        where.append(threading.current_thread())
        return True

    for _ in range(2):
        run(note, "bob", b"").addCallback(results.append)
        function, arguments = reactor.calls.get(timeout=30)
        function(*arguments)
        assert len(reactor.ends) == 1
        run.close()
        assert not reactor.ends
    assert results == [True, True]
    assert not any(thread.is_alive() for thread in where)
