"""Lists of every form that people publish, line by line: what each means, and what is left out and counted."""

import pytest

from txproxy.errors import ConfigError
from txproxy.forward.blocklists.block_list import list_name, parse_list, read_list
from txproxy.forward.request.facts import Facts
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def blocked(text, host="x", path="/"):
    """What of the list ``text`` blocks a request, exceptions aside."""
    made = parse_list("it", text.splitlines())
    facts = Facts(RequestHead(b"GET", path.encode(), Headers(), scheme=b"http"), "127.0.0.1", host, 80)
    found = made.important.find(facts.host) or made.hosts.find(facts.host)
    return found or (hit.entry if (hit := made.find_url(facts)) else None)


@pytest.mark.parametrize(
    ("line", "hosts", "others"),
    [
        ("ads.example", ["ads.example", "x.ads.example"], ["example", "bads.example"]),
        ("  ADS.Example.  ", ["ads.example"], []),
        (".ads.example", ["ads.example", "x.ads.example"], []),
        ("*.ads.example", ["ads.example", "x.ads.example"], []),
        ("ads.example # why", ["ads.example"], []),
        ("ads.example#why", ["ads.example"], []),
        ("ads.example ## why", ["ads.example"], []),
        ("bücher.example", ["xn--bcher-kva.example"], []),
        ("zip", ["a.zip"], ["zip.a"]),
        ("192.0.2.1", ["192.0.2.1", "0xc0000201"], ["1.192.0.2"]),
        ("2001:db8::1", ["2001:db8:0::1"], ["2001:db8::2"]),
        ("[2001:db8::1]", ["2001:db8::1"], []),
        ("0.0.0.0 ads.example", ["ads.example"], ["x.ads.example", "0.0.0.0"]),
        ("127.0.0.1\tads.example  Tracker.example # both", ["ads.example", "tracker.example"], ["both"]),
        ("::1 ads.example", ["ads.example"], []),
        ("fe80::1%lo0 localhost ads.example", ["ads.example"], ["localhost"]),
        ("0.0.0.0 0.0.0.0", [], ["0.0.0.0"]),
        ("||ads.example^", ["ads.example", "x.ads.example"], ["ads.example.org"]),
        ("||ADS.example^$important", ["ads.example"], []),
        ("||ads.example^$all", ["ads.example"], []),
        ("||ads.example", ["ads.example"], ["ads.example.org"]),
        ("||ads.example/", ["ads.example"], []),
        ("||ads.example^|", ["ads.example"], []),
        ("||ads.example^*", ["ads.example"], []),
        ("||192.0.2.1^", ["192.0.2.1"], []),
        ("||[2001:db8::1]^", ["2001:db8::1"], []),
        ("@@||ads.example^", [], ["ads.example"]),
        ("*://ads.example/*", ["ads.example"], ["x.ads.example"]),
    ],
)
def test_a_line_that_is_an_entry(line, hosts, others):
    assert [host for host in hosts + others if blocked(line, host)] == hosts
    assert parse_list("it", [line]).left_out == 0


@pytest.mark.parametrize(
    "line",
    ["", "   ", "# ads.example", "! ads.example", "!ads.example", "## ads.example", "##.banner", "[Adblock Plus 2.0]"],
)
def test_a_line_that_says_nothing(line):
    made = parse_list("it", [line])
    assert (len(made), made.left_out, made.warnings) == (0, 0, ())


@pytest.mark.parametrize(
    "line",
    [
        "||ads.example^$third-party",
        "||ads.example^$domain=a.example|b.example",
        "||ads.example^$important,script",
        "||ads.example^$~third-party",
        "||ads.example^$",
        "||ads.example^banner",
        "||ads.example/banner/*",
        "||ads*.example^",
        "||-^",
        "@@||ads.example^$document",
        "@@||ads.example^$important",
        "@@|http://ads.example/",
        "|http://ads.example/",
        "ads.example##.banner > div",
        "ads.example#@#.banner",
        "ads.example#?#div:has(.ad)",
        "ads.example,b.example##.banner",
        "/ads[0-9]+/",
        "*/banner/*^",
        "*://ads.example/*$third-party",
        "http://ads.example/*$image,domain=x.example",
    ],
)
def test_an_adblock_rule_that_needs_more_than_a_domain_is_never_applied(line):
    made = parse_list("it", ["good.example", line])
    assert (len(made), made.left_out) == (1, 1)
    assert blocked(line, "ads.example", "/banner/x") is None
    assert made.warnings == (
        f"it: 1 Adblock rules need more than a domain and were left out; the first is line 2: {line!r}",
    )


