"""Contexts of requests for tests."""

from txproxy.testing import context_of


def test_it_is_of_a_client_at_an_address_that_speaks_a_scheme():
    context = context_of("192.0.2.1", "https")
    assert (context.client_ip, context.peer_ip, context.scheme, context.peer_scheme) == (
        "192.0.2.1", "192.0.2.1", "https", "https",
    )  # fmt: skip
    assert context.user is None and context.transport is None


def test_what_is_known_is_of_the_request_or_of_its_connection():
    transport = object()
    context = context_of(user="alice", client_ip="192.0.2.9", transport=transport)
    assert (context.user, context.client_ip, context.peer_ip) == ("alice", "192.0.2.9", "127.0.0.1")
    assert context.connection.transport is transport and "transport" not in vars(context)
