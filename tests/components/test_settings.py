"""What is said of a value at its attribute."""

import attrs
import pytest

from txproxy.components.settings import Setting, default_of, setting, settings_of
from txproxy.errors import ConfigError


def positive(one, field, value):
    if value < 0:
        raise ConfigError("less than none")


@attrs.frozen
class Some:
    """Values, of which two are options."""

    idle_time: float = setting("duration", 30.0, "how long it waits", written="30s")
    other: int = setting("count", 5, "so many", option="some-other", validator=positive)
    hidden: int | None = setting("count", None)
    plain: str = "x"


def test_the_settings_of_a_class_are_in_its_order_and_each_is_an_option_that_says_what_it_is_for():
    assert list(settings_of(Some).values()) == [
        Setting(
            key="idle_time",
            kind="duration",
            default=30.0,
            option="idle-time",
            about="how long it waits",
            written="30s",
        ),
        Setting(key="other", kind="count", default=5, option="some-other", about="so many", written="5"),
        Setting(key="hidden", kind="count", default=None, written="none"),
    ]


def test_it_is_an_attribute_as_any_other():
    assert Some() == Some(30.0, 5, None, "x")
    with pytest.raises(ConfigError, match="less than none"):
        Some(other=-1)


def test_the_default_of_what_is_no_setting_is_known_as_well():
    assert (default_of(Some, "plain"), default_of(Some, "other")) == ("x", 5)
