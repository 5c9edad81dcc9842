"""Whom the command asks."""

from argparse import ArgumentParser

import pytest

from txproxy.cli.admin_client import add_arguments, client_of
from txproxy.errors import ConfigError


@pytest.fixture
def client(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_text("0123456789abcdef")
    (tmp_path / "proxy.toml").write_text("[admin]\nlisten = 9090\ntoken_file = 'token'\n[unknown]\n")
    (tmp_path / "none.toml").write_text("")

    def client(*words):
        parser = ArgumentParser()
        add_arguments(parser)
        made = client_of(parser.parse_args(words))
        return made.place, made.token

    return client


@pytest.mark.parametrize(
    ("words", "place", "token"),
    [
        ((), "/run/txproxy/admin.sock", None),
        (("--admin", "unix:/a:mode=660"), "/a", None),
        (("--admin", "unix:address=/a"), "/a", None),
        (("--admin", "9090"), ("127.0.0.1", 9090), None),
        (("--admin", "[::]:9090"), ("::1", 9090), None),
        (("--admin", "10.0.0.1:9090", "--token-file", "token"), ("10.0.0.1", 9090), b"0123456789abcdef"),
        (("--config", "proxy.toml"), ("127.0.0.1", 9090), b"0123456789abcdef"),
        (("--config", "proxy.toml", "--admin", "unix:/a"), "/a", b"0123456789abcdef"),
        (("--config", "none.toml", "--admin", "unix:/a"), "/a", None),
    ],
)
def test_whom_to_ask_is_told_by_arguments_or_a_configuration(client, words, place, token):
    assert client(*words) == (place, token)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--admin", "x"), "--admin: 'x' is no endpoint"),
        (("--admin", "0"), "--admin 0: that is nowhere to connect to; accepted are unix:PATH and ADDRESS:PORT"),
        (("--config", "none.toml"), "none.toml: it has no admin endpoint; accepted is a file with"),
        (("--token-file", "none.toml"), "none.toml: there is no token in it"),
    ],
)
def test_what_cannot_be_asked_is_told(client, words, said):
    with pytest.raises(ConfigError) as fault:
        client(*words)
    assert str(fault.value).startswith(said)
