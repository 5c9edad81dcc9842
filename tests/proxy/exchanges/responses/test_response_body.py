"""How a body is framed that has passed filters, and what becomes of one that fails."""

import pytest

from tests.proxy.exchanges.filtering import CHUNKED, GET, HEAD, OK, Counted, Doubled, Says, head_and_body
from txproxy.errors import RequestDenied
from txproxy.interfaces import Answer, Bounds, Refusal, ResponseFilter


def test_a_whole_body_that_changes_has_its_new_length(filtered):
    filtered.mode.responses = [Doubled()]
    client, _ = filtered.exchange(GET, OK)
    lines, body = head_and_body(client.received)
    assert body == b"hheelllloo!" and [line for line in lines if b"ength" in line] == [b"Content-Length: 11"]


@pytest.mark.parametrize("pieces", [[OK[:-2], OK[-2:]], [CHUNKED + b"5\r\nhello\r\n", b"0\r\nX: y\r\n\r\n"]])
def test_one_that_comes_by_and_by_is_sent_in_chunks(filtered, pieces):
    filtered.mode.responses = [Doubled()]
    client, upstream = filtered.exchange(GET, pieces[0])
    upstream.send(pieces[1])
    lines, body = head_and_body(client.received)
    assert b"Transfer-Encoding: chunked" in lines and not any(line.startswith(b"Content-Length") for line in lines)
    # chunks of any size
    said = b"".join(line for line in body.split(b"\r\n")[1::2])
    assert said.startswith(b"hheelllloo!") and (b"X: y" in body) is pieces[1].startswith(b"0")


@pytest.mark.parametrize("end", ["length", "chunked", "close"])
def test_an_old_client_gets_it_until_the_connection_ends(filtered, end):
    filtered.mode.responses = [Doubled()]
    client, upstream = filtered.exchange(b"GET /x HTTP/1.0\r\nHost: a\r\n\r\n", CHUNKED + b"5\r\nhello\r\n")
    upstream.send(b"0\r\n\r\n")
    filtered.advance(0)
    lines, body = head_and_body(client.received)
    assert body == b"hheelllloo!" and client.closed and not client.reset
    assert not any(line.startswith((b"Transfer-Encoding", b"Content-Length")) for line in lines)


