"""A forward proxy whose clients speak HTTP/2: what holds for a tunnel in HTTP/1 holds for each stream of its own."""

import pytest
from twisted.internet.defer import Deferred

from tests.forward.asking import AUTH, PEOPLE, login
from tests.forward.request.test_onward_head import client_hello
from tests.proxy.downstream.http2.http2_peer import Http2Peer
from txproxy import ForwardPolicy, ForwardProxyFactory, Limits
from txproxy.testing import ProxyInMemory

# CONNECT_ERROR
TUNNEL_CUT = 0xA


class World(ProxyInMemory):
    """A forward proxy, and one client of it."""

    def __init__(self, limits, policy):
        self.records = []
        observers = (self.records.append,)
        super().__init__(
            lambda reactor: ForwardProxyFactory(
                ForwardPolicy(**policy), limits=limits, h2c=True, observers=observers, reactor=reactor
            )
        )
        self.client = Http2Peer(self.connect())

    def tunnel(self, host, *more):
        return self.client.ask((b":method", b"CONNECT"), (b":authority", host + b":443"), *more, ended=False)

    def status(self, stream):
        """What it was answered, or None where it waits."""
        response = self.client.turn().responses[stream]
        return response.status if response.heads else None

    @property
    def reached(self):
        return [str(address) for address in self.network.dialed]


@pytest.fixture
def make_forward():
    made = []

    def make_forward(limits=None, **policy):
        made.append(World(limits or Limits(), policy))
        return made[-1]

    yield make_forward
    for world in made:
        world.close()


def test_each_tunnel_has_a_question_of_its_own_and_holds_up_no_other(make_forward):
    asked, given_up = [], []

    def ask(question):
        asked.append((question, Deferred(given_up.append)))
        return asked[-1][1]

    world = make_forward(rules=PEOPLE, ask=ask)
    streams = [world.tunnel(b"www.example.com") for _ in range(3)]
    other = world.tunnel(b"other.example")
    assert [world.status(stream) for stream in (*streams, other)] == [None, None, None, 200]
    assert [(question.method, question.host, question.port) for question, _ in asked] == [
        ("CONNECT", "www.example.com", 443)
    ] * 3
    asked[0][1].callback(True)
    asked[1][1].callback(False)
    world.client.reset(streams[2])
    assert [world.status(stream) for stream in streams[:2]] == [200, 403] and len(given_up) == 1
    assert world.reached == ["other.example:443", "www.example.com:443"]
    world.client.body(streams[0], b"hello")
    assert world.upstream.received == b"hello"


def test_a_tunnel_has_to_say_the_name_that_it_was_asked_for(make_forward):
    world = make_forward(agree_names=True)
    good, bad = world.tunnel(b"a.example"), world.tunnel(b"a.example")
    hello = client_hello(b"a.example")
    for byte in hello[:-1]:
        world.client.body(good, bytes((byte,)))
    first, second = world.network.connections
    assert first.received == b""
    world.client.body(good, hello[-1:] + b"more")
    world.client.body(bad, client_hello(b"evil.example"))
    world.advance(0)
    # The one is closed before a byte gets there, and the other goes on.
    assert first.received == hello + b"more" and not first.closed
    assert second.received == b"" and second.closed
    first.send(b"answer")
    assert world.client.turn().responses[good].body == b"answer"
    assert [record.outcome for record in world.records] == ["http_request_denied"]


def test_rules_and_logins_are_each_tunnels_own(make_forward):
    world = make_forward(auth=AUTH, allow_hosts=["a.example"])

    def credentials(password):
        return (b"proxy-authorization", login("alice", password).partition(b": ")[2])

    wrong = world.tunnel(b"a.example", credentials("wrong"))
    nobody = world.tunnel(b"a.example")
    good = world.tunnel(b"a.example", credentials("right"))
    elsewhere = world.tunnel(b"b.example", credentials("right"))
    here = world.tunnel(b"127.0.0.1", credentials("right"))
    said = [world.status(stream) for stream in (wrong, nobody, good, elsewhere, here)]
    assert said == [407, 407, 200, 403, 403] and world.reached == ["a.example:443"]


def test_one_that_is_silent_is_ended_and_others_are_not(make_forward):
    world = make_forward(Limits(tunnel_timeout=10.0))
    silent, other = world.tunnel(b"a.example"), world.tunnel(b"b.example")
    for _ in range(4):
        world.advance(4)
        world.client.body(other, b"x")
    assert world.client.turn().responses[silent].reset == TUNNEL_CUT and not world.client.goaways
    assert world.client.responses[other].reset is None and world.network.connections[1].received == b"xxxx"


def test_each_side_of_a_tunnel_may_end_first(make_forward):
    world = make_forward()
    stream = world.tunnel(b"a.example")
    world.client.body(stream, b"all", ended=True)
    assert world.upstream.received == b"all" and world.upstream.ended and not world.upstream.closed
    world.upstream.send(b"of it")
    world.upstream.end()
    response = world.client.turn().responses[stream]
    assert response.body == b"of it" and response.ended and response.reset is None
