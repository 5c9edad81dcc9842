"""What goes on in another process: not a byte is lost, and all that is said in the end is as if it had never moved."""

import os
import re
import socket
import struct

import attrs
import pytest
from twisted.internet import tcp
from twisted.internet.task import Clock

from tests.proxy.handover.two_processes import GET, KINDS, MUCH, OK, Both, Process
from tests.proxy.shaped_tunnel import Shaper
from tests.upstreams.several_processes.played_locks import Kernel
from txproxy import Limits
from txproxy.errors import RequestDenied
from txproxy.interfaces import Bounds
from txproxy.limits.requests.concurrency import ConcurrencyLimiter
from txproxy.limits.requests.limits_middleware import LimitsMiddleware
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.net import splice
from txproxy.observe.log_formats.line_format import line_format
from txproxy.proxy.downstream.client_states import ClientState
from txproxy.proxy.handover.carried import Carried
from txproxy.proxy.handover.giving import Given
from txproxy.upstreams.several_processes.shared_room import SharedRoom
from txproxy.wire.http2.frames import PREFACE

pytestmark = pytest.mark.skipif(not splice.AVAILABLE, reason="there is no splice(2) here")


def fill(end, data):
    """Send as much of it as the kernel takes; give how much that is."""
    sent = 0
    while sent < len(data):
        try:
            sent += end.send(data[sent:])
        except BlockingIOError:
            return sent
    return sent


@pytest.mark.parametrize("kind", KINDS)
def test_a_tunnel_goes_on_and_is_told_of_once_and_whole(both, kind):
    world = both(kind).open()
    world.old.reactor.advance(5)
    world.hand_over()
    assert world.old.records == [] and world.old.pool.upstreams[0].active == 0
    assert [one.state for one in world.new.guests] == [ClientState.TUNNEL]
    world.chat()
    world.new.reactor.advance(2)
    world.client.close()
    assert world.hear(world.upstream) == b""
    world.upstream.close()
    world.turns()
    assert world.old.records == [] and len(world.new.records) == 1
    (record,) = world.new.records
    assert (record.sent, record.received) == (8, 8)
    assert record.seconds == pytest.approx(7, abs=1)
    if kind == "tcp":
        assert record.outcome == "ok" and str(record.upstream) == "10.0.0.1:80"
    else:
        assert record.outcome == "tunnel" and record.client_ip == "127.0.0.1"
        assert record.attempts[0].peer is not None and record.first_byte is not None
    if kind == "upgrade":
        assert record.status == 101 and record.request.headers.index[b"x-request-id"] == b"r7"
        assert record.response.headers.index[b"upgrade"] == b"chat"
    if kind == "connect":
        assert record.status == 200 and record.request.authority == b"10.0.0.1:443"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["json", "combined", "squid"])
