"""Each wire case gives the same whole, byte by byte and split at random; nothing but an ExchangeError is raised."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.http1.corpus import (
    CASES,
    NEXT_REQUEST,
    NEXT_RESPONSE,
    Case,
    Reading,
    cut,
    single_bytes,
)
from txproxy.errors import RequestError, UpstreamError

VALID = [case for case in CASES if case.status is None]
REFUSED = [case for case in CASES if case.status is not None]
SHORT = [case for case in CASES if len(case.data) < 2000]


def by_name(case: Case) -> str:
    return case.name


def test_there_are_cases_of_each_kind() -> None:
    kinds = {case.name.rpartition("/")[0] for case in CASES}
    assert kinds == {"requests/valid", "requests/refused", "responses/valid", "responses/refused"}
    assert all(("/refused/" in case.name) == (case.status is not None) for case in CASES)
    assert all(case.events for case in VALID)


@pytest.mark.parametrize("case", VALID, ids=by_name)
def test_a_valid_case_gives_its_events(case: Case) -> None:
    reading = Reading(case.codec(), [case.data], case.eof)
    assert reading.error is None
    assert reading.events == case.events


@pytest.mark.parametrize("case", REFUSED, ids=by_name)
def test_a_refused_case_says_why(case: Case) -> None:
    error = Reading(case.codec(), [case.data], case.eof).error
    assert error is not None, "not refused"
    assert isinstance(error, RequestError if case.role == "requests" else UpstreamError)
    assert error.status == case.status
    assert case.reason in error.detail


@pytest.mark.no_cover
@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_byte_by_byte_in_any_two_pieces_and_split_at_random_is_the_same(case: Case) -> None:
    whole = Reading(case.codec(), [case.data], case.eof)
    assert Reading(case.codec(), single_bytes(case.data), case.eof).verdict == whole.verdict
    for position in range(min(len(case.data), 200)):
        assert Reading(case.codec(), cut(case.data, [position]), case.eof).verdict == whole.verdict, position
    # Where it is cut is found again by the name of the case.
    random = Random(case.name)
    for _ in range(20):
        positions = [random.randint(0, len(case.data)) for _ in range(random.randint(2, 12))]
        assert Reading(case.codec(), cut(case.data, positions), case.eof).verdict == whole.verdict, positions


@pytest.mark.no_cover
@pytest.mark.parametrize("case", [case for case in REFUSED if not case.eof], ids=by_name)
def test_nothing_is_read_after_a_fault(case: Case) -> None:
    next_message = NEXT_REQUEST if case.role == "requests" else NEXT_RESPONSE
    more = (b"", next_message, b"\r\n", b"\r\n\r\n" + next_message, b"0\r\n\r\n" + next_message)
    for late in more:
        codec = case.codec()
        assert Reading(codec, [case.data]).error is not None
        assert Reading(codec, [late]).events == [], late
    codec = case.codec()
    assert Reading(codec, single_bytes(case.data)).error is not None
    for late in more:
        assert Reading(codec, [late]).events == [], late


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Case, bytes]:
    case = draw(st.sampled_from(SHORT))
    data = bytearray(case.data)
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["insert", "replace", "delete", "repeat", "join"]))
        if kind == "insert":
            data[position:position] = draw(
                st.sampled_from([b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b";", b'"', b"0", b"\xff"])
                | st.binary(min_size=1, max_size=3)
            )
        elif kind == "replace":
            data[position : position + 1] = draw(st.binary(min_size=1, max_size=1))
        elif kind == "delete":
            del data[position : position + draw(st.integers(1, 8))]
        elif kind == "repeat":
            data[position:position] = data[position : position + draw(st.integers(1, 40))]
        else:
            data[position:] = draw(st.sampled_from([other.data for other in SHORT if other.role == case.role]))
    return case, bytes(data)


@pytest.mark.no_cover
@settings(max_examples=1500)
@given(mutated(), st.lists(st.integers(0, 400), max_size=6))
def test_mutated_cases_are_read_or_refused_and_never_spin(change: tuple[Case, bytes], positions: list[int]) -> None:
    case, data = change
    # Anything that is raised and is no ExchangeError comes out of here.
    whole = Reading(case.codec(), [data], case.eof)
    pieces = cut(data, [min(position, len(data)) for position in positions])
    parts = Reading(case.codec(), pieces, case.eof)
    # Each event stands for a byte at least, but the ends of messages; and each piece ends with one None.
    assert whole.asked <= 2 * len(data) + 2
    assert parts.asked <= 2 * len(data) + 2 * len(pieces) + 2
    # Which of two faults is found first may depend on the pieces. Whether there is one may not.
    assert (whole.error is None) == (parts.error is None)
    if whole.error is None:
        assert whole.events == parts.events


@pytest.mark.no_cover
@settings(max_examples=500)
@given(st.binary(max_size=300), st.sampled_from(["requests", "responses"]))
def test_noise_is_read_or_refused(data: bytes, role: str) -> None:
    case = next(case for case in CASES if case.role == role)
    assert Reading(case.codec(), [data]).asked <= 2 * len(data) + 2