@pytest.mark.parametrize(
    ("request_", "response"), [(HEAD, OK[:-5]), (GET, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")]
)
def test_what_has_no_body_does_not_say_how_long_it_would_have_been(filtered, request_, response):
    filtered.mode.responses = [Doubled()]
    client, _ = filtered.exchange(request_, response)
    lines, body = head_and_body(client.received)
    assert not body and not any(b"ength" in line or b"ncoding" in line for line in lines)
    client.take()
    filtered.mode.responses = []
    client.send(GET)
    filtered.upstream.send(OK)
    assert client.received == OK


@pytest.mark.parametrize("pieces", [[OK], [OK[:-2], OK[-2:]]])
def test_who_only_looks_at_a_body_leaves_its_length(filtered, pieces):
    seen = Counted()
    filtered.mode.responses = [seen]
    client, upstream = filtered.exchange(GET, pieces[0])
    for piece in pieces[1:]:
        upstream.send(piece)
    assert sorted(client.received.split(b"\r\n")) == sorted(OK.split(b"\r\n")) and seen.seen == b"hello"


def test_each_sees_what_those_within_have_made_of_it(filtered):
    log = []
    outer = Counted()
    filtered.mode.responses = [outer, Doubled(b"1", log), Doubled(b"2", log)]
    client, _ = filtered.exchange(GET, OK)
    assert head_and_body(client.received)[1] == outer.seen == b"hhhheeeelllllllloooo221"
    assert [entry[:2] for entry in log] == [("head", b"2"), ("head", b"1"), ("closed", b"2"), ("closed", b"1")]


def test_whether_it_wants_the_body_it_may_say_when_it_knows_the_head(filtered):
    class Particular(Doubled):
        wants_body = False

        def head(self, response, context):
            self.wants_body = b"x-double" in response.headers.index
            return response

    filtered.mode.responses = [Particular()]
    client, _ = filtered.exchange(GET, OK)
    assert client.take() == OK
    client.send(GET)
    filtered.upstream.send(OK.replace(b"Date", b"X-Double: y\r\nDate"))
    assert client.received.endswith(b"\r\n\r\nhheelllloo!")


@pytest.mark.parametrize("answer", [Answer(203, (b"X: y",), b"mine"), Refusal(503, "", "no"), RequestDenied("no")])
@pytest.mark.parametrize("whole", [True, False])
def test_it_may_answer_in_place_of_the_upstream(filtered, finished, answer, whole):
    log = []
    filtered.mode.responses = [Doubled(b"!", log), Says(answer)]
    client, upstream = filtered.exchange(GET, OK if whole else OK[:-1])
    status, own = (answer.status, isinstance(answer, Answer))
    assert client.received.startswith(b"HTTP/1.1 %d " % status) and upstream.reset is not whole
    # What is not for refusals is for answers all the same.
    assert client.received.endswith(b"mmiinnee!") is own and (("head", b"!", False) in log) is own
    assert finished[0].outcome == ("answered" if own else "refused" if isinstance(answer, Refusal) else answer.error)
    client.take()
    filtered.mode.responses = []
    client.send(GET)
    filtered.upstream.send(OK)
    assert client.received == OK


@pytest.mark.parametrize("fault", [RequestDenied("no"), ZeroDivisionError()])
@pytest.mark.parametrize("when", ["head", "body", "end"])
@pytest.mark.parametrize("whole", [True, False])
def test_one_that_fails_ends_the_response_so_that_the_client_can_tell(filtered, finished, failures, fault, when, whole):
    filtered.mode.responses = [Says(fault, when)]
    client, upstream = filtered.exchange(GET, OK if whole else CHUNKED + b"5\r\nhello\r\n")
    if not whole:
        upstream.send(b"0\r\n\r\n")
    filtered.advance(0)
    status = b"403" if isinstance(fault, RequestDenied) else b"500"
    if whole or when == "head":
        assert client.received.startswith(b"HTTP/1.1 " + status) and not client.closed
    else:
        assert client.received.startswith(b"HTTP/1.1 200") and not client.received.endswith(b"0\r\n\r\n")
        assert client.closed
    assert finished[0].outcome not in ("", "ok") and len(finished) == 1
    assert failures == ([] if isinstance(fault, RequestDenied) else [ZeroDivisionError])


def test_a_bound_on_the_speed_holds_for_what_comes_out_of_it(filtered):
    class Slow:
        left = 3

        def up(self, more):
            return self

        def down(self, more):
            self.more = more
            return self

        def take(self, size):
            passed = min(size, self.left)
            self.left -= passed
            return passed

        def close(self):
            pass

    slow = Slow()
    filtered.mode.bounds = Bounds(shaper=slow)
    filtered.mode.responses = [Doubled()]
    client, _ = filtered.exchange(GET, OK)
    assert head_and_body(client.received)[1] == b"hhe"
    slow.left = 100
    slow.more()
    assert head_and_body(client.received)[1] == b"hheelllloo!" and b"Content-Length: 11" in client.received


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("whole", [True, False])
def test_one_that_makes_of_it_what_has_no_body_has_none(filtered, status, whole):
    class Unchanged(ResponseFilter):
        def head(self, response, context):
            response = response.with_lines(response.headers.lines)
            response.status = status
            return response

    filtered.mode.responses = [Doubled(), Unchanged()]
    client, upstream = filtered.exchange(GET, OK.replace(b"Date", b"ETag: x\r\nDate") if whole else OK[:-1])
    lines, body = head_and_body(client.received)
    assert lines[0].startswith(b"HTTP/1.1 %d " % status) and not body and upstream.reset is not whole
    assert sum(line.startswith(b"Date") for line in lines) == 1 and (b"ETag: x" in lines) is whole
    client.take()
    filtered.mode.responses = []
    client.send(GET)
    filtered.upstream.send(OK)
    assert client.received == OK
