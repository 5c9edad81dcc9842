"""Directives, blocks and included files."""

import pytest

from txproxy.errors import ConfigError
from txproxy.importers.nginx.syntax.blocks import Reader, read_file


def shown(directives):
    return [(one.name, *one.words, *([shown(one.block)] if one.block is not None else [])) for one in directives]


def test_directives_have_words_and_blocks():
    found = Reader("nginx.conf").read("a;\nb c {\n d 'e f';\n g {}\n}", "nginx.conf")
    assert shown(found) == [("a",), ("b", "c", [("d", "e f"), ("g", [])])]
    assert [one.place for one in found] == ["nginx.conf:1", "nginx.conf:2"]
    assert found[1].block[0].place == "nginx.conf:3" and found[1].first == "c" and found[0].first == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\nb", 'x:1: directive "a" is not terminated by ";"'),
        ("a {\n b }", 'x:2: directive "b" is not terminated by ";"'),
        ("a;\n}", 'x:2: unexpected "}"'),
        ("a {\n b;", 'x:2: unexpected end of file, expecting "}"'),
        (";", 'x:1: unexpected ";"'),
        ("a;\n {", 'x:2: unexpected "{"'),
        ("a;\n'b", "x:2: a ' is not closed"),
    ],
)
def test_what_nginx_would_not_take_says_where_it_is(text, says):
    with pytest.raises(ConfigError) as caught:
        Reader("x").read(text, "x")
    assert says in str(caught.value) and "accepted is a file that nginx -t takes" in str(caught.value)


def test_included_files_stand_where_they_are_included(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "b.conf").write_text("b;")
    (tmp_path / "conf.d" / "a.conf").write_text("include other;")
    (tmp_path / "other").write_text("o {}")
    path = str(tmp_path / "nginx.conf")
    reader = Reader(path)
    found = reader.read("x { include conf.d/*.conf; }\ninclude none/*.conf; include missing;", path)
    assert shown(found) == [("x", [("o", []), ("b",)])]
    assert found[0].block[0].file == str(tmp_path / "other")
    (note,) = map(str, reader.notes)
    assert note == f"{path}:2: include: {tmp_path}/missing: No such file or directory"


def test_a_file_that_includes_itself_is_none(tmp_path):
    (tmp_path / "a").write_text("include a;")
    with pytest.raises(ConfigError, match="more than 32 files within each other"):
        Reader(str(tmp_path / "a")).read("include a;", str(tmp_path / "a"))


def test_a_mark_of_byte_order_is_no_word(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfa;")
    assert read_file(str(tmp_path / "a")) == "a;"
