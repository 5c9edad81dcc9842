"""``[cache]`` of a file."""

import pytest

from txproxy.cache.policy import FOR_REVERSE, CachePolicy
from txproxy.cache.rules.cache_choice import POLICY_KEYS, CacheChoice
from txproxy.config.toml.cache_tables import _READERS
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError

FORWARD = "[[listeners]]\nlisten = 'tcp:3128'\nmode = 'forward'\n"
REVERSE = "[[listeners]]\nlisten = 'tcp:8080'\npool = 'app'\n[pools.app]\nupstreams = ['http://a.example']\n"
CACHE = "[cache]\nsize = '1M'\n"
TCP = "[[listeners]]\nlisten = 'tcp:5432'\nmode = 'tcp'\npool = 'db'\n[pools.db]\nupstreams = ['db.example:5432']\n"


def read(text):
    return parse(text, "p.toml")


def test_a_file_has_no_cache_unless_it_says_so():
    assert not read(FORWARD).cache


def test_a_size_is_written_as_other_sizes_are():
    assert read("[cache]\nsize = '64M'\n" + FORWARD).cache.size == 64 << 20


def test_the_same_text_read_twice_is_the_same_cache():
    text = "[cache]\nsize = '64M'\n" + FORWARD
    assert read(text) == read(text)
    assert read(text) != read(text.replace("64", "65"))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "p.toml:1: cache: size is missing; accepted is how much memory it may take, such as '64M'"),
        ("size = '64X'", "p.toml:2: cache.size: '64X' is no size"),
        ("size = 100", "p.toml:2: cache.size: 100 is too little for a cache; accepted is 64k or more"),
        ("size = '1M'\ndir = 3", "p.toml:3: cache.dir: 3 is no name of a directory"),
        ("size = '1M'\ndir_size = '2M'", "p.toml:3: cache.dir_size: is of no use without dir; accepted is it with dir"),
        ("dir = '/x'\ndir_size = '2k'", "p.toml:3: cache.dir_size: '2k' is too little for a cache on a disk"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(lines, said):
    with pytest.raises(ConfigError) as fault:
        read(f"[cache]\n{lines}\n{FORWARD}")
    assert said in str(fault.value)


def test_a_cache_that_nobody_uses_is_doubted():
    assert "no listener here reads any" in read("[cache]\nsize = '1M'\n" + TCP).warnings[0]


# -- policies


@pytest.mark.parametrize(
    ("lines", "policy"),
    [
        ("ttl = '1h'", {"ttl": {200: 3600, 301: 3600, 302: 3600}}),
        ("ttl = { 200 = '1h', 4xx = 0, any = '500ms' }", {"ttl": {"200": 3600, "4xx": 0, "any": 0.5}}),
        ("min_ttl = '1m'\nmax_ttl = 0", {"min_ttl": 60, "max_ttl": 0}),
        ("heuristic_fraction = 0.2\nheuristic_max = '2h'", {"heuristic_fraction": 0.2, "heuristic_max": 7200}),
        ("error_ttl = 0\nstale_if_error = '1m'", {"error_ttl": 0, "stale_if_error": 60}),
        ("stale_while_revalidate = 5", {"stale_while_revalidate": 5}),
        ("targeted = []", {"targeted": ()}),
        ("targeted = 'Surrogate-Control'", {"targeted": (b"surrogate-control",)}),
        ("max_object_size = '4M'\nmin_uses = 2", {"max_object_size": 4 << 20, "min_uses": 2}),
        ("query = 'none'\nquery_sort = true", {"query": "none", "query_sort": True}),
        ("query_keep = ['id']\nquery_drop = 'utm_*'", {"query_keep": (b"id",), "query_drop": (b"utm_*",)}),
        (
            "key_headers = ['X-Device']\nkey_cookies = 'lang'",
            {"key_headers": (b"x-device",), "key_cookies": (b"lang",)},
        ),
        ("key_device = true", {"key_device": True}),
        ("key_device = 'X-UA-Device'", {"key_device": b"X-UA-Device"}),
        ("offline = true\noverride_expire = true", {"offline": True, "override_expire": True}),
        ("request_directives = false", {"request_directives": False}),
    ],
)
def test_each_place_takes_the_same_keys(lines, policy):
    wanted = CacheChoice(changes=policy)
    assert read(f"{CACHE}{lines}\n{FORWARD}").cache.defaults == wanted.changes
    assert read(f"{CACHE}[[cache_rules]]\n{lines}\n{FORWARD}").cache.rules[0].cache == wanted
    route = read(f"{CACHE}{REVERSE}[[routes]]\nname = 'r'\npool = 'app'\n[routes.cache]\n{lines}\n").routes[0]
    assert route.cache == wanted
    rule = read(f"{CACHE}{FORWARD}[[listeners.rules]]\naction = 'allow'\n[listeners.rules.cache]\n{lines}\n")
    assert rule.listeners[0].caching == (("rule 1", wanted),)
    assert wanted.policy(FOR_REVERSE) != FOR_REVERSE or policy.get("request_directives") is False


def test_each_key_of_a_policy_can_be_written():
    assert set(_READERS) == set(POLICY_KEYS)
    assert CachePolicy().targeted == ()


@pytest.mark.parametrize(("value", "choice"), [("false", CacheChoice(cached=False)), ("true", CacheChoice())])
def test_a_route_says_whether_at_all(value, choice):
    config = read(f"{CACHE}{REVERSE}[[routes]]\nname = 'r'\npool = 'app'\ncache = {value}\n")
    assert config.routes[0].cache == choice


def test_rules_stand_in_order():
    rules = read(
        CACHE
        + "[[cache_rules]]\nhosts = '.a.example'\npaths = ['/x', '=/y']\nurl = ['*/z', '~q']\ncache = false\n"
        + "[[cache_rules]]\nname = 'rest'\nmin_ttl = 5\n"
        + FORWARD
    ).cache.rules
    assert [rule.name for rule in rules] == ["cache rule 1", "rest"]
    assert (rules[0].hosts, rules[0].paths, rules[0].url) == ((".a.example",), ("/x", "=/y"), ("*/z", "~q"))
    assert not rules[0].cache.cached and rules[1].cache == CacheChoice(changes={"min_ttl": 5})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CACHE + "min_tll = 5\n", "3: cache.min_tll: no such key (is min_ttl meant?); accepted: "),
        (CACHE + "min_ttl = 'x'\n", "3: cache.min_ttl: 'x' is no time; accepted is a number of seconds"),
        (CACHE + "ttl = { 20x = 5 }\n", "3: cache.ttl: '20x' is no status; accepted are times by status"),
        (CACHE + "ttl = { 200 = 'x' }\n", "3: cache.ttl.200: 'x' is no time"),
        (CACHE + "ttl = 'x'\n", "3: cache.ttl: 'x' is no time"),
        (CACHE + "heuristic_fraction = 2\n", "3: cache.heuristic_fraction: 2 is no fraction"),
        (CACHE + "query = 'some'\n", "3: cache.query: 'some' is not known; accepted: all, none"),
        (CACHE + "key_headers = ['a b']\n", "3: cache.key_headers: b'a b' is no name of a field"),
        (CACHE + "key_device = 1\n", "3: cache.key_device: 1 is neither; accepted: true, false, the name of a field"),
        (CACHE + "key_device = 'a b'\n", "3: cache.key_device: b'a b' is no name of a field; accepted: true, false"),
        (CACHE + "key_device = 'Cookie'\n", "3: cache.key_device: b'Cookie' means something else to servers"),
        (CACHE + "offline = 1\n", "3: cache.offline: 1 is neither; accepted: true, false"),
        (CACHE + "max_object_size = 0\n", "3: cache.max_object_size: 0 is no number"),
        (CACHE + "[[cache_rules]]\nhosts = ['a', 'b c']\n", "4: cache_rules[0].hosts[1]: 'b c' is no host pattern"),
        (CACHE + "[[cache_rules]]\npaths = 'x'\n", "4: cache_rules[0].paths[0]: 'x' is no path"),
        (CACHE + "[[cache_rules]]\nurl = '~('\n", "4: cache_rules[0].url[0]: '~(' is no regular expression"),
        (CACHE + "[[cache_rules]]\nhosts = []\n", "4: cache_rules[0].hosts: there is none in it"),
        (
            CACHE + "[[cache_rules]]\ncache = false\nmin_ttl = 5\n",
            "5: cache_rules[0].min_ttl: has no effect with cache = false",
        ),
        (CACHE + "[[cache_rules]]\nmethods = 'GET'\n", "4: cache_rules[0].methods: no such key"),
        (CACHE + "[cache_rules]\n", "3: cache_rules: {} is no list of tables"),
    ],
)
def test_what_is_wrong_in_a_policy_is_told_with_its_place(text, said):
    with pytest.raises(ConfigError) as fault:
        read(text + FORWARD)
    assert f"p.toml:{said}" in str(fault.value)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("cache = 'no'", "cache: 'no' says nothing of caching; accepted: true, false, { KEY = VALUE }"),
        ("cache = { min_tll = 5 }", "cache.min_tll: no such key (is min_ttl meant?)"),
    ],
)
def test_what_is_wrong_at_a_route_or_a_rule_is_told(key, said):
    with pytest.raises(ConfigError) as fault:
        read(f"{CACHE}{REVERSE}[[routes]]\nname = 'r'\npool = 'app'\n{key}\n")
    assert f"routes[0].{said}" in str(fault.value)
    with pytest.raises(ConfigError) as fault:
        read(f"{CACHE}{FORWARD}[[listeners.rules]]\naction = 'allow'\n{key}\n")
    assert f"listeners[0].rules[0].{said}" in str(fault.value)


