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


@pytest.mark.parametrize(
    ("field", "fits"),
    [("a=x", True), ("A = x ; b=1", True), ("b=1, a=x", True), ("b=1;a=x;c", True), ("a=xy", False), ("a=X", False)],
)
def test_cookies_are_found_as_nginx_finds_them(field, fits):
    wanted = condition_on("cookie_a", "x")["headers"]["cookie"]
    assert (re.fullmatch(wanted[1:], field) is not None) is fits


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("http_x_a", {"headers": {"x-a": "~(?i)b\\.C"}}),
        ("arg_a", {"query": {"a": "~(?i)b\\.C"}}),
        ("cookie_a", {"headers": {"cookie": "~(?:.*[;,])? *(?i:a) *= *(?i:b\\.C) *(?:[;,].*)?"}}),
        ("host", {"hosts": ["b.c"]}),
        ("request_method", {"methods": ["B.C"]}),
        ("uri", {"~path": "(?i)b\\.C"}),
    ],
)
def test_the_case_of_a_value_may_not_count(name, wanted):
    assert condition_on(name, "b.C", ignore_case=True) == wanted


def test_what_is_not_known_is_told():
    with pytest.raises(Untranslatable, match=r"\$ssl_protocol is no condition here"):
        condition_on("ssl_protocol", "TLSv1.3")
