"""What clients send to say who they are."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword

from txproxy.auth.credentials import (
    BearerToken,
    IBearerToken,
    Login,
    MalformedCredentials,
    User,
    basic,
    read_basic,
    read_parameters,
    split_scheme,
)


@pytest.mark.parametrize(
    ("value", "scheme", "rest"),
    [
        (b"Basic abc=", b"basic", b"abc="),
        (b"DIGEST  a=b, c=d", b"digest", b"a=b, c=d"),
        (b"Negotiate", b"negotiate", b""),
        (b"", b"", b""),
    ],
)
def test_the_scheme_comes_first(value: bytes, scheme: bytes, rest: bytes) -> None:
    assert split_scheme(value) == (scheme, rest)


@pytest.mark.parametrize(
    ("text", "name", "password"),
    [
        ("bob:secret", "bob", "secret"),
        ("bob:se:cr:et", "bob", "se:cr:et"),
        ("bob:", "bob", ""),
        (":secret", "", "secret"),
        ("jürgen:pässwörd ☃", "jürgen", "pässwörd ☃"),
    ],
)
def test_basic_is_user_and_password_in_utf_8(text: str, name: str, password: str) -> None:
    assert read_basic(base64.b64encode(text.encode())) == Login(name, password.encode())


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b"Ym9i",  # bob
        b"Ym9iOnNlY3JldA",  # no padding
        b"Ym9iOnNlY3JldA==, Basic Ym9iOnNlY3JldA==",
        b"Ym9iOn NlY3JldA==",
        b"Ym9i-_NlY3JldA==",
        b"\xff",
        base64.b64encode("jürgen:x".encode("latin-1")),
        base64.b64encode(b"bob:sec\0ret"),
        base64.b64encode(b"bob:sec\nret"),
        base64.b64encode(b"b\x7fb:secret"),
    ],
)
def test_malformed_basic_is_an_error_that_does_not_repeat_it(rest: bytes) -> None:
    with pytest.raises(MalformedCredentials) as caught:
        read_basic(rest)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(st.binary(max_size=80))
def test_basic_is_read_or_refused(rest: bytes) -> None:
    try:
        login = read_basic(rest)
    except MalformedCredentials:
        return
    assert basic(login.username, login.password) == b"Basic " + rest


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        (b'username="bob", nc=00000001,qop=auth', {"username": "bob", "nc": "00000001", "qop": "auth"}),
        (b'A = "b" ,\tC\t=\td', {"a": "b", "c": "d"}),
        (b'a="x\\"y\\\\z, b=c"', {"a": 'x"y\\z, b=c'}),
        (b'a="",', {"a": ""}),
        ('a="jürgen"'.encode(), {"a": "jürgen"}),
        (b"username*=UTF-8''J%C3%A4s%C3%B8n", {"username": "Jäsøn"}),
        (b"", {}),
    ],
)
def test_parameters(rest: bytes, found: dict[str, str]) -> None:
    assert read_parameters(rest) == found


@pytest.mark.parametrize(
    "rest",
    [
        b"a",
        b"a=",
        b"=b",
        b'a="b',
        b'a="b\\"',
        b'a="b"c=d',
        b"a=b c=d",
        b"a=b, A=c",
        b'a=b, Digest username="x"',
        b", a=b",
        b'a="\xff"',
        b"a*=latin-1''b",
        b"a*=b",
        b"a*=UTF-8''%ff",
        b"a*=UTF-8''b, a=c",
    ],
)
def test_malformed_parameters(rest: bytes) -> None:
    with pytest.raises(MalformedCredentials):
        read_parameters(rest)


@given(st.binary(max_size=200))
def test_nothing_that_a_client_sends_raises_another_error(rest: bytes) -> None:
    try:
        read_parameters(rest)
    except MalformedCredentials:
        pass


@pytest.mark.parametrize("rest", [b'a="' + b"\\" * 60_000, b"a" * 60_000, b'a="b",' + b"," * 60_000 + b"!"])
def test_parameters_are_read_in_linear_time(rest: bytes) -> None:
    with pytest.raises(MalformedCredentials):
        read_parameters(rest)


def test_secrets_are_not_in_a_repr() -> None:
    assert repr(Login("bob", b"secret")) == "Login(name='bob')"
    assert repr(BearerToken(b"secret")) == "BearerToken()"


def test_logins_and_tokens_are_credentials_of_twisted() -> None:
    login = Login("jürgen", b"secret")
    assert IUsernamePassword.providedBy(login)
    assert IUsernameHashedPassword.providedBy(login)
    assert login.username == "jürgen".encode()
    assert login.checkPassword(b"secret")
    assert login.checkPassword("secret")
    assert not login.checkPassword(b"secreT")
    assert IBearerToken.providedBy(BearerToken(b"abc"))


def test_users_are_values() -> None:
    assert User("bob", frozenset({"staff"})) == User("bob", frozenset({"staff"}))
    assert User("bob").groups == frozenset()
    with pytest.raises(AttributeError):
        User("bob").name = "eve"  # type: ignore[misc]
