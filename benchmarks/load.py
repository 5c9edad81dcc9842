"""Load on a proxy: wrk for requests, and cheap clients of our own for bulk, TLS handshakes and idle connections."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import attrs
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded

from benchmarks.origin import SMALL

TIMEOUT = 20.0
"""Seconds that a client of ours waits for any one byte."""

# "static" requests, built once: a request function in Lua would cost wrk more than the proxies under test.
_VARIED = """
local count = 0
request = function()
  count = count + 1
  wrk.headers["X-Request-Id"] = count
  return wrk.format()
end
"""
_WRK_SCRIPT = """
{path}
done = function(summary, latency, requests)
    local e = summary.errors
    io.write(string.format("RESULT %d %d %d %d %d %d %d\\n", summary.requests, summary.duration,
        e.status, e.connect, e.read, e.write, e.timeout))
end
"""
_ERRORS = ("not 2xx or 3xx", "connect", "read", "write", "timeout")


class LoadError(Exception):
    """The load could not be made, so there is nothing to report."""


@attrs.frozen
class Load:
    """What was done: requests, bytes or handshakes, and how long it took."""

    done: int
    seconds: float
    errors: Mapping[str, int] = attrs.field(factory=dict)
    """How many of each kind; empty when all went well."""


def wrk(
    url: str,
    seconds: int,
    directory: Path,
    target: str | None = None,
    headers: Mapping[str, str] | None = None,
    varied: bool = False,
    connections: int = 64,
) -> Load:
    """GET for ``seconds`` on ``connections``; ``target`` is the request target where it is not the path of ``url``,
    and with ``varied`` no two requests have the same head.
    """
    script = directory / "wrk.lua"
    more = f'wrk.path = "{target}"' if target else _VARIED if varied else ""
    script.write_text(_WRK_SCRIPT.format(path=more))
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", str(script)]
    for name, value in (headers or {}).items():
        argv += ["-H", f"{name}: {value}"]
    try:
        ended = subprocess.run(
            [*argv, url], capture_output=True, text=True, timeout=seconds + TIMEOUT, check=False, cwd=directory
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise LoadError(f"wrk: {fault}") from fault
    for line in ended.stdout.splitlines():
        if line.startswith("RESULT "):
            requests, microseconds, *errors = map(int, line.split()[1:])
            if not requests:
                raise LoadError("wrk had no answer")
            return Load(requests, microseconds / 1e6, {name: n for name, n in zip(_ERRORS, errors, strict=True) if n})
    raise LoadError(f"wrk: {(ended.stderr or ended.stdout).strip()[-300:]}")


def h2load(url: str, seconds: int, headers: Mapping[str, str] | None = None, clients: int = 10) -> Load:
    """GET in HTTP/2 for ``seconds``, 10 streams at once on each of the ``clients``' connections."""
    argv = ["h2load", "-t1", f"-c{clients}", "-m10", f"-D{seconds}", "-w24", "-W24"]
    for name, value in (headers or {}).items():
        argv.append(f"-H{name}: {value}")
    try:
        ended = subprocess.run([*argv, url], capture_output=True, text=True, timeout=seconds + TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise LoadError(f"h2load: {fault}") from fault
    took = re.search(r"finished in ([0-9.]+)(ms|s),", ended.stdout)
    counts = re.search(
        r"requests: .* ([0-9]+) done, ([0-9]+) succeeded, ([0-9]+) failed, ([0-9]+) errored", ended.stdout
    )
    spoken = re.search(r"Application protocol: (\S+)", ended.stdout)
    if took is None or counts is None or spoken is None or spoken[1] not in ("h2", "h2c"):
        raise LoadError(f"h2load: {(ended.stderr or ended.stdout).strip()[-300:]}")
    done, succeeded = int(counts[1]), int(counts[2])
    if not succeeded:
        raise LoadError(f"h2load had no answer: {counts[0]}")
    errors = {"failed": done - succeeded} if done > succeeded else {}
    return Load(succeeded, float(took[1]) / (1000 if took[2] == "ms" else 1), errors)


def get(port: int, target: str, host: str, context: ssl.SSLContext | None = None) -> tuple[int, bytes]:
    """One request, to see that a proxy works: its status and body."""
    connection = (
        http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        if context is None
        else http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT, context=context)
    )
    try:
        connection.request("GET", target, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def origin_id(port: int, target: str, size: int) -> str:
    """Which answer of the origin a proxy gives: it has another X-Request-Id each time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", target, headers={"Host": f"127.0.0.1:{port}"})
        answer = connection.getresponse()
        expect(answer.status, answer.read(), size)
        found = answer.getheader("X-Request-Id")
    finally:
        connection.close()
    if found is None:
        raise LoadError("the answer has lost its X-Request-Id")
    return found


def expect(status: int, body: bytes, size: int) -> None:
    """Raise LoadError where it is not 200 with a body of ``size`` bytes."""
    if status != 200 or len(body) != size:
        raise LoadError(f"answered {status} with {len(body)} bytes, not 200 with {size}")


def tls_client() -> ssl.SSLContext:
    """A client of TLS 1.3 that believes any certificate and keeps no session."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _head(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read up to the end of a head: the head, and what came with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(4096)
        if not piece:
            raise LoadError(f"closed in the head of the answer: {data[:200]!r}")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0] + b" ":
        raise LoadError(f"answered {head[:200]!r}")
    return head, rest


