"""Password hashes: those of the specifications, and those of the programs that people use."""

from __future__ import annotations

import shutil
import string
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txproxy.auth import password_hashes as hashes
from txproxy.auth.password_hashes import PasswordHash, read_hash

LONG = "a very much longer text to encrypt.  This one even stretches over morethan one line."

# The vectors of the SHA-crypt specification. The last of each kind is as crypt(3) puts it out: with 1000 rounds.
SHA_CRYPT = [
    ("$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!"),
    (
        "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA",
        "Hello world!",
    ),
    ("$5$rounds=5000$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5", "This is just a test"),
    ("$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1", LONG),
    (
        "$5$rounds=77777$short$JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/",
        "we have a short salt string but not a short password",
    ),
    ("$5$rounds=123456$asaltof16chars..$gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD", "a short string"),
    (
        "$5$rounds=1000$roundstoolow$yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC",
        "the minimum number is still observed",
    ),
    (
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        "Hello world!",
    ),
    (
        "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/"
        "y3RnOaw5v.",
        "Hello world!",
    ),
    (
        "$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8"
        "audkUEm0",
        "This is just a test",
    ),
    (
        "$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGq"
        "d8p4ur1",
        LONG,
    ),
    (
        "$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0",
        "we have a short salt string but not a short password",
    ),
    (
        "$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJ"
        "AstJeonj1",
        "a short string",
    ),
    (
        "$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHr"
        "sX.",
        "the minimum number is still observed",
    ),
]
# Of `openssl passwd -apr1`; the first is the example of Apache's documentation.
APR1 = [
    ("$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", "myPassword"),
    ("$apr1$abc$1FHk0y7ZsF5pioKjzUfL6.", "päss"),
    ("$apr1$$J/S5FGXXjRRxbhIznTb/E1", ""),
]
# Of the reference implementation's tests, and one of each name that htpasswd and its like give the same hash.
BCRYPT = [
    ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
    ("$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
    ("$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
    ("$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", "U*U*U"),
]


@pytest.mark.parametrize(("text", "password"), SHA_CRYPT + APR1 + BCRYPT)
def test_a_password_matches_its_hash_and_no_other(text: str, password: str) -> None:
    entry = read_hash(text)
    assert entry.matches(password.encode())
    assert not entry.matches(password.encode() + b"x")
    assert not entry.matches(password.encode()[:-1] + b"\xff")


def test_fewer_rounds_than_the_least_are_the_least() -> None:
    text, password = SHA_CRYPT[-1]
    assert read_hash(text.replace("rounds=1000", "rounds=10")).matches(password.encode())


def test_bcrypt_reads_72_bytes_as_it_always_has() -> None:
    bcrypt = pytest.importorskip("bcrypt")
    entry = read_hash(bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode())
    assert entry.matches(b"x" * 100)
    assert not entry.matches(b"x" * 71)


def test_bcrypt_does_not_stop_at_a_nul() -> None:
    bcrypt = pytest.importorskip("bcrypt")
    entry = read_hash(bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode())
    assert not entry.matches(b"secret\0")


@pytest.mark.parametrize("text", [SHA_CRYPT[0][0], APR1[0][0], BCRYPT[0][0]])
def test_a_password_of_any_length_takes_bounded_work(text: str) -> None:
    assert not read_hash(text).matches(b"x" * 10_000_000)


@pytest.mark.parametrize(
    ("text", "kind", "cost"),
    [
        (SHA_CRYPT[0][0], "256", 5000),
        (SHA_CRYPT[8][0], "512", 10000),
        (APR1[0][0], "apr1", 1000),
        (BCRYPT[0][0], "bcrypt", 5),
    ],
)
def test_what_a_check_costs_is_known(text: str, kind: str, cost: int) -> None:
    entry = read_hash(text)
    assert (entry.kind, entry.cost) == (kind, cost)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "unsalted SHA-1"),
        ("rqXexS6ZhobKA", "DES crypt"),
        ("secret", "unknown kind"),
        ("", "unknown kind"),
        ("$1$abc$defghijklmnopqrstuvwxy", "unknown kind"),
        ("$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "malformed bcrypt"),
        ("$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe", "malformed bcrypt"),
        ("$2y$05$CCCCCCCCCCCCCCCCCCCCCxE5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "malformed bcrypt"),
        ("$2y$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "cost of 31; accepted is 4 to 16"),
        ("$2y$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "cost of 3; accepted is 4 to 16"),
        (SHA_CRYPT[0][0][:-1], "malformed SHA-crypt"),
        (SHA_CRYPT[0][0].replace("$5", "$6"), "malformed SHA-crypt"),
        ("$5$rounds=999999999$" + SHA_CRYPT[0][0][3:], "999999999 rounds of SHA-crypt; accepted is up to 5000000"),
        (APR1[0][0] + "x", "malformed apr1"),
    ],
)
def test_a_hash_that_is_not_taken_is_not_repeated_in_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        read_hash(text)
    assert "accepted" in str(caught.value)
    assert len(text) < 4 or text not in str(caught.value)


def test_a_missing_library_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "bcrypt", None)
    with pytest.raises(ValueError, match=r"bcrypt is not installed; pip install 'txproxy\[auth\]'"):
        read_hash(BCRYPT[0][0])


def test_nothing_of_a_hash_is_in_its_repr() -> None:
    assert repr(read_hash(SHA_CRYPT[0][0])) == "PasswordHash(kind='256', cost=5000)"


def test_long_hashes_let_other_threads_run_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(hashes, "sleep", pauses.append)
    hashes.sha_crypt(512, b"secret", b"salt", 10_000)
    # The interpreter would switch threads by itself only every 5 ms, which is some thousand rounds.
    assert len(pauses) >= 10_000 // 300


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@settings(max_examples=20)
@given(
    st.sampled_from(["-5", "-6", "-apr1"]),
    st.text(string.ascii_letters + string.digits + "./", min_size=1, max_size=8),
    st.text(
        st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_characters="\x7f\x85"), min_size=1, max_size=150
    ),
)
def test_openssl_makes_hashes_that_match(kind: str, salt: str, password: str) -> None:
    # OpenSSL reads 256 characters of a password and cuts what is longer.
    password = password.encode()[:250].decode(errors="ignore")
    made = subprocess.run(
        ["openssl", "passwd", kind, "-salt", salt, "-stdin"],
        input=password.encode() + b"\n",
        capture_output=True,
        check=True,
        timeout=30,
    )
    entry = read_hash(made.stdout.decode().strip())
    assert isinstance(entry, PasswordHash)
    assert entry.matches(password.encode())
