"""How a pool treats its upstreams: what it does if it is not told, and which Host its checks send."""

import attrs
import pytest

from txproxy import Pool
from txproxy.errors import ConfigError
from txproxy.testing import context_of
from txproxy.upstreams.ejection import Ejection
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.pool_settings import UPSTREAM, PoolSettings


def test_defaults_are_those_of_the_command_line():
    settings = PoolSettings()
    assert (settings.retries, settings.queue, settings.queue_timeout) == (1, 1024, 5.0)
    assert (settings.health, settings.proxy_protocol, settings.slow_start, settings.panic) == (None, 0, 0.0, 0.0)
    assert (settings.ejection, settings.tolerate) == (Ejection(), frozenset())


def test_settings_that_were_read_twice_are_equal_and_nobody_changes_them():
    assert PoolSettings(tolerate=["bare-lf"]) == PoolSettings(tolerate=frozenset({"bare-lf"}))
    assert PoolSettings() != PoolSettings(retries=2)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        PoolSettings().retries = 3


def test_what_is_tolerated_has_a_name_and_is_told_to_connections():
    with pytest.raises(ConfigError, match="accepted"):
        PoolSettings(tolerate=["bare-cr"])
    pool = Pool(["http://a"], settings=PoolSettings(tolerate=["bare-lf"]))
    assert pool.address_for(pool.upstreams[0], context_of("192.0.2.1")).tolerate == {"bare-lf"}


@pytest.mark.parametrize(
    ("own", "sent", "checked"),
    [
        (None, "site.example", b"site.example"),
        # what was said of checks stays
        (b"other.example", "site.example", b"other.example"),
        # nobody knows what clients will send
        (None, None, None),
        # the name of each upstream, which checks send anyway
        (None, UPSTREAM, None),
    ],
)
def test_checks_that_name_no_host_send_the_one_that_requests_have(own, sent, checked):
    health = HealthCheck(path="/up", host=own)
    settings = PoolSettings(retries=7, health=health).checked_as(sent)
    assert settings == PoolSettings(retries=7, health=attrs.evolve(health, host=checked))


def test_without_checks_a_host_changes_nothing():
    settings = PoolSettings()
    assert settings.checked_as("site.example") is settings
