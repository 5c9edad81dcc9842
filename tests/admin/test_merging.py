"""What several workers say, made one."""

import pytest

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.merging import LISTED, OF_ALL, OF_ANY, OF_ONE, SUMMED, Asked, WorkerName, sound, together

CALL = ApiCall()
REFUSED = ApiFault(409, "it is the last one")


def merged(merge, *answers):
    return merge.merged(CALL, {WorkerName(number, 100 + number): said for number, said in enumerate(answers, 1)})


@pytest.mark.parametrize("merge", [OF_ALL, SUMMED, LISTED, together()])
def test_one_that_fails_is_named_and_what_all_say_is_said_once(merge):
    with pytest.raises(ApiFault) as fault:
        merged(merge, {"a": 1}, REFUSED)
    assert (fault.value.status, fault.value.text) == (409, "worker 2: it is the last one")
    with pytest.raises(ApiFault) as fault:
        merged(merge, REFUSED, ApiFault(409, "it is the last one"))
    assert fault.value.text == "it is the last one"
    with pytest.raises(ApiFault, match="no worker serves") as fault:
        merged(merge)
    assert fault.value.status == 503


def test_the_worst_of_several_faults_is_told_with_all_that_belongs_to_it():
    with pytest.raises(ApiFault) as fault:
        sound({WorkerName(1, 1): ApiFault(404, "none"), WorkerName(2, 2): ApiFault(503, "not ready", reasons=["a"])})
    assert (fault.value.status, fault.value.text, fault.value.more) == (
        503, "worker 2: not ready", {"reasons": ["a"]},
    )  # fmt: skip


def test_any_that_can_is_enough():
    assert merged(OF_ANY, REFUSED, {"done": True}) == {"done": True}
    assert OF_ANY.enough({"done": True}) and not OF_ANY.enough(REFUSED) and not OF_ALL.enough({})
    assert merged(OF_ONE, {"a": 1}) == {"a": 1} and OF_ONE.asked is Asked.ONE
    with pytest.raises(ApiFault, match=r"^it is the last one$"):
        merged(OF_ANY, REFUSED, REFUSED)


def test_what_all_say_is_said_once_and_else_by_worker():
    assert merged(OF_ALL, {"a": 1}, {"a": 1}) == {"a": 1}
    assert merged(OF_ALL, {"a": 1}, {"a": 2}) == {
        "workers": [{"worker": 1, "answer": {"a": 1}}, {"worker": 2, "answer": {"a": 2}}]
    }


def test_lines_of_lists_say_whose_they_are():
    one = {"connections": [{"id": 1}], "complete": True, "count": 1, "kind": "a"}
    other = {"connections": [{"id": 9}, "x"], "complete": False, "count": 2, "kind": "a"}
    assert merged(LISTED, one, other) == {
        "connections": [{"id": 1, "worker": 1}, {"id": 9, "worker": 2}, "x"],
        "complete": False,
        "count": 3,
        "kind": "a",
    }


def test_numbers_are_added_in_all_tables():
    assert merged(SUMMED, {"a": {"b": 1.5}, "on": True}, {"a": {"b": 2, "c": 1}, "on": False}, {"d": [1]}) == {
        "a": {"b": 3.5, "c": 1},
        "on": False,
        "d": [1],
    }


def test_each_number_is_put_together_as_it_is_named():
    merge = together(sums=("active", "memory.bytes"), most=("disk.bytes", "checked"), least=("healthy",))
    one = {
        "pools": [{"name": "a", "active": 1, "healthy": 2, "checked": False, "weight": 3, "last": None}],
        "memory": {"bytes": 10},
        "disk": {"bytes": 10},
        "removed": ["x"],
    }
    other = {
        "pools": [
            {"name": "b", "active": 7},
            {"name": "a", "active": 4, "healthy": 1, "checked": True, "weight": 5, "last": {"age": 1}},
        ],
        "memory": {"bytes": 20},
        "disk": {"bytes": 20},
        "removed": ["x", "y"],
    }
    assert merged(merge, one, other) == {
        "pools": [
            {"name": "a", "active": 5, "healthy": 1, "checked": True, "weight": 3, "last": {"age": 1}},
            {"name": "b", "active": 7},
        ],
        "memory": {"bytes": 30},
        "disk": {"bytes": 20},
        "removed": ["x", "y"],
    }
