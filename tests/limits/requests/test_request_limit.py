"""Limits as they are configured."""

import pickle

import pytest

from txproxy.errors import ConfigError
from txproxy.limits.requests.rates import Rate
from txproxy.limits.requests.request_limit import RequestLimit

RATE = Rate(10, 1)


def limit(**words):
    return RequestLimit(name="x", rate=RATE, **words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"by": ["nobody"]}, r"by\[0\]: 'nobody' tells no requests apart; accepted: client, user, route, rule, pool"),
        ({"by": ["client", "header:"]}, r"by\[1\]: 'header:' tells"),
        ({"by": ["cookie:a b"]}, r"by\[0\]: 'cookie:a b' tells"),
        ({"by": ["client", "client"]}, r"by\[1\]: 'client' is there twice"),
        ({"status": 200}, "status: 200 is no refusal; accepted is 400 to 599"),
        ({"delay": -1}, "delay: -1 cannot wait; accepted is a whole number from 0 to"),
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
