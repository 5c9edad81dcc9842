"""What is told of connections, and of what is at work on them."""

import os

from tests.forward.conftest import ForwardPolicy
from tests.proxy.downstream.http2.http2_peer import Http2Peer
from txproxy.forward.proxy_factory import ForwardProxyFactory
from txproxy.reverse.mode import ReverseProxyFactory
from txproxy.stream.stream_factory import StreamFactory
from txproxy.upstreams.pool import Pool

GET = b"GET /a?key=secret HTTP/1.1\r\nHost: shop.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def listed(client, query=""):
    return client.ask("GET", f"/api/connections{query}").json["connections"]


def test_one_that_asks_for_nothing_is_idle(client, proxy):
    assert listed(client) == []
    proxy.connect("192.0.2.1")
    assert listed(client) == [
        {
            "id": f"{os.getpid()}-1", "listener": "edge", "client": "192.0.2.1", "peer": "127.0.0.1:50000",
            "tls": None, "streams": None, "state": "idle", "exchanges": [],
        }
    ]  # fmt: skip


def test_a_request_is_told_without_its_query(client, proxy):
    proxy.connect().send(GET)
    proxy.clock.advance(2.5)
    (one,) = listed(client)
    (exchange,) = one["exchanges"]
    assert one["state"] == "busy" and exchange.pop("id").startswith(f"{one['id']}.")
    assert exchange == {
        "stream": None, "client": "127.0.0.1", "user": None, "method": "GET", "url": "http://shop.example/a?...",
        "route": None, "phase": "sent", "pool": "app", "upstream": "http://10.0.0.1:80", "age": 2.5, "status": None,
        "received": 0, "sent": 0,
    }  # fmt: skip
    proxy.upstream.send(OK + b"ab")
    (exchange,) = listed(client)[0]["exchanges"]
    assert (exchange["phase"], exchange["status"], exchange["sent"]) == ("answered", 200, 2)
    proxy.upstream.send(b"cd")
    assert listed(client)[0]["exchanges"] == []


def test_bytes_of_a_body_are_counted_as_they_come(client, proxy):
    proxy.connect().send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
    (exchange,) = listed(client)[0]["exchanges"]
    assert (exchange["method"], exchange["received"]) == ("POST", 5)


def test_a_tunnel_is_told_as_long_as_it_lasts(client, proxy):
    guest = proxy.connect()
    guest.send(UPGRADE)
    proxy.upstream.send(SWITCHED)
    guest.send(b"123")
    proxy.upstream.send(b"45")
    (one,) = listed(client)
    (exchange,) = one["exchanges"]
    assert (one["state"], exchange["phase"], exchange["url"]) == ("tunnel", "tunnel", "http://a/ws")
    assert (exchange["received"], exchange["sent"]) == (3, 2)
    guest.drop()
    assert listed(client) == []


def test_requests_to_a_forward_proxy_go_to_no_pool(client, make):
    policy = ForwardPolicy(allow_destinations=["127.0.0.0/8"])
    proxy = make("out", lambda clock: ForwardProxyFactory(policy, observers=(lambda record: None,), reactor=clock))
    proxy.connect().send(b"GET http://127.0.0.1:8000/x HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n")
    (exchange,) = listed(client)[0]["exchanges"]
    assert exchange["url"] == "http://127.0.0.1:8000/x" and exchange["pool"] is None
    assert exchange["upstream"] == "127.0.0.1:8000"


def test_a_raw_stream_is_told(client, make):
    pool = Pool(["http://10.0.0.9:5432"], name="raw")
    proxy = make("streams", lambda clock: StreamFactory(pool, reactor=clock))
    guest = proxy.connect()
    guest.send(b"1234")
    (one,) = listed(client)
    (exchange,) = one["exchanges"]
    assert (one["listener"], one["state"], exchange["phase"]) == ("streams", "tunnel", "tunnel")
    assert (exchange["method"], exchange["url"], exchange["pool"]) == (None, None, "raw")
    assert exchange["received"] == 4


def test_what_could_not_be_read_as_a_request_is_not_shown(client, proxy):
    guest = proxy.connect()
    guest.send(b"secret\r\n\r\n" + b"x" * 100)
    assert [one["exchanges"] for one in listed(client)] in ([], [[]])


def test_streams_are_told_where_http2_is_spoken(client, make):
    proxy = make("two", lambda clock: ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), h2c=True, reactor=clock))
    peer = Http2Peer(proxy.connect())
    assert [(one["streams"], one["exchanges"]) for one in listed(client, "?listener=two")] == [(0, [])]
    peer.ask()
    peer.ask()
    (one,) = listed(client, "?listener=two")
    assert (one["streams"], [exchange["stream"] for exchange in one["exchanges"]]) == (2, [1, 3])
    peer.reset(1)
    (one,) = listed(client, "?listener=two")
    assert (one["streams"], [exchange["stream"] for exchange in one["exchanges"]]) == (1, [3])
