"""What is stored of a body, given to one client at its own pace."""

import os
import tempfile
import zlib

import pytest

from tests.net.sockets import World
from txproxy.cache.disk import file_body as stored_bodies
from txproxy.cache.disk.segment import NotInMemory, Segment
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.stored import FileRange, MemoryBody
from txproxy.proxy.caching.cache_middleware import CacheMiddleware
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.proxy.caching.stored_reader import Reader

DATA = (bytes(range(251)) * ((3 << 20) // 251 + 1))[: 3 << 20]


class FileBody:
    """A body in a file."""

    def __init__(self, fd, length):
        self.fd = fd
        self.length = length

    def parts(self, start, stop):
        return [FileRange(self.fd, start, stop - start)] if start < stop else []


class Receiver:
    """A client that may be slow after so many bytes."""

    def __init__(self, most=None):
        self.got = b""
        self.most = most
        self.ended = self.fault = None
        self.reader = None

    def response_body(self, data):
        self.got += data
        if self.most is not None and len(self.got) >= self.most:
            self.reader.pause_response()

    def response_end(self, trailers):
        assert self.ended is None
        self.ended = True

    def source_failed(self, fault):
        self.fault = fault

    def flush(self):
        """Nothing is gathered."""

    def sending_socket(self):
        return None


@pytest.fixture
def turns():
    return []


@pytest.fixture(params=["memory", "file"])
def body(request):
    if request.param == "memory":
        yield MemoryBody(DATA)
    else:
        with tempfile.TemporaryFile() as file:
            os.pwrite(file.fileno(), DATA, 0)
            yield FileBody(file.fileno(), len(DATA))


def start(body, pieces, turns, most=None):
    receiver = Receiver(most)
    receiver.reader = reader = Reader(body, pieces, None, turns.append)
    reader.start(receiver)
    return receiver


def all_turns(turns):
    while turns:
        turns.pop(0)()


@pytest.mark.parametrize(
    "pieces", [((0, len(DATA)),), ((5, 6),), (b"--", (7, 9), b"==", (0, 3), b"--"), (b"only",), ((0, 0),), ()]
)
def test_pieces_are_given_in_order(body, pieces, turns):
    receiver = start(body, pieces, turns)
    all_turns(turns)
    assert receiver.ended
    assert receiver.got == b"".join(one if isinstance(one, bytes) else DATA[slice(*one)] for one in pieces)


def test_others_have_their_turn_in_between(body, turns):
    receiver = start(body, ((0, len(DATA)),), turns)
    assert len(receiver.got) <= (1 << 20) + 65536 and len(turns) == 1
    all_turns(turns)
    assert receiver.got == DATA and receiver.ended


def test_a_slow_client_gets_no_more(body, turns):
    receiver = start(body, (b"head", (0, len(DATA))), turns, most=4)
    assert receiver.got == b"head" and not turns
    receiver.most = None
    receiver.reader.resume_response()
    all_turns(turns)
    assert receiver.got == b"head" + DATA


def test_who_has_left_gets_no_more(body, turns):
    receiver = start(body, ((0, len(DATA)),), turns)
    receiver.reader.close()
    there = len(receiver.got)
    all_turns(turns)
    receiver.reader.resume_response()
    assert len(receiver.got) == there and not receiver.ended and receiver.fault is None


def test_a_file_that_is_shorter_than_it_was_is_told(turns):
    with tempfile.TemporaryFile() as file:
        os.pwrite(file.fileno(), DATA[:10], 0)
        receiver = start(FileBody(file.fileno(), 20), ((0, 20),), turns)
    assert receiver.got == DATA[:10] and receiver.fault is not None and not receiver.ended


class Failing(MemoryBody):
    """A body that cannot be read."""

    def parts(self, start, stop):
        raise OSError("the disk is gone")


class Lost(MemoryBody):
    """A body of which a part is not there any more."""

    def parts(self, start, stop):
        return []


@pytest.mark.parametrize("kind", [Failing, Lost])
def test_what_cannot_be_read_is_told(kind, turns):
    receiver = start(kind(DATA), (b"head", (0, 20)), turns)
    assert receiver.got == b"head" and receiver.fault is not None and not receiver.ended


class Growing:
    """A body that is still coming, as far as a reader sees it."""

    def __init__(self):
        self.available = 0
        self.waiting = []
        self.gone = []

    @property
    def length(self):
        return self.available

    def parts(self, start, stop):
        return [DATA[start:stop]]

    def reader_waits(self, reader):
        self.waiting.append(reader)

    def reader_gone(self, reader):
        self.gone.append(reader)


@pytest.fixture
def growing():
    return Growing()


def begin(growing, pieces):
    receiver = Receiver()
    receiver.reader = reader = Reader(growing, pieces, None, [].append, growing)
    reader.start(receiver)
    return receiver, reader


def test_what_comes_is_given_and_waited_for(growing):
    receiver, reader = begin(growing, ((0, -1),))
    assert growing.waiting == [reader]
    growing.available = 3
    reader.go_on()
    assert receiver.got == DATA[:3] and not receiver.ended and reader.position == 3
    reader.complete(MemoryBody(DATA[:5]))
    assert receiver.got == DATA[:5] and receiver.ended and not growing.gone


def test_a_part_ends_before_the_body_does(growing):
    growing.available = 2
    receiver, reader = begin(growing, ((1, 4),))
    assert receiver.got == DATA[1:2] and not receiver.ended
    growing.available = 9
    reader.go_on()
    assert receiver.got == DATA[1:4] and receiver.ended and growing.gone == [reader]


@pytest.mark.parametrize(
    ("pieces", "available", "needed"),
    [
        (((0, -1),), 0, 0),
        (((0, -1),), 7, 7),
        (((5, 9),), 0, 5),
        (((5, 9),), 7, 7),
        ((b"-", (5, 9), b"-", (2, 4)), 0, 2),
        ((b"-", (5, 9), b"-", (7, 10)), 6, 6),
        ((b"-", (5, 9), b"-", (20, 22)), 12, 20),
    ],
)
def test_what_it_needs_is_known(growing, pieces, available, needed):
    growing.available = available
    _, reader = begin(growing, pieces)
    assert reader.needed == needed


def test_a_body_that_fails_fails_its_reader_once(growing):
    receiver, reader = begin(growing, ((0, -1),))
    reader.fail()
    reader.fail()
    assert receiver.fault is not None and not growing.gone


def test_what_could_not_be_read_is_not_believed_any_more(turns, tmp_path):
    segment = Segment(os.open(tmp_path / "1", os.O_RDWR | os.O_CREAT), 1)
    segment.append(DATA[: 1 << 20])
    body = stored_bodies.FileBody(1 << 20, zlib.crc32(DATA[: 1 << 20]), [stored_bodies.Piece(segment, 0, 1 << 20)])
    assert body.check(wait=True) and body.check(wait=False)
    os.ftruncate(segment.fd, 1000)
    receiver = start(body, ((0, 1 << 20),), turns)
    assert receiver.got == DATA[:1000] and receiver.fault is not None and not receiver.ended
    os.ftruncate(segment.fd, 1 << 20)
    with pytest.raises(NotInMemory):
        body.check(wait=False)
    assert not body.check(wait=True)


@pytest.mark.parametrize("take", [4096, 1 << 20], ids=["slow client", "fast client"])
def test_what_the_kernel_sends_comes_after_its_head_and_before_the_next_one(take):
    world = World(middleware=[CacheMiddleware(SharedCache(MemoryStore(8 << 20)))])
    head = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n"
    bodies = {b"/small": b"small", b"/large": DATA[:500_000]}
    for path, body in bodies.items():
        world.request(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
        start = head % len(body)
        got = world.carry(world.upstreams[0], start + body, world.client, size=len(body))
        while not got.endswith(body[-100:]):
            got += world.hear(world.client)
    wanted = [b"/large", b"/small", b"/large", b"/large", b"/small"]
    asked = b"".join(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in wanted)
    got = world.carry(world.client, asked, world.client, size=sum(len(bodies[path]) for path in wanted), gulp=take)
    while got.count(b"; hit; ") < len(wanted) or not got.endswith(b"small"):
        got += world.hear(world.client)
    for path in wanted:
        found, _, got = got.partition(b"\r\n\r\n")
        assert b"; hit; " in found
        assert got.startswith(bodies[path])
        got = got[len(bodies[path]) :]
    assert got == b""
    world.close()
