"""What is written is read again as it was."""

import pytest
import tomllib

from txproxy.importers.toml_lines import comment, pairs, tables


@pytest.mark.parametrize(
    "said",
    [True, 7, 1.5, "a", 'a "b"', r"\d+'x", r"~^/a\.b$", "line\nline", "\x7f", "ü", [], ["a", 1], ["x" * 60, "y" * 60],
     {"a": {"b c": [True]}}],
)  # fmt: skip
def test_values_are_read_as_they_were(said):
    assert tomllib.loads("\n".join(pairs({"a.b": said}))) == {"a.b": said}


def test_what_looks_like_a_variable_of_the_environment_is_a_text():
    assert pairs({"a": "${NAME} ${name} $host"}) == ['a = "$${NAME} ${name} $host"']


def test_tables_are_elements_of_a_list():
    assert tomllib.loads("\n".join(tables("x", [{"a": 1}, {"a": 2}]))) == {"x": [{"a": 1}, {"a": 2}]}


def test_a_comment_stays_on_its_line():
    assert comment("a\nb = 1") == "# a?b = 1"
