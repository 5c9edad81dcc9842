"""The admin endpoint of a running proxy, over real sockets."""

import http.client
import json
import signal
import socket
import stat
import sys

import pytest

from tests.integration.conftest import DEADLINE, free_port, until

TOKEN = "0123456789abcdef"


class UnixConnection(http.client.HTTPConnection):
    """One to a path."""

    def __init__(self, path):
        super().__init__("localhost", timeout=DEADLINE)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(self._path)


def ask(connection, path, **fields):
    connection.request("GET", path, headers=fields)
    response = connection.getresponse()
    return response.status, json.loads(response.read()), dict(response.getheaders())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "admin.sock"


def test_a_unix_socket_is_for_its_owner_and_tells_until_the_end(run_proxy, path):
    with socket.create_server(("127.0.0.1", 0)) as slow:
        origin = f"http://127.0.0.1:{slow.getsockname()[1]}"
        proxy = run_proxy("reverse", "--upstream", origin, "--admin", f"unix:{path}", "--access-log", "none")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        client = UnixConnection(path)
        assert ask(client, "/healthz")[:2] == (200, {"status": "ok"})
        status, body, fields = ask(client, "/readyz")
        assert (status, body) == (200, {"status": "ready"}) and "Server" not in fields
        status, body, _ = ask(client, "/nothing")
        assert (status, body) == (404, {"error": "there is no '/nothing' here"})
        with socket.create_connection(("127.0.0.1", proxy.port), DEADLINE) as waiting:
            waiting.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            upstream, _ = slow.accept()
            proxy.process.send_signal(signal.SIGTERM)
            until(lambda: ask(client, "/readyz")[0] == 503, "it is not ready")
            assert ask(client, "/readyz")[1] == {"error": "not ready", "reasons": ["draining"]}
            upstream.recv(65536)
            upstream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            answer = b""
            while data := waiting.recv(65536):
                answer += data
            assert answer.endswith(b"ok")
            upstream.close()
    until(lambda: proxy.process.poll() is not None, "it ends")
    assert not path.exists()


def test_where_others_reach_it_a_token_is_needed_and_asked(run_proxy, tmp_path):
    port = free_port()
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    words = ["forward", "--admin", str(port), "--admin-token-file", str(tmp_path / "token")]
    run_proxy(*words)
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    assert ask(client, "/readyz")[:2] == (200, {"status": "ready"})
    status, body, fields = ask(client, "/api/")
    assert status == 401 and "token" in body["error"] and fields["WWW-Authenticate"] == 'Bearer realm="txproxy"'
    assert ask(client, "/api/", Authorization=f"Bearer {TOKEN[:-1]}x")[0] == 401
    assert ask(client, "/api/", Authorization=f"Bearer {TOKEN}")[0] == 200
    assert ask(client, "/readyz", Origin="http://evil.example")[0] == 403


def test_a_page_of_another_name_is_refused_on_loopback(run_proxy):
    port = free_port()
    run_proxy("forward", "--admin", f"127.0.0.1:{port}")
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    assert ask(client, "/healthz")[0] == 200
    assert ask(client, "/healthz", Host="rebound.example")[0] == 403
    assert ask(client, "/healthz", Host=f"localhost:{port}")[0] == 200


def test_a_reload_keeps_the_endpoint_and_its_clients(processes, tmp_path, path):
    port = free_port()
    file = tmp_path / "proxy.toml"
    text = f"""
[admin]
listen = "unix:{path}"
[[listeners]]
listen = "127.0.0.1:{port}"
[[routes]]
name = "all"
path = "/"
respond = {{ status = 200, body = "one" }}
"""
    file.write_text(text)
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = processes(
            sys.executable, "-m", "txproxy", "run", "--config", str(file), port=port, stdout=out, stderr=out
        )
    client = UnixConnection(path)
    assert ask(client, "/readyz")[0] == 200
    inode = path.stat().st_ino
    for mode in ("660", "600"):
        file.write_text(text.replace(f'"unix:{path}"', f'"unix:{path}:mode={mode}"').replace('"one"', f'"{mode}"'))
        process.send_signal(signal.SIGHUP)
        until(lambda mode=mode: stat.S_IMODE(path.stat().st_mode) == int(mode, 8), "the mode is another")
        assert ask(client, "/readyz")[0] == 200 and path.stat().st_ino == inode
    assert "Traceback" not in log.read_text()


def test_events_pass_through_a_listener_of_the_proxy_itself_and_do_not_hold_up_its_end(run_proxy, path):
    proxy = run_proxy("reverse", "--upstream", f"unix:{path}", "--admin", f"unix:{path}", "--drain-timeout", "1h")
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=DEADLINE)
    client.request("GET", "/api/events", headers={"Host": "console.example"})
    kinds = (line for line in client.getresponse() if line.startswith(b"event: "))
    assert [next(kinds), next(kinds)] == [b"event: status\n"] * 2
    proxy.process.send_signal(signal.SIGTERM)
    assert list(kinds)[-2:] == [b"event: stage\n", b"event: status\n"]
    client.close()
    until(lambda: proxy.process.poll() is not None, "it ends")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "0.0.0.0", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_clients_of_a_forward_proxy_do_not_reach_it(run_proxy, name):
    port = free_port()
    opened = ("--allow-port", "1-65535", "--allow-destination", "0.0.0.0/0", "--allow-destination", "localhost")
    proxy = run_proxy("forward", "--admin", f"127.0.0.1:{port}", "--access-log", "none", *opened)
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    assert ask(client, "/api/")[0] == 200
    for asked in (f"GET http://{name}:{port}/api/ HTTP/1.1\r\nHost: a\r\n\r\n",
                  f"CONNECT {name}:{port} HTTP/1.1\r\nHost: a\r\n\r\n"):  # fmt: skip
        with socket.create_connection(("127.0.0.1", proxy.port), DEADLINE) as connection:
            connection.sendall(asked.encode())
            assert connection.recv(65536).startswith(b"HTTP/1.1 403 ")
