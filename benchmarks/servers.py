"""How nginx, HAProxy, Squid and tinyproxy are configured: each for its best."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.origin import NGINX_START, Site

ROOT = os.geteuid() == 0
NGINX_USER = "user root;\n" if ROOT else ""

_NGINX = """
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 128; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port} {tls} backlog=4096;
        {certificate}
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""

_HAPROXY = """
global
    nbthread 1
    maxconn 4000
    {tuning}
defaults
    mode {mode}
    timeout connect 5s
    timeout client 75s
    timeout server 75s
    {options}
frontend front
    bind 127.0.0.1:{port} backlog 4096 {tls}
    default_backend back
backend back
    {backend}
    server origin 127.0.0.1:{origin}
"""

_SQUID = """
{listen}
http_access allow all
cache deny all
cache_mem 0
memory_pools on
access_log none
cache_log {directory}/{name}.log
cache_store_log none
pid_filename none
coredump_dir {directory}
visible_hostname localhost
workers 1
memory_cache_shared off
max_filedescriptors 16384
server_persistent_connections on
client_persistent_connections on
pinger_enable off
shutdown_lifetime 0 seconds
{peer}
{user}
"""

_TINYPROXY = """
Port {port}
Listen 127.0.0.1
Timeout 75
LogLevel Critical
LogFile "{directory}/{name}.log"
MaxClients 4096
Allow 127.0.0.1
DisableViaHeader No
"""


def written(site: Site, name: str, text: str) -> Path:
    """The file of a configuration."""
    path = site.directory / f"{name}.conf"
    path.write_text(text)
    return path


def nginx(site: Site, name: str, port: int, tls: bool, http2: bool = False) -> list[str]:
    """A reverse proxy with kept-alive connections to the origin."""
    certificate = f"ssl_certificate {site.certificate}; ssl_certificate_key {site.key}; ssl_protocols TLSv1.3;"
    text = (NGINX_START + _NGINX).format(
        user=NGINX_USER,
        directory=site.directory,
        name=name,
        port=port,
        origin=site.origin,
        tls="ssl http2" if http2 else "ssl" if tls else "",
        certificate=certificate if tls else "",
    )
    return ["nginx", "-p", str(site.directory), "-c", str(written(site, name, text))]


def haproxy(site: Site, name: str, port: int, tls: bool, http2: bool = False, to_http2: bool = False) -> list[str]:
    """A reverse proxy with kept-alive connections to the origin."""
    text = _HAPROXY.format(
        mode="http",
        tuning="",
        options="option http-keep-alive",
        backend="http-reuse always",
        port=port,
        origin=f"{site.http2} proto h2" if to_http2 else site.origin,
        tls=f"ssl crt {site.directory / 'both.pem'} ssl-min-ver TLSv1.3" + (" alpn h2" if http2 else "") if tls else "",
    )
    return ["haproxy", "-db", "-f", str(written(site, name, text))]


def haproxy_tcp(site: Site, name: str, port: int, pipe_size: int | None = None) -> list[str]:
    """A TCP proxy that splices; ``pipe_size`` in bytes, the kernel's 64 KiB where none is told."""
    text = _HAPROXY.format(
        mode="tcp",
        tuning=f"tune.pipesize {pipe_size}" if pipe_size else "",
        options="option splice-auto",
        backend="",
        port=port,
        origin=site.origin,
        tls="",
    )
    return ["haproxy", "-db", "-f", str(written(site, name, text))]


def squid(site: Site, name: str, port: int, reverse: bool) -> list[str]:
    """A proxy that stores nothing: an accelerator where ``reverse``, else a forward proxy."""
    if reverse:
        listen = f"http_port 127.0.0.1:{port} accel defaultsite=localhost no-vhost"
        peer = f"cache_peer 127.0.0.1 parent {site.origin} 0 no-query no-digest originserver name=origin"
        peer += "\ncache_peer_access origin allow all\nnever_direct allow all"
    else:
        listen, peer = f"http_port 127.0.0.1:{port}", ""
    user = "cache_effective_user nobody" if ROOT else ""  # Squid refuses to stay root
    text = _SQUID.format(listen=listen, peer=peer, user=user, directory=site.directory, name=name)
    # The service's name is in those of its shared memory segments, which another Squid here may have as well.
    return ["squid", "-N", "-n", f"bench{port}", "-f", str(written(site, name, text))]


def tinyproxy(site: Site, name: str, port: int) -> list[str]:
    """A forward proxy, which closes each connection after one request."""
    text = _TINYPROXY.format(port=port, directory=site.directory, name=name)
    return ["tinyproxy", "-d", "-c", str(written(site, name, text))]
