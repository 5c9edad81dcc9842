"""How values stand in a line of JSON: what whoever reads it gets back."""

import json
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.observe.log_formats.json_lines.json_values import (
    FIRST_BYTE,
    THREE,
    AtOnce,
    json_bytes,
    json_flag,
    json_number,
    json_seconds,
    json_text,
)


@given(st.text())
def test_text_is_itself_whatever_is_in_it(value):
    said = json_text(value)
    assert said.isascii() and "\n" not in said
    assert json.loads(said) == (value or None)


@given(st.binary())
def test_bytes_are_their_utf_8_or_as_they_are_written(value):
    said = json_bytes(value)
    assert said.isascii() and "\n" not in said
    assert json.loads(said) == value.decode("utf-8", "backslashreplace")


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "null"), (b"", '""'), (b"\xff\xc3\xa9", r'"\\xff\u00e9"'), (b'\\"', r'"\\\""'), (b"\0", r'"\u0000"')],
)
def test_bytes_that_are_odd(value, said):
    assert json_bytes(value) == said


def test_an_empty_text_is_none_and_empty_bytes_are_not():
    assert (json_text(""), json_text(None), json_bytes(b"")) == ("null", "null", '""')


def test_numbers_and_flags():
    assert [json_number(value) for value in (None, 0, 16)] == ["null", "0", "16"]
    assert (json_flag(True), json_flag(False)) == ("true", "false")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "null"),
        (0.0, "0.000000"),
        # Clocks go back now and then.
        (-0.5, "0.000000"),
        (0.0000004, "0.000000"),
        (0.0000006, "0.000001"),
        (0.000999, "0.000999"),
        (0.001, "0.001000"),
        (0.0123, "0.012300"),
        (0.9999994, "0.999999"),
        (0.9999996, "1.000000"),
        (1.0, "1.000000"),
        (59.000007, "59.000007"),
        (86400.5, "86400.500000"),
    ],
)
def test_durations(seconds, said):
    assert json_seconds(seconds) == said


@given(st.floats(0, 1e6))
def test_a_duration_is_rounded_to_the_millionth(seconds):
    exact = Decimal(seconds).quantize(Decimal("0.000001"), ROUND_HALF_UP)
    # What is added to round it is itself rounded.
    assert abs(Decimal(json_seconds(seconds)) - exact) <= Decimal("0.000001") * (Decimal(seconds) % 1 != 0)
    assert json_seconds(seconds).partition(".")[2].isdecimal() and len(json_seconds(seconds).partition(".")[2]) == 6


@pytest.mark.parametrize("micros", [0, 1, 999, 1000, 4095, 4096, 1_000_000, 2_000_001])
def test_what_begins_and_ends_at_once_is_said_twice(micros):
    at_once = AtOnce()
    said = f'"duration":{json_seconds(micros / 1e6)}{FIRST_BYTE}{json_seconds(micros / 1e6)}'
    assert b'"duration":' + at_once.made(micros) == said.encode()
    assert json.loads(f"{{{said}}}") == {"duration": micros / 1e6, "first_byte": micros / 1e6}


def test_what_is_short_is_kept_and_the_rest_is_not():
    at_once = AtOnce()
    size = len(at_once)
    assert [one for one in at_once if one is not None] == []
    for micros in (0, 7, size - 1, size, size + 1, -1):
        at_once.made(micros)
    assert {number for number, one in enumerate(at_once) if one is not None} == {0, 7, size - 1}
    assert len(at_once) == size and at_once[7] == b'0.000007,"first_byte":0.000007'


def test_before_zero_there_is_nothing_to_say():
    assert AtOnce().made(-3) == b'0.000000,"first_byte":0.000000'


def test_three_digits():
    assert tuple(str(number).zfill(3) for number in range(1000)) == THREE
