"""Which request lines are remembered, and how many."""

from __future__ import annotations

import random

import pytest

from tests.wire.http1.codecs import GET, NO_FIELDS, head_of
from txproxy.errors import RequestError
from txproxy.wire.http1.repeated_lines import MOST_BYTES, RepeatedLines
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.message import END, RequestHead, ResponseHead, SharedRequest
from txproxy.wire.size_limits import WireLimits

HEAD = RequestHead(b"GET", b"/", NO_FIELDS, b"a")
FIELDS = b"\r\nHost: a\r\nB: c\r\n\r\n"


def test_what_has_come_twice_is_known() -> None:
    lines = RepeatedLines({})
    lines.came(b"1", HEAD, 100)
    assert not lines.known
    lines.came(b"2", HEAD, 100)
    lines.came(b"1", HEAD, 100)
    assert list(lines.known) == [b"1"] and type(lines.known[b"1"]) is SharedRequest
    lines.forget()
    assert not lines.known and lines.room == MOST_BYTES
    lines.came(b"1", HEAD, 100)
    assert not lines.known


@pytest.mark.parametrize("size", [1, 100, 1000, MOST_BYTES // 2, MOST_BYTES, 10 * MOST_BYTES])
def test_so_much_is_remembered_and_no_more(size: int) -> None:
    lines = RepeatedLines({})
    most = 0
    for number in range(200):
        for _ in range(2):
            if b"%d" % number not in lines.known:
                lines.came(b"%d" % number, HEAD, size)
        most = max(most, len(lines.known))
    assert most == max(0, min(32, (MOST_BYTES - 1) // size) - (size < 256))


def test_who_never_repeats_himself_is_listened_to_no_longer() -> None:
    lines = RepeatedLines({})
    count = 0
    while lines.room:
        lines.came(b"%d" % count, HEAD, 100)
        count += 1
    assert count == 32 and not lines._once
    lines.forget()
    assert lines.room == MOST_BYTES


# -- in the codec


def known_codec(head: bytes = GET, limits: WireLimits | None = None) -> ServerCodec:
    """One that has read ``head`` thrice."""
    codec = ServerCodec(limits) if limits is not None else ServerCodec()
    for _ in range(3):
        codec.receive(head)
        head_of(codec)
        assert codec.next_event() is END
        codec.next_message()
    return codec


@pytest.mark.parametrize(
    "head", [GET, b"HEAD /a HTTP/1.1" + FIELDS, b"DELETE /?x HTTP/1.1" + FIELDS, b"GET http://a/b HTTP/1.1" + FIELDS]
)
def test_it_is_the_same_request(head: bytes) -> None:
    codec, other = known_codec(head), known_codec(head)
    request = codec.again(head)
    assert type(request) is SharedRequest and request.body == 0 and request.keep_alive
    other.repeated.clear()
    other.receive(head)
    read = head_of(other)
    assert type(read) is RequestHead
    assert other.next_event() is END
    for name in ("method", "scheme", "authority", "path", "headers", "body", "minor", "keep_alive"):
        assert getattr(request, name) == getattr(read, name), name
    answer = ResponseHead(200, NO_FIELDS, body=3)
    assert codec.send_whole(answer, b"abc", False) == other.send_whole(answer, b"abc", False)
    for one in (codec, other):
        assert not one.next_message() and not one.started
    assert codec.again(head) is request


def test_it_is_the_same_request_among_several() -> None:
    codec = known_codec()
    request = codec.repeated[b"GET / HTTP/1.1"]
    codec.receive(GET + GET + GET.replace(b"/ ", b"/b ") + GET)
    for same in (True, True, False, True):
        assert (codec.next_event() is request) is same and codec.next_event() is END
        codec.next_message()
    codec.receive(GET[:-4])
    assert codec.next_event() is None
    codec.receive(GET[-4:])
    assert codec.next_event() is request and not codec.buffered
    assert codec.next_event() is END and not codec.next_message()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GET[:-1],
        GET + GET,
        b"\r\n" + GET,
        GET + b"\r\n",
        GET.replace(b"/", b"/a"),
        GET.replace(b"GET", b"PUT"),
        GET.replace(b"1.1", b"1.0"),
        GET.replace(b"Host", b"HOST"),
        GET[-13:],
    ],
)
def test_nothing_else_is_taken(data: bytes) -> None:
    codec = known_codec()
    assert codec.again(data) is None and not codec.started and codec.again(GET) is not None


@pytest.mark.parametrize(
    "head",
    [
        b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
        GET.replace(b"1.1", b"1.0"),
        GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        b"GET /" + b"x" * 8190 + b" HTTP/1.1" + FIELDS,
    ],
)
def test_of_which_more_is_to_be_asked_is_not_remembered(head: bytes) -> None:
    codec = known_codec(head)
    assert not codec.repeated and codec.again(head) is None


def test_it_is_of_no_use_while_something_else_is_there() -> None:
    codec = known_codec()
    codec.receive(GET[:5])
    assert codec.again(GET) is None and codec.buffered == 5
    codec.receive(GET[5:])
    head_of(codec)
    assert codec.again(GET) is None  # its end is to come
    assert codec.next_event() is END and codec.again(GET) is None  # nor is it dealt with
    codec.next_message()
    assert codec.again(GET) is not None


def test_other_fields_and_other_limits_have_all_forgotten() -> None:
    other = GET.replace(b"a\r\n", b"a\r\nB: c\r\n")
    for varied in (False, True):
        codec = known_codec()
        if varied:
            for number in range(3):  # so that a template reads them
                codec.receive(other.replace(b"c\r", b"%d\r" % number))
                head_of(codec)
                assert codec.next_event() is END
                codec.next_message()
        codec.receive(other)
        head_of(codec)
        assert codec.next_event() is END
        codec.next_message()
        assert not codec.repeated and codec.again(GET) is None
    codec = known_codec()
    codec.use_limits(WireLimits(max_target=2))
    assert codec.again(GET) is None


def test_an_empty_line_before_it_is_allowed_once_more() -> None:
    codec = known_codec()
    codec.receive(b"\r\n")
    assert codec.next_event() is None and codec.again(GET) is not None
    codec.next_message()
    codec.receive(b"\r\n" + GET)
    head_of(codec)


PIECES = [
    GET,
    GET,
    GET,
    GET.replace(b"/", b"/b"),
    GET.replace(b"/", b"http://a/b"),
    GET.replace(b"GET", b"HEAD"),
    GET.replace(b"a\r\n", b"a\r\nB: c\r\n"),
    GET.replace(b"a\r\n", b"a\r\nB: d\r\n"),
    GET.replace(b"1.1", b"1.0"),
    b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    b"\r\n" + GET,
    GET + GET,
    GET[:9],
    GET[9:],
    GET.replace(b"/", b"/" + b"x" * 60),
]


def read_both_ways(seed: int) -> int:
    """Read the same by one that knows requests again, and by one that knows none; gives how many were known."""
    chosen = random.Random(seed)
    pieces = [GET] * 9 + chosen.sample(PIECES, 3)
    short, long = (ServerCodec(WireLimits(max_target=60)) for _ in range(2))
    hits = 0
    for _ in range(60):
        data = chosen.choice(pieces)
        told: list[list[object]] = []
        for codec in (short, long):
            told.append([])
            same = codec.again(data) if codec is short and codec.repeated else None
            if same is not None:
                hits += 1
                told[-1] += [repr(same), same.scheme, same.body, same.minor, same.keep_alive, repr(END)]
                codec.next_message()
            else:
                codec.receive(data)
            try:
                while True:
                    if codec is long:
                        codec.repeated.clear()
                    if (event := codec.next_event()) is None:
                        break
                    hits += type(event) is SharedRequest
                    told[-1].append(repr(event))
                    if isinstance(event, RequestHead):
                        told[-1] += [event.scheme, event.body, event.minor, event.keep_alive]
                    if event is END:
                        codec.next_message()
            except RequestError as fault:
                told[-1].append(fault.status)
            told[-1].append((codec.buffered, codec.started, codec.at_end, codec._method, codec._minor))
        assert told[0] == told[1]
        if 400 in told[0]:
            break
    return hits


def test_by_whichever_way_the_same_is_read() -> None:
    assert sum(map(read_both_ways, range(60))) > 600
