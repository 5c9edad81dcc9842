"""How much a peer may send."""

from __future__ import annotations

import pytest

from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import FLOW_CONTROL_ERROR, ConnectionFault, StreamFault
from txproxy.wire.http2.receiving import Receiving
from txproxy.wire.http2.stream import Stream, StreamState


@pytest.fixture
def out() -> list[bytes]:
    return []


def stream_of(window: int) -> Stream:
    stream = Stream()
    stream.id, stream.state, stream.receive_window = 1, StreamState.OPEN, window
    return stream


def opened(out: list[bytes], connection: int = 200_000, stream: int = 1000) -> tuple[Receiving, Stream]:
    receiving = Receiving(connection, stream, out)
    receiving.open()
    out.clear()
    return receiving, stream_of(stream)


@pytest.mark.parametrize(("window", "said"), [(200_000, [frames.window_update(0, 134_465)]), (65535, []), (10, [])])
def test_that_of_the_connection_is_said_at_once(out: list[bytes], window: int, said: list[bytes]) -> None:
    Receiving(window, 1000, out).open()
    assert out == said


def test_updates_come_when_half_is_gone(out: list[bytes]) -> None:
    receiving, stream = opened(out)
    receiving.came(700)
    receiving.came_on(stream, 700, 0)
    receiving.gone_on(stream, 499)
    assert out == []
    receiving.gone_on(stream, 1)
    assert out == [frames.window_update(1, 500)]
    assert stream.receive_window == 800 and stream.unconsumed == 200


def test_what_some_hold_is_not_waited_for(out: list[bytes]) -> None:
    receiving, _ = opened(out)
    # held by streams that nobody takes anything of
    receiving.came(150_000)
    receiving.came(20_000)
    receiving.gone(20_000)
    assert out == []
    receiving.came(10_000)
    assert out == [frames.window_update(0, 20_000)]
    receiving.came(40_000)
    out.clear()
    receiving.gone(10_000)
    assert out == [frames.window_update(0, 10_000)]
    # not even one byte is
    receiving.came(10_000)
    receiving.gone(0)
    receiving.gone(1)
    assert out == [frames.window_update(0, 10_000), frames.window_update(0, 1)]


def test_who_has_ended_needs_none(out: list[bytes]) -> None:
    receiving, stream = opened(out)
    receiving.came_on(stream, 1000, 0)
    stream.peer_ends()
    receiving.gone_on(stream, 1000)
    assert out == []


def test_what_is_said_to_be_gone_twice_is_once(out: list[bytes]) -> None:
    receiving, stream = opened(out)
    receiving.came_on(stream, 600, 0)
    receiving.gone_on(stream, 10_000)
    assert out == [frames.window_update(1, 600)] and stream.unconsumed == 0


def test_padding_is_gone_at_once(out: list[bytes]) -> None:
    receiving, stream = opened(out)
    receiving.came_on(stream, 600, 550)
    assert out == [frames.window_update(1, 550)] and stream.unconsumed == 50


def test_a_smaller_window_holds_once_the_peer_knows(out: list[bytes]) -> None:
    # RFC 9113 6.9.3
    receiving, _ = opened(out)
    stream = stream_of(receiving.of_streams)
    receiving.came_on(stream, 60_000, 0)
    receiving.acknowledged([stream])
    assert stream.receive_window == 65_535 - 60_000 + 1000 - 65_535 and receiving.of_streams == 1000
    receiving.gone_on(stream, 60_000)
    receiving.came_on(stream, 1000, 0)


def test_more_than_a_window(out: list[bytes]) -> None:
    receiving, stream = opened(out)
    with pytest.raises(StreamFault) as of_stream:
        receiving.came_on(stream, 1001, 0)
    assert of_stream.value.code == FLOW_CONTROL_ERROR
    receiving.came(200_000)
    with pytest.raises(ConnectionFault) as of_connection:
        receiving.came(1)
    assert of_connection.value.code == FLOW_CONTROL_ERROR


def test_that_of_the_connection_is_given_back_whatever_becomes_of_a_stream(out: list[bytes]) -> None:
    receiving, stream = opened(out, stream=200_000)
    receiving.came(150_000)
    receiving.came_on(stream, 150_000, 0)
    receiving.forget(stream)
    assert out == [frames.window_update(0, 150_000)]
    receiving.came(200_000)


def test_a_stream_has_all_of_its_window_once_it_is_widened(out: list[bytes]) -> None:
    receiving = Receiving(200_000, 100_000, out, 1000)
    receiving.open()
    out.clear()
    stream = stream_of(receiving.of_streams)
    receiving.acknowledged([stream])
    assert stream.receive_window == receiving.of_streams == 1000
    receiving.came(1000)
    receiving.came_on(stream, 1000, 0)
    receiving.gone_on(stream, 600)
    assert out == []
    receiving.widen(stream)
    assert out == []
    receiving.gone_on(stream, 100)
    assert out == [frames.window_update(1, 99_700)]
    assert stream.receive_window + stream.unconsumed == 100_000


