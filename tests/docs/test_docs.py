"""What the documentation shows is true."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from tests.integration.conftest import DEADLINE, PATIENT, free_port, need, until
from txproxy.config import load

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"


def on_free_ports(text):
    """``text`` with each port in it replaced by a free one."""
    ports = {port: str(free_port()) for port in sorted(set(re.findall(r"\b(?:8\d{3}|3128)\b", text)))}
    return re.sub(r"\b(?:8\d{3}|3128)\b", lambda match: ports[match[0]], text), ports


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("reverse.sh", {"I am one", "I am two"}),
        ("forward.sh", {"hello"}),
        ("caching.sh", {"txproxy; fwd=uri-miss", "txproxy; hit"}),
        ("deploying.sh", {"hello", "proxy.toml: ok", "new"}),
        (
            "watching.sh",
            {
                '{"status": "ready"}',
                'txproxy_requests_total{listener="reverse",route="",code="2xx",method="GET"} 1',
                "healthy",
                "serving",
                '"outcome":"ok"',
            },
        ),
        ("console.sh", {"<title>txproxy</title>", '"stage": "serving"'}),
    ],
)
def test_shell_examples(name, expected, tmp_path):
    need("curl")
    text, ports = on_free_ports((EXAMPLES / name).read_text())
    bin_directory = pathlib.Path(sys.executable).parent
    text = text.replace("twistd ", f"{sys.executable} {bin_directory / 'twistd'} ").replace("python3", sys.executable)
    text = re.sub("^txproxy ", f"{sys.executable} -m txproxy ", text, flags=re.MULTILINE)
    # The defaults of the modes are ports that may be taken here.
    text = text.replace("txproxy reverse", f"txproxy reverse --listen tcp:{ports.get('8080')}:interface=127.0.0.1")
    text = text.replace("txproxy forward", f"txproxy forward --listen tcp:{ports.get('3128')}:interface=127.0.0.1")
    (tmp_path / name).write_text(text.replace("curl ", f"curl -sS --noproxy '' {' '.join(PATIENT)} "))
    process = subprocess.Popen(
        ["sh", name], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        lines = set()
        for line in process.stdout:
            lines.add(line.strip())
            if expected <= lines:
                break
        assert expected <= lines
    finally:
        with_group(process, signal.SIGTERM)
        process.communicate(timeout=DEADLINE)


def with_group(process, number):
    os.killpg(process.pid, number)


# Nobody listens where their upstreams are said to be.
@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("embed.py", "503"),
        ("site.py", "503"),
        ("pool.py", "Back soon."),
        ("strategy.py", "503"),
        ("routes.py", "503"),
        ("policy.py", "no rule allows it"),
        ("middleware.py", "X-Team: blue"),
        ("caching.py", "503"),
    ],
)
def test_python_examples_run_until_they_are_ended(name, answer, tmp_path, processes):
    text, ports = on_free_ports((EXAMPLES / name).read_text())
    (tmp_path / name).write_text(text)
    process = processes(sys.executable, name, port=int(ports["8080"]), cwd=tmp_path)
    url = f"http://127.0.0.1:{ports['8080']}/"
    words = ["-x", url, "http://other.test/"] if name == "policy.py" else [f"{url}api/"]
    done = subprocess.run(
        [need("curl"), "-si", "--noproxy", "", *PATIENT, *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert answer in done.stdout
    process.send_signal(signal.SIGTERM)
    until(lambda: process.poll() is not None, "the example ends")


def test_who_has_a_refused_address_gets_no_answer(tmp_path, processes):
    text, ports = on_free_ports((EXAMPLES / "refused_addresses.py").read_text())
    (tmp_path / "refused.py").write_text(text)
    port = int(ports["8080"])
    processes(sys.executable, "refused.py", port=port, cwd=tmp_path)
    said = []
    for source in ("127.0.0.1", "127.0.0.2"):
        try:
            with socket.create_connection(("127.0.0.1", port), DEADLINE, (source, 0)) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                said.append(client.recv(12))
        except ConnectionError:
            said.append(b"")
    assert said == [b"HTTP/1.1 503", b""]


def test_a_file_names_middleware_that_stands_beside_it(tmp_path, processes):
    text, ports = on_free_ports((EXAMPLES / "middleware.toml").read_text())
    (tmp_path / "middleware.toml").write_text(text)
    shutil.copy(EXAMPLES / "blue_team.py", tmp_path)
    words = (sys.executable, "-m", "txproxy", "run", "--config", str(tmp_path / "middleware.toml"))
    processes(*words, port=int(ports["8080"]), cwd=ROOT)
    url = f"http://127.0.0.1:{ports['8080']}"
    said = [
        subprocess.run(
            [need("curl"), "-si", "--noproxy", "", *PATIENT, url + path],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        ).stdout
        for path in ("/robots.txt", "/")
    ]
    assert "Disallow: /" in said[0] and "503" in said[1]
    assert all("X-Team: blue" in one for one in said)


def test_a_file_names_short_functions_that_stand_beside_it(tmp_path, processes):
    text, ports = on_free_ports((EXAMPLES / "hooks.toml").read_text())
    (tmp_path / "hooks.toml").write_text(text)
    shutil.copy(EXAMPLES / "site_hooks.py", tmp_path)
    words = (sys.executable, "-m", "txproxy", "run", "--config", str(tmp_path / "hooks.toml"))
    processes(*words, port=int(ports["8080"]), cwd=ROOT)
    url = f"http://127.0.0.1:{ports['8080']}"
    said = [
        subprocess.run(
            [need("curl"), "-si", "--noproxy", "", *PATIENT, url + path],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        ).stdout
        for path in ("/members", "/status")
    ]
    assert "401" in said[0] and "Members only." in said[0]
    assert "X-Route: status" in said[1] and said[1].endswith("fine\n")


def on_the_examples_ports(name, tmp_path):
    """An example, beside all that it names, on free ports."""
    for file in EXAMPLES.iterdir():
        if file.suffix in (".toml", ".py") and file.is_file():
            shutil.copy(file, tmp_path)
    text, ports = on_free_ports((EXAMPLES / name).read_text())
    (tmp_path / name).write_text(text)
    return ports


def curl(port, path="/"):
    words = [need("curl"), "-si", "--noproxy", "", *PATIENT, f"http://127.0.0.1:{port}{path}"]
    return subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE).stdout


@pytest.mark.parametrize(
    ("words", "changed", "answer"),
    [
        (("{python}", "as_service.py"), "as_service.toml", "503"),
        (("{python}", "{bin}/twistd", "-ny", "proxy.tac", "--pidfile="), "proxy.tac", "503"),
        (("{python}", "{bin}/twist", "txproxy", "run", "--config", "as_service.toml"), "as_service.toml", "503"),
        (("{python}", "beside_asyncio.py"), "beside_asyncio.py", "hello from asyncio"),
    ],
    ids=["service", "tac", "twist", "asyncio"],
)
def test_embedding_examples_serve_until_they_are_ended(words, changed, answer, tmp_path, processes):
    port = int(on_the_examples_ports(changed, tmp_path)["8080"])
    places = {"python": sys.executable, "bin": pathlib.Path(sys.executable).parent}
    process = processes(*(word.format(**places) for word in words), port=port, cwd=tmp_path)
    assert answer in curl(port)
    process.send_signal(signal.SIGTERM)
    until(lambda: process.poll() is not None, "the example ends")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("with_klein.py",), "hello from Klein\nhello from the pool\n"),
        (("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_blue_team.py"), "2 passed"),
    ],
)
def test_examples_that_end_by_themselves(words, said, tmp_path):
    on_the_examples_ports("with_klein.py", tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=DEADLINE
    )
    assert said in done.stdout, done.stderr


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.toml")), ids=lambda file: file.name)
def test_configurations_are_sound(file):
    # A question is for the program that reads the file.
    assert not [warning for warning in load(str(file)).warnings if "nobody can answer" not in warning]


def test_the_readme_shows_the_embedding_example():
    assert (EXAMPLES / "embed.py").read_text() in (ROOT / "README.md").read_text()
