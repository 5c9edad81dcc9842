"""Messages with descriptors between processes."""

import os
import socket

import pytest
from twisted.internet.testing import MemoryReactorClock

from tests.net.descriptors import no_descriptor_to_be_had
from tests.runtime.workers.played import readable
from txproxy.runtime.workers.channel import Channel, Message, MessageBuffer, channel_pair, encoded


@pytest.fixture
def ends():
    """Both ends, one of them in a reactor: what it has received, and whether the other was lost."""
    ours, theirs = channel_pair()
    other = Channel(theirs)
    received, lost = [], []
    reactor = MemoryReactorClock()
    ours.start(reactor, received.append, lambda: lost.append(True))
    yield ours, other, received, lost, reactor
    ours.close()
    other.close()


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_messages_are_found_however_they_are_cut(size):
    buffer, found = MessageBuffer(), []
    data = encoded("one", {"a": 1}) + encoded("two", None, 2) + encoded("three", [b"x" * 500])
    for at in range(0, len(data), size):
        found += buffer.take(data[at : at + size], [7, 8] if at == 0 else [])
    assert found == [Message("one", {"a": 1}), Message("two", None, (7, 8)), Message("three", [b"x" * 500])]


def test_descriptors_come_with_the_message_that_they_were_sent_with(ends, tmp_path):
    ours, other, _, _, _ = ends
    files = [(tmp_path / name).open("w+") for name in "ab"]
    ours.send("plain")
    ours.send("first", 1, [files[0].fileno()])
    ours.send("second", 2, [files[1].fileno()])
    messages = [other.receive() for _ in range(3)]
    assert [message.kind for message in messages] == ["plain", "first", "second"]
    for message, name in zip(messages[1:], "ab", strict=True):
        (descriptor,) = message.descriptors
        os.write(descriptor, name.encode())
        os.close(descriptor)
        assert (tmp_path / name).read_text() == name
    for file in files:
        file.close()


def test_what_does_not_fit_waits_and_keeps_its_descriptors(ends):
    ours, other, _, _, reactor = ends
    with socket.socket() as sent:
        ours.send("large", b"x" * (4 << 20))
        ours.send("after", None, [sent.fileno()])
    assert ours.waiting and ours in reactor.getWriters()
    kinds = []
    other._socket.setblocking(False)
    while len(kinds) < 2:
        with pytest.raises(BlockingIOError):
            while True:
                kinds += [(message.kind, message.descriptors) for message in other.receive_all()]
        ours.doWrite()
    assert kinds[0] == ("large", ()) and kinds[1][0] == "after" and len(kinds[1][1]) == 1
    os.close(kinds[1][1][0])
    assert not ours.waiting and ours not in reactor.getWriters()


def test_the_end_of_the_other_side_is_told_once(ends):
    ours, other, received, lost, reactor = ends
    other.send("last")
    other.close()
    while ours in reactor.getReaders():
        assert readable(ours)
        ours.doRead()
    assert [message.kind for message in received] == ["last"] and lost == [True]
    ours.send("into the void")
    assert ours.closed and not ours.waiting


def test_what_came_with_a_message_that_was_waited_for_is_not_lost(ends):
    ours, other, _, _, reactor = ends
    for kind in ("first", "second", "third"):
        ours.send(kind)
    assert other.receive().kind == "first"
    heard = []
    other.start(reactor, heard.append, lambda: None)
    assert [message.kind for message in heard] == ["second", "third"]


def test_what_has_begun_is_heard_to_its_end_before_another_listens(ends):
    ours, other, received, _, _ = ends
    data = encoded("whole", b"x" * 1000)
    other._socket.sendall(data[:100])
    ours.doRead()
    assert received == []
    other._socket.sendall(data[100:])
    ours.settle(5)
    assert [message.kind for message in received] == ["whole"]


def test_the_last_words_are_sent_when_the_reactor_has_stopped(ends):
    ours, other, _, _, _ = ends
    ours.send("large", b"x" * (150 << 10))
    ours.send("last")
    assert other.receive().kind == "large" or ours.waiting
    ours.finish(0.5)
    assert not ours.waiting


def test_descriptors_for_which_there_is_no_room_end_it(ends):
    ours, other, received, lost, _ = ends
    with socket.socket() as one:
        other.send("with one", None, [one.fileno()])
    with no_descriptor_to_be_had():
        ours.doRead()
    assert received == [] and lost == [True] and ours.closed
