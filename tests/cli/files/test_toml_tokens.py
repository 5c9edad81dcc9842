"""A text of TOML, taken apart."""

from txproxy.cli.files.toml_tokens import Array, Blank, Comment, Header, InlineTable, Pair, items_of


def test_each_thing_is_there_in_its_order():
    assert items_of("# a\n\n \n [ a . 'b' ] # c\nk = 1#d\n[[x.\"y z\"]]\n'q' = 'v'") == [
        Comment("# a", 0),
        Blank(),
        Header("[a.b]", Comment("# c", 13)),
        Pair("k", "1", Comment("#d", 5)),
        Header('[[x."y z"]]'),
        Pair("q", '"v"'),
    ]


def test_arrays_have_their_comments():
    (pair,) = items_of("a = [ # first\n 1, # one\n # between\n 2 # two\n , [3], ] # end\n")
    assert pair == Pair(
        "a",
        Array(
            (
                (None, Comment("# first", 6)),
                ("1", Comment("# one", 4)),
                (None, Comment("# between", 1)),
                ("2", Comment("# two", 3)),
                (Array((("3", None),), False), None),
            ),
            True,
        ),
        Comment("# end", 10),
    )


def test_values_are_as_they_are_but_for_quotes():
    text = """a = { b = 'x', "c" = [], d.'e f' = 1.0 }
f = 'a\\b'
g = '"'
h = \"\"\"
x # no
\"\"\"
i = 1979-05-27 07:32:00 # d
"""
    assert [item.value for item in items_of(text)] == [
        InlineTable((("b", '"x"'), ("c", Array((), False)), ('d."e f"', "1.0"))),
        "'a\\b'",
        "'\"'",
        '"""\nx # no\n"""',
        "1979-05-27 07:32:00",
    ]
