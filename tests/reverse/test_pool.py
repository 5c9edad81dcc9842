"""Upstreams and whose turn it is."""

import pytest

from txproxy import Pool
from txproxy.errors import ConfigError
from txproxy.reverse.pool import parse_tcp_upstream, parse_upstream


def names(pool, count):
    return "".join(pool.choose().address.host for _ in range(count))


def test_round_robin_goes_round():
    assert names(Pool(["http://a", "http://b", "http://c"]), 7) == "abcabca"


def test_weights_are_spread_smoothly():
    # nginx's own example for 5, 1, 1
    assert names(Pool(["http://a;weight=5", "http://b", "http://c"]), 7) == "aabacaa"


def test_what_was_tried_is_left_out_until_nobody_is_left():
    pool = Pool(["http://a", "http://b"])
    first = pool.choose().address
    second = pool.choose((first,)).address
    assert {first.host, second.host} == {"a", "b"}
    assert pool.choose((first, second)) is None


@pytest.mark.parametrize(
    ("text", "where", "authority", "tls"),
    [
        ("http://Host.example", "host.example:80", b"Host.example", False),
        ("http://127.0.0.1:8001/", "127.0.0.1:8001", b"127.0.0.1:8001", False),
        ("http://[::1]:8001", "[::1]:8001", b"[::1]:8001", False),
        ("https://host.example", "host.example:443", b"host.example", True),
        ("unix:/run/x.sock", "unix:/run/x.sock", b"localhost", False),
    ],
)
def test_upstream_urls(text, where, authority, tls):
    upstream = parse_upstream(text)
    assert (str(upstream.address), upstream.authority, upstream.address.tls is not None) == (where, authority, tls)


@pytest.mark.parametrize(
    "text",
    [
        "foo",
        "ftp://a",
        "http://",
        "http://a:0",
        "http://a:99999",
        "http://a/path",
        "http://u:p@a",
        "unix:relative",
        "http://a;weight=0",
        "http://a;weight=x",
        "http://a;backup",
        "http://a;max=5",
    ],
)
def test_what_is_no_upstream_is_a_config_error_that_says_what_is_accepted(text):
    with pytest.raises(ConfigError, match="accepted"):
        Pool([text])


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="accepted: round-robin"):
        Pool(["http://a"], strategy="fastest")


def test_a_pool_is_not_empty():
    with pytest.raises(ConfigError):
        Pool([])


def test_tcp_upstreams_are_host_and_port():
    assert str(parse_tcp_upstream("h:1;weight=2").address) == "h:1"
    for text in ("http://h:1", "h", "unix:/x", "h:x"):
        with pytest.raises(ConfigError, match="accepted"):
            parse_tcp_upstream(text)
