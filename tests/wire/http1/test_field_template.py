"""What a template reads is what the pattern reads: each test asks a codec that has one, and a new one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.alike_heads import section, sections
from tests.wire.http1.corpus import CASES, Case, Reading, client_codec, cut
from txproxy.errors import ExchangeError
from txproxy.wire.forwarding import passage
from txproxy.wire.headers import Headers
from txproxy.wire.http1.client import ClientCodec
from txproxy.wire.http1.field_template import FIXED_IN_REQUESTS, LONGEST, FieldTemplate, learned
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.message import RequestHead, ResponseHead
from txproxy.wire.size_limits import WireLimits

REQUEST = b"GET /%d HTTP/1.1\r\nHost: a\r\nX-Id: %d\r\nAccept: */*\r\nCookie: a=%d; b\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nDate: now\r\nX-Id: %d\r\nContent-Length: 0\r\nETag: %d\r\n\r\n"


def parsed(*lines: bytes) -> Headers:
    return Headers.parsed(list(lines))


def told(head: RequestHead | ResponseHead | None) -> object:
    """All that there is to a head, names in their order."""
    if head is None:
        return None
    names = ("method", "scheme", "authority", "path", "status", "reason", "body", "minor", "keep_alive")
    headers = head.headers
    return [getattr(head, name, None) for name in names], headers.lines, list(headers.index.items()), headers.block


def server_with_template(limits: WireLimits | None = None, heads: Iterable[bytes] | None = None) -> ServerCodec:
    codec = ServerCodec(limits or WireLimits())
    for head in heads if heads is not None else [REQUEST % (number, number, number) for number in range(3)]:
        codec.receive(head)
        assert codec.next_event() is not None
        codec.skip_end()
        codec.next_message()
    assert codec._template is not None
    return codec


def client_with_template(
    method: bytes = b"GET", upgrade: bool = False, limits: WireLimits | None = None
) -> ClientCodec:
    codec = client_codec(b"GET", upgrade, limits)
    for number in range(3):
        codec.receive(RESPONSE % (number, number))
        assert codec.next_event() is not None
        assert codec.whole_body() == b""
        codec.next_message()
    assert codec._template is not None
    fields = [(b"Host", b"a"), *([(b"Connection", b"upgrade"), (b"Upgrade", b"websocket")] if upgrade else [])]
    codec.send_head(RequestHead(method, b"/", Headers(fields)))
    return codec


def outcome(codec: ServerCodec | ClientCodec, pieces: Iterable[bytes]) -> object:
    """The next head, and what is left; or why there is none."""
    head = None
    try:
        for piece in pieces:
            codec.receive(piece)
            head = head or codec.next_event()
    except ExchangeError as fault:
        return type(fault), fault.status, fault.detail
    assert head is None or isinstance(head, RequestHead | ResponseHead)
    return told(head), codec.buffered if head is not None else 0


def both_ways(codec: ServerCodec | ClientCodec, new: ServerCodec | ClientCodec, pieces: Sequence[bytes]) -> None:
    assert outcome(codec, pieces) == outcome(new, pieces)


# -- that it is asked


def test_heads_that_differ_in_values_are_read_by_a_template() -> None:
    codec = server_with_template()
    codec.receive(REQUEST % (7, 8, 9))
    head = codec.next_event()
    assert isinstance(head, RequestHead)
    assert head.headers.form is not None
    assert list(head.headers) == [(b"Host", b"a"), (b"X-Id", b"8"), (b"Accept", b"*/*"), (b"Cookie", b"a=9; b")]
    client = client_with_template()
    client.receive(RESPONSE % (7, 8))
    answer = client.next_event()
    assert isinstance(answer, ResponseHead)
    assert answer.headers.form is not None
    assert (answer.headers.get(b"x-id"), answer.headers.get(b"etag")) == (b"7", b"8")


def test_it_says_in_which_values_they_may_differ() -> None:
    template = server_with_template()._template
    assert template is not None
    assert template.differ_in((b"host", b"cookie")) and template.differ_in([b"x-id"])
    assert not template.differ_in((b"host", b"accept", b"referer"))


def test_what_was_learned_first_goes_on_when_more_differs() -> None:
    codec = server_with_template()
    template = codec._template
    assert template is not None
    codec.receive(b"GET / HTTP/1.1\r\nHost: a\r\nX-Id: 1\r\nAccept: text/html\r\nCookie: a=2; b\r\n\r\n")
    codec.next_event()
    codec.skip_end()
    codec.next_message()
    form, template = template.form, codec._template
    assert template is not None
    assert template.places == {1, 2, 3}
    # What was found for the form goes on as well.
    assert template.form is form
    codec.receive(b"GET / HTTP/1.1\r\nHost: a\r\nX-Id: 4\r\nAccept: text/html\r\nCookie: c\r\n\r\n")
    head = codec.next_event()
    assert isinstance(head, RequestHead)
    assert head.headers.form is template.form


def test_what_differs_once_in_a_while_is_the_same_in_between() -> None:
    codec = client_codec()
    head = b"HTTP/1.1 200 OK\r\nDate: %d\r\nX-Id: %d\r\nContent-Length: 0\r\n\r\n"
    for number in range(200):
        codec.receive(head % (number // 20, number))
        answer = codec.next_event()
        assert isinstance(answer, ResponseHead)
        assert answer.headers.index == {
            b"date": b"%d" % (number // 20),
            b"x-id": b"%d" % number,
            b"content-length": b"0",
        }
        codec.whole_body()
        codec.next_message()
    assert codec._template is not None
    assert codec._template.places == {1}
    assert codec._template.lessons == 1
    # Where it differs more often, it has its place.
    for number in range(20):
        codec.receive(head % (number, number))
        codec.next_event()
        codec.whole_body()
        codec.next_message()
    assert codec._template.places == {0, 1}


def test_another_kind_of_head_does_not_take_the_template_away() -> None:
    codec = server_with_template()
    template = codec._template
    codec.receive(b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n")
    codec.next_event()
    codec.skip_end()
    codec.next_message()
    assert codec._template is template
    both_ways(codec, ServerCodec(), [REQUEST % (1, 2, 3)])


# -- that it reads the same

ANYTHING = [b"\r", b"\n", b"\0", b" ", b"\t", b":", b"_", b"\x7f", b"\x80", b"\r\n", b"\r\n ", b""]


@pytest.mark.parametrize("put", ANYTHING)
def test_a_request_with_anything_anywhere(put: bytes) -> None:
    data = REQUEST % (1, 2, 3)
    for place in range(len(data)):
        both_ways(server_with_template(), ServerCodec(), [data[:place] + put + data[place:] + b"rest"])
        both_ways(server_with_template(), ServerCodec(), [data[:place] + put + data[place + 1 :] + b"rest"])


@pytest.mark.parametrize("put", ANYTHING)
def test_a_response_with_anything_anywhere(put: bytes) -> None:
    data = RESPONSE % (1, 2)
    for place in range(len(data)):
        both_ways(client_with_template(), client_codec(), [data[:place] + put + data[place:] + b"rest"])
        both_ways(client_with_template(), client_codec(), [data[:place] + put + data[place + 1 :] + b"rest"])


def test_a_head_in_two_pieces() -> None:
    for place in range(len(REQUEST % (1, 2, 3))):
        both_ways(server_with_template(), ServerCodec(), cut(REQUEST % (1, 2, 3), [place]))
    for place in range(len(RESPONSE % (1, 2))):
        both_ways(client_with_template(), client_codec(), cut(RESPONSE % (1, 2), [place]))


def codec_with_template(case: Case) -> ServerCodec | ClientCodec:
    """One that has learned from others than the case."""
    if case.role == "requests":
        server = server_with_template()
        server.use_limits(case.limits)
        return server
    client = client_with_template(case.method, case.upgrade)
    client.limits = case.limits
    return client


def test_a_wire_case_after_others() -> None:
    wrong = [
        case.name
        for case in CASES
        if Reading(codec_with_template(case), [case.data], case.eof).verdict
        != Reading(case.codec(), [case.data], case.eof).verdict
    ]
    assert wrong == []


# What is looked at for more than its name, what is like it, and what is not.
LINES = st.sampled_from(
    [
        *(
            b"Host: a",
            b"Host: b",
            b"Host: a:80",
            b"Host: a b",
            b"host: a",
            b"Connection: close",
            b"Connection: keep-alive",
        ),
        *(b"Connection: X-Id", b"Content-Length: 0", b"Content-Length: 3", b"Content-Length: 03", b"Content-Length: x"),
        *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Upgrade: websocket", b"TE: trailers"),
        *(
            b"X-Id: 1",
            b"X-Id: 2",
            b"X_Id: 2",
            b"x-id: 3",
            b"X-Id:  4",
            b"X-Id: 5 ",
            b"X-Id:",
            b"X-Id: a: b",
            b"X-Id: \xff",
        ),
        *(
            b"Cookie: a",
            b"Cookie: b",
            b"Date: now",
            b"ETag: x",
            b"ETag: y",
            b" folded",
            b"Content_Length: 3",
            b"Bad Name: x",
        ),
    ]
)

STARTS = st.sampled_from(
    [
        *[b"GET /x HTTP/1.1"] * 4,
        *(b"GET /x HTTP/1.0", b"HEAD http://a/ HTTP/1.1", b"POST http://b/ HTTP/1.1", b"CONNECT a:1 HTTP/1.1"),
        *(b"GET x HTTP/1.1", b"GET /x HTTP/1.2"),
    ]
)


@given(sections(LINES, first=b"Host: a"), st.lists(STARTS, min_size=8, max_size=8), st.sampled_from([2, 40, 60, 8192]))
def test_requests_one_after_another_are_read_as_each_alone(
    fields: list[list[bytes]], starts: list[bytes], most: int
) -> None:
    limits = WireLimits(max_head=most * 2, max_target=most, max_fields=4)
    codec = ServerCodec(limits)
    for lines, start in zip(fields, starts, strict=False):
        data = start + b"\r\n" + section(lines)
        found = outcome(codec, [data])
        assert found == outcome(ServerCodec(limits), [data])
        if codec._state.value != "end":
            # A fault, or a body: the next begins on another connection.
            codec = ServerCodec(limits)
        else:
            codec.skip_end()
            codec.next_message()


STATUSES = st.sampled_from([b"HTTP/1.1 200 OK"] * 4 + [b"HTTP/1.1 204 None", b"HTTP/1.1 304 Same", b"HTTP/1.0 200 OK"])


@given(
    sections(LINES, first=b"Host: a"),
    st.lists(STATUSES, min_size=8, max_size=8),
    st.sampled_from([b"GET", b"GET", b"HEAD"]),
)
def test_responses_one_after_another_are_read_as_each_alone(
    fields: list[list[bytes]], statuses: list[bytes], method: bytes
) -> None:
    codec = client_codec(method)
    for lines, status in zip(fields, statuses, strict=False):
        body = b"" if method == b"HEAD" else b"123"
        data = status + b"\r\n" + section(lines) + body
        found = outcome(codec, [data])
        assert found == outcome(client_codec(method), [data])
        if codec.whole_body() is None:
            codec = client_codec(method)
        else:
            codec.take_buffered()
            codec._state = type(codec._state).DONE
            codec.next_message()
            codec.send_head(RequestHead(method, b"/", parsed(b"Host: a")))


# -- what it must not carry over


@pytest.mark.parametrize("length", [b"Content-Length: 02", b"Content-Length: 2\r\nContent-Length: 2"])
def test_a_length_that_was_settled_is_settled_again(length: bytes) -> None:
    codec = client_codec()
    for number in range(4):
        codec.receive(b"HTTP/1.1 200 OK\r\nX-Id: %d\r\n%b\r\n\r\nok" % (number, length))
        head = codec.next_event()
        assert isinstance(head, ResponseHead)
        # Others of the form have another line there.
        assert (head.headers.lines, head.headers.form) == ([b"X-Id: %d" % number, b"Content-Length: 2"], None)
        assert codec.whole_body() == b"ok"
        codec.next_message()


def test_zeros_of_a_length_go_each_time() -> None:
    codec = ServerCodec()
    for number in range(4):
        codec.receive(b"GET / HTTP/1.1\r\nHost: a\r\nX-Id: %d\r\nContent-Length: 00\r\n\r\n" % number)
        head = codec.next_event()
        assert isinstance(head, RequestHead)
        assert head.headers.lines == [b"Host: a", b"X-Id: %d" % number, b"Content-Length: 0"]
        codec.skip_end()
        codec.next_message()


def test_a_length_that_differs_is_the_length() -> None:
    codec = client_codec()
    for number in range(1, 5):
        codec.receive(b"HTTP/1.1 200 OK\r\nX-Id: 1\r\nContent-Length: %d\r\n\r\n" % number + b"x" * number)
        assert isinstance(codec.next_event(), ResponseHead)
        assert codec.whole_body() == b"x" * number
        codec.next_message()


def test_whether_a_connection_is_kept_is_read_each_time() -> None:
    codec = client_codec()
    for number, option in enumerate([b"keep-alive", b"x", b"Keep-Alive", b"x", b"y", b"close"]):
        codec.receive(b"HTTP/1.1 200 OK\r\nX-Id: %d\r\nConnection: %b\r\nContent-Length: 0\r\n\r\n" % (number, option))
        head = codec.next_event()
        assert isinstance(head, ResponseHead)
        assert head.keep_alive == (option != b"close")
        codec.whole_body()
        codec.next_message()


def test_a_transfer_coding_is_looked_at_each_time() -> None:
    codec = client_codec()
    head = b"HTTP/1.1 200 OK\r\nX-Id: 1\r\nTransfer-Encoding: %b\r\n\r\n0\r\n\r\n"
    for coding in (b"chunked", b"Chunked", b"CHUNKED", b"chunkeD"):
        codec.receive(head % coding)
        assert isinstance(codec.next_event(), ResponseHead)
        codec.next_event()
        codec.next_message()
    codec.receive(head % b"gzip")
    with pytest.raises(ExchangeError, match="chunked"):
        codec.next_event()


def test_what_was_known_of_heads_without_a_body_is_not_believed_of_one_that_has_it() -> None:
    post = b"POST / HTTP/1.1\r\nHost: a\r\nX-Id: %d\r\nContent-Length: 3\r\n\r\nabc"
    get = b"GET / HTTP/1.1\r\nHost: a\r\nX-Id: 1\r\n\r\n"
    codec = ServerCodec()
    codec.receive(post % 1 + post % 2 + get + get + post % 3 + post % 4)
    bodies = []
    for _ in range(6):
        head = codec.next_event()
        assert isinstance(head, RequestHead)
        bodies.append((head.body, codec.whole_body()))
        codec.next_message()
    assert bodies == [(3, b"abc"), (3, b"abc"), (0, b""), (0, b""), (3, b"abc"), (3, b"abc")]


def test_limits_that_came_later_hold() -> None:
    codec = server_with_template()
    codec.use_limits(WireLimits(max_fields=2))
    codec.receive(REQUEST % (7, 8, 9))
    with pytest.raises(ExchangeError, match="too large"):
        codec.next_event()


@pytest.mark.parametrize("limits", [WireLimits(max_head=100), WireLimits(max_target=100), WireLimits(max_head=200)])
@pytest.mark.parametrize("size", [1, 40, 110, 200])
def test_what_is_too_large_is_so_by_a_template_as_well(limits: WireLimits, size: int) -> None:
    value = b"1" * size
    both_ways(server_with_template(limits), ServerCodec(limits), [REQUEST.replace(b"%d", b"%b") % (b"1", value, b"2")])
    both_ways(server_with_template(limits), ServerCodec(limits), [REQUEST.replace(b"%d", b"%b") % (value, b"1", b"2")])


# -- what is learned


@pytest.mark.parametrize("name", sorted(FIXED_IN_REQUESTS))
def test_what_speaks_of_others_has_no_place_in_a_template(name: bytes) -> None:
    before, headers = parsed(b"X: 1", name + b": 1"), parsed(b"X: 2", name + b": 2")
    assert learned(None, before, headers, FIXED_IN_REQUESTS) is None
    assert learned(None, before, parsed(b"X: 2", name + b": 1"), FIXED_IN_REQUESTS) is not None


@pytest.mark.parametrize(
    "lines",
    [(b"X: 2",), (b"X: 2", b"Y: 2", b"Z: 2"), (b"Z: 2", b"Y: 2"), (b"x: 2", b"Y: 2"), (b"X: 2", b"X: 3"), ()],
)
def test_other_names_are_another_section(lines: tuple[bytes, ...]) -> None:
    assert learned(None, parsed(b"X: 1", b"Y: 1"), parsed(*lines), FIXED_IN_REQUESTS) is None


def test_a_name_that_is_there_twice_has_the_same_values() -> None:
    before = parsed(b"Set-Cookie: a", b"X: 1", b"Set-Cookie: b")
    assert learned(None, before, parsed(b"Set-Cookie: a", b"X: 1", b"Set-Cookie: c"), frozenset()) is None
    template = learned(None, before, parsed(b"Set-Cookie: a", b"X: 2", b"Set-Cookie: b"), frozenset())
    assert template is not None
    headers = template.read(b"\r\nSet-Cookie: a\r\nX: 3\r\nSet-Cookie: b\r\n\r\nrest", 0)
    assert headers is not None
    assert headers.index == {b"set-cookie": b"a, b", b"x": b"3"}
    assert template.end == len(b"\r\nSet-Cookie: a\r\nX: 3\r\nSet-Cookie: b\r\n\r\n")


def test_no_more_than_a_few_values_differ() -> None:
    names = [b"N%d: " % number for number in range(9)]
    ones, twos = ([name + value for name in names] for value in (b"1", b"2"))
    assert learned(None, parsed(*ones), parsed(*twos), frozenset()) is None
    template = learned(None, parsed(*ones), parsed(*twos[:8], ones[8]), frozenset())
    assert template is not None
    assert len(template.places) == 8
    # One more would be too many: it begins anew, with the two that differ now.
    other = learned(template, parsed(*twos[:8], ones[8]), parsed(*twos[:7], b"N7: 3", twos[8]), frozenset())
    assert other is not None
    assert other.places == {7, 8}


def test_a_peer_that_never_repeats_itself_is_not_learned_from_for_ever() -> None:
    template: FieldTemplate | None = None
    made = set()
    for number in range(200):
        before, headers = (parsed(b"N%d: %d" % (number, value), b"X: %d" % value) for value in (1, 2))
        template = learned(template, before, headers, frozenset())
        made.add(id(template))
        assert template is not None
        assert template.lessons <= 32


def test_what_is_long_is_not_kept() -> None:
    codec = ServerCodec()
    for number in range(3):
        codec.receive(b"GET / HTTP/1.1\r\nHost: a\r\nX-Id: %d\r\nCookie: %b\r\n\r\n" % (number, b"x" * LONGEST))
        assert isinstance(codec.next_event(), RequestHead)
        codec.skip_end()
        codec.next_message()
    assert codec._template is None


@pytest.mark.parametrize(
    "kept", ["Accept Date X-%d", "X-%d Date Other", "Accept", "X-Id", "Accept X-Id X-%d Date Other", ""]
)
def test_what_goes_on_of_them_is_written_with_their_values(kept: str) -> None:
    first = parsed(b"Accept: 100%", b"X-Id: 1", b"X-%d: %b", b"Date: 2", b"Other: %(a)s")
    template = FieldTemplate(first, [1, 2, 3])
    headers = template.read(b"\r\nAccept: 100%\r\nX-Id: a%d\r\nX-%d: %%\r\nDate: c\r\nOther: %(a)s\r\n\r\n", 0)
    assert headers is not None
    lines = [b"Accept: 100%", b"X-Id: a%d", b"X-%d: %%", b"Date: c", b"Other: %(a)s"]
    wanted = [line for line in lines if line.partition(b":")[0].decode() in kept.split()]
    first.goes_on([line for line in first.lines if line.partition(b":")[0].decode() in kept.split()])
    again = template.read(b"\r\nAccept: 100%\r\nX-Id: a%d\r\nX-%d: %%\r\nDate: c\r\nOther: %(a)s\r\n\r\n", 0)
    assert again is not None and again.onward is not None
    assert (again.onward.block, again.onward.lines) == (b"\r\n".join(wanted), wanted)
    assert (headers.onward, headers.lines, again.lines) == (None, lines, lines)
    way = passage(
        first, [b"Host: %"], [line for line in first.lines if line.split(b":")[0].decode() in kept.split()], [b"V: %b"]
    )
    if way is not None:
        assert way.of(again).lines == way.of(headers).lines == [b"Host: %", *wanted, b"V: %b"]
        assert way.of(parsed(*lines)).lines == [b"Host: %", *wanted, b"V: %b"]


def test_a_way_that_was_found_for_one_template_holds_for_another_of_the_form() -> None:
    first = parsed(b"A: 1", b"B: 1", b"C: 1")
    one = FieldTemplate(first, [0])
    other = FieldTemplate(parsed(b"A: 1", b"B: 2", b"C: 1"), [0, 1], form=one.form)
    way = passage(first, [], first.lines[1:], [])
    assert way is not None
    for _ in range(2):
        for template, value in ((one, b"1"), (other, b"7")):
            headers = template.read(b"\r\nA: 9\r\nB: %b\r\nC: 1\r\n\r\n" % value, 0)
            assert headers is not None
            assert way.of(headers).block == b"B: %b\r\nC: 1" % value
