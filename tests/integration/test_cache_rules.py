"""Rules of caching from a file, over sockets: what each key does is what the reference says of it."""

import re
import subprocess
import sys
import time
from email.utils import formatdate

import pytest

from tests.integration.conftest import free_port, until
from tests.integration.scripted_origin import scripted_origin
from tests.integration.test_tiers import ask, says

FILE = """
[log]
access = "none"

[cache]
size = "64M"

[[cache_rules]]
paths = ["/account", "~/user/[0-9]+"]
cache = false
[[cache_rules]]
paths = "/ttl"
ttl = { 200 = 10000, 404 = 20000, 5xx = 30000, any = 40000 }
[[cache_rules]]
paths = "/override"
ttl = 10000
override_expire = true
[[cache_rules]]
paths = "/max"
max_ttl = 10000
[[cache_rules]]
paths = "/cookies"
ignore_set_cookie = true
ttl = 10000
[[cache_rules]]
paths = "/private"
ignore_private = true
ttl = 10000
[[cache_rules]]
paths = "/size"
max_object_size = "1k"
ttl = 10000
[[cache_rules]]
paths = "/least"
min_ttl = 10000
[[cache_rules]]
paths = "/lastmod"
min_ttl = 10000
override_lastmod = true
[[cache_rules]]
paths = "/heuristic"
heuristic_fraction = 0.5
heuristic_max = 10000
[[cache_rules]]
url = "http://*/glob/*.css"
ttl = 10000
[[cache_rules]]
url = "~[.]js([?]|$)"
ignore_case = true
ttl = 10000
[[cache_rules]]
paths = "/drop"
query_drop = ["utm_*", "fbclid"]
query_sort = true
[[cache_rules]]
paths = "/keep"
query_keep = ["id"]
[[cache_rules]]
paths = "/none"
query = "none"
[[cache_rules]]
paths = "/keys"
key_headers = ["X-Kind"]
key_cookies = ["lang"]
[[cache_rules]]
paths = "/asked"
request_directives = true
[[cache_rules]]
paths = "/ignored"
request_directives = true
ignore_reload = true
[[cache_rules]]
paths = "/validated"
reload_into_ims = true
[[cache_rules]]
paths = "/offline"
offline = true

[[listeners]]
listen = "tcp:{port}:interface=127.0.0.1"
pool = "app"

[pools.app]
upstreams = "http://127.0.0.1:{origin}"
"""
FRESH = {"Cache_Control": "max-age=5000"}
LONG_AGO = {"Last_Modified": "Sat, 01 Jan 2000 00:00:00 GMT"}
NEVER = None

# What a response says below a path, and for how long it is kept: None for not at all.
KEPT = [
    ("/account/", FRESH, NEVER),
    ("/%61ccount/", FRESH, NEVER),
    ("/x/../account/", FRESH, NEVER),
    ("/user/", FRESH, NEVER),
    ("/accounts/", FRESH, 5000),
    ("/ttl/", {}, 10000),
    ("/ttl/", {"status": 404}, 20000),
    ("/ttl/", {"status": 503}, 30000),
    ("/ttl/", {"status": 302}, 40000),
    ("/ttl/", {"status": 418}, 40000),
    ("/ttl/", {"status": 204, "body": ""}, 40000),
    ("/ttl/", FRESH, 5000),
    ("/ttl/", {"Cache_Control": "no-store"}, NEVER),
    ("/ttl/", {"Cache_Control": "private"}, NEVER),
    ("/ttl/", {"Set_Cookie": "a=1"}, NEVER),
    ("/ttl/", {"Cache_Control": "no-cache"}, NEVER),
    ("/ttl/", {"Vary": "*"}, NEVER),
    ("/override/", FRESH, 10000),
    ("/override/", {"Expires": "0"}, 10000),
    ("/override/", {"Cache_Control": "no-store"}, NEVER),
    ("/max/", {"Cache_Control": "max-age=50000"}, 10000),
    ("/max/", {"Cache_Control": "max-age=50000", "Age": "30000"}, 10000),
    ("/max/", FRESH, 5000),
    ("/cookies/", {"Set_Cookie": "a=1"}, 10000),
    ("/private/", {"Cache_Control": "private"}, 10000),
    ("/private/", {"Cache_Control": "private, no-store"}, NEVER),
    ("/private/", {"Cache_Control": "private", "Set_Cookie": "a=1"}, NEVER),
    ("/size/", {"body": "x" * 1024}, 10000),
    ("/size/", {"body": "x" * 1025}, NEVER),
    ("/least/", {}, 10000),
    ("/least/", FRESH, 5000),
    ("/least/", LONG_AGO, 86400),
    ("/lastmod/", {"Last_Modified": formatdate(time.time() - 1000, usegmt=True)}, 10000),
    ("/heuristic/", LONG_AGO, 10000),
    ("/glob/NUMBER/a.css", {"Content_Type": "text/css"}, 10000),
    ("/glob/NUMBER/a.css", {"Content_Type": "text/html"}, NEVER),
    ("/x/A.JS?", {"Content_Type": "text/javascript"}, 10000),
    ("/x/a.jsx?", {"Content_Type": "text/javascript"}, NEVER),
    ("/", {}, NEVER),
    ("/", LONG_AGO, 86400),
    ("/", FRESH, 5000),
    ("/", {"status": 500, "Cache_Control": "max-age=5000"}, 10),
]

