"""What the users of twisted.web.proxy have wished for, through a port of txproxy's own and through a twisted.web Site.

A Site gathers the body of a request before it asks a resource, and knows no CONNECT: these two are for a port alone.
"""

import asyncio
import contextlib
import socket
import ssl
import sys
import threading
from pathlib import Path

import pytest

from tests.integration.conftest import DEADLINE, free_port

SITE = str(Path(__file__).parent / "web_site.py")


class Way:
    """One way to the upstream: where it is asked, and what is put before the path."""

    def __init__(self, port, prefix, secure=None):
        self.port = port
        self.prefix = prefix
        self.secure = secure

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{self.prefix}{path}"

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), DEADLINE)
        return plain if self.secure is None else self.secure.wrap_socket(plain, server_hostname="localhost")

    def head(self, method, path, *lines):
        first = f"{method} {self.prefix}{path} HTTP/1.1"
        return "\r\n".join([first, f"Host: 127.0.0.1:{self.port}", *lines, "", ""]).encode()


@pytest.fixture(params=["port", "site"])
def through(request, run_proxy, processes, tmp_path):
    """Opens a way to an upstream."""

    def port(upstream, *, ca_file=None, timeout="60"):
        words = ["--upstream-ca", ca_file] if ca_file is not None else []
        proxy = run_proxy("reverse", "--upstream", upstream, "--response-timeout", timeout, *words)
        return Way(proxy.port, "")

    def site(upstream, *, ca_file="-", timeout="60"):
        number = free_port()
        words = [f"tcp:{number}:interface=127.0.0.1", upstream, ca_file, timeout]
        processes(sys.executable, SITE, *words, port=number, cwd=tmp_path)
        return Way(number, "/app")

    return {"port": port, "site": site}[request.param]


class Upstream:
    """A listening socket, whose connections are each handed to ``respond`` in a thread of its own."""

    def __init__(self, respond):
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._respond = respond
        self.connections = 0
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(DEADLINE)
            self._respond(connection)

    def close(self):
        # Only this wakes the thread in accept.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def upstream():
    made = []

    def start(respond):
        made.append(Upstream(respond))
        return made[-1]

    yield start
    for one in made:
        one.close()


def read_until(connection, end, data=b""):
    """Read on until ``end`` has come; gives all, with what came after it."""
    while end not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError(f"closed after {data!r}")
        data += piece
    return data


def answer_each(connection):
    """An upstream that keeps its connections."""
    while True:
        read_until(connection, b"\r\n\r\n")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


# -- each a wish


def test_https_upstreams_verified(through, run_nginx, certificate, curl):
    nginx = run_nginx()
    url = f"https://localhost:{nginx.tls_port}"
    assert curl(through(url, ca_file=str(certificate[0])).url("/")) == "secret\n"
    answer = curl("-i", through(url).url("/"))
    assert answer.startswith("HTTP/1.1 502 ") and "error=tls_certificate_error" in answer


def test_connect(run_proxy, run_nginx, certificate, curl):
    nginx = run_nginx()
    proxy = run_proxy(
        "forward", "--allow-destination", "localhost", "--allow-destination", "127.0.0.0/8",
        "--allow-port", str(nginx.tls_port),
    )  # fmt: skip
    secret = f"https://localhost:{nginx.tls_port}/"
    assert curl("-x", proxy.url, "--cacert", str(certificate[0]), secret) == "secret\n"


def test_connections_are_kept_on_both_sides(through, upstream):
    origin = upstream(answer_each)
    way = through(origin.url)
    with way.connect() as client:
        for _ in range(10):
            client.sendall(way.head("GET", "/"))
            assert read_until(client, b"\r\n\r\nok").startswith(b"HTTP/1.1 200 ")
    assert origin.connections == 1


def test_the_clients_own_host_arrives(through, run_nginx, curl):
    way = through(run_nginx().url)
    assert curl(way.url("/echo"), "-H", "Host: www.example.com").split()[1] == "www.example.com"


