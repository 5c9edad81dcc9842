"""``/api/connections`` and ``/api/exchanges``: who is looked for, and what is ended."""

import os

import pytest
from twisted.internet.address import IPv4Address

from tests.admin.connections.test_connection_listing import GET, OK, SWITCHED, UPGRADE, listed
from tests.proxy.downstream.http2.http2_peer import GET as GET_2
from tests.proxy.downstream.http2.http2_peer import Http2Peer
from txproxy.admin.api_call import ApiCall
from txproxy.admin.connections.connection_verbs import ConnectionVerbs
from txproxy.admin.merging import OF_ANY, WorkerName
from txproxy.matching.networks import PeerNetworks
from txproxy.proxy.downstream.proxy_header import ProxyProtocolFactory
from txproxy.reverse.mode import ReverseProxyFactory
from txproxy.testing import MemoryConnection
from txproxy.upstreams.pool import Pool


def busy(client):
    return listed(client, "?busy=1")[0]["exchanges"][0]["id"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["192.0.2.1", "192.0.2.2"]),
        ("?listener=edge", ["192.0.2.1", "192.0.2.2"]),
        ("?listener=other", []),
        ("?client=192.0.2.2", ["192.0.2.2"]),
        ("?client=192.0.2.3", []),
        ("?busy=1", ["192.0.2.2"]),
        ("?busy=0&pool=app", ["192.0.2.2"]),
        ("?pool=other", []),
    ],
)
def test_some_of_them_are_listed(client, proxy, query, found):
    proxy.connect("192.0.2.1")
    proxy.connect("192.0.2.2").send(GET)
    assert sorted(one["client"] for one in listed(client, query)) == found


def test_so_many_are_listed(client, proxy):
    for _ in range(3):
        proxy.connect()
    for limit, complete in ((2, False), (3, True)):
        found = client.ask("GET", f"/api/connections?limit={limit}").json
        assert (len(found["connections"]), found["complete"]) == (limit, complete)
    assert client.ask("GET", "/api/connections?limit=10001").status == 400


def test_many_are_looked_at_a_few_at_a_time(client, proxy, clock):
    for _ in range(450):
        proxy.connect()
    assert client.ask("GET", "/api/connections?limit=1000") is None
    clock.advance(0)
    clock.advance(0)
    data = client.connection.take()
    assert data.count(b'"state": "idle"') == 450


def test_one_whose_header_of_the_proxy_protocol_has_not_come_is_not_told(client, proxy):
    told = ProxyProtocolFactory(proxy.factory, PeerNetworks(["127.0.0.1"]), reactor=proxy.clock)
    guest = MemoryConnection(proxy.clock, told.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1)))
    assert len(proxy.factory.admission.everyone()) == 1
    assert listed(client) == []
    assert client.ask("DELETE", f"/api/connections/{os.getpid()}-1").status == 404
    guest.drop()


def test_a_connection_is_ended_with_what_is_on_it(client, proxy):
    idle, other = proxy.connect(), proxy.connect()
    other.send(GET)
    for one in listed(client):
        assert client.ask("DELETE", f"/api/connections/{one['id']}").json == {"ended": one["id"]}
        proxy.clock.advance(0)
        assert client.ask("DELETE", f"/api/connections/{one['id']}").status == 404
    assert idle.closed and other.closed and not other.received
    assert proxy.factory.admission.everyone() == []


def test_an_exchange_is_ended_before_it_is_answered_and_its_connection_goes_on(client, proxy):
    guest = proxy.connect()
    guest.send(GET)
    name = busy(client)
    assert client.ask("DELETE", f"/api/exchanges/{name}").json == {"ended": name}
    assert guest.received.startswith(b"HTTP/1.1 403 ") and not guest.closed
    assert client.ask("DELETE", f"/api/exchanges/{name}").status == 404
    guest.send(GET)
    assert client.ask("DELETE", f"/api/exchanges/{name}").status == 404, "it is another one"
    proxy.upstream.send(OK + b"abcd")
    assert guest.received.endswith(b"abcd")


def test_a_response_that_has_begun_is_cut(client, proxy):
    guest = proxy.connect()
    guest.send(GET)
    proxy.upstream.send(OK + b"ab")
    assert client.ask("DELETE", f"/api/exchanges/{busy(client)}").status == 200
    proxy.clock.advance(0)
    assert guest.closed and guest.received.endswith(b"ab")


def test_a_tunnel_is_ended(client, proxy):
    guest = proxy.connect()
    guest.send(UPGRADE)
    proxy.upstream.send(SWITCHED)
    upstream = proxy.upstream
    assert client.ask("DELETE", f"/api/exchanges/{busy(client)}").status == 200
    proxy.clock.advance(0)
    assert guest.closed and upstream.closed


@pytest.mark.parametrize(
    "path", ["connections/1-1", "connections/x", "exchanges/1-1", "exchanges/.", "exchanges/1-1.0"]
)
def test_what_is_not_there_cannot_be_ended(client, proxy, path):
    proxy.connect().send(GET)
    listed(client)
    answer = client.ask("DELETE", f"/api/{path}")
    assert answer.status == 404 and "or not any more" in answer.json["error"]


def test_those_of_several_workers_say_whose_they_are_and_are_as_many_as_are_wanted():
    verbs = {(verb.method, verb.path): verb for verb in ConnectionVerbs(None, None).verbs()}
    merge = verbs["GET", "/api/connections"].merge
    answers = {
        WorkerName(number, 100 + number): {
            "connections": [{"id": f"{number}-{one}"} for one in (1, 2)],
            "complete": True,
        }
        for number in (1, 2)
    }
    found = merge.merged(ApiCall(query={"limit": "3"}), answers)
    assert [(one["id"], one["worker"]) for one in found["connections"]] == [("1-1", 1), ("1-2", 1), ("2-1", 2)]
    assert found["complete"] is False and merge.merged(ApiCall(), answers)["complete"] is True
    # Whoever has it ends it.
    assert all(verb.merge is OF_ANY for verb in verbs.values() if verb.method == "DELETE")


def test_each_stream_of_http2_is_an_exchange_that_ends_alone(client, make):
    pool = Pool(["http://10.0.0.1:80"], name="app")
    observers = (lambda record: None,)
    proxy = make("edge", lambda clock: ReverseProxyFactory(pool, observers=observers, h2c=True, reactor=clock))
    peer = Http2Peer(proxy.connect())
    one, other = peer.ask(*GET_2[:3], (b":path", b"/1?x")), peer.ask(*GET_2[:3], (b":path", b"/2"))
    (connection,) = listed(client, "?busy=1")
    assert [exchange["url"] for exchange in connection["exchanges"]] == ["http://a/1?...", "http://a/2"]
    assert client.ask("DELETE", f"/api/exchanges/{connection['exchanges'][0]['id']}").status == 200
    assert peer.turn().responses[one].status == 403
    assert [exchange["url"] for exchange in listed(client)[0]["exchanges"]] == ["http://a/2"]
    proxy.network.connections[1].send(OK + b"abcd")
    assert peer.turn().responses[other].body == b"abcd"
