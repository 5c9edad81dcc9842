"""Limits as they are configured."""

import pickle

import pytest

from txproxy.components.rates import Rate
from txproxy.errors import ConfigError
from txproxy.limits.requests.request_limit import RequestLimit

RATE = Rate(10, 1)


def limit(**words):
    return RequestLimit(**{"name": "x", "rate": RATE, **words})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"by": ["nobody"]}, r"by\[0\]: 'nobody' tells no requests apart; accepted: client, user, route, rule, pool"),
        ({"by": ["client", "header:"]}, r"by\[1\]: 'header:' tells"),
        ({"by": ["cookie:a b"]}, r"by\[0\]: 'cookie:a b' tells"),
        ({"by": ["client", "client"]}, r"by\[1\]: 'client' is there twice"),
        ({"status": 200}, "status: 200 is no refusal; accepted is 400 to 599"),
        ({"delay": -1}, "delay: -1 cannot be; accepted is a whole number from 0 to"),
        ({"concurrent": 5}, "it has a rate, and bounds how many there are at once; accepted is one of rate and"),
        ({"rate": None}, "it bounds nothing; accepted is one of rate and concurrent"),
        ({"rate": None, "concurrent": 0}, "concurrent: 0 cannot be; accepted is a whole number from 1 to"),
        ({"rate": None, "concurrent": 1, "queue": -1}, "queue: -1 cannot be; accepted is a whole number from 0"),
        ({"rate": None, "concurrent": 1, "queue_timeout": 0}, "queue_timeout: 0 is no time; accepted is one above 0"),
    ],
)
def test_what_is_wrong_is_said(words, said):
    with pytest.raises(ConfigError, match=said):
        limit(**words)


def test_it_is_a_value():
    one = limit(by=["client", "header:X-A"], delay=3)
    assert one == limit(by=("client", "header:X-A"), delay=3) == pickle.loads(pickle.dumps(one))
    assert hash(one) and one.meaning() == "10/s by client and header:X-A"
    assert limit(by=()).meaning() == "10/s of all together"
    assert limit(rate=None, concurrent=5).meaning() == "5 at once by client"
    assert (limit().refuses_with, limit(rate=None, concurrent=5).refuses_with, limit(status=403).refuses_with) == (
        429,
        503,
        403,
    )


@pytest.mark.parametrize(
    ("by", "late", "streams"),
    [
        (["client"], False, True),
        (["client", "listener", "host"], False, True),
        (["header:X"], False, False),
        (["client", "user"], True, False),
        (["route"], True, False),
        (["pool"], True, True),
    ],
)
def test_it_knows_where_it_can_stand(by, late, streams):
    assert (limit(by=by).known_late, limit(by=by).for_streams) == (late, streams)
