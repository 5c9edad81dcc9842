from __future__ import annotations

import pytest

from txproxy.wire.forwarding import (
    CLIENT_FIELDS,
    HOP_BY_HOP,
    Via,
    connection_lines,
    end_to_end,
    has_unusual,
    new_mark,
    plain,
    received_in_http10,
    replaced,
    via_entry,
    without_lookalikes,
)
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def headers(*lines: bytes) -> Headers:
    return Headers.from_lines(list(lines))


def test_end_to_end_lines_go_on_as_they_came() -> None:
    lines = [b"Host: a", b"X-A: 1", b"x-a: 2", b"ACCEPT: b"]
    assert end_to_end(headers(*lines), HOP_BY_HOP) == lines


def test_the_lines_are_a_list_of_their_own() -> None:
    given = headers(b"A: b")
    end_to_end(given, HOP_BY_HOP).append(b"C: d")
    assert given.lines == [b"A: b"]


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
def test_hop_by_hop_lines_do_not(name: bytes) -> None:
    assert end_to_end(headers(b"A: b", name.title() + b": x", b"C: d"), HOP_BY_HOP) == [b"A: b", b"C: d"]


@pytest.mark.parametrize(
    "name",
    [
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
        b"proxy-authorization",
    ],
)
def test_what_rfc_9110_section_7_6_1_names_is_hop_by_hop(name: bytes) -> None:
    assert name in HOP_BY_HOP


def test_what_connection_names_is_hop_by_hop() -> None:
    given = headers(b"Connection: close, X-A", b"x-a: 1", b"B: 2", b"Connection: C", b"c: 3", b"X-A: 4")
    assert end_to_end(given, HOP_BY_HOP) == [b"B: 2"]


@pytest.mark.parametrize("name", [b"Content-Length", b"Host", b"Content-Type", b"Content-Encoding", b"Via"])
def test_connection_cannot_take_away_what_the_message_is_read_by(name: bytes) -> None:
    given = headers(b"Connection: " + name, name + b": 5", b"X: y")
    assert end_to_end(given, HOP_BY_HOP) == [name + b": 5", b"X: y"]


def test_connection_takes_transfer_encoding_away_no_more_than_it_is_anyway() -> None:
    given = headers(b"Connection: transfer-encoding", b"Transfer-Encoding: chunked", b"A: b")
    assert end_to_end(given, HOP_BY_HOP) == [b"A: b"]


def test_what_is_to_be_dropped_is_even_if_connection_names_it() -> None:
    given = headers(b"Connection: host", b"Host: a", b"A: b")
    assert end_to_end(given, HOP_BY_HOP | {b"host"}) == [b"A: b"]


def test_what_is_dropped_for_one_message_is_not_for_the_next() -> None:
    end_to_end(headers(b"Connection: x-a", b"X-A: 1"), HOP_BY_HOP)
    assert end_to_end(headers(b"X-A: 1"), HOP_BY_HOP) == [b"X-A: 1"]


@pytest.mark.parametrize("option", [b"close", b"keep-alive", b"Keep-Alive", b"Upgrade", b""])
def test_plain_options_drop_their_own_lines_alone(option: bytes) -> None:
    given = headers(b"Connection: " + option, b"Keep-Alive: 1", b"Upgrade: a", b"Close: b")
    left = [] if b"close" in option else [b"Close: b"]
    assert end_to_end(given, HOP_BY_HOP) in (left, [b"Close: b"])


@pytest.mark.parametrize(
    "name", [b"X_Forwarded_For", b"x-forwarded_for", b"X.Forwarded.For", b"X_Forwarded-FOR", b"X~Forwarded!For"]
)
def test_lookalikes_of_dropped_names_are_dropped(name: bytes) -> None:
    assert plain(name) == b"x-forwarded-for" and has_unusual([b"a", name.lower()])
    lines = [name + b": 1", b"My_Own: 3", b"A: b_c", b"My.Own: 4"]
    assert without_lookalikes(lines, CLIENT_FIELDS) == lines[1:]
    assert without_lookalikes(lines, CLIENT_FIELDS, frozenset({name.lower()})) == lines
    assert replaced(headers(*lines), frozenset({b"x-forwarded-for"}), frozenset(), []).lines == lines[1:]


