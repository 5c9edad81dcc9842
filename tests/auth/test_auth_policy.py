"""Whom a policy serves: where its users come from, and what it cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.defer import succeed
from twisted.internet.task import Clock

from tests.auth.asking import HA1, RIGHT, WRONG, Asked, ask, basic, challenges, change
from txproxy.auth.auth_policy import AuthPolicy, make_authenticator
from txproxy.auth.credentials import User
from txproxy.errors import ConfigError


def test_the_strongest_comes_first(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "digests").write_text(f"bob:staff:{HA1}\n")
    policy = AuthPolicy(
        passwords=Asked(), digest_file=str(tmp_path / "digests"), tokens=lambda token: None, realm="staff"
    )
    made = make_authenticator(policy, clock)
    assert [line.partition(" ")[0] for line in challenges(ask(made))] == ["Digest", "Bearer", "Basic"]
    # A reason goes with the scheme whose credentials were wrong, and with no other.
    assert ['error="invalid_token"' in line for line in challenges(ask(made, b"Bearer abc"))] == [False, True, False]
    assert not any("error" in line or "stale" in line for line in challenges(ask(made, basic(WRONG))))


def test_groups_come_from_their_file_and_follow_it(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "groups"
    path.write_text("staff: bob\n")
    made = make_authenticator(AuthPolicy(passwords=Asked(), group_file=str(path)), clock)
    assert ask(made, basic("bob:right")) == User("bob", frozenset({"staff"}))
    assert ask(made, basic("eve:right")) == User("eve")
    change(path, "staff: eve\nadmin: bob\n")
    assert made.check_files()
    assert ask(made, basic("bob:right")) == User("bob", frozenset({"admin"}))


@pytest.mark.parametrize("option", ["password_file", "digest_file", "token_file", "group_file"])
def test_a_file_that_is_wrong_ends_it_at_the_start(clock: Clock, tmp_path: Path, option: str) -> None:
    path = tmp_path / "users"
    path.write_text("bob\n")
    options: dict[str, Any] = {"passwords": Asked()} if option == "group_file" else {}
    with pytest.raises(ConfigError, match=rf"^{path}:1: .*accepted is"):
        make_authenticator(AuthPolicy(**options, **{option: str(path)}), clock)


def test_tokens_of_a_file(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("abc:bob\n")
    made = make_authenticator(AuthPolicy(token_file=str(tmp_path / "tokens")), clock)
    assert ask(made, b"Bearer abc") == User("bob")
    assert ask(made, b"bearer abc") == User("bob")
    assert challenges(ask(made, b"Bearer abd")) == ['Bearer realm="txproxy", error="invalid_token"']


@pytest.mark.parametrize(
    ("found", "user"),
    [
        ("bob", User("bob")),
        (User("bob", frozenset({"x"})), User("bob", frozenset({"x"}))),
        (succeed("bob"), User("bob")),
        (succeed(User("bob")), User("bob")),
    ],
)
def test_a_function_says_who_it_is(clock: Clock, found: Any, user: User) -> None:
    assert ask(make_authenticator(AuthPolicy(passwords=lambda name, password: found), clock), basic(RIGHT)) == user


@pytest.mark.parametrize("found", [None, "", succeed(None)])
def test_a_function_may_know_nobody(clock: Clock, found: Any) -> None:
    assert challenges(ask(make_authenticator(AuthPolicy(passwords=lambda name, password: found), clock), basic(RIGHT)))


def test_a_checker_of_twisted_plugs_in(clock: Clock) -> None:
    checker = InMemoryUsernamePasswordDatabaseDontUse(bob=b"secret")
    made = make_authenticator(AuthPolicy(passwords=checker), clock)
    assert ask(made, basic("bob:secret")) == User("bob")
    assert challenges(ask(made, basic("bob:wrong")))
    with pytest.raises(ConfigError, match="checks no such credentials"):
        make_authenticator(AuthPolicy(tokens=checker), clock)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "at least one source of users"),
        ({"group_file": "g"}, "at least one source of users"),
        ({"password_file": "f", "passwords": Asked()}, "password_file and passwords are both given"),
        ({"token_file": "f", "tokens": Asked()}, "token_file and tokens are both given"),
        ({"passwords": Asked(), "certificate_users": {}}, "without certificate_field"),
        ({"passwords": Asked(), "realm": 'a"b'}, "'a\"b' is no realm; accepted is"),
        ({"passwords": Asked(), "realm": "a\r\nb"}, "is no realm"),
        ({"passwords": Asked(), "realm": "é"}, "is no realm"),
        ({"passwords": Asked(), "realm": ""}, "is no realm"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(options: Any, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        AuthPolicy(**options)


def test_an_unknown_field_of_certificates_is_refused(clock: Clock) -> None:
    with pytest.raises(ConfigError, match="'dn' is no part of a certificate"):
        make_authenticator(AuthPolicy(certificate_field="dn"), clock)
