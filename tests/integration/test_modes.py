"""Each mode between curl and nginx, on each reactor."""

import asyncio
import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import threading

import pytest

from tests.integration.conftest import DEADLINE, free_port, need, until

REACTORS = ["epoll", "poll", "asyncio", "txproxy"]


@pytest.fixture(params=REACTORS)
def reactor(request):
    return request.param


def test_reverse_goes_round_its_upstreams_and_past_a_dead_one(reactor, run_proxy, run_nginx, curl):
    one, two = run_nginx("one"), run_nginx("two")
    dead = f"http://127.0.0.1:{free_port()}"
    proxy = run_proxy("reverse", "--upstream", one.url, "--upstream", dead, "--upstream", two.url, reactor=reactor)
    names = [curl(f"{proxy.url}/name").strip() for _ in range(6)]
    assert set(names) == {"one", "two"}
    assert curl(f"{proxy.url}/echo", "-H", "X-Forwarded-For: 6.6.6.6") == "GET 127.0.0.1 127.0.0.1 http\n"
    proxy.says('"GET /echo HTTP/1.1" 200 29 "-" "curl/')
    proxy.says(f"txproxy starting on {proxy.port}")
    two.process.terminate()
    two.process.wait(DEADLINE)
    assert [curl(f"{proxy.url}/name").strip() for _ in range(3)] == ["one"] * 3


def test_who_announces_bodies_and_sends_none_keeps_nobody_out(reactor, run_proxy, run_nginx, curl, tmp_path):
    origin = run_nginx()
    proxy = run_proxy("reverse", "--upstream", f"{origin.url};max=2", reactor=reactor)
    large = tmp_path / "large"
    large.write_bytes(os.urandom(3_000_000))
    with contextlib.ExitStack() as open_sockets:
        for _ in range(4):
            client = open_sockets.enter_context(socket.create_connection(("127.0.0.1", proxy.port), DEADLINE))
            client.sendall(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx")
        # Those that come after them have been read after them.
        assert curl(f"{proxy.url}/echo") == "GET 127.0.0.1 127.0.0.1 http\n"
        # curl asks whether it may send.
        assert curl(f"{proxy.url}/upload", "-T", str(large), "-X", "POST", "-H", "Expect: 100-continue") == "3000000\n"
        assert curl(f"{proxy.url}/upload", "-d", "small") == "5\n"


def test_forward_carries_requests_and_tunnels(reactor, run_proxy, run_nginx, curl, certificate):
    origin = run_nginx()
    proxy = run_proxy(
        "forward", "--allow-destination", "127.0.0.0/8", "--allow-destination", "localhost",
        "--allow-port", str(origin.port), "--allow-port", str(origin.tls_port), reactor=reactor,
    )  # fmt: skip
    assert curl("-x", proxy.url, f"{origin.url}/name") == "nginx\n"
    assert curl("-x", proxy.url, f"http://localhost:{origin.port}/name") == "nginx\n"
    assert curl("-p", "-x", proxy.url, f"{origin.url}/name") == "nginx\n"
    secret = f"https://localhost:{origin.tls_port}/"
    assert curl("-x", proxy.url, "--cacert", str(certificate[0]), secret) == "secret\n"
    proxy.says(f'"CONNECT localhost:{origin.tls_port} HTTP/1.1" 200 ')


def test_tcp_carries_anything(reactor, run_proxy, run_nginx, curl):
    origin = run_nginx()
    proxy = run_proxy(
        "tcp", "--upstream", f"127.0.0.1:{free_port()}", "--upstream", f"127.0.0.1:{origin.port}", reactor=reactor
    )
    assert [curl(f"{proxy.url}/name") for _ in range(3)] == ["nginx\n"] * 3


def test_large_bodies_pass_unchanged_in_flat_memory(reactor, run_proxy, run_nginx, curl, tmp_path):
    origin = run_nginx()
    block = os.urandom(1 << 20)
    size = 60 << 20
    with (origin.directory / "www" / "large").open("wb") as file:
        for _ in range(size >> 20):
            file.write(block)
    digest = hashlib.md5(block * (size >> 20)).hexdigest()
    proxy = run_proxy("reverse", "--upstream", origin.url, reactor=reactor)
    curl(f"{proxy.url}/name")
    before = resident(proxy.process.pid)
    for words in ([], ["--http1.0"], ["--limit-rate", "60M"]):
        got = tmp_path / "got"
        curl(f"{proxy.url}/large", "-o", str(got), *words)
        with got.open("rb") as file:
            assert md5(file) == digest
        assert got.stat().st_size == size
    large = origin.directory / "www" / "large"
    assert curl(f"{proxy.url}/upload", "-T", str(large), "-X", "POST") == f"{size}\n"
    curl(f"{proxy.url}/upload", "-T", str(large), "-X", "POST", "-H", "Transfer-Encoding: chunked")
    assert resident(proxy.process.pid) - before < 20 << 20


def md5(file):
    digest = hashlib.md5()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def resident(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))


