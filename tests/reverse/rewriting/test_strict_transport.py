"""The line of HSTS."""

import pytest

from txproxy.errors import ConfigError
from txproxy.reverse.rewriting.strict_transport import Hsts


def test_the_line_of_hsts():
    assert Hsts(0).line == b"Strict-Transport-Security: max-age=0"
    assert Hsts(63072000, True, True).line == (
        b"Strict-Transport-Security: max-age=63072000; includeSubDomains; preload"
    )


@pytest.mark.parametrize("arguments", [(-1,), (1.5,), ("1y",), (True,), (10**10,)])
def test_what_is_no_max_age_is_refused(arguments):
    with pytest.raises(ConfigError, match=r"^max_age: .* is no number of seconds; accepted is"):
        Hsts(*arguments)


@pytest.mark.parametrize("arguments", [(31535999, True, True), (31536000, False, True)])
def test_preload_has_conditions(arguments):
    with pytest.raises(ConfigError, match=r"^preload: .* accepted is"):
        Hsts(*arguments)
