"""How much of no use a peer may ask for."""

import pytest

from txproxy.wire.http2.faults import ENHANCE_YOUR_CALM, ConnectionFault
from txproxy.wire.http2.flood_allowance import (
    ANSWERED,
    FRAME,
    LATE,
    MOST,
    MOST_LATE,
    PER_SECOND,
    RESET,
    SENT,
    UPDATES,
    FloodAllowance,
)


def test_it_ends() -> None:
    allowance = FloodAllowance()
    for _ in range(MOST // RESET):
        allowance.spend(RESET)
    with pytest.raises(ConnectionFault) as found:
        allowance.spend(RESET)
    assert found.value.code == ENHANCE_YOUR_CALM


def test_what_is_of_use_and_time_give_back_and_no_more_than_all() -> None:
    allowance = FloodAllowance()
    allowance.spend(MOST)
    allowance.earn(ANSWERED)
    assert allowance.left == ANSWERED
    allowance.seconds_passed(0.5)
    assert allowance.left == ANSWERED + PER_SECOND // 2
    allowance.seconds_passed(1e9)
    assert allowance.left == MOST


def test_what_was_on_its_way_on_a_stream_that_we_end_comes_for_nothing() -> None:
    allowance = FloodAllowance()
    allowance.ended_early(4096)
    for _ in range(1 + 4):
        allowance.came_late()
    assert allowance.left == MOST
    allowance.came_late()
    assert allowance.left == MOST - FRAME


def test_what_was_sent_is_good_for_updates_of_windows_whenever_they_come() -> None:
    allowance = FloodAllowance()
    for _ in range(MOST):
        allowance.frames_sent(1, 1)
    for _ in range(MOST * UPDATES):
        allowance.taken_note_of()
    assert allowance.left == MOST
    for _ in range(MOST):
        allowance.taken_note_of()
    with pytest.raises(ConnectionFault):
        allowance.taken_note_of()


def test_frames_of_a_byte_earn_no_resets() -> None:
    allowance = FloodAllowance()
    allowance.spend(RESET)
    allowance.frames_sent(1000, LATE - 1)
    assert allowance.left == MOST - RESET
    allowance.frames_sent(3, LATE)
    assert allowance.left == MOST - RESET + 3 * SENT


def test_no_more_is_on_its_way_than_fits() -> None:
    allowance = FloodAllowance()
    for _ in range(1000):
        allowance.ended_early(1 << 20)
    assert allowance.late == MOST_LATE
