from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.strategies import fields
from txproxy.wire.headers import Headers, normal_lines

PAIRS = [(b"Accept", b"a"), (b"X-One", b"1"), (b"accept", b"b")]


def test_order_case_and_duplicates_survive() -> None:
    assert list(Headers(PAIRS)) == PAIRS
    assert Headers(PAIRS).lines == [b"Accept: a", b"X-One: 1", b"accept: b"]


def test_look_up_is_by_lower_case_name() -> None:
    headers = Headers(PAIRS)
    assert headers.get(b"x-one") == b"1"
    assert b"x-one" in headers
    assert headers.get(b"X-One") is None
    assert b"other" not in headers


def test_repeated_values_are_joined_in_the_index_and_apart_elsewhere() -> None:
    headers = Headers(PAIRS)
    assert headers.get(b"accept") == b"a, b"
    assert headers.get_all(b"accept") == [b"a", b"b"]
    assert headers.get_all(b"other") == []


def test_a_list_is_split_into_tokens_in_lower_case_without_empty_ones() -> None:
    headers = Headers([(b"Connection", b"Close, ,\tTE"), (b"Connection", b"X")])
    assert headers.tokens(b"connection") == [b"close", b"te", b"x"]
    assert headers.tokens(b"other") == []


def test_names_are_those_of_each_line_in_order() -> None:
    assert list(Headers(PAIRS).names()) == [b"accept", b"x-one", b"accept"]
    assert list(Headers(PAIRS[:2]).names()) == [b"accept", b"x-one"]


def test_the_number_of_lines_is_the_length() -> None:
    assert len(Headers(PAIRS)) == 3
    assert len(Headers()) == 0


def test_headers_with_the_same_lines_are_equal() -> None:
    assert Headers(PAIRS) == Headers.from_lines([b"Accept: a", b"X-One: 1", b"accept: b"])
    assert Headers(PAIRS) != Headers(PAIRS[:2])
    assert Headers() != []


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\r\nb", b"\xe9", b"a\n"])
def test_a_wrong_name_is_a_value_error(name: bytes) -> None:
    with pytest.raises(ValueError, match="not a field name"):
        Headers([(name, b"a")])


@pytest.mark.parametrize("value", [b" a", b"a ", b"a\r\nB: c", b"a\0", b"a\n", b"\x7f"])
def test_a_wrong_value_is_a_value_error(value: bytes) -> None:
    with pytest.raises(ValueError, match="not a field value"):
        Headers([(b"A", value)])


def test_lines_are_made_plain() -> None:
    assert normal_lines(b"A:b\r\nC:  d \t\r\nE:\r\nF: g: h") == [b"A: b", b"C: d", b"E: ", b"F: g: h"]
    assert normal_lines(b"\r\nA: b") == [b"A: b"]
    assert normal_lines(b"") == []


def test_an_empty_value_is_found() -> None:
    assert Headers.from_lines(normal_lines(b"A:")).get(b"a") == b""
    assert list(Headers.from_lines(normal_lines(b"A:"))) == [(b"A", b"")]


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        Headers().nothing  # noqa: B018


@given(st.lists(fields(), max_size=8))
def test_however_they_are_made_they_are_the_same(pairs: list[tuple[bytes, bytes]]) -> None:
    checked = Headers(pairs)
    for other in (Headers.from_lines(list(checked.lines)), Headers.parsed(list(checked.lines))):
        assert list(other) == pairs
        assert other == checked
        assert other.index == checked.index
        assert list(other.names()) == [name.lower() for name, _ in pairs]
    for name, _ in pairs:
        expected = [value for other, value in pairs if other.lower() == name.lower()]
        assert checked.get_all(name.lower()) == expected
        assert checked.get(name.lower()) == b", ".join(expected)


@pytest.mark.parametrize("own", [[], [b"A: 1"], [b"A: 1", b"B: 2"]])
@pytest.mark.parametrize("lines", [(), (b"C: 3",), (b"C: 3", b"A: 4")])
def test_lines_come_after_its_own(own: list[bytes], lines: tuple[bytes, ...]) -> None:
    for headers in (Headers.parsed([*own]), Headers.of_block(b"\r\n".join(own)) if own else Headers()):
        more = headers.and_lines(lines)
        assert more.block == b"\r\n".join([*own, *lines])
        if own or lines:
            assert more == Headers.from_lines([*own, *lines])
        assert headers.lines == own
