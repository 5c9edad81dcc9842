"""Responses by content type and by size."""

import pytest

from txproxy.errors import ConfigError
from txproxy.forward.access.content_policy import ContentRules
from txproxy.wire.headers import Headers
from txproxy.wire.message import CHUNKED, ResponseHead


def response(*fields, status=200, body=CHUNKED):
    return ResponseHead(status, Headers(list(fields)), body=body)


@pytest.mark.parametrize(
    ("value", "denied"),
    [
        (b"application/x-msdownload", "application/x-msdownload"),
        (b"Application/X-MSDownload; name=x", "application/x-msdownload"),
        (b"image/png", "image/png"),
        (b"IMAGE/svg+xml;charset=utf-8", "image/svg+xml"),
        (b"text/html", None),
        (b"imagex/png", None),
        (b"text/html; x=image/png", None),
        (b"", None),
    ],
)
def test_content_types(value, denied):
    rules = ContentRules(deny_types=["application/x-msdownload", "Image/*"])
    why = rules.judge(response((b"Content-Type", value)))
    assert why == (f"content of the type {denied} is not allowed" if denied else None)


def test_a_type_hidden_behind_another_is_found():
    fields = [(b"Content-Type", b"text/html"), (b"content-type", b"image/png")]
    assert ContentRules(deny_types="image/*").judge(response(*fields)) is not None


def test_a_response_that_tells_no_type_passes():
    assert ContentRules(deny_types=["*/*"]).judge(response()) is None
    assert ContentRules(deny_types=["*/*"]).judge(response((b"Content-Type", b"a/b"))) is not None


@pytest.mark.parametrize(
    ("head", "allowed"),
    [
        (response((b"Content-Length", b"1000"), body=1000), True),
        (response((b"Content-Length", b"1001"), body=1001), False),
        (response(body=1001), False),
        # The answer to a HEAD tells the size that the answer to a GET has.
        (response((b"Content-Length", b"1001"), body=0), False),
        (response((b"Content-Length", b"1001"), status=304, body=0), True),
        (response(), True),
        (response((b"Content-Range", b"bytes 0-9/1001"), status=206, body=10), False),
        (response((b"Content-Range", b"bytes 0-9/1000"), status=206, body=10), True),
        # Without a total, it is at least as long as to the end of this part.
        (response((b"Content-Range", b"bytes 0-9/*"), status=206, body=10), True),
        (response((b"Content-Range", b"bytes 990-999/*"), status=206, body=10), True),
        (response((b"Content-Range", b"bytes 991-1000/*"), status=206, body=10), False),
        (response((b"Content-Range", b"bytes 991-1000/10"), status=206, body=10), False),
        (response((b"Content-Range", b"bytes */5000"), status=416, body=10), True),
    ],
)
def test_sizes_that_the_head_tells(head, allowed):
    why = ContentRules(max_size=1000).judge(head)
    assert (why is None) is allowed
    assert allowed or why == "it is 1001 bytes long, and 1000 are allowed"


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(b"Content-Type", b"multipart/byteranges; boundary=x")],
        [(b"Content-Range", b"lines 0-9/10")],
        [(b"Content-Range", b"bytes 0-9/10"), (b"content-range", b"bytes 0-9/*")],
    ],
)
def test_a_part_that_does_not_say_of_what_is_none_that_may_pass(fields):
    part = response(*fields, status=206, body=10)
    assert "how long it is" in ContentRules(max_size=1000).judge(part)
    assert ContentRules().judge(part) is None


def test_a_body_is_counted():
    rules = ContentRules(max_size=1000)
    assert not rules.too_large(1000) and rules.too_large(1001)
    assert not ContentRules().too_large(10**12)
    assert ContentRules().judge(response(body=10**12)) is None
    assert ContentRules(max_size=0).too_large(1)


@pytest.mark.parametrize("text", ["image", "image/", "/png", "*/png", "image/png; q=1", "", "a b/c", 3])
def test_what_is_no_type_is_refused(text):
    with pytest.raises(ConfigError, match="is no content type; accepted are"):
        ContentRules(deny_types=[text])


@pytest.mark.parametrize("size", [-1, "10", True, 1.5])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(ConfigError, match="is no size; accepted is"):
        ContentRules(max_size=size)