def test_what_is_denied_is_not_cached():
    with pytest.raises(ConfigError, match=r"rules\[0\].cache: has no effect with deny"):
        read(f"{CACHE}{FORWARD}[[listeners.rules]]\naction = 'deny'\ncache = false\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[cache_rules]]\nmin_ttl = 5\n" + FORWARD, "cache_rules: there is no cache"),
        (f"{REVERSE}[[routes]]\nname = 'r'\npool = 'app'\ncache = false\n", "routes[0].cache: there is no cache"),
        (f"{FORWARD}[[listeners.rules]]\naction = 'allow'\ncache = false\n", "rules[0].cache: there is no cache"),
        (f"{CACHE}[[cache_rules]]\n[[cache_rules]]\nhosts = 'a'\n{FORWARD}", "cache_rules[0]: it is for all requests"),
    ],
)
def test_what_has_no_effect_is_doubted(text, said):
    assert said in read(text).warnings[0]


def test_what_has_an_effect_is_not():
    assert read(f"{CACHE}[[cache_rules]]\nhosts = 'a'\n[[cache_rules]]\n{FORWARD}").warnings == ()


def test_a_directory_alone_is_a_cache_as_well():
    cache = read("[cache]\ndir = '/kept'\ndir_size = '2G'\n" + FORWARD).cache
    assert cache and (cache.size, cache.memory, cache.dir, cache.dir_size) == (None, 16 << 20, "/kept", 2 << 30)


def test_a_directory_begins_where_the_file_is():
    assert parse("[cache]\ndir = 'kept'\n" + FORWARD, "/etc/p.toml").cache.dir == "/etc/kept"
