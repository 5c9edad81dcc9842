"""What is known of a request."""

from txproxy.interfaces import ClientConnection, RequestContext, RequestFilter, ResponseFilter
from txproxy.testing import context_of


def test_at_first_it_is_what_the_connection_says():
    context = RequestContext(ClientConnection("10.0.0.1", "https"))
    assert (context.client_ip, context.peer_ip, context.scheme) == ("10.0.0.1", "10.0.0.1", "https")
    assert (context.user, context.groups, context.verdict, context.lines) == (None, frozenset(), None, None)


def test_each_request_of_a_connection_has_its_own():
    connection = ClientConnection("10.0.0.1")
    one, other = RequestContext(connection), RequestContext(connection)
    one.user, one.groups, one.client_ip = "alice", frozenset({"staff"}), "192.0.2.1"
    assert (other.user, other.groups, other.client_ip) == (None, frozenset(), "10.0.0.1")


def test_a_request_in_the_course_of_another_is_of_the_same_client_and_changes_nothing_of_it():
    asked = context_of("10.0.0.1", user="alice", client_ip="192.0.2.1", lines=(b"X: y",), memo=object())
    other = asked.on(asked.connection.anew())
    assert (other.user, other.client_ip, other.lines) == ("alice", "192.0.2.1", (b"X: y",))
    assert other.connection.memo is None and other.connection is not asked.connection
    other.user = "bob"
    assert asked.user == "alice" and asked.connection.memo is not None


def test_what_it_is_answered_passes_no_filter_of_the_clients():
    asked = context_of("10.0.0.1")
    asked.filter_responses(ResponseFilter())
    asked.filter_requests(RequestFilter())
    other = asked.on(asked.connection.anew())
    assert (other.filters, len(asked.response_filters), len(asked.request_filters)) == (((), ()), 1, 1)


def test_filters_of_responses_go_before_and_those_of_requests_after_the_others():
    context = context_of("10.0.0.1")
    outer, inner, loud, louder = ResponseFilter(), ResponseFilter(), RequestFilter(), RequestFilter()
    context.filter_responses(outer)
    context.filter_responses(inner)
    context.filter_requests(loud)
    context.filter_requests(louder)
    assert context.filters == ((inner, outer), (loud, louder))
