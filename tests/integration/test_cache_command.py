"""``txproxy cache`` and a running proxy."""

import http.server
import json
import signal
import subprocess
import sys
import threading
import urllib.request

import pytest

from tests.integration.conftest import DEADLINE, free_port, until

TXPROXY = [sys.executable, "-m", "txproxy"]


class Origin(http.server.BaseHTTPRequestHandler):
    """Says what may be kept for a minute, and counts."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(self.path)
        body = self.path.encode() * 10
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store" if "private" in self.path else "max-age=60")
        self.send_header("Surrogate-Key", "all-of-it")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def origin():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    server.daemon_threads = True
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def admin(tmp_path):
    return f"unix:{tmp_path / 'admin.sock'}"


@pytest.fixture
def call(run_program, tmp_path, admin):
    def call(*words, status=0, to=None, input=""):
        where = () if to == "" else ("--admin", to or admin)
        done = run_program(*TXPROXY, "cache", *words, *where, input=input, cwd=tmp_path)
        assert "Traceback" not in done.stderr
        assert done.returncode == status, (done.stdout, done.stderr)
        return done

    return call


@pytest.fixture
def proxy(run_proxy, origin, admin):
    return run_proxy("reverse", "--upstream", origin.url, "--cache", "10M", "--admin", admin)


def get(proxy, path):
    with urllib.request.urlopen(f"{proxy.url}{path}", timeout=DEADLINE) as answer:
        return answer.read()


def test_what_is_stored_is_listed_counted_and_purged(proxy, origin, call):
    for path in ("/a/1", "/a/2", "/b"):
        get(proxy, path)
    found = json.loads(call("list", f"{proxy.url}/a/", "--json").stdout)
    assert found["complete"] and [one["url"] for one in found["entries"]] == [f"{proxy.url}/a/1", f"{proxy.url}/a/2"]
    one = found["entries"][0]
    assert (one["status"], one["bytes"], one["in"], one["tags"]) == (200, 40, ["memory"], ["all-of-it"])
    assert 0 <= one["age"] <= 60 and 0 < one["ttl"] <= 60
    lines = call("list").stdout.splitlines()
    assert lines[0].split() == ["STATUS", "SIZE", "AGE", "TTL", "IN", "URL"] and len(lines) == 4
    assert "there is more" in call("list", "--limit", "2").stderr
    get(proxy, "/b")
    stats = json.loads(call("stats", "--json").stdout)
    assert stats["memory"]["objects"] == 3 and stats["memory"]["hits"] == 1
    assert "3 objects, 1 hits" in call("stats").stdout
    assert call("purge", f"{proxy.url}/a/1").stdout == f"purged: url {proxy.url}/a/1\n"
    assert len(json.loads(call("list", "--json").stdout)["entries"]) == 2
    get(proxy, "/a/1")
    assert origin.asked == ["/a/1", "/a/2", "/b", "/a/1"]
    call("purge", "--tag", "all-of-it", "--soft")
    assert {one["ttl"] <= 0 for one in json.loads(call("list", "--json").stdout)["entries"]} == {True}
    call("purge", "--all", "--host", "a.example")
    assert json.loads(call("list", "--json").stdout) == {"entries": [], "complete": True}


def test_what_is_warmed_is_answered_without_the_origin(proxy, origin, call, tmp_path):
    (tmp_path / "urls").write_text(f"# of the shop\n{proxy.url}/two\n\n{proxy.url}/private\n")
    done = call("warm", f"{proxy.url}/one", "--from", "urls", "-H", "Accept-Language: en")
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:3]] == [["200", "stored"], ["200", "stored"]]
    assert "not stored: " in done.stdout.splitlines()[3]
    asked = list(origin.asked)
    assert sorted(asked) == ["/one", "/private", "/two"]
    assert get(proxy, "/one") == b"/one" * 10 and origin.asked == asked
    found = json.loads(call("warm", "--from", "-", "--json", input=f"{proxy.url}/one\n").stdout)
    (one,) = found["warmed"]
    assert (one["status"], one["cache"], one["stored"]) == (200, "HIT", True)
    assert "/one HTTP/1.1" in proxy.log


def test_a_forward_proxy_is_warmed_with_whole_urls(run_proxy, origin, admin, call):
    port = origin.server_port
    run_proxy(
        "forward", "--cache", "10M", "--admin", admin, "--allow-destination", "127.0.0.1", "--allow-port", str(port)
    )
    (one,) = json.loads(call("warm", f"{origin.url}/x", "--json").stdout)["warmed"]
    assert (one["status"], one["stored"]) == (200, True)
    (one,) = json.loads(call("warm", "http://169.254.169.254/x", "--json", status=1).stdout)["warmed"]
    assert one["status"] == 403 and one["error"]


def test_a_disk_is_listed_and_purged_after_a_restart(run_proxy, origin, admin, call, tmp_path):
    words = [
        "reverse",
        "--upstream",
        origin.url,
        "--cache",
        "1M",
        "--cache-dir",
        str(tmp_path / "kept"),
        "--admin",
        admin,
    ]
    proxy = run_proxy(*words)
    get(proxy, "/a")
    host = proxy.url.removeprefix("http://")
    assert [one["in"] for one in json.loads(call("list", "--json").stdout)["entries"]] == [["memory", "disk"]]
    proxy.process.send_signal(signal.SIGTERM)
    until(lambda: proxy.process.poll() is not None, "it ends")
    run_proxy(*words)
    found = json.loads(call("list", "--json").stdout)["entries"]
    assert [(one["url"], one["in"]) for one in found] == [(f"http://{host}/a", ["disk"])]
    assert json.loads(call("stats", "--json").stdout)["disk"]["indexed"] is True
    call("purge", "--host", host)
    assert json.loads(call("list", "--json").stdout)["entries"] == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "a verb is needed; accepted: list, stats, purge, warm"),
        (("purg",), 2, "'purg' is no verb (is purge meant?)"),
        (("purge",), 2, "nothing is to be purged"),
        (("purge", "--what"), 2, "unrecognized arguments: --what"),
        (("warm",), 2, "there are no URLs"),
        (("warm", "--from", "none"), 2, "--from none: No such file"),
        (("list", "--admin", "nowhere"), 2, "--admin: 'nowhere' is no endpoint"),
        (("list", "--admin", "systemd:domain=UNIX:index=0"), 2, "nowhere to connect to"),
        (("list", "--config", "none.toml"), 2, "none.toml: No such file"),
        (("list", "--token-file", "none"), 2, "none: No such file"),
        (("list", "--admin", "unix:none.sock"), 1, "unix:none.sock: No such file or directory; is a proxy running"),
        (("list",), 1, "is a proxy running with --admin?"),
    ],
)
def test_what_cannot_be_is_one_line(call, words, status, said):
    done = call(*words, status=status, to="")
    assert done.stdout == "" and done.stderr.count("\n") == 1 and said in done.stderr


def test_nobody_who_listens_is_told_of_and_so_is_what_is_no_proxy(call, origin):
    port = free_port()
    assert f"127.0.0.1:{port}: Connection refused" in call("stats", to=f"127.0.0.1:{port}", status=1).stderr
    assert "no admin endpoint" in call("stats", to=f"127.0.0.1:{origin.server_port}", status=1).stderr


def test_where_it_is_and_with_which_token_may_stand_in_the_configuration(processes, origin, call, tmp_path):
    admin, port = free_port(), free_port()
    (tmp_path / "token").write_text("0123456789abcdef\n")
    (tmp_path / "other").write_text("0123456789abcdeF\n")
    (tmp_path / "proxy.toml").write_text(
        f'[admin]\nlisten = {admin}\ntoken_file = "token"\n[cache]\nsize = "1M"\n'
        f'[[listeners]]\nlisten = "127.0.0.1:{port}"\npool = "app"\n[pools.app]\nupstreams = "{origin.url}"\n'
    )
    with (tmp_path / "log").open("wb") as out:
        processes(
            *(sys.executable, "-m", "txproxy", "run", "--config", str(tmp_path / "proxy.toml")),
            port=port, stdout=out, stderr=out,
        )  # fmt: skip
    assert "objects" in call("stats", "--config", "proxy.toml", to="").stdout
    said = call("stats", to=str(admin), status=1).stderr
    assert "the token is missing or wrong" in said
    said = call("stats", "--token-file", "other", to=str(admin), status=1).stderr
    assert "the token is missing or wrong" in said and "0123" not in said
    assert call("stats", "--token-file", "token", to=str(admin)).returncode == 0


def test_a_proxy_without_a_cache_says_so_and_what_is_refused_is_told(run_proxy, origin, admin, call, proxy=None):
    run_proxy("reverse", "--upstream", origin.url, "--admin", admin)
    assert "there is no cache; accepted is it with --cache" in call("stats", status=1).stderr


def test_what_the_proxy_refuses_is_told(proxy, call):
    for words, said in [
        (("purge", "nonsense"), "url: 'nonsense' cannot be purged; accepted is a URL such as https://example.com/path"),
        (("warm", "ftp://a/"), "urls: 'ftp://a/' is no URL"),
        (("warm", "http://a/", "--listener", "other"), "there is no 'other'; accepted: reverse"),
        (("warm", "http://a/", "-H", "Host: b"), "the request has its own"),
        (("list", "--limit", "0"), "limit: '0' is no number; accepted is 1 to 10000"),
        (("purge", "--group", "http://a/b", "x"), "origin: 'http://a/b' has a path"),
    ]:
        assert said in call(*words, status=1).stderr


def test_ctrl_c_ends_it_at_once(processes, tmp_path, admin):
    import socket

    path = admin.removeprefix("unix:")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen()
        process = subprocess.Popen(
            [*TXPROXY, "cache", "stats", "--admin", admin], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        peer, _ = silent.accept()
        peer.recv(1000)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE)
        peer.close()
    assert (process.returncode, out, err) == (-signal.SIGINT, "", "")
