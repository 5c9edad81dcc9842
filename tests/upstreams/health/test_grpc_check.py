"""Checks by grpc.health.v1, against a server that is played."""

import pytest

from tests.proxy.upstream.http2_peer import Http2Peer, data_frame
from tests.upstreams.health.test_probe import one
from txproxy.interfaces import Address

__all__ = ["one"]
SERVING = b"\0\0\0\0\2\x08\1"
KIND = ("content-type", "application/grpc")
GOOD = ("grpc-status", "0")


@pytest.fixture
def asked(one):
    """A check that is under way, and the server that it asks."""

    def ask(**check):
        made = one(kind="grpc", address=Address("10.0.0.1", 80, protocols=("h2",)), **check)
        return made, Http2Peer(made.connection)

    return ask


def test_what_is_asked(asked):
    _, server = asked(service="shop.Cart")
    assert server.head(1) == {
        ":method": "POST", ":scheme": "http", ":authority": "one.example", ":path": "/grpc.health.v1.Health/Check",
        "user-agent": "txproxy-health-check", "content-type": "application/grpc", "te": "trailers",
    }  # fmt: skip
    assert server.bodies[1] == b"\0\0\0\0\x0b\x0a\x09shop.Cart" and server.ended == {1}


def test_the_host_is_as_configured(asked):
    assert asked(host="b.example")[1].head(1)[":authority"] == "b.example"


def answer(server, *, status=200, fields=(KIND,), body=SERVING, trailers=(GOOD,)):
    server.connection.send(
        server.head_frame(1, status, *fields, ended=not trailers)
        + (data_frame(1, body) if body and trailers else b"")
        + (server.trailers_frame(1, *trailers) if trailers else b"")
    )


def test_who_serves_is_well(asked):
    check, server = asked()
    answer(server)
    assert check.cause == ""


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ({"body": b"\0\0\0\0\2\x08\2"}, "it is NOT_SERVING"),
        ({"body": b"\0\0\0\0\0"}, "it is UNKNOWN"),
        ({"body": b"hello"}, "the answer is none of grpc.health.v1"),
        ({"body": b""}, "the answer is none of grpc.health.v1"),
        ({"body": b"x" * 2000}, "the answer is too long"),
        ({"status": 503}, "status 503, not 200"),
        ({"fields": ()}, "the answer is none of gRPC"),
        ({"fields": (KIND, ("grpc-status", "12")), "trailers": ()}, "grpc-status 12 (UNIMPLEMENTED)"),
        ({"trailers": (("grpc-status", "5"), ("grpc-message", "no%20such"))}, "grpc-status 5 (NOT_FOUND): no such"),
        ({"trailers": (("x", "y"),)}, "the answer has no grpc-status"),
        ({"trailers": ()}, "the answer has no grpc-status"),
    ],
)
def test_who_does_not_is_not(asked, said, cause):
    check, server = asked()
    answer(server, **said)
    assert check.cause == cause


def test_http1_is_not_enough(one):
    assert one(kind="grpc").cause == "it does not speak HTTP/2, which gRPC needs"
