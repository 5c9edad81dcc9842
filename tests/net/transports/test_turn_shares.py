"""How much of a turn one kind of work may have."""

from twisted.internet.task import Clock

from txproxy.net.transports.turn_shares import TurnShare


def test_what_is_left_of_a_turn_goes_by_the_time_since_somebody_asked():
    clock = Clock()
    share = TurnShare(clock, 0.002)
    assert share.left()
    clock.rightNow += 0.001
    assert share.left()
    clock.rightNow += 0.001
    assert not share.left() and not share.left()
    # The next turn.
    clock.advance(0)
    assert share.left() and share.left()


def test_who_asks_first_has_the_share_whatever_has_taken_long_before():
    clock = Clock()
    share = TurnShare(clock, 0.0)
    for _ in range(3):
        assert share.left() and not share.left()
        clock.advance(5)


def test_a_turn_in_which_nobody_asks_costs_nothing():
    clock = Clock()
    share = TurnShare(clock, 0.002)
    assert not clock.getDelayedCalls()
    assert share.left() and share.left()
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(0)
    assert not clock.getDelayedCalls()
