"""One request on its way through the steps: what is known of it before any of them."""

import pytest

from txproxy.forward.steps.case import Case
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


@pytest.fixture
def case():
    return Case(RequestHead(b"GET", b"/", Headers(()), b"a.example", b"http"), context_of("192.0.2.1"))


def test_it_begins_as_what_its_client_asked(case):
    assert case.head is case.asked
    case.head = RequestHead(b"GET", b"/", Headers(()), b"b.example", b"http")
    assert case.asked.authority == b"a.example", "what came is remembered, whatever goes on"


def test_nothing_is_decided_and_nothing_is_added(case):
    assert (case.dial, case.lines, case.rule, case.pinned) == ("", (), "", ())
    assert not case.by_url and not case.noted


def test_until_a_step_says_otherwise_what_comes_of_it_holds_for_ever(case):
    assert case.known_until == case.settled_until > 1e300


def test_its_target_is_not_known_before_it_was_found(case):
    for name in ("target", "facts"):
        assert not hasattr(case, name)
