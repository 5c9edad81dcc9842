"""What came of a limit."""

from txproxy.components.rates import Rate
from txproxy.limits.requests.limiter import LimitCounts, Limiter
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.testing import context_of


def limiter(**words):
    return Limiter(RequestLimit(name="x", rate=Rate(2, 60), **words))


def outcomes(limit, waits):
    said = []
    for wait in waits:
        context = context_of()
        said.append((limit.admits(wait, context), context.limit and context.limit.outcome))
    return said


def test_what_becomes_of_a_request_is_counted_and_noted():
    limit = limiter()
    assert outcomes(limit, [0.0, 1.5, -1.5]) == [(True, None), (True, "delayed"), (False, "refused")]
    assert limit.counts == LimitCounts("x", 1, 1, 1, 0, True)


def test_without_enforcement_all_go_on():
    limit = limiter(enforce=False)
    assert outcomes(limit, [0.0, 1.5, -1.5]) == [(True, None), (True, "passed"), (True, "passed")]
    assert limit.counts == LimitCounts("x", 1, 1, 1, 0, False)


def test_clients_are_told_of_the_policy_and_of_what_is_left():
    limit = limiter(ratelimit_fields=True)
    limit.rate.take("a", 0.0)
    assert limit.fields("a", 0.0) == (b'RateLimit-Policy: "x";q=2;w=60', b'RateLimit: "x";r=1;t=30')
    limit.give_back("a", 0.0)
    assert limit.fields("a", 0.0)[1] == b'RateLimit: "x";r=2;t=0'
