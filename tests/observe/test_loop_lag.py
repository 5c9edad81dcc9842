"""How late the reactor is."""

from twisted.internet.task import Clock

from txproxy.observe.loop_lag import LoopLag


def test_it_is_looked_at_each_second_as_long_as_that_is_wanted():
    clock = Clock()
    lag = LoopLag(clock)
    assert clock.getDelayedCalls() == []
    lag.look(True)
    lag.look(True)
    clock.advance(1.0)
    assert (sum(lag.lags.counts), lag.last) == (1, 0.0)
    clock.advance(1.25)
    assert (sum(lag.lags.counts), lag.last, lag.lags.seconds) == (2, 0.25, 0.25)
    clock.advance(0.99)
    assert sum(lag.lags.counts) == 2
    lag.look(False)
    lag.look(False)
    assert clock.getDelayedCalls() == []
    lag.look(True)
    clock.advance(1.0)
    assert (sum(lag.lags.counts), lag.last) == (3, 0.0)
    lag.look(False)
