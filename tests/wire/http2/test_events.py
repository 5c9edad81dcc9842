"""What comes of the bytes of a peer."""

from txproxy.wire.http2.events import WRITABLE, GoingAway, StreamReset


def test_events_say_what_they_are() -> None:
    assert repr(WRITABLE) == "WRITABLE"
    assert GoingAway(1, 2) == GoingAway(1, 2) != GoingAway(1, 3)
    assert "by_peer=True" in repr(StreamReset(8, "why", by_peer=True))
