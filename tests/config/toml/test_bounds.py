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


# -- of one listener

REVERSE = '[[listeners]]\nname = "web"\nlisten = "tcp:8080"\npool = "a"\n'
TCP = '[[listeners]]\nname = "db"\nmode = "tcp"\nlisten = "tcp:5432"\npool = "a"\n'
POOL = '[pools.a]\nupstreams = ["10.0.0.1:1"]\n'
SITE = '[pools.a]\nupstreams = ["http://10.0.0.1"]\n'
USER = '[[listeners.bandwidths]]\nper = "user"\ndown = 1\n'
RULE = '[[listeners.quotas]]\nper = "rule"\nday = 1\n'
OWN = '[[listeners.bandwidths]]\ndown = "1M"\n[[listeners.quotas]]\nday = "1G"\n'


@pytest.mark.parametrize(("listener", "pool"), [(REVERSE, SITE), (TCP, POOL)])
def test_a_listener_has_its_own(listener, pool):
    bounds = parse(listener + "limits.ipv6_prefix = 56\n" + OWN + pool, "proxy.toml").listeners[0].bounds
    assert [(one.per, one.down) for one in bounds.bandwidths] == [("client", 1 << 20)]
    assert [(one.per, one.day) for one in bounds.quotas] == [("client", 1 << 30)]
    assert bounds.ipv6_prefix == 56


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TCP + USER + POOL, "bandwidths[0].per: raw streams have no users; accepted: client"),
        (TCP + RULE + POOL, "quotas[0].per: raw streams have no rules; accepted: client"),
        (TCP + 'error_pages = { 5xx = "x" }\n' + POOL, "error_pages: no such key"),
        (LISTENER + RULE, "quotas: all forward listeners have them together; accepted is [[quotas]] at the top"),
    ],
)
def test_what_a_mode_has_no_use_for_is_an_error(faults, text, said):
    (fault,) = faults(text)
    assert said in fault


def test_what_is_for_nobody_at_a_reverse_listener_is_doubted():
    route = '[[routes]]\nname = "api"\npath = "/api"\npool = "a"\n'
    text = REVERSE + USER + RULE + 'only = ["api", "apy"]\n' + route + SITE
    user, rule = parse('usage_file = "used.sqlite"\n' + text, "/etc/proxy.toml").warnings
    assert "listeners[0].bandwidths[0].per: nobody is asked who he is; accepted is it with middleware that does" in user
    assert "listeners[0].quotas[0].only: there is no route 'apy' here (is api meant?)" in rule
