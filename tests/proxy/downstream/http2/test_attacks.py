"""Each attack of ``benchmarks.http2_attacks``, which are made over TLS as well, in memory: how it ends, and what it
costs at the most of the processor and of memory.
"""

import sys
import tracemalloc

import pytest

from benchmarks.http2_attacks import ATTACKS, understood
from tests.proxy.downstream.http2.conftest import World
from tests.proxy.downstream.http2.http2_peer import GET
from txproxy import Limits
from txproxy.interfaces import Answer
from txproxy.wire.http2 import frames

LIMITS = Limits(idle_timeout=2, response_timeout=2)
LARGE = 1 << 30
READ = 16_384
# Of each: how many calls of functions, of Python and of C, the whole of it leads to in the proxy, and how many bytes of
# memory it takes; both are half as much again as was found. One ordinary request and its response are about 250 calls.
COSTS = {
    "rapid resets (CVE-2023-44487)": (17_000, 150_000),
    "rapid resets, to an upstream": (17_000, 150_000),
    "resets that are provoked (CVE-2025-8671)": (21_000, 150_000),
    "CONTINUATION without end (CVE-2024-27316)": (4_000, 60_000),
    "SETTINGS": (92_000, 250_000),
    "PING": (90_000, 260_000),
    "PING, whose answers are not read": (41_000, 260_000),
    "PRIORITY, streams that depend on each other": (35_000, 240_000),
    "PRIORITY, streams that depend on themselves": (2_000, 40_000),
    "PRIORITY_UPDATE of idle streams": (50_000, 240_000),
    "empty DATA": (36_000, 250_000),
    "WINDOW_UPDATE": (41_000, 240_000),
    "unknown frames": (23_000, 240_000),
    "streams beyond those that there may be": (87_000, 560_000),
    "heads that expand": (14_000, 2_600_000),
    "DATA of one byte": (148_000, 160_000),
    "responses that are not read": (100_000, 20_000_000),
    "windows that stay shut": (100_000, 20_000_000),
    "streams half-closed by who asks": (98_000, 520_000),
    "bodies that do not come": (110_000, 800_000),
}
# What is answered, and what is reset by which code, where that is told.
ANSWERS = {
    "heads that expand": {b"200": 1, b"431": 20},
    "DATA of one byte": {b"200": 1},
    "streams half-closed by who asks": {b"504": 100},
    "bodies that do not come": {b"408": 100},
}
RESETS = {
    "streams beyond those that there may be": {7: 100},
    "windows that stay shut": {8: 100},
    "bodies that do not come": {0: 100},
}


class Answering:
    """Has an answer of its own for one path."""

    def handle(self, request, context, proceed):
        return Answer(200, body=b"hello") if request.path == b"/answer" else proceed(request, context)


class Victim:
    """An upstream that attacks are good for: see ``victims`` there."""

    def __init__(self, connection):
        self.connection = connection
        self.head = None
        self.last = b""

    def go_on(self):
        one = self.connection
        if one.closed or one.disconnecting:
            return
        data = self.last + one.take()
        if self.head is None and b"\r\n\r\n" in data:
            self.head = data.partition(b"\r\n\r\n")[0]
            if self.head.startswith(b"GET /large "):
                one.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        self.last = data[-16:]
        if self.head is None:
            self.last = data
        elif self.head.startswith(b"GET /large "):
            while not (one.paused or one.closed or one.disconnecting):
                one.send(bytes(65_536))
        elif self.head.startswith(b"POST /taken ") and self.last.endswith(b"0\r\n\r\n"):
            one.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            self.head, self.last = None, b""


class Calls:
    """Counts calls of functions, of Python and of C, while it is entered."""

    def __init__(self):
        self.count = 0

    def _called(self, frame, event, argument):
        if event in ("call", "c_call"):
            self.count += 1

    def __enter__(self):
        sys.setprofile(self._called)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)


def sent_by(what):
    """All that who does it sends."""
    settings = frames.settings([(frames.INITIAL_WINDOW_SIZE, what.windows)])
    return b"".join([frames.PREFACE + settings + what.first, *(what.make(3 + 2 * at) for at in range(what.count))])


def attack(world, what, data):
    """Do it, until the connection is closed; gives what the client was told."""
    client = world.proxy.connect()
    if not what.reads:
        client.stop_reading()
    victims, told, at = world.victims, [], 0
    for _ in range(10_000):
        while at < len(data) and not client.paused and not client.closed:
            client.send(data[at : at + READ])
            at += READ
            told.append(client.take())
        victims.extend(Victim(one) for one in world.upstreams[len(victims) :])
        for one in victims:
            one.go_on()
        world.proxy.advance(0.01 if at < len(data) and not client.paused else 0.5)
        told.append(client.take())
        if client.closed:
            return b"".join(told)
    raise AssertionError("it goes on for ever")


@pytest.fixture
def made():
    one = World(limits=LIMITS, middleware=(Answering(),))
    one.victims = []
    # What is loaded, or filled, with the first connections is not the attack's.
    for name in ("rapid resets, to an upstream", "DATA of one byte", "heads that expand"):
        attack(one, ATTACKS[name], sent_by(ATTACKS[name]))
    one.records.clear()
    yield one
    one.proxy.close()


def of_each(costs):
    """What ``costs`` say of each attack that there is, so that none is left out."""
    assert costs.keys() == ATTACKS.keys()
    return [(name, *cost) for name, cost in costs.items()]


@pytest.mark.parametrize(("name", "most_calls", "most_memory"), of_each(COSTS))
def test_an_attack_ends_its_connection_alone_and_costs_little(made, name, most_calls, most_memory):
    what = ATTACKS[name]
    data = sent_by(what)
    with Calls() as calls:
        told = understood(attack(made, what, data))
    assert told.codes[-1:] == ((what.code,) if what.reads else ())
    assert told.statuses == ANSWERS.get(name, told.statuses) and told.resets == RESETS.get(name, told.resets)
    tracemalloc.start()
    try:
        attack(made, what, data)
        _, memory = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert calls.count <= most_calls and memory <= most_memory, (calls.count, memory)
    # Nothing of it is left, and others are served.
    services = made.proxy.factory.services
    assert not services.streams and len(services.connections) == sum(not one.closed for one in made.upstreams)
    client = made.client()
    stream = client.ask(*GET[:3], (b":path", b"/answer"))
    assert client.responses[stream].body == b"hello"
