"""A body on its way into the cache: who reads it, how far ahead it may be, and what becomes of it."""

import pytest

from tests.proxy.caching.caching_proxy import get, got
from txproxy.proxy.caching.filling.fill_body import AHEAD

FRESH = {"cache_control": "max-age=60"}
PIECE = b"x" * 65536
LONG = 4 * AHEAD


@pytest.fixture
def large(make):
    return make(size=64 << 20)


def begun(proxy, clients, length=LONG, **fields):
    """An origin that has sent the head of a response of so many bytes."""
    origin, _ = proxy.question()
    origin.send(proxy.response("", length=length, **FRESH, **fields))
    assert all(client.take().startswith(b"HTTP/1.1 200") for client in clients)
    return origin


def sent_until_paused(origin, most=LONG):
    sent = 0
    while not origin.paused and sent < most:
        origin.send(PIECE)
        sent += len(PIECE)
    return sent


def test_it_is_given_byte_by_byte_to_all_that_read_it(proxy):
    clients = proxy.herd(get(), get())
    begun_at = begun(proxy, clients, length=5)
    for byte in (b"h", b"e", b"l", b"l"):
        begun_at.send(byte)
        assert [client.take() for client in clients] == [byte, byte]
    clients += proxy.herd(get())
    begun_at.send(b"o")
    assert [one[-1:] for one in (client.take() for client in clients)] == [b"o", b"o", b"o"]
    assert not proxy.questions() and proxy.ask(get())[0].body == b"hello"


@pytest.mark.parametrize("there", range(5))
def test_one_may_join_at_each_byte(proxy, there):
    clients = proxy.herd(get())
    origin = begun(proxy, clients, length=5)
    origin.send(b"hello"[:there])
    clients += proxy.herd(get())
    origin.send(b"hello"[there:])
    first, second = (client.take() for client in clients)
    assert first == b"hello" and second.endswith(b"\r\n\r\nhello")
    assert not proxy.questions()


def test_all_slow_slow_the_origin_down(large):
    clients = large.herd(get(), get())
    origin = begun(large, clients)
    for client in clients:
        client.stop_reading()
    sent = sent_until_paused(origin)
    assert AHEAD < sent < AHEAD + 4 * len(PIECE)
    clients[0].read_on()
    large.clock.advance(0)
    assert not origin.paused
    clients[1].read_on()
    large.clock.advance(0)
    while sent < LONG:
        origin.send(PIECE)
        sent += len(PIECE)
    assert [len(client.take()) for client in clients] == [LONG, LONG]


def test_a_fast_one_among_them_is_not_slowed_down(large):
    slow, fast = clients = large.herd(get(), get())
    origin = begun(large, clients)
    slow.stop_reading()
    assert sent_until_paused(origin) == LONG
    assert len(fast.take()) == LONG
    slow.read_on()
    for _ in range(LONG // AHEAD):
        large.clock.advance(0)
    assert len(slow.take()) == LONG


@pytest.mark.parametrize(("length", "wanted"), [(LONG, False), (2 * AHEAD, True)])
def test_when_slow_ones_leave_the_rest_comes_or_is_not_wanted(large, length, wanted):
    (client,) = large.herd(get())
    origin = begun(large, [client], length=length)
    client.stop_reading()
    sent = sent_until_paused(origin)
    assert origin.paused
    client.drop()
    large.clock.advance(0)
    if wanted:
        assert not origin.paused and not origin.closed
        while sent < length:
            origin.send(PIECE)
            sent += len(PIECE)
        assert large.ask(get())[1] is None
    else:
        assert origin.closed and origin.reset and not len(large.store)


def chunked(proxy, clients):
    origin, _ = proxy.question()
    origin.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
    for client in clients:
        client.take()
    return origin


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("size", [1, 1000, 65536])
def test_what_outgrows_the_store_reaches_all_that_read_it(proxy, size):
    clients = proxy.herd(get(), get())
    origin = chunked(proxy, clients)
    total = proxy.store.max_object + 5 * size
    data = bytes(index % 251 for index in range(total))
    parts = (
        [data[at : at + size] for at in range(0, total, size)]
        if size > 1
        else [data[:-5], *(bytes([one]) for one in data[-5:])]
    )
    for part in parts:
        origin.send(chunk(part))
    origin.send(b"0\r\n\r\n")
    for client in clients:
        body = client.take()
        assert body.endswith(b"0\r\n\r\n") and dechunked(body) == data
    assert not len(proxy.store) and not proxy.store.growing
    _, asked = proxy.ask(get(), proxy.response(**FRESH))
    assert asked is not None


def dechunked(data):
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        if not int(size, 16):
            return body
        body += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]


def test_what_outgrows_it_waits_for_the_slowest(proxy):
    slow, _ = clients = proxy.herd(get(), get())
    origin = chunked(proxy, clients)
    slow.stop_reading()
    sent = 0
    while not origin.paused:
        origin.send(chunk(PIECE))
        sent += len(PIECE)
        assert sent < 3 * AHEAD
    slow.read_on()
    proxy.clock.advance(0)
    assert not origin.paused
    origin.send(b"0\r\n\r\n")
    assert all(len(dechunked(client.take())) == sent for client in clients)


