"""Options that make a configuration."""

import pytest

from tests.tls.authority import new_ca
from txproxy.cli.options.pools import ReverseOptions, TcpOptions
from txproxy.config import Config, ForwardListener, PoolConfig, ReverseListener, TcpListener
from txproxy.errors import ConfigError
from txproxy.forward.auth.auth_policy import AuthPolicy
from txproxy.forward.mode import ForwardPolicy
from txproxy.runtime.proxy_service import make_service
from txproxy.tap import Options
from txproxy.tls.listener_contexts import ListenerTls
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream_tls import UpstreamTls


def config(*words):
    options = Options()
    options.parseOptions([*words, "--access-log", "none"])
    return options.subOptions.service.config


@pytest.fixture
def certificates(tmp_path):
    """The files of two certificates with their keys, and that of the CA."""
    ca = new_ca()
    (tmp_path / "ca.pem").write_bytes(ca.cert_pem)
    return [ca.issue(f"{name}.example").write(tmp_path, name) for name in "ab"], str(tmp_path / "ca.pem")


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


def test_options_become_configuration(certificates):
    pairs, ca = certificates
    made = config("reverse", "--upstream=https://a", "--upstream=https://b;weight=2", "--host=upstream", "--via=none",
                  "--listen=tcp:1", "--listen=tcp:2", "--idle-timeout=1m", "--max-body-size=1k", "--retries=0",
                  "--min-body-rate=0", "--tunnel-timeout=5m", "--max-target-size=16k", "--max-fields=200",
                  "--balance=header-hash:X-User", "--sticky=cookie:c", "--upstream-ca", ca,
                  "--upstream-cert", pairs[0][0], "--upstream-key", pairs[0][1], "--health-check=/h",
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
            tls=UpstreamTls(ca_file=ca, cert_file=pairs[0][0], key_file=pairs[0][1]),
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


def test_certificates_have_the_keys_that_follow_them(certificates):
    ((a, a_key), (b, b_key)), ca = certificates
    words = [
        "reverse",
        "--upstream=http://a",
        "--tls-listen=tcp:1",
        "--tls-cert",
        a,
        "--tls-key",
        a_key,
        "--tls-cert",
        b,
    ]
    made = config(*words, "--tls-key", b_key, "--tls-client-ca", ca, "--tls-min-version=1.3", "--tls-ciphers=ECDHE")
    assert made.listeners[0].tls == ListenerTls(
        certificates=((a, a_key), (b, b_key)), client_ca=ca, min_version="1.3", ciphers="ECDHE"
    )
    assert made.listeners[0].listen == (), "who says where to listen does not listen elsewhere"
    with open(a_key) as key, open(a, "a") as both:
        both.write(key.read())
    words = ["tcp", "--upstream=a:1", "--tls-listen=tcp:1", "--tls-cert", a, "--tls-cert", b, "--tls-key", b_key]
    assert config(*words).listeners[0].tls == ListenerTls(certificates=((a, None), (b, b_key)), alpn=())


def test_run_takes_what_a_file_says(tmp_path, capfd):
    file = tmp_path / "proxy.toml"
    listener = '[[listeners]]\nlisten = "tcp:0"\npool = "a"\n'
    file.write_text(f'[log]\naccess = "none"\n{listener}[pools.a]\nupstreams = "http://a"\n')
    options = Options()
    options.parseOptions(["run", "--config", str(file)])
    assert options.subOptions.service.config.source == str(file)
    file.write_text(file.read_text() + '[pools.b]\nupstreams = "http://b"\n')
    options.parseOptions(["run", "--config", str(file)])
    assert "pools.b: no listener and no route uses this pool" in capfd.readouterr().err


def test_run_says_which_file_cannot_be_read(capfd):
    with pytest.raises(SystemExit):
        Options().parseOptions(["run", "--config", "/nowhere"])
    assert capfd.readouterr().err == (
        "txproxy run: /nowhere: No such file or directory; accepted is a TOML file that can be read\n"
    )


def test_run_lists_all_that_is_wrong_with_a_file(tmp_path, capfd):
    file = tmp_path / "proxy.toml"
    file.write_text('[[listeners]]\nlisten = "x"\npool = "y"\n[pools.a]\nupstreams = "z"\n')
    with pytest.raises(SystemExit) as stopped:
        Options().parseOptions(["run", "--config", str(file)])
    assert stopped.value.code == 1
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"txproxy run: {file}:") for line in lines)


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
        ["reverse", "--upstream", "http://a", "--health-check", "x"],
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
        ["forward", "--cache", "1M"],
        ["forward", "--filter", "x"],
        ["forward", "--workers", "2"],
        ["reverse", "--upstream", "http://a", "--rate-limit", "1/s"],
        ["reverse", "--upstream", "http://a", "--admin", "tcp:1"],
        ["reverse", "--upstream", "http://a", "--access-log-format", "json"],
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
        make_service(Config(listeners=(ForwardListener(),)))


