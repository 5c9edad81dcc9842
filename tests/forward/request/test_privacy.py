"""Fields that are removed, replaced and kept, by host."""

import pytest

from txproxy.errors import ConfigError
from txproxy.forward.request.privacy import Mask, Privacy, field_line, mask_of


def test_what_is_removed_and_replaced_goes_and_what_is_replaced_comes():
    mask = mask_of([Privacy(remove=["Referer"], replace={"User-Agent": "none"})], "a.example")
    assert mask.dropped([b"referer", b"user-agent", b"accept"]) == {b"referer", b"user-agent"}
    assert mask.lines == (b"User-Agent: none",)


def test_only_the_hosts_that_are_told():
    rules = [Privacy(hosts=".ads.example", remove="Cookie"), Privacy(hosts=["*.b.example"], remove=["Referer"])]
    assert mask_of(rules, "ads.example").drop == {b"cookie"}
    assert mask_of(rules, "x.b.example").drop == {b"referer"}
    assert mask_of(rules, "b.example") == Mask()


def test_rules_come_together_and_the_first_that_replaces_a_field_counts():
    rules = [Privacy(remove="A", replace={"X": "1"}), Privacy(remove="B", replace=[("x", "2"), ("Y", "3")])]
    mask = mask_of(rules, "a.example")
    assert mask.drop == {b"a", b"b", b"x", b"y"}
    assert mask.lines == (b"X: 1", b"Y: 3")


def test_keep_leaves_nothing_else_but_the_message():
    mask = mask_of([Privacy(keep=["Accept", "Host-Like"])], "a.example")
    names = [b"accept", b"cookie", b"x-secret", b"content-type", b"sec-websocket-key", b"content-length"]
    assert mask.dropped(names) == {b"cookie", b"x-secret"}


def test_of_two_lists_to_keep_what_is_on_both_stays():
    mask = mask_of([Privacy(keep=["A", "B"]), Privacy(keep=["B", "C"])], "a.example")
    assert mask.dropped([b"a", b"b", b"c"]) == {b"a", b"c"}


def test_fields_of_responses_are_named_apart():
    mask = mask_of([Privacy(remove_from_responses=["Set-Cookie"])], "a.example")
    assert (mask.drop, mask.drop_from_responses) == (frozenset(), {b"set-cookie"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"remove": ["a b"]},
        {"remove": [""]},
        {"remove": "Host"},
        {"remove": ["Content-Length"]},
        {"remove": ["transfer-encoding"]},
        {"remove": ["Proxy-Authorization"]},
        {"keep": ["a:b"]},
        {"replace": {"Connection": "close"}},
        {"replace": {"X": "a\r\nb"}},
        {"replace": {"X": " a"}},
        {"remove_from_responses": ["Content-Length"]},
        {"hosts": ["a*b"]},
    ],
)
def test_what_can_be_no_field_or_host_is_refused(wrong):
    with pytest.raises(ConfigError, match="accepted"):
        Privacy(**wrong)


def test_a_wrong_value_is_not_repeated_for_it_may_be_a_secret():
    with pytest.raises(ConfigError) as raised:
        field_line("Authorization", "hunter2\n")
    assert "hunter2" not in str(raised.value)
