"""Where a key stands."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.config.sources.lines import lines_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEXT = '''\
# a comment
via = "a" # = "b"

[limits]
  idle_timeout = 1
a.b."c d" = { e = 1, f = [ 2,
   3 ] }

[[routes]]
hosts = [ "x", # one
  "y" ,
]
  [routes.auth]
  pool = """
[not]
a = 1 \\""" """
[[routes]]
'q.r' = \'\'\'
[[no]] ' = 1 \'\'\'
z = 2024-01-01 00:00:00
[[routes.more]]
x = "\\"]"
[[routes.more]]
x = 1
'''


def test_tables_keys_and_elements_are_found():
    lines = lines_of(TEXT)
    assert lines[()] == 1
    assert lines["via",] == 2
    assert lines["limits",] == 4
    assert lines["limits", "idle_timeout"] == 5
    assert lines["limits", "a", "b", "c d", "e"] == lines["limits", "a", "b", "c d", "f", 0] == 6
    assert lines["limits", "a", "b", "c d", "f", 1] == 7
    assert (lines["routes",], lines["routes", 0], lines["routes", 0, "hosts", 1]) == (9, 9, 11)
    assert (lines["routes", 0, "auth"], lines["routes", 0, "auth", "pool"]) == (13, 14)
    assert (lines["routes", 1], lines["routes", 1, "q.r"], lines["routes", 1, "z"]) == (17, 18, 20)
    assert (lines["routes", 1, "more", 0, "x"], lines["routes", 1, "more", 1, "x"]) == (22, 24)
    assert ("no",) not in lines and ("not",) not in lines and ("a",) not in lines


def paths(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


def test_nothing_more_and_nothing_less_is_found():
    assert set(lines_of(TEXT)) == set(paths(tomllib.loads(TEXT)))


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# only\n", "a=1", "[t]", "a={}", "a=[]", "a=[{},[],'',\"\"]", "[[a]]\n[a.b]"]
)
def test_small_texts(text):
    assert set(lines_of(text)) == set(paths(tomllib.loads(text)))


KEYS = st.text(st.sampled_from("ab-_1"), min_size=1, max_size=3) | st.sampled_from(["'x.y'", '"q\\" ]"', '"\\u00e9"'])
TEXTS = st.sampled_from(["'a'", '"#\\""', "1", "true", "'''x\n[y]\n'''", '"""\n\\"""" "\\\\"""', "''", '""', "0x1F"])
SPACE = st.sampled_from(["", " ", "\t"])
BREAK = st.sampled_from(["", " ", "\n", " # ]}\n "])


def items(inner):
    lists = st.builds(
        lambda elements, left, right, last: "[" + ",".join(f"{left}{one}{right}" for one in elements) + f"{last}]",
        st.lists(inner, max_size=3), BREAK, BREAK, BREAK,
    )  # fmt: skip
    tables = st.builds(
        lambda pairs, sp: "{" + ",".join(f"{sp}k{n}.{key} = {one}{sp}" for n, (key, one) in enumerate(pairs)) + "}",
        st.lists(st.tuples(KEYS, inner), max_size=3),
        SPACE,
    )
    return lists | tables


VALUES = st.recursive(TEXTS, items, max_leaves=8)
LINES = st.one_of(
    st.builds(lambda key, value, space: f"{space}{key}{space}={space}{value}", KEYS, VALUES, SPACE),
    st.builds(lambda key: f"[[list.{key}]] # x", KEYS),
    st.builds(lambda key, other: f"[ {key} . {other} ]", KEYS, KEYS),
    st.sampled_from(["", "# a = [", "  "]),
)


@given(st.lists(LINES, max_size=8))
def test_whatever_is_valid_is_read_as_the_parser_reads_it(lines):
    text = "\n".join(lines)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = lines_of(text)
    assert set(found) == set(paths(data))
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())
