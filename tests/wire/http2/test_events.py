"""What comes of the bytes of a peer."""

from txproxy.wire.http2.events import ALL_SENT, WRITABLE, GoingAway, StreamReset


def test_events_say_what_they_are() -> None:
    assert (repr(WRITABLE), repr(ALL_SENT)) == ("WRITABLE", "ALL_SENT")
    assert GoingAway(1, 2) == GoingAway(1, 2) != GoingAway(1, 3)
    assert "by_peer=True" in repr(StreamReset(8, "why", by_peer=True))
