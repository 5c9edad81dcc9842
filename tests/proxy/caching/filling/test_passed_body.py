"""A body that is passed on to one client."""

import pytest

from txproxy.errors import UpstreamClosed
from txproxy.proxy.caching.filling.passed_body import PassedBody
from txproxy.wire.headers import Headers

TRAILERS = Headers([(b"X", b"1")])


class Ends:
    """Who brings the body, and who gets it."""

    def __init__(self):
        self.said = []
        self.body = PassedBody(None, self.say("pause"), self.say("resume"), self.say("cancel"))
        self.slow = False

    def say(self, word):
        return lambda: self.said.append(word)

    def response_body(self, data):
        self.said.append(data)
        if self.slow:
            self.body.pause_response()

    def response_end(self, trailers):
        self.said.append(trailers)

    def source_failed(self, fault):
        self.said.append(fault)

    def flush(self):
        self.said.append("flush")


@pytest.fixture
def ends():
    return Ends()


def test_it_is_passed_on_as_it_comes(ends):
    ends.body.start(ends)
    ends.body.write(b"a")
    ends.body.flush()
    ends.body.end(TRAILERS)
    assert ends.said == [b"a", "flush", TRAILERS]


def test_what_comes_early_waits(ends):
    ends.body.write(b"a")
    ends.body.write(b"b")
    ends.body.flush()
    ends.body.start(ends)
    assert ends.said == ["pause", b"ab", "resume"]


def test_who_is_slow_already_is_not_brought_more(ends):
    ends.body.write(b"a")
    ends.slow = True
    ends.body.start(ends)
    assert ends.said == ["pause", b"a", "pause"]
    ends.body.resume_response()
    assert ends.said[-1] == "resume"


def test_all_of_it_may_come_early(ends):
    ends.body.write(b"a")
    ends.body.end(TRAILERS)
    ends.body.start(ends)
    assert ends.said == ["pause", b"a", TRAILERS]


def test_so_may_the_fault(ends):
    fault = UpstreamClosed("it is gone")
    ends.body.fail(fault)
    ends.body.start(ends)
    assert ends.said == [fault]


def test_a_client_that_leaves_cancels_it_once(ends):
    ends.body.start(ends)
    ends.body.close()
    ends.body.close()
    ends.body.pause_response()
    ends.body.resume_response()
    assert ends.said == ["cancel"]


@pytest.mark.parametrize("end", [lambda body: body.end(TRAILERS), lambda body: body.fail(UpstreamClosed("x"))])
def test_nothing_is_cancelled_that_is_over(ends, end):
    ends.body.start(ends)
    end(ends.body)
    ends.said.clear()
    ends.body.close()
    ends.body.pause_response()
    ends.body.resume_response()
    assert not ends.said
