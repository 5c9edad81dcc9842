"""The states of a stream."""

import pytest

from txproxy.wire.http2.stream import ResetStreams, Stream, StreamState


# RFC 9113 5.1
@pytest.mark.parametrize(
    ("ends", "state", "may_send", "may_receive"),
    [
        ([], StreamState.OPEN, True, True),
        (["we_end"], StreamState.WE_ENDED, False, True),
        (["peer_ends"], StreamState.PEER_ENDED, True, False),
        (["we_end", "peer_ends"], StreamState.CLOSED, False, False),
        (["peer_ends", "we_end"], StreamState.CLOSED, False, False),
        (["finish"], StreamState.CLOSED, False, False),
    ],
)
def test_states(ends: list[str], state: StreamState, may_send: bool, may_receive: bool) -> None:
    stream = Stream()
    stream.id, stream.state = 1, StreamState.OPEN
    for end in ends:
        getattr(stream, end)()
    assert (stream.state, stream.may_send, stream.may_receive) == (state, may_send, may_receive)
    assert repr(stream) == f"Stream(1, {state.value})"


def test_the_last_thousand_that_were_reset_are_remembered() -> None:
    reset = ResetStreams()
    for number in range(1, 2 * 1024, 2):
        reset.add(number)
    assert len(reset) == 1024 and 1 in reset
    reset.add(2049)
    assert len(reset) == 1024 and 1 not in reset and 3 in reset and 2049 in reset
    reset.add(2049)
    assert len(reset) == 1024 and 3 in reset, "it is there once"
