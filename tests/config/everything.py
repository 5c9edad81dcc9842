"""A configuration file that has each key that a file may have, and the files that it names."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from tests.tls.authority import new_ca
from txproxy.upstreams import Strategy

# What may be said of caching, wherever it is.
POLICY = """
targeted = ["CDN-Cache-Control", "Surrogate-Control"]
ttl = { 200 = "1h", 4xx = "5s", any = 1 }
min_ttl = "1m"
max_ttl = "24h"
override_expire = true
override_lastmod = true
heuristic_fraction = 0.2
heuristic_max = "2h"
error_ttl = 0
stale_while_revalidate = "30s"
stale_if_error = "1h"
ignore_set_cookie = true
ignore_private = true
request_directives = true
ignore_reload = true
reload_into_ims = true
max_object_size = "4M"
min_uses = 2
offline = true
purge = true
query = "all"
query_keep = ["id", "page*"]
query_drop = ["utm_*"]
query_sort = true
key_headers = ["X-Device"]
key_cookies = ["lang"]
key_device = "X-UA-Device"
"""
LIMIT = """
{ name = "\\1", rate = "9/s", burst = 20, by = ["client", "header:X-Key", "cookie:sid", "host", "listener"],
delay = 5, status = 503, enforce = false, ratelimit_fields = true }
""".replace("\n", " ")
PLACES = r'{ name = "\1", concurrent = 9, queue = 3, queue_timeout = 2 }'
CHECKED = (
    '{ passwords = { use = "tests.config.everything:user_of_password" }, '
    'tokens = { use = "tests.config.everything:user_of" } }'
)
LOGIN = (
    'login = { password_file = "users", digest_file = "digests", token_file = "tokens", group_file = "groups", '
    'realm = "office", remember = "10m", digest_secret = "a secret of digests", users = ["alice"], '
    'groups = ["staff"], user_header = "X-Remote-User", pass_credentials = true, except = [EXCEPTED] }'
)
EXCEPTED = (
    '{ hosts = ["a.example"], path = "/health", methods = ["GET"], headers = { X-Key = "k" }, '
    'query = { a = "b" }, clients = ["10.0.0.0/8"], '
    'matches = [{ use = "tests.config.everything:is_one" }] }'
)
EVERYTHING = """
include = "more/*.toml"
via = "edge"
python_path = "."
reload_code = true
workers = 1
usage_file = "usage.sqlite"

[log]
access = "access.log"
access_format = "json"
access_refused = "2k"
level = "info"

[admin]
listen = "127.0.0.1:9090"
token_file = "admin.token"

[tracing]
request_id = true
trace_context = true
endpoint = "http://127.0.0.1:4318"
service_name = "edge"
sample = 0.1

[[access_logs]]
to = "errors.log"
format = "json"
listeners = ["web"]
status = [404, "5xx"]
min_duration = "500ms"
routes = ["api"]
sample = 0.5

[[access_logs]]
sink = { use = "tests.config.everything:print_line" }

[cache]
size = "64M"
dir = "cache"
dir_size = "2G"
POLICY

[[cache_rules]]
name = "private"
hosts = [".internal.example"]
paths = ["/admin", "=/login", "~/u/[0-9]+"]
url = ["*/private/*", "~[.]cgi"]
ignore_case = true
cache = false

[[cache_rules]]
name = "images"
paths = "/images"
POLICY

[limits]
header_timeout = "20s"
idle_timeout = "1m"
connect_timeout = 4
response_timeout = 50
drain_timeout = 10
linger_timeout = 1
keep_for = "30s"
tunnel_age = "10h"
connection_age = "5h"
tunnel_timeout = "2h"
max_connections = 1000
max_connections_per_client = 100
connection_rate = "20/s:burst=100"
ipv6_prefix = 56
max_header_size = "32k"
max_target_size = "4k"
max_fields = 50
max_concurrent_streams = 50
stream_window = "2M"
upstream_concurrent_streams = 20
upstream_stream_window = "256k"
connection_window = "8M"
max_body_size = "20M"
min_body_rate = "1k"
min_header_rate = "1k"
min_response_rate = "1k"
keep_per_address = 8
keep_in_all = 80

[challenge]
difficulty = 18
wait = "15s"
lifetime = "1h"
ipv4_prefix = 32
ipv6_prefix = 56
secret = "0123456789abcdef"

[[bandwidths]]
per = "client"
down = "1M"
up = "1M"
burst = "64k"
only = ["10.0.0.0/8"]

