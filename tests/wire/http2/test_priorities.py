"""What clients say of the order in which they want things."""

import pytest

from txproxy.wire.http2.faults import FRAME_SIZE_ERROR, PROTOCOL_ERROR, ConnectionFault
from txproxy.wire.http2.priorities import (
    check_priority,
    check_priority_frame,
    read_priority,
    remember_priority,
    updated_stream,
)


# RFC 9218 4 and 5
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", (3, False)),
        (b"u=0", (0, False)),
        (b"u=7, i", (7, True)),
        (b"i, u=1", (1, True)),
        (b"u=5, i=?0", (5, False)),
        (b"i=?1", (3, True)),
        (b"u=1;x=2, i;y", (1, True)),
        (b"u=2, u=4", (4, False)),
        (b"u=8", (3, False)),
        (b"u=-1", (3, False)),
        (b"u=3.5", (3, False)),
        (b"u=a, i=1", (3, False)),
        (b"uu=1, ii", (3, False)),
        (b"x=9, u=1", (1, False)),
    ],
)
def test_urgency_and_increments(value: bytes, said: tuple[int, bool]) -> None:
    assert read_priority(value) == said


def test_of_many_streams_that_are_to_come_the_last_are_remembered() -> None:
    priorities: dict[int, tuple[int, bool]] = {}
    for number in range(1, 67, 2):
        remember_priority(priorities, number, b"u=1")
    assert [*priorities] == [*range(3, 67, 2)]


def test_the_stream_of_an_update() -> None:
    assert updated_stream(0, b"\x80\0\0\5u=1") == 5


@pytest.mark.parametrize(
    ("number", "payload", "code"),
    [(0, b"\0\0\0", FRAME_SIZE_ERROR), (1, b"\0\0\0\1", PROTOCOL_ERROR), (0, b"\0\0\0\2", PROTOCOL_ERROR)],
    ids=["short", "on a stream", "about none of a client's"],
)
def test_what_is_no_update(number: int, payload: bytes, code: int) -> None:
    with pytest.raises(ConnectionFault) as caught:
        updated_stream(number, payload)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("number", "payload", "code"),
    [(0, bytes(5), PROTOCOL_ERROR), (3, bytes(6), FRAME_SIZE_ERROR), (3, b"\x80\0\0\3\0", PROTOCOL_ERROR)],
    ids=["of no stream", "long", "of itself"],
)
def test_what_is_no_priority(number: int, payload: bytes, code: int) -> None:
    check_priority_frame(3, bytes(5))
    with pytest.raises(ConnectionFault) as caught:
        check_priority_frame(number, payload)
    assert caught.value.code == code


def test_a_priority_before_a_head_has_that_after_it() -> None:
    check_priority(3, bytes(9))
    with pytest.raises(ConnectionFault) as caught:
        check_priority(3, bytes(4))
    assert caught.value.code == FRAME_SIZE_ERROR
