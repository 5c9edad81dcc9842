"""Squid's lines about its cache, as our cache and its rules."""

import pytest

from tests.importers.squid.directive_lines import Translated, told
from txproxy.cache.policy import FOR_FORWARD
from txproxy.cache.rules.cache_choice import changed
from txproxy.cache.rules.policy_finder import PolicyFinder
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def policy(lines, path="/x", host="a.example"):
    """The policy of a request; None if it is not cached."""
    cache = Translated(lines).config.cache
    if not cache:
        return None
    head = RequestHead(b"GET", path.encode(), Headers(()), host.encode(), b"http")
    return PolicyFinder(changed(FOR_FORWARD, cache.defaults), cache.rules)(head, context_of())


def test_a_file_without_a_word_of_a_cache_has_none():
    assert not Translated("").config.cache


def test_memory_and_objects_are_bounded():
    cache = Translated("cache_mem 64 MB\nmaximum_object_size 2 MB").config.cache
    assert cache.size == 64 << 20 and dict(cache.defaults)["max_object_size"] == 2 << 20


def test_squid_has_256_MB_and_so_has_the_translation():
    assert Translated("maximum_object_size 2 MB").config.cache.size == 256 << 20


@pytest.mark.parametrize("lines", ["cache_mem 0", "cache deny all", "cache deny all\nrefresh_pattern . 5 20% 10"])
def test_without_memory_nothing_is_cached(lines):
    translated = Translated(lines)
    assert not translated.config.cache and not translated.notes


def test_what_no_pattern_is_about_is_as_squid_has_it():
    found = policy("refresh_pattern x[.]gif 5 50% 60")
    assert (found.min_ttl, found.heuristic_fraction, found.heuristic_max) == (0, 0.2, 72 * 3600)


def test_the_first_pattern_that_fits_counts():
    patterns = ("-i [.]GIF$ 1440 50% 10080", "^http://a[.]example/ 0 0% 0", ". 5 20% 4320")
    lines = "\n".join(f"refresh_pattern {pattern}" for pattern in patterns)
    found = policy(lines, "/x.gif")
    assert (found.min_ttl, found.heuristic_fraction, found.heuristic_max) == (86400, 0.5, 604800)
    found = policy(lines, "/x")
    assert (found.min_ttl, found.heuristic_fraction, found.heuristic_max) == (0, 0, 0)
    found = policy(lines, host="b.example")
    assert (found.min_ttl, found.heuristic_fraction, found.heuristic_max) == (300, 0.2, 259200)
    assert Translated(lines).notes == [] and Translated(lines).config.warnings == ()


def test_the_least_is_no_more_than_the_most():
    assert policy("refresh_pattern . 60 20% 5").min_ttl == 300


def test_case_counts_unless_it_is_said_not_to():
    assert policy("refresh_pattern [.]GIF$ 5 0% 5", "/x.gif").min_ttl == 0


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("override-expire", {"override_expire": True}),
        ("override-lastmod", {"override_lastmod": True}),
        ("reload-into-ims", {"reload_into_ims": True}),
        ("ignore-reload", {"ignore_reload": True}),
        ("max-stale=30", {"stale_if_error": 1800}),
        ("store-stale", {}),
    ],
)
def test_options_are_those_of_rules(option, said):
    found = policy(f"refresh_pattern . 5 20% 4320 {option}")
    assert {key: getattr(found, key) for key in said} == said
    assert Translated(f"refresh_pattern . 5 20% 4320 {option}").notes == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("refresh_pattern . 5 20% 4320 ignore-no-store refresh-ims", "taken over without ignore-no-store, refresh-ims"),
        (
            "refresh_pattern . 5 20% 4320 ignore-private",
            "what is private is not kept, which Squid keeps and has validated",
        ),
        ("refresh_pattern . 5 200% 4320", "taken over with 100% in place of 200%"),
        ("refresh_pattern . 5", "an expression, two times and a percentage are wanted"),
        ("refresh_pattern . a 20% b", "a 20% b is no time, percentage and time"),
        ("refresh_pattern ( 5 20% 10", "( is no expression: "),
        ("refresh_pattern ^ftp: 5 20% 10", "only http and https are cached here"),
        ("cache maybe all", "allow or deny, and lists, are wanted"),
    ],
)
def test_what_cannot_be_taken_over_is_told(line, why):
    assert told(line).startswith(why)


