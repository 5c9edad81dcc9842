"""Statuses and classes of them."""

import pytest

from txproxy.errors import ConfigError
from txproxy.matching.statuses import parse_status, statuses_of


def test_which_statuses_are_meant():
    assert parse_status(404) == "404" and parse_status("5xx") == "5xx"
    assert statuses_of(["404", "5xx"]) == {404, *range(500, 600)}
    assert statuses_of([]) == frozenset()


@pytest.mark.parametrize(
    "text", ["", "99", "600", "6xx", "5x", "xxx", "5XX", "5000", 99, 600, -404, True, 404.0, None, ["404"]]
)
def test_what_is_no_status(text):
    with pytest.raises(ConfigError, match="is no status; accepted is one such as 404"):
        parse_status(text)
