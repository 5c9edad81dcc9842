"""What is said to be typed can be typed: each command of ours of the page, and those of HAProxy and nginx."""

import json
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys

import pytest

from tests.integration.conftest import DEADLINE, free_port, need, until
from txproxy.cli import command

DOCS = pathlib.Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "comparison.rst").read_text()
HAPROXY = """
global
    stats socket {socket} level admin
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend web
    bind 127.0.0.1:{port}
    stick-table type ip size 1m expire 10s store http_req_rate(1s)
    http-request track-sc0 src
    http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 100 }}
    http-request use-service prometheus-exporter if {{ path /metrics }}
    log-format '{{"uri":"%[capture.req.uri,json]"}}'
    default_backend app
backend app
    balance random
    server one 10.0.0.1:8000
"""
NGINX = """
pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  limit_req_zone $binary_remote_addr zone=c:10m rate=100r/s;
  log_format j escape=json '{{"uri":"$uri"}}';
  server {{ listen 127.0.0.1:{port}; limit_req zone=c burst=200 nodelay; access_log {folder}/log j; }}
}}
"""


def column(number):
    """The code in a column of the tables, row by row."""
    rows = re.split(r"\n   \* - ", PAGE)[1:]
    cells = [re.split(r"\n     - ", row.partition("\n\n")[0])[number] for row in rows]
    return [code for cell in cells for code in re.findall(r"``([^`]+)``", cell)]


OURS = [code for code in column(4) if code.startswith("txproxy ")]


def test_there_is_something_to_type():
    verbs = {shlex.split(code)[2] for code in OURS if code.startswith("txproxy ctl ")}
    assert len(OURS) > 20 and {"drain", "weigh", "connections", "reload", "limits", "apply"} <= verbs


@pytest.fixture
def admin(processes, tmp_path):
    """The admin endpoint of a proxy that runs what the page shows."""
    endpoint = f"unix:{tmp_path / 'admin.sock'}"
    text = (DOCS / "examples" / "operated.toml").read_text()
    port = free_port()
    text = text.replace("unix:/run/txproxy/admin.sock", endpoint).replace("tcp:8080", f"tcp:{port}")
    (tmp_path / "operated.toml").write_text(text)
    words = (sys.executable, "-m", "txproxy", "run", "--config", "operated.toml")
    with (tmp_path / "log").open("wb") as out:
        processes(*words, port=port, stdout=out, stderr=out, cwd=tmp_path)
    with socket.create_connection(("127.0.0.1", port), DEADLINE):
        yield endpoint


def test_what_is_typed_for_txproxy_is_done(admin, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(*words):
        with pytest.raises(SystemExit) as ended:
            command.main([*words, *(() if words[0] in ("check", "explain") else ("--admin", admin))])
        said = capsys.readouterr()
        assert ended.value.code == 0, (words, said)
        return said.out

    for code in OURS:
        words = shlex.split(code)[1:]
        if words[:2] == ["ctl", "end"]:
            (words[2],) = {one["id"] for one in json.loads(call("ctl", "connections", "--json"))["connections"]}
        call(*words)


@pytest.fixture
def haproxy(processes, tmp_path):
    """Says what HAProxy answers at its runtime socket."""
    path, file = tmp_path / "haproxy.sock", tmp_path / "haproxy.cfg"
    file.write_text(HAPROXY.format(socket=path, port=free_port()))
    processes(need("haproxy"), "-f", str(file), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(path.exists, "it has its socket")

    def ask(line):
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(DEADLINE)
            until(lambda: asked.connect_ex(str(path)) == 0, "it listens")
            asked.sendall(line.encode() + b"\n")
            answer = b""
            while piece := asked.recv(65536):
                answer += piece
            return answer.decode()

    return ask


def test_what_is_typed_for_haproxy_is_known(haproxy, tmp_path):
    lines = [code for code in column(2) if re.match(r"(show|set|add|del|clear|shutdown) ", code)]
    assert len(lines) > 8
    for line in lines:
        answer = haproxy(line)
        # A server can go once it is in maintenance, which one that was added is; and there is no such session.
        first = answer.partition("\n")[0]
        assert not re.search(r"unknown|permission|usage|require|invalid|expects", first, re.I), (line, answer)
    text = HAPROXY.replace("{{", "{").replace("}}", "}")
    settings = [code for code in column(2) if code not in lines and re.match(r"(stick|http|log)-", code)]
    assert len(settings) == 5 and all(code in text for code in settings)


def test_what_is_written_for_nginx_is_known(tmp_path):
    text = NGINX.format(folder=tmp_path, port=free_port())
    settings = [code for code in column(1) if code.endswith(";")]
    assert len(settings) == 3 and all(code in text for code in settings)
    (tmp_path / "nginx.conf").write_text(text)
    words = [need("nginx"), "-t", "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(words, capture_output=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [name for code in column(4) for name in re.findall(r"kill -(\w+)", code)])
def test_signals_are_those_that_are_heard(name):
    page = (DOCS / "workers.rst").read_text()
    assert hasattr(signal, f"SIG{name}") and f"SIG{name}" in page
