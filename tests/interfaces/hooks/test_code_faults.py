"""What is said where code of others fails."""

import pytest
from twisted.logger import globalLogPublisher

from txproxy.interfaces.hooks.code_faults import CodeFaults


@pytest.fixture
def said():
    events = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def failed(faults, kind=ValueError):
    try:
        raise kind("secret")
    except kind:
        return faults.failed()


def test_each_kind_is_said_once_and_a_request_is_told_where(said):
    faults = CodeFaults("strategy", "m:S")
    first, again, other = failed(faults), failed(faults), failed(faults, KeyError)
    assert first.detail == again.detail and first.detail.startswith(f"strategy m:S: ValueError at {__file__}:")
    assert "secret" not in first.detail and other.detail.startswith("strategy m:S: KeyError at")
    assert first.status == 500 and first.error == "proxy_internal_error"
    assert len(said) == 2 and all("log_failure" in one for one in said)


def test_what_it_may_not_give_is_said_once(said):
    faults = CodeFaults("strategy", "m:S")
    assert (
        faults.wrong(5, "None").detail
        == "strategy m:S: it gives int; accepted is None"
        == faults.wrong(5, "None").detail
    )
    faults.said("it names nobody")
    assert len(said) == 2


def test_no_number_of_kinds_fills_the_log(said):
    faults = CodeFaults("strategy", "m:S")
    for number in range(300):
        faults.said(f"kind {number}")
    assert len(said) == 100
