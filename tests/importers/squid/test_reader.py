"""Squid's file as directives: which lines belong together, what is a comment, and what other files say."""

import pytest

from tests.importers.squid.access_lines import Translated, rules
from txproxy.importers.notes import Note
from txproxy.importers.squid import reader
from txproxy.importers.squid.reader import Directive, Unread, items, read, read_file
from txproxy.importers.squid.translation import translate_file


def directives(text):
    return [(one.place, one.name, one.words) for one in read(text, "squid.conf")]


def test_a_directive_is_a_name_with_its_words_and_its_place():
    assert directives("# first\n\n http_port  3128 \tname=x # here\nvia off\n") == [
        ("squid.conf:3", "http_port", ("3128", "name=x")),
        ("squid.conf:4", "via", ("off",)),
    ]


def test_a_line_that_ends_with_a_backslash_goes_on_and_is_where_it_began():
    assert directives("acl x src \\\n  10.0.0.1 \\\n  10.0.0.2\nvia off\\") == [
        ("squid.conf:1", "acl", ("x", "src", "10.0.0.1", "10.0.0.2")),
        ("squid.conf:4", "via", ("off",)),
    ]


def test_a_comment_has_no_next_line():
    assert directives("# via off \\\nvia on\n") == [("squid.conf:2", "via", ("on",))]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('acl x dstdomain "my list.txt" .a', ("x", "dstdomain", '"my list.txt"', ".a")),
        ('acl x browser "open', ("x", "browser", '"open')),
        ("acl x url_regex a#b", ("x", "url_regex", "a#b")),
        ("acl x url_regex a #b", ("x", "url_regex", "a")),
    ],
)
def test_words_end_at_spaces_but_names_of_files_do_not(line, words):
    assert directives(line) == [("squid.conf:1", "acl", words)]


def test_what_is_noted_of_a_directive_has_its_place_and_its_name():
    directive = Directive("squid.conf", 7, "via", ())
    assert (directive.place, str(directive.note("no"))) == ("squid.conf:7", "squid.conf:7: via: no")
    assert str(Note("squid.conf", 0, "via", "there is none")) == "squid.conf: via: there is none"


def test_notes_are_in_the_order_of_the_lines_and_what_is_in_none_is_last():
    notes = [Note("c:1: a", line, "x", "y") for line in (0, 10, 9)]
    assert [note.line for note in sorted(notes, key=lambda note: note.order)] == [9, 10, 0]


def test_of_a_condition_that_is_not_known_only_what_denies_is_taken():
    lines = "if ${service_name} = x\nacl a src ::1\nhttp_access allow a\nhttp_access deny a\nvia off\nendif\nvia on"
    first, *others = read(lines, "squid.conf")
    assert isinstance(first, Unread) and str(first.note).startswith("squid.conf:1: if: it is not known here")
    assert [(one.name, one.words) for one in others] == [
        ("acl", ("a", "src", "::1")),
        ("http_access", ("deny", "a")),
        ("via", ("on",)),
    ]


def test_a_word_of_a_list_stands_for_itself_or_for_the_lines_of_a_file(tmp_path):
    (tmp_path / "hosts").write_text("# all of them\n a.example # this one\n\nb#c\n")
    path = str(tmp_path / "squid.conf")
    assert items("hosts", path) == ["hosts"]
    assert items('"', path) == ['"']
    assert items('"hosts"', path) == ["a.example", "b#c"]
    with pytest.raises(FileNotFoundError):
        items('"none"', path)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "_LARGEST", 3)
    (tmp_path / "a").write_bytes(b"\xffbc")
    assert read_file(str(tmp_path / "a")) == "\ufffdbc"
    (tmp_path / "a").write_bytes(b"abcd")
    with pytest.raises(OSError, match="File too large"):
        read_file(str(tmp_path / "a"))


def test_files_of_values_and_included_files(tmp_path):
    (tmp_path / "bad list.txt").write_text("# those that are bad\nbad.example\n\n.worse.example # very\n")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "2.conf").write_text("http_access allow all\n")
    (tmp_path / "conf.d" / "1.conf").write_text('acl bad dstdomain \\\n  "bad list.txt"\nhttp_access deny bad\n')
    (tmp_path / "conf.d" / "bad list.txt").write_text((tmp_path / "bad list.txt").read_text())
    (tmp_path / "squid.conf").write_text(f"http_port 3128\ninclude {tmp_path}/conf.d/*.conf\ninclude none.conf\n")
    path = str(tmp_path / "squid.conf")
    translated = Translated((tmp_path / "squid.conf").read_text(), path)
    assert not translated.allows(url="http://bad.example/") and not translated.allows(url="http://x.worse.example/")
    assert translated.allows(url="http://x.bad.example/")
    assert translated.policy.rules[0].name == f"{tmp_path}/conf.d/1.conf:3: deny bad"
    assert f"{path}:3: include: {tmp_path}/none.conf: No such file or directory" in translated.notes


def test_a_file_that_includes_itself_ends(tmp_path):
    path = tmp_path / "squid.conf"
    path.write_text(f"http_port 3128\ninclude {path}\n")
    assert any("more than 16 files" in note for note in translate_file(str(path)).notes)


@pytest.mark.parametrize(
    ("lines", "allowed"),
    [
        ("if true\nhttp_access deny all\nelse\nhttp_access allow all\nendif", False),
        ("if false\nhttp_access deny all\nelse\nhttp_access allow all\nendif", True),
        ("if 1 = 1\nhttp_access deny all\nendif\nhttp_access allow all", False),
        ("if 1=2\nhttp_access deny all\nendif\nhttp_access allow all", True),
        ("if 1=1\nif false\nhttp_access deny all\nendif\nendif\nhttp_access allow all", True),
        # Who knows which process that is: nothing more is allowed.
        ("if ${process_number} = 1\nhttp_access deny all\nendif\nhttp_access allow all", False),
        (
            "if ${process_number} = 1\nhttp_access allow all\nelse\nhttp_access allow all\nendif\nhttp_access deny all",
            False,
        ),
    ],
)
def test_conditions_are_followed_and_where_they_cannot_be_nothing_more_is_allowed(lines, allowed):
    assert rules(lines).allows() is allowed
