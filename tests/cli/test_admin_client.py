"""Whom the command asks."""

import socket
import threading
from argparse import ArgumentParser

import pytest

from txproxy.cli.admin_client import AdminClient, AdminFault, add_arguments, client_of
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


def served(answer, status="200 OK", kind="text/event-stream"):
    """What a client makes of these bytes, from a server that closes after them."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answered():
            client, _ = server.accept()
            with client:
                while b"\r\n\r\n" not in client.recv(65536):
                    pass
                client.sendall(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n\r\n".encode() + answer)

        thread = threading.Thread(target=answered)
        thread.start()
        found = []
        try:
            with pytest.raises(AdminFault) as fault:
                found.extend(AdminClient("here", server.getsockname()).events("/api/events"))
        finally:
            thread.join()
    return found, str(fault.value)


@pytest.mark.parametrize(
    ("answer", "status", "told", "said"),
    [
        (
            b': txproxy\n\nevent: reload\ndata: {"revision": 2}\n\n:\n\nevent: stage\ndata: {"stage": "x"}\n\n',
            "200 OK", [("reload", {"revision": 2}), ("stage", {"stage": "x"})], "here: it has ended",
        ),
        (b'{"error": "no token"}', "401 Unauthorized", [], "here: no token"),
        (b"<html>", "404 Not Found", [], "here: what answers there is no admin endpoint"),
        (b"data: <html>\n", "200 OK", [], "here: what answers there is no admin endpoint"),
    ],
)  # fmt: skip
def test_events_are_read_as_they_come(answer, status, told, said):
    # What was told before it ended counts.
    found, fault = served(answer, status)
    assert fault == said and found == told