def test_what_outgrows_it_and_nobody_reads_is_not_fetched(proxy):
    proxy.ask(get(), proxy.response(etag='"1"', cache_control="max-age=60, stale-while-revalidate=60"))
    proxy.pass_time(61)
    proxy.ask(get())
    origin = proxy.upstream
    origin.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(proxy.store.max_object // len(PIECE) + 1):
        origin.send(chunk(PIECE))
    proxy.clock.advance(0)
    assert origin.closed and not proxy.cache.fills


def test_what_nobody_reads_and_never_ends_is_not_fetched(large):
    (client,) = large.herd(get())
    origin = chunked(large, [client])
    origin.send(chunk(b"x"))
    client.drop()
    sent = 0
    while not origin.disconnecting and sent < LONG:
        origin.send(chunk(PIECE))
        sent += len(PIECE)
    assert AHEAD <= sent < LONG and not large.cache.fills


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("fault", [MemoryError, OSError, ValueError])
def test_a_store_that_fails_is_no_matter_to_those_that_read(proxy, monkeypatch, at, fault):
    clients = proxy.herd(get(), get())
    origin = begun(proxy, clients, length=5)
    count = 0
    body = next(iter(proxy.cache.fills.values()))[0].body
    write = body._writer.write

    def failing(data):
        nonlocal count
        count += 1
        if count == at:
            raise fault
        return write(data)

    monkeypatch.setattr(type(body._writer), "write", lambda self, data: failing(data))
    for byte in (b"h", b"e", b"l", b"l", b"o"):
        origin.send(byte)
    assert [client.take() for client in clients] == [b"hello"] * 2
    assert not len(proxy.store)


def test_parts_in_any_order_of_what_is_not_kept(proxy, monkeypatch):
    (client,) = proxy.herd(get())
    origin = begun(proxy, [client], length=300_000)
    data = bytes(index % 251 for index in range(300_000))
    origin.send(data[:50_000])
    monkeypatch.setattr(type(proxy.store), "make_room", lambda self, count: False)
    (other,) = proxy.herd(get(range="bytes=250000-250001,150000-150001"))
    for at in range(50_000, 300_000, 10_000):
        origin.send(data[at : at + 10_000])
    body = got([other])[0].body
    assert data[250_000:250_002] in body and data[150_000:150_002] in body.partition(data[250_000:250_002])[2]
    assert client.take() == data


def test_who_asks_for_a_part_gets_it_as_soon_as_it_is_there(proxy):
    clients = proxy.herd(get())
    origin = begun(proxy, clients, length=5)
    clients = proxy.herd(get(range="bytes=1-2"), get(range="bytes=-2"))
    origin.send(b"hel")
    first, second = got(clients)
    assert (first.status, first.body, second.status, second.body) == (206, b"el", 206, b"")
    origin.send(b"lo")
    assert clients[1].take() == b"lo"


@pytest.mark.parametrize("head_there", [True, False])
@pytest.mark.parametrize(
    ("part", "near"), [("0-1", True), ("-1", False), (f"{AHEAD}-", True), (f"0-1,{3 * AHEAD}-", False)]
)
def test_who_looks_for_what_is_far_off_does_not_wait_for_it(large, head_there, part, near):
    (first,) = large.herd(get())
    origin, _ = large.question()
    head = large.response("", length=LONG, **FRESH)
    if head_there:
        origin.send(head)
    (other,) = large.herd(get(range=f"bytes={part}"))
    if not head_there:
        origin.send(head)
    asked = large.questions()
    assert len(asked) == (0 if near else 1)
    for connection, question in asked:
        assert part.encode() in question
        connection.send(large.response("x", "206 Partial Content", content_range=f"bytes 0-0/{LONG}"))
        assert got([other])[0].body == b"x"
    for client in (first, other):
        client.drop()


@pytest.mark.parametrize(("each", "kept"), [(1, False), (PIECE, True)])
def test_what_nobody_reads_has_to_come_soon(large, each, kept):
    (client,) = large.herd(get())
    origin = begun(large, [client], length=LONG)
    for _ in range(LONG // len(PIECE) // 2):
        origin.send(PIECE)
    client.drop()
    for _ in range(100):
        if len(large.store) or origin.disconnecting:
            break
        origin.send(each if isinstance(each, bytes) else b"x" * each)
        large.advance(2)
    assert (len(large.store) == 1) is kept and origin.reset is not kept


def test_who_comes_back_has_it_go_on(large):
    (client,) = large.herd(get())
    origin = begun(large, [client], length=10)
    client.drop()
    large.advance(50)
    origin.send(b"x")
    (other,) = large.herd(get())
    large.advance(30)
    origin.send(b"x" * 9)
    assert got([other])[0].body == b"x" * 10
