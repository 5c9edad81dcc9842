"""What clients may use, in a file."""

import pytest
from twisted.internet.task import Clock

from txproxy.config import parse
from txproxy.errors import ConfigError
from txproxy.runtime.proxy_service import make_service

LISTENER = '[[listeners]]\nmode = "forward"\nlisten = ["tcp:3128"]\n'
AUTH = "auth.certificate_field = 'cn'\nallow_hosts = ['a']\n"


def test_bandwidths_and_quotas():
    text = LISTENER + (
        '[[bandwidths]]\ndown = "1M"\nup = "256k"\nonly = ["10.0.0.0/8"]\n'
        '[[bandwidths]]\nper = "user"\ndown = 1000\nburst = 5000\n'
        '[[quotas]]\nper = "user"\nday = "1G"\nmonth = "20G"\nonly = ["alice"]\n'
    )
    bounds = parse('usage_file = "used.sqlite"\n' + text, "/etc/proxy.toml").bounds
    assert [(one.per, one.down, one.up, one.burst, one.only) for one in bounds.bandwidths] == [
        ("client", 1 << 20, 256 << 10, None, ("10.0.0.0/8",)),
        ("user", 1000, None, 5000, ()),
    ]
    (quota,) = bounds.quotas
    assert (quota.per, quota.day, quota.month, quota.only) == ("user", 1 << 30, 20 << 30, ("alice",))
    assert bounds.usage_file == "/etc/used.sqlite"


def test_an_ipv6_network_is_one_client_in_all_of_it():
    config = parse("limits.ipv6_prefix = 56\n" + LISTENER + AUTH, "proxy.toml")
    assert (config.bounds.ipv6_prefix, config.listeners[0].limits.ipv6_prefix) == (56, 56)
    assert config.listeners[0].policy.auth.tries.ipv6_prefix == 56
    config = parse(LISTENER + "limits.ipv6_prefix = 48\n" + AUTH, "proxy.toml")
    assert (config.bounds.ipv6_prefix, config.listeners[0].policy.auth.tries.ipv6_prefix) == (64, 48)
    assert parse(LISTENER, "proxy.toml").bounds.ipv6_prefix == 64
    with pytest.raises(ConfigError, match=r"limits.ipv6_prefix: 129 cannot be; accepted is a whole number from 1 to"):
        parse("limits.ipv6_prefix = 129\n" + LISTENER, "proxy.toml")


def test_without_them_there_are_none():
    assert not parse(LISTENER, "proxy.toml").bounds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[[bandwidths]]\nper = "host"\ndown = 1',
            "bandwidths[0].per: 'host' shares nothing; accepted: client, user, rule",
        ),
        ('[[bandwidths]]\ndown = "fast"', "bandwidths[0].down: 'fast' is no size"),
        ('[[bandwidths]]\nonly = ["here"]\ndown = 1', "bandwidths[0].only: 'here' is no network"),
        ("[[quotas]]\n", "quotas[0]: a quota bounds nothing"),
        ("[[quotas]]\nday = 0", "quotas[0].day: 0 is no number of bytes"),
        ("[[quotas]]\nweek = 5\nday = 1", "quotas[0].week: no such key"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(faults, text, said):
    (fault,) = faults(LISTENER + text)
    assert said in fault


def test_a_file_that_cannot_be_used_is_told_and_nothing_is_started(tmp_path):
    (tmp_path / "used.sqlite").write_text("this is no database, whatever its name says" * 100)
    config = parse('usage_file = "used.sqlite"\n' + LISTENER, str(tmp_path / "proxy.toml"))
    with pytest.raises(ConfigError, match=r"proxy.toml:1: usage_file: .*accepted"):
        make_service(config, Clock())
