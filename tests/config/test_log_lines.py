"""Formats and places of access logs, as options and files name them."""

import pytest

from txproxy.config.log_lines import DEFAULT_LINES, NAMED_LINES, parse_log_lines, parse_log_place
from txproxy.errors import ConfigError


@pytest.mark.parametrize("format", [*NAMED_LINES, DEFAULT_LINES, "$status", "%>s"])
def test_formats_are_taken_as_they_are_written(format):
    assert parse_log_lines(format) == format


def test_what_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"is combined meant\?"):
        parse_log_lines("combind")


def test_places_are_files_and_others():
    for place in ("-", "none", "syslog:udp:127.0.0.1:514", "syslog:udp:[::1]", "syslog:unix:/dev/log", "journald:"):
        assert parse_log_place(place, lambda name: f"/folder/{name}") == place
    assert parse_log_place("a.log", lambda name: f"/folder/{name}") == "/folder/a.log"
    with pytest.raises(ConfigError, match="this is no syslog server; accepted are syslog:udp:HOST:PORT"):
        parse_log_place("syslog:tcp:a", str)
