"""The options of every mode."""

import pytest

from tests.cli.options.meant import config
from txproxy.config import Config, ForwardListener, PoolConfig, ReverseListener
from txproxy.forward.mode import ForwardPolicy
from txproxy.tap import Options


def test_defaults_are_those_of_the_contract():
    made = config("forward").listeners[0]
    assert isinstance(made, ForwardListener)
    assert made.listen == ("tcp:3128:interface=127.0.0.1",)
    limits = made.limits
    assert (limits.header_timeout, limits.idle_timeout, limits.connect_timeout) == (30, 75, 5)
    assert (limits.response_timeout, limits.drain_timeout) == (60, 30)
    assert (limits.min_body_rate, limits.tunnel_timeout) == (500, 3600)
    assert (limits.max_connections, limits.max_header_size, limits.max_body_size) == (10000, 65536, None)
    assert (limits.max_target_size, limits.max_fields) == (None, 100)
    assert made.policy == ForwardPolicy()
    assert (made.policy.via, made.policy.forwarded_for) == ("txproxy", "delete")
    reverse = config("reverse", "--upstream", "http://a")
    assert reverse == Config(
        listeners=(ReverseListener(listen=("tcp:8080:interface=127.0.0.1",), pool="pool"),),
        pools=(PoolConfig(upstreams=("http://a",)),),
    )
    (pool,) = reverse.pools
    assert (pool.strategy, pool.sticky, pool.settings.retries, pool.settings.health) == ("round-robin", None, 1, None)


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
        ["reverse", "--upstream", "http://a", "--tls-client-ca", "x"],
        ["reverse", "--upstream", "http://a", "--tls-ciphers", "x"],
        ["reverse", "--upstream", "http://a", "--tls-min-version", "1.3"],
        ["reverse", "--upstream", "http://a", "--listen", "ssl:1:privateKey=/dev/null:certKey=/dev/null"],
        ["reverse", "--upstream", "http://a", "--upstream", "http://a;weight=2"],
        ["reverse", "--upstream", "http://a", "--upstream-cert", "/nowhere"],
        ["reverse", "--upstream", "http://a", "--upstream-key", "/nowhere"],
        ["reverse", "--upstream", "http://a", "--balance", "sideways"],
        ["reverse", "--upstream", "http://a", "--sticky", "x"],
        ["reverse", "--upstream", "http://a", "--retries", "-1"],
        ["reverse", "--upstream", "http://a", "--cache", "63k"],
        ["forward", "--cache", "much"],
        ["reverse", "--upstream", "http://a", "--health-check", "x"],
        ["reverse", "--upstream", "h2c://a", "--health-check", "grpc:a b"],
        ["reverse", "--upstream", "http://a", "--health-interval", "0"],
        ["reverse", "--upstream", "http://a", "--health-timeout", "2d"],
        ["reverse", "--upstream", "http://a", "--health-rise", "0"],
        ["reverse", "--upstream", "http://a", "--health-fall", "1001"],
        ["reverse", "--upstream", "http://a", "--trusted-proxy", "x"],
        ["reverse", "--upstream", "http://a", "--listen", "tcp:1", "--listen", "tcp:1"],
        ["tcp", "--listen=tcp:0", "--upstream", "a:1", "--health-check", "/"],
        ["tcp", "--listen=tcp:0", "--upstream", "a:1", "--sticky", "ip"],
        ["run"],
        ["run", "--config", "x", "word"],
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
        ["tcp", "--upstream", "a:1", "--listen", "tcp:1", "--tunnel-timeout", "0"],
        ["forward", "--min-body-rate", "-1"],
        ["forward", "--max-connections", "0"],
        ["forward", "--max-header-size", "10"],
        ["forward", "--access-log", "/nowhere/x"],
        # options of other proxies, and of days to come
        ["tcp", "--listen=tcp:0", "--upstream", "a:1", "--cache", "1M"],
        ["forward", "--cache-dir-size", "5M"],
        ["forward", "--filter", "x"],
        ["reverse", "--upstream", "http://a", "--mtls-optional", "on"],
        ["forward", "--workers", "0"],
        ["tcp", "--upstream", "a:1", "--listen", "tcp:1", "--workers", "many"],
        ["reverse", "--upstream", "http://a", "--admin", "tcp:1"],
        ["reverse", "--upstream", "http://a", "--access-log-format", "jsn"],
    ],
)
@pytest.mark.parametrize("more", [[], ["--workers=2"]], ids=["", "workers"])
def test_what_is_wrong_is_one_line_that_names_it_and_an_exit_status_of_1(words, more, capfd):
    with pytest.raises(SystemExit) as stopped:
        Options().parseOptions(words if "run" in words or "--workers" in words else [*words, *more])
    assert stopped.value.code == 1
    out, err = capfd.readouterr()
    assert err.count("\n") == 1 and err.startswith("txproxy")
    assert not out
    for word in words[-2:]:
        if word.startswith("--") and "=" not in word:
            assert word in err
