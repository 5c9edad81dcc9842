"""Who may use a forward proxy: the whole of it, in memory and on a clock."""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock

from tests.auth.asking import APR1, IP, RIGHT, WRONG, Asked, ask, basic, challenges, change, head
from txproxy.auth import auth_policy, logins
from txproxy.auth.auth_policy import AuthPolicy, make_authenticator
from txproxy.auth.authenticator import Authenticator
from txproxy.auth.credentials import User
from txproxy.auth.login_throttle import TryLimits
from txproxy.interfaces import Refusal, RequestContext
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def certified(certificate: Any) -> RequestContext:
    """A request of a client that has shown a certificate."""
    return context_of(IP, "https", certificate=certificate)


class Threads:
    """Where hashes wait until a test lets them run."""

    at_once = 3

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.done: list[str] = []

    def __call__(self, function: Any, name: str, password: bytes) -> Deferred[bool]:
        result: Deferred[bool] = Deferred()
        self.waiting.append((result, function, name, password))
        return result

    def run(self) -> int:
        """Run what waits, and what comes after it; how much that was."""
        before = len(self.done)
        while self.waiting:
            self.run_one()
        return len(self.done) - before

    def run_one(self) -> None:
        """Run what has waited longest."""
        result, function, name, password = self.waiting.pop(0)
        self.done.append(password.decode())
        result.callback(function(name, password))


@pytest.fixture
def threads() -> Threads:
    return Threads()


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    path.write_text(f"bob:{APR1}\n")
    return path


@pytest.fixture
def of_file(clock: Clock, threads: Threads, users: Path) -> Authenticator:
    return make_authenticator(AuthPolicy(password_file=str(users)), clock, threads)


# -- what is asked for


def test_without_credentials_they_are_asked_for(of_file: Authenticator) -> None:
    assert challenges(ask(of_file)) == ['Basic realm="txproxy", charset="UTF-8"']


@pytest.mark.parametrize("value", [b"", b"Negotiate abc", b"Bearer abc", b"Digest a=b", b"Basic", b"Basic !"])
def test_what_is_not_understood_is_asked_for_again(of_file: Authenticator, value: bytes) -> None:
    assert challenges(ask(of_file, value)) == ['Basic realm="txproxy", charset="UTF-8"']


def test_repeated_credentials_are_none(clock: Clock) -> None:
    made = make_authenticator(AuthPolicy(passwords=Asked()), clock)
    twice = RequestHead(b"GET", b"/", Headers([(b"Proxy-Authorization", basic("bob:right"))] * 2), authority=b"a")
    assert challenges(made.check(twice, context_of(IP)))


# -- passwords of a file


def test_right_credentials_are_hashed_elsewhere_and_remembered(of_file: Authenticator, threads: Threads) -> None:
    waiting = ask(of_file, basic(RIGHT))
    assert waiting == []
    assert threads.run() == 1
    assert waiting == [User("bob")]
    assert ask(of_file, basic(RIGHT)) == User("bob")
    assert ask(of_file, basic(RIGHT), "192.0.2.2") == User("bob")
    assert threads.run() == 0


def test_what_is_remembered_is_forgotten_in_time(of_file: Authenticator, threads: Threads, clock: Clock) -> None:
    ask(of_file, basic(RIGHT))
    threads.run()
    clock.advance(300)
    assert ask(of_file, basic(RIGHT)) == User("bob")
    clock.advance(1)
    assert ask(of_file, basic(RIGHT)) == []
    assert threads.run() == 1


def test_wrong_credentials_are_not_remembered(of_file: Authenticator, threads: Threads) -> None:
    for _ in range(2):
        waiting = ask(of_file, basic(WRONG))
        assert threads.run() == 1
        assert challenges(waiting[0])


