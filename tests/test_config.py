"""Sizes, durations, and the options that make a configuration."""

import pytest

from txproxy.config import ForwardConfig, ReverseConfig, TcpConfig, parse_duration, parse_size
from txproxy.errors import ConfigError
from txproxy.service import make_service
from txproxy.tap import Options


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("64k", 65536), ("1M", 1 << 20), ("2G", 2 << 30), ("10", 10)])
def test_sizes_are_binary(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("30", 30), ("1.5s", 1.5), ("5m", 300), ("1h", 3600)])
def test_durations_are_seconds_unless_told(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("parse", [parse_size, parse_duration])
@pytest.mark.parametrize("text", ["", "-1", "x", "1 k", "1kk", "ten", "1e3"])
def test_what_is_neither_is_refused(parse, text):
    with pytest.raises(ConfigError, match="accepted"):
        parse(text)


def config(*words):
    options = Options()
    options.parseOptions([*words, "--access-log", "none"])
    return options.subOptions.service.config


def test_defaults_are_those_of_the_contract():
    made = config("forward")
    assert isinstance(made, ForwardConfig)
    assert made.listen == ("tcp:3128:interface=127.0.0.1",)
    limits = made.limits
    assert (limits.header_timeout, limits.idle_timeout, limits.connect_timeout) == (30, 75, 5)
    assert (limits.response_timeout, limits.drain_timeout) == (60, 30)
    assert (limits.max_connections, limits.max_header_size, limits.max_body_size) == (10000, 65536, None)
    assert (made.policy.via, made.policy.forwarded_for) == ("txproxy", "delete")
    assert config("reverse", "--upstream", "http://a").listen == ("tcp:8080:interface=127.0.0.1",)


def test_options_become_configuration():
    made = config("reverse", "--upstream=http://a", "--upstream=http://b;weight=2", "--host=upstream", "--via=none",
                  "--listen=tcp:1", "--listen=tcp:2", "--idle-timeout=1m", "--max-body-size=1k")  # fmt: skip
    assert isinstance(made, ReverseConfig)
    assert [upstream.weight for upstream in made.upstreams] == [1, 2]
    assert (made.host, made.via, made.listen) == ("upstream", None, ("tcp:1", "tcp:2"))
    assert (made.limits.idle_timeout, made.limits.max_body_size) == (60, 1024)
    tcp = config("tcp", "--upstream=h:1", "--listen=tcp:3")
    assert isinstance(tcp, TcpConfig)


def test_who_is_trusted_is_the_same_in_all_modes():
    words = ["--proxy-protocol", "--trusted-proxy=10.0.0.0/8", "--trusted-proxy=::1"]
    for mode in (["forward"], ["reverse", "--upstream=http://a"], ["tcp", "--upstream=h:1", "--listen=tcp:3"]):
        made = config(*mode, *words)
        assert made.proxy_protocol and made.trusted_proxies == ("10.0.0.0/8", "::1")
        assert not config(*mode).proxy_protocol and not config(*mode).trusted_proxies


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["sideways"],
        ["reverse"],
        ["reverse", "--upstream", "foo"],
        ["reverse", "--upstream", "http://a", "--host", "no host"],
        ["reverse", "--upstream", "http://a", "--upstream-ca", "/nowhere"],
        ["reverse", "--upstream", "https://a", "--upstream-ca", "/nowhere"],
        ["reverse", "--upstream", "http://a", "--listen", "nonsense"],
        ["reverse", "--upstream", "http://a", "--tls-listen", "tcp:0"],
        ["reverse", "--upstream", "http://a", "--tls-listen", "tcp:0", "--tls-cert", "/nowhere"],
        ["reverse", "--upstream", "http://a", "--tls-key", "x"],
        ["reverse", "--upstream", "http://a", "--proxy-protocol"],
        ["reverse", "--upstream", "http://a", "--trusted-proxy", "10.0.0.1/8"],
        ["reverse", "--upstream", "http://a", "word"],
        ["tcp", "--upstream=a:1"],
        ["tcp", "--listen=tcp:0", "--upstream", "a"],
        ["forward", "--allow-client", "x"],
        ["forward", "--allow-port", "x"],
        ["forward", "--allow-destination", "10.0.0.0/x"],
        ["forward", "--forwarded-for", "x"],
        ["forward", "--via", "a b"],
        ["forward", "--idle-timeout", "0"],
        ["forward", "--max-connections", "0"],
        ["forward", "--max-header-size", "10"],
        ["forward", "--access-log", "/nowhere/x"],
        # options of other proxies, and of days to come
        ["forward", "--cache", "1M"],
        ["forward", "--filter", "x"],
        ["forward", "--workers", "2"],
        ["reverse", "--upstream", "http://a", "--balance", "first"],
        ["reverse", "--upstream", "http://a", "--health-check", "/"],
    ],
)
def test_what_is_wrong_is_one_line_that_names_it_and_an_exit_status_of_1(words, capfd):
    with pytest.raises(SystemExit) as stopped:
        Options().parseOptions(words)
    assert stopped.value.code == 1
    out, err = capfd.readouterr()
    assert err.count("\n") == 1 and err.startswith("txproxy")
    assert not out
    for word in words[-2:]:
        if word.startswith("--") and "=" not in word:
            assert word in err


def test_make_service_wants_somewhere_to_listen():
    with pytest.raises(ConfigError, match="--listen"):
        make_service(ForwardConfig())
