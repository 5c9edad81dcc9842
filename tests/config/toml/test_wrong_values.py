"""Each key of a file, with values that are none of it: one line each, and nothing is taken in silence.

The keys are those that the parser asks for, so that a new one is tested as soon as it is read.
"""

import datetime
import pathlib
import re

import pytest

from tests.config.toml.documents import DOCUMENTS, around, holder, toml, with_value
from tests.tls.authority import new_ca
from txproxy.config.toml.file import parse
from txproxy.config.toml.tables import Findings
from txproxy.errors import ConfigError

WRONG = {
    "true": True,
    "negative": -1,
    "huge": 10**30,
    "fraction": 1.5,
    "no number": float("nan"),
    "infinity": float("inf"),
    "date": datetime.date(1979, 5, 27),
    "empty": "",
    "nonsense": "no such: thing!",
    "two lines": "a\nb",
    "control": "a\x7fb",
    "long": "x" * 5000,
    "list": [[]],
    "empty list": [],
    "table": {"x": 1},
    "empty table": {},
}

# What each kind of key takes of these, as it should. All others take none.
FLAG = {"true"}
NAME = {"nonsense", "long"}
DURATION = {"fraction"}
NONE_OF_THEM = {"empty list"}  # means the same as no such key
TABLE = {"empty table"}
FREE_TEXT = {"empty", "nonsense", "two lines", "control", "long"}

TAKES = {
    "include": NONE_OF_THEM,
    "tracing": TABLE,
    "tracing.request_id": FLAG,
    "tracing.trace_context": FLAG,
    "tracing.service_name": NAME,
    "log": TABLE,
    "cache.dir": NAME,
    "cache_rules": NONE_OF_THEM,
    "cache_rules[].name": NAME,
    "cache_rules[].cache": FLAG,
    "cache_rules[].ignore_case": FLAG,
    "listeners[].rules[].cache": TABLE | FLAG,
    "routes[].cache": TABLE | FLAG,
    "log.access": NAME,
    "access_logs": NONE_OF_THEM,
    "access_logs[].to": NAME,
    "access_logs[].min_duration": DURATION,
    "access_logs[].routes": NAME,
    "limits": TABLE,
    "via": {"long"},
    "routes": NONE_OF_THEM,
    "bandwidths": NONE_OF_THEM,
    "quotas": NONE_OF_THEM,
    "usage_file": NAME,
    "python_path": NONE_OF_THEM,
    "reload_code": FLAG,
    **{
        f"{at}{key}": NONE_OF_THEM
        for at in ("listeners[].", "listeners[].rules[].", "routes[].")
        for key in ("middleware", "before", "after")
    },
    "listeners[].bandwidths": NONE_OF_THEM,
    "listeners[].quotas": NONE_OF_THEM,
    "pools.NAME.tls": TABLE,
    "pools.NAME.adaptive": TABLE | FLAG,
    "pools.NAME.tls.insecure": FLAG,
    "pools.NAME.ejection": TABLE,
    "pools.NAME.ejection.base": DURATION,
    "pools.NAME.ejection.longest": DURATION,
    "pools.NAME.slow_start": DURATION,
    "pools.NAME.health": TABLE,
    "pools.NAME.health.interval": DURATION,
    "pools.NAME.health.timeout": DURATION,
    "pools.NAME.health.method": {"long"},
    "pools.NAME.health.body": FREE_TEXT - {"empty"},
    "pools.NAME.upstreams[].backup": FLAG,
    "pools.NAME.upstreams[].disabled": FLAG,
    "pools.NAME.upstreams[].drain": FLAG,
    "listeners[].name": NAME,
    "listeners[].limits": TABLE,
    "listeners[].tls": TABLE,
    "listeners[].trusted_proxies": NONE_OF_THEM,
    "listeners[].via": {"long"},
    "listeners[].error_pages": TABLE,
    "listeners[].sni": TABLE,
    "listeners[].auth.certificate_users": TABLE,
    "listeners[].auth.realm": {"nonsense"},
    "listeners[].auth.remember": DURATION,
    "listeners[].auth.digest_secret": NAME,
    "listeners[].auth.by_rules": FLAG,
    "listeners[].lists": TABLE,
    "listeners[].filters": NONE_OF_THEM,
    "listeners[].filters[].name": NAME,
    "listeners[].allow_destinations": NONE_OF_THEM,
    "listeners[].allow_hosts": NONE_OF_THEM,
    "listeners[].deny_hosts": NONE_OF_THEM,
    "listeners[].rules": NONE_OF_THEM,
    "listeners[].rules[].name": NAME,
    "listeners[].rules[].reason": NAME,
    "listeners[].rewrites": NONE_OF_THEM,
    "listeners[].rewrites[].name": NAME,
    "listeners[].safe_search": NONE_OF_THEM,
    "listeners[].content": TABLE,
    "listeners[].content.deny_types": NONE_OF_THEM,
    "listeners[].agree_names": FLAG,
    "listeners[].privacy": NONE_OF_THEM,
    "listeners[].privacy[].remove": {"empty list", "long"},
    "listeners[].privacy[].replace": TABLE,
    "listeners[].privacy[].keep": {"empty list", "long"},
    "listeners[].privacy[].remove_from_responses": {"empty list", "long"},
    "listeners[].inject": NONE_OF_THEM,
    "listeners[].parents": NONE_OF_THEM,
    "listeners[].parent_check_interval": DURATION,
    "listeners[].no_proxy": NONE_OF_THEM,
    "listeners[].binds": NONE_OF_THEM,
    "listeners[].pac": FLAG,
    "listeners[].http2": FLAG,
    "listeners[].h2c": FLAG,
    "listeners[].audit": NAME,
    "listeners[].access_log": NAME,
    "routes[].name": NAME,
    "routes[].methods": {"long"},
    "routes[].headers": TABLE,
    "routes[].query": TABLE,
    "routes[].request_headers": TABLE,
    "routes[].request_headers.set": TABLE,
    "routes[].request_headers.add": TABLE,
    "routes[].request_headers.remove": {"empty list", "long"},
    "routes[].response_headers": TABLE,
    "routes[].response_headers.set": TABLE,
    "routes[].response_headers.add": TABLE,
    "routes[].response_headers.remove": {"empty list", "long"},
    "routes[].response_headers.by_status": NONE_OF_THEM,
    **{f"routes[].response_headers.by_status[].{key}": TABLE for key in ("set", "add")},
    "routes[].response_headers.by_status[].remove": {"empty list", "long"},
    "routes[].file_in.index": FLAG,
    "routes[].cookie_domains": TABLE,
    "routes[].cookie_paths": TABLE,
    "routes[].cookie_flags": TABLE,
    "routes[].map_location": FLAG | TABLE,
    "routes[].hsts": TABLE | FLAG,
    "routes[].hsts.max_age": DURATION,
    "routes[].hsts.include_subdomains": FLAG,
    "routes[].auth.copy": {"empty list", "long"},
    "routes[].auth.cookies": {"empty list", "long"},
    "routes[].respond.headers": TABLE,
    "routes[].respond.body": FREE_TEXT,
}
for _key in ("cache", "cache_rules[]"):
    for _flags in ("override_expire", "override_lastmod", "ignore_set_cookie", "ignore_private", "query_sort"):
        TAKES[f"{_key}.{_flags}"] = FLAG
    for _flags in ("request_directives", "ignore_reload", "reload_into_ims", "offline", "purge"):
        TAKES[f"{_key}.{_flags}"] = FLAG
    for _times in ("min_ttl", "max_ttl", "heuristic_max", "error_ttl", "stale_while_revalidate", "stale_if_error"):
        TAKES[f"{_key}.{_times}"] = DURATION
    for _lists in ("targeted", "key_headers", "key_cookies"):
        TAKES[f"{_key}.{_lists}"] = {"empty list", "long"}
    for _lists in ("query_keep", "query_drop"):
        TAKES[f"{_key}.{_lists}"] = {"empty list", "nonsense", "long"}
    TAKES[f"{_key}.ttl"] = DURATION | TABLE
    TAKES[f"{_key}.key_device"] = FLAG | {"long"}
