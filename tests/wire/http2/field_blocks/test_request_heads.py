"""Heads of requests, out of field blocks."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hpack import Encoder

from txproxy.errors import RequestError
from txproxy.wire.headers import Headers
from txproxy.wire.http2.faults import StreamFault
from txproxy.wire.http2.field_blocks import huffman, request_heads
from txproxy.wire.http2.field_blocks.block_reader import MOST_FIELDS
from txproxy.wire.http2.field_blocks.field_entries import NeverIndexed
from txproxy.wire.http2.field_blocks.request_heads import RequestReader
from txproxy.wire.message import CHUNKED, UNTIL_CLOSE, VERSIONS, RequestHead
from txproxy.wire.size_limits import WireLimits

Fields = list[tuple[bytes, bytes]]
GET: Fields = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a"), (b":path", b"/")]
CONNECT: Fields = [(b":method", b"CONNECT"), (b":authority", b"a:443")]


def read(*fields: tuple[bytes, bytes], ended: bool = True, limits: WireLimits | None = None) -> RequestHead:
    return RequestReader(limits or WireLimits()).read(Encoder().encode(list(fields)), ended)


def test_a_request() -> None:
    head = read(*GET[:2], (b":path", b"/b?c"), (b":authority", b"a:8443"), (b"x", b"1"), (b"y", b"2"))
    assert (head.method, head.scheme, head.authority, head.path) == (b"GET", b"https", b"a:8443", b"/b?c")
    assert head.headers.lines == [b"host: a:8443", b"x: 1", b"y: 2"]
    assert (head.body, head.keep_alive, VERSIONS[head.minor]) == (0, True, b"2.0")


def test_how_long_a_body_is() -> None:
    assert read(*GET, ended=False).body == CHUNKED
    assert read(*GET, (b"content-length", b"5"), ended=False).body == 5
    assert read(*GET, (b"content-length", b"0"), ended=True).body == 0
    assert read(*CONNECT, ended=False).body == UNTIL_CLOSE
    assert read(*CONNECT, (b"content-length", b"0"), ended=False).body == UNTIL_CLOSE
    with pytest.raises(StreamFault, match="ends before its body"):
        read(*GET, (b"content-length", b"5"), ended=True)


def test_cookies_are_one_again() -> None:
    # RFC 9113 8.2.3
    head = read(*GET, (b"cookie", b"a=b"), (b"x", b"1"), (b"cookie", b"c=d"), (b"cookie", b"e"))
    assert head.headers.lines == [b"host: a", b"cookie: a=b; c=d; e", b"x: 1"]


def test_host_says_the_same_or_is_all_that_there_is() -> None:
    assert read(*GET, (b"host", b"A")).headers.lines == [b"host: a"]
    alone = read(GET[0], GET[1], GET[3], (b"x", b"1"), (b"host", b"b"))
    assert (alone.authority, alone.headers.lines) == (b"b", [b"x: 1", b"host: b"])
    with pytest.raises(StreamFault, match="another than"):
        read(*GET, (b"host", b"b"))


def test_connect() -> None:
    head = read(*CONNECT, ended=False)
    assert (head.method, head.scheme, head.authority, head.path) == (b"CONNECT", b"", b"a:443", b"")
    reader = RequestReader()
    extended = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]]
    assert reader.read(Encoder().encode(extended), False).path == b"/"
    assert reader.protocol == b"websocket"
    reader.read(Encoder().encode(GET), True)
    assert reader.protocol == b""


# RFC 9113 8.3.1, 8.5; RFC 8441 4
@pytest.mark.parametrize(
    "fields",
    [
        GET[1:],
        [GET[0], *GET[2:]],
        [*GET[:3]],
        [*GET[:2], GET[3]],
        [*GET[:3], (b":path", b"*")],
        [*GET[:3], (b":path", b"a")],
        [*GET, (b":protocol", b"websocket")],
        [*GET, (b"connection", b"close")],
        [*GET, (b"X", b"upper")],
        [*CONNECT, (b":path", b"/")],
        [*CONNECT, (b":scheme", b"https")],
        [(b":method", b"CONNECT"), (b":authority", b"a")],
        [(b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":authority", b"a")],
    ],
)
def test_malformed_requests(fields: Fields) -> None:
    with pytest.raises(StreamFault):
        read(*fields)


def test_the_asterisk_is_for_options() -> None:
    assert read((b":method", b"OPTIONS"), *GET[1:3], (b":path", b"*")).path == b"*"


@pytest.mark.parametrize(
    ("more", "ended", "status"),
    [
        ([(b":path", b"/" + b"x" * 100)], True, 414),
        ([(b":path", b"/"), *[(b"x%d" % n, b"") for n in range(10)]], True, 431),
        ([(b":path", b"/"), (b"x", b"y" * 1000)], True, 431),
        ([(b":path", b"/"), (b"content-length", b"51")], False, 413),
    ],
)
def test_what_is_too_large_is_answered(more: Fields, ended: bool, status: int) -> None:
    limits = WireLimits(max_head=900, max_target=100, max_fields=10, max_body=50)
    with pytest.raises(RequestError) as found:
        read(*GET[:3], *more, ended=ended, limits=limits)
    assert found.value.status == status


@pytest.mark.parametrize(
    ("more", "ended", "status"),
    [
        ([(b":path", b"/" + b"x" * 100)], True, 414),
        ([(b":path", b"/"), *[(b"x%d" % n, b"") for n in range(10)]], True, 431),
        ([(b":path", b"/"), (b"x", b"y" * 1000)], True, 431),
        ([(b":path", b"/"), (b"content-length", b"51")], False, 413),
    ],
)
def test_what_is_too_large_is_of_the_type_that_it_has_said(more: Fields, ended: bool, status: int) -> None:
    limits = WireLimits(max_head=900, max_target=100, max_fields=10, max_body=50)
    for said in [[], [(b"content-type", b"application/grpc+proto")]]:
        with pytest.raises(RequestError) as found:
            read(*GET[:3], *more, *said, ended=ended, limits=limits)
        assert (found.value.status, found.value.content_type) == (status, said[0][1] if said else b"")


def test_a_bomb_is_answered_and_not_unpacked() -> None:
    reader = RequestReader()
    encoder = Encoder()
    reader.read(encoder.encode([*GET, (b"a", b"x" * 3900)]), True)
    with pytest.raises(RequestError) as found:
        reader.read(encoder.encode(GET) + b"\xbe" * 50000, True)
    assert found.value.status == 431
    cookies = RequestReader(WireLimits(max_head=1 << 24))
    cookies.read(b"\x82\x87\x84\x41\x01a\x60\x01b", True)
    with pytest.raises(RequestError):
        cookies.read(b"\x82\x87\x84\xbf" + b"\xbe" * 5000, True)


def test_nothing_is_made_of_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = RequestReader()
    reader.read(Encoder().encode([*GET, (b"cookie", b"c" * 3900)]), True)
    made: list[object] = []
    monkeypatch.setattr(request_heads, "_fields", lambda *of: made.append(of))
    for count in range(20, 4000, 200):
        with pytest.raises(RequestError) as found:
            # a byte for each, of what would become megabytes
            reader.read(b"\x82\x87\x84\xbf" + b"\xbe" * count, True)
        assert found.value.status == 431
    assert not made


def test_little_is_kept_of_heads_that_are_large() -> None:
    reader = RequestReader()
    large = b"\x00\x01x\x7f\xa1\xc0\x02" + b"y" * 41_120
    tracemalloc.start()
    try:
        for number in range(30):
            block = b"\x82\x87\x04\x02/a\x01\x01a" + large + b"\x00\x02%02d\x00" % number
            assert len(reader.read(block, True).headers.lines) == 3
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 400_000


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ((b"a", b"1"), (b"b", b""), (b"c", b"x: y")),
        ((b"cookie", b"a=1"), (b"a", b"1"), (b"cookie", b"b=2"), (b"z", b"1"), (b"cookie", b"c=3")),
        ((b"host", b"A"), (b"b", b"1")),
        ((b"a", b"1"), (b"b", b"1"), (b"a", b"2")),
        ((b"cookie", b"a=1"), (b"a", b"1"), (b"cookie", b"b=2"), (b"a", b"3"), (b"host", b"a")),
    ],
)
@pytest.mark.parametrize("authority", [True, False])
def test_fields_are_found_by_their_names_as_in_lines(fields: tuple[tuple[bytes, bytes], ...], authority: bool) -> None:
    if not authority and b"host" not in dict(fields):
        fields = ((b"host", b"b"), *fields)
    headers = read(*[field for field in GET if authority or field[0] != b":authority"], *fields).headers
    assert [*headers.index.items()] == [*Headers.parsed(headers.lines).index.items()]


def test_fields_that_change_the_table_are_those_of_no_other_request() -> None:
    reader, request = RequestReader(), b"\x82\x87\x84\x01\x01a"
    assert not reader.read(request, True).headers.once
    assert reader.read(request + b"\x40\x01x\x011", True).headers.once
    first, second = (reader.read(request + b"\xbe", True).headers for _ in range(2))
    assert first is second and not first.once


def test_what_trailers_do_to_the_table_ends_what_is_remembered() -> None:
    reader, request = RequestReader(), b"\x82\x87\x84\x01\x01a"
    reader.read(request + b"\x40\x01x\x011", True)
    assert reader.read(request + b"\xbe", True).headers.lines == [b"host: a", b"x: 1"]
    reader.read_trailers(b"\x40\x01y\x012")
    # The same bytes mean another field now.
    assert reader.read(request + b"\xbe", True).headers.lines == [b"host: a", b"y: 2"]


def test_trailers_that_are_too_many_are_refused_and_not_cut() -> None:
    reader = RequestReader(WireLimits(max_head=1 << 24, max_fields=1 << 20))
    request = b"\x82\x87\x84\x01\x01a"
    reader.read(request + b"\x40\x01x\x011", False)
    assert len(reader.read_trailers(b"\xbe" * (MOST_FIELDS - 1)).lines) == MOST_FIELDS - 1
    for count in (MOST_FIELDS, MOST_FIELDS + 1, 2 * MOST_FIELDS):
        with pytest.raises(RequestError) as found:
            reader.read_trailers(b"\xbe" * count + b"\x40\x01y\x012")
        assert found.value.status == 431
        # What comes after those that are kept has its place in the table.
        assert reader.read(request + b"\xbe", True).headers.lines == [b"host: a", b"y: 2"]
        reader.read(request + b"\x40\x01x\x011", False)


@pytest.mark.parametrize("before", range(3))
def test_the_asterisk_is_no_path_of_a_request_that_was_seen_before(before: int) -> None:
    reader = RequestReader()
    for _ in range(before):
        reader.read(b"\x82\x87\x04\x02/a\x01\x01a", True)
    with pytest.raises(StreamFault, match="asterisk"):
        reader.read(b"\x82\x87\x04\x01*\x01\x01a", True)


def test_trailers() -> None:
    reader = RequestReader()
    assert reader.read_trailers(Encoder().encode([(b"x", b"1")])).lines == [b"x: 1"]
    for wrong in ((b":path", b"/"), (b"connection", b"x"), (b"content-length", b"1"), (b"host", b"a"), (b"X", b"1")):
        with pytest.raises(StreamFault):
            reader.read_trailers(Encoder().encode([wrong]))
    with pytest.raises(RequestError):
        reader.read_trailers(Encoder().encode([(b"x", b"y" * 70000)]))


def literal_path(path: bytes) -> bytes:
    encoded = huffman.encode(path)
    assert len(encoded) < 127
    return b"\x04" + bytes([0x80 | len(encoded)]) + encoded


def test_what_repeats_has_the_same_fields() -> None:
    reader = RequestReader()
    first = Encoder().encode(GET)
    encoder = Encoder()
    encoder.encode(GET)
    again = encoder.encode(GET)
    heads = [reader.read(first, True), *(reader.read(again, True) for _ in range(3))]
    assert heads[1].headers is heads[2].headers is heads[3].headers
    assert heads[0].headers == heads[1].headers
    before, after = b"\x82\x87", b"\xbe"
    varied = [reader.read(before + literal_path(b"/%d" % number) + after, True) for number in range(5)]
    assert [head.path for head in varied] == [b"/%d" % number for number in range(5)]
    assert len({id(head.headers) for head in varied[1:]}) == 1
    assert reader.read(before + literal_path(b"/x") + after, False).body == CHUNKED
    for wrong in (b"x", b"/ ", b""):
        with pytest.raises(StreamFault):
            reader.read(before + literal_path(wrong) + after, True)


def test_requests_of_who_puts_each_path_into_the_table_have_the_same_fields() -> None:
    reader, encoder = RequestReader(), Encoder()
    heads = []
    for number in range(8):
        # The fifth says another field, and from then on it is that.
        fields = [*GET[:3], (b":path", b"/%d" % number), (b"x", b"1" if number < 4 else b"2")]
        heads.append(reader.read(encoder.encode(fields), True))
    assert [head.path for head in heads] == [b"/%d" % number for number in range(8)]
    assert [head.headers.once for head in heads] == [True, False, False, False, True, False, False, False]
    assert heads[1].headers is heads[2].headers is heads[3].headers is not heads[4].headers
    assert heads[5].headers is heads[6].headers is heads[7].headers
    assert heads[3].headers.lines == [b"host: a", b"x: 1"] and heads[7].headers.lines == [b"host: a", b"x: 2"]


def test_their_paths_are_looked_at_as_any() -> None:
    reader, encoder = RequestReader(WireLimits(max_target=20)), Encoder()
    for number in range(4):
        reader.read(encoder.encode([*GET[:3], (b":path", b"/%d" % number)]), True)
    for wrong, fault in ((b"*", StreamFault), (b"x", StreamFault), (b"/ ", StreamFault), (b"/" * 21, RequestError)):
        with pytest.raises(fault):
            reader.read(encoder.encode([*GET[:3], (b":path", wrong)]), True)
    # A second one, or none.
    for paths in ([(b":path", b"/a"), (b":path", b"/b")], []):
        with pytest.raises(StreamFault):
            reader.read(encoder.encode([*GET[:3], *paths, (b"new", b"%d" % len(paths))]), True)


def test_what_is_to_be_in_no_table_is_told_from_the_same_that_may_be() -> None:
    reader = RequestReader()
    kinds = []
    for number, never in enumerate((0, 0, 0, 1, 1, 1, 0, 0, 0)):
        field = b"%c\x01x\x011" % (0x10 if never else 0)
        # The path goes into the table each time.
        head = reader.read(b"\x82\x87\x01\x01a\x44\x02/%d" % number + field, True)
        assert head.path == b"/%d" % number and head.headers.lines == [b"host: a", b"x: 1"]
        kinds.append(type(head.headers.lines[1]) is NeverIndexed)
    assert kinds == [False, False, False, True, True, True, False, False, False]


def test_large_fields_are_kept_for_no_other_request() -> None:
    reader, encoder = RequestReader(), Encoder()
    large = (b"x", b"y" * 9000)
    heads = [reader.read(encoder.encode([*GET[:3], (b":path", b"/%d" % number), large]), True) for number in range(4)]
    assert len({id(head.headers) for head in heads}) == 4 and all(head.headers.once for head in heads)


@pytest.mark.parametrize("seed", range(30))
def test_what_is_remembered_changes_nothing(seed: int) -> None:
    # A reader that has seen much says what one says that has only the same table.
    pick = random.Random(seed)
    encoder, reader, other = Encoder(), RequestReader(), Encoder()
    values = [b"1", b"2", b"three"]
    more: Fields = []
    for _ in range(60):
        fields = [*GET[:3]]
        path = b"/%d" % pick.randrange(8)
        if pick.random() < 0.05:
            fields[0], path = (b":method", pick.choice([b"OPTIONS", b"GET"])), b"*"
        if pick.random() < 0.5:
            pick.shuffle(fields)
        more = [
            (pick.choice([b"x", b"y", b"cookie", b"content-length"]), pick.choice(values[:2]))
            for _ in range(pick.randrange(3))
        ]
        # Some put each path into the table.
        block = encoder.encode(fields)
        block += encoder.encode([(b":path", path)]) if seed % 2 else literal_path(path)
        block += encoder.encode(more)
        ended = pick.random() < 0.5
        fresh = RequestReader()
        plain = other.encode([*fields, (b":path", path), *more])
        other = Encoder()
        assert outcome(reader, block, ended) == outcome(fresh, plain, ended)


def outcome(reader: RequestReader, block: bytes, ended: bool) -> object:
    try:
        head = reader.read(block, ended)
    except StreamFault as fault:
        return fault.detail
    return head.method, head.path, head.authority, head.scheme, head.body, head.headers.lines


@pytest.mark.parametrize(
    "name", [b"x-forwarded-for", b"x_forwarded_for", b"forwarded", b"x-real-ip", b"expires", b"via"]
)
def test_what_has_no_place_after_a_body_does_not_pass(name: bytes) -> None:
    found = RequestReader().read_trailers(Encoder().encode([(b"t", b"1"), (name, b"10.0.0.1"), (b"u", b"2")]))
    assert found.lines == [b"t: 1", b"u: 2"]