@pytest.mark.parametrize(
    "line",
    [
        "two words",
        "0.0.0.0 not,a,name",
        "300.0.0.0 ads.example",
        "ads.example:8080",
        "-ads.example",
        "ads..example",
        "1,ads.example",
        "ads.example/banner",
        "/banner/ad.",
        "<!DOCTYPE html>",
        "a\0b",
        "a" * 5000 + "!",
    ],
)
def test_a_line_that_is_nothing_is_counted_and_the_first_is_named(line):
    made = parse_list("it", ["good.example", line, line])
    assert (len(made), made.lines, made.left_out) == (1, 3, 2)
    (warning,) = made.warnings
    assert warning.startswith(
        "it: 2 of 3 lines are neither hosts nor URL patterns and were left out; the first is line 2: "
    )
    assert len(warning) < 250 and warning.isprintable()


def test_what_is_no_text_is_told_of_in_ascii():
    (warning,) = parse_list("it", ["good.example", "\udcff\udcfe!"]).warnings
    assert warning.endswith(r"line 2: '\\udcff\\udcfe!'")


@pytest.mark.parametrize(
    ("glob", "path", "matched"),
    [
        ("http://x/private/*", "/private/a", True),
        ("http://x/private/*", "/%70RIVATE/a", True),
        ("http://x/private/*", "/a/../private/a", True),
        ("http://x/private/*", "//private/a", True),
        ("http://x/private/*", "/public/a", False),
        ("*://*/banner/*", "/img/banner/a", True),
        ("*://*/banner/*", "/img/banners/a", False),
        ("*/banner/* # at any depth", "/banner/a", True),
        ("http://x/private/*#why", "/private/a", True),
        ("http://x/a$b", "/a$b", True),
    ],
)
def test_url_globs_heed_no_case_and_no_spelling(glob, path, matched):
    assert (blocked(glob, "x", path) is not None) is matched


def test_what_is_written_often_counts_once():
    made = parse_list("it", ["a.example", "||a.example^", "*.a.example", "0.0.0.0 a.example", "*/a/*"])
    assert len(made) == 3 and made.lines == 5


def test_a_file_is_read_with_the_marks_of_other_systems(tmp_path):
    file = tmp_path / "ads.txt"
    file.write_bytes(b"\xef\xbb\xbfads.example\r\n0.0.0.0 b.example\r\n\xff\xfe!\r\nc.example")
    made, stamp = read_list(str(file))
    assert made.name == "ads" and len(made) == 3 and made.left_out == 1
    assert made.hosts.find("x.ads.example") and made.hosts.find("c.example")
    assert stamp.size == file.stat().st_size and stamp.inode == file.stat().st_ino
    assert read_list(str(file), "mine")[0].name == "mine"


def test_an_empty_file_is_warned_of(tmp_path):
    (tmp_path / "none").write_text("")
    assert read_list(str(tmp_path / "none"))[0].warnings == ("none is empty",)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file or directory"),
        (b"ads.example\n\0\1\2\n", "is binary"),
        (b"<html>\n<body class='x'>\n", r"has no entry: .*first is line 1: '<html>'"),
    ],
)
def test_a_file_that_is_no_list_is_an_error_of_one_line(tmp_path, content, why):
    file = tmp_path / "list"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"{file}.*{why}.*accepted is a text file") as raised:
        read_list(str(file))
    assert len(str(raised.value).splitlines()) == 1


def test_a_folder_is_no_list(tmp_path):
    with pytest.raises(ConfigError, match="Is a directory; accepted"):
        read_list(str(tmp_path))


@pytest.mark.parametrize(("path", "name"), [("/x/ads.txt", "ads"), ("ads", "ads"), ("/x/.ads", ".ads"), ("/", "/")])
def test_a_list_is_called_as_its_file(path, name):
    assert list_name(path) == name
