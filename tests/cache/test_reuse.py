"""Tests of what may be done with a stored response without asking the origin (RFC 9111 section 4)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.cache.policy import FOR_FORWARD, FOR_REVERSE, CachePolicy
from txproxy.cache.reuse import Use, is_failure, may_stand_in, use_of, wants_stored_alone, wants_the_origin
from txproxy.cache.stored import Freshness, StoredHead
from txproxy.wire.headers import Headers

CAME = 1000.0
SILENT = Headers.parsed([b"Host: a.example"])


def _head(lifetime: float = 60.0, initial_age: float = 0.0, **more: Any) -> StoredHead:
    return StoredHead(200, b"OK", Headers(), CAME, CAME, Freshness(lifetime, initial_age, **more))


def _asking(value: str) -> Headers:
    return Headers([(b"Cache-Control", value.encode())])


@pytest.mark.parametrize(
    ("head", "age", "use"),
    [
        # Section 4.2: fresh while its age is less than its lifetime.
        (_head(), 0.0, Use.FRESH),
        (_head(), 59.9, Use.FRESH),
        (_head(), 60.0, Use.VALIDATE),
        (_head(60.0, 20.0), 39.9, Use.FRESH),
        (_head(60.0, 20.0), 40.0, Use.VALIDATE),
        (_head(0.0), 0.0, Use.VALIDATE),
        (_head(60.0, 100.0), 0.0, Use.VALIDATE),
        # no-cache: section 5.2.2.4
        (_head(validate=True), 0.0, Use.VALIDATE),
        (_head(validate=True, while_revalidate=50.0), 70.0, Use.VALIDATE),
        # RFC 5861 section 3: counted from expiry.
        (_head(while_revalidate=50.0), 59.9, Use.FRESH),
        (_head(while_revalidate=50.0), 60.0, Use.STALE_WHILE_REVALIDATE),
        (_head(while_revalidate=50.0), 110.0, Use.STALE_WHILE_REVALIDATE),
        (_head(while_revalidate=50.0), 110.1, Use.VALIDATE),
        (_head(0.0, while_revalidate=50.0), 0.0, Use.STALE_WHILE_REVALIDATE),
        # Section 4.2.4: it may not be generated.
        (_head(while_revalidate=50.0, never_stale=True), 59.9, Use.FRESH),
        (_head(while_revalidate=50.0, never_stale=True), 60.0, Use.VALIDATE),
    ],
)
@pytest.mark.parametrize("policy", [FOR_REVERSE, FOR_FORWARD], ids=["reverse", "forward"])
def test_what_may_be_done_for_a_request_that_says_nothing(
    head: StoredHead, age: float, use: Use, policy: CachePolicy
) -> None:
    assert use_of(head, SILENT, CAME + age, policy) is use


@pytest.mark.parametrize(
    ("said", "head", "age", "use"),
    [
        # max-age: section 5.2.1.1
        ("max-age=0", _head(), 0.0, Use.VALIDATE_FOR_REQUEST),
        ("max-age=1", _head(), 1.0, Use.FRESH),
        ("max-age=1", _head(), 1.5, Use.VALIDATE_FOR_REQUEST),
        ("max-age=600", _head(3600.0, 1800.0), 0.0, Use.VALIDATE_FOR_REQUEST),
        ("max-age=600", _head(), 59.0, Use.FRESH),
        ("max-age=x", _head(), 0.0, Use.VALIDATE_FOR_REQUEST),
        # It does not want what is stale, unless it has max-stale as well.
        ("max-age=600", _head(while_revalidate=50.0), 70.0, Use.VALIDATE),
        ("max-age=600, max-stale=20", _head(), 70.0, Use.STALE),
        ("max-age=65, max-stale=20", _head(), 70.0, Use.VALIDATE_FOR_REQUEST),
        # max-stale: section 5.2.1.2
        ("max-stale=10", _head(), 59.0, Use.FRESH),
        ("max-stale=10", _head(), 70.0, Use.STALE),
        ("max-stale=10", _head(), 71.0, Use.VALIDATE),
        ("max-stale=10", _head(while_revalidate=50.0), 71.0, Use.STALE_WHILE_REVALIDATE),
        ("max-stale", _head(), 1e6, Use.STALE),
        ("max-stale=1000", _head(1500.0, 2000.0), 0.0, Use.STALE),
        ("max-stale=x", _head(), 61.0, Use.VALIDATE),
        ("max-stale", _head(never_stale=True), 61.0, Use.VALIDATE),
        ("max-stale", _head(validate=True), 1.0, Use.VALIDATE),
        # min-fresh: section 5.2.1.3
        ("min-fresh=10", _head(), 50.0, Use.FRESH),
        ("min-fresh=10", _head(), 51.0, Use.VALIDATE_FOR_REQUEST),
        ("min-fresh=2000", _head(1500.0), 0.0, Use.VALIDATE_FOR_REQUEST),
        ("min-fresh=1000", _head(1500.0, 1000.0), 0.0, Use.VALIDATE_FOR_REQUEST),
        ("min-fresh=10", _head(while_revalidate=50.0), 70.0, Use.VALIDATE),
        # no-cache: section 5.2.1.4
        ("no-cache", _head(), 0.0, Use.VALIDATE_FOR_REQUEST),
        ("no-cache", _head(while_revalidate=50.0), 70.0, Use.VALIDATE_FOR_REQUEST),
        # no-store does not apply to what is stored: section 5.2.1.5
        ("no-store", _head(), 0.0, Use.FRESH),
        # only-if-cached: section 5.2.1.7
        ("only-if-cached", _head(), 0.0, Use.FRESH),
        ("only-if-cached", _head(), 60.0, Use.UNAVAILABLE),
        ("only-if-cached, max-stale", _head(), 60.0, Use.STALE),
        ("only-if-cached, no-cache", _head(), 0.0, Use.UNAVAILABLE),
        ("only-if-cached", _head(while_revalidate=50.0), 60.0, Use.STALE_WHILE_REVALIDATE),
        # RFC 8246 section 2: what does not change is not validated while it is fresh, unless that is forced.
        ("max-age=0", _head(immutable=True), 0.0, Use.FRESH),
        ("max-age=5", _head(immutable=True), 10.0, Use.FRESH),
        ("max-age=0", _head(immutable=True), 60.0, Use.VALIDATE_FOR_REQUEST),
        ("no-cache", _head(immutable=True), 0.0, Use.VALIDATE_FOR_REQUEST),
        ("foo", _head(), 0.0, Use.FRESH),
        ("foo", _head(), 60.0, Use.VALIDATE),
    ],
)
def test_what_a_request_wants_where_that_counts(said: str, head: StoredHead, age: float, use: Use) -> None:
    assert use_of(head, _asking(said), CAME + age, FOR_FORWARD) is use
    # Elsewhere a reload makes no hole.
    assert use_of(head, _asking(said), CAME + age, FOR_REVERSE) is use_of(head, SILENT, CAME + age, FOR_REVERSE)


def test_pragma_of_old_clients() -> None:
    request = Headers([(b"Pragma", b"no-cache")])
    assert use_of(_head(), request, CAME, FOR_FORWARD) is Use.VALIDATE_FOR_REQUEST
    assert use_of(_head(), request, CAME, FOR_REVERSE) is Use.FRESH


@pytest.mark.parametrize(
    ("policy", "said", "use"),
    [
        ({"reload_into_ims": True}, "no-cache", Use.VALIDATE_FOR_REQUEST),
        ({"reload_into_ims": True}, "max-age=0", Use.VALIDATE_FOR_REQUEST),
        ({"reload_into_ims": True}, "max-age=5", Use.FRESH),
        ({"reload_into_ims": True}, "only-if-cached, no-cache", Use.VALIDATE_FOR_REQUEST),
        ({"reload_into_ims": True, "ignore_reload": True}, "no-cache", Use.FRESH),
        ({"request_directives": True, "ignore_reload": True}, "no-cache", Use.FRESH),
        ({"request_directives": True, "ignore_reload": True}, "max-age=0", Use.FRESH),
        ({"request_directives": True, "ignore_reload": True}, "max-age=5", Use.VALIDATE_FOR_REQUEST),
    ],
)
def test_what_a_rule_makes_of_reloads(policy: dict[str, Any], said: str, use: Use) -> None:
    assert use_of(_head(), _asking(said), CAME + 10.0, CachePolicy(**policy)) is use


@pytest.mark.parametrize("said", ["", "no-cache", "max-age=0"])
@pytest.mark.parametrize("hears", [False, True])
def test_nobody_is_asked_who_is_not_there(said: str, hears: bool) -> None:
    policy = CachePolicy(offline=True, request_directives=hears)
    assert use_of(_head(), _asking(said), CAME, policy) is Use.FRESH
    assert use_of(_head(), _asking(said), CAME + 1e9, policy) is Use.STALE
    assert may_stand_in(_head(never_stale=True), SILENT, CAME + 1e9, policy)
    assert use_of(_head(never_stale=True), _asking(said), CAME + 1e9, policy) is Use.STALE


@pytest.mark.parametrize("head", [{"validate": True}, {"lifetime": 0.0}, {"lifetime": 0.0, "validate": True}])
@pytest.mark.parametrize("said", ["", "no-cache", "max-stale"])
@pytest.mark.parametrize("hears", [False, True])
def test_though_nobody_is_to_be_asked_nobody_gets_what_may_be_anothers(
    head: dict[str, Any], said: str, hears: bool
) -> None:
    policy = CachePolicy(offline=True, request_directives=hears)
    for age in (0.0, 1e9):
        assert use_of(_head(**head), _asking(said), CAME + age, policy) in (Use.VALIDATE, Use.VALIDATE_FOR_REQUEST)
        assert not may_stand_in(_head(**head), _asking(said), CAME + age, policy)


@pytest.mark.parametrize(
    ("head", "said", "age", "may"),
    [
        # By default for a day.
        (_head(), "", 61.0, True),
        (_head(), "", 60.0 + 86400.0, True),
        (_head(), "", 60.1 + 86400.0, False),
        # RFC 5861 section 4: the window that it names, counted from expiry.
        (_head(if_error=10.0), "", 70.0, True),
        (_head(if_error=10.0), "", 70.1, False),
        (_head(if_error=0.0), "", 61.0, False),
        (_head(if_error=1e6), "", 1e6, True),
        # One of the request makes it narrower.
        (_head(), "stale-if-error=1", 61.0, True),
        (_head(), "stale-if-error=1", 61.1, False),
        (_head(if_error=1.0), "stale-if-error=1000", 62.0, False),
        # Never.
        (_head(never_stale=True), "", 61.0, False),
        (_head(never_stale=True, if_error=1000.0), "", 61.0, False),
        (_head(validate=True), "", 1.0, False),
    ],
)
@pytest.mark.parametrize("policy", [FOR_REVERSE, FOR_FORWARD], ids=["reverse", "forward"])
def test_what_may_stand_in_for_an_origin_that_fails(
    head: StoredHead, said: str, age: float, may: bool, policy: CachePolicy
) -> None:
    assert may_stand_in(head, _asking(said), CAME + age, policy) is may


def test_the_window_of_a_rule() -> None:
    policy = CachePolicy(stale_if_error=10.0)
    assert may_stand_in(_head(), SILENT, CAME + 70.0, policy)
    assert not may_stand_in(_head(), SILENT, CAME + 70.1, policy)
    assert not may_stand_in(_head(), SILENT, CAME + 61.0, CachePolicy(stale_if_error=0.0))


def test_nothing_stands_in_where_a_validation_was_wanted() -> None:
    assert not may_stand_in(_head(), _asking("no-cache"), CAME + 61.0, FOR_FORWARD)
    assert may_stand_in(_head(), _asking("no-cache"), CAME + 61.0, FOR_REVERSE)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_what_is_as_if_the_origin_had_not_answered(status: int) -> None:
    assert is_failure(status)


@pytest.mark.parametrize("status", [200, 304, 404, 403, 429, 501, 505])
def test_what_is_an_answer(status: int) -> None:
    assert not is_failure(status)


def test_who_wants_what_is_stored_alone() -> None:
    assert wants_stored_alone(_asking("only-if-cached"), FOR_FORWARD)
    assert not wants_stored_alone(_asking("only-if-cached"), FOR_REVERSE)
    assert not wants_stored_alone(_asking("max-age=5"), FOR_FORWARD)
    assert not wants_stored_alone(SILENT, FOR_FORWARD)


@pytest.mark.parametrize(
    ("policy", "field", "wants"),
    [
        ({}, (b"Cache-Control", b"no-cache"), True),
        ({}, (b"Cache-Control", b"max-age=0"), True),
        ({}, (b"Pragma", b"no-cache"), True),
        ({}, (b"Cache-Control", b"max-age=1"), False),
        ({}, (b"Accept", b"no-cache"), False),
        ({"ignore_reload": True}, (b"Cache-Control", b"no-cache"), False),
        ({"request_directives": False}, (b"Cache-Control", b"no-cache"), False),
        ({"request_directives": False, "reload_into_ims": True}, (b"Cache-Control", b"no-cache"), True),
    ],
)
def test_who_wants_what_the_origin_says(policy: dict[str, Any], field: tuple[bytes, bytes], wants: bool) -> None:
    words = {"request_directives": True, **policy}
    assert wants_the_origin(Headers([field]), CachePolicy(**words)) is wants


@given(
    st.builds(
        Freshness,
        lifetime=st.floats(0.0, 1e6),
        initial_age=st.floats(0.0, 1e6),
        validate=st.booleans(),
        never_stale=st.booleans(),
        while_revalidate=st.floats(0.0, 1e6),
        if_error=st.none() | st.floats(0.0, 1e6),
        immutable=st.booleans(),
    ),
    st.floats(0.0, 3e6),
    st.sampled_from(
        ["", "max-age=5", "max-stale", "min-fresh=5", "no-cache", "only-if-cached", "max-stale, max-age=50"]
    ),
    st.builds(
        CachePolicy,
        request_directives=st.booleans(),
        ignore_reload=st.booleans(),
        reload_into_ims=st.booleans(),
    ),
)
def test_nothing_stale_is_used_that_may_not_be(found: Freshness, age: float, said: str, policy: CachePolicy) -> None:
    head = StoredHead(200, b"OK", Headers(), CAME, CAME, found)
    now = CAME + age
    use = use_of(head, _asking(said), now, policy)
    if use is Use.FRESH:
        assert not found.validate
        assert now < head.expiry()
    if found.validate or (found.never_stale and now >= head.expiry()):
        assert use in (Use.VALIDATE, Use.VALIDATE_FOR_REQUEST, Use.UNAVAILABLE)
        assert not may_stand_in(head, _asking(said), now, policy) or use is Use.FRESH