def test_the_same_credentials_are_hashed_once_for_all_that_wait(of_file: Authenticator, threads: Threads) -> None:
    waiting = [ask(of_file, basic(RIGHT), ip) for ip in (IP, IP, "192.0.2.2")]
    assert threads.run() == 1
    assert waiting == [[User("bob")]] * 3
    waiting = [ask(of_file, basic(WRONG), ip) for ip in (IP, IP, "192.0.2.2")]
    assert threads.run() == 1
    assert all(challenges(one[0]) for one in waiting)


def test_a_client_that_leaves_does_not_take_others_along(of_file: Authenticator, threads: Threads) -> None:
    leaving = of_file.check(head(basic(RIGHT)), context_of(IP))
    waiting = ask(of_file, basic(RIGHT))
    assert isinstance(leaving, Deferred)
    gone: list[Any] = []
    leaving.addErrback(gone.append)
    leaving.cancel()
    assert gone[0].check(CancelledError)
    threads.run()
    assert waiting == [User("bob")]
    assert len(gone) == 1


def test_all_connections_of_a_client_may_wait_together(of_file: Authenticator, threads: Threads, clock: Clock) -> None:
    for login in (RIGHT, WRONG):
        waiting = [ask(of_file, basic(login)) for _ in range(200)]
        assert threads.run() == 1
        assert [len(one) for one in waiting] == [1] * 200
    # It was one try, and one failure.
    assert challenges(ask(of_file, b"Basic !"))
    assert challenges(ask(of_file, b"Basic !"))
    late = ask(of_file, b"Basic !")
    assert late == []
    clock.advance(1)
    assert challenges(late[0])


@pytest.mark.parametrize("login", [RIGHT, WRONG])
def test_an_answer_may_make_another_client_leave(of_file: Authenticator, threads: Threads, login: str) -> None:
    first, second = (of_file.check(head(basic(login)), context_of(IP)) for _ in range(2))
    third = ask(of_file, basic(login))
    assert isinstance(first, Deferred)
    assert isinstance(second, Deferred)
    gone: list[Any] = []
    second.addErrback(gone.append)
    answers: list[Any] = []
    first.addCallback(answers.append).addCallback(lambda _: second.cancel())
    threads.run()
    assert len(answers) == 1
    assert gone[0].check(CancelledError)
    assert len(third) == 1


def test_who_leaves_at_an_answer_waits_for_none(of_file: Authenticator, threads: Threads, clock: Clock) -> None:
    for _ in range(3):
        ask(of_file, b"Basic !", "192.0.2.2")
    first = of_file.check(head(basic(WRONG)), context_of(IP))
    second = of_file.check(head(basic(WRONG)), context_of("192.0.2.2"))
    assert isinstance(first, Deferred)
    assert isinstance(second, Deferred)
    second.addErrback(lambda failure: failure.trap(CancelledError))
    first.addCallback(lambda _: second.cancel())
    threads.run()
    assert clock.getDelayedCalls() == []


def test_what_nobody_waits_for_any_more_is_remembered_all_the_same(of_file: Authenticator, threads: Threads) -> None:
    leaving = of_file.check(head(basic(RIGHT)), context_of(IP))
    assert isinstance(leaving, Deferred)
    leaving.addErrback(lambda _: None)
    leaving.cancel()
    threads.run()
    assert ask(of_file, basic(RIGHT)) == User("bob")


def test_memory_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "_MOST_REMEMBERED", 3)
    asked = Asked()
    made = make_authenticator(AuthPolicy(passwords=asked), clock)
    for name in "abcd":
        assert ask(made, basic(f"{name}:right")) == User(name)
    assert [ask(made, basic(f"{name}:right")).name for name in "bcd"] == ["b", "c", "d"]
    assert asked.times == 4
    ask(made, basic("a:right"))
    assert asked.times == 5


