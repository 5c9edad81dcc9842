"""Words as nginx reads them."""

import pytest

from txproxy.importers.nginx.syntax.words import Word, WordFault, words


def texts(text):
    return [word.text for word in words(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a b;", ["a", "b", ";"]),
        ("a{b;}", ["a", "{", "b", ";", "}"]),
        ("a # no; {\nb;", ["a", "b", ";"]),
        ("a b#c;", ["a", "b#c", ";"]),
        ('a "b; {c} # d";', ["a", "b; {c} # d", ";"]),
        ("a 'b\\'c' \"d\\\"e\";", ["a", "b'c", 'd"e', ";"]),
        (r"a b\ c;", ["a", r"b\ c", ";"]),
        (r"a \.php$ \\d '\n\t';", ["a", r"\.php$", r"\d", "\n\t", ";"]),
        ("a ${x}y;", ["a", "${x}y", ";"]),
        ("a b'c;", ["a", "b'c", ";"]),
        ("a '';", ["a", "", ";"]),
        ("if ($a = 'b') {", ["if", "($a", "=", "b", ")", "{"]),
    ],
)
def test_words_end_where_nginx_ends_them(text, found):
    assert texts(text) == found


def test_each_word_knows_its_line():
    assert [*words("a\n'b\nc'\nd;")] == [Word(1, "a"), Word(2, "b\nc"), Word(4, "d"), Word(4, ";", True)]
    assert not next(iter(words("';'"))).sign


@pytest.mark.parametrize(
    ("text", "line", "why"), [("a\n'b", 2, "a ' is not closed"), ('a "b"c;', 1, 'unexpected "c" after a closing "')]
)
def test_a_quote_has_to_end(text, line, why):
    with pytest.raises(WordFault, match=why) as caught:
        texts(text)
    assert caught.value.line == line
