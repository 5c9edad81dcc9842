"""What a challenge may ask for."""

import pytest

from txproxy.components.rates import parse_rate
from txproxy.errors import ConfigError
from txproxy.reverse.challenge.challenge_settings import ChallengePlace, ChallengeSettings


@pytest.mark.parametrize(
    "wrong",
    [
        {"difficulty": 7}, {"difficulty": 25}, {"wait": -1.0}, {"wait": 301.0}, {"lifetime": 59.0},
        {"lifetime": 86400.0 * 31}, {"ipv4_prefix": 7}, {"ipv4_prefix": 33}, {"ipv6_prefix": 129},
    ],
    ids=str,
)  # fmt: skip
def test_what_it_asks_for_has_bounds(wrong):
    (key,) = wrong
    with pytest.raises(ConfigError) as found:
        ChallengeSettings(**wrong)
    assert str(found.value).startswith(f"{key}: ")


def test_a_place_says_when_it_asks():
    rate = parse_rate("500/s")
    assert ChallengePlace().meaning() == "always" and ChallengePlace().always
    assert ChallengePlace(above=rate, active=5).meaning() == "above 500/s or with more than 5 at work"
    assert not ChallengePlace(active=5).always