RELOAD = {"cache_control": "no-cache"}
# What is asked after what, and how the server is asked for it: the path that it sees, empty for not at all.
ASKED = [
    ("/drop?b=2&utm_source=x&a=1&fbclid=1", {}, "/drop?a=1&b=2"),
    ("/drop?a=1&b=2", {}, ""),
    ("/drop?utm%5Fid=1&b=2&a=1", {}, ""),
    ("/drop?a=1&b=2&UTM_x=1", {}, "/drop?UTM_x=1&a=1&b=2"),
    ("/drop?utm_a=1", {}, "/drop"),
    ("/drop?", {}, ""),
    ("/drop?a=2&a=1", {}, "/drop?a=2&a=1"),
    ("/drop?a=1&a=2", {}, "/drop?a=1&a=2"),
    ("/drop?utm_a=1", {"method": "POST"}, "/drop?utm_a=1"),
    ("/drop", {}, "/drop"),
    ("/keep?x=1&id=5&y", {}, "/keep?id=5"),
    ("/keep?id=5&z=2", {}, ""),
    ("/keep?id", {}, "/keep?id"),
    ("/keep?id=", {}, "/keep?id="),
    ("/none?x=1", {}, "/none"),
    ("/none?y", {}, ""),
    ("/other?b&a", {}, "/other?b&a"),
    ("/other?a&b", {}, "/other?a&b"),
    ("/keys", {"x_kind": "a"}, "/keys"),
    ("/keys", {"x_kind": "b"}, "/keys"),
    ("/keys", {"x_kind": "a"}, ""),
    ("/keys", {"x_kind": "a", "cookie": "lang=de; s=1"}, "/keys"),
    ("/keys", {"x_kind": "a", "cookie": "s=2; lang=de"}, ""),
    ("/keys", {}, "/keys"),
    ("/plain", {}, "/plain"),
    ("/plain", RELOAD, ""),
    ("/asked", {}, "/asked"),
    ("/asked", RELOAD, "/asked"),
    ("/asked", {"cache_control": "max-age=0"}, "/asked"),
    ("/asked", {}, ""),
    ("/ignored", {}, "/ignored"),
    ("/ignored", RELOAD, ""),
    ("/ignored", {"cache_control": "max-age=0"}, ""),
    ("/ignored", {"pragma": "no-cache"}, ""),
    ("/validated", {}, "/validated"),
    ("/validated", RELOAD, "/validated"),
    ("/validated", {}, ""),
]


@pytest.fixture
def proxy(processes, tmp_path):
    """The port of one that has the rules, and its server."""
    with scripted_origin(free_port(), None) as origin:
        port, file = free_port(), tmp_path / "proxy.toml"
        file.write_text(FILE.replace("{port}", str(port)).replace("{origin}", str(origin.port)))
        words = [sys.executable, "-m", "txproxy", "run", "--config", str(file)]
        with (tmp_path / "log").open("wb") as out:
            processes(*words, port=port, stdout=out, stderr=subprocess.STDOUT, cwd=tmp_path)
        yield port, origin


def lifetime(got):
    """For how long it is kept by what Cache-Status says."""
    told = got.fields.get("cache-status", "")
    ttl = re.search(r"; ttl=(-?\d+); stored", told)
    return int(ttl[1]) if ttl else None


def test_responses_are_kept_for_as_long_as_rules_say(proxy):
    port, origin = proxy
    wrong = []
    for number, (path, response, wanted) in enumerate(KEPT):
        origin.answer = says(**response)
        target = path.replace("NUMBER", str(number)) if "NUMBER" in path else f"{path}{number}"
        first, second = (ask(port, target) for _ in range(2))
        found, asked = lifetime(first), len(origin.take())
        # Seconds pass meanwhile.
        is_right = found is None and asked == 2 if wanted is None else found in range(max(wanted - 60, 0), wanted + 1)
        if not is_right or (wanted is not None and wanted > 60 and asked != 1):
            wrong.append((path, response, found, asked))
        elif "set-cookie" in second.fields and wanted is not None:
            wrong.append((path, response, "a cookie is told"))
    assert wrong == []


def test_requests_find_what_their_key_has(proxy):
    port, origin = proxy
    origin.answer = says(Cache_Control="max-age=5000", ETag='"a"')
    wrong = []
    for path, fields, wanted in ASKED:
        ask(port, path, **fields)
        asked = [one.path for one in origin.take()]
        if asked != ([wanted] if wanted else []):
            wrong.append((path, fields, asked))
    assert wrong == []


def test_offline_nobody_is_asked_for_what_is_there(proxy):
    port, origin = proxy
    origin.answer = says(Cache_Control="max-age=1")
    ask(port, "/offline")
    until(lambda: "hit; ttl=-" in ask(port, "/offline").fields["cache-status"], "it is old")
    assert len(origin.take()) == 1
