"""What is kept of a client, and for how long."""

from txproxy.interfaces.client import Client


def behind_a_proxy():
    client = Client("10.0.0.1")
    client.client_ip, client.scheme, client.user = "192.0.2.1", "https", "ann"
    client.groups, client.verdict, client.lines = frozenset({"staff"}), "allowed", (b"X: y",)
    client.transport, client.certificate = object(), object()
    client.notes, client.connections = object(), object()
    return client


def test_anew_a_mode_knows_no_more_than_the_connection():
    client = behind_a_proxy()
    other = client.anew()
    assert (other.transport, other.certificate) == (client.transport, client.certificate)
    assert (other.client_ip, other.scheme, other.user, other.groups) == ("10.0.0.1", "http", None, frozenset())
    assert (other.verdict, other.lines, other.notes, other.connections) == (None, None, None, None)


def test_what_outlives_a_request_is_not_changed_by_the_next():
    client = behind_a_proxy()
    other = client.as_of_now()
    client.client_ip, client.user = "192.0.2.2", "bob"
    assert (other.client_ip, other.scheme, other.user, other.groups) == ("192.0.2.1", "https", "ann", {"staff"})
    # These are the connection's, which others use from now on.
    assert (other.notes, other.connections) == (None, None)
