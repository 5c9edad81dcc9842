"""What tells one request from others, in the way of a proxy in memory."""

import re

import pytest

from txproxy import Pool, ReverseProxyFactory
from txproxy.interfaces import Refusal
from txproxy.matching.networks import PeerNetworks
from txproxy.observe.request_tracing import RequestTracing
from txproxy.testing import ProxyInMemory
from txproxy.wire.trace_context import read_traceparent

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%b\r\nok"
REFUSED = b"HTTP/1.1 403 Forbidden\r\n"


class Plain:
    """The slow twin: it has no way of its own to be composed."""

    def __init__(self, one):
        self.handle = one.handle


class Refusing:
    def handle(self, request, context, proceed):
        return Refusal(403, "http_request_denied", "no") if request.path == b"/no" else proceed(request, context)


class World:
    """A reverse proxy, and what went to its upstream and came to its client of one request."""

    def __init__(self, twin=lambda one: one, **words):
        self.records = []
        tracing = twin(RequestTracing(**words))
        self.proxy = ProxyInMemory(
            lambda reactor: ReverseProxyFactory(
                Pool(["http://10.0.0.1:80"]),
                middleware=[tracing, Refusing()],
                observers=(self.records.append,),
                reactor=reactor,
                via=None,
            )
        )

    def ask(self, fields=b"", path=b"/", response=b"", host="127.0.0.1"):
        client = self.proxy.connect(host)
        client.send(b"GET %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (path, fields))
        sent = b""
        if self.proxy.network.connections:
            self.proxy.network.connections[-1].send(OK % response)
            sent = self.proxy.network.connections[-1].received
        return fields_of(sent), fields_of(client.received)


def fields_of(message):
    """The fields of the last message of these bytes, all values of each name."""
    found = {}
    for line in message.rpartition(b"HTTP/1.1")[2].partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        name, _, value = line.partition(b": ")
        found.setdefault(name.lower(), []).append(value)
    return found


@pytest.fixture(params=[lambda one: one, Plain], ids=["composed", "plain"])
def make(request):
    return lambda **words: World(request.param, **words)


def test_a_request_without_an_identifier_gets_one_and_its_response_has_the_same(make):
    world = make()
    sent, came = world.ask()
    (identifier,) = sent[b"x-request-id"]
    assert re.fullmatch(rb"[0-9a-f]{32}", identifier)
    assert came[b"x-request-id"] == [identifier]
    again, _ = world.ask()
    assert again[b"x-request-id"] != [identifier]


def test_an_identifier_is_kept_from_who_is_trusted_alone(make):
    world = make(trusted=PeerNetworks(["10.9.0.0/16"]))
    sent, came = world.ask(b"X-Request-Id: abc-1\r\n", host="10.9.0.1")
    assert sent[b"x-request-id"] == came[b"x-request-id"] == [b"abc-1"]
    sent, came = world.ask(b"X-Request-Id: abc-1\r\n", host="10.8.0.1")
    assert len(sent[b"x-request-id"]) == 1 and sent[b"x-request-id"] != [b"abc-1"]
    assert came[b"x-request-id"] == sent[b"x-request-id"]
    sent, _ = make().ask(b"X-Request-Id: abc-1\r\n", host="10.8.0.1")
    assert sent[b"x-request-id"] == [b"abc-1"], "where nobody says whom to trust, all are"


@pytest.mark.parametrize(
    "fields",
    [
        b"X-Request-Id: a b\r\n",
        b'X-Request-Id: "\r\n',
        b"X-Request-Id: " + b"a" * 129 + b"\r\n",
        b"X-Request-Id: a\r\nX-Request-Id: b\r\n",
        b"X_Request_Id: a\r\n",
        b"Connection: x-request-id\r\nX-Request-Id: a\r\n" * 2,
        b"X-Request-Id:\r\n",
    ],
)
def test_what_could_be_mistaken_is_replaced(make, fields):
    sent, came = make().ask(fields)
    (identifier,) = sent[b"x-request-id"]
    assert re.fullmatch(rb"[0-9a-f]{32}", identifier) and b"x_request_id" not in sent
    assert came[b"x-request-id"] == [identifier]


def test_the_client_hears_no_other_identifier_of_an_upstream(make):
    sent, came = make().ask(response=b"X-Request-ID: theirs\r\nX-Other: 1\r\n")
    assert came[b"x-request-id"] == sent[b"x-request-id"] != [b"theirs"]
    assert came[b"x-other"] == [b"1"]


def test_a_refusal_has_the_identifier_as_well(make):
    sent, came = make().ask(b"X-Request-Id: abc\r\n", path=b"/no")
    assert sent == {} and came[b"x-request-id"] == [b"abc"]


def test_a_trace_goes_on_as_it_came_whoever_has_begun_it(make):
    world = make(trusted=PeerNetworks([]))
    sent, came = world.ask(b"traceparent: %b\r\ntracestate: a=1\r\n" % TRACE)
    assert (sent[b"traceparent"], sent[b"tracestate"]) == ([TRACE], [b"a=1"])
    assert b"traceparent" not in came
    assert world.records[-1].context.traced == read_traceparent(TRACE)


@pytest.mark.parametrize("fields", [b"", b"traceparent: 00-1-2-3\r\ntracestate: a=1\r\n", b"tracestate: a=1\r\n"])
def test_a_trace_that_is_missing_or_wrong_begins_here_without_what_was_said_of_another(make, fields):
    world = make()
    sent, _ = world.ask(fields)
    (value,) = sent[b"traceparent"]
    assert read_traceparent(value) == world.records[-1].context.traced is not None
    assert b"tracestate" not in sent


def test_what_is_not_wanted_is_left_alone(make):
    sent, came = make(request_ids=False).ask(b"X-Request-Id: a b\r\n", response=b"X-Request-Id: theirs\r\n")
    assert (sent[b"x-request-id"], came[b"x-request-id"]) == ([b"a b"], [b"theirs"])
    world = make(trace_context=False)
    sent, _ = world.ask(b"traceparent: wrong\r\n")
    assert sent[b"traceparent"] == [b"wrong"] and world.records[-1].context.traced is None


GIVEN_STATE = b"tracestate: a=1\r\n"


@pytest.mark.parametrize(
    ("given", "sample", "own", "sampled", "state"),
    [
        (TRACE, None, False, True, True),
        (TRACE, 0.0, True, True, True),
        (TRACE[:-2] + b"00", 1.0, False, False, True),
        (b"", 1.0, True, True, False),
        (b"", 0.0, True, False, False),
        (b"wrong", 1.0, True, True, False),
    ],
)
def test_spans_are_of_traces_that_are_written_down(given, sample, own, sampled, state):
    world = World(sample=sample)
    asked = (b"traceparent: %b\r\n" % given if given else b"") + GIVEN_STATE
    sent, _ = world.ask(asked)
    (line,) = sent[b"traceparent"]
    passed = read_traceparent(line)
    assert passed.sampled is sampled and (line != given) is own and (b"tracestate" in sent) is state
    if given == TRACE:
        assert passed.trace == read_traceparent(TRACE).trace
    assert world.records[0].context.traced == passed
    world.proxy.close()
