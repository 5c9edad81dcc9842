"""Checkers of twisted.cred, Twisted's own among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.cred import checkers
from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from txproxy.auth.cred_checkers import password_check, token_check
from txproxy.auth.credentials import IBearerToken
from txproxy.errors import ConfigError


def result_of(found: Any) -> Any:
    results: list[Any] = []
    found.addBoth(results.append)
    return results[0]


@implementer(checkers.ICredentialsChecker)
class Says:
    """Says the same whatever it is asked; remembers what it was asked."""

    def __init__(self, answer: Any, *interfaces: Any) -> None:
        self.credentialInterfaces = interfaces
        self.answer = answer
        self.asked: Any = None

    def requestAvatarId(self, credentials: Any) -> Any:
        self.asked = credentials
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_checker_of_twisted_knows_passwords() -> None:
    users = checkers.InMemoryUsernamePasswordDatabaseDontUse(bob=b"secret")
    check = password_check(users)
    assert result_of(check("bob", b"secret")) == "bob"
    assert result_of(check("bob", b"wrong")) is None
    assert result_of(check("eve", b"secret")) is None


def test_a_password_file_of_twisted_is_asked(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("jürgen:secret\n")
    check = password_check(checkers.FilePasswordDB(str(tmp_path / "users")))
    assert result_of(check("jürgen", b"secret")) == "jürgen"
    assert result_of(check("jürgen", b"wrong")) is None


@pytest.mark.parametrize("interface", [IUsernamePassword, IUsernameHashedPassword])
def test_what_a_checker_gets_is_what_it_takes(interface: Any) -> None:
    checker = Says(b"bob", interface)
    password_check(checker)("bob", b"secret")
    assert interface.providedBy(checker.asked)
    assert checker.asked.username == b"bob"


def test_a_checker_may_know_tokens() -> None:
    checker = Says("bob", IBearerToken)
    assert result_of(token_check(checker)("abc")) == "bob"
    assert checker.asked.token == b"abc"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("bob", "bob"),
        (b"bob", "bob"),
        ("jürgen".encode(), "jürgen"),
        (succeed(b"bob"), "bob"),
        (checkers.ANONYMOUS, None),
        (None, None),
        (UnauthorizedLogin("secret"), None),
        (LoginFailed("secret"), None),
    ],
)
def test_answers(answer: Any, found: str | None) -> None:
    assert result_of(password_check(Says(answer, IUsernamePassword))("bob", b"secret")) == found


def test_a_checker_may_take_its_time() -> None:
    answer: Deferred[bytes] = Deferred()
    found = password_check(Says(answer, IUsernamePassword))("bob", b"secret")
    assert isinstance(found, Deferred)
    assert not found.called
    answer.callback(b"bob")
    assert result_of(found) == "bob"


@pytest.mark.parametrize("answer", [OSError("no connection"), fail(OSError("no connection"))])
def test_a_checker_that_cannot_say_is_no_refusal(answer: Any) -> None:
    failure = result_of(password_check(Says(answer, IUsernamePassword))("bob", b"secret"))
    assert failure.check(OSError)


@pytest.mark.parametrize(("make", "wrong"), [(password_check, IBearerToken), (token_check, IUsernamePassword)])
def test_a_checker_of_other_credentials_is_refused_at_once(make: Any, wrong: Any) -> None:
    with pytest.raises(ConfigError, match="Says checks no such credentials; accepted are checkers of I"):
        make(Says(b"bob", wrong))
