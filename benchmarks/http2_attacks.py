"""``python -m benchmarks.http2_attacks``: what a hostile client of HTTP/2 costs the proxy, attack by attack.

Each is one connection over TLS, to a proxy of its own that has limits as they come; where times alone end it, these
are short. Told are how it ends, what was sent until then, and CPU time and memory of the proxy beyond those before it.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import attrs
from hpack import Decoder, Encoder
from hyperframe import frame

from benchmarks.ports import free_port

LIMIT: Final = 60.0
"""Seconds after which an attack has hung."""
FLOOD: Final = 16_000
"""More frames of no use than a peer may send within that time, however slow the machine: time gives back some."""
CALM: Final = 0xB
"""ENHANCE_YOUR_CALM."""
PROTOCOL_ERROR: Final = 1
LARGE: Final = 1 << 30
WIDE: Final = (1 << 31) - 1
SETTINGS_WINDOW: Final = 4
CONFIG: Final = """
[[listeners]]
tls_listen = "127.0.0.1:{port}"
certificates = [{{ cert = "{cert}", key = "{key}" }}]
[[listeners]]
tls_listen = "127.0.0.1:{hasty}"
certificates = [{{ cert = "{cert}", key = "{key}" }}]
limits = {{ idle_timeout = 2, response_timeout = 2 }}
[[routes]]
name = "answer"
path = "=/answer"
respond = {{ status = 200, body = "hello" }}
[[routes]]
name = "rest"
path = "/"
pool = "victim"
[pools.victim]
upstreams = "http://127.0.0.1:{upstream}"
[log]
access = "none"
"""


def fields(path: str = "/answer", method: str = "GET") -> bytes:
    """The field block of a request."""
    names = (":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)
    return bytes(Encoder().encode(names))


def request(number: int, block: bytes, ended: bool = True) -> bytes:
    """A request on a stream."""
    return bytes(frame.HeadersFrame(number, block, flags=["END_HEADERS", *["END_STREAM"][: int(ended)]]).serialize())


def raw(kind: int, flags: int, number: int, payload: bytes = b"") -> bytes:
    """A frame of any kind."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, number) + payload


GET: Final = fields()
POST: Final = fields("/taken", "POST")
PING: Final = frame.PingFrame(0, b"12345678").serialize()
RESET: Final = 8
"""CANCEL."""
SEVERAL: Final = 100
"""As many streams as there may be at once."""


@attrs.frozen
class Attack:
    """What is sent: ``first``, and then ``count`` pieces, each made for the number of a new stream. The connection ends
    with the ``code`` of a GOAWAY; ``windows`` is the one that its SETTINGS have for streams. With ``reads`` False it
    reads nothing, and so is told nothing. ``hasty`` says that times end it: any other is to be known by what it sends,
    however long a slow machine takes for that.
    """

    make: Callable[[int], bytes]
    count: int = FLOOD
    first: bytes = b""
    code: int = CALM
    windows: int = 65_535
    reads: bool = True
    hasty: bool = False


def _dependent(number: int) -> bytes:
    """Two streams that depend on each other, and one that goes before all others."""
    depends = [(number, number + 2, False), (number + 2, number, False), (number, 0, True)]
    return b"".join(
        frame.PriorityFrame(one, depends_on=on, stream_weight=255, exclusive=alone).serialize()
        for one, on, alone in depends
    )


def _bomb(number: int) -> bytes:
    # Each byte of it is one more field of 3000 bytes, from the table.
    return request(number, GET + b"\xbe" * 10_000)