def test_an_endpoint_that_is_wrong_is_told_of_by_the_option_that_named_it(certificates, capfd):
    (pair, _), _ = certificates
    tls = ["--tls-cert", pair[0], "--tls-key", pair[1]]
    for words, begin in [
        (["--tls-listen", "nonsense", *tls], "--tls-listen 'nonsense' is no endpoint"),
        (["--listen", "nonsense", "--tls-listen", "tcp:0", *tls], "--listen 'nonsense' is no endpoint"),
        (["--tls-listen", "tcp:1", "--tls-listen", "tcp:1", *tls], "--tls-listen tcp:1: it is there twice"),
        (tls, "--tls-cert needs --tls-listen ENDPOINT"),
    ]:
        with pytest.raises(SystemExit):
            Options().parseOptions(["reverse", "--upstream", "http://a", *words])
        assert capfd.readouterr().err.startswith(f"txproxy reverse: {begin}")


def test_the_options_of_a_forward_policy(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "users").write_text("bob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n")
    for file in (tmp_path / "ads.txt", tmp_path / "one" / "ads.txt"):
        file.write_text("ads.example\n")
    made = config("forward", "--auth-file", str(tmp_path / "users"), "--allow-host=.example", "--allow-host=a.test",
                  "--deny-host=x.example", "--filter", str(tmp_path / "ads.txt"),
                  "--filter", str(tmp_path / "one" / "ads.txt"), "--parent=http://u:p@a:3128",
                  "--parent=direct;host=b.example")  # fmt: skip
    policy = made.listeners[0].policy
    assert policy.auth == AuthPolicy(password_file=str(tmp_path / "users"))
    assert (policy.allow_hosts, policy.deny_hosts) == ((".example", "a.test"), ("x.example",))
    assert list(policy.filters.lists) == ["ads", str(tmp_path / "one" / "ads.txt")]
    assert [parent.name for parent in policy.parents] == ["http://a:3128", "direct"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--filter=/nowhere"], "--filter: /nowhere: "),
        (["--auth-file=/nowhere"], "--auth-file: /nowhere: "),
        (["--allow-host=a*"], "--allow-host: 'a*' is no host pattern"),
        (["--deny-host="], "--deny-host: '' is no host pattern"),
        (["--parent=ftp://u:s3cret@a"], "--parent: 'ftp://***@a' is no parent proxy"),
    ],
)
def test_wrong_options_of_a_forward_policy_are_named(words, said, capfd):
    with pytest.raises(SystemExit):
        config("forward", *words)
    error = capfd.readouterr().err
    assert said in error and "accepted" in error and "s3cret" not in error
    assert error.count("\n") == 1


def test_the_help_of_tcp_shows_what_has_an_effect_there():
    shown = {word for word in TcpOptions().getUsage().split() if word.startswith("--")}
    of_requests = {"via", "response-timeout", "max-header-size", "max-target-size", "max-fields", "max-body-size"}
    hidden = {f"--{name}=" for name in of_requests | {"min-body-rate"}}
    assert hidden.isdisjoint(shown)
    assert {"--tunnel-timeout=", "--header-timeout=", "--idle-timeout=", "--max-connections=", "--listen="} <= shown
    assert "request" not in TcpOptions().getUsage(width=10_000)
    assert hidden <= {word for word in ReverseOptions().getUsage().split() if word.startswith("--")}


def test_what_has_no_effect_with_tcp_is_accepted_as_before():
    options = TcpOptions()
    options.parseOptions(["--listen=0", "--upstream=10.0.0.1:1", "--max-body-size=1M", "--via=none"])
    assert options["max-body-size"] == "1M"
