"""Tests of what the extension of a path promises: the way of cache deception, and what is not in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.cache.extension_types import type_fits


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        (b"/", b"text/html"),
        (b"/account", b"text/html"),
        (b"/account", None),
        (b"/x.unknown", b"text/html"),
        (b"/v1.5", b"text/html"),
        (b"/a.css/account", b"text/html"),
        (b"/account?x=y.css", b"text/html"),
        (b"/index.html", b"text/html; charset=utf-8"),
        (b"/x.css", b"text/css"),
        (b"/x.CSS", b"TEXT/CSS ;charset=utf-8"),
        (b"/x.css?v=1.js", b"text/css"),
        (b"/x.min.js", b"application/javascript"),
        (b"/x.js", b"text/javascript"),
        (b"/x.js", b"application/x-javascript"),
        (b"/x.json", b"application/ld+json"),
        (b"/x.jpg", b"image/webp"),
        (b"/x.woff2", b"font/woff2"),
        (b"/x.woff", b"application/font-woff"),
        (b"/x.mp4", b"video/mp4"),
        (b"/x.rss", b"application/rss+xml"),
        (b"/x.xml", b"text/xml"),
        (b"/x.zip", b"application/zip"),
        (b"/x.docx", b"application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (b"/x.css", b"application/octet-stream"),
    ],
)
def test_what_fits(path: bytes, content_type: bytes | None) -> None:
    assert type_fits(path, content_type)


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        (b"/account/x.css", b"text/html"),
        (b"/account/x.css", None),
        (b"/account/x.css", b""),
        (b"/account/x.css", b"application/json"),
        (b"/account/x.CsS", b"text/html"),
        (b"/account/x%2ecss", b"text/html"),
        (b"/account%2fx.css", b"text/html"),
        (b"/account;x.css", b"text/html"),
        (b"/account;x.css;y", b"text/html"),
        (b"/account/x.css%3fy", b"text/html"),
        (b"/account/x.css%00", b"text/html"),
        (b"/account/x.css/", b"text/html"),
        (b"/account/x.css%2f", b"text/html"),
        (b"/account/x.js", b"text/html"),
        (b"/account/x.png", b"text/html"),
        (b"/account/x.svg", b"text/html"),
        (b"/account/x.woff2", b"text/html"),
        (b"/account/x.ts", b"application/json"),
        (b"/account/x.xml", b"application/xhtml+xml"),
        (b"/account/x.txt", b"text/html"),
        (b"/account/x.zip", b"application/json"),
        (b"/account/x.zip", b"application/problem+json"),
        (b"/account/x.zip", b"application/xhtml+xml"),
        (b"/account/x.html", b"application/json"),
    ],
)
def test_what_does_not_fit(path: bytes, content_type: bytes | None) -> None:
    assert not type_fits(path, content_type)


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_no_path_is_too_odd(path: bytes, content_type: bytes) -> None:
    type_fits(b"/" + path, content_type)