_STUFFED: Final = Encoder().encode(
    [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/answer"), ("x", "y" * 3000)],
    huffman=False,
)
_BODY: Final = request(1, POST, ended=False)
_WIDER: Final = frame.WindowUpdateFrame(0, window_increment=WIDE - 65_535).serialize()
ATTACKS: Final = {
    "rapid resets (CVE-2023-44487)": Attack(
        lambda number: request(number, GET) + frame.RstStreamFrame(number, RESET).serialize(),
        1000,
    ),
    "rapid resets, to an upstream": Attack(
        lambda number: request(number, fields("/silent")) + frame.RstStreamFrame(number, RESET).serialize(),
        1000,
    ),
    "resets that are provoked (CVE-2025-8671)": Attack(
        lambda number: request(number, fields("/silent")) + raw(8, 0, number, b"\0\0\0\0"),
        1000,
    ),
    "CONTINUATION without end (CVE-2024-27316)": Attack(
        lambda number: raw(9, 0, 1, b"\0\1a\1b" * 100), 5000, first=raw(1, 1, 1, b"\x82")
    ),
    "SETTINGS": Attack(lambda number: frame.SettingsFrame(0).serialize()),
    "PING": Attack(lambda number: PING),
    "PING, whose answers are not read": Attack(lambda number: PING, reads=False),
    "PRIORITY, streams that depend on each other": Attack(_dependent, 6000),
    "PRIORITY, streams that depend on themselves": Attack(
        lambda number: frame.PriorityFrame(number, depends_on=number, stream_weight=255).serialize(),
        code=PROTOCOL_ERROR,
    ),
    "PRIORITY_UPDATE of idle streams": Attack(lambda number: raw(0x10, 0, 0, struct.pack(">I", number) + b"u=1")),
    "empty DATA": Attack(lambda number: frame.DataFrame(1).serialize(), first=_BODY),
    "WINDOW_UPDATE": Attack(lambda number: frame.WindowUpdateFrame(0, window_increment=1).serialize()),
    "unknown frames": Attack(lambda number: raw(0xFA, 0, 0, b"x")),
    "streams beyond those that there may be": Attack(lambda number: request(number, fields("/silent")), 1000),
    "heads that expand": Attack(_bomb, 20, first=request(1, _STUFFED), code=0, hasty=True),
    "DATA of one byte": Attack(
        lambda number: raw(0, int(number == 10_001), 1, b"x"), 5000, first=_BODY, code=0, hasty=True
    ),
    "responses that are not read": Attack(
        lambda number: request(number, fields("/large")), SEVERAL, first=_WIDER, windows=WIDE, reads=False, hasty=True
    ),
    "windows that stay shut": Attack(
        lambda number: request(number, fields("/large")), SEVERAL, windows=0, code=0, hasty=True
    ),
    "streams half-closed by who asks": Attack(
        lambda number: request(number, fields("/silent")), SEVERAL, code=0, hasty=True
    ),
    "bodies that do not come": Attack(lambda number: request(number, POST, ended=False), SEVERAL, code=0, hasty=True),
}


@attrs.frozen
class Ports:
    """Where the proxy listens: with limits as they come, and with short times."""

    port: int = attrs.field(factory=free_port)
    hasty: int = attrs.field(factory=free_port)


@attrs.frozen
class Told:
    """What a client was told until the end: ``codes`` of GOAWAY, ``resets`` by code, and ``statuses``."""

    sent: int
    codes: tuple[int, ...]
    resets: Counter[int]
    statuses: Counter[bytes]


def attack(ports: Ports, ca: str, what: Attack) -> Told:
    """Do it, until the other side has closed the connection."""
    port = ports.hasty if what.hasty else ports.port
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(["h2"])
    pieces = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    pieces.append(frame.SettingsFrame(0, settings={SETTINGS_WINDOW: what.windows}).serialize())
    pieces.append(what.first)
    pieces += [what.make(number) for number in range(3, 3 + 2 * what.count, 2)]
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), LIMIT), server_hostname="localhost") as one:
        assert one.selected_alpn_protocol() == "h2"
        one.setblocking(False)
        sent, told = _talk(one, b"".join(pieces), what.reads)
    return attrs.evolve(understood(told), sent=sent)


def _talk(one: ssl.SSLSocket, out: bytes, reads: bool) -> tuple[int, bytes]:
    """Send, and read if that is wanted; gives how much was sent, and what came."""
    whole, told, end = memoryview(out), bytearray(), time.monotonic() + LIMIT
    at = 0
    poll = select.poll()
    while time.monotonic() < end:
        try:
            with suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                while at < len(whole):
                    at += one.send(whole[at : at + 16_384])
        except OSError:
            # Who was told to go may still have something to say.
            at = len(whole)
        try:
            with suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                while reads:
                    data = one.recv(65_536)
                    if not data:
                        return at, bytes(told)
                    told += data
        except OSError:
            return at, bytes(told)
        poll.register(one, (select.POLLIN if reads else select.POLLRDHUP) | (select.POLLOUT if at < len(whole) else 0))
        if (
            any(event & (select.POLLHUP | select.POLLERR | select.POLLRDHUP) for _, event in poll.poll(1000))
            and not reads
        ):
            return at, bytes(told)
    raise TimeoutError(f"not closed within {LIMIT} s, after {at} bytes")