def test_a_client_that_stops_reading_stops_the_source(reactor, run_proxy, run_nginx):
    origin = run_nginx()
    with (origin.directory / "www" / "large").open("wb") as file:
        file.truncate(200 << 20)
    proxy = run_proxy("reverse", "--upstream", origin.url, reactor=reactor)
    before = resident(proxy.process.pid)
    clients = []
    for _ in range(8):
        client = socket.create_connection(("127.0.0.1", proxy.port), DEADLINE)
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        client.recv(1000)
        clients.append(client)
    # A request after them all is answered, and by then they have had their turns.
    with socket.create_connection(("127.0.0.1", proxy.port), DEADLINE) as other:
        other.sendall(b"GET /name HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        while other.recv(1000):
            pass
    assert resident(proxy.process.pid) - before < 20 << 20
    for client in clients:
        client.close()


def test_unix_upstreams(run_proxy, run_nginx, curl):
    origin = run_nginx()
    proxy = run_proxy("reverse", "--upstream", f"unix:{origin.directory}/nginx.sock")
    assert curl(f"{proxy.url}/name") == "nginx\n"


def test_tls_upstreams_are_verified(run_proxy, run_nginx, curl, certificate):
    origin = run_nginx()
    secret = f"https://localhost:{origin.tls_port}"
    distrusting = run_proxy("reverse", "--upstream", secret)
    answer = curl("-i", distrusting.url)
    assert answer.startswith("HTTP/1.1 502 ") and "error=tls_certificate_error" in answer
    trusting = run_proxy("reverse", "--upstream", secret, "--upstream-ca", str(certificate[0]))
    assert curl(trusting.url) == "secret\n"
    wrong_name = run_proxy(
        "reverse", "--upstream", f"https://127.0.0.2:{origin.tls_port}", "--upstream-ca", str(certificate[0])
    )
    assert "HTTP/1.1 503" in curl("-i", wrong_name.url)
    careless = run_proxy("reverse", "--upstream", secret, "--upstream-insecure")
    assert curl(careless.url) == "secret\n"


@pytest.mark.parametrize("reactor", ["epoll", "txproxy"])
def test_tls_listeners(reactor, run_proxy, run_nginx, curl, certificate):
    origin = run_nginx()
    cert, key = map(str, certificate)
    proxy = run_proxy(
        "reverse",
        "--upstream",
        origin.url,
        "--tls-cert",
        cert,
        "--tls-key",
        key,
        listen="--tls-listen",
        reactor=reactor,
    )
    url = f"https://localhost:{proxy.port}"
    assert curl("--cacert", cert, f"{url}/echo") == "GET localhost 127.0.0.1 https\n"
    assert curl("--cacert", cert, "--tls-max", "1.2", f"{url}/name", f"{url}/name") == "nginx\nnginx\n"
    curl("--cacert", cert, "--tlsv1.0", "--tls-max", "1.1", f"{url}/name", code=35)
    with (origin.directory / "www" / "large").open("wb") as file:
        file.truncate(50 << 20)
    assert len(curl("--cacert", cert, f"{url}/large")) == 50 << 20
    renegotiation = subprocess.run(
        [need("openssl"), "s_client", "-connect", f"127.0.0.1:{proxy.port}", "-tls1_2"],
        input=b"R\n", capture_output=True, timeout=DEADLINE,
    )  # fmt: skip
    assert b"no renegotiation" in renegotiation.stderr.lower() or renegotiation.returncode != 0


def test_tls_of_at_least_1_3(run_proxy, run_nginx, curl, certificate):
    cert, key = certificate
    both = cert.parent / "both.pem"
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    proxy = run_proxy(
        "reverse",
        "--upstream",
        run_nginx().url,
        "--tls-cert",
        str(both),
        "--tls-min-version",
        "1.3",
        listen="--tls-listen",
    )
    url = f"https://localhost:{proxy.port}/name"
    assert curl("--cacert", str(cert), url) == "nginx\n"
    curl("--cacert", str(cert), "--tls-max", "1.2", url, code=35)


def scripted_upstream(respond):
    """A listening socket whose connections a thread hands to ``respond(connection)``; gives its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(DEADLINE)
                with contextlib.suppress(ConnectionError):
                    respond(connection)

    threading.Thread(target=serve, daemon=True).start()
    return listening, listening.getsockname()[1]


def test_a_cut_response_is_cut_for_curl(reactor, run_proxy, curl):
    def cut(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")

    listening, port = scripted_upstream(cut)
    with listening:
        proxy = run_proxy("reverse", "--upstream", f"http://127.0.0.1:{port}", reactor=reactor)
        curl(proxy.url, code=18)


def test_the_upstream_is_closed_when_the_client_leaves(reactor, run_proxy):
    seen = threading.Event()
    closed = threading.Event()

    def hang(connection):
        connection.recv(65536)
        seen.set()
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            pass
        closed.set()

    listening, port = scripted_upstream(hang)
    with listening:
        proxy = run_proxy("reverse", "--upstream", f"http://127.0.0.1:{port}", reactor=reactor)
        client = socket.create_connection(("127.0.0.1", proxy.port), DEADLINE)
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert seen.wait(DEADLINE)
        client.close()
        assert closed.wait(DEADLINE)


def test_time_limits(run_proxy, run_nginx):
    def hang(connection):
        connection.recv(65536)
        connection.recv(65536)

    listening, port = scripted_upstream(hang)
    with listening:
        proxy = run_proxy(
            "reverse",
            "--upstream",
            f"http://127.0.0.1:{port}",
            "--response-timeout",
            "300ms",
            "--header-timeout",
            "300ms",
        )
        assert talk(proxy.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 504 ")
        assert talk(proxy.port, b"GET / HT").startswith(b"HTTP/1.1 408 ")


def talk(port, data):
    """Send ``data`` and read until the end."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
        client.sendall(data)
        received = b""
        while piece := client.recv(65536):
            received += piece
        return received


def test_a_malformed_request_is_a_400_and_one_line_in_the_log(reactor, run_proxy):
    proxy = run_proxy("reverse", "--upstream", f"http://127.0.0.1:{free_port()}", reactor=reactor)
    assert talk(proxy.port, b"GET / HTTP/1.1\nHost: a\n\n").startswith(b"HTTP/1.1 400 ")
    assert talk(proxy.port, b"\x16\x03\x01\x02\x00\x01\x00" + bytes(500)).startswith(b"HTTP/1.1 400 ")
    proxy.says("bare LF in the head")
    assert proxy.log.count("bare LF in the head") == 1
    assert "Traceback" not in proxy.log


def test_a_websocket_works_through_both_modes(run_proxy, echo):
    client = pytest.importorskip("websockets.asyncio.client")
    reverse = run_proxy("reverse", "--upstream", f"http://127.0.0.1:{echo}")
    forward = run_proxy("forward", "--allow-destination", "127.0.0.1", "--allow-port", str(echo))

    async def chat(port, **way):
        url = f"ws://127.0.0.1:{port}/"
        async with client.connect(url, max_size=None, open_timeout=DEADLINE, **way) as peer:
            for message in ("hello", "x" * 3_000_000):
                await peer.send(message)
                assert await peer.recv() == message

    asyncio.run(asyncio.wait_for(chat(reverse.port, proxy=None), 2 * DEADLINE))
    tunnel = socket.create_connection(("127.0.0.1", forward.port), DEADLINE)
    tunnel.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (echo, echo))
    assert tunnel.recv(1000).startswith(b"HTTP/1.1 200 ")
    asyncio.run(asyncio.wait_for(chat(echo, sock=tunnel), 2 * DEADLINE))