for _key in ("", "listeners[].", "listeners[].rules[].", "routes[]."):
    TAKES[f"{_key}request_limits"] = NONE_OF_THEM
    TAKES[f"{_key}request_limits[].name"] = NAME
    # by nothing: of all together
    TAKES[f"{_key}request_limits[].by"] = NONE_OF_THEM
    # It is for those of which there may be so many at once.
    TAKES[f"{_key}request_limits[].queue_timeout"] = set()
    TAKES[f"{_key}request_limits[].enforce"] = FLAG
    TAKES[f"{_key}request_limits[].ratelimit_fields"] = FLAG
TAKES["challenge"] = TABLE
TAKES["challenge.wait"] = DURATION
TAKES["challenge.secret"] = {"long"}
for _key in ("listeners[].", "routes[]."):
    TAKES[f"{_key}challenge"] = TABLE | FLAG
    TAKES[f"{_key}challenge.except"] = NONE_OF_THEM
    TAKES[f"{_key}challenge.except[].methods"] = {"long"}
    for _pairs in ("headers", "query"):
        TAKES[f"{_key}challenge.except[].{_pairs}"] = TABLE
    TAKES[f"{_key}login.user_header"] = {"long"}
    TAKES[f"{_key}login.users"] = NAME
    TAKES[f"{_key}login.realm"] = {"nonsense"}
    TAKES[f"{_key}login.remember"] = DURATION
    TAKES[f"{_key}login.digest_secret"] = NAME
    TAKES[f"{_key}login.pass_credentials"] = FLAG
    TAKES[f"{_key}login.except"] = NONE_OF_THEM
    TAKES[f"{_key}login.except[].methods"] = {"long"}
    for _pairs in ("headers", "query"):
        TAKES[f"{_key}login.except[].{_pairs}"] = TABLE
