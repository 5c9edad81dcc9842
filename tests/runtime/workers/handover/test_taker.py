"""Who takes connections: the test is who gives them."""

import pytest

from tests.runtime.workers.handover.sides import CARRIED, Staying, is_open


@pytest.fixture
def staying():
    made = Staying()
    yield made
    made.close()


def test_who_takes_says_so_before_it_begins(staying):
    with staying.given() as there:
        ((listener, told, given),) = staying.prepared
        assert (listener, told, given.carried) == ("web", True, CARRIED)
        assert staying.begun == 1 and is_open(there)


@pytest.mark.parametrize("answer", [False, "broken"])
def test_what_is_not_taken_is_refused_and_let_go(staying, answer, caught):
    staying.answer = answer
    with staying.given() as there:
        (message,) = staying.hears()
        assert (message.kind, message.content) == ("refused", 7) and not staying.begun and not is_open(there)
    assert caught() == ([ZeroDivisionError] if answer else [])


def test_what_cannot_be_read_is_refused(staying, caught):
    with staying.given({"client": {}}) as there:
        assert staying.hears()[0].kind == "refused" and not is_open(there)
    assert caught() == [KeyError]
