"""Each kind of first configuration serves what it says, as it was written."""

import http.server
import re
import subprocess
import sys
import threading

import pytest

from tests.integration.conftest import free_port
from tests.tls.authority import new_ca


@pytest.fixture
def server():
    """A server of one's own, which counts what it answers."""

    class Answers(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        asked = 0

        def do_GET(self):
            type(self).asked += 1
            body = b"mine\n"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "max-age=60")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server, Answers
        server.shutdown()
        thread.join()


@pytest.fixture
def begin(processes, run_program, tmp_path):
    """Writes the first file of a kind, checks it, has it serve, and gives where."""

    def begin(kind, *words, edit=lambda text: text):
        port = free_port()
        made = run_program(
            sys.executable, "-m", "txproxy", "init", kind, "proxy.toml", "--listen", f"127.0.0.1:{port}", *words,
            cwd=tmp_path,
        )  # fmt: skip
        assert (made.returncode, made.stdout) == (0, ""), made.stderr
        checked = run_program(sys.executable, "-m", "txproxy", "check", "proxy.toml", cwd=tmp_path)
        assert (checked.stdout, checked.stderr) == ("proxy.toml: ok\n", "")
        file = tmp_path / "proxy.toml"
        # Another test may find the same free port for the admin API.
        text = re.sub(r"(\[admin\].*\n)listen = .*", r'\1listen = "unix:admin.sock"', file.read_text())
        file.write_text(edit(text))
        processes(
            sys.executable, "-m", "txproxy", "run", "--config", "proxy.toml",
            port=port, stdout=subprocess.DEVNULL, cwd=tmp_path,
        )  # fmt: skip
        return port

    return begin


def test_reverse(begin, server, curl):
    port = begin("reverse", "--upstream", f"http://127.0.0.1:{server[0].server_port}")
    assert curl(f"http://127.0.0.1:{port}/") == "mine\n"


def test_reverse_with_a_certificate_that_is_there_or_is_for_trials(begin, server, curl, tmp_path):
    pair = new_ca().issue("localhost", "127.0.0.1")
    (tmp_path / "chain.pem").write_bytes(pair.cert_pem + pair.key_pem)
    tls, upstream = free_port(), f"http://127.0.0.1:{server[0].server_port}"

    def elsewhere(text):
        begin = text.index('tls_listen = "127.0.0.1:') + len('tls_listen = "127.0.0.1:')
        return text[:begin] + str(tls) + text[text.index('"', begin) :]

    begin("reverse", "--upstream", upstream, edit=elsewhere)
    assert curl("-k", f"https://127.0.0.1:{tls}/") == "mine\n"


def test_for_trials(begin, server, curl, tmp_path):
    tls = free_port()

    def trials(text):
        lines = text.splitlines()
        number = next(n for n, line in enumerate(lines) if line.startswith("# tls_listen"))
        lines[number : number + 2] = [f'tls_listen = "127.0.0.1:{tls}"', "self_signed = true"]
        return "\n".join(lines) + "\n"

    begin("reverse", "--upstream", f"http://127.0.0.1:{server[0].server_port}", edit=trials)
    assert curl("-k", f"https://localhost:{tls}/") == "mine\n"
    curl(f"https://localhost:{tls}/", code=60)


def test_cache(begin, server, curl):
    port = begin("cache", "--upstream", f"http://127.0.0.1:{server[0].server_port}")
    assert [curl(f"http://127.0.0.1:{port}/") for _ in range(3)] == ["mine\n"] * 3
    assert server[1].asked == 1
    assert "hit" in curl("-i", f"http://127.0.0.1:{port}/").partition("Cache-Status: ")[2].splitlines()[0]


def test_tcp(begin, server, curl):
    port = begin("tcp", "--upstream", f"127.0.0.1:{server[0].server_port}")
    assert curl(f"http://127.0.0.1:{port}/") == "mine\n"


def test_forward(begin, server, curl):
    def opened(text):
        return text.replace('# allow_destinations = ["10.0.0.0/8"]', 'allow_destinations = ["127.0.0.1"]')

    port = begin("forward", edit=opened)
    url = f"http://127.0.0.1:{server[0].server_port}/"
    assert curl("-x", f"http://127.0.0.1:{port}", url) == "mine\n"
    # By SOCKS5 it is a tunnel, and those go to port 443.
    curl("-x", f"socks5h://127.0.0.1:{port}", url, code=97)


def test_egress(begin, server, curl):
    def opened(text):
        text = text.replace('allow_hosts = ["example.com", "*.example.com"]', 'allow_hosts = ["127.0.0.1"]')
        return text.replace("agree_names", 'allow_destinations = ["127.0.0.1"]\nagree_names')

    port = begin("egress", edit=opened)
    through = ("-s", "-o", "/dev/null", "-w", "%{http_code}", "-x", f"http://127.0.0.1:{port}")
    url = f"http://127.0.0.1:{server[0].server_port}/"
    assert curl(*through, url) == "200"
    assert curl(*through, "-d", "x", url) == "403"
    assert curl(*through, "http://other.example/") == "403"
    # A tunnel is to be TLS, for the host that it was asked for.
    curl("-x", f"http://127.0.0.1:{port}", "-p", url, code=56)