def test_sigterm_lets_a_running_download_end(run_proxy, run_nginx):
    origin = run_nginx()
    with (origin.directory / "www" / "large").open("wb") as file:
        file.truncate(20 << 20)
    proxy = run_proxy("reverse", "--upstream", origin.url)
    with socket.create_connection(("127.0.0.1", proxy.port), DEADLINE) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        received = len(client.recv(1000))
        proxy.process.send_signal(signal.SIGTERM)
        until(lambda: refused(proxy.port), "the listener closes")
        while piece := client.recv(1 << 20):
            received += len(piece)
    assert received > 20 << 20
    proxy.process.wait(DEADLINE)
    assert "Traceback" not in proxy.log


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_access_log_files_are_reopened(run_proxy, run_nginx, curl, tmp_path):
    log = tmp_path / "access.log"
    proxy = run_proxy("reverse", "--upstream", run_nginx().url, "--access-log", str(log))
    curl(f"{proxy.url}/name", "-H", 'User-Agent: a"b')
    until(lambda: '"GET /name HTTP/1.1" 200 6 "-" "a\\x22b"' in log.read_text(), "the line of the request")
    log.rename(tmp_path / "old.log")
    proxy.process.send_signal(signal.SIGHUP)
    until(log.exists, "a new access log")
    curl(f"{proxy.url}/name")
    until(lambda: log.read_text().count("\n") == 1, "one line in the new file")


def test_squid_before_and_behind(run_proxy, run_nginx, processes, curl, open_folder):
    squid = need("squid")
    origin = run_nginx()
    port = free_port()
    forward = run_proxy(
        "forward", "--allow-destination", "127.0.0.1", "--allow-port", str(origin.port), "--allow-port", "1024-65535"
    )
    config = open_folder / "squid.conf"
    user = "cache_effective_user proxy\n" if os.geteuid() == 0 else ""
    config.write_text(
        f"http_port 127.0.0.1:{port}\nacl all_urls src all\nhttp_access allow all_urls\ncache deny all\n{user}"
        f"access_log none\ncache_log {open_folder}/cache.log\ncoredump_dir {open_folder}\n"
        "pid_filename none\nshutdown_lifetime 0\n"
        f"cache_peer 127.0.0.1 parent {forward.port} 0 no-query default\nnever_direct allow all_urls\n"
    )
    processes(squid, "-N", "-f", str(config), port=port)
    assert curl("-x", f"http://127.0.0.1:{port}", f"{origin.url}/name") == "nginx\n"
    behind = run_proxy("reverse", "--upstream", forward.url)
    assert "HTTP/1.1 400" in curl("-i", f"{behind.url}/name")
