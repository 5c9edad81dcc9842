"""A first configuration is written, and is one."""

import socket

import pytest

from tests.tls.authority import new_ca
from txproxy.cli.files import init_command
from txproxy.cli.files.first_files import FIRST_FILES
from txproxy.cli.files.init_command import run
from txproxy.cli.files.toml_layout import formatted
from txproxy.config.toml.file import load, parse

USERS = "bob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", FIRST_FILES)
def test_each_kind_is_right_and_in_our_form(kind, folder, capsys):
    assert run([kind, "proxy.toml"]) == 0
    assert capsys.readouterr().out == ""
    text = (folder / "proxy.toml").read_text()
    assert formatted(text, "") == text and text.startswith("# ") and "txproxy run --config proxy.toml" in text
    config = load("proxy.toml")
    assert config.warnings == () and config.admin is not None
    # What is in comments may take their place: the keys are known.
    live = "\n".join(
        line.removeprefix("# ") if " = " in line or line.startswith("# [") else line for line in text.splitlines()
    )
    (folder / "users").write_text(USERS)
    for name in ("htpasswd", "block-list.txt", "api_authorization"):
        (folder / name).write_text(USERS if name == "htpasswd" else "ads.example\n")
    parse(live.replace("chain.pem", "").replace("# self_signed", "self_signed"), "proxy.toml")


@pytest.mark.parametrize("kind", FIRST_FILES)
def test_what_there_is_is_in_it(kind, folder, capsys):
    (folder / "site").mkdir()
    pair = new_ca().issue("shop.example")
    (folder / "site/chain.pem").write_bytes(pair.cert_pem)
    (folder / "site/chain.key").write_bytes(pair.key_pem)
    (folder / "site/htpasswd").write_text(USERS)
    assert run([kind, "site/proxy.toml"]) == 0
    err = capsys.readouterr().err
    assert "found chain.pem, for shop.example\n" in err and "found htpasswd, with users\n" in err
    (listener,) = load("site/proxy.toml").listeners
    assert listener.tls.certificates == ((str(folder / "site/chain.pem"), str(folder / "site/chain.key")),)
    if kind in ("forward", "egress"):
        assert listener.policy.auth.password_file == str(folder / "site/htpasswd")


def test_a_port_that_is_taken_is_not_taken_again(folder, capsys, monkeypatch):
    with socket.socket() as one, socket.socket() as other:
        ports = []
        for taken in (one, other):
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            ports.append(taken.getsockname()[1])
        monkeypatch.setitem(init_command._PORTS, "reverse", ports[0])
        monkeypatch.setattr(init_command, "_ADMIN_PORT", ports[1])
        assert run(["reverse", "proxy.toml"]) == 0
    config, err = load("proxy.toml"), capsys.readouterr().err
    for port, listen in zip(ports, (config.listeners[0].listen[0], config.admin.listen), strict=True):
        assert f"port {port} is taken: it is {listen.rpartition(':')[2]}\n" in err
        assert listen.startswith("127.0.0.1:") and listen != f"127.0.0.1:{port}"


def test_options_say_it(folder, capsys):
    pair = new_ca().issue("shop.example")
    (folder / "both.pem").write_bytes(pair.cert_pem + pair.key_pem)
    (folder / "people").write_text(USERS)
    words = ["--upstream", "http://a:1;weight=2", "--upstream", "unix:/run/${x}", "--listen", "[::1]:81"]
    assert run(["reverse", *words, "--cert", "both.pem"]) == 0
    text = capsys.readouterr().out
    config = parse(text, "proxy.toml")
    assert config.pools[0].upstreams == ("http://a:1;weight=2", "unix:/run/${x}")
    assert config.listeners[0].listen == ("[::1]:81",) and "curl http://[::1]:81/" in text
    assert run(["forward", "--users", "people"]) == 0
    assert parse(capsys.readouterr().out, "proxy.toml").listeners[0].policy.auth.password_file == str(folder / "people")
    assert run(["tcp", "--upstream", "a:1", "--listen", ":82"]) == 0
    assert "nc 127.0.0.1 82" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "a kind is needed; accepted: reverse, forward, egress, cache, tcp"),
        (["revers"], "'revers' is no kind (is reverse meant?); accepted: reverse, forward, egress, cache, tcp"),
        (["reverse", "there.toml"], "there.toml is there already; accepted is a name of a file that is not"),
        (["reverse", "--upstream", "nonsense"], "--upstream: "),
        (["tcp", "--upstream", "http://a"], "--upstream: "),
        (["forward", "--upstream", "http://a"], "--upstream: forward goes where clients want; accepted is it without"),
        (["reverse", "--listen", "unix:/run/x"], "--listen unix:/run/x: this is no port; accepted is one such as 8080"),
        (["reverse", "--listen", "nonsense"], "--listen: 'nonsense' is no endpoint"),
        (["reverse", "--cert", "gone.pem"], "--cert gone.pem: No such file"),
        (["reverse", "--key", "gone.key"], "--key needs --cert FILE"),
        (["forward", "--users", "gone"], "--users gone: there is no such file; accepted is one of htpasswd"),
        (["reverse", "a", "b"], "unrecognized arguments: b"),
    ],
)
def test_a_wrong_call_is_one_line(words, said, folder, capsys):
    (folder / "there.toml").write_text("x")
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"txproxy init: {said}") and err.count("\n") == 1 and "accepted" in err
    assert (folder / "there.toml").read_text() == "x"


def test_what_is_written_says_how_it_is_run(folder, capsys):
    assert run(["reverse", "proxy.toml"]) == 0
    said = "proxy.toml is written, and is right; txproxy run --config proxy.toml runs it\n"
    assert capsys.readouterr().err.endswith(said)


def test_what_cannot_be_written_is_said(folder, capsys):
    assert run(["reverse", "gone/proxy.toml"]) == 1
    assert capsys.readouterr().err == (
        "gone/proxy.toml: No such file or directory; accepted is a file that can be made\n"
    )
    assert run(["forward", "proxy.toml", "--users", __file__]) == 1
    assert "password_file" in capsys.readouterr().err and not (folder / "proxy.toml").exists()
