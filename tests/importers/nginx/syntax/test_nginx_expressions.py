"""PCRE's expressions, which are searched for, as Python's, which match a whole text."""

import re

import pytest

from txproxy.importers.nginx.syntax.nginx_expressions import group_count, marked, python_expression, whole_expression
from txproxy.importers.notes import Untranslatable


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        (r"\.php$", ["/a.php", ".php"], ["/a.php/x", "/a.PHP"]),
        ("^/a", ["/a", "/ab/c"], ["/b/a"]),
        ("^/a$", ["/a"], ["/ab", "/x/a"]),
        ("^/a|b$", ["/ax", "xb"], ["xbx", "/xa"]),
        ("a|b", ["xay", "b"], ["c"]),
        ("^/(a|b)/", ["/a/x", "/b/"], ["/c/a/"]),
        ("[|]", ["x|y"], ["xy"]),
        ("[^]|]x", ["ax"], ["|x", "]x"]),
        (r"\|$", ["a|"], ["a|b"]),
        (r"a\\$", ["a\\"], ["a"]),
        (r"\$$", ["a$"], ["a"]),
        ("^/[[:digit:]]+$", ["/12"], ["/x"]),
        ("^", ["", "/x"], []),
        ("^$", [""], ["/x"]),
        ("(?i)^/A", ["/a", "/AB"], ["/b"]),
        (r"^/x\z", ["/x"], ["/xy"]),
        ("^/(?<name>x+)", ["/xx"], ["/y"]),
        (r"/\.(?!well-known)", ["/.git"], ["/.well-known/x"]),
    ],
)
def test_it_matches_all_of_what_it_would_be_found_in(text, yes, no):
    matches = re.compile(whole_expression(text)).fullmatch
    assert all(matches(one) for one in yes) and not any(matches(one) for one in no)


def test_case_may_not_count():
    assert re.fullmatch(whole_expression(r"\.GIF$", True), "/x.gif")
    assert whole_expression("(?i)a", True).count("(?i)") == 1


def test_groups_are_those_of_a_search():
    found = re.fullmatch(whole_expression(r"/(\d+)/(.*)$"), "/a/12/x/y")
    assert found is not None and found.groups() == ("12", "x/y")
    assert group_count(r"/(\d+)/(?<n>.*)(?:x)") == 2


@pytest.mark.parametrize("text", ["ü", "(", r"\Kx", r"\hx", "(?R)", "(*ANY)x"])
def test_what_python_has_not_is_told(text):
    with pytest.raises(Untranslatable):
        python_expression(text)


def test_the_mark_stands_before_it():
    assert marked("/a.*") == "~/a.*"
