"""Where in a block is what a head is made of."""

from __future__ import annotations

import pytest

from txproxy.wire.http2.field_blocks.block_shapes import ABSENT, request_shape, response_shape, trailers_shape
from txproxy.wire.http2.field_blocks.field_entries import (
    AUTHORITY,
    CONNECTION_SPECIFIC,
    COOKIE,
    HOST,
    LENGTH,
    MALFORMED,
    METHOD,
    PATH,
    PLAIN,
    SCHEME,
    STATUS,
    UNKNOWN_PSEUDO,
)


def test_places_of_a_request() -> None:
    shape = request_shape(bytes([METHOD, PATH, SCHEME, AUTHORITY, PLAIN, COOKIE, LENGTH, COOKIE, HOST]))
    assert (shape.method, shape.path, shape.scheme, shape.authority) == (0, 1, 2, 3)
    assert (shape.first, shape.cookies, shape.length, shape.host) == (4, (5, 7), 6, 8)
    assert (shape.protocol, shape.status, shape.fault) == (ABSENT, ABSENT, "")


def test_places_of_a_response() -> None:
    shape = response_shape(bytes([STATUS, PLAIN, LENGTH]))
    assert (shape.status, shape.first, shape.length, shape.fault) == (0, 1, 2, "")


# RFC 9113 8.1.1, 8.3
@pytest.mark.parametrize(
    ("kinds", "fault"),
    [
        ([], "no :method"),
        ([SCHEME, PATH], "no :method"),
        ([METHOD, METHOD], "method is repeated"),
        ([METHOD, PATH, PATH], "path is repeated"),
        ([METHOD, PLAIN, PATH], "a pseudo-field after others"),
        ([STATUS], "a pseudo-field that has no place here"),
        ([METHOD, STATUS], "a pseudo-field that has no place here"),
        ([METHOD, LENGTH, LENGTH], "length is repeated"),
        ([METHOD, HOST, HOST], "host is repeated"),
        ([METHOD, MALFORMED], "a malformed field"),
        ([METHOD, UNKNOWN_PSEUDO], "an unknown pseudo-field"),
        ([METHOD, CONNECTION_SPECIFIC], "a field that is for a connection of HTTP/1"),
    ],
)
def test_what_no_request_has(kinds: list[int], fault: str) -> None:
    assert request_shape(bytes(kinds)).fault == fault


@pytest.mark.parametrize(
    ("kinds", "fault"),
    [
        ([PLAIN], "no :status"),
        ([STATUS, STATUS], "status is repeated"),
        ([METHOD, STATUS], "a pseudo-field that has no place here"),
        ([PLAIN, STATUS], "a pseudo-field after others"),
    ],
)
def test_what_no_response_has(kinds: list[int], fault: str) -> None:
    assert response_shape(bytes(kinds)).fault == fault


def test_trailers_have_no_pseudo_fields() -> None:
    assert not trailers_shape(bytes([PLAIN, PLAIN])).fault
    assert trailers_shape(bytes([STATUS])).fault == trailers_shape(bytes([PLAIN, PATH])).fault != ""
