"""The origin that all proxies are in front of, and the certificate that they show."""

from __future__ import annotations

import subprocess
from pathlib import Path

import attrs

from benchmarks.ports import free_port
from benchmarks.process import Cores, Program, Programs, StartError

SMALL = b"hello, world\n"
LARGE_SIZE = 100 * 1000
KEPT = {"1k": 1000, "100k": 100 * 1000, "1m": 1000 * 1000}
"""What may be kept, below ``/kept/``: name and size."""

NGINX_START = """
{user}daemon off;
worker_processes 1;
pid {directory}/{name}.pid;
error_log {directory}/{name}.log crit;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path {directory}/{name}-body;
    proxy_temp_path {directory}/{name}-proxy;
    fastcgi_temp_path {directory}/{name}-fastcgi;
    uwsgi_temp_path {directory}/{name}-uwsgi;
    scgi_temp_path {directory}/{name}-scgi;
    keepalive_requests 1000000000;
"""
"""How the configuration of each nginx here begins: with one worker, and all its files in one directory."""

_CONFIG = """
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 3600;
    open_file_cache max=10;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        listen 127.0.0.1:{http2_port} http2 backlog=4096;
        http2_max_concurrent_streams 128;
        root {directory}/site;
        location = /small {{ return 200 "hello, world\\n"; }}
        location = /varied {{ add_header X-Request-Id $request_id; return 200 "hello, world\\n"; }}
        location /kept/ {{ add_header X-Request-Id $request_id; add_header Cache-Control "max-age=86400"; }}
        location = /never {{
            add_header X-Request-Id $request_id;
            add_header Cache-Control "no-store";
            return 200 "hello, world\\n";
        }}
    }}
}}
"""


@attrs.frozen
class Site:
    """What a peer needs to know to be configured."""

    directory: Path
    """Where it may write its files."""
    memory: Path
    """The same, on a file system in memory where the machine has one."""
    origin: int
    """Port of the origin on 127.0.0.1."""
    http2: int
    """The same, where it speaks HTTP/2 by prior knowledge."""
    certificate: Path
    key: Path


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed ECDSA P-256 certificate for localhost, and its key."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    argv += ["-keyout", str(key), "-out", str(certificate), "-days", "30", "-subj", "/CN=localhost"]
    argv += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    try:
        made = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise StartError(f"openssl: {fault}") from fault
    if made.returncode:
        raise StartError(f"openssl: {made.stderr}")
    # HAProxy wants both in one file.
    (directory / "both.pem").write_text(certificate.read_text() + key.read_text())
    for file in (key, directory / "both.pem"):
        file.chmod(0o644)  # some proxies change their user before they read it; it lives as long as the run
    return certificate, key


def start_origin(
    programs: Programs, directory: Path, memory: Path, cores: Cores, bulk_size: int, user: str
) -> tuple[Site, Program]:
    """Start nginx with ``/small``, ``/varied`` (no two answers have the same head), ``/large``, ``/bulk`` (sparse,
    ``bulk_size`` bytes), ``/kept/NAME`` of :data:`KEPT`, and ``/never``, which no cache may keep.
    """
    site = directory / "site"
    site.mkdir()
    (site / "large").write_bytes(b"0123456789abcdef" * (LARGE_SIZE // 16))
    (site / "kept").mkdir()
    for name, size in KEPT.items():
        (site / "kept" / name).write_bytes(b"01234567" * (size // 8))
    with (site / "bulk").open("wb") as bulk:
        bulk.truncate(bulk_size)
    port, http2_port = free_port(), free_port()
    config = directory / "origin.conf"
    text = (NGINX_START + _CONFIG).format(
        user=user, directory=directory, name="origin", port=port, http2_port=http2_port
    )
    config.write_text(text)
    certificate, key = make_certificate(directory)
    program = programs.start("origin", ["nginx", "-p", str(directory), "-c", str(config)], cores.load, port)
    return Site(directory, memory, port, http2_port, certificate, key), program