[[quotas]]
per = "user"
day = "1G"
month = "10G"
only = ["bob"]

[[request_limits]]
name = "each"
rate = "100/s:burst=200"
by = ["client", "user", "route", "rule", "pool"]
delay = 10
status = 429
enforce = true
ratelimit_fields = false

[[request_limits]]
name = "slow"
rate = "10/m"
burst = 5
by = "client"

[[request_limits]]
name = "heavy"
concurrent = 20
queue = 10
queue_timeout = "500ms"

[[listeners]]
name = "members"
listen = "tcp:8090"
pool = "app"
login = CHECKED

[[listeners]]
name = "members out"
mode = "forward"
listen = "tcp:3190"
auth = CHECKED

[[listeners]]
name = "web"
request_limits = ["slow", LIMIT(own), PLACES(own places)]
listen = ["tcp:8080", "unix:web.sock"]
tls_listen = "tcp:8443"
certificates = ["pair.pem", { cert = "pair.pem", key = "pair.pem" }]
tls = { min_version = "1.3", ciphers = "HIGH", client_ca = "ca.pem", client_auth = "optional", client_depth = 2 }
http2 = true
h2c = true
proxy_protocol = true
trusted_proxies = ["127.0.0.1", "unix:"]
tolerate = ["bare-lf"]
middleware = ["tests.config.everything:Nothing", { use = "tests.config.everything:Marked", mark = "m" }]
pool = "app"
before = ["tests.config.everything:look", { use = "tests.config.everything:look", timeout = "2s" }]
after = [{ use = "tests.config.everything:see", timeout = 5 }]
routes = ["api", "whoami"]
host = "app.example"
via = "none"
error_pages = { 503 = "page.html", 4xx = "page.html" }
split_by = "client"
limits = { idle_timeout = "10s" }
challenge = { above = "500/s", active = 200, except = [EXCEPTED] }
LOGIN
audit = "web.json"
access_log = "web.log"
access_log_format = '$remote_addr "$request" $status'
bandwidths = [{ per = "rule", down = "3M", up = "3M", burst = "96k", only = "api" }]
quotas = [{ per = "client", day = "3G", month = "30G", only = ["10.3.0.0/16"] }]

[[listeners]]
name = "out"
mode = "forward"
listen = "tcp:3128"
tls_listen = "tcp:3129"
certificates = "pair.pem"
protocols = ["http", "socks5"]
http2 = true
h2c = true
allow_clients = ["127.0.0.0/8", "unix:"]
allow_ports = [80, "443", "8000-8999"]
allow_destinations = ["10.1.0.0/16", "intranet.example"]
allow_hosts = [".example", "*.example.com"]
deny_hosts = ["bad.example"]
filters = ["ads.txt", { file = "ads.txt", name = "more" }]
ask_timeout = "1m"
safe_search = ["google", "youtube"]
agree_names = true
via = "out"
forwarded_for = "on"
parents = ["http://bob:secret@parent.example:3128;host=*.example;weight=2", "https://tls.example", "direct"]
parent_check_interval = "10s"
no_proxy = ["10.0.0.0/8", "near.example:80"]
bind = "127.0.0.1"
pac = false
audit = "audit.json"
error_pages = { 5xx = "page.html" }
middleware = "tests.config.everything:Nothing"

[listeners.auth]
password_file = "users"
digest_file = "digests"
token_file = "tokens"
certificate_field = "cn"
certificate_users = { "Bob Example" = "bob" }
group_file = "groups"
realm = "office"
remember = "1m"
digest_secret = "0123456789abcdef"
by_rules = true

[listeners.lists]
work = "ads.txt"

[listeners.content]
deny_types = ["image/*"]
max_size = "10M"

[[listeners.rules]]
name = "all"
action = "deny"
reason = "no"
challenge = true
clients = ["10.0.0.0/8", "unix:"]
not_clients = "10.1.0.0/16"
users = ["bob", "*"]
not_users = "eve"
groups = "staff"
not_groups = "guests"
hosts = [".example.com", "~^www[0-9]", "@work"]
not_hosts = "x.example.com"
addresses = "192.0.2.0/24"
not_addresses = "192.0.2.7"
ports = [80, "8000-8999"]
not_ports = 8080
methods = ["GET", "POST"]
not_methods = "PUT"
schemes = ["http", "https"]
not_schemes = "connect"
url = ["http://*/a/*", "~/b[0-9]"]
not_url = "*/c/*"
headers = { User-Agent = "*curl*", X-A = "~^a", X-B = true, X-C = false }
hours = "08:00-18:00"
not_hours = "12:00-13:00"
days = "mon-fri"
not_days = "wed"
matches = [{ use = "tests.config.everything:is_one" }]
not_matches = [{ use = "tests.config.everything:is_one", share = 0.5 }]
used_more_than = "1G/day"

