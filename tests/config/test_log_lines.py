"""Formats of access logs, as options and files name them."""

import pytest

from txproxy.config.log_lines import DEFAULT_LINES, NAMED_LINES, parse_log_lines
from txproxy.errors import ConfigError


@pytest.mark.parametrize("format", [*NAMED_LINES, DEFAULT_LINES, "$status", "%>s"])
def test_formats_are_taken_as_they_are_written(format):
    assert parse_log_lines(format) == format


def test_what_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"is combined meant\?"):
        parse_log_lines("combind")