def understood(told: bytes) -> Told:
    """What a client was told by the bytes that it got; how many it has ``sent`` is not in them."""
    codes, resets, statuses, decoder, at = [], Counter[int](), Counter[bytes](), Decoder(), 0
    while len(told) - at >= 9:
        one, length = frame.Frame.parse_frame_header(memoryview(told)[at : at + 9])
        one.parse_body(memoryview(told)[at + 9 : at + 9 + length])
        at += 9 + length
        if isinstance(one, frame.GoAwayFrame):
            codes.append(one.error_code)
        elif isinstance(one, frame.RstStreamFrame):
            resets[one.error_code] += 1
        elif isinstance(one, frame.HeadersFrame):
            statuses[dict(decoder.decode(one.data, raw=True))[b":status"]] += 1
    return Told(0, tuple(codes), resets, statuses)


def _serve(client: socket.socket) -> None:
    """An upstream: /large is more than anybody takes, /taken reads what comes, and all else is never answered."""
    with client, suppress(OSError, ValueError):
        head, body = b"", b""
        while b"\r\n\r\n" not in head:
            data = client.recv(65_536)
            if not data:
                return
            head += data
        if head.startswith(b"GET /large "):
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
            while True:
                client.sendall(bytes(65_536))
        body = head.partition(b"\r\n\r\n")[2]
        while not (head.startswith(b"POST /taken ") and body.endswith(b"0\r\n\r\n")):
            data = client.recv(65_536)
            if not data:
                return
            body = (body + data)[-16:]
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        client.recv(1)


def _accept(listening: socket.socket) -> None:
    with suppress(OSError):
        while True:
            threading.Thread(target=_serve, args=(listening.accept()[0],), daemon=True).start()


@contextmanager
def victims() -> Iterator[int]:
    """An upstream that attacks are good for; gives its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        threading.Thread(target=_accept, args=(listening,), daemon=True).start()
        yield listening.getsockname()[1]
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def cpu(pid: int) -> float:
    """Seconds that the threads of a process have had."""
    return sum(int(one.read_text().split()[0]) for one in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def memory(pid: int, what: str = "VmRSS") -> int:
    """Bytes of a process; ``VmHWM`` is the most that they were."""
    (line,) = (one for one in Path(f"/proc/{pid}/status").read_text().split("\n") if one.startswith(what + ":"))
    return int(line.split()[1]) * 1024


def forget_most(pid: int) -> None:
    """Have the most begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _measured(folder: Path, cert: str, key: str, upstream: int, what: Attack) -> tuple[Told, float, int]:
    ports, file = Ports(), folder / "proxy.toml"
    file.write_text(CONFIG.format(port=ports.port, hasty=ports.hasty, cert=cert, key=key, upstream=upstream))
    words = [sys.executable, "-m", "txproxy", "run", "--config", str(file)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + LIMIT
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", ports.hasty)):
                break
            assert time.monotonic() < end and process.poll() is None, "the proxy does not listen"
            time.sleep(0.05)
        # What is loaded with the first connection is not the attack's.
        attack(ports, cert, Attack(lambda number: request(number, GET), 1, code=0, hasty=True))
        forget_most(process.pid)
        before = cpu(process.pid), memory(process.pid)
        told = attack(ports, cert, what)
        return told, cpu(process.pid) - before[0], memory(process.pid, "VmHWM") - before[1]
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """All of them, one after the other, as a table."""
    print("| attack | sent | ends with | CPU, ms | memory, kB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name, victims() as upstream:
        folder = Path(name)
        cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
        made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        made += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert]
        subprocess.run(made, check=True, capture_output=True)
        for name, what in ATTACKS.items():
            told, seconds, grown = _measured(folder, cert, key, upstream, what)
            ends = ", ".join([f"GOAWAY {told.codes[-1]}"] if told.codes else ["the connection"])
            answers = " ".join(f"{count} x {status.decode()}" for status, count in told.statuses.items())
            refused = " ".join(f"{count} x reset {code}" for code, count in told.resets.items())
            print(
                f"| {name} | {told.sent:,} | {ends} {answers} {refused} | {seconds * 1000:.0f} | {grown // 1024:,} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
