"""A place in a text of TOML."""

import re

import pytest

from txproxy.config.sources.toml_cursor import SPACE, TomlCursor


def test_it_goes_past_what_is_there():
    cursor = TomlCursor(' a . "b c" = 1')
    assert list(cursor.keys()) == ["a", '"b c"']
    assert cursor.take("=") and not cursor.take("=") and cursor.skip(SPACE) == " " and cursor.bare() == "1"
    assert cursor.at == len(cursor.text)
    with pytest.raises(AssertionError, match="valid TOML"):
        cursor.skip(re.compile("x"))


@pytest.mark.parametrize("text", ["'a'", '"a\\"b"', "'''a\n'b'''", '"""a\n"b\\""""', "''", '""', "'''a'''''"])
def test_a_text_in_quotes_is_one_whatever_is_in_it(text):
    cursor = TomlCursor(f"{text}, 'x'")
    assert cursor.string() == text and cursor.take(",")


def test_a_value_without_quotes_is_none():
    cursor = TomlCursor("1979-05-27 07:32:00Z  # then")
    assert cursor.string() is None and cursor.bare() == "1979-05-27 07:32:00Z"
