"""Tests of structured fields (RFC 9651): what is one, and what is none at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.cache.structured_fields import Date, DisplayString, Member, Token, dictionary, item_list


@pytest.mark.parametrize(
    ("value", "member"),
    [
        (b"1", 1),
        (b"-42", -42),
        (b"007", 7),
        (b"999999999999999", 999999999999999),
        (b"1.5", 1.5),
        (b"-0.125", -0.125),
        (b'"a \\"b\\" \\\\"', 'a "b" \\'),
        (b'""', ""),
        (b"foo/bar:*", Token("foo/bar:*")),
        (b"*a", Token("*a")),
        (b":aGVsbG8=:", b"hello"),
        (b":aGVsbG8:", b"hello"),
        (b"::", b""),
        (b"?0", False),
        (b"?1", True),
        (b"@1659578233", Date(1659578233)),
        (b'%"f%c3%bc"', DisplayString("f\u00fc")),
        (b"(a  1 )", (Token("a"), 1)),
        (b"()", ()),
        (b'("a";x "b");y=1', ("a", "b")),
        (b"a;b;c=1; d=?0", Token("a")),
        (b"-0", 0),
        (b"@-5", Date(-5)),
        (b"(1;a 2;b=c);d", (1, 2)),
        # Section 4.2.1: what comes after a member is left out before the end is looked for.
        (b"1 \t ", 1),
    ],
)
def test_a_member(value: bytes, member: Member) -> None:
    assert item_list(value) == [member]
    assert dictionary(b"key=" + value) == {b"key": member}


@pytest.mark.parametrize(
    "value",
    [
        b"1000000000000000",
        b"1.",
        b"1.2345",
        b"1234567890123.1",
        b"-",
        b"--1",
        b'"a',
        b'"\\a"',
        b'"\xe9"',
        b"'a'",
        b"?2",
        b"?",
        b":a:",
        b":a*=:",
        b":=aGVsbG8=:",
        b":a=GVsbG8=:",
        b"@1.5",
        b"@",
        b'%"%FC"',
        b'%"%ff"',
        b"(a",
        b"(a,b)",
        b'("a""b")',
        b"a;",
        b"a;B",
        b"a ;b",
        b"&&&",
        b"a b",
        b"1,",
        b"1,,2",
        b",1",
        b"\t1",
    ],
)
def test_what_is_no_member(value: bytes) -> None:
    assert item_list(value) is None
    assert dictionary(b"key=" + value) is None


@pytest.mark.parametrize(
    ("value", "members"),
    [
        (b"", {}),
        (b"  ", {}),
        (b"a", {b"a": True}),
        (b" a=1 ,\tb ", {b"a": 1, b"b": True}),
        (b"a;x=1, *b-c.d_e*=?0", {b"a": True, b"*b-c.d_e*": False}),
        # Section 3.2: the last of a name counts.
        (b"a=1, b, a=2", {b"b": True, b"a": 2}),
    ],
)
def test_a_dictionary(value: bytes, members: dict[bytes, Member]) -> None:
    found = dictionary(value)
    assert found == members
    assert list(found or ()) == list(members)


@pytest.mark.parametrize("value", [b"A=1", b"a =1", b"a= 1", b"a=", b"a,", b"a=1 b=2", b"1=a", b"-a", b"a=1, &&&&&"])
def test_what_is_no_dictionary(value: bytes) -> None:
    assert dictionary(value) is None


def test_a_list_of_several_lines() -> None:
    assert item_list(b'"a", "b" ,1') == ["a", "b", 1]
    assert item_list(b"") == []


@given(st.binary(max_size=60) | st.text(alphabet='ab1-.=,;:?@%"\\() \t&*', max_size=40).map(str.encode))
def test_no_value_is_too_odd(value: bytes) -> None:
    dictionary(value)
    item_list(value)


@given(st.dictionaries(st.from_regex(rb"\A[a-z*][a-z0-9_\-.*]*\Z"), st.integers(-(10**15) + 1, 10**15 - 1)))
def test_what_is_written_as_a_dictionary_is_read_as_the_same(members: dict[bytes, int]) -> None:
    assert dictionary(b", ".join(b"%b=%d" % pair for pair in members.items())) == members