def test_logins_that_wait_are_bounded(
    clock: Clock, threads: Threads, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth_policy, "_MOST_WAITING", 2)
    made = make_authenticator(AuthPolicy(password_file=str(users)), clock, threads)
    for ip in (IP, "192.0.2.2", "192.0.2.3"):
        ask(made, basic(f"bob:{ip}"), ip)
    waiting = [ask(made, basic(RIGHT)), ask(made, basic("eve:x"), "192.0.2.2")]
    refusal = ask(made, basic("eve:y"), "192.0.2.3")
    assert (refusal.status, refusal.lines) == (503, (b"Retry-After: 1",))
    assert refusal.sentence == "Too many logins are being checked just now."
    # Who waits for the same as others adds nothing.
    waiting.append(ask(made, basic(RIGHT), "192.0.2.3"))
    threads.run()
    assert [one[0] for one in waiting][::2] == [User("bob")] * 2
    assert ask(made, basic("eve:y"), "192.0.2.3") == []
    threads.run()


def test_many_guesses_of_one_address_hold_up_no_other(of_file: Authenticator, threads: Threads, clock: Clock) -> None:
    guesses = [ask(of_file, basic(f"bob:guess{number}"), "2001:db8::1") for number in range(64)]
    assert ask(of_file, basic("bob:more"), "2001:db8::2").status == 429
    waiting = ask(of_file, basic(RIGHT))
    assert threads.waiting[-1][3] == b"myPassword", "a thread is left for others"
    late = ask(of_file, basic("eve:late"), "192.0.2.2")
    for _ in range(3):
        threads.run_one()
    assert waiting == [User("bob")]
    for _ in range(2):
        threads.run_one()
    assert late, "it waits for what had begun, and one more"
    assert len(threads.done) == 5
    threads.run()
    clock.advance(3600)
    assert all(guesses)


def test_how_much_of_an_address_is_the_client_can_be_said(clock: Clock, threads: Threads, users: Path) -> None:
    policy = AuthPolicy(password_file=str(users), tries=TryLimits(ipv6_prefix=56, burst=4))
    made = make_authenticator(policy, clock, threads)
    guesses = [ask(made, basic(f"bob:guess{number}"), f"2001:db8:0:{number}::1") for number in range(4)]
    assert ask(made, basic("bob:more"), "2001:db8:0:ff::1").status == 429
    assert ask(made, basic("bob:more"), "2001:db8:0:100::1") == []
    threads.run()
    clock.advance(3600)
    assert all(guesses)


def test_guesses_that_have_pushed_out_others_are_pushed_out_themselves(
    clock: Clock, threads: Threads, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth_policy, "_MOST_WAITING", 10)
    made = make_authenticator(AuthPolicy(password_file=str(users)), clock, threads)
    guesses = [ask(made, basic(f"bob:guess{number}"), "192.0.2.9") for number in range(12)]
    others = [ask(made, basic(f"bob:{number}"), f"192.0.2.{number}") for number in range(6)]
    busy = [one[0] for one in guesses if one and one[0].status == 503]
    assert len(busy) == 5, "as one of them could begin at once"
    threads.run()
    clock.advance(3600)
    assert all(challenges(one[0]) for one in others)
    # What was never tried is no failed try: 7 guesses were.
    assert len(threads.done) == 12 - 5 + 6


@pytest.mark.parametrize("scheme", ["passwords", "tokens", "checker"])
def test_checks_of_an_embedder_take_turns_as_well(clock: Clock, scheme: str) -> None:
    running: list[Any] = []

    def slow(*words: Any) -> Deferred[Any]:
        running.append((Deferred(), words))
        return running[-1][0]  # type: ignore[no-any-return]

    class Slow(InMemoryUsernamePasswordDatabaseDontUse):
        def requestAvatarId(self, given: Any) -> Any:
            return slow(given.username, given.password)

    asked: Any = Slow() if scheme == "checker" else slow
    made = make_authenticator(AuthPolicy(**{"tokens" if scheme == "tokens" else "passwords": asked}), clock)

    def value(text: str) -> bytes:
        return b"Bearer " + text.encode() if scheme == "tokens" else basic(f"bob:{text}")

    guesses = [ask(made, value(f"guess{number}"), "192.0.2.2") for number in range(64)]
    assert len(running) == 8
    waiting = ask(made, value("right"))
    assert len(running) == 9
    running[-1][0].callback(b"bob" if scheme == "checker" else "bob")
    assert waiting == [User("bob")]
    for result, _ in running[:-1] + running[9:]:
        result.callback(None)
    while len(running) > 9 and not all(result.called for result, _ in running):
        for result, _ in running:
            if not result.called:
                result.callback(None)
    clock.advance(3600)
    assert all(guesses)


