from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.errors import RequestError
from txproxy.wire.headers import Headers
from txproxy.wire.target import is_origin_form, read_target, split_authority


def read(method: bytes, target: bytes, host: bytes | None = b"a", minor: int = 1) -> tuple[bytes | None, bytes, bytes]:
    lines = [] if host is None else [b"Host: " + host]
    return read_target(method, target, minor, Headers.from_lines(lines))


def refused(method: bytes, target: bytes, host: bytes | None = b"a", minor: int = 1) -> str:
    with pytest.raises(RequestError) as error:
        read(method, target, host, minor)
    assert error.value.status == 400
    return error.value.detail


@pytest.mark.parametrize(
    ("authority", "parts"),
    [
        (b"example.com", ("example.com", None)),
        (b"EXAMPLE.com:80", ("example.com", 80)),
        (b"a:", ("a", None)),
        (b"a:00080", ("a", 80)),
        (b"a:65535", ("a", 65535)),
        (b"127.0.0.1:1", ("127.0.0.1", 1)),
        (b"[::1]", ("::1", None)),
        (b"[2001:DB8::1]:443", ("2001:db8::1", 443)),
        (b"[::ffff:1.2.3.4]", ("::ffff:1.2.3.4", None)),
        (b"a_b.example", ("a_b.example", None)),
    ],
)
def test_an_authority_is_split(authority: bytes, parts: tuple[str, int | None]) -> None:
    assert split_authority(authority) == parts


@pytest.mark.parametrize(
    "authority",
    [
        *[
            b"",
            b":80",
            b"a:0",
            b"a:65536",
            b"a:99999",
            b"a:000080",
            b"a:-1",
            b"a:+1",
            b"a:x",
            b"a:80:80",
            b"u@a",
            b"u:p@a",
        ],
        *[
            b"a b",
            b" a",
            b"a/",
            b"a?",
            b"a#",
            b"a\\b",
            b"::1",
            b"[::1",
            b"::1]",
            b"[]",
            b"[::g]",
            b"[::1]x",
            b"[1.2.3.4]",
        ],
        *[
            b"[fe80::1%25eth0]",
            b"[fe80::1%eth0]",
            b"[v1.a]",
            b"[:::]",
            b"a%",
            b"a%4",
            b"a%zz",
            b"\xe9",
            b"a\n",
            b"a\0",
            b"a, a",
        ],
    ],
)
def test_what_is_no_authority_is_a_value_error(authority: bytes) -> None:
    with pytest.raises(ValueError):
        split_authority(authority)


def test_origin_form_has_the_authority_of_host() -> None:
    assert read(b"GET", b"/b?c", b"A:80") == (None, b"A:80", b"/b?c")


def test_origin_form_of_http_1_0_may_have_none() -> None:
    assert read(b"GET", b"/b", None, 0) == (None, b"", b"/b")
    assert refused(b"GET", b"/b", None, 1) == "Host is missing"


@pytest.mark.parametrize(
    ("target", "host", "parts"),
    [
        (b"http://a/b?c", b"a", (b"http", b"a", b"/b?c")),
        (b"HTTP://A/", b"a", (b"http", b"A", b"/")),
        (b"http://a", b"a", (b"http", b"a", b"/")),
        (b"http://a?b/c", b"a", (b"http", b"a", b"/?b/c")),
        (b"http://a:80/", b"a", (b"http", b"a:80", b"/")),
        (b"http://a/", b"a:80", (b"http", b"a", b"/")),
        (b"https://a/", b"a:443", (b"https", b"a", b"/")),
        (b"http://a:/", b"a", (b"http", b"a:", b"/")),
        (b"http://[::1]:8/", b"[::1]:8", (b"http", b"[::1]:8", b"/")),
        (b"http://a//b", b"a", (b"http", b"a", b"//b")),
        (b"http://a/http://b/", b"a", (b"http", b"a", b"/http://b/")),
    ],
)
def test_absolute_form_is_taken_apart(target: bytes, host: bytes, parts: tuple[bytes, ...]) -> None:
    assert read(b"GET", target, host) == parts


@pytest.mark.parametrize("host", [b"b", b"a:81", b"a.", b"a.b", b"ab", b"[::1]"])
def test_a_host_beside_an_absolute_target_says_nothing(host: bytes) -> None:
    # RFC 9112 section 3.2.2
    assert read(b"GET", b"http://a/", host) == (b"http", b"a", b"/")


