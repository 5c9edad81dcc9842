"""Expressions for paths whose escapes are those that they need."""

import re

import pytest

from txproxy.importers.nginx.syntax.path_expressions import path_expression
from txproxy.importers.notes import Untranslatable


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/a.*b", "/a.*b"),
        ("/([^/]+)/x{2,3}", "/([^/]+)/x{2,3}"),
        (r"(?i).*?\.(?:gif|png)", r"(?i).*?\.(?:gif|png)"),
        (r"(?P<a>\d)(?P=a)\1\b(?#x y)", r"(?P<a>\d)(?P=a)\1\b(?#x y)"),
        ("/a b", "/a%20b"),
        ("/a +b", "/a(?:%20)+b"),
        (r"/a\x20\?b", "/a%20%3Fb"),
        ("/a.b", "/a(?:%[0-9A-F]{2}|[^%])b"),
        (r"/[a\s]", r"/(?:%(?:09|0A|0B|0C|0D|20)|(?!%)[a\s])"),
    ],
)
def test_what_needs_an_escape_has_one(text, said):
    assert path_expression(text) == said


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("/dot/a.b", ["/dot/a%20b", "/dot/axb", "/dot/a%C3b"], ["/dot/ab", "/dot/a%20%20b", "/dot/axxb"]),
        ("/a[^0-9]b", ["/a%20b", "/axb"], ["/a1b"]),
        ("/a[^0-9]+b", ["/a%20%20xb"], ["/a1b", "/a%20"]),
        (r"/a\sb", ["/a%20b", "/a%09b"], ["/a%21b", "/asb"]),
        (r"/\S+", ["/a%C3%A9"], ["/a%20b"]),
        ("/.{2}", ["/a%20", "/ab"], ["/%20", "/a%20b"]),
        ("/100%", ["/100%25"], ["/100%"]),
    ],
)
def test_it_matches_what_the_decoded_path_would_match(text, yes, no):
    matches = re.compile(path_expression(text)).fullmatch
    assert all(matches(one) for one in yes) and not any(matches(one) for one in no)


def test_no_number_of_escapes_takes_long():
    assert re.fullmatch(path_expression("(?:[^0-9])+x"), "%20" * 5000) is None


@pytest.mark.parametrize("text", ["(?x)a b", "(?<!a.)b"])
def test_what_cannot_be_said_is_told(text):
    with pytest.raises(Untranslatable):
        path_expression(text)
