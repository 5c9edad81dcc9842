"""The text of a first configuration of each kind, with what there is on the machine in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from txproxy.cli.files.machine import FoundCertificate
from txproxy.config.sources.outside_values import escaped


@attrs.frozen(kw_only=True)
class Surroundings:
    """What a first file is written for: its ``name`` as commands take it, where it is to ``listen``, and with TLS
    (``tls_listen``), and where ``admin`` is; ``upstreams``; ``certificates`` and a file of ``users`` that are there, by
    names as they are right in the file. Who is on this machine finds it at ``place``, ``ADDRESS:PORT``.
    """

    name: str
    listen: str
    place: str
    tls_listen: str
    admin: str
    upstreams: Sequence[str]
    certificates: Sequence[FoundCertificate] = ()
    users: str | None = None


def quoted(text: str) -> str:
    """A text as TOML has it, which refers to nothing."""
    return json.dumps(escaped(text), ensure_ascii=False).replace("\x7f", "\\u007f")


def _head(what: str, around: Surroundings, *tries: str) -> str:
    said = "\n".join(f"#   {one}" for one in tries)
    return f"""\
# {what}
#
#   txproxy check {around.name}
#   txproxy run --config {around.name}
{said}
#
# A reload (SIGHUP) reads all of it again, and changes nothing if anything is wrong. The reference of the documentation,
# "Configuration file", has every key with its default.

[log]
access = "-"                                # or a file, syslog:udp:HOST:PORT, journald:, none
level = "info"

[admin]                                     # txproxy top, txproxy ctl, /metrics, /healthz and the console
listen = {quoted(around.admin)}
"""


def _tls(around: Surroundings, of_streams: bool = False) -> str:
    if around.certificates:
        pairs = ",\n    ".join(
            f"{{ cert = {quoted(one.cert)}"
            + (f", key = {quoted(one.key)}" if one.key is not None else "")
            + f" }},  # {', '.join(one.names)}"
            for one in around.certificates
        )
        return f"""\
tls_listen = {quoted(around.tls_listen)}
certificates = [
    {pairs}
]
"""
    what = "TLS before the streams" if of_streams else "TLS"
    return f"""\
# tls_listen = {quoted(around.tls_listen)}              # {what}: by a certificate for trials, until there is one
# self_signed = true                        # in its place: certificates = [{{ cert = "chain.pem", key = "key.pem" }}]
"""


def _upstreams(around: Surroundings) -> str:
    return "[" + ", ".join(map(quoted, around.upstreams)) + "]"


def _reverse(around: Surroundings) -> str:
    login = (
        f"# login = {{ password_file = {quoted(around.users)} }}   # who has to log in first"
        if around.users is not None
        else '# login = { password_file = "htpasswd" }    # who has to log in first: htpasswd -B -c htpasswd NAME'
    )
    return f"""\
{_head("A reverse proxy: HTTP to servers of your own.", around, f"curl http://{around.place}/")}
[[listeners]]
name = "web"
listen = {quoted(around.listen)}
{_tls(around)}pool = "app"                                # what no route matches
# trusted_proxies = ["10.0.0.0/8"]          # whose X-Forwarded-For is believed
{login}

[pools.app]
upstreams = {_upstreams(around)}  # more than one: requests are shared out
strategy = "round-robin"                    # or least-connections, random, ip-hash, ...
retries = 1                                 # where that is safe
# sticky = "cookie"                         # a client stays with its server
# health = {{ path = "/", interval = "5s" }}  # ask them; without it, who fails is left out for a while

# [[routes]]                                # /api/users is asked for as /users
# name = "api"
# path = "/api"
# strip_prefix = "/api"
# pool = "app"
"""


def _auth(around: Surroundings) -> str:
    if around.users is not None:
        return f"auth = {{ password_file = {quoted(around.users)} }}\n"
    return '# auth = { password_file = "htpasswd" }     # htpasswd -B -c htpasswd NAME\n'


def _clients(around: Surroundings) -> str:
    return f"""\
