"""``python -m benchmarks.http2_codec``: what a request and its response cost in the codec of HTTP/2, beside python-h2.

Both are fed the same bytes of one client, as a server's connection: requests whose heads are always the same, those of
a browser, and such whose path is another each time, as they come on a connection that is at work; each is answered
whole.

They take turns, each a few milliseconds long, so that what slows the machine down slows both: what is told of their
times is the least turn of each, and ``times`` is the median of the ratios of neighbours, each turn of python-h2 by the
mean of ours before and after it. A turn is a connection of its own, of which the first requests are not timed.
Where others work beside them, python-h2 suffers more, as it needs more of what the processor's caches hold: only the
ratio of a quiet machine is one to be told. Instructions are what to compare elsewhere, or where one is to be measured
alone: see ``--only`` and ``--count``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from time import thread_time
from typing import Any

import h2.config
import h2.connection
import h2.events
from hpack import Encoder

from benchmarks.scenarios import BROWSER_FIELDS
from txproxy.wire.headers import Headers
from txproxy.wire.http2 import frames
from txproxy.wire.http2.field_blocks.request_heads import KnownRequest
from txproxy.wire.http2.server import ServerSession
from txproxy.wire.http2.stream import Stream
from txproxy.wire.message import RequestHead, SharedHead

TURNS = 60
# Requests of a turn, those before which are not timed, and as many as take about as long by python-h2.
COUNT = 2000
WARMING = 200
OTHER_COUNT = 60
OTHER_WARMING = 10
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
            path = f"/varied/{number:04}?of=many".encode()
            block = encoder.encode(SMALL[:3]) + bytes((0x04, len(path))) + path
        # A client opens the window of what it has read.
        more = frames.window_update(0, 1000 * len(BODY)) if number % 1000 == 999 else b""
        made.append(more + frames.headers(2 * number + 1, block, True, 16384))
    return made


class Ours:
    """A server's connection of ours."""

    def __init__(self) -> None:
        self._session = ServerSession()
        headers = Headers([(name.encode(), value.encode()) for name, value in FIELDS])
        self._response = SharedHead(200, headers, b"", len(BODY))

    def _answer(self, stream: Stream) -> int:
        if not self._session.send_last(stream, self._response, BODY):
            self._session.send_whole(stream, self._response, BODY)
            self._session.leave(stream)
        return 1

    def serve(self, reads: list[bytes]) -> int:
        """Serve them; gives how many there were."""
        session = self._session
        count = 0
        for data in reads:
            streams: Any
            for streams, what in session.receive(data):
                if type(what) is KnownRequest:
                    for stream in streams:
                        count += self._answer(stream)
                elif isinstance(what, RequestHead):
                    count += self._answer(streams)
            session.take_output()
        return count


class PythonH2:
    """The same of python-h2."""

    def __init__(self) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()

    def serve(self, reads: list[bytes]) -> int:
        """The same."""
        connection = self._connection
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


def _microseconds(kind: Callable[[], Ours | PythonH2], reads: list[bytes], warming: int) -> float:
    """What a request costs in one turn."""
    server = kind()
    server.serve(reads[:warming])
    timed = reads[warming:]
    began = thread_time()
    served = server.serve(timed)
    taken = thread_time() - began
    assert served == len(timed)
    return taken / served * 1e6


def _compare(kind: str, count: int) -> str:
    """A row of the table."""
    reads = requests(kind, WARMING + count)
    others = reads[: OTHER_WARMING + OTHER_COUNT]
    own, other = [_microseconds(Ours, reads, WARMING)], []
    for _ in range(TURNS):
        other.append(_microseconds(PythonH2, others, OTHER_WARMING))
        own.append(_microseconds(Ours, reads, WARMING))
    ratios = [2 * theirs / sum(beside) for theirs, beside in zip(other, pairwise(own), strict=True)]
    return f"{kind:24}{min(own):10.2f}{min(other):11.1f}{median(ratios):8.1f}"


def main() -> int:
    """Print the table, or serve once what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http2_codec", description=__doc__)
    served = {"ours": Ours, "python-h2": PythonH2, "none": None}
    parser.add_argument(
        "--only", choices=served, help="serve once by this alone, or only make requests, and print nothing"
    )
    parser.add_argument("--kind", choices=KINDS, default="small", help="of requests, with --only (small)")
    parser.add_argument("--count", type=int, default=COUNT, help=f"so many requests ({COUNT})")
    options = parser.parse_args()
    if options.only:
        reads, codec = requests(options.kind, options.count), served[options.only]
        if codec is not None:
            codec().serve(reads)
        return 0
    print(f"{'microseconds a request':24}{'txproxy':>10}{'python-h2':>11}{'times':>8}")
    for kind in KINDS:
        print(_compare(kind, options.count), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