[[listeners.rules]]
name = "rest"
action = "allow"
middleware = [{ use = "tests.config.everything:Marked", mark = "m" }]
before = ["tests.config.everything:look", { use = "tests.config.everything:look", timeout = "2s" }]
after = [{ use = "tests.config.everything:see", timeout = 5 }]
tunnel_timeout = "10m"
cache = { max_ttl = "1h" }
request_limits = [LIMIT(of the rule), PLACES(places of the rule)]

[[listeners.rewrites]]
name = "moved"
url = "~^http://old[.]example/(.*)"
hosts = ["old.example"]
to = "http://new.example/{1}"
redirect = 302

[[listeners.rewrites]]
name = "glob"
url = "http://old.example/*"
to = "https://{host}{path}"

[[listeners.privacy]]
hosts = [".example"]
remove = ["Referer"]
replace = { User-Agent = "none" }
keep = ["Accept"]
remove_from_responses = ["Server"]

[[listeners.inject]]
origin = "https://api.example"
headers = { Authorization = "Bearer x" }
rules = ["rest"]

[[listeners.binds]]
address = "127.0.0.2"
hosts = ["b.example"]
rules = ["rest"]

[[listeners]]
name = "streams"
mode = "tcp"
request_limits = ["slow"]
listen = "tcp:5432"
tls_listen = "tcp:5433"
self_signed = ["db.example"]
pool = "db"
sni = { "a.example" = "db", "*.b.example" = "db" }
audit = "streams.json"
middleware = "tests.config.everything:Everybody"
bandwidths = [{ down = "4M", only = "10.4.0.0/16" }]
quotas = [{ month = "40G" }]

[pools.app]
upstreams = [
    "https://10.0.0.1",
    { url = "https://app.example", weight = 2, max = 10, backup = true, resolve = true, drain = false },
    { url = "https://b.example", disabled = true },
]
strategy = "header-hash:X-User"
bound = 1.25
sticky = "cookie"
sticky_key = "0123456789abcdef"
host = "app.example"
alpn = ["h2", "http/1.1"]
adaptive = { min = 4, max = 500 }
retries = 2
slow_start = "10s"
panic = 0.3
eject_on = "5xx"
proxy_protocol = 2
queue = 10
queue_timeout = "2s"
tolerate = ["bare-lf"]
ejection = { failures = 3, base = "10s", longest = "1m", share = 0.5 }
tls = { ca = "ca.pem", cert = "pair.pem", key = "pair.pem", server_name = "app.example", insecure = false }

[pools.app.health]
kind = "http"
interval = "5s"
timeout = "1s"
rise = 1
fall = 2
path = "/hz"
method = "GET"
expect = [200, "300-399"]
body = "~ok[0-9]"
host = "hz.example"

[pools.rpc]
upstreams = ["h2c://10.0.0.3:50051"]
strategy = { use = "tests.config.everything:First" }
discovery = { use = "tests.config.everything:members", interval = "5s" }
health = { kind = "grpc", service = "shop.Cart" }

[pools.db]
upstreams = ["10.0.0.1:5432"]
ejection = false

[[routes]]
name = "api"
listeners = "web"
hosts = ["api.example", "*.api.example"]
path = "/api"
methods = ["GET"]
headers = { X-Beta = "~y.*", X-Is = "x", X-There = true }
query = { v = "2", w = "~[0-9]" }
clients = ["10.0.0.0/8"]
matches = [{ use = "tests.config.everything:is_one", share = 0.5 }]
weight = 3
pool = "app"
host = "upstream"
sticky = "ip"
strip_prefix = "/api"
add_prefix = "/v1"
file_in = { folder = ".", index = false }
map_location = { "http://app.example/old/" = "/", "~http://a[0-9]/(.*)" = "$scheme://$host/$1" }
cookie_domains = { "app.example" = "api.example" }
cookie_paths = { "/app" = "/" }
cookie_flags = { session = ["secure", "samesite=lax"], "*" = "httponly" }
response_timeout = "10s"
tunnel_timeout = "1h"
max_body = "1M"
priority = "high"
middleware = [{ use = "tests.config.everything:Marked", mark = "m" }]
before = ["tests.config.everything:look", { use = "tests.config.everything:look", timeout = "2s" }]
after = [{ use = "tests.config.everything:see", timeout = 5 }]
request_headers = { set = { X-A = "$host" }, add = { X-B = ["b", "c"] }, remove = ["X-C"] }
response_headers = { set = { X-A = "a" }, add = { X-B = "b" }, remove = ["Server"], by_status = [
    { status = [200, "3xx"], set = { X-C = "c" }, add = { X-D = ["d"] }, remove = ["X-E"] },
] }
rewrite = { pattern = "/u/(.*)", replacement = "/user/$1" }
hsts = { max_age = "365d", include_subdomains = true, preload = true }
auth = { pool = "app", path = "/auth", copy = ["X-User"], cookies = ["*"] }
mirror = { pool = "app", share = 0.5 }
cache = { ttl = { 200 = "10m" }, query = "none" }
request_limits = ["slow", LIMIT(of the route), PLACES(places of the route)]
LOGIN