[[listeners]]
name = "clients"
mode = "forward"
listen = {quoted(around.listen)}            # HTTP and SOCKS5
{_tls(around)}\
allow_clients = ["127.0.0.0/8", "::1"]      # who may use it
{_auth(around)}"""


def _user(around: Surroundings) -> str:
    return "-U NAME " if around.users is not None else ""


def _forward(around: Surroundings) -> str:
    through = f"curl -x http://{around.place} {_user(around)}http://example.com/"
    return f"""\
{_head("A forward proxy: requests and tunnels of clients to wherever they may go.", around, through)}
{_clients(around)}\
# allow_destinations = ["10.0.0.0/8"]       # loopback, private, link-local and metadata addresses are refused otherwise
# filters = ["block-list.txt"]              # hosts, hosts-file lines, or globs over URLs

# Rules are asked in their order, and the first that fits counts; what none fits is denied where there are any.
# [[listeners.rules]]
# name = "no uploads"
# action = "deny"
# methods = ["PUT", "POST"]

# [[listeners.rules]]
# name = "all the rest"
# action = "allow"
"""


def _egress(around: Surroundings) -> str:
    through = f"curl -x http://{around.place} {_user(around)}https://example.com/"
    return f"""\
{_head("The only way out for programs that are not to be trusted: let them have no other.", around, through)}
{_clients(around)}\
allow_hosts = ["example.com", "*.example.com"]   # nothing else is reached
agree_names = true                          # a tunnel is TLS, and for the host that it was asked for
audit = "-"                                 # a line of JSON for each request; or a file

# The program asks http://api.example.com/..., the proxy speaks TLS, and has the key, from a file of its own.
# [[listeners.rewrites]]
# name = "api"
# url = "http://api.example.com/*"
# to = "https://{{host}}{{path}}"

# [[listeners.inject]]
# origin = "https://api.example.com"
# headers = {{ Authorization = {{ file = "api_authorization" }} }}

[[listeners.rules]]
name = "no uploads"
action = "deny"
reason = "uploads are not allowed"
methods = ["POST", "PUT", "PATCH", "DELETE"]

[[listeners.rules]]
name = "all the rest"
action = "allow"
"""


def _cache(around: Surroundings) -> str:
    head = _head(
        "A caching proxy before servers of your own.",
        around,
        f"curl -i http://{around.place}/            # Cache-Status says what was done",
        f"txproxy cache stats --config {around.name}",
    )
    return f"""\
{head}
[cache]
size = "64M"                                # of memory
# dir = "cache"                             # below it on a disk, where it survives a restart
# dir_size = "1G"
stale_while_revalidate = "10s"              # nobody waits for a page that has just become old

[[cache_rules]]                             # whatever else is said, these are somebody's own
name = "private"
paths = ["/account", "/cart"]
cache = false

[[cache_rules]]                             # for how long, where the server does not say
name = "static"
paths = ["/static"]
ttl = "1h"

[[listeners]]
name = "web"
listen = {quoted(around.listen)}
{_tls(around)}pool = "app"

[pools.app]
upstreams = {_upstreams(around)}
"""


def _tcp(around: Surroundings) -> str:
    place = " ".join(around.place.rsplit(":", 1))
    return f"""\
{_head("Raw TCP streams, such as those of a database, to servers of your own.", around, f"nc {place}")}
[[listeners]]
name = "streams"
mode = "tcp"
listen = {quoted(around.listen)}
{_tls(around, of_streams=True)}pool = "app"
# limits = {{ tunnel_timeout = "1h" }}        # how long a stream may be silent

[pools.app]
upstreams = {_upstreams(around)}  # "127.0.0.1:5433;backup" is for when all others are away
strategy = "least-connections"
# health = {{ kind = "connect", interval = "2s" }}
"""


FIRST_FILES: Final[Mapping[str, Callable[[Surroundings], str]]] = {
    "reverse": _reverse,
    "forward": _forward,
    "egress": _egress,
    "cache": _cache,
    "tcp": _tcp,
}
