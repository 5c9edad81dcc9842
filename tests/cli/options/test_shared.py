"""The options that all modes have."""

import pytest

from tests.cli.options.meant import config
from txproxy.cli.options.pools import TcpOptions
from txproxy.config.admin_endpoint import AdminConfig
from txproxy.config.worker_count import cores
from txproxy.tap import Options
from txproxy.tls.listener_contexts import HTTP1, WITH_HTTP2, ListenerTls


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
        certificates=((a, a_key), (b, b_key)), client_ca=ca, min_version="1.3", ciphers="ECDHE", alpn=WITH_HTTP2
    )
    assert made.listeners[0].listen == (), "who says where to listen does not listen elsewhere"
    with open(a_key) as key, open(a, "a") as both:
        both.write(key.read())
    words = ["tcp", "--upstream=a:1", "--tls-listen=tcp:1", "--tls-cert", a, "--tls-cert", b, "--tls-key", b_key]
    assert config(*words).listeners[0].tls == ListenerTls(certificates=((a, None), (b, b_key)), alpn=())


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


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--via=a\nb"], "--via: "),
        (["--idle-timeout", "1\r\n2"], ""),
        (["\x7f"], ""),
    ],
)
def test_control_characters_are_in_no_word(words, shown, capfd):
    with pytest.raises(SystemExit):
        config("forward", *words)
    error = capfd.readouterr().err
    assert error.startswith(f"txproxy forward: {shown}") and "has control characters in it" in error
    assert error.count("\n") == 1


def test_a_trusted_proxy_needs_something_to_be_trusted_with(capfd):
    words = ["tcp", "--upstream=a:1", "--listen=tcp:1", "--trusted-proxy=10.0.0.0/8"]
    with pytest.raises(SystemExit):
        config(*words)
    assert "--trusted-proxy needs --proxy-protocol" in capfd.readouterr().err
    assert config(*words, "--proxy-protocol").listeners[0].trusted_proxies == ("10.0.0.0/8",)
    # In reverse mode there are the fields of a request.
    words = ["reverse", "--upstream=http://a", "--trusted-proxy=10.0.0.0/8"]
    assert config(*words).listeners[0].trusted_proxies == ("10.0.0.0/8",)


def test_options_that_were_given_are_those_that_are_not_as_they_were():
    options = TcpOptions()
    options.parseOptions(["--upstream=a:1", "--listen=tcp:1", "--access-log=none", "--via=none", "--max-fields=100"])
    assert options.given(["via", "max-fields", "max-body-size", "proxy-protocol"]) == ["via"]


def test_workers_are_a_number_or_one_a_core():
    options = TcpOptions()
    for word, count in [("1", 1), ("12", 12), ("auto", cores())]:
        options["workers"] = word
        assert options.process()["workers"] == count


def test_the_access_log_is_a_file_or_none_or_standard_output():
    options = TcpOptions()
    for word, where in [("none", None), ("-", "-"), ("x.log", "x.log")]:
        options["access-log"] = word
        assert options.access_log() == {"access_log": where, "access_log_format": "combined"}


def test_the_format_of_the_access_log_is_a_name_or_a_text():
    words = ["tcp", "--upstream=a:1", "--listen=tcp:1", "--access-log=/dev/null", "--access-log-format"]
    for format in ("squid", "json", "$remote_addr %>s", "escape=json $request"):
        options = Options()
        options.parseOptions([*words, format])
        assert options.subOptions.service.config.access_log_format == format
    with pytest.raises(SystemExit):
        Options().parseOptions([*words, "$remote_adr"])


def test_no_lines_have_no_format(capfd):
    words = ["tcp", "--upstream=a:1", "--listen=tcp:1", "--access-log=none", "--access-log-format=json"]
    with pytest.raises(SystemExit):
        Options().parseOptions(words)
    assert capfd.readouterr().err == "txproxy tcp: --access-log-format needs --access-log: there are no lines\n"