def test_what_has_not_begun_is_dropped_when_its_client_leaves(
    of_file: Authenticator, threads: Threads, clock: Clock
) -> None:
    leaving = [of_file.check(head(basic(f"bob:{number}")), context_of(IP)) for number in range(10)]
    staying = ask(of_file, basic("bob:9"))
    for one in leaving:
        assert isinstance(one, Deferred)
        one.addErrback(lambda failure: failure.trap(CancelledError))
        one.cancel()
    # What had begun goes on, and counts as a try.
    assert len(threads.waiting) == 2
    threads.run()
    assert threads.done == ["0", "1", "9"]
    assert challenges(staying[0])
    assert of_file.tries._records[IP].failures == 3 and not of_file.tries.under_way.here(IP)
    clock.advance(3600)


# -- files that change


def test_a_changed_file_makes_all_be_forgotten(of_file: Authenticator, threads: Threads, users: Path) -> None:
    ask(of_file, basic(RIGHT))
    threads.run()
    assert not of_file.check_files()
    assert ask(of_file, basic(RIGHT)) == User("bob")
    change(users, f"alice:{APR1}\n")
    assert of_file.check_files()
    waiting = ask(of_file, basic(RIGHT))
    threads.run()
    assert challenges(waiting[0])


def test_what_an_old_file_said_is_not_remembered(of_file: Authenticator, threads: Threads, users: Path) -> None:
    waiting = ask(of_file, basic(RIGHT))
    change(users, f"alice:{APR1}\n")
    of_file.check_files()
    threads.run()
    assert waiting == [User("bob")]
    assert ask(of_file, basic(RIGHT)) == []
    threads.run()


# -- other sources


def raises(name: str, password: bytes) -> Any:
    raise OSError(f"no connection for {name}:{password!r}")


@pytest.mark.parametrize(
    "function",
    [
        raises,
        lambda name, password: fail(OSError(f"no connection for {password!r}")),
        lambda name, password: True,
        lambda name, password: succeed(password),
    ],
)
def test_a_source_that_fails_is_said_without_the_credentials(clock: Clock, logged: Any, function: Any) -> None:
    made = make_authenticator(AuthPolicy(passwords=function), clock)
    for _ in range(5):  # and it is not held against the client
        refusal = ask(made, basic("bob:secret"))
        assert (refusal.status, refusal.error) == (500, "proxy_internal_error")
        assert "secret" not in repr(refusal)
    assert len(logged()) == 5
    assert logged()[0].startswith("Basic credentials could not be checked: ")
    assert re.search(r"(OSError|TypeError) at .+:\d+$", logged()[0])
    assert "secret" not in "".join(logged())


