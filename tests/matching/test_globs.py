"""Globs over one text."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.errors import ConfigError
from txproxy.matching.globs import TextGlob, text_pattern


@given(st.text(alphabet="ab*?", max_size=8), st.text(alphabet="ab", max_size=12))
def test_a_glob_matches_as_a_shell_s_does(pattern, text):
    assert TextGlob(pattern).matches(text) is fnmatch.fnmatchcase(text, pattern)


def test_a_glob_never_goes_back_over_a_text():
    # Backtracking over this would take years.
    assert not TextGlob("*a" * 30 + "b").matches("a" * 50_000)


def test_texts_are_matched_by_globs_or_expressions():
    assert text_pattern("curl/*")("curl/8.0") and not text_pattern("curl/*")("x curl/8.0")
    assert text_pattern("~curl")("x curl/8.0") and not text_pattern("~^curl")("x curl")
    with pytest.raises(ConfigError, match=r"'~\(' is no regular expression.*accepted"):
        text_pattern("~(")
