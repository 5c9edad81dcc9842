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