# A rule that is for nothing is warned of; users and groups may have any name.
for _key in ("clients", "hosts", "addresses", "ports", "schemes", "url", "headers", "hours", "days", "used_more_than"):
    TAKES[f"listeners[].rules[].{_key}"] = {"empty list", "empty table"}
TAKES["listeners[].rules[].methods"] = {"empty list", "empty table", "long"}
TAKES["listeners[].rules[].not_methods"] = {"long"}
for _key in ("users", "groups"):
    TAKES[f"listeners[].rules[].{_key}"] = NAME | {"empty list", "empty table"}
    TAKES[f"listeners[].rules[].not_{_key}"] = NAME
# All limits of a listener are times, sizes and counts.
_TIMES = ("_timeout", "_for", "_age", "_idle")


def _taken(key: str) -> set[str]:
    name = key.rpartition(".")[2]
    if ".limits." in f".{key}":
        return DURATION if name.endswith(_TIMES) else set()
    return TAKES.get(key, DURATION if name.endswith("_timeout") else set())


def _keys() -> dict[str, str]:
    """Each key that the parser asks for, with the first document that has it, or at least its table."""
    having: dict[str, str] = {}
    keys: dict[str, str] = {}
    for name, document in DOCUMENTS.items():
        findings = Findings()
        try:
            parse(toml(document), "proxy.toml", findings)
        except ConfigError:
            pass  # of files that are not there, which is no matter
        for key in findings.asked:
            if (table := holder(document, key)) is not None:
                keys.setdefault(key, name)
                if key.rpartition(".")[2].removesuffix("[]") in table:
                    having.setdefault(key, name)
    return {**keys, **having}


KEYS = _keys()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Has the files that the documents name."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "list").write_text("ads.example\n")
    (folder / "users").write_text("bob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n")
    cert, key = new_ca().issue("a.example").write(folder, "a")
    (folder / "pair.pem").write_bytes(pathlib.Path(cert).read_bytes() + pathlib.Path(key).read_bytes())
    return folder


@pytest.fixture(autouse=True)
def _in_the_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)


def test_all_keys_are_found():
    assert len(KEYS) > 200
    assert not set(TAKES) - set(KEYS), "nobody asks for these any more"


@pytest.mark.no_cover
@pytest.mark.parametrize("key", KEYS)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_taken_in_silence(key):
    document = around(DOCUMENTS[KEYS[key]], key)
    # Its own name, or that of the table that it makes sense in with others.
    names = [step.removesuffix("[]").removesuffix("s") for step in key.split(".")[-2:]]
    taken = set()
    for kind, value in WRONG.items():
        try:
            parse(with_value(document, key, value), "proxy.toml")
        except ConfigError as fault:
            lines = str(fault).splitlines()
            assert any(name in line for name in names for line in lines), (kind, lines)
            for line in lines:
                assert line.startswith("proxy.toml:") and "accepted" in line and len(line) < 600, (kind, line)
        else:
            taken.add(kind)
    assert taken == _taken(key)


@pytest.mark.no_cover
@pytest.mark.parametrize("key", [key for key in KEYS if not key.endswith("]")])
def test_a_key_that_is_misspelt_is_no_key(key):
    name = key.rpartition(".")[2]
    table, misspelt = key.removesuffix(name), f"{name}z"
    # Where names are free, each is one.
    if not any(table == f"{free}." for free in ("pools", "listeners[].lists")):
        with pytest.raises(ConfigError, match=f"{misspelt}: no such key .is {name}"):
            parse(with_value(around(DOCUMENTS[KEYS[key]], key), f"{table}{misspelt}", 1), "proxy.toml")


NO_HOSTS = ["a..b", "-a", "10.0", "a,b", "a b", "*.a", ".a", "xn--a", "a.b.1x", "http://a", "a/b", "a:x"]
HOSTS = {
    "listeners[].host": "{}",
    "pools.NAME.host": "{}",
    "pools.NAME.health.host": "{}",
    "pools.NAME.tls.server_name": "{}",
    "pools.NAME.upstreams[].url": "http://{}:80",
    "routes[].redirect": "https://{}:80$path",
    "listeners[].parents": "socks5://{}:1080",
    "listeners[].rewrites[].to": "http://{}:80",
    "listeners[].inject[].origin": "https://{}:80",
}


@pytest.mark.parametrize("key", HOSTS)
def test_what_is_no_host_is_no_host_in_any_key(key):
    table, _, name = key.rpartition(".")
    said = re.escape(table.replace("[]", "[0]").replace("NAME", "app"))
    # Of the URL of a rewrite or a redirect, what follows a slash is the path.
    for host in (host for host in NO_HOSTS if "/" not in host or name not in ("to", "redirect")):
        with pytest.raises(ConfigError, match=rf"\A\S+ {said}(\.{name}\S*)?: .*accepted"):
            parse(with_value(around(DOCUMENTS[KEYS[key]], key), key, HOSTS[key].format(host)), "proxy.toml")