@pytest.mark.parametrize(
    "target", [b"http:///b", b"http://", b"http://:80/", b"http://u@a/", b"http://u:p@a/", b"http://a:0/"]
)
def test_an_absolute_form_without_a_valid_authority_is_refused(target: bytes) -> None:
    assert refused(b"GET", target) == "the target has no valid authority"


@pytest.mark.parametrize("target", [b"ftp://a/", b"file:///b", b"gopher://a", b"h2c://a/"])
def test_other_schemes_are_refused(target: bytes) -> None:
    assert refused(b"GET", target) in ("the target's scheme is not http or https", "the target has no valid authority")


@pytest.mark.parametrize(
    "target", [b"a", b"a/b", b"a:80", b"http:/a", b"http:a", b"://a/", b"1http://a/", b"?a", b"\\a"]
)
def test_what_has_no_form_is_refused(target: bytes) -> None:
    assert refused(b"GET", target) == "the target has no form that HTTP knows"


def test_the_asterisk_is_for_options() -> None:
    assert read(b"OPTIONS", b"*") == (None, b"a", b"*")
    assert "asterisk" in refused(b"GET", b"*")
    assert "asterisk" in refused(b"options", b"*")


def test_options_without_a_path_is_for_the_server() -> None:
    # RFC 9112 section 3.2.4
    assert read(b"OPTIONS", b"http://a") == (b"http", b"a", b"*")
    assert read(b"OPTIONS", b"http://a/") == (b"http", b"a", b"/")
    assert read(b"OPTIONS", b"http://a?b") == (b"http", b"a", b"/?b")


@pytest.mark.parametrize("host", [b"a:443", b"A:443", b"a", b"a:"])
def test_connect_has_authority_form(host: bytes) -> None:
    assert read(b"CONNECT", b"a:443", host) == (None, b"a:443", b"")


def test_connect_of_http_1_0_needs_no_host() -> None:
    assert read(b"CONNECT", b"a:443", None, 0) == (None, b"a:443", b"")


@pytest.mark.parametrize(
    "target", [b"a", b"a:", b"/", b"*", b"http://a:443/", b"a:443/", b"u@a:443", b"a:0", b"a:65536", b":443"]
)
def test_connect_has_no_other_form(target: bytes) -> None:
    assert refused(b"CONNECT", target) == "the target of CONNECT is not host:port"


@pytest.mark.parametrize("host", [b"b:443", b"a:80", b"b"])
def test_the_target_of_connect_alone_counts(host: bytes) -> None:
    # RFC 9112 section 3.2.3
    assert read(b"CONNECT", b"a:443", host) == (None, b"a:443", b"")


@pytest.mark.parametrize("host", [b"", b"a, a", b"a b", b"u@a", b"a:0", b"a:99999", b"http://a/", b"[fe80::1%25eth0]"])
def test_a_malformed_host_is_refused_with_each_form_and_version(host: bytes) -> None:
    for minor in (0, 1):
        for method, target in ((b"GET", b"/"), (b"GET", b"http://a/"), (b"OPTIONS", b"*"), (b"CONNECT", b"a:443")):
            assert refused(method, target, host, minor) == "Host is repeated or malformed"


def test_a_repeated_host_is_refused() -> None:
    for second in (b"a", b"b", b""):
        with pytest.raises(RequestError, match="Host is repeated or malformed"):
            read_target(b"GET", b"/", 1, Headers([(b"Host", b"a"), (b"host", second)]))


@given(st.binary(min_size=1, max_size=40), st.binary(max_size=20), st.sampled_from([b"GET", b"OPTIONS", b"CONNECT"]))
def test_no_bytes_raise_anything_else(target: bytes, host: bytes, method: bytes) -> None:
    for given_target in (target, b"http://" + target, target + b":443"):
        try:
            scheme, authority, path = read(method, given_target, host)
        except RequestError:
            continue
        split_authority(authority)
        assert scheme in (None, b"http", b"https", b"ws", b"wss")
        assert path == b"" if method == b"CONNECT" else path[:1] in (b"/", b"*")


def test_a_path_that_is_asked_for_is_one_that_a_request_line_can_have() -> None:
    assert all(map(is_origin_form, (b"/", b"/a?b=%20", b"//a", b"/a;b")))
    assert not any(map(is_origin_form, (b"", b"a", b"*", b"/a b", b"/a#b", b"/\xfc", b"/a\r\nX: y", b"http://a/")))
