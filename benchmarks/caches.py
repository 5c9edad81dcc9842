"""How the caches of nginx, Varnish and Squid are configured: each keeps what it may in memory."""

from __future__ import annotations

from benchmarks.origin import NGINX_START, Site
from benchmarks.servers import NGINX_USER, ROOT, written

ROOM = 64
"""What each may keep, in MB; more than enough for all that is asked for."""

_NGINX = """
    sendfile on;
    tcp_nopush on;
    {open_files}
    proxy_cache_path {files}/{name}-cache levels=1:2 keys_zone=kept:10m max_size={room}m use_temp_path=off;
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 128; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache kept;
            {collapsing}
        }}
    }}
}}
"""
_OPEN_FILES = "open_file_cache max=1000 inactive=1h; open_file_cache_valid 1h;"
# What nginx has for many clients at once, all of which it leaves off if it is not asked for.
_COLLAPSING = (
    "proxy_cache_lock on; proxy_cache_use_stale error timeout updating; proxy_cache_background_update on; "
    "proxy_cache_revalidate on;"
)

_SQUID = """
http_port 127.0.0.1:{port} accel defaultsite=localhost no-vhost
http_access allow all
cache_mem {room} MB
maximum_object_size_in_memory 8 MB
memory_pools on
memory_cache_shared off
collapsed_forwarding {collapsing}
access_log none
cache_log {directory}/{name}.log
cache_store_log none
pid_filename none
coredump_dir {directory}
visible_hostname localhost
workers 1
max_filedescriptors 16384
server_persistent_connections on
client_persistent_connections on
pinger_enable off
shutdown_lifetime 0 seconds
cache_peer 127.0.0.1 parent {origin} 0 no-query no-digest originserver name=origin
cache_peer_access origin allow all
never_direct allow all
{user}
"""


def nginx(
    site: Site, name: str, port: int, open_files: bool = False, collapsing: bool = False, on_disk: bool = False
) -> list[str]:
    """proxy_cache with its files in memory, or ``on_disk``; it opens one for a hit unless it keeps ``open_files``."""
    text = (NGINX_START + _NGINX).format(
        user=NGINX_USER,
        directory=site.directory,
        files=site.directory if on_disk else site.memory,
        name=name,
        port=port,
        origin=site.origin,
        room=ROOM,
        open_files=_OPEN_FILES if open_files else "",
        collapsing=_COLLAPSING if collapsing else "",
    )
    return ["nginx", "-p", str(site.directory), "-c", str(written(site, name, text))]


def squid(site: Site, name: str, port: int, collapsing: bool = False) -> list[str]:
    """An accelerator that keeps in memory alone."""
    text = _SQUID.format(
        port=port,
        room=ROOM,
        collapsing="on" if collapsing else "off",
        directory=site.directory,
        name=name,
        origin=site.origin,
        user="cache_effective_user nobody" if ROOT else "",
    )
    return ["squid", "-N", "-n", f"bench{port}", "-f", str(written(site, name, text))]


def varnish(site: Site, name: str, port: int) -> list[str]:
    """Its own rules, with all of its store in memory."""
    argv = ["varnishd", "-F", "-n", str(site.memory / name), "-a", f"127.0.0.1:{port}"]
    argv += ["-b", f"127.0.0.1:{site.origin}", "-s", f"malloc,{ROOM}m"]
    # It may not keep a client waiting for a thread, nor for a place in the queue.
    argv += ["-p", "listen_depth=4096", "-p", "thread_pools=1", "-p", "thread_pool_min=500"]
    return [*argv, "-j", "none"] if ROOT else argv
