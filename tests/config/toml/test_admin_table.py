"""``[admin]`` of a file."""

import pytest

from txproxy.config.admin_endpoint import AdminConfig
from txproxy.config.toml.file import load
from txproxy.errors import ConfigError

LISTENER = '[[listeners]]\nmode = "forward"\nlisten = "127.0.0.1:3128"\n'


@pytest.fixture
def read(tmp_path):
    (tmp_path / "token").write_text("0123456789abcdef\n")
    (tmp_path / "short").write_text("secret\n")

    def read(text):
        file = tmp_path / "proxy.toml"
        file.write_text(text + LISTENER)
        return load(str(file)).admin

    return read


def test_without_it_there_is_none(read):
    assert read("") is None


def test_a_socket_needs_nothing_else_and_a_file_begins_where_the_configuration_is(read, tmp_path):
    assert read('[admin]\nlisten = "unix:/run/a.sock"\n') == AdminConfig(listen="unix:/run/a.sock")
    assert read('[admin]\nlisten = 9090\ntoken_file = "token"\n') == AdminConfig(
        listen="9090", token_file=str(tmp_path / "token")
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "proxy.toml:1: admin: listen is missing; accepted is an endpoint"),
        ("listen = 9090", "proxy.toml:2: admin.listen: 9090: what other machines may reach needs a token"),
        ("listen = 'x'", "proxy.toml:2: admin.listen: 'x' is no endpoint"),
        ("listen = 9090\ntoken_file = 'none'", "proxy.toml:3: admin.token_file: "),
        ("listen = 9090\ntoken_file = 'short'", "short: there is no token in it"),
        ("listen = 'unix:/a'\ntoken = 'x'", "proxy.toml:3: admin.token: no such key (is token_file meant?)"),
        ("listen = '127.0.0.1:3128'", "proxy.toml:2: admin.listen: 127.0.0.1:3128: a listener is there; accepted is"),
    ],
)
def test_what_is_wrong_is_one_line(read, lines, said):
    with pytest.raises(ConfigError) as fault:
        read(f"[admin]\n{lines}\n")
    (line,) = str(fault.value).splitlines()
    assert said in line and "secret" not in line