def test_redirects_lead_back_through_the_proxy(run_proxy, processes, upstream, curl, tmp_path):
    def redirect(connection):
        said = read_until(connection, b"\r\n\r\n")
        if said.startswith(b"GET /old "):
            port = connection.getsockname()[1]
            location = b"http://127.0.0.1:%d/new" % port
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location)
            said = read_until(connection, b"\r\n\r\n")
        assert said.startswith(b"GET /new ")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew")

    origin = upstream(redirect)
    by_site, by_route = free_port(), free_port()
    processes(sys.executable, SITE, f"tcp:{by_site}:interface=127.0.0.1", origin.url, port=by_site, cwd=tmp_path)
    (tmp_path / "edge.toml").write_text(f"""
[[listeners]]
listen = "tcp:{by_route}:interface=127.0.0.1"

[[routes]]
name = "app"
path = "/app"
strip_prefix = "/app"
pool = "app"

[pools.app]
upstreams = "{origin.url}"
""")
    processes(sys.executable, "-m", "txproxy", "run", "--config", "edge.toml", port=by_route, cwd=tmp_path)
    for port in (by_site, by_route):
        where = ["-L", "-w", " %{url_effective}", f"http://127.0.0.1:{port}/app/old"]
        assert curl(*where) == f"new http://127.0.0.1:{port}/app/new"


def test_upstreams_learn_who_the_client_is_and_from_nobody_else(through, run_nginx, curl):
    way = through(run_nginx().url)
    assert curl(way.url("/echo"), "-H", "X-Forwarded-For: 6.6.6.6").split()[2:] == ["127.0.0.1", "http"]


def test_the_upstream_is_let_go_when_the_client_leaves(through, upstream):
    asked, left = threading.Event(), threading.Event()

    def hang(connection):
        read_until(connection, b"\r\n\r\n")
        asked.set()
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(1000):
                pass
        left.set()

    way = through(upstream(hang).url)
    with way.connect() as client:
        client.sendall(way.head("GET", "/"))
        assert asked.wait(DEADLINE)
    assert left.wait(DEADLINE)


def test_faults_of_the_upstream_have_their_own_statuses(through, upstream, curl):
    def nonsense(connection):
        read_until(connection, b"\r\n\r\n")
        connection.sendall(b"nonsense\r\n\r\n")

    def silence(connection):
        connection.recv(1000)
        connection.recv(1000)

    def status(url, **options):
        return curl("-o", "/dev/null", "-w", "%{http_code}", through(url, **options).url("/"))

    assert status(upstream(nonsense).url) == "502"
    assert status(upstream(silence).url, timeout="0.3") == "504"
    assert status(f"http://127.0.0.1:{free_port()}") == "503"


def test_a_response_is_seen_before_it_is_complete(through, upstream):
    seen = threading.Event()

    def in_two_parts(connection):
        read_until(connection, b"\r\n\r\n")
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        assert seen.wait(DEADLINE)
        connection.sendall(b"6\r\nsecond\r\n0\r\n\r\n")

    way = through(upstream(in_two_parts).url)
    with way.connect() as client:
        client.sendall(way.head("GET", "/"))
        data = read_until(client, b"first")
        assert b"second" not in data
        seen.set()
        read_until(client, b"0\r\n\r\n", read_until(client, b"second", data))


@pytest.mark.parametrize("through", ["port"], indirect=True)
def test_a_request_is_seen_before_it_is_complete(through, upstream):
    seen = threading.Event()

    def listen(connection):
        data = read_until(connection, b"first")
        assert b"second" not in data
        seen.set()
        read_until(connection, b"0\r\n\r\n", read_until(connection, b"second", data))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    way = through(upstream(listen).url)
    with way.connect() as client:
        client.sendall(way.head("POST", "/", "Transfer-Encoding: chunked") + b"5\r\nfirst\r\n")
        assert seen.wait(DEADLINE)
        client.sendall(b"6\r\nsecond\r\n0\r\n\r\n")
        read_until(client, b"\r\n\r\nok")


