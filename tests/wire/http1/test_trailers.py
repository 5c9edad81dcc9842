from __future__ import annotations

import pytest

from txproxy.wire.forwarding import CERTIFICATE_FIELDS, CLIENT_FIELDS, HOP_BY_HOP, TELLING_FIELDS
from txproxy.wire.headers import Headers
from txproxy.wire.http1.trailers import FORBIDDEN, REFUSED, of_request, of_response, permitted, permitted_lines
from txproxy.wire.message import RequestHead


def names(fields: Headers) -> list[bytes]:
    return [name for name, _ in fields]


def fields(*names: bytes) -> Headers:
    return Headers([(name, b"1") for name in names])


def head(*lines: tuple[bytes, bytes]) -> RequestHead:
    return RequestHead(b"POST", b"/", Headers(lines))


def test_what_frames_routes_authenticates_or_tells_of_the_client_is_forbidden() -> None:
    assert {b"content-length", b"transfer-encoding", b"host", b"connection", b"authorization"} <= FORBIDDEN
    assert CLIENT_FIELDS | TELLING_FIELDS | CERTIFICATE_FIELDS | HOP_BY_HOP | REFUSED <= FORBIDDEN


@pytest.mark.parametrize("name", [b"X-Real-IP", b"x_real_ip", b"X-SSL_Client-Verify", b"Content.Length", b"Proxy"])
def test_the_forbidden_ones_go_in_each_spelling(name: bytes) -> None:
    assert names(permitted(fields(b"A", name, b"B_b"))) == [b"A", b"B_b"]


@pytest.mark.parametrize(
    "name", [b"x-real-ip", b"x_real_ip", b"x.real.ip", b"x-ssl~client-verify", b"te", b"grpc-status"]
)
def test_lines_with_known_names_lose_the_same(name: bytes) -> None:
    lines = [b"a: 1", name + b": 1"]
    assert permitted_lines([b"a", name], lines).lines == permitted(Headers.from_lines(lines)).lines


def test_all_that_are_permitted_stay_as_they_are() -> None:
    trailers = fields(b"Grpc-Status", b"Server-Timing", b"Digest")
    assert permitted(trailers) is trailers
    assert of_response(trailers, ()) is trailers


def test_what_was_set_or_removed_in_the_head_goes() -> None:
    came = head((b"X-Same", b"1"), (b"X-Other", b"1"), (b"X-Removed", b"1"))
    goes = head((b"X-Same", b"1"), (b"X-Other", b"2"), (b"X-New", b"1"))
    trailers = fields(b"X-Same", b"x_other", b"X-Removed", b"X_New", b"X-Else")
    assert names(of_request(trailers, came, goes, ())) == [b"X-Same", b"X-Else"]


def test_what_is_for_one_hop_goes() -> None:
    came = goes = head((b"Connection", b"close, X-Hop"))
    assert names(of_request(fields(b"X-Hop", b"X-Else"), came, goes, ())) == [b"X-Else"]


def test_a_proxys_own_go_in_each_spelling() -> None:
    own = (frozenset({b"x-user"}), frozenset({b"x-team"}))
    trailers = fields(b"X-User", b"X_Team", b"X-Else")
    assert names(of_request(trailers, head(), head(), own)) == [b"X-Else"]
    assert names(of_response(trailers, own)) == [b"X-Else"]
