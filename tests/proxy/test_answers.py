"""Clients are told why, in a sentence that tells nothing of the inside."""

import pytest

from txproxy.errors import (
    ConnectionRefused,
    ConnectTimeout,
    DestinationProhibited,
    DnsError,
    ParentError,
    ParentRefused,
    RequestDenied,
    ResponseTimeout,
    TooManyLookUps,
    UpstreamClosed,
    UpstreamUnavailable,
)
from txproxy.forward.egress.approvals import TooManyQuestions
from txproxy.interfaces import Refusal
from txproxy.proxy.answers import reply


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (DnsError, "The name of the host cannot be resolved."),
        (TooManyLookUps, "Too many names are being looked up just now."),
        (TooManyQuestions, "Too many requests wait for somebody to allow them just now."),
        (ConnectionRefused, "The host refused the connection."),
        (ConnectTimeout, "The host did not take the connection in time."),
        (ResponseTimeout, "The host did not answer in time."),
        (UpstreamClosed, "The host closed the connection before it answered."),
        (UpstreamUnavailable, "No upstream is available."),
        (ParentError, "The proxy that this one goes through cannot be reached, or is not what it should be."),
        (ParentRefused, "The proxy that this one goes through did not lead on to the host."),
        (
            DestinationProhibited,
            "The host has an address that is private, or near this proxy; the option --allow-destination "
            "(allow_destinations in a file) opens it.",
        ),
        (RequestDenied, "This proxy does not allow the request."),
    ],
)
@pytest.mark.parametrize("html", [False, True])
def test_a_refusal_says_why(fault, sentence, html):
    _, body = reply(Refusal.of(fault("192.0.2.1:80 is s3cret")), b"me", html, b"D")
    text = body.decode()
    assert sentence in text and "192.0.2.1" not in text and "s3cret" not in text
    assert text.startswith("<!DOCTYPE html>") is html