@pytest.mark.parametrize("through", ["site"], indirect=True)
def test_a_site_sends_a_request_on_when_it_has_all_of_it(through, upstream):
    def length(connection):
        head, _, body = read_until(connection, b"\r\n\r\n").partition(b"\r\n\r\n")
        assert b"\r\nContent-Length: 11\r\n" in head + b"\r\n"
        read_until(connection, b"firstsecond", body)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    way = through(upstream(length).url)
    with way.connect() as client:
        client.sendall(way.head("POST", "/", "Transfer-Encoding: chunked") + b"5\r\nfirst\r\n")
        client.sendall(b"6\r\nsecond\r\n0\r\n\r\n")
        read_until(client, b"\r\n\r\nok")


@pytest.mark.parametrize("framing", ["chunked", "until close"])
def test_each_server_sent_event_arrives_at_once(through, upstream, framing):
    taken = threading.Semaphore(0)

    def tell(connection):
        read_until(connection, b"\r\n\r\n")
        framed = b"Transfer-Encoding: chunked\r\n" if framing == "chunked" else b""
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + framed + b"\r\n")
        for number in range(5):
            event = b"data: %d\n\n" % number
            connection.sendall(b"%x\r\n%b\r\n" % (len(event), event) if framing == "chunked" else event)
            assert taken.acquire(timeout=DEADLINE)

    way = through(upstream(tell).url)
    with way.connect() as client:
        client.sendall(way.head("GET", "/"))
        data = b""
        for number in range(5):
            data = read_until(client, b"data: %d\n\n" % number, data)
            assert b"data: %d" % (number + 1) not in data
            taken.release()


def chat(way):
    """Tell it something and much, and hear it again, over two connections at once.

    In one thread: before Python 3.13.1 an ``SSLSocket`` may not be read and written at once in two, as the library's
    blocking client does.
    """
    client = pytest.importorskip("websockets.asyncio.client")
    secure = {} if way.secure is None else {"ssl": way.secure, "server_hostname": "localhost"}
    url = f"{'ws' if way.secure is None else 'wss'}://127.0.0.1:{way.port}{way.prefix}/"

    def connect():
        return client.connect(url, max_size=None, open_timeout=DEADLINE, proxy=None, **secure)

    async def talk():
        async with connect() as one, connect() as other:
            for number, message in enumerate(("hello", "x" * 3_000_000, b"\x00" * 100_000)):
                for peer in (one, other):
                    await peer.send(message)
                    await peer.send(f"and {number}")
                for peer in (one, other):
                    assert await peer.recv() == message
                    assert await peer.recv() == f"and {number}"
            await (await one.ping())

    asyncio.run(asyncio.wait_for(talk(), 3 * DEADLINE))


def test_websocket(through, echo):
    chat(through(f"http://127.0.0.1:{echo}"))


def test_websocket_through_a_site_with_tls(processes, echo, certificate, tmp_path):
    port = free_port()
    cert, key = certificate
    endpoint = f"ssl:{port}:interface=127.0.0.1:certKey={cert}:privateKey={key}"
    processes(sys.executable, SITE, endpoint, f"http://127.0.0.1:{echo}", port=port, cwd=tmp_path)
    chat(Way(port, "/app", ssl.create_default_context(cafile=str(cert))))


def test_a_site_goes_on_beside_and_after_a_websocket(processes, echo, curl, tmp_path):
    port = free_port()
    endpoint = f"tcp:{port}:interface=127.0.0.1"
    process = processes(sys.executable, SITE, endpoint, f"http://127.0.0.1:{echo}", port=port, cwd=tmp_path)
    for _ in range(3):
        chat(Way(port, "/app"))
        assert curl(f"http://127.0.0.1:{port}/own") == "own"
    assert process.poll() is None
