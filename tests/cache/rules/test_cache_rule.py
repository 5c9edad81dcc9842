"""Which requests a rule of caching is for."""

import pickle

import pytest

from txproxy.cache.rules.cache_choice import CacheChoice
from txproxy.cache.rules.cache_rule import CacheRule
from txproxy.errors import ConfigError
from txproxy.matching.urls import Url


def holds(rule, path="/", host="a.example", scheme="http", port=80):
    return not rule.why_not(Url(scheme, host, port, path))


@pytest.mark.parametrize(
    ("conditions", "wanted", "others"),
    [
        ({}, [{}], []),
        ({"hosts": ".a.example"}, [{}, {"host": "b.a.example"}], [{"host": "c.example"}, {"host": ""}]),
        ({"paths": "/x"}, [{"path": "/x"}, {"path": "/x/y?q"}, {"path": "/x?q"}], [{"path": "/xy"}, {}]),
        ({"paths": ["=/x", "/y"]}, [{"path": "/x"}, {"path": "/y/z"}], [{"path": "/x/y"}]),
        ({"paths": "~.*[.]gif"}, [{"path": "/x.gif?q"}], [{"path": "/x.gif/y"}, {"path": "/x?q.gif"}]),
        ({"url": "*.gif"}, [{"path": "/x.gif"}], [{"path": "/x.GIF"}, {"path": "/x.gif?q"}]),
        ({"url": "~[.]gif$"}, [{"path": "/x.gif"}, {"path": "/?x.gif"}], [{"path": "/x.GIF"}]),
        ({"url": ["*.gif", "~jpe?g"], "ignore_case": True}, [{"path": "/X.GIF"}, {"path": "/JPG"}], [{}]),
        ({"url": "https://*/x"}, [{"path": "/x", "scheme": "https", "port": 443}], [{"path": "/x"}]),
        ({"hosts": "a.example", "paths": "/x"}, [{"path": "/x"}], [{"path": "/x", "host": "b.example"}, {}]),
    ],
)
def test_all_that_is_given_has_to_hold(conditions, wanted, others):
    rule = CacheRule(name="r", **conditions)
    assert all(holds(rule, **words) for words in wanted)
    assert not any(holds(rule, **words) for words in others)
    assert rule.is_for_all is (not conditions)


def test_it_says_why_it_is_not_for_a_request():
    rule = CacheRule(name="r", hosts="b.example", paths=["/x", "/y"], url="*.gif")
    assert rule.why_not(Url("http", "a.example", 80, "/")) == "host is a.example, not b.example"
    assert rule.why_not(Url("http", "b.example", 80, "/")) == "path is not /x or /y"
    assert rule.why_not(Url("http", "b.example", 80, "/x")) == "URL is not *.gif"


def test_it_is_a_value():
    one = CacheRule(name="r", hosts="a.example", paths=["~/x"], url="~y", cache={"min_ttl": 5})
    assert one == CacheRule(name="r", hosts=["a.example"], paths=("~/x",), url="~y", cache={"min_ttl": 5})
    again = pickle.loads(pickle.dumps(one))
    assert again == one and holds(again, "/x") is holds(one, "/x")
    assert one != CacheRule(name="r", hosts="a.example", paths=["~/x"], url="~y", cache=CacheChoice(cached=False))


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(ConfigError) as fault:
        CacheRule(name="r", hosts=["a.example", "b c"], paths=["x", "/y z"], url=["~("])
    assert [one.path for one in fault.value.findings] == [("hosts", 1), ("paths", 0), ("paths", 1), ("url", 0)]