def test_names_of_letters_digits_and_hyphens_look_like_no_other() -> None:
    assert not has_unusual([]) and not has_unusual([b"x-forwarded-for", b"sec-ch-ua", b"x-1"])
    assert plain(b"X-A1") == b"x-a1" and without_lookalikes([b"X-Real-IP: 1"], CLIENT_FIELDS) == [b"X-Real-IP: 1"]


def test_what_the_proxy_says_is_the_only_one_to_say_it() -> None:
    came = headers(b"Connection: x-user, close", b"X_User: forged", b"x-user: forged", b"X-Users: kept", b"X_Own: kept")
    new = replaced(came, frozenset({b"x-user"}), frozenset({b"x-user"}), [b"X-User: me"])
    assert new.lines == [b"X-Users: kept", b"X_Own: kept", b"Connection: close", b"X-User: me"]
    assert len(came) == 5


def request(*lines: bytes, minor: int = 1, body: int = 0) -> RequestHead:
    return RequestHead(b"GET", b"/", headers(*lines), minor=minor, body=body)


def test_without_upgrade_and_te_no_line_is_added() -> None:
    assert connection_lines(request(b"Connection: close", b"Keep-Alive: 1")) == []


def test_an_upgrade_is_offered_on() -> None:
    lines = connection_lines(request(b"Connection: Upgrade", b"Upgrade: websocket"))
    assert lines == [b"Connection: upgrade", b"Upgrade: websocket"]


def test_an_upgrade_of_http_1_0_or_to_h2c_is_not() -> None:
    offer = (b"Connection: Upgrade", b"Upgrade: websocket")
    assert connection_lines(request(*offer, minor=0)) == []
    assert (
        connection_lines(request(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: a")) == []
    )


def test_the_wish_for_trailers_goes_on_and_no_other_te() -> None:
    assert connection_lines(request(b"TE: trailers")) == [b"Connection: TE", b"TE: trailers"]
    assert connection_lines(request(b"TE: gzip, trailers")) == [b"Connection: TE", b"TE: trailers"]
    assert connection_lines(request(b"TE: gzip")) == []


def test_both_share_one_connection_line() -> None:
    lines = connection_lines(request(b"Connection: Upgrade, TE", b"Upgrade: websocket", b"TE: trailers"))
    assert lines == [b"Connection: upgrade, TE", b"Upgrade: websocket", b"TE: trailers"]


def test_processes_that_are_one_proxy_have_one_mark() -> None:
    one, other = via_entry("edge", "abc"), via_entry("edge")
    assert one is not None and other is not None and via_entry(None) is None
    assert one.request_line() == b"Via: 1.1 edge (abc)" != other.request_line()


def test_via_has_the_mark_in_requests_alone() -> None:
    via = Via(b"edge", b"abc")
    assert via.request_line() == b"Via: 1.1 edge (abc)"
    assert via.request_line(0) == b"Via: 1.0 edge (abc)"
    assert received_in_http10([b"A: Via: 1.1 x", via.response_line]) == [b"A: Via: 1.1 x", b"Via: 1.0 edge"]
    assert via.response_line == b"Via: 1.1 edge"


def test_via_finds_its_own_mark_in_any_entry() -> None:
    via = Via(b"edge", b"abc")
    assert via.is_in(headers(b"Via: 1.0 x, 1.1 edge (abc), 1.1 y"))
    assert via.is_in(headers(b"Via: 1.0 x", b"via: 1.1 edge (abc)"))


def test_via_of_another_proxy_of_the_same_name_is_no_loop() -> None:
    via = Via(b"edge", b"abc")
    assert not via.is_in(headers(b"Via: 1.1 edge (abd)"))
    assert not via.is_in(headers(b"Via: 1.1 edge"))
    assert not via.is_in(headers(b"A: b"))


def test_each_mark_is_another() -> None:
    assert len({new_mark() for _ in range(100)}) == 100
