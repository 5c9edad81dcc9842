"""What the connections and exchanges of one proxy share."""

import pytest
from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from zope.interface import implementer

from tests.observe.log_formats.records import record
from txproxy import Limits
from txproxy.errors import UpstreamClosed
from txproxy.interfaces import Address, IClientDialer, IDialer
from txproxy.interfaces.record import momentary
from txproxy.proxy.services import Services


@implementer(IDialer)
class Dialer:
    """Connects at once to what is built."""

    def __init__(self):
        self.asked = []

    def dial(self, address, build):
        self.asked.append((address, None))
        return succeed(build())


@implementer(IClientDialer)
class ClientDialer(Dialer):
    """The same, for who wants to know for whom."""

    def dial_for(self, client_ip, address, build):
        self.asked.append((address, client_ip))
        return succeed(build())


class Kept:
    """A kept connection, in which bytes or an end may lie."""

    def __init__(self, unread=False, key="here"):
        self.key, self.closed, self.capacity = key, False, 1
        self.unread = lambda: unread

    def open(self):
        self.capacity = 0
        return self

    def close(self):
        self.closed = True


@pytest.fixture
def make():
    made = []

    def make(**more):
        made.append(Services(Clock(), Limits(), lambda services, address: (services, address), **more))
        return made[-1]

    yield make
    for services in made:
        services.stop()
        assert not services.reactor.getDelayedCalls()


@pytest.fixture
def logged():
    events = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


@pytest.mark.parametrize(("kind", "told"), [(Dialer, None), (ClientDialer, "192.0.2.1")])
def test_a_connection_is_made_for_a_client_by_whichever_dialer(make, kind, told):
    services = make(dialer=kind())
    where = Address("10.0.0.1", 80)
    made = []
    services.dial(where, "192.0.2.1").addCallback(made.append)
    assert made == [(services, where)] and services.dialer.asked == [(where, told)]


def test_a_kept_connection_in_which_something_lies_is_not_taken_but_closed(make):
    services = make()
    quiet, ended, other = Kept(), Kept(unread=True), Kept(key="there")
    for one in (other, quiet, ended):
        services.connections.give_back(one)
    assert services.lease_quiet("here") is quiet and ended.closed and not quiet.closed
    assert services.lease_quiet("here") is None and not other.closed


def test_those_of_one_client_are_asked_for_if_they_are_given(make):
    services = make()
    own = make().connections
    services.connections.give_back(Kept())
    mine = Kept()
    own.give_back(mine)
    assert services.lease_quiet("here", own) is mine and services.lease_quiet("here", own) is None


def test_a_limit_of_a_route_is_made_once(make):
    services = make()
    assert services.limit_of(7) is services.limit_of(7) and services.limit_of(7).seconds == 7


def test_an_observer_that_fails_harms_nobody(make, logged):
    seen = []

    def failing(exchange):
        raise ValueError("a bug")

    services = make(observers=(failing, seen.append, momentary(lambda over: failing(over))))
    over = record()
    services.tell(over)
    assert services.observed and seen == [over]
    events = [event for event in logged if "log_failure" in event]
    assert [event["log_failure"].value.args for event in events] == [("a bug",)] * 2


def test_without_observers_nobody_needs_to_be_told(make):
    assert not make().observed


@pytest.mark.parametrize(
    ("errand", "line"),
    [
        ("", "502 to 192.0.2.1: connection_terminated: it closed"),
        ("copy of a request", "copy of a request of 192.0.2.1 failed: connection_terminated: it closed"),
    ],
)
def test_a_fault_is_said_as_that_of_an_answer_or_of_an_errand(make, logged, errand, line):
    make().say_fault("192.0.2.1", UpstreamClosed("it closed"), errand)
    assert [event["log_format"].format(**event) for event in logged if "log_format" in event] == [line]


def test_the_date_is_that_of_rfc_9110(make, monkeypatch):
    services = make()
    for now in (784111777.9, 784111778.1):
        monkeypatch.setattr("txproxy.proxy.services.time", lambda now=now: now)
        seconds = b"%d" % (int(now) % 60)
        assert services.http_date() == b"Sun, 06 Nov 1994 08:49:%b GMT" % seconds.zfill(2)


def test_a_stop_closes_what_is_kept_and_gives_up_errands(make):
    class Errand:
        gone = False

        def client_gone(self):
            self.gone = True
            services.errands.discard(self)

    services = make()
    kept, errand = Kept(), Errand()
    services.connections.give_back(kept)
    services.errands.add(errand)
    services.stop()
    assert kept.closed and errand.gone and not services.errands
