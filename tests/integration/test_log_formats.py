"""The same requests to nginx, to Squid and to us, with the same format: the lines say the same."""

import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import sys
from pathlib import Path

import attrs
import pytest

from tests.integration.conftest import DEADLINE, free_port, need, until
from tests.integration.scripted_origin import scripted_origin
from tests.tls.authority import Identity, named, new_ca

# What does not hang on time, on ports or on fields of a server's own.
NAMES = [
    "remote_addr", "remote_user", "request", "request_method", "request_uri", "uri", "document_uri", "args",
    "query_string", "is_args", "arg_a", "arg_none", "host", "http_host", "http_user_agent", "http_referer",
    "http_x_none", "cookie_c", "cookie_none", "content_type", "content_length", "scheme", "https", "server_protocol",
    "status", "body_bytes_sent", "sent_http_content_type", "sent_http_x_none", "upstream_addr", "upstream_status",
    "request_completion", "request_length", "ssl_protocol", "ssl_cipher", "ssl_server_name", "ssl_client_s_dn",
]  # fmt: skip
FORMAT = "|".join(f"{name}={{{name}}}".replace("{", "${") for name in NAMES)
NGINX = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 64; }}
http {{
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u;
  scgi_temp_path {dir}/s; log_format same '{format}'; log_format json escape=json '{json}';
  access_log {dir}/same.log same; access_log {dir}/json.log json; access_log {dir}/combined.log combined;
  server {{
    listen 127.0.0.1:{port}; listen 127.0.0.1:{tls} ssl; ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {cert}; ssl_certificate_key {key}; ssl_client_certificate {ca}; ssl_verify_client optional;
    location / {{ proxy_pass http://127.0.0.1:{origin}; proxy_http_version 1.1; proxy_set_header Host $http_host; }}
  }}
}}
"""
JSON = '{"request":"$request","agent":"$http_user_agent","cookie":"$cookie_c","status":$status}'
OURS = """
[log]
access = "same.log"
access_format = '{format}'
[[listeners]]
name = "same"
listen = "127.0.0.1:{port}"
tls_listen = "127.0.0.1:{tls}"
certificates = [{{ cert = "{cert}", key = "{key}" }}]
tls = {{ client_ca = "{ca}", client_auth = "optional" }}
pool = "app"
[[listeners]]
name = "json"
listen = "127.0.0.1:{json_port}"
pool = "app"
access_log = "json.log"
access_log_format = 'escape=json {json}'
[[listeners]]
name = "combined"
listen = "127.0.0.1:{combined_port}"
pool = "app"
access_log = "combined.log"
access_log_format = "combined"
[[access_logs]]
to = "failed.log"
format = "$status $listener"
status = "5xx"
[pools.app]
upstreams = ["http://127.0.0.1:{origin}"]
"""


def answer(asked):
    status = int(asked.path.partition("?")[0].rpartition("/")[2]) if asked.path[-3:].isdigit() else 200
    return status, {"Content-Type": "text/html; charset=utf-8"}, "hello"


REQUESTS = [
    b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b'GET /x?a=1&b=2 HTTP/1.1\r\nHost: A.example:81\r\nUser-Agent: c"u\\rl \xff\xc3\xa9\tx\r\nReferer: http://b/\r\n\r\n',
    b"GET /x? HTTP/1.1\r\nHost: a.example\r\nUser-Agent: \r\nCookie: b=1; c=2\r\n\r\n",
    b"POST /404 HTTP/1.1\r\nHost: a.example\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    b"HEAD /x HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"GET /x HTTP/1.0\r\nHost: a.example\r\n\r\n",
    b"GET /503 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"DELETE /204 HTTP/1.1\r\nHost: a.example\r\nCookie: c=d=e\r\n\r\n",
]


def ask(port, request, tls=None):
    """Send a request and read what comes, until it is complete."""
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), DEADLINE))
        if tls is not None:
            connection = stack.enter_context(tls.wrap_socket(connection, server_hostname="localhost"))
        connection.sendall(request)
        response = http.client.HTTPResponse(connection, method=request.split(b" ")[0].decode())
        response.begin()
        response.read()
        return response.status


def lines_of(file, count):
    until(lambda: file.exists() and file.read_bytes().count(b"\n") >= count, f"{count} lines in {file.name}")
    return file.read_bytes().decode("latin-1").splitlines()


def fields_of(line):
    return dict(part.partition("=")[::2] for part in line.split("|"))


@attrs.frozen
class Both:
    """The ports and folders of nginx and of us: plain, and with TLS; each of us has one for each format."""

    nginx: int
    nginx_tls: int
    same: int
    tls: int
    json: int
    combined: int
    theirs: Path
    ours: Path
    ca: Identity


@pytest.fixture
def both(processes, tmp_path):
    """nginx and we, before the same origin."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    ca = new_ca()
    (tmp_path / "ca.pem").write_bytes(ca.cert_pem)
    cert, key = ca.issue("localhost").write(tmp_path, "server")
    one = Both(*(free_port() for _ in range(6)), theirs, ours, ca)
    with scripted_origin(free_port(), answer) as origin:
        known = {"format": FORMAT, "json": JSON, "cert": cert, "key": key, "ca": tmp_path / "ca.pem"}
        known["origin"] = origin.port
        text = NGINX.format(dir=theirs, port=one.nginx, tls=one.nginx_tls, **known)
        (theirs / "nginx.conf").write_text(("user root;" if os.geteuid() == 0 else "") + text)
        text = OURS.format(port=one.same, tls=one.tls, json_port=one.json, combined_port=one.combined, **known)
        (ours / "proxy.toml").write_text(text)
        processes(need("nginx"), "-p", str(theirs), "-c", str(theirs / "nginx.conf"), port=one.nginx)
        words = (sys.executable, "-m", "txproxy", "run", "--config", "proxy.toml")
        with (ours / "log").open("wb") as out:
            processes(*words, port=one.same, cwd=ours, stdout=out, stderr=out)
        yield one


def test_nginx_says_the_same(both):
    for request in REQUESTS:
        statuses = {ask(port, request) for port in (both.nginx, both.same, both.json, both.combined)}
        assert len(statuses) == 1
    context = ssl.create_default_context(cadata=both.ca.cert_pem.decode())
    cert, key = both.ca.issue("client", subject=named("alice")).write(both.ours, "client")
    for certificate in (None, (cert, key)):
        if certificate is not None:
            context.load_cert_chain(*certificate)
        for port in (both.nginx_tls, both.tls):
            assert ask(port, b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n", context) == 200
    theirs, ours = (
        [fields_of(line) for line in lines_of(folder / "same.log", len(REQUESTS) + 2)]
        for folder in (both.theirs, both.ours)
    )
    assert theirs[-1]["ssl_client_s_dn"] == "CN=alice" and theirs[-2]["ssl_protocol"] == "TLSv1.3"
    assert ours == theirs
    theirs, ours = (
        lines_of(folder / "json.log", len(REQUESTS))[: len(REQUESTS)] for folder in (both.theirs, both.ours)
    )
    for line, other in zip(ours, theirs, strict=True):
        # nginx leaves bytes that are no UTF-8 as they are.
        assert json.loads(line)["request"] == json.loads(other)["request"]
        assert json.loads(line)["cookie"] == json.loads(other)["cookie"]
    theirs, ours = (
        [re.sub(r"\[.*?\]", "[]", line) for line in lines_of(folder / "combined.log", len(REQUESTS))[: len(REQUESTS)]]
        for folder in (both.theirs, both.ours)
    )
    assert ours == theirs
    assert lines_of(both.ours / "failed.log", 3) == ["503 same", "503 json", "503 combined"]


# -- Squid


NATIVE = ("time", "duration", "client", "result", "size", "method", "url", "user", "way", "type")
# A cache that keeps what may be kept, and validates what is old.
STORING = ("cache allow all", "cache_mem 16 MB", "refresh_pattern . 0 20% 4320")
OLD = "max-age=0"


def native(line):
    """A line of Squid's native format by its columns, without what hangs on time and on a server's own fields."""
    assert re.match(r"\d{10}\.\d{3} [ \d]{5}\d \S", line), line
    columns = dict(zip(NATIVE, line.split(), strict=True))
    assert int(columns["size"]) > 0 or columns["method"] == "CONNECT"
    return tuple(columns[name] for name in ("client", "result", "method", "url", "user", "way", "type"))


def tell(asked):
    """A page that lives for an hour, or that has to be validated, and has changed or has not."""
    path = asked.path.partition("?")[0]
    if path == "/valid" and "if-none-match" in asked.fields:
        return 304, {"ETag": '"a"', "Cache-Control": OLD}, ""
    if path in ("/valid", "/changed"):
        return 200, {"ETag": '"a"', "Cache-Control": OLD, "Content-Type": "text/css"}, "hello"
    if path == "/fresh":
        return 200, {"Cache-Control": "max-age=3600", "Content-Type": "text/css"}, "hello"
    return answer(asked)


@pytest.fixture
def parties(run_squid, run_proxy, tmp_path):
    """Asks a Squid and us, before the same origin, and gives the line of each that has ``known`` in it, as columns."""
    with scripted_origin(free_port(), tell) as origin:
        origin.held.set()
        access = ("acl no dstdomain denied.example", "http_access deny no", "http_access allow all")
        squid = run_squid(access=access, storing=STORING)
        words = ["--allow-destination", "127.0.0.0/8", "--allow-port", "1-65535", "--deny-host", "denied.example"]
        log = tmp_path / "ours.log"
        words += ["--cache", "16M", "--access-log", str(log), "--access-log-format", "squid"]
        ours = run_proxy("forward", *words)

        def lines(request, known):
            found = []
            for port, file in ((squid.port, squid.directory / "access.log"), (ours.port, log)):
                before = file.read_text().count(known) if file.exists() else 0
                with socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
                    client.sendall(request.encode())
                    while client.recv(65536):
                        pass
                until(
                    lambda file=file, before=before: file.exists() and file.read_text().count(known) > before,
                    f"one more {known} in {file.name}",
                )
                found.append(native([line for line in file.read_text().splitlines() if known in line][-1]))
            return found

        yield origin, lines


def absolute(place, path, method="GET", more=""):
    return f"{method} http://{place}{path} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n{more}\r\n"


def test_squid_says_the_same(parties):
    origin, lines = parties
    place, closed = f"127.0.0.1:{origin.port}", f"127.0.0.1:{free_port()}"
    body = "Content-Length: 2\r\n"
    for request, known, result, way in [
        (absolute(place, "/x"), "/x ", "TCP_MISS/200", "HIER_DIRECT/127.0.0.1"),
        (absolute(place, "/404", more="User-Agent: x\r\n"), "/404 ", "TCP_MISS/404", "HIER_DIRECT/127.0.0.1"),
        (absolute(place, "/head", "HEAD"), "/head ", "TCP_MISS/200", "HIER_DIRECT/127.0.0.1"),
        (absolute(place, "/post", "POST", body) + "hi", "/post ", "TCP_MISS/200", "HIER_DIRECT/127.0.0.1"),
        (absolute(place, "/y%20'~[]\"{}|\\^`"), "/y%20", "TCP_MISS/200", "HIER_DIRECT/127.0.0.1"),
        (absolute(place, "/fresh"), "/fresh ", "TCP_MISS/200", "HIER_DIRECT/127.0.0.1"),
        (absolute(place, "/fresh"), "/fresh ", "TCP_MEM_HIT/200", "HIER_NONE/-"),
        (absolute(place, "/valid"), "/valid ", "TCP_MISS/200", "HIER_DIRECT/127.0.0.1"),
        (absolute(place, "/valid"), "/valid ", "TCP_REFRESH_UNMODIFIED/200", "HIER_DIRECT/127.0.0.1"),
        (absolute(place, "/changed"), "/changed ", "TCP_MISS/200", "HIER_DIRECT/127.0.0.1"),
        (absolute(place, "/changed"), "/changed ", "TCP_REFRESH_MODIFIED/200", "HIER_DIRECT/127.0.0.1"),
        (
            f"CONNECT {place} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /z HTTP/1.0\r\n\r\n",
            f" {place} ",
            "TCP_TUNNEL/200",
            None,
        ),
    ]:
        theirs, ours = lines(request, known)
        assert ours == theirs, request
        assert theirs[1] == result and way in (None, theirs[5])
    # Squid's documentation calls it so; Squid 5 says TCP_MISS.
    _, ours = lines(absolute(place, "/fresh", more="Cache-Control: no-cache\r\n"), "/fresh ")
    assert (ours[1], ours[5]) == ("TCP_CLIENT_REFRESH_MISS/200", "HIER_DIRECT/127.0.0.1")
    # What the proxy says itself is another page with us, and another status of what went wrong.
    for request, known, result, way in [
        (absolute("denied.example", "/no"), "/no ", "TCP_DENIED", "HIER_NONE/-"),
        (
            "CONNECT denied.example:443 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            " denied.example:443 ",
            "TCP_DENIED",
            "HIER_NONE/-",
        ),
        (absolute(closed, "/gone"), "/gone ", "TCP_MISS", "HIER_DIRECT/127.0.0.1"),
        (
            f"CONNECT {closed} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            f" {closed} ",
            "NONE_NONE",
            "HIER_DIRECT/127.0.0.1",
        ),
        (absolute("nowhere.invalid", "/lost"), "/lost ", "TCP_MISS", "HIER_NONE/-"),
        ("WRONG\r\n\r\n", "error:invalid-request", "NONE_NONE", "HIER_NONE/-"),
    ]:
        theirs, ours = lines(request, known)
        assert [line[1].partition("/")[0] for line in (theirs, ours)] == [result] * 2
        assert [line[5] for line in (theirs, ours)] == [way] * 2
        assert ours[3:5] == theirs[3:5]
