"""What becomes of a request whose attempt has failed."""

from types import SimpleNamespace

import pytest

from txproxy.errors import (
    ConnectionFull,
    RequestUnseen,
    ResponseError,
    ResponseIncomplete,
    ResponseTimeout,
    UpstreamClosed,
)
from txproxy.proxy.exchanges.failed_attempt import judge
from txproxy.proxy.exchanges.phases import ANSWERED, SENT

CLOSED = UpstreamClosed("closed")


def judged(fault, method=b"GET", reused=False, received_any=False, **exchange):
    values = {"phase": SENT, "held": False, "made_anew": 0, "request_done": True, "body_seen": False, **exchange}
    upstream = SimpleNamespace(reused=reused, received_any=received_any)
    return judge(SimpleNamespace(request=SimpleNamespace(method=method), **values), upstream, fault)


@pytest.mark.parametrize("fault", [CLOSED, ResponseIncomplete("cut"), ResponseTimeout("late"), ResponseError("odd")])
def test_what_may_have_been_seen_is_repeated_if_it_is_idempotent(fault):
    assert judged(fault).repeatable and not judged(fault, b"POST").repeatable
    assert not judged(fault, body_seen=True).repeatable and not judged(fault, phase=ANSWERED).repeatable


def test_a_malformed_answer_is_one():
    assert not judged(ResponseError("odd"), received_any=True).repeatable


def test_what_was_not_seen_is_repeated_whatever_it_is():
    fault = RequestUnseen("refused")
    failed = judged(fault, b"POST")
    assert failed.unseen and failed.repeatable and failed.by_chance and failed.blame is None
    assert not judged(fault, b"POST", body_seen=True).repeatable
    again = judged(fault, b"POST", made_anew=1)
    assert again.repeatable and not again.by_chance and again.blame is fault


def test_a_connection_that_takes_no_more_is_followed_by_others_as_each_takes_some():
    fault = ConnectionFull("it goes away")
    assert judged(fault, b"POST", made_anew=15).by_chance
    given_up = judged(fault, b"POST", made_anew=16)
    assert given_up.repeatable and not given_up.by_chance and given_up.blame is fault


def test_a_kept_connection_that_closes_tells_nothing_of_its_server():
    assert judged(CLOSED, reused=True).by_chance and judged(CLOSED, reused=True).blame is None
    assert judged(CLOSED, reused=True, made_anew=1).blame is CLOSED
    assert not judged(CLOSED, reused=True, received_any=True).by_chance and not judged(CLOSED).by_chance


@pytest.mark.parametrize("slow", [{"held": True}, {"request_done": False}])
def test_a_server_may_be_tired_of_a_client_but_not_late_for_it(slow):
    late = ResponseTimeout("late")
    assert (
        judged(CLOSED, **slow).blame is None and judged(late, **slow).blame is late and judged(CLOSED).blame is CLOSED
    )