# -- windows that grow


MIB = 1 << 20


def growing(out: list[bytes], count: int = 1, growth: int = 6 * MIB) -> tuple[Receiving, list[Stream]]:
    """In a connection's window of 8 MiB, seven of which are for those that have grown."""
    streams = {}
    receiving = Receiving(8 * MIB, MIB, out, 0, growth, streams)
    receiving.open()
    for number in range(1, count + 1):
        streams[number] = stream_of(MIB)
        streams[number].id = number
    out.clear()
    return receiving, [*streams.values()]


def come(receiving: Receiving, stream: Stream, size: int) -> None:
    receiving.came(size)
    receiving.came_on(stream, size, 0)


def take(receiving: Receiving, stream: Stream, size: int, each: int = 16384) -> None:
    for _ in range(size // each):
        receiving.gone_on(stream, each)


def pass_through(receiving: Receiving, stream: Stream, size: int) -> None:
    for _ in range(size // 16384):
        come(receiving, stream, 16384)
        receiving.gone_on(stream, 16384)


def window(stream: Stream) -> int:
    return stream.receive_window + stream.unconsumed + stream.consumed


def test_the_window_of_what_is_taken_at_once_grows_by_what_is_taken(out: list[bytes]) -> None:
    receiving, (stream,) = growing(out)
    pass_through(receiving, stream, MIB // 2)
    assert out == [frames.window_update(1, MIB)] and window(stream) == MIB * 3 // 2
    for many in (2, 4, 7, 7):
        pass_through(receiving, stream, window(stream) if many > 2 else MIB // 2)
        assert window(stream) == many * MIB


def test_a_window_that_may_not_grow_does_not(out: list[bytes]) -> None:
    receiving, (stream,) = growing(out, growth=0)
    pass_through(receiving, stream, 4 * MIB)
    assert window(stream) == MIB


def test_what_is_not_taken_at_once_does_not_grow(out: list[bytes]) -> None:
    receiving, (stream,) = growing(out)
    for _ in range(8):
        come(receiving, stream, 768 * 1024)
        take(receiving, stream, 768 * 1024, each=768 * 1024)
    assert window(stream) == MIB


def test_what_is_widened_has_its_window_before_that_grows(out: list[bytes]) -> None:
    stream = stream_of(65_536)
    receiving = Receiving(8 * MIB, MIB, out, 65_536, 6 * MIB, {1: stream})
    receiving.open()
    receiving.acknowledged([stream])
    stream.receive_window = 65_536
    receiving.widen(stream)
    pass_through(receiving, stream, 16384)
    assert window(stream) == MIB
    pass_through(receiving, stream, MIB // 2)
    assert window(stream) == MIB * 3 // 2


def test_a_slow_one_is_told_of_nothing_until_its_window_is_as_it_was(out: list[bytes]) -> None:
    receiving, (stream, other) = growing(out, count=2)
    pass_through(receiving, stream, 8 * MIB)
    assert window(stream) == 6 * MIB
    come(receiving, stream, stream.receive_window)
    held = stream.unconsumed
    out.clear()
    take(receiving, stream, held - MIB)
    assert not [said for said in out if said[5:9] == b"\0\0\0\1"] and window(stream) == MIB
    # Until it has all gone back nobody else may have it.
    assert window(other) == MIB
    take(receiving, stream, MIB)
    pass_through(receiving, other, 8 * MIB)
    assert window(stream) + window(other) == 7 * MIB and window(other) > 5 * MIB


def test_each_has_room_for_its_own_window(out: list[bytes]) -> None:
    receiving, streams = growing(out, count=4)
    for stream in streams:
        pass_through(receiving, stream, 8 * MIB)
    assert sum([window(stream) for stream in streams]) == 7 * MIB
    receiving, streams = growing(out, count=7)
    pass_through(receiving, streams[0], 8 * MIB)
    assert window(streams[0]) == MIB


def test_what_one_has_grown_by_is_free_when_it_is_gone(out: list[bytes]) -> None:
    streams = {1: stream_of(MIB), 3: stream_of(MIB)}
    streams[3].id = 3
    receiving = Receiving(8 * MIB, MIB, out, 0, 6 * MIB, streams)
    receiving.open()
    pass_through(receiving, streams[1], 8 * MIB)
    pass_through(receiving, streams[3], 8 * MIB)
    assert (window(streams[1]), window(streams[3])) == (6 * MIB, MIB)
    del streams[1]
    pass_through(receiving, streams[3], 8 * MIB)
    assert window(streams[3]) == 7 * MIB


def test_an_eighth_of_a_large_window_of_a_connection_is_not_waited_with(out: list[bytes]) -> None:
    receiving, _ = opened(out, connection=16 * MIB)
    for _ in range(8):
        receiving.came(MIB)
        receiving.gone(MIB)
    assert out == [frames.window_update(0, 2 * MIB)] * 4
