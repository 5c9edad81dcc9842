"""``stream``."""

import pytest

from txproxy.config import parse
from txproxy.errors import ConfigError
from txproxy.importers.nginx.nginx_translation import translate


def streams(lines):
    translation = translate(f"events {{}}\nstream {{ {lines} }}", "x")
    return parse(translation.toml, "x.toml"), translation.notes


def test_streams_are_listeners_of_mode_tcp():
    config, notes = streams(
        "upstream db { server 127.0.0.1:81 weight=2; server 127.0.0.1:82 backup; }"
        "server { listen 127.0.0.1:6000; proxy_pass db; proxy_timeout 1h; proxy_connect_timeout 2s;"
        "proxy_protocol on; }"
    )
    (listener,) = config.listeners
    assert (listener.pool, listener.limits.tunnel_timeout, listener.limits.connect_timeout) == ("db", 3600, 2)
    (pool,) = config.pools
    assert pool.upstreams == ("127.0.0.1:81;weight=2", "127.0.0.1:82;backup") and pool.settings.proxy_protocol == 1
    assert notes == ()


def test_times_are_nginxs_where_nothing_is_said():
    config, _ = streams("server { listen 127.0.0.1:6000; proxy_pass 127.0.0.1:81; }")
    assert (config.listeners[0].limits.tunnel_timeout, config.listeners[0].limits.connect_timeout) == (600, 60)


def test_names_in_tls_choose():
    config, notes = streams(
        "map $ssl_preread_server_name $to { a.example 127.0.0.1:81; *.b.example 127.0.0.1:82; default 127.0.0.1:83; }"
        "server { listen 127.0.0.1:6000; ssl_preread on; proxy_pass $to; }"
    )
    (listener,) = config.listeners
    assert listener.sni == (("a.example", "127.0.0.1:81"), ("*.b.example", "127.0.0.1:82"))
    assert listener.pool == "127.0.0.1:83" and notes == ()


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("server { listen 53 udp; proxy_pass 127.0.0.1:53; }", "udp is not spoken here"),
        ("server { listen 6000; return x; }", "nothing says where its streams go"),
        ("server { listen 6000; proxy_pass $a; }", "where $a leads is not known before a stream comes"),
        ("server { listen 6000; proxy_pass 127.0.0.1:1; allow 10.0.0.1; deny all; }", "who is refused by deny"),
        ("server { listen 6000; proxy_pass 127.0.0.1:1; proxy_ssl on; }", "TLS to the servers of raw streams"),
    ],
)
def test_what_cannot_be_said_is_left_out(lines, why):
    more = "server { listen 127.0.0.1:6001; proxy_pass 127.0.0.1:81; }"
    config, notes = streams(lines + more)
    assert len(config.listeners) == 1 and any("it is left out: " in note and why in note for note in notes)
    with pytest.raises(ConfigError, match="no server in it that can be taken over"):
        streams(lines)


def test_what_is_left_out_has_one_line():
    lines = "server { listen 127.0.0.1:6000; proxy_pass 127.0.0.1:1; deny 10.0.0.1; proxy_timeout 1s; }"
    _, notes = streams(lines + "server { listen 127.0.0.1:6001; proxy_pass 127.0.0.1:81; }")
    assert notes == ("x:2: server: it is left out: who is refused by deny would not be refused here",)


def test_who_is_refused_everywhere_is_refused_at_each():
    with pytest.raises(ConfigError, match="no server in it that can be taken over"):
        streams("deny 10.0.0.1; server { listen 6000; proxy_pass 127.0.0.1:1; }")


def test_upstreams_that_no_stream_leads_to_have_a_line():
    more = "upstream db { server 127.0.0.1:81; }"
    assert streams(more + "server { listen 6001; proxy_pass 127.0.0.1:81; }")[1] == (
        "x:2: upstream: no stream leads to it",
    )
