"""Limits of requests in a file."""

import pytest

from tests.config.toml.conftest import FORWARD
from txproxy.components.rates import Rate
from txproxy.limits.requests.request_limit import RequestLimit

TOP = '[[request_limits]]\nname = "all"\nrate = "10/s"\n'


def test_what_a_limit_says(more):
    config = more(
        '[[request_limits]]\nname = "a"\nrate = "10/s:burst=5"\n'
        '[[request_limits]]\nrate = "30/m"\nburst = 7\nby = ["client", "header:X-Key"]\ndelay = 3\nstatus = 503\n'
        "enforce = false\nratelimit_fields = true\n"
    )
    assert config.listeners[0].request_limits == (
        RequestLimit(name="a", rate=Rate(10, 1, 5)),
        RequestLimit(
            name="limit 2",
            rate=Rate(30, 60, 7),
            by=("client", "header:X-Key"),
            delay=3,
            status=503,
            enforce=False,
            ratelimit_fields=True,
        ),
    )


def test_a_limit_of_how_many_there_are_at_once(more):
    config = more('[[request_limits]]\nconcurrent = 20\nby = "pool"\nqueue = 50\nqueue_timeout = "500ms"\n')
    (limit,) = config.listeners[0].request_limits
    assert limit == RequestLimit(name="limit 1", concurrent=20, by=("pool",), queue=50, queue_timeout=0.5)
    assert limit.refuses_with == 503


def test_a_limit_that_is_not_named_is_called_after_where_it_stands(read):
    config = read(
        '[[listeners]]\nname = "web"\nlisten = "tcp:1"\npool = "app"\nrequest_limits = { rate = "1/s" }\n'
        '[[listeners]]\nname = "out"\nmode = "forward"\nlisten = "tcp:2"\n'
        '[[listeners.rules]]\naction = "allow"\nrequest_limits = [{ rate = "1/s" }, { rate = "9/m" }]\n'
        '[[routes]]\nname = "r"\npool = "app"\nrequest_limits = { rate = "1/s" }\n'
        '[pools.app]\nupstreams = "http://a"\n'
    )
    web, out = config.listeners
    assert [one.name for one in web.request_limits] == ["web 1"]
    ((rule, limits),) = out.rule_limits
    assert (rule, [one.name for one in limits]) == ("rule 1", ["out rule 1 1", "out rule 1 2"])
    assert [one.name for one in config.routes[0].request_limits] == ["route r 1"]


def test_those_that_nobody_names_hold_everywhere_and_the_others_where_they_are_named(read):
    config = read(
        TOP + '[[request_limits]]\nname = "few"\nrate = "1/s"\n'
        '[[listeners]]\nname = "web"\nlisten = "tcp:1"\npool = "app"\n'
        '[[listeners]]\nname = "out"\nmode = "forward"\nlisten = "tcp:2"\nrequest_limits = "few"\n'
        '[pools.app]\nupstreams = "http://a"\n'
    )
    assert [[one.name for one in listener.request_limits] for listener in config.listeners] == [
        ["all"],
        ["all", "few"],
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[request_limits]]", "request_limits[0]: it bounds nothing; accepted is exactly one of rate and concurrent"),
        (
            '[[request_limits]]\nrate = "1/s"\nconcurrent = 3',
            "request_limits[0]: rate and concurrent are there; accepted is exactly one of rate and concurrent",
        ),
        (
            '[[request_limits]]\nrate = "1/s"\nqueue = 3',
            "request_limits[0].queue: has no effect with rate; accepted is it with concurrent",
        ),
        (
            "[[request_limits]]\nconcurrent = 3\ndelay = 2",
            "request_limits[0].delay: has no effect with concurrent; accepted is it with rate",
        ),
        ("[[request_limits]]\nconcurrent = 0", "request_limits[0].concurrent: 0 cannot be; accepted is a whole number"),
        ('[[request_limits]]\nrate = "10"', "request_limits[0].rate: '10' is no rate; accepted is a number for each"),
        (
            '[[request_limits]]\nrate = "10/s:burst=5"\nburst = 3',
            "request_limits[0].burst: rate has a burst already; accepted is one of them",
        ),
        (
            '[[request_limits]]\nrate = "10/s"\nby = ["client", "head:X"]',
            "request_limits[0].by[1]: 'head:X' tells no requests apart; accepted: client, user, route, rule, pool",
        ),
        (
            '[[request_limits]]\nrate = "10/s"\nby = ["host", "host"]',
            "request_limits[0].by: there is one in it twice; accepted is each once",
        ),
        (
            TOP + '[[routes]]\nname = "r"\npool = "app"\nrequest_limits = "al"',
            "routes[0].request_limits: there is no limit 'al' (is all meant?); accepted: all",
        ),
        (
            '[[routes]]\nname = "r"\npool = "app"\nrequest_limits = ["x"]',
            "routes[0].request_limits[0]: there is no limit 'x'; accepted is one of [[request_limits]]",
        ),
        (
            '[[routes]]\nname = "r"\npool = "app"\nrequest_limits = [5]',
            "routes[0].request_limits[0]: 5 is no limit; accepted is the name of one of [[request_limits]], or",
        ),
        (TOP + TOP, "request_limits[1].name: 'all' is the name of another; accepted is one of its own"),
        (
            FORWARD + '[[listeners.rules]]\naction = "deny"\nrequest_limits = { rate = "1/s" }',
            "listeners[1].rules[0].request_limits: has no effect with deny; accepted is it with allow",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_is(fault, text, said):
    assert fault(text).startswith(said)


def test_raw_streams_have_less_to_go_by(faults):
    tcp = '[[listeners]]\nmode = "tcp"\nlisten = "tcp:1"\npool = "db"\n{}\n[pools.db]\nupstreams = "a:1"\n'
    (line,) = faults(tcp.format('request_limits = { rate = "1/s", by = ["client", "user"] }'))
    assert line.endswith(
        "request_limits.by: raw streams have nothing else to go by; accepted: client, pool, listener, host"
    )
    named = '[[request_limits]]\nname = "users"\nrate = "1/s"\nby = "header:X"\n'
    (line,) = faults(named + tcp.format('request_limits = ["users"]'))
    assert line.endswith(
        "listeners[0].request_limits[0]: 'users' goes by what raw streams do not have; "
        "accepted: client, pool, listener, host"
    )
