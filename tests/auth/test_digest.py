"""Digest: the example of the RFC, nonces that end, and counts that come once."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from txproxy.auth import digest
from txproxy.auth.digest import Digest, Failure, Nonces
from txproxy.auth.htpasswd import Digests
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

REALM = "staff"
GET = RequestHead(b"GET", b"/a?b", Headers(), authority=b"Example.com", scheme=b"http")
CONNECT = RequestHead(b"CONNECT", b"", Headers(), authority=b"example.com:443")


def hash_of(algorithm: str, text: str) -> str:
    return hashlib.new("sha256" if algorithm == "SHA-256" else "md5", text.encode()).hexdigest()


def halves(name: str, realm: str, password: str) -> dict[str, str]:
    return {one: hash_of(one, f"{name}:{realm}:{password}") for one in ("MD5", "SHA-256")}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scheme(clock: Clock) -> Digest:
    users = Digests({"bob": halves("bob", REALM, "secret"), "jürgen": halves("jürgen", REALM, "x")})
    return Digest(REALM, lambda: users, Nonces(clock))


def nonce_of(scheme: Digest) -> str:
    match = re.search(rb'nonce="([^"]+)"', scheme.challenges()[0])
    assert match is not None
    return match[1].decode()


def answer(nonce: str, /, *, method: str = "GET", password: str = "secret", **changes: Any) -> bytes:
    """What a client sends; ``changes`` are made before the response is computed, except that of itself."""
    given = {"username": "bob", "realm": REALM, "uri": "/a?b", "algorithm": "SHA-256", "nonce": nonce}
    given |= {"nc": "00000001", "cnonce": "0a4f", "qop": "auth"} | changes
    name = str(given["algorithm"]).upper()
    one = hash_of(name, f"{given['username']}:{given['realm']}:{password}")
    two = hash_of(name, f"{method}:{given['uri']}")
    given.setdefault("response", hash_of(name, f"{one}:{nonce}:{given['nc']}:{given['cnonce']}:{given['qop']}:{two}"))
    bare = ("algorithm", "nc", "qop")
    return ", ".join(
        f"{key}={value}" if key in bare else f'{key}="{value}"' for key, value in given.items() if value is not None
    ).encode()


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616_is_right(clock: Clock, algorithm: str, response: str) -> None:
    realm = "http-auth@example.org"
    users = Digests({"Mufasa": halves("Mufasa", realm, "Circle of Life")})
    rest = (
        f'username="Mufasa", realm="{realm}", uri="/dir/index.html", algorithm={algorithm}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
        'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, '
        f'response="{response}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    ).encode()
    head = RequestHead(b"GET", b"/dir/index.html", Headers(), authority=b"www.example.org", scheme=b"http")
    scheme = Digest(realm, lambda: users, Nonces(clock))
    # The password is right; the nonce is not one of ours.
    assert scheme.check(rest, head) is Failure.STALE
    assert scheme.check(rest.replace(response.encode(), b"0" * len(response)), head) is Failure.WRONG


def test_the_strongest_is_asked_for_first(scheme: Digest) -> None:
    first, second = scheme.challenges()
    pattern = rb'Digest realm="staff", qop="auth", nonce="[A-Za-z0-9_=-]+", charset=UTF-8, algorithm='
    assert re.fullmatch(pattern + b"SHA-256", first)
    assert re.fullmatch(pattern + b"MD5", second)


@pytest.mark.parametrize("failure", list(Failure))
def test_stale_says_that_the_password_was_right(scheme: Digest, failure: Failure) -> None:
    assert all((b"stale=true" in line) is (failure is Failure.STALE) for line in scheme.challenges(failure))


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5", "sha-256"])
def test_a_right_answer_names_the_user(scheme: Digest, algorithm: str) -> None:
    assert scheme.check(answer(nonce_of(scheme), algorithm=algorithm), GET) == "bob"


def test_without_an_algorithm_it_is_md5(scheme: Digest) -> None:
    rest = answer(nonce_of(scheme), algorithm="MD5")
    assert scheme.check(rest.replace(b"algorithm=MD5, ", b""), GET) == "bob"


def test_names_are_utf_8(scheme: Digest) -> None:
    assert scheme.check(answer(nonce_of(scheme), username="jürgen", password="x"), GET) == "jürgen"


@pytest.mark.parametrize(
    ("head", "uri", "right"),
    [
        (GET, "/a?b", True),
        (GET, "http://example.com/a?b", True),
        (GET, "HTTP://EXAMPLE.COM/a?b", True),
        (GET, "/a", False),
        (GET, "/A?b", False),
        (GET, "https://example.com/a?b", False),
        (GET, "http://other.example/a?b", False),
        (CONNECT, "example.com:443", True),
        (CONNECT, "Example.com:443", True),
        (CONNECT, "example.com:80", False),
        (CONNECT, "/", False),
        (CONNECT, "", False),
        (RequestHead(b"GET", b"/", Headers(), authority=b"a", scheme=b"http"), "http://a", True),
        (RequestHead(b"OPTIONS", b"*", Headers(), authority=b"a", scheme=b"http"), "http://a", True),
    ],
)
def test_an_answer_is_for_one_target(scheme: Digest, head: RequestHead, uri: str, right: bool) -> None:
    rest = answer(nonce_of(scheme), uri=uri, method=head.method.decode())
    assert scheme.check(rest, head) == ("bob" if right else Failure.WRONG)


def test_an_answer_is_for_one_method(scheme: Digest) -> None:
    assert scheme.check(answer(nonce_of(scheme), method="POST"), GET) is Failure.WRONG


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "Secret"},
        {"username": "eve"},
        {"realm": "other"},
        {"algorithm": "SHA-512-256"},
        {"algorithm": "MD5-sess"},
        {"qop": "auth-int"},
        {"nc": "1"},
        {"nc": "0000000g"},
        {"response": ""},
        {"response": "é" * 64},
        *({key: None} for key in ("username", "realm", "nonce", "uri", "response", "nc", "cnonce", "qop")),
    ],
)
def test_all_else_is_wrong(scheme: Digest, changes: dict[str, Any]) -> None:
    assert scheme.check(answer(nonce_of(scheme), **changes), GET) is Failure.WRONG


def test_an_algorithm_that_is_not_offered_is_wrong(clock: Clock) -> None:
    users = Digests({"bob": {"SHA-256": halves("bob", REALM, "secret")["SHA-256"]}})
    scheme = Digest(REALM, lambda: users, Nonces(clock))
    assert len(scheme.challenges()) == 1
    assert scheme.check(answer(nonce_of(scheme), algorithm="MD5"), GET) is Failure.WRONG


def test_an_answer_cannot_be_sent_again(scheme: Digest) -> None:
    rest = answer(nonce_of(scheme))
    assert scheme.check(rest, GET) == "bob"
    assert scheme.check(rest, GET) is Failure.STALE


def test_requests_side_by_side_may_overtake_each_other(scheme: Digest) -> None:
    nonce = nonce_of(scheme)
    counts = [1, 4, 2, 3, 100, 5, 228, 101]
    assert [scheme.check(answer(nonce, nc=f"{count:08x}"), GET) for count in counts] == ["bob"] * len(counts)
    for count in [*counts, 99, 100]:
        assert scheme.check(answer(nonce, nc=f"{count:08x}"), GET) is Failure.STALE


@given(st.lists(st.integers(0, 600)))
def test_no_count_is_taken_twice(counts: list[int]) -> None:
    nonces = Nonces(Clock())
    nonce = nonces.new()
    taken = [count for count in counts if nonces.take(nonce, "bob", count)]
    assert len(taken) == len(set(taken))
    assert not counts or taken


def test_a_wrong_answer_uses_up_nothing(scheme: Digest) -> None:
    nonce = nonce_of(scheme)
    assert scheme.check(answer(nonce, password="guess"), GET) is Failure.WRONG
    assert scheme.check(answer(nonce), GET) == "bob"


def test_a_nonce_expires(scheme: Digest, clock: Clock) -> None:
    nonce, unused = nonce_of(scheme), nonce_of(scheme)
    assert scheme.check(answer(nonce), GET) == "bob"
    clock.advance(300)
    assert scheme.check(answer(nonce, nc="00000002"), GET) == "bob"
    clock.advance(1)
    assert scheme.check(answer(nonce, nc="00000003"), GET) is Failure.STALE
    assert scheme.check(answer(unused), GET) is Failure.STALE
    assert scheme.check(answer(nonce_of(scheme)), GET) == "bob"


@pytest.mark.parametrize("nonce", ["", "abc", "ä", "A" * 43 + "=", "A" * 44])
def test_a_nonce_of_others_is_stale(scheme: Digest, nonce: str) -> None:
    assert scheme.check(answer(nonce), GET) is Failure.STALE


def test_a_nonce_is_known_where_its_secret_is(clock: Clock) -> None:
    nonce = Nonces(clock, secret=b"one").new()
    assert Nonces(clock, secret=b"one").take(nonce, "bob", 1)
    assert not Nonces(clock, secret=b"two").take(nonce, "bob", 1)
    assert not Nonces(clock).take(nonce, "bob", 1)


def test_a_nonce_is_of_the_user_who_used_it(scheme: Digest) -> None:
    nonce = nonce_of(scheme)
    assert not scheme.knows(answer(nonce))
    assert scheme.check(answer(nonce), GET) == "bob"
    assert scheme.knows(answer(nonce, nc="00000002"))
    assert not scheme.knows(answer(nonce, username="jürgen"))
    assert not scheme.knows(b"malformed")
    assert scheme.check(answer(nonce, username="jürgen", password="x", nc="00000002"), GET) is Failure.STALE


def test_where_used_nonces_cannot_be_remembered_they_end(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "_CAPACITY", 3)
    nonces = Nonces(clock)
    made = []
    for _ in range(5):
        clock.advance(1)
        made.append(nonces.new())
        assert nonces.take(made[-1], "bob", 1)
    # Those that had to make room are not taken as new ones.
    assert [nonces.take(nonce, "bob", 1) for nonce in made] == [False] * 5
    assert [nonces.take(nonce, "bob", 2) for nonce in made] == [False, False, True, True, True]
    clock.advance(400)
    fresh = nonces.new()
    assert nonces.take(fresh, "bob", 1)
    assert [nonces.knows(nonce, "bob") for nonce in [*made, fresh]] == [False] * 5 + [True]


@given(st.binary(max_size=200))
def test_nothing_that_a_client_sends_raises(rest: bytes) -> None:
    users = Digests({"bob": halves("bob", REALM, "secret")})
    assert Digest(REALM, lambda: users, Nonces(Clock())).check(rest, GET) is Failure.WRONG
