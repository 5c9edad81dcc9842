"""What is written down of a request's decisions."""

import pytest

from txproxy.interfaces import Address, Attempt, ClientConnection, Entry, Headers, RequestHead, Trace
from txproxy.testing import context_of


def test_an_entry_is_one_line():
    assert str(Entry("client", "192.0.2.1", "as 127.0.0.1 is a trusted proxy")) == (
        "client: 192.0.2.1, as 127.0.0.1 is a trusted proxy"
    )
    assert str(Entry("route a", why="taken")) == "route a: taken"
    assert str(Entry("X-Empty:", within=True)) == "    X-Empty:"


def test_what_is_sent_is_shown_but_for_what_is_hidden():
    trace = Trace()
    trace.hide([b"authorization"])
    trace.hide([b"x-key"])
    head = RequestHead(b"GET", b"/a", Headers.from_lines([b"Host: a", b"AUTHORIZATION: Bearer x", b"X-Key:y"]))
    Attempt(Address("a.example", 80), head).tell(trace)
    assert str(trace).splitlines() == [
        "sent to a.example:80: GET /a HTTP/1.1",
        "    Host: a",
        "    AUTHORIZATION: ***",
        "    X-Key: ***",
    ]


@pytest.mark.parametrize(
    ("protocols", "said"),
    [(("h2",), "HTTP/2"), (("h2", "http/1.1"), "HTTP/2 or HTTP/1.1"), (("http/1.1",), "HTTP/1.1")],
)
def test_the_version_that_is_spoken_there_is_told(protocols, said):
    trace = Trace()
    head = RequestHead(b"GET", b"/a", Headers.from_lines([b"Host: a"]))
    Attempt(Address("a.example", 80, protocols=protocols), head).tell(trace)
    assert str(trace).splitlines()[0] == f"sent to a.example:80: GET /a {said}"


def test_of_a_tunnel_nothing_is_sent():
    trace = Trace()
    Attempt(Address("a.example", 443), None).tell(trace)
    assert str(trace) == "sent: nothing; a tunnel to a.example:443"


def test_a_request_made_in_the_course_of_another_is_no_part_of_its_trace():
    context = context_of(trace=Trace(), rule="a")
    other = context.on(ClientConnection("127.0.0.1"))
    assert context.trace is not None and (other.trace, other.rule) == (None, "a")
