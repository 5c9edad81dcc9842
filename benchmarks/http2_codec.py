"""``python -m benchmarks.http2_codec``: what a request and its response cost in the codec of HTTP/2, beside python-h2.

Both are fed the same bytes of one client, as a server's connection: requests whose heads are always the same, those of
a browser, and such whose path is another each time, as they come on a connection that is at work; each is answered
whole. Instructions are what to compare where a machine has other work: see ``--only`` and ``--count``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from time import thread_time

import h2.config
import h2.connection
import h2.events
from hpack import Encoder

from benchmarks.scenarios import BROWSER_FIELDS
from txproxy.wire.headers import Headers
from txproxy.wire.http2 import frames
from txproxy.wire.http2.server import ServerSession
from txproxy.wire.message import RequestHead, ResponseHead

ROUNDS = 7
COUNT = 2000
BODY = b"hello, world\n"
SMALL = [(":method", "GET"), (":scheme", "https"), (":authority", "www.example.com"), (":path", "/small")]
BROWSER = [*SMALL, *[(name.lower(), value) for name, value in BROWSER_FIELDS.items()]]
FIELDS = [("date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("content-type", "text/plain"), ("content-length", "13")]
KINDS = ("small", "browser", "varied")


def requests(kind: str, count: int) -> list[bytes]:
    """The bytes of so many requests, one in each read, after those of the beginning of a connection."""
    encoder = Encoder()
    made = [frames.PREFACE + frames.settings([]) + frames.SETTINGS_ACK]
    for number in range(count):
        if kind != "varied":
            block = encoder.encode(BROWSER if kind == "browser" else SMALL)
        else:
            # As browsers and nghttp2 write it, which put no path into the table.
            path = f"/varied/{number}?of=many".encode()
            block = encoder.encode(SMALL[:3]) + bytes((0x04, len(path))) + path
        # A client opens the window of what it has read.
        more = frames.window_update(0, 1000 * len(BODY)) if number % 1000 == 999 else b""
        made.append(more + frames.headers(2 * number + 1, block, True, 16384))
    return made


def ours(reads: list[bytes]) -> int:
    """Serve them; gives how many there were."""
    session = ServerSession()
    response = ResponseHead(200, Headers([(name.encode(), value.encode()) for name, value in FIELDS]), body=len(BODY))
    count = 0
    for data in reads:
        for stream, what in session.receive(data):
            if stream is not None and type(what) is RequestHead:
                session.send_whole(stream, response, BODY)
                session.leave(stream)
                count += 1
        session.take_output()
    return count


def python_h2(reads: list[bytes]) -> int:
    """The same."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    connection.initiate_connection()
    head = [(":status", "200"), *FIELDS]
    count = 0
    for data in reads:
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                connection.send_headers(event.stream_id, head)
                connection.send_data(event.stream_id, BODY, end_stream=True)
                count += 1
        connection.data_to_send()
    return count


def _microseconds(serve: Callable[[list[bytes]], int], reads: list[bytes], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        began = thread_time()
        served = serve(reads)
        best = min(best, thread_time() - began)
        assert served == len(reads) - 1
    return best / (len(reads) - 1) * 1e6


def main() -> int:
    """Print the table, or serve once what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http2_codec", description=__doc__)
    served = {"ours": ours, "python-h2": python_h2, "none": len}
    parser.add_argument(
        "--only", choices=served, help="serve once by this alone, or only make requests, and print nothing"
    )
    parser.add_argument("--kind", choices=KINDS, default="small", help="of requests, with --only (small)")
    parser.add_argument("--count", type=int, default=COUNT, help=f"so many requests ({COUNT})")
    options = parser.parse_args()
    if options.only:
        served[options.only](requests(options.kind, options.count))
        return 0
    print(f"{'microseconds a request':24}{'txproxy':>10}{'python-h2':>11}{'times':>8}")
    for kind in KINDS:
        reads = requests(kind, options.count)
        own, other = _microseconds(ours, reads, ROUNDS), _microseconds(python_h2, reads, 2)
        print(f"{kind:24}{own:10.2f}{other:11.1f}{other / own:8.0f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
