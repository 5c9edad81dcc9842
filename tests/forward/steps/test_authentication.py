"""Who sends a request."""

import base64

import pytest
from twisted.internet.defer import Deferred

from tests.forward.asking import AUTH, CONNECT, GET, OK, STANDS, login, said, status
from txproxy.auth.auth_policy import AuthPolicy
from txproxy.forward.access.rules import Rule


@pytest.mark.parametrize("request_bytes", [GET, CONNECT, GET.replace(b"GET", b"POST")])
def test_credentials_are_asked_for(forward, request_bytes):
    proxy = forward(auth=AUTH)
    answer = proxy.ask(request_bytes)
    assert status(answer) == 407
    assert b'\r\nProxy-Authenticate: Basic realm="txproxy", charset="UTF-8"\r\n' in answer
    assert not proxy.network.dialed
    assert (proxy.finished[0].context.user, proxy.finished[0].detail) == (None, "credentials are missing")


def test_who_has_them_is_served_and_known_and_they_go_no_further(forward):
    proxy = forward(auth=AUTH)
    client = proxy.connect()
    client.send(said(GET, login("alice")))
    assert b"roxy-Authorization" not in proxy.upstream.received
    proxy.upstream.send(OK)
    assert status(client.received) == 200
    assert proxy.finished[0].context.user == "alice"
    assert proxy.finished[0].context.groups == {"staff"}


def test_a_tunnel_begins_for_who_has_them(forward):
    proxy = forward(auth=AUTH)
    client = proxy.connect()
    client.send(said(CONNECT, login("bob")))
    assert client.received == STANDS
    client.send(b"hello")
    assert proxy.upstream.received == b"hello"


def test_each_request_of_a_connection_is_its_users_own(forward):
    proxy = forward(auth=AUTH)
    client = proxy.connect()
    users = []
    for lines in ([login("alice")], [login("bob")], [], [login("bob", "wrong")]):
        client.send(said(GET, *lines))
        if lines and b"wrong" not in base64.b64decode(lines[0].split()[-1]):
            proxy.upstream.send(OK)
        users.append((proxy.finished[-1].context.user, proxy.finished[-1].context.groups, proxy.finished[-1].status))
    nobody = (None, frozenset(), 407)
    assert users == [("alice", {"staff"}, 200), ("bob", frozenset(), 200), nobody, nobody]


def test_a_password_that_takes_its_time_makes_its_request_wait_alone(forward):
    waiting = []

    def slow(name, password):
        waiting.append(Deferred())
        return waiting[-1]

    proxy = forward(auth=AuthPolicy(passwords=slow))
    client = proxy.connect()
    client.send(said(GET, login("alice")))
    assert not proxy.network.dialed and client.received == b""
    waiting[0].callback("alice")
    proxy.upstream.send(OK)
    assert status(client.take()) == 200
    client.send(said(GET, login("alice")))
    proxy.upstream.send(OK)
    assert status(client.received) == 200 and len(waiting) == 1


def test_a_client_that_leaves_waits_for_nothing(forward):
    waiting = []
    proxy = forward(auth=AuthPolicy(passwords=lambda name, password: waiting.append(Deferred()) or waiting[-1]))
    client = proxy.connect()
    client.send(said(GET, login("alice")))
    client.drop()
    waiting[0].callback("alice")
    assert not proxy.network.dialed
    assert proxy.finished[0].outcome == "client-gone"


def test_strangers_are_told_nothing_of_the_policy(forward):
    proxy = forward(auth=AUTH, deny_hosts=["www.example.com"], rules=[Rule(action="deny")])
    assert status(proxy.ask(GET)) == 407
    assert status(proxy.ask(GET, host="192.0.2.1")) == 403
