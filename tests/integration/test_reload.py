"""All modes from one file, which is read again while it serves."""

import http.client
import signal
import subprocess
import sys

from tests.integration.conftest import DEADLINE, free_port, until

FILE = """
[log]
access = "none"
[[listeners]]
name = "web"
listen = "tcp:{web}:interface=127.0.0.1"
pool = "app"
[[listeners]]
mode = "forward"
listen = "tcp:{forward}:interface=127.0.0.1"
allow_destinations = "127.0.0.1"
[pools.app]
upstreams = ["{upstream}"]
"""
ROUTE = '[[routes]]\nname = "new"\npath = "=/new"\nrespond = { status = 200, body = "new\\n" }\n'


class Download:
    """A response of which as much is read as is asked for."""

    def __init__(self, port, target):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        self._connection.request("GET", target)
        self._response = self._connection.getresponse()
        self.received = 0

    def read(self, size):
        while size > 0 and (piece := self._response.read(min(size, 1 << 20))):
            self.received += len(piece)
            size -= len(piece)
        if self._response.isclosed():
            self._connection.close()


def test_a_reload_drops_nothing_and_a_bad_file_changes_nothing(processes, run_nginx, curl, tmp_path):
    origin = run_nginx()
    size = 60 << 20
    with (origin.directory / "www" / "large").open("wb") as large:
        large.truncate(size)
    web, forward = free_port(), free_port()
    text = FILE.format(web=web, forward=forward, upstream=origin.url)
    file, log = tmp_path / "proxy.toml", tmp_path / "proxy.log"
    file.write_text(text)
    with log.open("wb") as out:
        process = processes(
            sys.executable, "-m", "txproxy", "run", "--config", str(file),
            port=forward, stdout=out, stderr=subprocess.STDOUT, cwd=tmp_path,
        )  # fmt: skip
    url = f"http://127.0.0.1:{web}"
    assert curl(f"{url}/name") == "nginx\n"
    assert curl("-x", f"http://127.0.0.1:{forward}", f"{origin.url}/name") == "nginx\n"

    def read_again(content, said):
        before = log.read_text().count(said)
        file.write_text(content)
        process.send_signal(signal.SIGHUP)
        until(lambda: log.read_text().count(said) > before, said)

    # These are read here, a part between any two reloads: however long one takes, they run.
    downloads = [Download(web, "/large"), Download(forward, f"{origin.url}/large")]
    read_again(text + ROUTE, "was read again, and runs")
    assert curl(f"{url}/new") == "new\n"
    read_again(text + ROUTE.replace("respond", "respnd"), "the configuration that runs is kept")
    assert "respnd: no such key (is respond meant?)" in log.read_text()
    assert curl(f"{url}/new") == "new\n"
    for _ in range(3):
        for download in downloads:
            download.read(1 << 20)
        read_again(text + ROUTE, "was read again, and runs")
    for download in downloads:
        download.read(size)
        assert download.received == size
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) is not None
    assert "Traceback" not in log.read_text()