def test_a_pattern_after_one_for_all_is_never_asked():
    assert told("refresh_pattern . 5 20% 10\nrefresh_pattern x 1 1% 1", of="squid.conf:4: ").startswith(
        "it is never asked"
    )


# -- what is not cached

LISTS = "acl q urlpath_regex cgi-bin [?]\nacl inner dstdomain -n .in.example\nacl us src 10.0.0.0/8\n"


@pytest.mark.parametrize("name", ["cache", "no_cache", "store_miss", "send_hit"])
def test_what_is_denied_is_not_cached(name):
    lines = f"{LISTS}{name} deny q\n{name} deny inner"
    assert policy(lines, "/cgi-bin/x") is None and policy(lines, "/x?y") is None
    assert policy(lines, host="b.in.example") is None
    assert policy("cache_mem 8 MB\n" + lines) is not None
    assert Translated(lines).notes == []


def test_each_list_of_what_is_not_cached_stands_alone():
    lines = LISTS + "cache deny q\nstore_miss allow all\nsend_hit deny inner\ncache allow all"
    assert policy(lines, "/cgi-bin/x") is None and policy(lines, host="b.in.example") is None
    assert policy(lines) is not None


def test_store_miss_alone_is_no_word_of_a_cache():
    assert not Translated(LISTS + "store_miss deny q").config.cache


def test_what_is_denied_comes_before_what_is_fresh():
    assert policy(LISTS + "refresh_pattern . 5 20% 10\ncache deny q", "/cgi-bin/x") is None


def test_nothing_after_a_line_that_allows_all_counts():
    assert policy(LISTS + "cache allow all\ncache deny q", "/cgi-bin/x") is not None


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("cache deny us", "less is cached than it says, without us"),
        ("cache deny !q", "less is cached than it says, without !q"),
        ("cache allow q", "it is left out: what lines after it deny, or do not name, is not cached"),
        ("cache allow us\ncache deny all", "it is left out: what lines after it deny, or do not name, is not cached"),
        ("cache deny !us", "less is cached than it says, without !us"),
    ],
)
def test_less_is_cached_where_something_cannot_be_said(lines, why):
    translated = Translated(LISTS + lines)
    assert not translated.config.cache
    assert translated.notes[-1].endswith(why)


def test_of_two_lists_one_is_enough_to_deny():
    lines = LISTS + "cache deny q us"
    assert policy(lines, "/cgi-bin/x") is None and policy(lines) is not None
    assert "without us" in Translated(lines).notes[0]


# -- for all


def test_failures_are_kept_as_long_as_negative_ttl_says():
    lines = "negative_ttl 5 minutes\nrefresh_pattern . 60 20% 4320"
    found = policy(lines)
    assert (found.ttl_of(404), found.ttl_of(503), found.ttl_of(200), found.min_ttl) == (300, 300, None, 3600)
    assert told(lines) == "it is for responses: a server that cannot be reached is tried by each request"
    for nothing in ("negative_ttl 0 seconds", "negative_ttl -1 seconds"):
        assert not Translated(nothing).config.cache and not Translated(nothing).notes


def test_switches_are_for_all():
    found = policy("offline_mode on\nreload_into_ims on\nmax_stale 1 hour\nrefresh_pattern . 5 20% 10")
    assert found.offline and found.reload_into_ims and found.stale_if_error == 3600
    assert not Translated("offline_mode off").config.cache
