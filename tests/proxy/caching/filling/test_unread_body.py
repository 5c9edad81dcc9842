"""A body that nobody reads any more has to come along, or it is given up."""

import pytest
from twisted.internet.task import Clock

from txproxy.net.deadlines import Deadlines
from txproxy.proxy.caching.filling.fill_body import AHEAD
from txproxy.proxy.caching.filling.unread_body import UnreadBody


class Services:
    def __init__(self):
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock)


class Body:
    available = 0


@pytest.fixture
def services():
    made = Services()
    yield made
    assert not made.clock.getDelayedCalls()


def minutes(services, count):
    for _ in range(int(count * 120)):
        services.clock.advance(0.5)


def test_one_that_comes_too_slowly_is_given_up(services):
    given_up, body = [], Body()
    unread = UnreadBody(services)
    unread.begin(body, lambda: (given_up.append(1), unread.end()))
    minutes(services, 0.9)
    body.available = AHEAD - 1
    assert not given_up
    minutes(services, 0.2)
    assert given_up == [1]


def test_one_that_comes_along_is_not(services):
    given_up, body = [], Body()
    unread = UnreadBody(services)
    unread.begin(body, lambda: given_up.append(1))
    for _ in range(3):
        body.available += AHEAD
        minutes(services, 1.1)
    assert not given_up
    unread.end()


def test_one_that_is_read_again_has_all_the_time(services):
    given_up, body = [], Body()
    unread = UnreadBody(services)
    unread.begin(body, lambda: given_up.append(1))
    unread.end()
    minutes(services, 2)
    assert not given_up
    # It begins anew, and does not go on.
    unread.begin(body, lambda: given_up.append(1))
    minutes(services, 0.9)
    assert not given_up
    unread.end()
