"""The options of the modes that have a pool."""

import pytest
from twisted.python.usage import UsageError

from tests.cli.options.meant import config
from txproxy.cli.options.pools import ReverseOptions, TcpOptions
from txproxy.config import Config, PoolConfig, ReverseListener, TcpListener
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream_tls import UpstreamTls


def test_options_become_configuration(certificates):
    pairs, ca = certificates
    made = config("reverse", "--upstream=https://a", "--upstream=https://b;weight=2", "--host=upstream", "--via=none",
                  "--listen=tcp:1", "--listen=tcp:2", "--idle-timeout=1m", "--max-body-size=1k", "--retries=0",
                  "--min-body-rate=0", "--tunnel-timeout=5m", "--max-target-size=16k", "--max-fields=200",
                  "--balance=header-hash:X-User", "--sticky=cookie:c", "--upstream-ca", ca,
                  "--upstream-cert", pairs[0][0], "--upstream-key", pairs[0][1], "--health-check=/h",
                  "--upstream-alpn=h2,http/1.1",
                  "--health-interval=10s", "--health-timeout=500ms", "--health-rise=1", "--health-fall=4",
                  "--trusted-proxy=10.0.0.0/8", "--trusted-proxy=::1", "--proxy-protocol")  # fmt: skip
    (listener,), (pool,) = made.listeners, made.pools
    assert isinstance(listener, ReverseListener)
    assert (listener.pool, listener.via, listener.listen) == (pool.name, None, ("tcp:1", "tcp:2"))
    assert (listener.limits.idle_timeout, listener.limits.max_body_size) == (60, 1024)
    assert (listener.limits.min_body_rate, listener.limits.tunnel_timeout) == (0, 300)
    assert (listener.limits.max_target_size, listener.limits.max_fields) == (16384, 200)
    assert (listener.proxy_protocol, listener.trusted_proxies) == (True, ("10.0.0.0/8", "::1"))
    assert pool == PoolConfig(
        upstreams=("https://a", "https://b;weight=2"), strategy="header-hash:X-User", sticky="cookie:c",
        host="upstream",
        settings=PoolSettings(
            retries=0,
            health=HealthCheck(path=b"/h", interval=10, timeout=0.5, rise=1, fall=4),
            tls=UpstreamTls(ca_file=ca, cert_file=pairs[0][0], key_file=pairs[0][1], alpn=("h2", "http/1.1")),
        ),
    )  # fmt: skip


def test_tcp_has_a_pool_as_well():
    made = config("tcp", "--upstream=h:1", "--listen=tcp:3", "--balance=least-connections", "--health-check=connect")
    assert made == Config(
        listeners=(TcpListener(listen=("tcp:3",), pool="pool"),),
        pools=(
            PoolConfig(
                upstreams=("h:1",), tcp=True, strategy="least-connections",
                settings=PoolSettings(health=HealthCheck(kind="connect")),
            ),
        ),
    )  # fmt: skip


def test_a_check_may_only_connect():
    made = config("reverse", "--upstream=http://a", "--health-check=connect")
    assert made.pools[0].settings.health == HealthCheck(kind="connect")


def test_the_help_of_tcp_has_every_option_and_says_which_have_no_effect_there():
    text = " ".join(TcpOptions().getUsage(width=10_000).split())
    of_requests = {"via", "response-timeout", "max-header-size", "max-target-size", "max-fields", "max-body-size"}
    for name in of_requests | {"min-body-rate"}:
        assert f"--{name}= without effect on streams; " in text
    for name in ("tunnel-timeout", "header-timeout", "idle-timeout", "max-connections", "listen"):
        assert f"--{name}= " in text and f"--{name}= without effect" not in text
    assert "without effect" not in ReverseOptions().getUsage(width=10_000)


def test_what_has_no_effect_with_tcp_is_accepted_as_before():
    options = TcpOptions()
    options.parseOptions(["--listen=0", "--upstream=10.0.0.1:1", "--max-body-size=1M", "--via=none"])
    assert options["max-body-size"] == "1M"


@pytest.mark.parametrize(("said", "service"), [("grpc", b""), ("grpc:shop.Cart", b"shop.Cart")])
def test_servers_of_grpc_are_asked_for_a_service_or_for_all(said, service):
    made = config("reverse", "--upstream=h2c://a", f"--health-check={said}", "--health-rise=1")
    assert made.pools[0].settings.health == HealthCheck(kind="grpc", service=service, rise=1)


@pytest.mark.parametrize(
    ("options", "example"), [(ReverseOptions, "http://127.0.0.1:8001"), (TcpOptions, "127.0.0.1:5432")]
)
def test_who_names_no_server_is_told_how(options, example):
    said = f"^--upstream is required; accepted is one or more, such as --upstream {example}$"
    with pytest.raises(UsageError, match=said):
        options().parseOptions(["--listen=0"])
