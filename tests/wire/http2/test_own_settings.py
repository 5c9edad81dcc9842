"""What one side says of itself."""

from txproxy.wire.http2 import frames
from txproxy.wire.http2.own_settings import DEFAULT_SETTINGS, Http2Settings


def test_what_both_roles_say() -> None:
    assert dict(Http2Settings(stream_window=5).lines()) == {
        frames.INITIAL_WINDOW_SIZE: 5,
        frames.NO_RFC7540_PRIORITIES: 1,
    }


def test_a_few_slow_streams_do_not_hold_up_the_others() -> None:
    assert DEFAULT_SETTINGS.connection_window >= 16 * DEFAULT_SETTINGS.stream_window
