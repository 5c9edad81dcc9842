"""What is said of a cache, as a value."""

import pickle

from txproxy.cache.rules.cache_rule import CacheRule
from txproxy.cache.rules.cache_settings import CacheSettings


def test_there_is_no_cache_without_a_size():
    assert not CacheSettings()
    assert CacheSettings(size=1 << 20)


def test_what_is_otherwise_is_part_of_it():
    settings = CacheSettings(size=1 << 20, defaults={"ttl": {200: 5}}, rules=[CacheRule(name="r")])
    assert settings.defaults == (("ttl", (("200", 5),)),)
    assert settings == CacheSettings(size=1 << 20, defaults=settings.defaults, rules=(CacheRule(name="r"),))
    assert settings != CacheSettings(size=1 << 20, defaults=settings.defaults)


def test_it_goes_through_a_pickle():
    settings = CacheSettings(size=1 << 20)
    assert pickle.loads(pickle.dumps(settings)) == settings
