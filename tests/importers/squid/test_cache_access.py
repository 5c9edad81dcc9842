"""Squid's lines that say what is cached at all."""

import pytest

from tests.importers.squid.directive_lines import Translated
from tests.importers.squid.test_caching_directives import policy

LISTS = """
acl ours dstdomain -n .ours.example www.mirror.example
acl inner dstdomain -n in.ours.example
acl scripts urlpath_regex cgi-bin
acl us src 10.0.0.0/8
"""
PATTERNS = "refresh_pattern -i [.]deb$ 1440 100% 10080\nrefresh_pattern . 5 20% 4320\n"


@pytest.mark.parametrize(
    "lines",
    [
        "cache deny !ours",
        "cache deny !ours\ncache allow all",
        "cache allow ours\ncache deny all",
        "cache allow ours",
        "no_cache deny !ours",
    ],
)
@pytest.mark.parametrize("patterns", [PATTERNS, "refresh_pattern -i [.]deb$ 1440 100% 10080\n", ""])
def test_hosts_may_be_the_only_ones_that_are_cached(lines, patterns):
    text = LISTS + patterns + lines
    assert Translated(text).notes == [] and not Translated(text).config.warnings
    assert policy(text, host="other.example") is None
    for host in ("ours.example", "a.ours.example", "www.mirror.example"):
        found = policy(text, host=host)
        assert found.min_ttl == (300 if "pattern ." in patterns else 0)
        assert policy(text, "/x.deb", host).min_ttl == (86400 if patterns else 0)


def test_lines_count_in_their_order():
    text = LISTS + PATTERNS + "cache deny inner\ncache allow ours\ncache deny all"
    assert policy(text, host="in.ours.example") is None and policy(text, host="a.ours.example") is not None
    text = LISTS + PATTERNS + "cache allow ours\ncache deny scripts"
    assert policy(text, "/cgi-bin/", "a.ours.example") is not None
    assert policy(text, "/cgi-bin/") is None and policy(text) is not None


def test_what_is_denied_besides_is_not_cached_though_its_host_is():
    text = LISTS + PATTERNS + "cache deny !ours\ncache deny scripts"
    # All but some hosts is said where nothing comes after it that denies.
    assert Translated(text).notes[0].endswith("less is cached than it says, without !ours")
    assert policy(text, host="a.ours.example") is None
    text = LISTS + PATTERNS + "cache deny scripts\ncache deny !ours"
    assert policy(text, "/cgi-bin/", "a.ours.example") is None and policy(text, "/", "a.ours.example") is not None


def test_what_one_list_allows_another_may_deny():
    text = LISTS + PATTERNS + "cache allow ours\ncache deny all\nstore_miss deny inner\nsend_hit deny scripts"
    assert policy(text, host="in.ours.example") is None and policy(text, "/cgi-bin/", "a.ours.example") is None
    assert policy(text, host="a.ours.example") is not None and policy(text) is None


def test_lists_beside_cache_only_deny():
    text = LISTS + PATTERNS + "store_miss allow ours\nstore_miss deny all"
    assert not Translated(text).config.cache
    assert Translated(text).notes[0].endswith("it is left out: what lines after it deny, or do not name, is not cached")
