"""Responses that their clients do not take."""

import attrs
import pytest

from tests.proxy.downstream.http2.conftest import LIMITS

LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 200_000
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nhi"


def test_a_stream_whose_window_stays_shut_is_cancelled(world):
    client = world.client(windows=False)
    stream, other = client.ask(), client.ask()
    world.upstreams[0].send(LARGE)
    client.turn()
    client.h2.increment_flow_control_window(1 << 20)
    client.turn()
    world.proxy.advance(50)
    world.upstreams[1].send(OK)
    assert client.turn().responses[other].body == b"hi" and client.responses[stream].reset is None
    world.proxy.advance(27)
    # 8: CANCEL
    assert client.turn().responses[stream].reset == 8 and world.outcomes == ["ok", "slow-response"]
    assert world.upstreams[0].reset and not client.goaways


def test_one_that_is_complete_for_us_is_no_different(world):
    client = world.client(windows=False)
    stream = client.ask()
    world.upstreams[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000)
    client.turn()
    world.proxy.advance(77)
    assert client.turn().responses[stream].reset == 8
    (protocol,) = world.proxy.factory.admission.everyone()
    assert not protocol.session.active


def test_a_connection_whose_window_stays_shut_loses_its_streams(world):
    client = world.client(windows=False)
    stream = client.ask()
    client.h2.increment_flow_control_window(1 << 20, stream)
    world.upstreams[0].send(LARGE)
    client.turn()
    world.proxy.advance(77)
    assert client.turn().responses[stream].reset == 8


def test_who_takes_it_slowly_gets_it(world):
    client = world.client(windows=False)
    stream = client.ask()
    world.upstreams[0].send(LARGE)
    client.turn()
    for _ in range(3):
        world.proxy.advance(60)
        client.h2.increment_flow_control_window(40_000)
        client.h2.increment_flow_control_window(40_000, stream)
        client.turn()
    assert client.responses[stream].reset is None and len(client.responses[stream].body) == 65535 + 120_000


def test_a_stream_that_others_go_before_has_nothing_to_answer_for(world):
    client = world.client(windows=False)
    late, first = client.ask(), client.ask()
    client.h2.increment_flow_control_window(1 << 20, late)
    client.h2.increment_flow_control_window(1 << 20, first)
    world.upstreams[0].send(LARGE)
    world.upstreams[1].send(LARGE)
    client.turn()
    for _ in range(3):
        world.proxy.advance(60)
        client.h2.increment_flow_control_window(60_000)
        client.turn()
    assert client.responses[late].reset is client.responses[first].reset is None


def test_one_that_goes_on_is_not_watched_any_more(world):
    client = world.client(windows=False)
    stream = client.ask()
    world.upstreams[0].send(LARGE)
    client.turn()
    client.h2.increment_flow_control_window(1 << 20)
    client.h2.increment_flow_control_window(1 << 20, stream)
    client.turn()
    world.proxy.advance(50)
    world.upstreams[0].send(b"x" * 10)
    world.proxy.advance(50)
    world.upstreams[0].send(b"x" * 99_990)
    assert client.turn().responses[stream].ended and world.outcomes == ["ok"]


@pytest.mark.parametrize(("rate", "outcomes"), [(None, []), (4000, ["slow-response"]), (0, [])])
def test_responses_have_a_least_rate_of_their_own(make_world, rate, outcomes):
    world = make_world(limits=attrs.evolve(LIMITS, min_response_rate=rate))
    client = world.client(windows=False)
    stream = client.ask()
    world.upstreams[0].send(LARGE)
    client.turn()
    for _ in range(2):
        # 667 bytes a second
        world.proxy.advance(60)
        client.h2.increment_flow_control_window(40_000, stream)
        client.h2.increment_flow_control_window(40_000)
        client.turn()
    world.proxy.advance(35)
    assert world.outcomes == outcomes and (client.turn().responses[stream].reset == 8) is bool(outcomes)