def bulk(port: int, origin: int, size: int, connect: bool) -> Load:
    """Take ``size`` bytes from the origin through a tunnel, and let the kernel throw them away."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
        if connect:
            connection.sendall(f"CONNECT 127.0.0.1:{origin} HTTP/1.1\r\nHost: 127.0.0.1:{origin}\r\n\r\n".encode())
            _head(connection)
        begun = time.perf_counter()
        connection.sendall(f"GET /bulk HTTP/1.1\r\nHost: 127.0.0.1:{origin}\r\n\r\n".encode())
        head, rest = _head(connection)
        if f"content-length: {size}".encode() not in head.lower():
            raise LoadError(f"another body than asked for: {head[:300]!r}")
        left = size - len(rest)
        buffer = bytearray(1 << 20)
        while left > 0:
            # MSG_TRUNC on TCP drops the bytes without copying them, so that this client is never the bottleneck.
            taken = connection.recv_into(buffer, len(buffer), socket.MSG_TRUNC)
            if not taken:
                raise LoadError(f"closed with {left} bytes to come")
            left -= taken
        return Load(size, time.perf_counter() - begun)


def handshakes(port: int, seconds: float, clients: int = 8) -> Load:
    """A new TLS connection for each request. wrk would resume its sessions, and so measure something else."""
    context = tls_client()
    request = b"GET /small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    end = time.perf_counter() + seconds
    counts, errors = [0] * clients, [0] * clients

    def work(number: int) -> None:
        while time.perf_counter() < end:
            try:
                with (
                    socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as plain,
                    context.wrap_socket(plain, server_hostname="localhost") as connection,
                ):
                    connection.sendall(request)
                    answer = b""
                    while piece := connection.recv(4096):
                        answer += piece
                    if not answer.endswith(SMALL) or connection.session_reused:
                        raise LoadError
                    counts[number] += 1
            except (OSError, LoadError):
                errors[number] += 1

    begun = time.perf_counter()
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not sum(counts):
        raise LoadError(f"no handshake succeeded, {sum(errors)} failed")
    failed = {"handshake": sum(errors)} if sum(errors) else {}
    return Load(sum(counts), time.perf_counter() - begun, failed)


def idle(port: int, count: int) -> list[socket.socket]:
    """Open ``count`` connections that each make one request, and are kept."""
    opened: list[socket.socket] = []
    request = b"GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n"
    try:
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
            opened.append(connection)
            connection.sendall(request)
            _, body = _head(connection)
            while not body.endswith(SMALL):
                piece = connection.recv(4096)
                if not piece:
                    raise LoadError("closed in the body of the answer")
                body += piece
        return opened
    except BaseException:
        close(opened)
        raise


def idle_http2(port: int, count: int, headers: Mapping[str, str]) -> list[socket.socket]:
    """The same by HTTP/2 over TLS, each of a client with a cookie of its own."""
    opened: list[socket.socket] = []
    context = tls_client()
    context.set_alpn_protocols(["h2"])
    try:
        for number in range(count):
            plain = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
            connection = context.wrap_socket(plain, server_hostname="localhost")
            opened.append(connection)
            _ask_by_http2(connection, {**headers, "cookie": f"session={number:032x}"})
        return opened
    except BaseException:
        close(opened)
        raise


def _ask_by_http2(connection: socket.socket, headers: Mapping[str, str]) -> None:
    client = H2Connection(H2Configuration())
    client.initiate_connection()
    head = {":method": "GET", ":scheme": "https", ":authority": "localhost", ":path": "/small"}
    client.send_headers(1, [*head.items(), *headers.items()], end_stream=True)
    body, ended = b"", False
    while not ended:
        connection.sendall(client.data_to_send())
        piece = connection.recv(4096)
        if not piece:
            raise LoadError("closed before the end of the answer")
        for event in client.receive_data(piece):
            body += event.data if isinstance(event, DataReceived) else b""
            ended = ended or isinstance(event, StreamEnded)
    connection.sendall(client.data_to_send())
    if body != SMALL:
        raise LoadError(f"answered with {body[:100]!r}")


def closed(connections: list[socket.socket]) -> int:
    """How many of them the proxy has closed."""
    gone = 0
    for connection in connections:
        connection.setblocking(False)
        try:
            # What TLS and HTTP/2 say of themselves may come by now.
            while piece := connection.recv(4096):
                pass
            gone += piece == b""
        except (BlockingIOError, ssl.SSLWantReadError):
            pass  # open, and silent, as it should be
        except OSError:
            gone += 1
    return gone


def close(connections: list[socket.socket]) -> None:
    """Close all of them."""
    for connection in connections:
        connection.close()
