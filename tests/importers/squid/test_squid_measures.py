"""Sizes and times of Squid's."""

import pytest

from txproxy.components.values import parse_duration, parse_size
from txproxy.importers.notes import Untranslatable
from txproxy.importers.squid.squid_measures import in_bytes, in_seconds, seconds_text, size_text


@pytest.mark.parametrize(
    ("words", "seconds"),
    [(["5"], 5), (["5", "minutes"], 300), (["1hour"], 3600), (["1.5", "days"], 129600), (["0.5", "seconds"], 0.5)],
)
def test_a_time_is_the_same_in_our_files(words, seconds):
    assert in_seconds(words) == seconds
    assert parse_duration(seconds_text(seconds)) == seconds


def test_no_time_is_no_text():
    assert seconds_text(0) == ""


@pytest.mark.parametrize(
    ("words", "size"), [(["5"], 5), (["4", "KB"], 4096), (["1", "GB"], 1 << 30), (["3", "bytes"], 3)]
)
def test_a_size_is_the_same_in_our_files(words, size):
    assert in_bytes(words) == size
    assert parse_size(size_text(size)) == size


@pytest.mark.parametrize("words", [[], ["x"], ["1", "sheets"]])
def test_what_is_neither_is_told(words):
    for read in (in_seconds, in_bytes):
        with pytest.raises(Untranslatable):
            read(words)
