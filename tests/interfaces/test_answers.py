"""What a client gets that no upstream has said."""

from txproxy.errors import RequestDenied
from txproxy.interfaces import Answer, Refusal


def test_a_refusal_tells_of_an_error():
    fault = RequestDenied("a detail", status=451, error="http_request_denied")
    fault.page, fault.sentence = (lambda html: (b"text/plain", b"no")), "Because."
    made = Refusal.of(fault)
    assert (made.status, made.error, made.detail, made.sentence) == (451, "http_request_denied", "a detail", "Because.")
    assert made.page is fault.page and made.lines == ()


def test_what_is_only_shown_makes_no_other_refusal():
    assert Refusal(403, sentence="a", page=lambda html: (b"", b"")) == Refusal(403, sentence="b")
    assert Refusal(403) != Refusal(404) and Answer(200, body=b"a") != Answer(200, body=b"b")
