"""How many clients at once, and who waits."""

import pytest
from twisted.internet import tcp

from txproxy.proxy.downstream.admission import Admission


class Port(tcp.Port):
    """A port that listens, as far as it is stopped and started."""

    connected, disconnecting = True, False

    def __init__(self):
        self.reads = True

    def stopReading(self):
        self.reads = False

    def startReading(self):
        self.reads = True


class Guest:
    """A client connection that a port has accepted, unless there is none."""

    def __init__(self, port=None, goes=True):
        self.transport = tcp.Server.__new__(tcp.Server) if port is not None else None
        if port is not None:
            self.transport.server = port
        self.goes = goes
        self.told = []

    def admitted(self):
        self.told.append("admitted")

    def drain(self):
        self.told.append("drain")

    def retire(self):
        self.told.append("retire")
        return self.goes


@pytest.fixture
def admission():
    return Admission(2)


def test_who_is_over_the_limit_waits_in_the_order_of_coming(admission):
    guests = [Guest() for _ in range(5)]
    assert [admission.admit(guest) for guest in guests] == [True, True, False, False, False]
    assert len(admission) == 2 and admission.everyone() == [*admission.everyone()[:2], *guests[2:]]
    admission.left(guests[0])
    admission.left(guests[3])
    admission.left(guests[1])
    assert [guest.told for guest in guests] == [[], [], ["admitted"], [], ["admitted"]]
    assert len(admission) == 2


def test_a_port_is_not_read_while_somebody_waits_and_is_again_when_there_is_room(admission):
    port = Port()
    guests = [Guest(port) for _ in range(3)]
    for guest in guests:
        admission.admit(guest)
    assert not port.reads
    admission.left(guests[0])
    assert guests[2].told == ["admitted"] and not port.reads
    admission.left(guests[1])
    assert port.reads


def test_a_port_that_has_closed_meanwhile_is_left_alone(admission):
    port = Port()
    guests = [Guest(port) for _ in range(3)]
    for guest in guests:
        admission.admit(guest)
    port.disconnecting = True
    for guest in guests:
        admission.left(guest)
    assert not port.reads and not len(admission)


def test_who_goes_on_with_a_connection_has_its_place(admission):
    first, second, other = Guest(), Guest(), Guest()
    admission.admit(first)
    admission.admit(second)
    admission.give_place(first, other)
    assert not admission.admit(Guest()) and admission.admit(other) and len(admission) == 2
    admission.give_place(Guest(), Guest())
    assert len(admission) == 2


def test_those_taken_over_count_though_there_is_no_room(admission):
    guests = [Guest() for _ in range(3)]
    for guest in guests:
        admission.take_over(guest)
    late = Guest()
    assert len(admission) == 3 and not admission.admit(late)
    admission.left(guests[0])
    assert late.told == []
    admission.left(guests[1])
    assert late.told == ["admitted"]


def test_a_drain_asks_each_and_ends_with_the_last(admission):
    guests = [Guest() for _ in range(3)]
    for guest in guests:
        admission.admit(guest)
    gone = admission.drain()
    assert all("drain" in guest.told for guest in guests) and not gone.called
    for guest in guests:
        admission.left(guest)
    assert gone.called


def test_where_nobody_is_a_drain_is_over_at_once(admission):
    assert admission.drain().called and admission.retire().called


def test_who_waits_when_another_serves_goes_there_or_is_let_in(admission):
    goes, stays = Guest(), Guest(goes=False)
    inside = [Guest(goes=False), Guest(goes=False)]
    for guest in (*inside, goes, stays):
        admission.admit(guest)
    gone = admission.retire()
    assert goes.told == ["retire"] and stays.told == ["retire"] and not gone.called
    admission.left(inside[0])
    assert stays.told == ["retire", "admitted"] and goes.told == ["retire"]
    admission.left(inside[1])
    admission.left(stays)
    assert gone.called
