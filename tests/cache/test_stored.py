"""Tests of how a cache keeps a response: its age, when it expires, and parts of its body."""

from __future__ import annotations

import pytest

from txproxy.cache.stored import Freshness, MemoryBody, StoredHead
from txproxy.wire.headers import Headers


def _head(lifetime: float, initial_age: float) -> StoredHead:
    return StoredHead(200, b"OK", Headers(), 1000.0, 1001.0, Freshness(lifetime, initial_age))


@pytest.mark.parametrize(("now", "age"), [(1001.0, 3.0), (1011.5, 13.5), (990.0, 3.0)])
def test_a_response_gets_older_and_never_younger(now: float, age: float) -> None:
    assert _head(60.0, 3.0).age(now) == age


def test_it_expires_when_its_age_is_its_lifetime() -> None:
    head = _head(60.0, 3.0)
    assert head.expiry() == 1058.0
    assert head.age(head.expiry()) == head.freshness.lifetime


@pytest.mark.parametrize(("start", "stop", "parts"), [(0, 5, [b"hello"]), (1, 3, [b"el"]), (5, 5, []), (4, 5, [b"o"])])
def test_parts_of_a_small_body(start: int, stop: int, parts: list[bytes]) -> None:
    body = MemoryBody(b"hello")
    assert body.length == 5
    assert body.parts(start, stop) == parts
