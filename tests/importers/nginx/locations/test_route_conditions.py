"""What can be asked of a request for a variable."""

import re

import pytest

from txproxy.importers.nginx.locations.route_conditions import SOME, Condition, condition_on
from txproxy.importers.notes import Untranslatable


@pytest.mark.parametrize(
    ("condition", "known"),
    [
        (Condition(()), False), (Condition((), True), True), (Condition(({},)), True), (Condition(({},), True), False),
        (Condition(({"methods": ["GET"]},)), None), (Condition(({"methods": ["GET"]},), True), None),
    ],
)  # fmt: skip
def test_some_are_known_before_a_request_comes(condition, known):
    assert condition.known is known


@pytest.mark.parametrize(("value", "fits"), [("1", True), ("yes", True), ("00", True), ("0", False), ("", False)])
def test_what_counts_as_true(value, fits):
    assert (re.fullmatch(SOME[1:], value) is not None) is fits
    field = condition_on("cookie_a", SOME)["headers"]["cookie"]
    for around in ("a={}", "b=1; a={}", "a={}; c=2", "b=1; a={}; c=2"):
        assert (re.fullmatch(field[1:], around.format(value)) is not None) is fits
    assert re.fullmatch(field[1:], "ba=1") is None


def test_what_is_not_known_is_told():
    with pytest.raises(Untranslatable, match=r"\$ssl_protocol is no condition here"):
        condition_on("ssl_protocol", "TLSv1.3")
