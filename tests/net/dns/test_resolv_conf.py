"""The files by which a system says how names are resolved."""

import os

import pytest

from txproxy.net.dns.resolv_conf import ResolvConf, WatchedFile, read_hosts, read_resolv_conf


def conf(text, host_name=""):
    return read_resolv_conf(iter(text.splitlines()), host_name)


def test_what_the_file_says_is_taken():
    assert conf(
        "# made by hand\n; really\nsearch Corp.Example. example\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n"
        "options ndots:2 timeout:3 attempts:4 rotate edns0\n"
    ) == ResolvConf(("192.0.2.1", "2001:db8::1"), ("corp.example", "example"), 2, 3, 4, True)


@pytest.mark.parametrize(
    "text", ["", "nameserver\n", "nameserver nonsense\nsearch\noptions timeout:x ndots: attempts\n"]
)
def test_what_is_not_understood_is_left_out(text):
    assert conf(text) == ResolvConf(("127.0.0.1",))


def test_bounds_are_those_of_the_c_library():
    found = conf("nameserver 192.0.2.1\n" * 2 + "".join(f"nameserver 10.0.0.{n}\n" for n in range(5)))
    assert found.servers == ("192.0.2.1", "10.0.0.0", "10.0.0.1")
    assert conf("options ndots:99 timeout:0 attempts:99") == ResolvConf(ndots=15, timeout=1, attempts=5)


def test_the_last_list_of_domains_counts_and_else_the_domain_of_the_host():
    assert conf("search one\ndomain two three\n").search == ("two",)
    assert conf("domain two\nsearch one three\n").search == ("one", "three")
    assert conf("", "host.corp.example").search == ("corp.example",)
    assert conf("search .\n", "host.corp.example").search == ()


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("www", ["www.one", "www.two", "www"]),
        ("a.b", ["a.b.one", "a.b.two", "a.b"]),
        ("a.b.c", ["a.b.c", "a.b.c.one", "a.b.c.two"]),
        ("www.", ["www"]),
        ("a.b.c.", ["a.b.c"]),
    ],
)
def test_names_with_few_dots_are_looked_for_in_the_domains_first(name, names):
    assert ResolvConf(search=("one", "two"), ndots=2).names(name) == names


def test_the_hosts_file_has_names_in_any_spelling():
    hosts = read_hosts(
        iter(["127.0.0.1 localhost # here", "::1 LocalHost", "# 10.0.0.1 no", "10.0.0.2", "nonsense a", "", "::2 b b."])
    )
    assert hosts == {"localhost": ("127.0.0.1", "::1"), "b": ("::2",)}


class Seconds:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_file_is_read_again_when_it_has_changed(tmp_path):
    path, seconds, changes, reads = tmp_path / "file", Seconds(), [], []

    def read(lines):
        reads.append(1)
        return [line.strip() for line in lines]

    file = WatchedFile(str(path), read, seconds, lambda: changes.append(1))
    assert file() == [] and not changes
    path.write_text("one\n")
    assert file() == []  # looked at a moment ago
    seconds.now = 1.0
    assert file() == ["one"] and len(changes) == 1
    seconds.now = 2.0
    assert file() == ["one"] and len(reads) == 2
    os.utime(path, ns=(1, 1))
    seconds.now = 3.0
    # It says the same as before.
    assert file() == ["one"] and len(reads) == 3 and len(changes) == 1
    path.unlink()
    seconds.now = 4.0
    assert file() == [] and len(changes) == 2
