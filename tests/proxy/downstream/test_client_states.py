"""The states of a client connection: what is written of them, what the code says, and what happens."""

import pytest

from tests.proxy.downstream.socks_world import FREE, World
from tests.proxy.downstream.test_client_tunnel import UPGRADE
from tests.proxy.exchanges.test_exchange import GET, OK
from tests.proxy.state_tables import states, steps, steps_of
from txproxy.proxy.downstream.client_states import ClientState, following

STATES = "States of a client connection"
STEPS = "What leads a client connection where"


def test_the_table_has_the_states_and_what_they_mean():
    assert states(STATES) == {state.name: state.value for state in ClientState}


def test_the_table_has_the_steps():
    assert steps(STEPS) == steps_of(ClientState)


# -- each step happens


class Seen:
    """A client, whose state is looked at whenever something has happened."""

    def __init__(self, proxy):
        self.proxy = proxy
        before = set(proxy.factory.admission.everyone())
        self.client = proxy.connect()
        (self.protocol,) = set(proxy.factory.admission.everyone()) - before
        self.states = [self.protocol.state.name]

    def after(self, what):
        what()
        self.proxy.clock.advance(0)
        self.states.append(self.protocol.state.name)

    @property
    def steps(self):
        return {step for step in zip(self.states, self.states[1:], strict=False) if step[0] != step[1]}


def waiting(proxy):
    others = [proxy.connect(), proxy.connect()]
    return others, Seen(proxy)


def gets_a_place(proxy):
    (other, _), seen = waiting(proxy)
    seen.after(other.drop)
    return seen


def leaves_before(proxy):
    _, seen = waiting(proxy)
    seen.after(seen.client.drop)
    return seen


def becomes_a_tunnel(proxy):
    seen = Seen(proxy)
    seen.client.send(UPGRADE)
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    seen.after(lambda: proxy.upstream.send(switching))
    seen.after(proxy.upstream.drop)
    return seen


def is_refused_and_sends_on(proxy):
    seen = Seen(proxy)
    seen.after(lambda: seen.client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n"))
    seen.after(seen.client.end)
    return seen


def is_refused_and_stays(proxy):
    seen = Seen(proxy)
    seen.after(lambda: seen.client.send(b"nonsense\r\n\r\n"))
    seen.after(lambda: proxy.advance(10))
    return seen


def asks_for_the_end(proxy):
    seen = Seen(proxy)
    seen.client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    seen.after(lambda: proxy.upstream.send(OK))
    return seen


def is_silent(proxy):
    seen = Seen(proxy)
    seen.after(lambda: proxy.advance(40))
    return seen


def is_stopped(proxy):
    seen = Seen(proxy)
    seen.after(proxy.factory.stop)
    return seen


WALKS = {
    gets_a_place: {("WAITING", "OPEN")},
    leaves_before: {("WAITING", "CLOSED")},
    becomes_a_tunnel: {("OPEN", "TUNNEL"), ("TUNNEL", "CLOSED")},
    is_refused_and_sends_on: {("OPEN", "LINGERING"), ("LINGERING", "CLOSED")},
    is_refused_and_stays: {("OPEN", "LINGERING"), ("LINGERING", "CLOSED")},
    asks_for_the_end: {("OPEN", "CLOSED")},
    is_silent: {("OPEN", "CLOSED")},
    is_stopped: {("OPEN", "CLOSED")},
}


@pytest.mark.parametrize(("walk", "steps"), WALKS.items(), ids=lambda it: getattr(it, "__name__", ""))
def test_these_steps_happen(proxy, walk, steps):
    assert walk(proxy).steps == steps


def test_each_step_of_the_table_happens():
    walked = {step for steps in WALKS.values() for step in steps}
    # A connection that is about to go is CLOSED, and is when it has gone.
    assert walked | {("CLOSED", "CLOSED")} == steps(STEPS)


def test_one_that_was_handed_over_is_gone_for_who_had_it():
    world = World()
    seen = Seen(world)
    seen.after(lambda: seen.client.send(FREE))
    assert seen.steps == {("OPEN", "CLOSED")}
    assert [protocol.state for protocol in world.factory.admission.everyone()] == [ClientState.OPEN]
    world.close()


def test_what_is_not_in_the_table_is_no_step():
    assert following(ClientState.WAITING, ClientState.OPEN) is ClientState.OPEN
    with pytest.raises(AssertionError, match="does not lead to"):
        following(ClientState.CLOSED, ClientState.OPEN)