@pytest.mark.parametrize(
    "mode", [["forward"], ["reverse", "--upstream=http://a"], ["tcp", "--upstream=a:1", "--listen=tcp:5"]]
)
def test_the_admin_endpoint_is_one_of_each_mode(mode, tmp_path, capfd):
    file = tmp_path / "token"
    file.write_text("0123456789abcdef\n")
    assert config(*mode).admin is None
    assert config(*mode, "--admin=unix:/run/a.sock").admin == AdminConfig(listen="unix:/run/a.sock")
    made = config(*mode, "--admin=9090", f"--admin-token-file={file}")
    assert made.admin == AdminConfig(listen="9090", token_file=str(file))
    for words, said in [
        (
            ["--admin=9090"],
            "--admin: 9090: what other machines may reach needs a token; accepted are a UNIX socket, an",
        ),
        ([f"--admin-token-file={file}"], "--admin-token-file needs --admin ENDPOINT"),
        (["--admin=9090", "--admin-token-file=none"], "--admin-token-file: none: No such file or directory; accepted"),
        (["--admin=nowhere"], "--admin: 'nowhere' is no endpoint"),
    ]:
        with pytest.raises(SystemExit):
            config(*mode, *words)
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith(f"txproxy {mode[0]}: {said}")


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize(("words", "spoken", "offered"), [([], True, WITH_HTTP2), (["--http2=off"], False, HTTP1)])
def test_http2_is_offered_unless_it_is_not_to_be(certificates, mode, words, spoken, offered):
    (pair, _), _ = certificates
    more = ["--upstream=http://a"] if mode == "reverse" else []
    made = config(mode, *more, "--tls-listen=tcp:1", "--tls-cert", pair[0], "--tls-key", pair[1], *words)
    (listener,) = made.listeners
    assert (listener.http2, listener.h2c, listener.tls.alpn) == (spoken, False, offered)


def test_in_streams_it_is_nobodys_to_offer(certificates, capfd):
    (pair, _), _ = certificates
    words = ["--tls-listen=tcp:1", "--tls-cert", pair[0], "--tls-key", pair[1]]
    assert config("tcp", "--upstream=a:1", *words, "--http2=off").listeners[0].tls.alpn == ()
    assert "--http2 has no effect" in capfd.readouterr().err
    with pytest.raises(SystemExit):
        Options().parseOptions(["tcp", "--listen=tcp:1", "--upstream=a:1", "--http2=maybe"])
    assert "--http2: 'maybe' is not known" in capfd.readouterr().err


def test_a_certificate_for_trials_is_made_for_the_hosts_that_are_named(capfd):
    words = ["reverse", "--upstream=http://a", "--tls-listen=tcp:1"]
    assert config(*words, "--tls-self-signed").listeners[0].tls.self_signed.names == ("localhost", "127.0.0.1", "::1")
    for mode in (words, ["forward", "--tls-listen=1"], ["tcp", "--upstream=a:1", "--tls-listen=1"]):
        tls = config(*mode, "--tls-self-signed-for", "a.example", "--tls-self-signed").listeners[0].tls
        assert tls.self_signed.names[3:] == ("a.example",) and tls.certificates == ()
    for more, said in [
        (
            ["--tls-self-signed", "--tls-cert", "x"],
            "--tls-self-signed and --tls-cert are both there; accepted",
        ),
        (["--tls-self-signed-for", "a..b"], "--tls-self-signed-for: 'a..b' is no host"),
    ]:
        with pytest.raises(SystemExit):
            Options().parseOptions([*words, *more])
        assert capfd.readouterr().err.startswith(f"txproxy reverse: {said}")
    with pytest.raises(SystemExit):
        Options().parseOptions([*words[:2], "--tls-self-signed"])
    assert "--tls-self-signed needs --tls-listen ENDPOINT" in capfd.readouterr().err
