"""Configurations in one form, with their meaning and their comments."""

import json
import pathlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config.everything import EVERYTHING
from txproxy.cli.files.toml_layout import formatted
from txproxy.config.sources.toml_text import tables_of
from txproxy.errors import ConfigError

UGLY = """

# the edge


listen="x"   # not a listener's
  via = 'edge' # us
[ log ]

level="info"
access='-' # where
[[listeners]]  # one
pool='app'
listen = ['127.0.0.1:1',"127.0.0.1:2"]
name="web"
# more of it
tls_listen = [
  'a', # first
  "b" ]

routes = []
limits = {idle_timeout=1,  max_fields = 2 }
# of pools
[pools.'app']
upstreams = []


"""
FORM = """\
# the edge

via = "edge"   # us
listen = "x"   # not a listener's

[log]
access = "-"  # where
level = "info"

[[listeners]]  # one
pool = "app"
listen = ["127.0.0.1:1", "127.0.0.1:2"]
name = "web"
# more of it
tls_listen = [
    "a",  # first
    "b",
]

routes = []
limits = { idle_timeout = 1, max_fields = 2 }

# of pools
[pools.app]
upstreams = []
"""


def test_it_has_one_form():
    found = formatted(UGLY, "a.toml")
    assert found == FORM and formatted(found, "a.toml") == found


@pytest.mark.parametrize(
    ("text", "form"),
    [
        # In one column, where most of them stood.
        ('a = 1     # x\nbcd = 2   # y\ne = "long"  # z\n', 'a = 1     # x\nbcd = 2   # y\ne = "long"  # z\n'),
        ("a = 1 # x\n\nbcd = 2 # y\n", "a = 1  # x\n\nbcd = 2  # y\n"),
        ("", ""),
        ("\n\n", ""),
        ("# a", "# a\n"),
        # The order of ours; what is not known comes after it, as it was.
        ("zz = 1\npool = 1\nyy = 1\nname = 2\n", "name = 2\npool = 1\nzz = 1\nyy = 1\n"),
        ("pool = 1\n# about the name\nname = 2\n", "pool = 1\n# about the name\nname = 2\n"),
        ("# about both\npool = 1\nname = 2\n", "# about both\npool = 1\nname = 2\n"),
        ("pool = 1\n\nname = 2\n", "pool = 1\n\nname = 2\n"),
        ("pool.a = 1\nname = 1\npool.b = 2\n", "name = 1\npool.a = 1\npool.b = 2\n"),
        ("a = [\n]\n", "a = []\n"),
        ("a = [ # why\n]\n", "a = [\n    # why\n]\n"),
        ("a = [[1,\n2]]\n", "a = [\n    [\n        1,\n        2,\n    ],\n]\n"),
        (
            f"a = [{', '.join(['1000000000'] * 12)}]",
            f"a = [\n{'    1000000000,' + chr(10)}" * 1 + "    1000000000,\n" * 11 + "]\n",
        ),
        ("a = { b = [1, # x\n2] }\n", "a = { b = [\n    1,  # x\n    2,\n] }\n"),
    ],
)
def test_each_part_of_it(text, form):
    found = formatted(text, "a.toml")
    assert re.sub(" +#", "  #", found) == re.sub(" +#", "  #", form)
    assert formatted(found, "a.toml") == found


def test_comments_stand_in_one_column():
    text = 'a = 1     # x\nbcd = 2   # y\ne = "longer"  # z\n\nf = 3  # w\n'
    columns = [line.index("#") for line in formatted(text, "a.toml").splitlines() if line]
    assert columns == [14, 14, 14, 7]
    text = 'a = 1            # x\nbcd = 2          # y\ne = "longer"  # z\n'
    assert {line.index("#") for line in formatted(text, "a.toml").splitlines()} == {17}


EXAMPLES = sorted((pathlib.Path(__file__).parents[3] / "docs/examples").glob("*.toml"))


@pytest.mark.parametrize("text", [EVERYTHING, *(file.read_text() for file in EXAMPLES)])
def test_what_is_a_configuration_means_the_same(text):
    found = formatted(text, "a.toml")
    assert tables_of(found, "") == tables_of(text, "")
    assert formatted(found, "a.toml") == found
    assert all(len(line) <= max(120, *map(len, text.splitlines())) for line in found.splitlines())


def test_what_is_no_toml_is_said():
    with pytest.raises(ConfigError, match=r"^a.toml:2: "):
        formatted("a = 1\nb\n", "a.toml")


# -- any text

KEYS = st.sampled_from(["a", "name", "pool", "b.c", "'d e'", '"f"', "routes"])
SPACES = st.sampled_from(["", " ", "  ", "\t"])
COMMENTS = st.sampled_from(["", "# x", " # y # z", '  # "q" [1, {', "\t#"])
ENDS = st.sampled_from(["\n", "\n", "\n\n", "\n # alone\n", "\n\n\n#\n"])
SCALARS = st.one_of(
    st.integers(-9, 9).map(str),
    st.sampled_from(
        ["true", "1.5", "nan", "1979-05-27", "'it''s'".replace("''", ""), "'a\\b'", '"""x\n# no\n"""', "'''\ny'''"]
    ),
    st.text(alphabet='ab"\\# []{},=\n', max_size=4).map(json.dumps),
)


ARRAY_ENDS = st.sampled_from([",", ", ", ",\n", ", # c\n", " # d\n , ", ",\n\n# e\n"])


def _array(elements):
    parts = st.lists(st.tuples(elements, ARRAY_ENDS), max_size=3)
    return parts.map(lambda found: "[" + "".join(value + end for value, end in found) + "]")


def _inline(elements):
    return st.lists(elements, max_size=2).map(
        lambda values: "{" + ", ".join(f"k{number} ={value}" for number, value in enumerate(values)) + " }"
    )


VALUES = st.recursive(SCALARS, lambda inner: st.one_of(_array(inner), _inline(inner)), max_leaves=5)
PAIRS = st.lists(
    st.tuples(KEYS, SPACES, VALUES, COMMENTS, ENDS), max_size=4, unique_by=lambda pair: pair[0].strip("'\"")
)


@st.composite
def texts(draw):
    def pairs():
        return "".join(
            f"{space}{key}{space}={space}{value}{comment}{end}" for key, space, value, comment, end in draw(PAIRS)
        )

    text = pairs()
    for number in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from([f"t{number}", f"'t {number}'", f"u{number} . v"]))
        header = draw(st.sampled_from([f"[{name}]", f"[[{name}]]"]))
        text += f"{draw(SPACES)}{header}{draw(COMMENTS)}{draw(ENDS)}{pairs()}"
    return text


@given(texts())
def test_any_text_means_the_same_and_keeps_its_comments(text):
    before = tables_of(text, "")
    found = formatted(text, "a.toml")
    assert repr(_in_order(tables_of(found, ""))) == repr(_in_order(before))
    assert formatted(found, "a.toml") == found
    for comment in ("# x", "# y # z", '# "q" [1, {', "# alone", "# c", "# d", "# e"):
        # What is no comment is in a text, where it stays as well.
        assert found.count(comment) == text.count(comment)


def _in_order(value):
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(one) for one in value] if isinstance(value, list) else value
