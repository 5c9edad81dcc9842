"""A log whose lines go to somebody's code."""

import pytest
from twisted.logger import globalLogPublisher

from txproxy import Pool, ReverseProxyFactory
from txproxy.components.named_code import NamedCode
from txproxy.errors import ConfigError
from txproxy.observe import own_sink
from txproxy.observe.log_conditions import ConditionalLog, LogConditions
from txproxy.observe.log_formats.line_format import line_format
from txproxy.observe.own_sink import OwnSink, SinkLog, find_sink
from txproxy.testing import ProxyInMemory


class Sink:
    """Remembers its lines."""

    def __init__(self, topic: str = "t"):
        self.topic, self.lines, self.closed = topic, [], 0
        made.append(self)

    def write(self, line):
        if "fail" in line:
            raise OSError("gone")
        self.lines.append(line)

    def close(self):
        self.closed += 1


made = []


@pytest.fixture
def own(monkeypatch):
    """Has code found by what stands here."""
    found = {"m:Sink": Sink}
    monkeypatch.setattr(own_sink, "find_code", lambda code, what: found[code.name])
    made.clear()
    return found


def test_it_gets_a_line_for_each_request_that_is_meant(own):
    sink = OwnSink(NamedCode("m:Sink", {"topic": "a"}))
    log = ConditionalLog(SinkLog(sink, line_format('$status "$request"')), LogConditions(statuses=("503",)))
    pool = Pool(["http://10.0.0.1"])
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, observers=(log.exchange,), reactor=reactor))
    proxy.exchange(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n")
    pool.disable(pool.upstreams[0])
    client = proxy.connect()
    client.send(b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
    assert made[0].topic == "a" and made[0].lines == ['503 "GET /b HTTP/1.1"']
    proxy.close()


def test_a_function_is_one_as_well(own):
    lines = []
    own["m:f"] = lambda line, *, to: lines.append((to, line))
    sink = OwnSink(NamedCode("m:f", {"to": 1}))
    sink.hold()
    sink.write(b"a\xff\n")
    sink.release()
    assert lines == [(1, "a\ufffd")]


def test_the_last_who_has_it_closes_it(own):
    sink = OwnSink(NamedCode("m:Sink"))
    sink.hold()
    sink.hold()
    sink.release()
    assert made[0].closed == 0
    sink.release()
    assert made[0].closed == 1


def test_one_that_fails_harms_no_request(own):
    events = []
    globalLogPublisher.addObserver(events.append)
    sink = OwnSink(NamedCode("m:Sink"))
    for line in (b"fail\n", b"fine\n", b"fail\n"):
        sink.write(line)
    globalLogPublisher.removeObserver(events.append)
    assert made[0].lines == ["fine"] and len(events) == 1


def test_what_is_none_is_told_of(own):
    own |= {"m:a": 5, "m:b": OwnSink.__mro__[1], "m:c": lambda: None}
    for name in ("m:a", "m:b", "m:c"):
        with pytest.raises(ConfigError, match="accepted is a class of objects with write"):
            find_sink(NamedCode(name))
