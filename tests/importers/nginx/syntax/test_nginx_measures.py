"""Sizes and times of nginx's."""

import pytest

from txproxy.components.values import parse_duration, parse_size
from txproxy.importers.nginx.syntax.nginx_measures import duration, is_on, octets, seconds, size_of
from txproxy.importers.notes import Untranslatable


@pytest.mark.parametrize(
    ("text", "number"),
    [("5", 5), ("90s", 90), ("1h30m", 5400), ("1h 30m", 5400), ("1d", 86400), ("250ms", 0.25), ("1M", 2592000)],
)
def test_a_time_is_the_same_in_our_files(text, number):
    assert seconds(text) == number
    assert parse_duration(duration(text)) == number


@pytest.mark.parametrize(("text", "number"), [("512", 512), ("8k", 8192), ("2M", 2 << 20), ("1g", 1 << 30)])
def test_a_size_is_the_same_in_our_files(text, number):
    assert octets(text) == number
    assert parse_size(size_of(number)) == number


@pytest.mark.parametrize("text", ["", "x", "5x", "1.5s", "-1"])
def test_what_is_no_time_is_told(text):
    with pytest.raises(Untranslatable, match="is no time"):
        seconds(text)


def test_no_time_at_all_is_none_here():
    with pytest.raises(Untranslatable, match="no time of 0"):
        duration("0")


@pytest.mark.parametrize("text", ["", "x", "5x", "1.5k"])
def test_what_is_no_size_is_told(text):
    with pytest.raises(Untranslatable, match="is no size"):
        octets(text)


def test_on_and_off_are_all_there_is():
    assert is_on("on") and not is_on("OFF")
    with pytest.raises(Untranslatable, match="yes is neither on nor off"):
        is_on("yes")
