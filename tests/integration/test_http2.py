"""HTTP/2 towards real clients: curl, nghttp, h2load, and python-h2 for what these cannot do."""

import base64
import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys

import h2.connection
import h2.events
import pytest
from hpack import Encoder

from benchmarks.ports import free_port
from tests.integration.conftest import DEADLINE, need, until
from tests.wire.http2.taken_apart import goaways, resets, taken_apart
from txproxy.wire.http2 import frames

REACTORS = pytest.mark.parametrize("reactor", ["epoll", "txproxy"])


@pytest.fixture
def run_tls(run_proxy, certificate):
    """Runs a mode with a TLS listener."""

    def run(*words, reactor="epoll"):
        cert, key = map(str, certificate)
        proxy = run_proxy(*words, "--tls-cert", cert, "--tls-key", key, listen="--tls-listen", reactor=reactor)
        proxy.url = f"https://localhost:{proxy.port}"
        return proxy

    return run


def ran(*words):
    done = subprocess.run([need(words[0]), *words[1:]], capture_output=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.decode()


@REACTORS
def test_requests_and_bodies_both_ways(reactor, run_tls, run_nginx, curl, certificate, tmp_path):
    origin = run_nginx()
    proxy = run_tls("reverse", "--upstream", origin.url, reactor=reactor)
    tell = ("--cacert", str(certificate[0]), "-w", "%{http_version} %{http_code}\n")
    assert curl(*tell, "--http2", f"{proxy.url}/echo") == "GET localhost 127.0.0.1 https\n2 200\n"
    assert curl(*tell, "--http1.1", f"{proxy.url}/name") == "nginx\n1.1 200\n"
    names = [f"{proxy.url}/name"] * 20
    assert curl(*tell, "--http2", "-Z", *names).count("2 200") == 20
    large = tmp_path / "large"
    large.write_bytes(os.urandom(3 << 20))
    assert curl(*tell, "--http2", "-T", str(large), f"{proxy.url}/upload") == f"{3 << 20}\n2 200\n"
    (origin.directory / "www" / "large").write_bytes(large.read_bytes())
    there = tmp_path / "there"
    curl(*tell, "--http2", "-o", str(there), f"{proxy.url}/large")
    assert there.read_bytes() == large.read_bytes()
    assert curl(*tell, "--http2", "-X", "TRACE", f"{proxy.url}/").endswith("2 405\n")
    proxy.says('"GET /large HTTP/2.0" 200')
    proxy.says('"GET /name HTTP/1.1" 200')


def test_many_at_once_by_nghttp_and_h2load(run_tls, run_nginx):
    proxy = run_tls("reverse", "--upstream", run_nginx().url, reactor="txproxy")
    said = ran("nghttp", "-n", "-s", "-m", "50", f"{proxy.url}/name", f"{proxy.url}/echo")
    assert len(re.findall(r" 200 +\d+ /(?:name|echo)", said)) == 100
    # RFC 9113 4.3.1: one that keeps no table is told that there is none, before it reads anything.
    said = ran("nghttp", "-n", "-s", "-c", "0", f"{proxy.url}/name", f"{proxy.url}/echo")
    assert len(re.findall(r" 200 +\d+ /(?:name|echo)", said)) == 2
    said = ran("h2load", "-n", "3000", "-c", "6", "-m", "30", f"{proxy.url}/name")
    assert "3000 succeeded, 0 failed, 0 errored, 0 timeout" in said and "Application protocol: h2" in said


def test_clients_that_keep_no_table(run_tls, run_nginx):
    # RFC 7541 4.2: they close the connection where they are not told in turn.
    proxy = run_tls("reverse", "--upstream", run_nginx().url, reactor="txproxy")
    for size in ("0", "1024"):
        said = ran("nghttp", "-n", "-s", "-m", "3", f"--header-table-size={size}", f"{proxy.url}/name")
        assert len(re.findall(r" 200 +\d+ /name", said)) == 3
    said = ran("h2load", "-n", "100", "-c", "2", "-m", "5", "--header-table-size=0", f"{proxy.url}/name")
    assert "100 succeeded" in said


def test_it_is_not_offered_where_it_is_not_to_be(run_tls, run_nginx, curl, certificate):
    proxy = run_tls("reverse", "--upstream", run_nginx().url, "--http2", "off")
    assert (
        curl("--cacert", str(certificate[0]), "--http2", "-w", "%{http_version}", f"{proxy.url}/name") == "nginx\n1.1"
    )


def test_prior_knowledge_is_spoken_beside_http1(run_nginx, processes, tmp_path, curl):
    port = free_port()
    file = tmp_path / "proxy.toml"
    file.write_text(
        f'[[listeners]]\nlisten = "127.0.0.1:{port}"\nh2c = true\npool = "app"\n'
        f'[pools.app]\nupstreams = "{run_nginx().url}"\n'
    )
    processes(sys.executable, "-m", "txproxy", "run", "--config", str(file), port=port)
    tell = ("-w", "%{http_version}")
    assert curl(*tell, "--http2-prior-knowledge", f"http://127.0.0.1:{port}/name") == "nginx\n2"
    assert curl(*tell, f"http://127.0.0.1:{port}/name") == "nginx\n1.1"
    said = ran("h2load", "-n", "500", "-c", "2", "-m", "10", f"http://127.0.0.1:{port}/name")
    assert "500 succeeded" in said and "Application protocol: h2c" in said


def test_a_stop_ends_what_runs_and_loses_nothing(run_tls, run_nginx):
    proxy = run_tls("reverse", "--upstream", run_nginx().url)
    load = subprocess.Popen(
        [need("h2load"), "-n", "100000", "-c", "2", "-m", "10", f"{proxy.url}/name"], stdout=subprocess.PIPE
    )
    until(lambda: proxy.log.count("HTTP/2.0") > 200, "requests are served")
    proxy.process.send_signal(signal.SIGTERM)
    proxy.process.wait(DEADLINE)
    said = load.communicate(timeout=DEADLINE)[0].decode()
    # Those that were never sent are errors for h2load; of those that were none has failed.
    succeeded = int(re.search(r"(\d+) succeeded", said)[1])
    assert succeeded > 200 and f"{succeeded} 2xx, 0 3xx, 0 4xx, 0 5xx" in said


LEAVING = """
[[listeners]]
tls_listen = "127.0.0.1:{port}"
certificates = [{{ cert = "{cert}", key = "{key}" }}]
pool = "app"
[pools.app]
upstreams = "{upstream}"
retries = {retries}
[limits]
connection_age = {age}
"""


@pytest.mark.parametrize("why", ["reload", "age"])
def test_who_has_to_leave_is_told_twice_and_what_runs_is_answered(why, processes, certificate, tmp_path):
    port, file = free_port(), tmp_path / "proxy.toml"
    cert, key = map(str, certificate)
    block = Encoder().encode([(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/x")])
    with socket.create_server(("127.0.0.1", 0)) as origin:
        origin.settimeout(DEADLINE)
        upstream = f"http://127.0.0.1:{origin.getsockname()[1]}"
        said = {"port": port, "cert": cert, "key": key, "upstream": upstream, "age": 1 if why == "age" else 3600}
        file.write_text(LEAVING.format(**said, retries=1))
        proxy = processes(sys.executable, "-m", "txproxy", "run", "--config", str(file), port=port)
        client = Peer(port, cert)
        try:
            wire = client.socket
            wire.sendall(client.h2.data_to_send() + frames.headers(1, block, True, 16384))
            first = origin.accept()[0]
            assert first.recv(65536).startswith(b"GET /x ")
            if why == "reload":
                file.write_text(LEAVING.format(**said, retries=2))
                proxy.send_signal(signal.SIGHUP)
            told = b""
            while not (pings := [frame for frame in taken_apart(told) if frame[0] == "PING"]):
                told += wire.recv(65536)
            # This one is on its way, as its client has not heard of it all.
            wire.sendall(frames.headers(3, block, True, 16384) + frames.ping(pings[0][3], ack=True))
            second = origin.accept()[0]
            assert second.recv(65536).startswith(b"GET /x ")
            for one in (first, second):
                one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            while data := wire.recv(65536):
                told += data
            assert goaways(told) == [(frames.LAST_STREAM, 0), (3, 0)]
            bodies = {stream: payload for name, _, stream, payload in taken_apart(told) if name == "DATA"}
            assert bodies == {1: b"hi", 3: b"hi"} and not resets(told) and proxy.poll() is None
            first.close()
            second.close()
        finally:
            client.close()


class Peer:
    """A client of HTTP/2 inside TLS, by python-h2."""

    def __init__(self, port, ca):
        context = ssl.create_default_context(cafile=ca)
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        assert self.socket.selected_alpn_protocol() == "h2"
        self.h2 = h2.connection.H2Connection()
        self.h2.initiate_connection()
        self.seen = []
        self.body = {}

    def ask(self, *fields, ended=False):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, fields, end_stream=ended)
        return stream

    def until(self, condition):
        """Gives what it is, once it is true."""
        while True:
            self.socket.sendall(self.h2.data_to_send())
            found = condition()
            if found:
                return found
            data = self.socket.recv(65536)
            assert data, self.seen
            for event in self.h2.receive_data(data):
                self.seen.append(event)
                if type(event) is h2.events.DataReceived:
                    self.body[event.stream_id] = self.body.get(event.stream_id, b"") + event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def head(self, stream):
        found = self.until(
            lambda: [e for e in self.seen if type(e) is h2.events.ResponseReceived and e.stream_id == stream]
        )
        return dict(found[0].headers)

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.close()


@pytest.fixture
def peer():
    made = []

    def peer(*args):
        made.append(Peer(*args))
        return made[-1]

    yield peer
    for one in made:
        one.close()


@REACTORS
def test_tunnels_of_a_forward_proxy_share_a_connection(reactor, run_tls, run_nginx, peer, certificate):
    origin = run_nginx()
    more = ("--allow-destination", "127.0.0.0/8", "--allow-port", "1-65535")
    proxy = run_tls("forward", *more, reactor=reactor)
    client = peer(proxy.port, str(certificate[0]))
    authority = (":authority", f"127.0.0.1:{origin.port}")
    tunnels = [client.ask((":method", "CONNECT"), authority) for _ in range(3)]
    for stream in tunnels:
        assert client.head(stream)[b":status"] == b"200"
        client.h2.send_data(stream, b"GET /name HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    for stream in tunnels:
        client.until(lambda stream=stream: client.body.get(stream, b"").endswith(b"\r\n\r\nnginx\n"))
        client.h2.end_stream(stream)
    plain = client.ask((":method", "GET"), (":scheme", "http"), authority, (":path", "/name"), ended=True)
    assert client.head(plain)[b":status"] == b"200"
    assert client.until(lambda: client.body.get(plain)) == b"nginx\n"
    here = (":authority", f"localhost:{proxy.port}")
    pac = client.ask((":method", "GET"), (":scheme", "https"), here, (":path", "/proxy.pac"), ended=True)
    assert client.head(pac)[b":status"] == b"200"
    assert b"FindProxyForURL" in client.until(lambda: client.body.get(pac))
    proxy.says(f'"CONNECT 127.0.0.1:{origin.port} HTTP/2.0" 200')
    proxy.says(f'"GET http://127.0.0.1:{origin.port}/name HTTP/2.0" 200')


def test_a_websocket_is_a_stream(run_tls, echo, peer, certificate):
    proxy = run_tls("reverse", "--upstream", f"http://127.0.0.1:{echo}")
    client = peer(proxy.port, str(certificate[0]))
    stream = client.ask(
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
        (":authority", f"localhost:{proxy.port}"), (":path", "/"), ("sec-websocket-version", "13"),
    )  # fmt: skip
    assert client.head(stream)[b":status"] == b"200"
    # A masked text frame of RFC 6455, with a mask of nothing, and what it is echoed as.
    client.h2.send_data(stream, b"\x81\x85\0\0\0\0hello")
    assert client.until(lambda: client.body.get(stream)) == b"\x81\x05hello"


def test_a_login_by_password_is_each_requests_own(run_tls, run_nginx, peer, certificate, tmp_path):
    users = tmp_path / "users"
    hashed = ran("openssl", "passwd", "-apr1", "secret")
    users.write_text(f"bob:{hashed}eve:{hashed}")
    origin = run_nginx()
    more = ("--allow-destination", "127.0.0.0/8", "--allow-port", "1-65535", "--auth-file", str(users))
    proxy = run_tls("forward", *more)
    client = peer(proxy.port, str(certificate[0]))
    asked = {}
    for word, status in ((b"bob:secret", b"200"), (b"eve:secret", b"200"), (b"bob:wrong", b"407"), (b"", b"407")):
        fields = [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", f"127.0.0.1:{origin.port}"),
            (":path", "/name"),
        ]
        if word:
            fields.append(("proxy-authorization", f"Basic {base64.b64encode(word).decode()}"))
        asked[client.ask(*fields, ended=True)] = status
    assert {stream: client.head(stream)[b":status"] for stream in asked} == asked
    for user in ("bob", "eve"):
        proxy.says(f"127.0.0.1 - {user} [")


def test_hosts_of_one_certificate_share_a_connection_and_others_are_misdirected(run_tls, run_nginx, peer, certificate):
    proxy = run_tls("reverse", "--upstream", run_nginx().url)
    client = peer(proxy.port, str(certificate[0]))
    # The second is one of the same certificate, as browsers share a connection by (RFC 9113 section 9.1.1).
    hosts = {b"localhost": b"200", b"127.0.0.1": b"200", b"other.example": b"421", b"LOCALHOST": b"200"}
    for _ in range(3):
        asked = {}
        for host in hosts:
            authority = b"%s:%d" % (host, proxy.port)
            fields = (":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", "/name")
            asked[client.ask(*fields, ended=True)] = hosts[host]
        assert {stream: client.head(stream)[b":status"] for stream in asked} == asked
    proxy.says('"GET /name HTTP/2.0" 421')


def test_floods_end_their_connection_alone(run_tls, run_nginx, peer, curl, certificate):
    proxy = run_tls("reverse", "--upstream", run_nginx().url, reactor="txproxy")
    ca = str(certificate[0])
    block = Encoder().encode(
        [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/name")]
    )

    def reset_at_once(number):
        return frames.headers(number, block, True, 16384) + frames.rst_stream(number, 8)

    begun = frames.headers(1, block, True, 16384)[:4] + b"\0" + frames.headers(1, block, True, 16384)[5:]
    floods = {
        "rapid resets": (b"", reset_at_once, 2000),
        "resets that we are to send": (
            b"",
            lambda number: frames.headers(number, block, True, 16384) + frames.window_update(number, 0),
            2000,
        ),
        "pings": (b"", lambda number: frames.ping(b"12345678"), 20_000),
        "settings": (b"", lambda number: frames.settings([]), 20_000),
        "blocks without end": (begun, lambda number: frames.header(0, frames.CONTINUATION, 0, 1), 1000),
    }
    for name, (first, make, count) in floods.items():
        client = peer(proxy.port, ca)
        client.socket.settimeout(DEADLINE)
        told = b""
        with contextlib.suppress(OSError):
            client.socket.sendall(client.h2.data_to_send() + first)
            client.socket.sendall(b"".join(make(2 * number + 3) for number in range(count)))
        # Who is too slow is not waited for once it was told, which it may read still.
        with contextlib.suppress(OSError):
            while data := client.socket.recv(65536):
                told += data
        # ENHANCE_YOUR_CALM, if the answers before it did not fill the connection.
        assert frames.goaway(0, 0xB)[-4:] in told or len(told) > 60_000, name
        assert curl("--cacert", ca, "--http2", f"{proxy.url}/name") == "nginx\n"


@REACTORS
def test_who_has_said_all_by_close_notify_is_answered(run_tls, certificate, reactor):
    size = 300_000
    with socket.create_server(("127.0.0.1", 0)) as origin:
        origin.settimeout(DEADLINE)
        proxy = run_tls("reverse", "--upstream", f"http://127.0.0.1:{origin.getsockname()[1]}", reactor=reactor)
        context = ssl.create_default_context(cafile=str(certificate[0]))
        context.set_alpn_protocols(["h2"])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with socket.create_connection(("127.0.0.1", proxy.port), DEADLINE) as client:

            def carry(action):
                while True:
                    try:
                        return action()
                    except ssl.SSLWantReadError:
                        client.sendall(outgoing.read())
                        incoming.write(came) if (came := client.recv(65536)) else incoming.write_eof()

            carry(tls.do_handshake)
            connection = h2.connection.H2Connection()
            connection.initiate_connection()
            connection.increment_flow_control_window(size)
            connection.send_headers(
                1,
                [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/")],
                end_stream=True,
            )
            connection.increment_flow_control_window(size, 1)
            tls.write(connection.data_to_send())
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.unwrap()
            client.sendall(outgoing.read())
            upstream, _ = origin.accept()
            with upstream:
                upstream.settimeout(DEADLINE)
                assert upstream.recv(65536).startswith(b"GET / HTTP/1.1\r\n")
                upstream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
                events = []
                with contextlib.suppress(ssl.SSLZeroReturnError):
                    while data := carry(lambda: tls.read(65536)):
                        events += connection.receive_data(data)
    assert sum(len(event.data) for event in events if type(event) is h2.events.DataReceived) == size
    assert any(type(event) is h2.events.StreamEnded for event in events)
