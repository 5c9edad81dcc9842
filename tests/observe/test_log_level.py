"""How much is written to the proxy's own log."""

import pytest
from twisted.logger import LogLevel

from txproxy.observe.log_level import LEVELS, LogThreshold


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_of_the_level_and_above_is_written(level):
    threshold = LogThreshold(level)
    written = [one for one in LEVELS if threshold.wants({"log_level": LogLevel.levelWithName(one)})]
    assert written == list(LEVELS[LEVELS.index(level) :])
    assert threshold.wants({}) is (level in ("debug", "info"))


def test_what_was_set_stays_until_the_configuration_says_something_else():
    threshold = LogThreshold()
    threshold.set("debug")
    threshold.follow("info")
    assert (threshold.level, threshold.configured) == ("debug", "info")
    threshold.follow("warn")
    assert (threshold.level, threshold.configured) == ("warn", "warn")
