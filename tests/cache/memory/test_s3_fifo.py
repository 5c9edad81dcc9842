"""Tests of what is evicted next: order, turns, the ghost, and how often what is asked for is there."""

from __future__ import annotations

import random
from bisect import bisect
from collections import OrderedDict
from collections.abc import Iterator
from itertools import accumulate

from txproxy.cache.memory.s3_fifo import MOST_USES, Node, S3Fifo
from txproxy.cache.stored import Entry, Freshness, MemoryBody, StoredHead
from txproxy.wire.headers import Headers

HEAD = StoredHead(200, b"OK", Headers(), 1000.0, 1001.0, Freshness(60.0, 0.0))


def _node(name: int, size: int = 10) -> Node:
    return Node(Entry(b"%d" % name, HEAD, MemoryBody(b"")), size, name)


def _evicted(queues: S3Fifo) -> list[bytes]:
    keys = []
    while (entry := queues.evict()) is not None:
        keys.append(entry.key)
    return keys


def test_what_was_never_used_goes_in_order() -> None:
    queues = S3Fifo(100)
    for name in range(5):
        queues.add(_node(name))
    assert len(queues) == 5 and queues.size == 50
    assert _evicted(queues) == [b"0", b"1", b"2", b"3", b"4"]


def test_what_was_used_goes_after_what_was_not() -> None:
    queues = S3Fifo(50)
    nodes = [_node(name) for name in range(5)]
    for node in nodes:
        queues.add(node)
    nodes[1].uses = 1
    nodes[3].uses = MOST_USES
    assert _evicted(queues) == [b"0", b"2", b"4", b"1", b"3"]


def test_uses_in_the_main_queue_are_turns() -> None:
    queues = S3Fifo(50)
    nodes = [_node(name) for name in range(3)]
    for node in nodes:
        node.uses = 1
        queues.add(node)
    queues.add(_node(3))
    first = queues.evict()
    assert first is not None and first.key == b"3"
    nodes[0].uses = 2
    nodes[1].uses = 1
    assert _evicted(queues) == [b"2", b"1", b"0"]


def test_what_comes_again_soon_goes_to_the_main_queue() -> None:
    queues = S3Fifo(200)
    queues.add(_node(1))
    assert queues.evict() is not None
    queues.add(_node(1))
    for name in (2, 3, 4):
        queues.add(_node(name))
    assert _evicted(queues) == [b"2", b"1", b"3", b"4"]


def test_an_eviction_ends_though_all_were_used() -> None:
    queues = S3Fifo(1_000)
    nodes = [_node(name) for name in range(1_000)]
    for node in nodes:
        node.uses = MOST_USES
        queues.add(node)
    assert queues.evict() is not None
    assert len(queues) == 999
    assert sum(node.uses < MOST_USES for node in nodes) < 100


def test_what_was_removed_is_not_evicted_and_keeps_nothing() -> None:
    queues = S3Fifo(100)
    nodes = [_node(name) for name in range(100)]
    for node in nodes:
        queues.add(node)
    for node in nodes[1:]:
        queues.remove(node)
        queues.remove(node)
    assert (len(queues), queues.size) == (1, 10)
    assert [node.entry is None for node in nodes] == [False] + [True] * 99
    assert _evicted(queues) == [b"0"]


def test_another_size_is_counted() -> None:
    queues = S3Fifo(100)
    node = _node(1)
    queues.add(node)
    queues.resize(node, 25)
    assert queues.size == 25
    queues.remove(node)
    assert queues.size == 0


def test_what_is_remembered_is_bounded_and_counted() -> None:
    queues = S3Fifo(10_000)
    for name in range(1_000):
        queues.add(_node(name))
        if len(queues) > 70:
            queues.evict()
    assert queues.size == 70 * 10 + 70 * 100


# A trace: with every other request a crawler asks for its next page, and with the rest people for what people like.
OBJECTS = 5_000
REQUESTS = 40_000
ROOM = 5_000_000


def _trace() -> Iterator[tuple[int, bool]]:
    chance = random.Random(7)
    weights = list(accumulate((place + 1) ** -0.9 for place in range(OBJECTS)))
    page = OBJECTS
    for _ in range(REQUESTS):
        if chance.random() < 0.5:
            page += 1
            yield page, False
        else:
            yield bisect(weights, chance.random() * weights[-1]), True


def _size(name: int) -> int:
    return 2_000 + name * 2654435761 % 2**32 % 30_000


def _hit_ratio_of_lru() -> float:
    kept: OrderedDict[int, int] = OrderedDict()
    used = hits = asked = 0
    for name, by_people in _trace():
        asked += by_people
        if name in kept:
            kept.move_to_end(name)
            hits += by_people
            continue
        kept[name] = _size(name)
        used += kept[name]
        while used > ROOM:
            used -= kept.popitem(last=False)[1]
    return hits / asked


def _hit_ratio() -> float:
    queues = S3Fifo(ROOM)
    kept: dict[bytes, Node] = {}
    hits = asked = 0
    for name, by_people in _trace():
        asked += by_people
        node = kept.get(b"%d" % name)
        if node is not None:
            node.uses = min(node.uses + 1, MOST_USES)
            hits += by_people
            continue
        kept[b"%d" % name] = node = _node(name, _size(name))
        queues.add(node)
        while queues.size > ROOM:
            entry = queues.evict()
            assert entry is not None
            del kept[entry.key]
    return hits / asked


def test_a_crawler_costs_fewer_hits_than_with_lru() -> None:
    assert _hit_ratio() > _hit_ratio_of_lru() + 0.08
