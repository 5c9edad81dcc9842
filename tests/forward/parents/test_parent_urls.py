"""Parents as they are configured: texts that can be compared, and from which parents are made."""

import pickle

import pytest

from txproxy.errors import ConfigError
from txproxy.forward.parents.parent import Parent
from txproxy.forward.parents.parent_urls import ParentUrls
from txproxy.forward.parents.selection import Parents
from txproxy.forward.policy import ForwardPolicy

URLS = ["http://bob:s3cret@p.example:3128;rule=far;host=*.example", "direct;rule=near"]


def test_they_are_equal_by_what_is_written_and_are_made_anew_each_time():
    urls = ParentUrls(URLS, check_interval=5)
    assert urls == ParentUrls(tuple(URLS), 5) == pickle.loads(pickle.dumps(urls))
    assert urls != ParentUrls(URLS) and urls != ParentUrls(URLS[:1], 5)
    assert urls.rules == ("far", "near")
    one, other = urls.made(), urls.made()
    assert one is not other and one.check_interval == 5
    assert [parent.name for parent in one] == ["http://p.example:3128", "direct"]


def test_no_password_is_shown():
    assert "s3cret" not in repr(ForwardPolicy(parents=["http://bob:s3cret@p.example:3128"]))


def test_each_that_is_wrong_is_told_of():
    with pytest.raises(ConfigError) as raised:
        ParentUrls(["ftp://bob:s3cret@a", "http://a", "http://b;x=1"], check_interval=-1)
    lines = str(raised.value).splitlines()
    assert len(lines) == 3 and "s3cret" not in str(raised.value)


def test_a_policy_has_them_where_only_texts_are_given():
    assert ForwardPolicy(parents=[]).parents is None
    assert ForwardPolicy(parents=["http://a"]).parents == ParentUrls(["http://a"])
    parent = Parent("http://a")
    assert next(iter(ForwardPolicy(parents=[parent, "direct"]).parents)) is parent
    parents = Parents(["http://a"])
    assert ForwardPolicy(parents=parents).parents is parents
