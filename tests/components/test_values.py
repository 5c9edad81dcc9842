"""Values of options and files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.components import values
from txproxy.errors import ConfigError


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("64k", 65536), ("1M", 1 << 20), ("2G", 2 << 30), ("10", 10)])
def test_sizes_are_binary(text, size):
    assert values.parse_size(text) == size
    assert values.size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30", 30), ("1.5s", 1.5), ("5m", 300), ("1h", 3600), ("1d", 86400), ("2w", 1209600)],
)
def test_durations_are_seconds_unless_told(text, seconds):
    assert values.parse_duration(text) == seconds
    assert values.duration(text) == seconds


@pytest.mark.parametrize("parse", [values.parse_size, values.parse_duration])
@pytest.mark.parametrize("text", ["", "-1", "x", "1 k", "1kk", "ten", "1e3", "\u0661", "1y", "1D", "1W", "1 d", "1dd"])
def test_what_is_neither_is_refused(parse, text):
    with pytest.raises(ConfigError, match="accepted"):
        parse(text)


UNITS = {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@given(st.integers(1, 10**9 - 1), st.sampled_from(sorted(UNITS)))
def test_any_number_of_any_unit_is_a_time(number, unit):
    assert values.parse_duration(f"{number}{unit}") == pytest.approx(number * UNITS[unit])


@given(st.text("0123456789.-+ eEmshdwyM\u0661", max_size=12) | st.text(max_size=5))
def test_any_text_is_a_time_above_none_or_refused(text):
    try:
        seconds = values.parse_duration(text)
    except ConfigError as fault:
        assert "ms, s, m, h, d or w" in str(fault)
    else:
        assert 0 < seconds < 10**15 and text.rstrip("mshdw").replace(".", "").isdecimal()


def test_files_may_have_numbers_for_both():
    assert values.size(65536) == 65536
    assert (values.duration(30), values.duration(0.25), values.duration(1.0), values.duration(1e-05)) == (
        30,
        0.25,
        1,
        1e-05,
    )
    assert (values.pause(0), values.pause("2s"), values.pause(0.0)) == (0, 2, 0)


@pytest.mark.parametrize("value", [True, False, None, [], {}, -1, float("nan"), float("inf"), "never"])
@pytest.mark.parametrize("parse", [values.size, values.duration, values.head_size])
def test_and_nothing_else(parse, value):
    with pytest.raises(ConfigError, match="accepted"):
        parse(value)


@pytest.mark.parametrize("parse", [values.duration, values.pause])
def test_no_time_at_all_is_a_time_only_where_it_may_be_off(parse):
    if parse is values.duration:
        with pytest.raises(ConfigError, match="above 0"):
            parse(0)
    else:
        assert parse(0) == 0
    with pytest.raises(ConfigError, match="accepted"):
        parse(False)


@pytest.mark.parametrize("text", ["0", "", "-1", "1.5", "\u0661", "1" * 11, "1000000001", "x"])
def test_numbers_are_whole_and_at_least_1(text):
    with pytest.raises(ConfigError, match="accepted is 1 or more"):
        values.parse_whole(1, values.MOST)(text)
    assert values.parse_whole(0, 10)("10") == 10


def test_a_head_fits_in_256_bytes_or_more():
    assert values.parse_head_size("256") == values.head_size(256) == 256
    with pytest.raises(ConfigError, match="'255' is too little"):
        values.parse_head_size("255")
    with pytest.raises(ConfigError, match="255 is too little"):
        values.head_size(255)


@pytest.mark.parametrize("text", ["a b", "", "a/b", "\u00e4", "a,b"])
def test_pseudonyms_are_tokens(text):
    with pytest.raises(ConfigError, match="accepted are letters"):
        values.parse_pseudonym(text)
    assert values.parse_pseudonym("edge-1.example_a") == "edge-1.example_a"
    assert values.parse_pseudonym("none") is None


def test_a_word_that_is_nearly_right_is_recognized():
    with pytest.raises(ConfigError, match=r"'revers' is not known \(is reverse meant\?\); accepted: reverse, tcp"):
        values.one_of(("reverse", "tcp"))("revers")
    with pytest.raises(ConfigError, match="'x' is not known; accepted: reverse, tcp"):
        values.one_of(("reverse", "tcp"))("x")
    with pytest.raises(ConfigError, match="true is not known; accepted: reverse"):
        values.one_of(("reverse",))(True)
    assert values.one_of(("reverse",))("reverse") == "reverse"


@pytest.mark.parametrize(
    ("parse", "good", "bad"),
    [
        (values.text, ["a", " "], ["", 1, True, [], {}]),
        (values.any_text, ["a", ""], [1, True, []]),
        (values.flag, [True, False], [1, 0, "true", []]),
        (values.whole(0, 5), [0, 5], [-1, 6, 1.0, True, "1"]),
        (values.share, [0, 1, 0.5], [1.1, -0.1, True, "1", float("nan")]),
    ],
)
def test_types_are_those_of_the_file(parse, good, bad):
    for value in good:
        assert parse(value) == value
    for value in bad:
        with pytest.raises(ConfigError, match="accepted"):
            parse(value)


def test_values_are_shown_on_one_line_and_not_whole():
    assert values.shown("a\nb") == r"'a\nb'"
    assert values.shown(True) == "true"
    assert len(values.shown(list(range(1000)))) == 60
