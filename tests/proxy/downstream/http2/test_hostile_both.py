"""Clients of HTTP/2 and upstreams of either version that do what they like at the same time: each response goes to who
has asked for it, once, all comes to an end, and nothing is left.
"""

from hpack import Decoder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.proxy.upstream.http2_peer import Http2Peer, data_frame
from tests.wire.http2.taken_apart import frame, taken_apart
from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.wire.http2 import frames

LIMITS = Limits(max_body_size=100_000, response_timeout=10, idle_timeout=20, header_timeout=10)
NUMBERS = st.integers(0, 3)
SIZES = st.sampled_from([0, 1, 5, 100, 16384])
STREAMS = st.sampled_from([0, 1, 1, 3, 3, 5, 2, 99])
PAYLOADS = st.one_of(
    st.binary(max_size=10),
    st.sampled_from([bytes(4), b"\0\0\0\1", b"\x7f\xff\xff\xff", bytes(8), b"\0\0\0\1u=1,i", b"\x82\x84\x86", b"\x88"]),
)
FRAME = st.builds(frame, st.integers(0, 17), st.sampled_from([0, 1, 4, 5, 8, 0x20, 0xFF]), STREAMS, PAYLOADS)
SETTING = st.builds(
    lambda name, value: frames.settings([(name, value)]),
    st.integers(0, 9),
    st.sampled_from([0, 1, 2, 100, 16384, 65535, 1 << 20, (1 << 31) - 1]),
)
ASK = st.tuples(st.just("ask"), st.sampled_from(["GET", "GET", "HEAD", "POST", "grpc"]), st.booleans())
BODY = st.tuples(st.just("body"), NUMBERS, SIZES, st.booleans())
ANSWER = st.tuples(st.just("answer"), NUMBERS, st.sampled_from(["whole", "whole", "head", "more", "end"]), SIZES)
# More of what leads on than of what leads to an end.
STEP = st.one_of(
    ASK, ASK, ASK, ASK, BODY, BODY, ANSWER, ANSWER, ANSWER, ANSWER, ANSWER,
    st.tuples(st.just("window"), NUMBERS, st.sampled_from([1, 5, 20_000, 1 << 20])),
    st.tuples(st.just("cancel"), NUMBERS),
    st.tuples(st.just("raw"), st.one_of(FRAME, SETTING)),
    st.tuples(st.sampled_from(["slow", "fast", "leave", "close"])),
    st.tuples(
        st.just("answer"), NUMBERS,
        st.sampled_from(["early", "trailers", "refuse", "reset", "malformed", "short", "wrong"]), SIZES,
    ),
    st.tuples(st.just("said"), st.one_of(FRAME, SETTING)),
    st.tuples(st.just("goaway"), st.sampled_from([0, 1, 3, (1 << 31) - 1])),
    st.tuples(st.sampled_from(["end", "drop", "time"])),
)  # fmt: skip
STEPS = st.lists(STEP, min_size=6, max_size=40)


def _literal(text, before=b"\0"):
    return before + bytes([len(text)]) + text


