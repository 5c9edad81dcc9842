"""What stands around the number of a stream, for requests that have the fields of one before."""

from __future__ import annotations

import pytest

from txproxy.wire.headers import Headers
from txproxy.wire.http2 import frames
from txproxy.wire.http2.field_blocks.block_writer import request_block
from txproxy.wire.http2.field_blocks.request_framing import framing_of, remember_framing
from txproxy.wire.message import RequestHead, SharedRequest

SCHEME = b"https"


def asked(path: bytes = b"/a", method: bytes = b"GET", headers: Headers | None = None) -> RequestHead:
    return RequestHead(method, path, headers or Headers([(b"Host", b"x"), (b"A", b"b")]), b"x")


def remembered(path: bytes = b"/a") -> Headers:
    request = asked(path)
    remember_framing(request, SCHEME, request_block(request, SCHEME))
    return request.headers


def test_of_fields_that_were_not_written_nothing_is_known() -> None:
    assert framing_of(asked(), SCHEME) is None


@pytest.mark.parametrize("path", [b"/a", b"/b", b"/" + b"x" * 125])
def test_it_is_what_is_written_of_a_request_alone(path: bytes) -> None:
    request = asked(path, headers=remembered())
    framing = framing_of(request, SCHEME)
    assert framing is not None
    scheme, method, before, after, _ = framing
    assert scheme is SCHEME and method == b"GET"
    flags = frames.END_HEADERS | frames.END_STREAM
    whole = request_block(asked(path), SCHEME)
    assert before == len(whole).to_bytes(3, "big") + bytes((frames.HEADERS, flags)) and after == whole


@pytest.mark.parametrize("path", [b"/", b"", b"/" + b"x" * 126])
def test_a_path_that_is_written_in_another_way_has_none(path: bytes) -> None:
    assert framing_of(asked(path, headers=remembered()), SCHEME) is None


def test_another_method_or_scheme_has_none() -> None:
    headers = remembered()
    assert framing_of(asked(method=b"HEAD", headers=headers), SCHEME) is None
    assert framing_of(asked(headers=headers), b"http") is None


def test_no_more_than_a_frame_has() -> None:
    request = RequestHead(b"GET", b"/a", Headers([(b"A", b"~" * (frames.DEFAULT_FRAME_SIZE - 40))]), b"x")
    remember_framing(request, SCHEME, request_block(request, SCHEME))
    assert framing_of(asked(b"/" + b"x" * 100, headers=request.headers), SCHEME) is None


def test_those_that_share_a_head_keep_it() -> None:
    shared = SharedRequest.of(asked(headers=remembered()))
    assert shared.framed is None
    framing = framing_of(shared, SCHEME)
    assert framing is not None and shared.framed is framing
