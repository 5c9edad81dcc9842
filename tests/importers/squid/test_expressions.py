"""POSIX's extended regular expressions in Python's syntax, against the C library's where there is one."""

import re
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txproxy.importers.squid.expressions import python_expression

SAME = [
    (r"^http://", "http://a", "xhttp://a"),
    (r"\.(gif|jpe?g)$", "a.jpeg", "a.jpegs"),
    (r"a{2,3}b", "aab", "ab"),
    (r"a{,2}b$", "b", "a"),
    (r"^a{,}b$", "aaab", "c"),
    (r"{", "{", "x"),
    (r"a{x}", "a{x}", "ax"),
    (r"[[:digit:]_]+x", "1_2x", "-x"),
    (r"[^[:alnum:]]", "-", "a1"),
    (r"[\.]x", "\\x", "ax"),
    (r"[]a]b", "]b", "xb"),
    (r"[^]a]b", "xb", "]b"),
    (r"\<ads\>", "my ads here", "myads"),
    (r"\d", "d", "1"),
    (r"a*+b", "aab", "c"),
    (r"(ab)\1", "abab", "abba"),
    (r"^a+?$", "aa", "a?"),
    (r"a#b", "a#b", "ab"),
    (r"[a&&b~~|]x", "&x", "cx"),
    (r"*a", "*a", "b"),
    (r"a|*b", "*b", "b"),
    (r"(*b)", "*b", "b"),
    (r"^*ab", "*ab", "ab"),
    (r"a\.b\-c", "a.b-c", "aXb-c"),
    (r"[a-c-]z", "-z", "dz"),
]


@pytest.mark.parametrize(("posix", "fits", "fits_not"), SAME)
def test_it_fits_the_same(posix, fits, fits_not):
    search = re.compile(python_expression(posix)).search
    assert search(fits) and not search(fits_not)


@pytest.mark.parametrize(
    "posix",
    [
        "(",
        ")",
        "a)",
        "[a",
        "[[:nothing:]]",
        "[[.a.]]",
        "a\\",
        "(?i)a",
        "(a",
        "a{3,2}",
        "1^?",
        "[a--b]",
        "[z-a]",
        "a{99999999999}",
    ],
)
def test_what_is_no_expression_says_why(posix):
    with pytest.raises(ValueError, match=r"\w"):
        python_expression(posix)


GREP = shutil.which("grep")


@pytest.mark.skipif(GREP is None, reason="there is no grep")
@given(st.text(alphabet="ab.*+?|()[]^${}1,\\-", min_size=1, max_size=8), st.text(alphabet="ab.1-*", max_size=6))
@settings(max_examples=200, derandomize=True)
def test_grep_finds_the_same(posix, text):
    done = subprocess.run(
        [GREP, "-E", "-q", "-e", posix], input=text + "\n", text=True, capture_output=True, check=False
    )
    try:
        expression = python_expression(posix)
    except ValueError:
        return
    if done.returncode < 2 and not done.stderr:
        assert (re.search(expression, text) is not None) == (done.returncode == 0), expression
