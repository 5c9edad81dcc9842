"""Limits, times and trust of listeners, and what stands at the top."""

import pytest

from tests.importers.nginx.imported import imported, server

NGINX = {"max_body_size": "1M", "max_header_size": "32k", "max_target_size": "8k", "tunnel_timeout": "60s"}


def limits(lines):
    return server(lines + " location / { proxy_pass http://127.0.0.1:1; }").listeners[0]["limits"]


@pytest.mark.parametrize(
    ("lines", "changed"),
    [
        ("", {}),
        ("client_max_body_size 10m;", {"max_body_size": "10M"}),
        ("location /x/ { client_max_body_size 20m; proxy_pass http://127.0.0.1:1; }", {"max_body_size": "20M"}),
        ("large_client_header_buffers 2 16k;", {"max_target_size": "16k"}),
        ("client_header_timeout 10s; keepalive_timeout 30 60;", {"header_timeout": "10s", "idle_timeout": "30s"}),
        ("proxy_connect_timeout 2s;", {"connect_timeout": "2s"}),
    ],
)
def test_limits_are_nginxs(lines, changed):
    assert limits(lines) == {**NGINX, **changed}


def test_a_body_of_any_size_in_one_place_is_bounded_in_the_others():
    found = server("location /x/ { client_max_body_size 0; proxy_pass http://127.0.0.1:1; }"
                   "location / { proxy_pass http://127.0.0.1:1; }")  # fmt: skip
    assert "max_body_size" not in found.listeners[0]["limits"]
    assert {one["name"]: one.get("max_body") for one in found.routes if "pool" in one} == {
        "a.example /x/": None, "a.example /": "1M"
    }  # fmt: skip


def test_a_time_of_0_has_a_line():
    assert "keepalive_timeout: there is no time of 0 here" in server("keepalive_timeout 0; return 204;").notes


def test_whom_nginx_believes_is_believed():
    lines = "set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive on; return 204;"
    found = server(lines)
    assert found.listeners[0]["trusted_proxies"] == ["10.0.0.0/8"]
    assert found.notes == [
        "set_real_ip_from: they are believed about scheme and host too (X-Forwarded-Proto, X-Forwarded-Host)"
    ]
    off = server(lines.replace("real_ip_recursive on; ", ""))
    assert off.notes[0] == found.notes[0] and off.notes[1].startswith(
        "set_real_ip_from: of the addresses in X-Forwarded-For the last that is in none of these networks counts"
    )
    found = server("set_real_ip_from 10.0.0.0/8; real_ip_header CF-Connecting-IP; return 204;")
    assert "trusted_proxies" not in found.listeners[0] and found.notes[0].startswith("real_ip_header: cf-connecting-ip")


def test_the_proxy_protocol_wants_somebody_to_believe():
    found = imported("server { listen 80 proxy_protocol; set_real_ip_from 10.0.0.1; real_ip_header proxy_protocol;"
                     "return 204; }")  # fmt: skip
    assert found.listeners[0]["proxy_protocol"] and found.listeners[0]["trusted_proxies"] == ["10.0.0.1"]
    found = imported("server { listen 80 proxy_protocol; return 204; }")
    assert found.listeners[0]["trusted_proxies"] == ["127.0.0.1"]
    assert "proxy_protocol wants trusted_proxies" in found.notes[0]


@pytest.mark.parametrize(
    ("lines", "log"),
    [
        ("access_log off;", {"access": "none"}),
        ("access_log /tmp/a.log;", {"access": "/tmp/a.log"}),
        ("log_format x '$remote_addr ' '$status'; access_log /tmp/a.log x;",
         {"access": "/tmp/a.log", "access_format": "$remote_addr $status"}),
    ],
)  # fmt: skip
def test_the_access_log_is_written_as_nginx_has_it(lines, log):
    assert imported(lines + " server { listen 80; return 204; }").tables["log"] == log


def test_a_second_log_has_a_line():
    assert any("one access log for all" in note for note in server("access_log /a; access_log /b; return 204;").notes)


def test_error_pages_are_those_of_what_the_proxy_says_itself(tmp_path):
    (tmp_path / "50x.html").write_text("no")
    place = f"location = /50x.html {{ root {tmp_path}; }}"
    found = server(f"error_page 500 502 504 /50x.html; {place} location / {{ proxy_pass http://127.0.0.1:1; }}")
    assert found.listeners[0]["error_pages"] == dict.fromkeys(("502", "504"), f"{tmp_path}/50x.html")
    assert found.notes == []
    found = server("error_page 404 = /x;\n error_page 502 /missing.html; location / { return 204; }")
    assert "error_pages" not in found.listeners[0] and len([one for one in found.notes if "error_page" in one]) == 2
