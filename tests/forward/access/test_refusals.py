"""How policy refuses: the status, the words for the log, and the page."""

import pytest

from txproxy.errors import RequestDenied, ResponseDenied
from txproxy.forward.access.refusals import Blocked, BlockedResponse, denied
from txproxy.interfaces import Refusal
from txproxy.interfaces.answers import Outcome

URL = "http://www.example.com/<x>"


def test_what_says_no_is_named_in_the_verdict():
    verdict = denied("ads are out", "rule 7", "ads.txt")
    assert (verdict.outcome, verdict.rule, verdict.list_name) == (Outcome.DENY, "rule 7", "ads.txt")


@pytest.mark.parametrize(("made", "kind"), [(Blocked, RequestDenied), (BlockedResponse, ResponseDenied)])
@pytest.mark.parametrize(
    ("list_name", "detail"), [("", "ads are out (rule 7)"), ("ads.txt", "ads are out (rule 7, list ads.txt)")]
)
def test_the_log_is_told_by_what_and_why(made, kind, list_name, detail):
    verdict = denied("ads are out", "rule 7", list_name)
    fault = made(verdict, URL)
    assert isinstance(fault, kind)
    assert (fault.status, fault.detail, fault.verdict) == (403, detail, verdict)


@pytest.mark.parametrize("made", [Blocked, BlockedResponse])
def test_the_page_says_why_and_what_was_wanted_but_not_by_which_rule(made):
    refusal = Refusal.of(made(denied("ads & more are out", "rule 7", "ads.txt"), URL))
    for html, reason in ((False, b"Reason: ads & more are out"), (True, b"<dd>ads &amp; more are out</dd>")):
        kind, body = refusal.page(html)
        assert kind.startswith(b"text/html" if html else b"text/plain")
        assert reason in body and b"http://www.example.com/" in body and b"ads.txt" in body
        assert b"rule 7" not in body
    assert b"<x>" not in refusal.page(True)[1]


def test_a_response_that_is_refused_may_have_an_error_of_its_own():
    verdict = denied("programs are out", "rule 8")
    assert BlockedResponse(verdict, URL).error == "http_request_denied"
    assert BlockedResponse(verdict, URL, error="http_response_incomplete").error == "http_response_incomplete"