def digest_answer(challenge: str, password: str, count: int = 1) -> bytes:
    def hashed(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    match = re.search('nonce="(.+?)"', challenge)
    assert match is not None
    one, two = hashed(f"bob:staff:{password}"), hashed("GET:/")
    response = hashed(f"{one}:{match[1]}:{count:08x}:x:auth:{two}")
    return (
        f'Digest username="bob", realm="staff", nonce="{match[1]}", uri="/", nc={count:08x}, cnonce="x", qop=auth, '
        f'response="{response}"'
    ).encode()


@pytest.fixture
def of_digests(clock: Clock, tmp_path: Path) -> Authenticator:
    (tmp_path / "digests").write_text(f"bob:staff:{hashlib.md5(b'bob:staff:right').hexdigest()}\n")
    return make_authenticator(AuthPolicy(digest_file=str(tmp_path / "digests"), realm="staff"), clock)


def test_digest_answers_are_good_once(of_digests: Authenticator) -> None:
    (challenge,) = challenges(ask(of_digests))
    value = digest_answer(challenge, "right")
    assert ask(of_digests, value) == User("bob")
    (again,) = challenges(ask(of_digests, value))
    assert "stale=true" in again
    assert ask(of_digests, digest_answer(challenge, "right", 2)) == User("bob")
    (wrong,) = challenges(ask(of_digests, digest_answer(challenge, "wrong", 3)))
    assert "stale" not in wrong


def test_who_goes_on_with_a_good_nonce_is_not_held_up_by_others_failures(
    of_digests: Authenticator, clock: Clock
) -> None:
    (challenge,) = challenges(ask(of_digests))
    assert ask(of_digests, digest_answer(challenge, "right")) == User("bob")
    (other,) = challenges(ask(of_digests))
    for _ in range(7):
        ask(of_digests, digest_answer(other, "wrong"))
    assert ask(of_digests, digest_answer(other, "right")).status == 429
    assert ask(of_digests, digest_answer(challenge, "right", 2)) == User("bob")
    clock.advance(60)


def certificate(name: str) -> x509.Certificate:
    key = Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    day = datetime.datetime(2030, 1, 1)
    return x509.CertificateBuilder(subject, subject, key.public_key(), 1, day, day).sign(key, None)


def test_a_certificate_is_enough(clock: Clock) -> None:
    policy = AuthPolicy(passwords=Asked(), certificate_field="cn", certificate_users={"Bob": "bob"})
    made = make_authenticator(policy, clock)
    bob, eve = certified(certificate("Bob")), certified(certificate("Eve"))
    assert made.check(head(), bob) == User("bob")
    assert made.check_certificate(bob) == User("bob")
    assert made.check_certificate(eve) is None
    # Others may say who they are in another way.
    assert challenges(made.check(head(), eve))
    assert made.check(head(basic("eve:right")), eve) == User("eve")
    assert made.check(head(basic("eve:right")), certified(None)) == User("eve")
    assert challenges(ask(made))


def test_certificates_may_be_the_only_way(clock: Clock) -> None:
    made = make_authenticator(AuthPolicy(certificate_field="cn"), clock)
    assert made.check(head(), certified(certificate("bob"))) == User("bob")
    assert challenges(ask(made)) == []
    assert not made.takes_passwords


def test_a_certificate_counts_only_where_it_is_asked_for(clock: Clock) -> None:
    made = make_authenticator(AuthPolicy(passwords=Asked()), clock)
    bob = certified(certificate("bob"))
    assert challenges(made.check(head(), bob))
    assert made.check_certificate(bob) is None


# -- logins by another way


def test_a_login_by_socks_is_the_same(of_file: Authenticator, threads: Threads) -> None:
    assert of_file.takes_passwords
    results: list[Any] = []
    checked = of_file.check_login(b"bob", b"myPassword", context_of(IP))
    assert isinstance(checked, Deferred)
    checked.addCallback(results.append)
    threads.run()
    assert results == [User("bob")]
    assert ask(of_file, basic(RIGHT)) == User("bob")


@pytest.mark.parametrize(("name", "password"), [(b"\xff", b"x"), (b"bob:my", b"Password"), (b"bob", b"\x00")])
def test_a_login_that_http_could_not_say_is_wrong(
    of_file: Authenticator, threads: Threads, name: bytes, password: bytes
) -> None:
    assert challenges(of_file.check_login(name, password, context_of(IP)))
    assert threads.run() == 0


def test_without_passwords_no_login_is_right(clock: Clock) -> None:
    made = make_authenticator(AuthPolicy(tokens=lambda token: "bob"), clock)
    assert not made.takes_passwords
    assert made.check_login(b"bob", b"right", context_of(IP)).status == 407  # type: ignore[union-attr]


# -- guessing


def test_failures_are_answered_late_and_others_are_not(clock: Clock) -> None:
    made = make_authenticator(AuthPolicy(passwords=Asked()), clock)
    assert ask(made, basic("alice:right")) == User("alice")
    for number in range(3):
        assert challenges(ask(made, basic(f"bob:{number}")))
    late = [ask(made, basic(f"bob:{number}")) for number in range(2)]
    assert late == [[], []]
    # Another address, credentials that are remembered, and such as are right, are not held up.
    assert challenges(ask(made, basic("bob:0"), "192.0.2.2"))
    assert ask(made, basic("alice:right")) == User("alice")
    assert ask(made, basic("carol:right")) == User("carol")
    assert challenges(ask(made))
    clock.advance(0.99)
    assert late == [[], []]
    clock.advance(0.01)
    assert challenges(late[0][0])
    assert late[1] == []
    clock.advance(1)
    assert challenges(late[1][0])


def test_hashed_failures_are_answered_late_for_each_that_waits(
    of_file: Authenticator, threads: Threads, clock: Clock
) -> None:
    for number in range(3):
        ask(of_file, basic(f"bob:{number}"))
    threads.run()
    waiting = [ask(of_file, basic(WRONG)), ask(of_file, basic(WRONG)), ask(of_file, basic(WRONG), "192.0.2.2")]
    threads.run()
    assert [len(one) for one in waiting] == [0, 0, 1]
    clock.advance(1)
    assert [len(one) for one in waiting] == [1, 1, 1]


def test_too_many_tries_at_once_are_refused_unchecked(clock: Clock) -> None:
    asked = Asked()
    made = make_authenticator(AuthPolicy(passwords=asked), clock)
    assert ask(made, basic("alice:right")) == User("alice")
    for number in range(7):
        ask(made, basic(f"bob:{number}"))
    times = asked.times
    # Three were answered at once; four more are under way, the first of them for a second.
    refusal = ask(made, basic("carol:right"))
    assert (refusal.status, refusal.lines) == (429, (b"Retry-After: 1",))
    assert asked.times == times
    assert ask(made, basic("alice:right")) == User("alice")
    assert ask(made, basic("carol:right"), "192.0.2.2") == User("carol")
    clock.advance(8)
    assert ask(made, basic("dora:right")) == User("dora")


def test_to_leave_and_come_again_saves_no_time(clock: Clock) -> None:
    asked = Asked()
    made = make_authenticator(AuthPolicy(passwords=asked, tries=TryLimits(free=0, at_once=1)), clock)

    def leave(password: str) -> Any:
        checked = made.check(head(basic(f"bob:{password}")), context_of(IP))
        if isinstance(checked, Refusal):
            return checked.status
        assert isinstance(checked, Deferred)
        checked.addErrback(lambda failure: failure.trap(CancelledError))
        checked.cancel()
        return None

    assert leave("a") is None
    assert clock.getDelayedCalls() == []
    assert leave("b") == 429
    clock.advance(1)
    assert leave("c") is None
    clock.advance(1)
    assert leave("d") == 429
    assert asked.times == 2


def test_a_guess_that_joins_others_is_one_too(of_file: Authenticator, threads: Threads, clock: Clock) -> None:
    for number in range(7):
        ask(of_file, basic(f"bob:{number}"))
    threads.run()
    waiting = ask(of_file, basic(WRONG), "192.0.2.2")
    assert ask(of_file, basic(WRONG)).status == 429
    threads.run()
    assert challenges(waiting[0])
    clock.advance(30)


# -- secrets


def test_secrets_are_nowhere_to_be_seen(of_file: Authenticator, threads: Threads, logged: Any, users: Path) -> None:
    checked = of_file.check(head(basic("bob:unseen-secret")), context_of(IP))
    assert isinstance(checked, Deferred)
    results: list[Any] = []
    checked.addCallback(results.append)
    text = repr(checked) + repr(of_file) + repr(vars(of_file))
    threads.run()
    change(users, "bob:unseen-secret\n")
    of_file.check_files()
    text += repr(results) + "".join(logged()) + repr(AuthPolicy(passwords=Asked(), digest_secret=b"unseen-secret"))
    for secret in ("unseen-secret", base64.b64encode(b"bob:unseen-secret").decode()):
        assert secret not in text
