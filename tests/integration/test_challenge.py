"""A browser that has to prove that it is one."""

import subprocess
import sys

import pytest

from tests.integration.conftest import DEADLINE, free_port, need

CONFIG = """
[log]
access = "{folder}/access.log"
access_format = "$server_protocol $status $outcome $request_method"
[challenge]
difficulty = 12
[[listeners]]
tls_listen = "127.0.0.1:{port}"
certificates = [{{ cert = '{certificate[0]}', key = '{certificate[1]}' }}]
challenge = true
[[routes]]
name = "all"
respond = {{ status = 200, body = "hello" }}
"""


@pytest.fixture
def port(processes, certificate, tmp_path):
    """Of one that asks for a proof."""
    port = free_port()
    file = tmp_path / "proxy.toml"
    file.write_text(CONFIG.format(folder=tmp_path, port=port, certificate=certificate))
    processes(sys.executable, "-m", "txproxy", "run", "--config", str(file), port=port)
    return port


def test_a_browser_gets_to_where_it_was_going(port, tmp_path):
    done = subprocess.run(
        [
            need("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
            "--ignore-certificate-errors", f"--user-data-dir={tmp_path}/browser", "--virtual-time-budget=20000",
            "--dump-dom", f"https://127.0.0.1:{port}/a?b=c",
        ],
        capture_output=True, text=True, timeout=3 * DEADLINE, check=True,
    )  # fmt: skip
    lines = (tmp_path / "access.log").read_text().splitlines()
    assert "hello" in done.stdout, lines
    assert lines[:4] == [
        "HTTP/2.0 403 challenged GET",
        "HTTP/2.0 200 answered GET",
        "HTTP/2.0 303 answered GET",
        "HTTP/2.0 200 answered GET",
    ]
