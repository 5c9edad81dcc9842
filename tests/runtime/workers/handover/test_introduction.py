"""Two workers that get to know each other."""

import socket

from txproxy.runtime.workers.channel import Channel, channel_pair
from txproxy.runtime.workers.handover.introduction import introduce


def test_each_gets_an_end_and_the_master_keeps_none():
    leaving, first = channel_pair()
    staying, second = channel_pair()
    introduce(leaving, staying)
    (gives,), (takes,) = (Channel(one).receive_all() for one in (first, second))
    assert (gives.kind, takes.kind) == ("hand over", "take over")
    with socket.socket(fileno=takes.descriptors[0]) as end:
        socket.socket(fileno=gives.descriptors[0]).close()
        assert end.recv(1) == b""
    for one in (leaving, staying):
        one.close()
    for one in (first, second):
        one.close()