[[routes]]
name = "members"
path = "/members"
pool = "app"
login = CHECKED

[[routes]]
name = "old"
path = "~/old/[0-9]+"
redirect = "https://$host/new$path?$query"
status = 301

[[routes]]
name = "whoami"
path = "=/whoami"
cache = false
respond = { status = 200, headers = { Content-Type = "text/plain" }, body = "you" }
login = false
challenge = { above = "9/s", active = 2, except = [EXCEPTED] }

[[routes]]
name = "static"
path = "/static"
files = "."

[[routes]]
name = "out"
path = "/"
methods = "CONNECT"
tunnel = "db"
""".replace("POLICY\n", POLICY)
EVERYTHING = EVERYTHING.replace("LOGIN", LOGIN).replace("EXCEPTED", EXCEPTED).replace("CHECKED", CHECKED)
EVERYTHING = re.sub(r"PLACES\(([a-z ]+)\)", PLACES, EVERYTHING)
EVERYTHING = re.sub(r"LIMIT\(([a-z ]+)\)", LIMIT, EVERYTHING)


class Nothing:
    """A middleware that changes nothing."""

    def handle(self, request, context, proceed):  # type: ignore[no-untyped-def]
        """Go on."""
        return proceed(request, context)


class First(Strategy):
    """A strategy: the first."""

    def update(self, upstreams):  # type: ignore[no-untyped-def]
        """There is one."""

    def choose(self, head, context, skip=None):  # type: ignore[no-untyped-def]
        """Nobody."""


def members():  # type: ignore[no-untyped-def]
    """Upstreams."""
    return ["h2c://10.0.0.3:50051"]


def is_one(request, *, share=1.0):  # type: ignore[no-untyped-def]
    """Whether a request is meant."""
    return True


def print_line(line):  # type: ignore[no-untyped-def]
    """A sink."""


def user_of(token):  # type: ignore[no-untyped-def]
    """Whose a token is."""


def user_of_password(name, password):  # type: ignore[no-untyped-def]
    """Whose a password is."""


def look(request):  # type: ignore[no-untyped-def]
    """A short function that changes nothing."""


def see(request, response):  # type: ignore[no-untyped-def]
    """Another, of a response."""


class Marked(Nothing):
    """The same, with a setting of its own."""

    def __init__(self, mark: str) -> None:
        self.mark = mark


class Everybody:
    """A connection filter that lets all in."""

    def admit(self, connection):  # type: ignore[no-untyped-def]
        """Whoever it is."""
        return True

    def closed(self, connection):  # type: ignore[no-untyped-def]
        """It is gone."""


def write_everything(folder: Path) -> Path:
    """The configuration in ``folder``, with all that it names."""
    digest = hashlib.md5(b"bob:office:x", usedforsecurity=False).hexdigest()
    ca = new_ca()
    for name, content in {
        "everything.toml": EVERYTHING,
        "ads.txt": "ads.example\nhttp://site.example/banner/*\n",
        "users": "bob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n",
        "digests": f"bob:office:{digest}\n",
        "tokens": "t0ken:bob\n",
        "admin.token": "0123456789abcdef\n",
        "groups": "staff: bob\n",
        "page.html": "<p>no",
    }.items():
        (folder / name).write_text(content)
    (folder / "ca.pem").write_bytes(ca.cert_pem)
    pair = ca.issue("app.example")
    (folder / "pair.pem").write_bytes(pair.key_pem + pair.cert_pem)
    return folder / "everything.toml"
