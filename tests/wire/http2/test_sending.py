"""What goes out, as far as windows let it, the more urgent first."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from tests.wire.http2.taken_apart import taken_apart
from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import ConnectionFault
from txproxy.wire.http2.flood_allowance import FloodAllowance
from txproxy.wire.http2.sending import PART, Sending
from txproxy.wire.http2.stream import Stream, StreamState

END = frames.END_STREAM


@pytest.fixture
def sending() -> Sending:
    return Sending(FloodAllowance())


def bodies(sending: Sending) -> list[tuple[int, int, bool]]:
    """Of each DATA frame the stream, the size, and whether it is the last."""
    return [
        (stream, len(payload), bool(flags & END))
        for name, flags, stream, payload in taken_apart(sending.take())
        if name == "DATA"
    ]


def stream_of(number: int = 1, window: int = 65535, urgency: int = 3, incremental: bool = False) -> Stream:
    stream = Stream()
    stream.id, stream.state, stream.send_window = number, StreamState.OPEN, window
    stream.urgency, stream.incremental = urgency, incremental
    return stream


def test_a_whole_message_is_two_frames(sending: Sending) -> None:
    stream = stream_of()
    sending.whole(stream, b"head", b"body")
    assert taken_apart(sending.take()) == [("HEADERS", 4, 1, b"head"), ("DATA", END, 1, b"body")]
    assert stream.state is StreamState.WE_ENDED and stream.send_window == 65531 and sending.window == 65531


def test_one_without_a_body_is_one(sending: Sending) -> None:
    stream = stream_of()
    stream.peer_ends()
    sending.whole(stream, b"head", b"")
    assert taken_apart(sending.take()) == [("HEADERS", 5, 1, b"head")]
    assert stream.state is StreamState.CLOSED


@pytest.mark.parametrize("case", ["window of the stream", "window of all", "frame", "held", "head"])
def test_the_short_cut_for_whole_messages_has_a_twin(sending: Sending, case: str) -> None:
    stream = stream_of(window=5 if case == "window of the stream" else 65535)
    if case == "window of all":
        sending.window = 5
    if case == "held":
        sending.held = True
    body = b"x" * (20_000 if case == "frame" else 10)
    block = b"h" * (20_000 if case == "head" else 10)
    sending.whole(stream, block, body)
    sending.held = False
    sending.window_grows(stream, 100)
    sending.window_grows(None, 100)
    sending.go_on(1 << 20)
    found = taken_apart(sending.take())
    assert b"".join(payload for name, _, _, payload in found if name == "DATA") == body
    assert b"".join(payload for name, _, _, payload in found if name in ("HEADERS", "CONTINUATION")) == block
    assert found[-1][1] & END and sum(name == "DATA" and flags & END for name, flags, _, _ in found) == 1
    assert stream.state is StreamState.WE_ENDED


def test_a_body_goes_as_far_as_its_window(sending: Sending) -> None:
    stream = stream_of(window=10)
    sending.body(stream, b"x" * 25)
    assert bodies(sending) == [(1, 10, False)] and stream.waiting == 15
    sending.go_on(1 << 20)
    assert sending.take() == b"" and not sending.drained
    sending.window_grows(stream, 5)
    sending.go_on(1 << 20)
    sending.body(stream, b"y", b"")
    assert bodies(sending) == [(1, 5, False)] and stream.waiting == 11
    sending.window_grows(stream, 100)
    sending.go_on(1 << 20)
    assert bodies(sending) == [(1, 10, False), (1, 1, True)]
    assert stream.state is StreamState.WE_ENDED and stream.waiting == 0 and sending.drained == [stream]


def test_who_brings_a_body_is_told_when_there_may_be_more(sending: Sending) -> None:
    stream = stream_of(window=10)
    sending.body(stream, b"x" * 25)
    sending.window_grows(stream, 100)
    sending.go_on(1 << 20)
    assert sending.drained == [stream]


def test_trailers_come_after_what_waits(sending: Sending) -> None:
    stream = stream_of(window=1)
    sending.body(stream, b"ab")
    sending.body(stream, b"", b"trailers")
    sending.window_grows(stream, 1)
    sending.go_on(1 << 20)
    assert taken_apart(sending.take()) == [("DATA", 0, 1, b"a"), ("DATA", 0, 1, b"b"), ("HEADERS", 5, 1, b"trailers")]


@pytest.mark.parametrize("window", [0, -5, 10])
def test_an_end_needs_no_window(sending: Sending, window: int) -> None:
    stream = stream_of(window=window)
    sending.body(stream, b"", b"")
    assert bodies(sending) == [(1, 0, True)]


def test_what_is_held_goes_when_it_may_and_not_all_at_once(sending: Sending) -> None:
    stream = stream_of(window=1 << 20)
    sending.window = 1 << 20
    sending.held = True
    for _ in range(10):
        sending.body(stream, b"x" * 16384)
    sending.go_on(1 << 20)
    assert sending.take() == b""
    sending.held = False
    sending.go_on(50_000)
    assert [size for _, size, _ in bodies(sending)] == [16384] * 4
    sending.go_on(1 << 20)
    assert [size for _, size, _ in bodies(sending)] == [16384] * 6 and sending.drained == [stream]


def test_the_more_urgent_goes_first_and_parts_take_turns(sending: Sending) -> None:
    sending.held = True
    sending.window = 1 << 20
    order = [(1, 3, False), (3, 0, False), (5, 3, True), (7, 3, True), (9, 7, False), (11, 0, False)]
    for number, urgency, incremental in order:
        sending.body(stream_of(number, 1 << 20, urgency, incremental), b"x" * 40_000, b"")
    sending.held = False
    sending.go_on(1 << 20)
    found = [stream for stream, _, _ in bodies(sending)]
    assert found == [3] * 3 + [11] * 3 + [1] * 3 + [5, 7] * 3 + [9] * 3


@pytest.mark.parametrize("window", [1 << 30, 40_000], ids=["transport", "window"])
def test_those_that_take_turns_do_so_however_little_goes_at_once(sending: Sending, window: int) -> None:
    streams = [stream_of(number, 1 << 30, incremental=True) for number in range(1, 81, 2)]
    sending.window = 0
    sending.held = True
    for stream in streams:
        sending.body(stream, b"x" * (1 << 20))
    sending.held = False
    sizes = dict.fromkeys(range(1, 81, 2), 0)
    for _ in range(100):
        sending.window = window
        sending.go_on(100_000)
        for number, size, _ in bodies(sending):
            sizes[number] += size
    assert 0 < max(sizes.values()) < 2 * min(sizes.values())


def test_who_is_blocked_holds_up_nobody(sending: Sending) -> None:
    sending.held = True
    blocked, other = stream_of(1, 0, urgency=0), stream_of(3, 100, urgency=5)
    sending.body(blocked, b"x")
    sending.body(other, b"y", b"")
    sending.held = False
    sending.go_on(1 << 20)
    assert bodies(sending) == [(3, 1, True)]
    sending.forget(blocked)
    sending.window_grows(blocked, 10)
    sending.go_on(1 << 20)
    assert sending.take() == b""


# RFC 9113 6.9.1, 6.9.2
def test_windows_that_change(sending: Sending) -> None:
    stream = stream_of(window=65535)
    sending.body(stream, b"x" * 60_000)
    sending.take()
    sending.windows_change([stream], 100)
    assert stream.send_window == 100 - 60_000
    sending.body(stream, b"y")
    assert sending.take() == b""
    sending.windows_change([stream], 65535)
    sending.go_on(100)
    assert bodies(sending) == [(1, 1, False)]
    for wrong in (lambda: sending.windows_change([], 1 << 31), lambda: sending.window_grows(None, (1 << 31) - 1)):
        with pytest.raises(ConnectionFault):
            wrong()
    stream.send_window = (1 << 31) - 1
    with pytest.raises(ConnectionFault):
        sending.windows_change([stream], sending.initial_window + 1)


@pytest.mark.parametrize("seed", range(40))
def test_each_body_comes_whole_and_within_its_windows(seed: int) -> None:
    pick = random.Random(seed)
    sending = Sending(FloodAllowance())
    sending.window = 0
    streams = [stream_of(2 * n + 1, 0, pick.randrange(3), pick.random() < 0.5) for n in range(4)]
    left = {stream.id: pick.randbytes(pick.randrange(60_000)) for stream in streams}
    wanted, got = dict(left), {stream.id: b"" for stream in streams}
    granted = dict.fromkeys([0, *got], 0)
    ended = set()

    def look() -> None:
        for name, flags, number, payload in taken_apart(sending.take()):
            assert name == "DATA" and number not in ended
            got[number] += payload
            granted[number] -= len(payload)
            granted[0] -= len(payload)
            assert granted[number] >= 0 and granted[0] >= 0
            if flags & END:
                ended.add(number)

    for _ in range(200):
        stream = pick.choice(streams)
        what = pick.randrange(5)
        if what < 2 and stream.ending is None:
            size = pick.randrange(30_000)
            data, left[stream.id] = left[stream.id][:size], left[stream.id][size:]
            sending.body(stream, data, None if left[stream.id] else b"")
        elif what == 2:
            sending.held = not sending.held
        else:
            grown = pick.choice([None, stream])
            size = pick.randrange(1, 20_000)
            granted[grown.id if grown else 0] += size
            sending.window_grows(grown, size)
        sending.go_on(pick.choice([1, 20_000, 1 << 20]))
        look()
    sending.held = False
    for stream in streams:
        if stream.ending is None:
            sending.body(stream, left[stream.id], b"")
        granted[stream.id] += 1 << 20
        sending.window_grows(stream, 1 << 20)
    granted[0] += 1 << 20
    sending.window_grows(None, 1 << 20)
    sending.go_on(1 << 30)
    look()
    assert got == wanted and ended == set(got)


def test_a_large_piece_waits_as_it_is(sending: Sending) -> None:
    stream = stream_of(window=0)
    data = b"x" * 40_000
    sending.body(stream, data, b"")
    assert stream.pending is not None and [one is data for one in stream.pending] == [True] and sending.waits
    sending.window_grows(stream, 40_000)
    sending.go_on(1 << 20)
    assert bodies(sending) == [(1, 16384, False), (1, 16384, False), (1, 7232, True)]
    assert sending.drained == [stream] and not sending.waits


@pytest.mark.parametrize("size", [1, 2, 7, 1023, 1024])
def test_small_pieces_that_wait_take_little_more_than_their_size(sending: Sending, size: int) -> None:
    stream = stream_of(window=0)
    sending.window = 1 << 20
    data = bytes(range(256)) * 256
    tracemalloc.start()
    try:
        for at in range(0, len(data), size):
            sending.body(stream, data[at : at + size])
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 1.5 * len(data) and stream.waiting == len(data)
    # Some of it goes while more comes.
    got = b""
    for opened in (1, 500, 3000, 20_000):
        sending.window_grows(stream, opened)
        sending.go_on(1 << 20)
        sending.body(stream, b"ab")
        sending.body(stream, b"cd")
        got += b"".join(payload for _, _, _, payload in taken_apart(sending.take()))
    sending.window_grows(stream, 1 << 20)
    sending.body(stream, b"", b"")
    sending.go_on(1 << 20)
    got += b"".join(payload for _, _, _, payload in taken_apart(sending.take()))
    assert got == data + b"abcd" * 4 and stream.waiting == 0 and not stream.may_send


def test_what_waits_for_the_transport_or_the_connections_window_cannot_go(sending: Sending) -> None:
    sending.held = True
    sending.body(stream_of(), b"x")
    assert not sending.waits
    sending.held, sending.window = False, 0
    assert not sending.waits
    sending.window_grows(None, 5)
    assert sending.waits and sending.granted == 5


def test_much_is_put_together_part_by_part(sending: Sending) -> None:
    sending.window = 1 << 20
    stream, data = stream_of(window=1 << 20), random.Random(1).randbytes(200_000)
    sending.body(stream, data, b"")
    parts = []
    while sending.bulk > PART:
        parts.append(sending.take_part())
    rest = sending.take()
    assert len(parts) == 3 and all(PART <= len(part) <= PART + 16393 for part in parts)
    assert 0 < len(rest) <= PART + 9 and sending.bulk == 0
    written = taken_apart(b"".join(parts) + rest)
    assert b"".join(payload for *_, payload in written) == data
    assert [flags for _, flags, *_ in written] == [0] * 12 + [END]


@pytest.mark.parametrize("size", [1, 16384, 16385, 32768, 50_000])
def test_what_goes_at_once_is_what_goes_when_it_has_waited(size: int) -> None:
    data, seen = random.Random(size).randbytes(size), []
    for held in (False, True):
        allowance = FloodAllowance()
        allowance.spend(100)
        sending, stream = Sending(allowance), stream_of()
        sending.held = held
        sending.body(stream, data, b"")
        sending.held = False
        sending.go_on(1 << 20)
        seen.append((taken_apart(sending.take()), sending.window, stream.send_window, stream.state, allowance.left))
    assert seen[0] == seen[1] and b"".join(payload for *_, payload in seen[0][0]) == data
