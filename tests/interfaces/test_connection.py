"""What is kept of a client's connection."""

from txproxy.interfaces import ClientConnection


def test_anew_a_mode_knows_no_more_than_the_connection_says():
    connection = ClientConnection("10.0.0.1", "https")
    connection.transport, connection.certificate = object(), object()
    connection.memo, connection.connections = object(), object()
    other = connection.anew()
    assert (other.peer_ip, other.peer_scheme) == ("10.0.0.1", "https")
    assert (other.transport, other.certificate) == (connection.transport, connection.certificate)
    assert (other.memo, other.connections) == (None, None)
