"""Files of users: what is taken, what is refused and where, and what becomes of changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import LogEvent, globalLogPublisher

from txproxy.auth.htpasswd import (
    Digests,
    Passwords,
    UserFile,
    read_digests,
    read_groups,
    read_passwords,
    read_tokens,
)
from txproxy.errors import ConfigError

SHA = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"  # Hello world!
APR1 = "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"  # myPassword
MD5 = "0123456789abcdef0123456789abcdef"
SHA256 = MD5 * 2


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], str]:
    """Writes the file anew; each time it looks changed, however coarse the clock of the file system is."""
    times = iter(range(1_000_000_000, 2_000_000_000))

    def write(text: str | bytes) -> str:
        path = tmp_path / "users"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        when = next(times)
        os.utime(path, (when, when))
        return str(path)

    return write


@pytest.fixture
def logged() -> Any:
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield lambda: [event["log_level"].name for event in events if "path" in event]
    globalLogPublisher.removeObserver(events.append)


def errors_of(path: str, read: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        UserFile(path, read)
    return [line.replace(path, "F") for line in str(caught.value).split("\n")]


def test_users_and_their_passwords(write: Any) -> None:
    text = f"# staff\r\n\r\nbob:{SHA}\r\n  alice:{APR1}:Alice A.\njürgen:{APR1}"
    passwords = UserFile(write(text), read_passwords).content
    assert len(passwords) == 3
    assert passwords.match("bob", b"Hello world!")
    assert passwords.match("alice", b"myPassword")
    assert passwords.match("jürgen", b"myPassword")
    assert not passwords.match("bob", b"myPassword")
    assert not passwords.match("eve", b"Hello world!")
    assert not passwords.match("Bob", b"Hello world!")
    assert "bob" in passwords
    assert "eve" not in passwords


def test_a_byte_order_mark_is_no_part_of_a_name(write: Any) -> None:
    assert "bob" in UserFile(write(b"\xef\xbb\xbfbob:" + APR1.encode()), read_passwords).content


class Counted:
    """Like a hash, and counts how often it is checked."""

    def __init__(self, cost: int) -> None:
        self.kind, self.cost, self.checks = "counted", cost, 0

    def matches(self, password: bytes) -> bool:
        self.checks += 1
        return password == b"right"


def test_an_unknown_user_costs_as_much_as_most_and_never_gets_in() -> None:
    one, cheap, two = Counted(12), Counted(4), Counted(12)
    passwords = Passwords({"one": one, "cheap": cheap, "two": two})  # type: ignore[dict-item]
    assert not passwords.match("eve", b"right")
    assert (one.checks + two.checks, cheap.checks) == (1, 0)
    assert passwords.match("two", b"right")
    assert (one.checks + two.checks, cheap.checks) == (2, 0)


def test_without_users_nobody_gets_in() -> None:
    assert not Passwords({}).match("bob", b"")


def test_each_wrong_line_is_named(write: Any) -> None:
    text = f"bob:{SHA}\nalice\n:{SHA}\nbob:{APR1}\nold:rqXexS6ZhobKA\nsha:{{SHA}}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"
    assert [line.partition(";")[0] for line in errors_of(write(text), read_passwords)] == [
        "F:2: no colon",
        "F:3: an empty user name",
        "F:4: the user is there twice",
        "F:5: a DES crypt hash (or a password in the clear), which is quickly guessed",
        "F:6: an unsalted SHA-1 hash, which is quickly guessed",
    ]


def test_the_list_of_wrong_lines_ends(write: Any) -> None:
    assert len(errors_of(write("x\n" * 1000), read_passwords)) == 20


def test_what_is_not_utf_8_is_named(write: Any) -> None:
    assert errors_of(write(b"j\xfcrgen:" + SHA.encode()), read_passwords) == ["F:1: not UTF-8"]


@pytest.mark.parametrize("text", ["", "\n# nobody\n"])
@pytest.mark.parametrize("read", [read_passwords, read_tokens, read_digests("staff")])
def test_a_file_without_users_is_a_mistake(write: Any, text: str, read: Any) -> None:
    (error,) = errors_of(write(text), read)
    assert error.startswith("F: there is no ")
    assert "accepted" in error


@pytest.mark.parametrize(("name", "reason"), [("missing", "No such file"), ("", "Is a directory")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, reason: str) -> None:
    path = str(tmp_path / name)
    with pytest.raises(ConfigError, match=f"^{path}: {reason}"):
        UserFile(path, read_passwords)


def test_a_changed_file_is_read_again(write: Any, logged: Any) -> None:
    file = UserFile(write(f"bob:{SHA}"), read_passwords)
    assert not file.check()
    write(f"alice:{APR1}")
    assert file.check()
    assert "alice" in file.content
    assert "bob" not in file.content
    assert not file.check()
    assert logged() == ["info"]


def test_a_replaced_file_is_read_again(write: Any, tmp_path: Path) -> None:
    path = write(f"bob:{SHA}")
    file = UserFile(path, read_passwords)
    before = os.stat(path)
    other = tmp_path / "new"
    other.write_text(f"eve:{SHA}")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(path)
    assert file.check()
    assert "eve" in file.content


@pytest.mark.parametrize("half", ["bob:$5$saltst", "bob", "# staff\nbob"])
def test_a_file_caught_half_written_changes_nothing_and_is_said_once(write: Any, logged: Any, half: str) -> None:
    file = UserFile(write(f"bob:{SHA}"), read_passwords)
    write(half)
    assert not file.check()
    assert not file.check()
    assert "bob" in file.content
    assert logged() == ["error"]
    write(f"alice:{APR1}")
    assert file.check()
    assert "alice" in file.content


EMPTIED = {
    "passwords": (f"bob:{SHA}", read_passwords, "# the last one has left\n"),
    "groups": ("staff: bob", read_groups, ""),
    "tokens": ("secret-token:bob", read_tokens, "\n"),
    "digests": (f"bob:staff:{MD5}", read_digests("staff"), f"bob:other:{MD5}"),
}


@pytest.mark.parametrize(("before", "read", "after"), EMPTIED.values(), ids=EMPTIED)
def test_a_file_with_nobody_in_it_any_more_is_believed_at_the_second_look(
    write: Any, logged: Any, before: str, read: Any, after: str
) -> None:
    file = UserFile(write(before), read)
    write(after)
    assert not file.check()
    assert len(file.content) == 1
    assert file.check()
    assert len(file.content) == 0
    assert not file.check()
    assert logged() == ["info", "warn"]
    write(before)
    assert file.check()
    assert len(file.content) == 1


def test_a_file_that_is_emptied_before_it_is_written_is_never_empty(write: Any, logged: Any) -> None:
    file = UserFile(write(f"bob:{SHA}"), read_passwords)
    for text in ("", "#", "# staff\n"):
        # Each time it is another one, and so not the one that was seen before.
        write(text)
        assert not file.check()
    write(f"alice:{APR1}")
    assert file.check()
    assert "alice" in file.content
    assert logged() == ["info"] * 4


def test_digest_is_offered_where_nobody_is_left(write: Any) -> None:
    """RFC 9110 15.5.8: a 407 has a challenge."""
    assert UserFile(write(f"bob:staff:{MD5}"), read_digests("staff")).content.algorithms == ("MD5",)
    assert Digests({}).algorithms == ("SHA-256", "MD5")


def test_a_file_that_is_gone_for_good_is_said_once_and_changes_nothing(write: Any, logged: Any) -> None:
    path = write(f"bob:{SHA}")
    file = UserFile(path, read_passwords)
    os.unlink(path)
    for _ in range(4):
        assert not file.check()
    assert "bob" in file.content
    assert logged() == ["error"]
    write(f"alice:{APR1}")
    assert file.check()
    assert "alice" in file.content


def test_a_file_that_is_gone_for_a_while_changes_nothing(write: Any, logged: Any) -> None:
    path = write(f"bob:{SHA}")
    file = UserFile(path, read_passwords)
    os.unlink(path)
    assert not file.check()
    assert "bob" in file.content
    assert logged() == []
    write(f"alice:{APR1}")
    assert file.check()


def test_a_file_that_cannot_be_read_any_more_changes_nothing_and_is_said_once(write: Any, logged: Any) -> None:
    path = write(f"bob:{SHA}")
    file = UserFile(path, read_passwords)
    os.unlink(path)
    os.mkdir(path)
    assert not file.check()
    assert not file.check()
    assert "bob" in file.content
    assert logged() == ["error"]


def test_groups_are_by_user(write: Any) -> None:
    groups = UserFile(write("# g\nstaff: bob alice\nadmin:alice\nstaff: carol\nempty:\n"), read_groups).content
    assert groups == {
        "bob": frozenset({"staff"}),
        "alice": frozenset({"staff", "admin"}),
        "carol": frozenset({"staff"}),
    }


@pytest.mark.parametrize("line", ["staff bob alice", ": bob", "two words: bob", "two\twords: bob"])
def test_a_line_that_is_no_group_is_named(write: Any, line: str) -> None:
    assert errors_of(write("a: b\n" + line), read_groups) == ["F:2: no group; accepted is group: user user"]


def test_tokens_are_of_users(write: Any) -> None:
    tokens = UserFile(write("abc-._~+/DEF==:bob\nxyz: bob\n#c:d\n"), read_tokens).content
    assert tokens == {"abc-._~+/DEF==": "bob", "xyz": "bob"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("secret-token", "no colon"),
        (":bob", "a token that no client could send"),
        ("two words:bob", "a token that no client could send"),
        ("tök:bob", "a token that no client could send"),
        ("a=b:bob", "a token that no client could send"),
        ("first:eve", "the token is there twice"),
        ("secret-token:", "an empty user name"),
        ("secret-token:b\x01b", "a control character in the user name"),
    ],
)
def test_a_line_that_is_no_token_is_named_without_the_token(write: Any, line: str, reason: str) -> None:
    (error,) = errors_of(write("first:bob\n" + line), read_tokens)
    assert error.startswith(f"F:2: {reason}")
    assert "secret-token" not in error


def test_digests_of_a_realm(write: Any) -> None:
    text = f"bob:staff:{MD5}\nbob:staff:{SHA256.upper()}\nalice:staff:{MD5}\nalice:staff:{SHA256}\neve:other:{MD5}"
    digests = UserFile(write(text), read_digests("staff")).content
    assert digests.algorithms == ("SHA-256", "MD5")
    assert digests.half("bob", "MD5") == MD5
    assert digests.half("bob", "SHA-256") == SHA256
    assert digests.half("eve", "MD5") is None


def test_a_realm_may_have_a_colon(write: Any) -> None:
    assert UserFile(write(f"bob:a:b:{MD5}"), read_digests("a:b")).content.half("bob", "MD5") == MD5


def test_only_what_all_users_can_do_is_offered(write: Any) -> None:
    text = f"bob:staff:{MD5}\nbob:staff:{SHA256}\nalice:staff:{MD5}\n"
    assert UserFile(write(text), read_digests("staff")).content.algorithms == ("MD5",)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (f"bob:{MD5}", "F:1: too few columns; accepted is user:realm:hash"),
        ("bob:staff:abc", "F:1: no hash; accepted are 32 (MD5) or 64 (SHA-256) hexadecimal digits"),
        (f"bob:staff:{MD5}\nbob:staff:{MD5}", "F:2: the user is there twice"),
        (f":staff:{MD5}", "F:1: an empty user name"),
        (
            f"bob:other:{MD5}",
            "F: there is no user of realm 'staff' in it, only of 'other'; accepted are lines of user:realm:hash",
        ),
        (
            f"bob:staff:{MD5}\nalice:staff:{SHA256}",
            "F: some users have an MD5 hash only and some a SHA-256 hash only; accepted is one that all have",
        ),
    ],
)
def test_a_line_that_is_no_digest_is_named(write: Any, text: str, error: str) -> None:
    assert errors_of(write(text), read_digests("staff")) == [error]
