"""Upstreams as they are written."""

import pytest

from txproxy import Pool
from txproxy.errors import ConfigError
from txproxy.upstreams.upstream import State
from txproxy.upstreams.upstream_urls import parse_tcp_upstream, parse_upstream, with_parameters


@pytest.mark.parametrize(
    ("text", "where", "authority", "tls"),
    [
        ("http://Host.example", "host.example:80", b"Host.example", False),
        ("http://127.0.0.1:8001/", "127.0.0.1:8001", b"127.0.0.1:8001", False),
        ("http://[::1]:8001", "[::1]:8001", b"[::1]:8001", False),
        ("HTTP://host.example", "host.example:80", b"host.example", False),
        ("https://host.example", "host.example:443", b"host.example", True),
        ("unix:/run/x.sock", "unix:/run/x.sock", b"localhost", False),
    ],
)
def test_upstream_urls(text, where, authority, tls):
    upstream = parse_upstream(text)
    assert (str(upstream.address), upstream.authority, upstream.address.tls is not None) == (where, authority, tls)


def test_what_is_known_to_speak_http2():
    upstream = parse_upstream("h2c://host.example:81;max=2")
    address = upstream.address
    assert (str(address), address.protocols, address.tls) == ("host.example:81", ("h2",), None)
    assert upstream.name == "h2c://host.example:81" and upstream.max == 2
    assert parse_upstream("http://a").address.protocols == ()


def test_parameters():
    upstream = parse_upstream("http://a:81;weight=3;backup;max=7;resolve")
    assert (upstream.name, upstream.weight, upstream.backup, upstream.max) == ("http://a:81", 3, True, 7)
    assert upstream.resolve
    assert parse_upstream("http://a;drain").state is State.DRAINING
    assert parse_upstream("http://a;disabled").state is State.DISABLED
    assert parse_upstream("http://a;disabled").cause == "disabled by the configuration"
    assert parse_upstream("http://a;weight=0").state is State.DRAINING
    plain = parse_upstream("http://a")
    assert (plain.weight, plain.backup, plain.max, plain.resolve) == (1, False, 0, False)


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
        "http://a?q",
        "http://a#f",
        "http://a\tb",
        "http:a",
        "http://[::1",
        "http://[1:2:3]",
        "http://[v1.a]",
        "http://::1",
        "http://é",
        "unix:relative",
        "unix:/x;resolve",
        "h2c+unix:relative",
        "h2c+unix",
        "http://a;weight=-1",
        "http://a;drain=1",
        "http://a;disabled=1",
        "http://a;drain;disabled",
        "http://a;weight=x",
        "http://a;weight=1000001",
        "http://a;backup=1",
        "http://a;max=0",
        "http://a;max",
        "http://a;colour=red",
        "http://a;",
    ],
)
def test_what_is_no_upstream_is_a_config_error_that_says_what_is_accepted(text):
    with pytest.raises(ConfigError, match="accepted"):
        Pool([text])


def test_tcp_upstreams_are_host_and_port():
    upstream = parse_tcp_upstream("h:1;weight=2")
    assert (str(upstream.address), upstream.name) == ("h:1", "h:1")


@pytest.mark.parametrize("text", ["http://h:1", "h", "[::1]", "unix:/x", "h:x", "h:99999", "u:s3cret@h:1", "a b:1"])
def test_what_is_no_tcp_upstream_is_told_what_one_looks_like(text):
    with pytest.raises(ConfigError, match="accepted is HOST:PORT") as caught:
        parse_tcp_upstream(text)
    assert "http" not in str(caught.value).replace(text, "") and "s3cret" not in str(caught.value)


def test_a_path_may_speak_http2():
    made = parse_upstream("h2c+unix:/run/x.sock;max=3")
    assert (made.name, made.address.path, made.address.protocols) == ("h2c+unix:/run/x.sock", "/run/x.sock", ("h2",))
    assert made.address.key != parse_upstream("unix:/run/x.sock").address.key


@pytest.mark.parametrize(
    ("text", "weight", "order", "after"),
    [
        ("http://a", None, None, "http://a"),
        ("http://a", 2, None, "http://a;weight=2"),
        ("http://a;weight=1;backup", 0, None, "http://a;weight=0;backup"),
        ("http://a;weight=1;max=3;weight=2", 5, "draining", "http://a;weight=5;max=3;drain"),
        ("http://a;drain;max=3", None, "disabled", "http://a;max=3;disabled"),
        ("http://a;disabled", None, "enabled", "http://a"),
        ("unix:/a", 3, "draining", "unix:/a;weight=3;drain"),
    ],
)
def test_a_text_is_given_other_parameters(text, weight, order, after):
    assert with_parameters(text, weight, order) == after
    assert parse_upstream(after).name == text.partition(";")[0]
