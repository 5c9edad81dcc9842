"""What leaves for another process, and what stays."""

import pytest

from tests.proxy.handover.two_processes import GET, MUCH, OK
from txproxy.net import splice

pytestmark = pytest.mark.skipif(not splice.AVAILABLE, reason="there is no splice(2) here")


def test_one_that_is_told_to_leave_has_all_the_time_where_it_may_stay(both):
    world = both()
    client = world.old.client()
    world.turns()
    world.old.factory.drain()
    carried = world.hand_over()
    assert carried.left is None
    client.sendall(GET)
    world.turns(6)
    world.new.upstreams[0].sendall(OK)
    answer = world.hear(client)
    assert answer.endswith(b"ok") and b"close" not in answer


def test_a_request_at_work_and_a_response_that_is_not_taken_stay(both):
    world = both()
    client = world.old.client()
    client.sendall(GET)
    world.turns(6)
    assert world.give() is None
    world.old.upstreams[0].sendall(OK)
    assert world.hear(client).endswith(b"ok")
    (guest,) = world.old.guests
    # As the end of an answer that the kernel has no room for.
    guest.transport.write(b"x" * MUCH)
    world.turns()
    assert guest.transport.dataBuffer and world.give() is None
    assert world.hear(client, MUCH) == b"x" * MUCH
    world.turns()
    given = world.give()
    given.close()
    client.close()
