"""What one side says of itself."""

import pytest

from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import ConnectionFault
from txproxy.wire.http2.own_settings import DEFAULT_SETTINGS, Http2Settings, check_setting, growing_in, grown_in


def test_what_both_roles_say() -> None:
    assert dict(Http2Settings(stream_window=5).lines()) == {
        frames.INITIAL_WINDOW_SIZE: 5,
        frames.NO_RFC7540_PRIORITIES: 1,
    }


def test_a_few_slow_streams_do_not_hold_up_the_others() -> None:
    assert DEFAULT_SETTINGS.connection_window >= 16 * DEFAULT_SETTINGS.stream_window


@pytest.mark.parametrize("size", [8, 16 << 20, 100_000_007])
def test_what_grows_in_a_window(size: int) -> None:
    assert 0 <= grown_in(growing_in(size)) - size <= 1


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        (frames.ENABLE_PUSH, 0, 1),
        (frames.ENABLE_CONNECT_PROTOCOL, 0, 1),
        (frames.NO_RFC7540_PRIORITIES, 0, 1),
        (frames.MAX_FRAME_SIZE, 1 << 14, (1 << 24) - 1),
    ],
)
def test_what_the_other_side_can_say(name: int, least: int, most: int) -> None:
    check_setting(name, least)
    check_setting(name, most)
    for value in {most + 1, max(least - 1, 0)} - {least}:
        with pytest.raises(ConnectionFault):
            check_setting(name, value)