def test_its_line_is_that_of_one_that_has_stayed(both, kind, name):
    format, lines = line_format(name), []
    for moves in (True, False):
        world = both(kind).open()
        if moves:
            world.hand_over()
        world.chat()
        world.client.close()
        world.upstream.close()
        world.turns(6)
        (record,) = world.new.records if moves else world.old.records
        line = (format.stream if kind == "tcp" else format.exchange)(record, 1e9)
        # Ports of clients, and of who plays the upstream.
        lines.append(re.sub(rb"127.0.0.1:[0-9]+", b"127.0.0.1:PORT", line))
    assert lines[0] == lines[1] and lines[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("piece", [1000, MUCH])
def test_what_is_on_its_way_both_ways_arrives_once(both, kind, piece):
    world = both(kind).open()
    up, down = os.urandom(piece), os.urandom(piece)
    # Nobody reads: what fits is in the kernel, in a pipe, and in the memory of the process.
    sent = [0, 0]
    for _ in range(6):
        sent[0] += fill(world.client, up[sent[0] :])
        sent[1] += fill(world.upstream, down[sent[1] :])
        world.turns()
    carried = world.hand_over()
    assert carried.tunnel.received + carried.tunnel.sent > 8
    if piece == MUCH:
        assert carried.tunnel.from_client and carried.tunnel.from_upstream
    for end, data, place, other in ((world.client, up, 0, world.upstream), (world.upstream, down, 1, world.client)):
        heard = b""
        while len(heard) < piece:
            sent[place] += fill(end, data[sent[place] :])
            heard += world.hear(other)
        assert heard == data
    world.chat()
    world.client.close()
    world.upstream.close()
    world.turns(6)
    (record,) = world.new.records
    assert (record.received, record.sent) == (piece + 8, piece + 8)


@pytest.mark.parametrize("ended", [False, True])
def test_one_that_passes_through_the_process_takes_along_what_is_to_be_written(both, ended, monkeypatch):
    # As where the kernel has not taken all of the answer, of which the tunnel is the rest.
    monkeypatch.setattr(splice, "AVAILABLE", False)
    world = both().open()
    monkeypatch.undo()
    data, sent = os.urandom(MUCH), 0
    for _ in range(20):
        sent += fill(world.upstream, data[sent:])
        world.turns()
    if ended:
        world.client.shutdown(socket.SHUT_WR)
        assert world.hear(world.upstream) == b""
    assert any(isinstance(one, tcp.Server) for one in world.old.reactor.writers)
    carried = world.hand_over()
    assert len(carried.tunnel.from_upstream) > 10_000 and not carried.tunnel.client_ended
    heard = b""
    while len(heard) < MUCH:
        sent += fill(world.upstream, data[sent:])
        heard += world.hear(world.client)
    assert heard == data
    if ended:
        assert world.hear(world.upstream) == b""
    else:
        world.chat()


def test_what_was_tried_before_is_told_as_if_it_had_been_tried_there(both):
    world = both("connect").open()

    def changed(carried):
        (current,) = carried.exchange.attempts
        address = attrs.evolve(current.address, host="gone.example", through="http://parent:3128")
        fault = (502, "connection_refused", "nobody there")
        over = attrs.evolve(current, address=address, ended=0.5, fault=fault, peer=("10.0.0.7", 443))
        return attrs.evolve(carried, exchange=attrs.evolve(carried.exchange, attempts=(over, current)))

    world.hand_over(changed)
    world.client.close()
    world.upstream.close()
    world.turns(6)
    first, last = world.new.records[0].attempts
    assert str(first.address) == "gone.example:443 through http://parent:3128"
    assert (first.fault.status, first.fault.error, first.fault.detail) == (502, "connection_refused", "nobody there")
    assert (first.peer.host, first.peer.port, first.ended) == ("10.0.0.7", 443, 0.5)
    assert last.fault is None and last.peer is not None and last.ended >= 0.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", ["client", "upstream"])
def test_one_that_is_half_closed_stays_so_and_ends_by_its_other_half(both, kind, first):
    world = both(kind).open()
    ends = {"client": world.client, "upstream": world.upstream}
    ended = ends.pop(first)
    (other,) = ends.values()
    ended.shutdown(socket.SHUT_WR)
    assert world.hear(other) == b""
    carried = world.hand_over()
    assert carried.tunnel.client_ended is (first == "client")
    other.sendall(b"last words")
    assert world.hear(ended, 10) == b"last words"
    other.close()
    assert world.hear(ended) == b""
    world.turns()
    assert len(world.new.records) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_end_that_nobody_has_read_yet_is_read_there(both, kind):
    world = both(kind).open()
    world.upstream.sendall(b"bye")
    world.upstream.close()
    world.hand_over()
    assert world.hear(world.client, 3) == b"bye"
    assert world.hear(world.client) == b""
    world.client.close()
    world.turns()
    assert world.new.records[0].sent == 7


@pytest.mark.parametrize("kind", KINDS)
def test_a_peer_that_has_reset_it_meanwhile_ends_it_there(both, kind):
    world = both(kind).open()
    (guest,) = world.old.guests
    world.upstream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    world.upstream.close()
    world.hand_over()
    world.turns(6)
    assert guest.state is ClientState.CLOSED and len(world.new.records) == 1
    with pytest.raises(ConnectionResetError):
        world.hear(world.client)


def test_the_time_that_was_left_is_the_time_that_is_left(both):
    limits = Limits(tunnel_timeout=100.0, tunnel_age=1000.0)
    world = both("tcp", old=Process("tcp", limits), new=Process("tcp", Limits(tunnel_timeout=5.0))).open()
    world.old.reactor.advance(60)
    carried = world.hand_over()
    assert carried.tunnel.left == pytest.approx(40, abs=1) and carried.tunnel.oldest == pytest.approx(940, abs=1)
    for _ in range(38):
        world.new.reactor.advance(1)
    assert len(world.new.guests) == 1
    for _ in range(4):
        world.new.reactor.advance(1)
    world.turns()
    assert world.new.records[0].detail == "nothing passed for 100 s"


def test_one_without_limits_has_none_there(both):
    limits = Limits(tunnel_timeout=None)
    world = both("tcp", old=Process("tcp", limits), new=Process("tcp", limits)).open()
    carried = world.hand_over()
    assert carried.tunnel.left is carried.tunnel.oldest is carried.tunnel.silence is None
    world.new.reactor.advance(100_000)
    world.chat()


class Meter:
    """Counts as quotas do."""

    def __init__(self):
        self.running, self.counted = {}, 0

    def began(self, exchange):
        self.running[exchange] = 0

    def ended(self, exchange):
        self.counted += exchange.carried() - self.running.pop(exchange)


@pytest.mark.parametrize("kind", ["connect", "tcp"])
def test_each_process_counts_what_has_passed_through_it(both, kind):
    meters = Meter(), Meter()
    processes = [Process(kind, bounds=lambda *_, meter=meter: Bounds(meter=meter)) for meter in meters]
    world = both(kind, old=processes[0], new=processes[1]).open()
    world.hand_over()
    assert meters[0].counted == 8 and not meters[0].running and len(meters[1].running) == 1
    world.chat()
    world.chat()
    world.client.close()
    world.upstream.close()
    world.turns(6)
    assert meters[1].counted == 16 and not meters[1].running


def test_the_places_that_it_has_in_limits_are_held_there(both):
    limits = [ConcurrencyLimiter(RequestLimit(name="few", concurrent=1, by=("client",))) for _ in range(2)]
    old, new = (Process("upgrade", middleware=[LimitsMiddleware([one], Clock())]) for one in limits)
    new.limits = {"few": limits[1], "other": limits[0]}
    world = both(old=old, new=new).open()
    assert [one.counts.running for one in limits] == [1, 0]
    assert world.hand_over().exchange.context.places == (("few", "127.0.0.1"),)
    assert [one.counts.running for one in limits] == [0, 1]
    world.client.close()
    world.upstream.close()
    world.turns(6)
    assert [one.counts.running for one in limits] == [0, 0]


def test_one_that_may_use_no_more_ends_there_with_the_reason(both):
    def used_up(*_):
        raise RequestDenied("the day's 8 bytes are used up")

    world = both("tcp", new=Process("tcp", bounds=used_up)).open()
    world.hand_over()
    world.turns()
    assert world.new.records[0].detail == "the day's 8 bytes are used up"


class Shaping(Shaper):
    """What the upstream sends may pass."""

    def down(self, more):
        allowed = super().down(more)
        allowed.left = 1 << 30
        return allowed


def test_one_whose_speed_is_bounded_takes_along_what_is_held_back(both):
    shapers = Shaping(), Shaping()
    processes = [Process("tcp", bounds=lambda *_, shaper=shaper: Bounds(shaper=shaper)) for shaper in shapers]
    world = Both("tcp", *processes)
    world.client = world.old.client()
    world.turns()
    world.upstream = world.old.upstreams[0]
    world.client.sendall(b"one two three")
    world.turns()
    shapers[0].of_client.left = 4
    shapers[0].of_client.more()
    assert world.hear(world.upstream, 4) == b"one "
    world.client.shutdown(socket.SHUT_WR)
    carried = world.hand_over()
    assert carried.tunnel.from_client == b"two three" and carried.tunnel.received == 13
    world.turns()
    shapers[1].of_client.left = 100
    shapers[1].of_client.more()
    assert world.hear(world.upstream, 9) == b"two three"
    assert world.hear(world.upstream) == b""
    world.upstream.sendall(b"yes")
    world.upstream.close()
    assert world.hear(world.client, 3) == b"yes"
    world.turns(6)
    assert world.new.records[0].received == 13
    world.close()


def test_a_connection_between_two_requests_goes_on_with_what_has_come_of_the_next(both):
    world = both()
    client = world.old.client()
    for _ in range(2):
        client.sendall(GET)
        world.turns(6)
        upstream = world.old.upstreams[-1]
        assert world.hear(upstream).startswith(b"GET /name")
        upstream.sendall(OK)
        assert world.hear(client).endswith(b"ok")
    client.sendall(GET[:20])
    world.turns()
    carried = world.hand_over()
    assert carried.early == GET[:20] and 0 < carried.left < 40
    client.sendall(GET[20:])
    world.turns(6)
    upstream = world.new.upstreams[-1]
    assert world.hear(upstream).startswith(b"GET /name")
    upstream.sendall(OK)
    assert world.hear(client).endswith(b"ok")
    assert len(world.old.records) == 2 and len(world.new.records) == 1


def test_one_at_rest_may_rest_on_for_the_time_that_is_left(both):
    limits = Limits(idle_timeout=30.0)
    world = both(old=Process("upgrade", limits), new=Process("upgrade", limits))
    client = world.old.client()
    client.sendall(GET)
    world.turns(6)
    world.old.upstreams[0].sendall(OK)
    assert world.hear(client).endswith(b"ok")
    for _ in range(20):
        world.old.reactor.advance(1)
    assert world.hand_over().left == pytest.approx(10, abs=1)
    for _ in range(8):
        world.new.reactor.advance(1)
    assert len(world.new.guests) == 1
    for _ in range(4):
        world.new.reactor.advance(1)
    assert world.hear(client) == b"" and world.new.records == []


@pytest.mark.parametrize("early", [b"", b"P", b"PRI "])
@pytest.mark.parametrize("http2", [False, True])
def test_one_that_has_not_said_what_it_speaks_may_say_so_there(both, early, http2):
    world = both(old=Process("upgrade", h2c=True), new=Process("upgrade", h2c=True))
    client = world.old.client()
    client.sendall(early)
    world.turns()
    carried = world.hand_over()
    assert (carried.spoken, carried.early) == (False, early) and 20 < carried.left < 40
    if http2:
        client.sendall(PREFACE[len(early) :] + bytes(3) + b"\x04" + bytes(5))
        # A frame of settings is the answer to one.
        assert world.hear(client)[3:4] == b"\x04"
    else:
        client.sendall((GET if not early else b"PRI /x HTTP/1.1\r\nHost: a\r\n\r\n")[len(early) :])
        world.turns(6)
        assert world.hear(world.new.upstreams[-1]).startswith(b"GET /name " if not early else b"PRI /x ")
    client.close()
    world.turns()


@pytest.mark.parametrize("kind", ["upgrade", "tcp"])
def test_its_place_at_the_upstream_goes_along_and_is_nobody_elses_in_between(both, kind):
    world, kernel = both(kind), Kernel()
    for number, process in enumerate((world.old, world.new)):
        (upstream,) = process.pool.upstreams
        upstream.max = 1
        room = SharedRoom(process.pool, kernel.process(number))
        room.of_processes(2)
        room.join(lambda: None)
    world.open()
    assert list(kernel.held.values()) == [{0}]
    given = world.give()
    # It has left, and the other one has not heard of it yet.
    assert world.old.pool.upstreams[0].active == 0 and list(kernel.held.values()) == [{0}]
    copies = tuple(map(socket.socket.dup, given.sockets))
    start = world.take(Given(Carried.of(given.carried.plain()), copies))
    assert list(kernel.held.values()) == [{0, 1}]
    given.close()
    assert list(kernel.held.values()) == [{1}]
    start()
    world.chat()
    world.client.close()
    assert world.hear(world.upstream) == b""
    world.upstream.close()
    world.turns()
    assert list(kernel.held.values()) == [set()]
