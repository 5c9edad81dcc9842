"""The states of a connection to an upstream: what is written of them, what the code says, and what happens."""

from itertools import pairwise

import pytest

from tests.net.sockets import World
from tests.proxy.downstream.test_client_tunnel import UPGRADE
from tests.proxy.exchanges.test_exchange import GET, OK
from tests.proxy.state_tables import states, steps, steps_of
from tests.proxy.upstream.http2_peer import Http2Peer, data_frame
from tests.proxy.upstream.test_request_writer import Asked, kept
from txproxy.proxy.upstream.upstream_states import Http2State, Progress, UpstreamState, following, next_http2_state
from txproxy.wire.http2 import frames

STEPS = "What leads a connection to an upstream where"


def test_the_tables_have_the_states_and_what_they_mean():
    assert states("States of a connection to an upstream") == {state.name: state.value for state in UpstreamState}
    assert states("How far a request is") == {progress.name: progress.value for progress in Progress}


def test_the_table_has_the_steps():
    assert steps(STEPS) == steps_of(UpstreamState)


def test_what_is_not_in_the_table_is_no_step():
    assert following(UpstreamState.HTTP, UpstreamState.TUNNEL) is UpstreamState.TUNNEL
    with pytest.raises(AssertionError, match="does not lead to"):
        following(UpstreamState.CLOSED, UpstreamState.HTTP)


# -- HTTP/2

HTTP2_STEPS = "What leads a connection to an upstream of HTTP/2 where"
GOAWAY = frames.goaway(1, 0)
# what happens to a connection with one stream
HTTP2_WALKS = {
    "a goaway, and the last response": (
        [lambda peer: peer.connection.send(GOAWAY), lambda peer: peer.answer(1)],
        [("OPEN", "LEAVING"), ("LEAVING", "CLOSED")],
    ),
    "a broken rule": ([lambda peer: peer.connection.send(data_frame(0, b"x"))], [("OPEN", "CLOSED")]),
    "an end": ([lambda peer: peer.connection.end()], [("OPEN", "CLOSED")]),
    "a response": ([lambda peer: peer.answer(1)], []),
}


def test_the_tables_of_http2_have_the_states_and_the_steps():
    title = "States of a connection to an upstream of HTTP/2"
    assert states(title) == {state.name: state.value for state in Http2State}
    walked = {step for _, steps in HTTP2_WALKS.values() for step in steps}
    assert steps(HTTP2_STEPS) == steps_of(Http2State) == walked | {("CLOSED", "CLOSED")}
    with pytest.raises(AssertionError, match="does not lead to"):
        next_http2_state(Http2State.LEAVING, Http2State.OPEN)


@pytest.mark.parametrize(("events", "walked"), HTTP2_WALKS.values(), ids=HTTP2_WALKS)
def test_these_steps_of_http2_happen(proxy2, events, walked):
    proxy2.connect().send(GET)
    peer = Http2Peer(proxy2.upstream)
    protocol = proxy2.upstream._protocol
    seen = [protocol.state.name]
    for event in events:
        event(peer)
        proxy2.clock.advance(0)
        if protocol.state.name != seen[-1]:
            seen.append(protocol.state.name)
    assert list(pairwise(seen)) == walked


# -- each step happens

LAST = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
# what a client asks, and what happens to the upstream's connection then
WALKS = {
    "a tunnel": (
        UPGRADE,
        [lambda upstream: upstream.send(SWITCHING), lambda upstream: upstream.drop()],
        [("HTTP", "TUNNEL"), ("TUNNEL", "CLOSED")],
    ),
    "the last response": (GET, [lambda upstream: upstream.send(LAST)], [("HTTP", "CLOSED")]),
    "a malformed response": (GET, [lambda upstream: upstream.send(b"nonsense")], [("HTTP", "CLOSED")]),
    "a word too many": (
        GET,
        [lambda upstream: upstream.send(OK), lambda upstream: upstream.send(OK)],
        [("HTTP", "CLOSED")],
    ),
    "an end": (GET, [lambda upstream: upstream.send(OK), lambda upstream: upstream.end()], [("HTTP", "CLOSED")]),
    "a response": (GET, [lambda upstream: upstream.send(OK)], []),
}


@pytest.mark.parametrize(("request_", "events", "walked"), WALKS.values(), ids=WALKS)
def test_these_steps_happen(proxy, request_, events, walked):
    client = proxy.connect()
    client.send(request_)
    upstream = proxy.upstream
    protocol = upstream._protocol
    seen = [protocol.state.name]
    for event in events:
        event(upstream)
        proxy.clock.advance(0)
        if protocol.state.name != seen[-1]:
            seen.append(protocol.state.name)
    assert list(pairwise(seen)) == walked


def test_each_step_of_the_table_happens():
    walked = {step for _, _, steps in WALKS.values() for step in steps}
    # A connection that is about to go is CLOSED, and is when it has gone.
    assert walked | {("CLOSED", "CLOSED")} == steps(STEPS)


def test_a_request_gets_on_by_the_steps_of_its_table():
    asked = Asked()
    writer, seen = asked.writer, []

    def see():
        seen.append(writer.progress.name)

    see()
    for _ in range(2):
        writer.gather(b"head ")
        see()
        writer.pieces.append(b"and body")
        writer.flush()
        see()
        asked.end_turn()
        see()
    world = World()
    client, upstream = kept(world)
    writer = upstream.protocol.writer
    see()
    world.client.sendall(GET)
    client.doRead()
    see()
    world.reactor.end_turn()
    see()
    world.close()
    walked = {step for step in pairwise(seen) if step[0] != step[1]}
    assert walked == steps("What leads a request on")
