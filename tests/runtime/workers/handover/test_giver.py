"""Who gives connections: the test is who takes them."""

import os

import pytest

from tests.runtime.workers.handover.sides import CARRIED, Client, Leaving, is_open
from txproxy.proxy.handover.carried import VERSION, Carried
from txproxy.runtime.workers.handover.giver import AT_ONCE


@pytest.fixture
def leaving():
    made = []

    def make(*clients):
        made.append(Leaving(*clients))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_nothing_goes_before_it_is_known_what_is_understood(leaving):
    worker = leaving(Client())
    worker.turn()
    assert worker.hears() == [] and not worker.settled.called
    worker.says("takes", (VERSION + 1, VERSION))
    assert [one.kind for one in worker.hears()] == ["connection"]


def test_who_speaks_in_other_words_is_given_nothing(leaving):
    worker = leaving(Client())
    worker.says("takes", (VERSION + 1,))
    assert worker.hears() == [] and worker.settled.called and worker.clients[0].may
    # Another one would speak as this one does.
    assert not worker.lonely


def test_who_does_not_answer_is_not_waited_for(leaving):
    worker = leaving(Client())
    worker.reactor.pump([0.1] * 25)
    assert worker.settled.called and worker.clients[0].may


def test_a_connection_is_whose_who_has_said_that_he_has_it(leaving):
    worker = leaving(Client(), Client(may=False))
    worker.says("takes", (VERSION,))
    (message,) = worker.hears()
    number, listener, told, plain = message.content
    assert (listener, told, Carried.of(plain)) == ("web", False, CARRIED)
    assert worker.place.factory.admission.returned == 0 and not worker.settled.called
    worker.says("taken", number)
    assert worker.place.factory.admission.returned == 1 and worker.settled.called and worker.back == []
    # All that is left of it is the copy that was sent.
    assert is_open(worker.clients[0].there)
    os.close(message.descriptors[0])
    assert not is_open(worker.clients[0].there)


def test_what_is_refused_is_served_here_again(leaving):
    worker = leaving(Client())
    worker.says("takes", (VERSION,))
    (message,) = worker.hears()
    os.close(message.descriptors[0])
    worker.says("refused", message.content[0])
    ((place, given),) = worker.back
    assert place is worker.place and given.carried == CARRIED and worker.settled.called
    assert place.factory.admission.returned == 1
    assert is_open(worker.clients[0].there)


def test_what_was_refused_is_not_offered_again(leaving):
    worker = leaving(Client(), Client(may=False))
    worker.says("takes", (VERSION,))
    (message,) = worker.hears()
    os.close(message.descriptors[0])
    worker.says("refused", message.content[0])
    for one in worker.clients:
        one.may = True
    worker.reactor.advance(0.3)
    (message,) = worker.hears()
    os.close(message.descriptors[0])
    assert worker.clients[0].may and not worker.clients[1].may


def test_nothing_is_on_its_way_any_more_at_the_end(leaving):
    worker = leaving(Client())
    worker.says("takes", (VERSION,))
    (message,) = worker.hears()
    os.close(message.descriptors[0])
    worker.giver.end()
    assert worker.place.factory.admission.returned == 1


def test_what_one_had_not_taken_that_has_ended_is_served_here_again(leaving):
    worker = leaving(Client(), Client())
    worker.says("takes", (VERSION,))
    first, second = worker.hears()
    # It was killed right after it had said this.
    worker.channel.send("taken", first.content[0])
    for message in (first, second):
        os.close(message.descriptors[0])
    worker.channel.close()
    worker.turn()
    assert [given.sockets[0] for _, given in worker.back] == [worker.clients[1].here] and worker.settled.called
    assert not is_open(worker.clients[0].there) and worker.lonely == 1


def test_not_more_are_on_their_way_than_can_be_answered(leaving):
    worker = leaving(*(Client() for _ in range(AT_ONCE + 1)))
    worker.says("takes", (VERSION,))
    messages = worker.hears()
    assert len(messages) == AT_ONCE
    worker.says("taken", messages[0].content[0])
    messages += worker.hears()
    assert len(messages) == AT_ONCE + 1
    for message in messages:
        os.close(message.descriptors[0])


def test_what_becomes_ready_to_go_later_goes_then(leaving):
    worker = leaving(Client(may=False))
    worker.says("takes", (VERSION,))
    assert worker.settled.called and worker.hears() == []
    worker.clients[0].may = True
    worker.reactor.advance(0.3)
    (message,) = worker.hears()
    os.close(message.descriptors[0])


def test_one_that_cannot_be_taken_apart_keeps_no_other_from_going(leaving, caught):
    worker = leaving(Client(may="broken"), Client())
    worker.says("takes", (VERSION,))
    (message,) = worker.hears()
    os.close(message.descriptors[0])
    assert worker.clients[0].aborted and caught() == [ZeroDivisionError]