class Client:
    """One that keeps count of what it has got on each of its streams."""

    def __init__(self, proxy, split):
        self.connection = proxy.connect()
        self.split = split
        self.decoder = Decoder()
        self.asked = []
        self.heads, self.bodies, self.over = {}, {}, set()
        self.send(frames.PREFACE + frames.settings([]) + frames.SETTINGS_ACK)

    def send(self, data):
        """All at once, or byte by byte where that does not take long."""
        (self.connection.send_each_byte if self.split and len(data) < 500 else self.connection.send)(data)

    def ask(self, method, ended, token):
        stream = 2 * len(self.asked) + 1
        self.asked.append(token)
        fields = [(":method", "POST" if method == "grpc" else method), (":scheme", "http"), (":authority", "a")]
        fields.append((":path", f"/{token}"))
        if method == "grpc":
            fields += [("content-type", "application/grpc"), ("grpc-timeout", "3S")]
        # Without the table, into which it may have written what it does not know.
        block = b"".join(_literal(name.encode()) + _literal(value.encode(), b"") for name, value in fields)
        self.send(frames.headers(stream, block, ended, 16384))

    def look(self):
        """Each frame is one that may come where it does."""
        for name, flags, stream, payload in taken_apart(self.connection.take()):
            if name in ("HEADERS", "CONTINUATION", "DATA"):
                assert stream not in self.over, "something came after the end"
            if name == "HEADERS":
                head = dict(self.decoder.decode(payload))
                status = head.get(":status")
                if status is None:
                    assert stream in self.heads and flags & frames.END_STREAM, "trailers are the end"
                elif status >= "200":
                    assert stream not in self.heads, "a second response"
                    self.heads[stream] = int(status)
            elif name == "DATA":
                assert stream in self.heads, "a body before its head"
                self.bodies[stream] = self.bodies.get(stream, b"") + payload
            elif name == "RST_STREAM":
                self.over.add(stream)
            if name in ("HEADERS", "DATA") and flags & frames.END_STREAM:
                self.over.add(stream)

    def check(self):
        """What has come of upstreams is each stream's own."""
        self.look()
        for stream, body in self.bodies.items():
            if body.startswith(b"<") and stream // 2 < len(self.asked):
                own = b"<%s>" % self.asked[stream // 2].encode()
                assert body == (own * (len(body) // len(own) + 1))[: len(body)], "another's response"


class Upstreams:
    """Those of the proxy, in HTTP/2 or in HTTP/1; each answers with what it was asked for."""

    def __init__(self, proxy, http2):
        self.proxy = proxy
        self.http2 = http2
        self.peers = {}
        self.begun = {}
        # those of which a body is not complete: whatever they say is part of that
        self.silent = set()

    def _requests(self):
        """Where requests are: the connection, the stream, and the token of each."""
        found = []
        for one in self.proxy.network.connections:
            if one.closed or one.disconnecting or one in self.silent:
                continue
            if self.http2:
                peer = self.peers.get(one)
                if peer is None:
                    peer = self.peers[one] = Http2Peer(one)
                peer.look()
                found += [(one, stream, heads[0][":path"][1:]) for stream, heads in peer.heads.items()]
            else:
                seen = self.peers[one] = self.peers.get(one, b"") + one.take()
                lines = [line for line in seen.split(b"\r\n") if line.endswith(b" HTTP/1.1")]
                found += [(one, len(lines), lines[-1].split(b" ")[1][1:].decode())] if lines else []
        return found

    def answer(self, number, kind, size):
        found = self._requests()
        if not found:
            return
        one, stream, token = found[number % len(found)]
        own = b"<%s>" % token.encode()
        part = (own * (size // len(own) + 1))[:size]
        if self.http2:
            self._in_http2(self.peers[one], stream, kind, part, own)
        else:
            self._in_http1(one, kind, part)

    def _in_http2(self, peer, stream, kind, part, own):
        send, key = peer.connection.send, (peer, stream)
        if kind == "more":
            # It goes on where it was.
            sent = self.begun.get(key, 0)
            part = (own * ((sent + len(part)) // len(own) + 1))[sent : sent + len(part)]
        if kind in ("whole", "short", "wrong", "more"):
            self.begun[key] = self.begun.get(key, 0) + len(part)
        if kind in ("whole", "head", "short", "wrong"):
            fields = [("content-length", str(len(part) + (kind == "short")))] if kind in ("whole", "short") else []
            data = peer.head_frame(stream, 200, *fields, ended=not part and kind == "whole")
            send(data + (data_frame(stream, part, ended=True) if part and kind != "head" else b""))
        elif kind in ("more", "end"):
            send(data_frame(stream, part if kind == "more" else b"", ended=kind == "end"))
        elif kind == "trailers":
            send(peer.trailers_frame(stream, ("x-t", "v")))
        elif kind == "early":
            send(peer.head_frame(stream, 103))
        elif kind in ("refuse", "reset"):
            send(frames.rst_stream(stream, 7 if kind == "refuse" else 2))
        else:
            send(frames.headers(stream, b"\x88\x00\1A\1b", True, 16384))

    def _in_http1(self, one, kind, part):
        if kind == "short":
            self.silent.add(one)
        if kind in ("whole", "short", "wrong"):
            one.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(part) + (kind == "short")) + part)
        elif kind == "head":
            one.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        elif kind in ("end", "trailers"):
            one.send(b"0\r\n\r\n" if kind == "end" else b"0\r\nX-T: v\r\n\r\n")
        elif kind == "early":
            one.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        elif kind in ("refuse", "reset"):
            one.drop()
        else:
            one.send(b"HTTP/1.1 200 OK\r\n bad\r\n\r\n")

    def say(self, data):
        for one in self.proxy.network.connections[-1:]:
            if one not in self.silent:
                one.send(data)

    def end(self, how):
        for one in self.proxy.network.connections[-1:]:
            getattr(one, how)()


def play(proxy, clients, upstreams, step):
    what, *more = step
    client = clients[-1]
    connection = client.connection
    if what == "ask":
        if len(client.asked) < 20:
            client.ask(*more, f"t{len(clients)}-{len(client.asked)}-")
    elif what == "body":
        client.send(data_frame(2 * more[0] + 1, b"b" * more[1], more[2]))
    elif what == "window":
        client.send(frames.window_update(2 * more[0] + 1, more[1]) + frames.window_update(0, more[1]))
    elif what == "cancel":
        if more[0] < len(client.asked):
            if not connection.waiting:
                # Else something may be on its way.
                client.look()
                client.over.add(2 * more[0] + 1)
            client.send(frames.rst_stream(2 * more[0] + 1, 8))
    elif what == "raw":
        client.send(more[0])
    elif what in ("slow", "fast"):
        if not connection.closed:
            connection.stop_reading() if what == "slow" else connection.read_on()
    elif what in ("leave", "close"):
        connection.drop() if what == "leave" else connection.end()
    elif what == "answer":
        upstreams.answer(*more)
    elif what == "said":
        upstreams.say(more[0])
    elif what == "goaway":
        upstreams.say(frames.goaway(more[0], 0))
    elif what == "time":
        proxy.advance(1)
    else:
        upstreams.end(what)
    proxy.clock.advance(0)


def run(steps, http2, split=False):
    pool = Pool(["h2c://10.0.0.1:80" if http2 else "http://10.0.0.1:80"])
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, limits=LIMITS, h2c=True, reactor=reactor, via=None))
    clients, upstreams = [Client(proxy, split)], Upstreams(proxy, http2)
    for step in (("ask", "GET", True), ("ask", "GET", True), ("ask", "POST", False), *steps):
        play(proxy, clients, upstreams, step)
        connection = clients[-1].connection
        clients[-1].look() if not connection.waiting else None
        if connection.closed or connection.ended or connection.disconnecting:
            clients.append(Client(proxy, split))
    for client in clients:
        if not client.connection.closed:
            client.connection.read_on()
    # Within the time that all have, all has ended, be it by nobody's word.
    for _ in range(80):
        proxy.advance(1)
    for client in clients:
        client.check()
        assert client.connection.closed or client.connection.ended or client.connection.disconnecting
    services = proxy.factory.services
    assert (services.streams, [upstream.active for upstream in pool.upstreams]) == (0, [0])
    assert not services.shared_dials.waiting and not len(proxy.factory.admission)
    proxy.close()


@given(STEPS, st.booleans(), st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_both_do_each_gets_its_own(steps, http2, split):
    run(steps, http2, split)
