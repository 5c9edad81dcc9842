"""The numbers of several workers."""

import pytest

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.merging import WorkerName
from txproxy.admin.metrics.exposition import Together, counter, gauge, histogram, written
from txproxy.admin.metrics.summed_families import SummedFamilies

A, B, NEW = WorkerName(1, 101), WorkerName(2, 102), WorkerName(1, 103)
LATE = ApiFault(504, "it does not answer")


def told(count, active=0, lag=0.0):
    return [
        counter("requests", "Requests", [(count, {"route": "a"})]),
        gauge("active", "Requests now", [(active, {})]),
        gauge("lag", "Lag", [(lag, {})], Together.EACH),
        gauge("disk", "Disk", [(count, {})], Together.MOST),
        gauge("began", "Begin", [(count, {})], Together.LEAST),
        histogram("took", "Took", [1], [([count, 1], 0.5, {})]),
    ]


def lines(families):
    return [line for line in written(families, True).splitlines() if not line.startswith("#")]


@pytest.fixture
def read():
    summed = SummedFamilies(lambda: 4)
    return lambda answers: lines(summed(ApiCall(), answers))


def test_they_are_added_but_for_those_that_all_have_or_each_has(read):
    assert read({A: told(3, 1, 0.25), B: told(5, 2, 0.5)}) == [
        "txproxy_workers 2",
        "txproxy_configuration_revision 4",
        'requests_total{route="a"} 8',
        "active 3",
        'lag{worker="1"} 0.25',
        'lag{worker="2"} 0.5',
        "disk 5",
        "began 3",
        'took_bucket{le="1"} 8',
        'took_bucket{le="+Inf"} 10',
        "took_count 10",
        "took_sum 1.0",
    ]


def test_what_those_have_counted_that_have_ended_still_counts(read):
    read({A: told(3, 1), B: told(5, 2)})
    found = read({B: told(6, 2)})
    assert 'requests_total{route="a"} 9' in found and "active 2" in found and "txproxy_workers 1" in found
    assert "took_count 11" in found
    # Its successor begins with nothing, under the same number.
    found = read({B: told(6, 2), NEW: told(1, 4)})
    assert 'requests_total{route="a"} 10' in found and "active 6" in found
    assert 'requests_total{route="a"} 10' in read({NEW: told(1)})


def test_one_that_does_not_answer_counts_with_what_it_has_told_last(read):
    read({A: told(3), B: told(5)})
    assert 'requests_total{route="a"} 9' in read({A: LATE, B: told(6)})
    assert 'requests_total{route="a"} 10' in read({A: told(4), B: told(6)})


def test_without_anybody_there_is_nothing_to_tell(read):
    with pytest.raises(ApiFault, match="no worker serves"):
        read({})
    with pytest.raises(ApiFault, match="it does not answer"):
        read({A: LATE})


def test_an_upstream_is_in_one_state_though_not_all_have_heard_of_it(read):
    def in_state(state):
        samples = [(int(one == state), {"state": one}) for one in ("healthy", "ejected")]
        return [gauge("state", "State", samples, Together.FIRST)]

    states = ['state{state="healthy"} 0', 'state{state="ejected"} 1']
    assert read({A: in_state("ejected"), B: in_state("healthy")})[2:] == states
    # A successor has come last, and is the first by its number.
    read({B: in_state("healthy")})
    assert read({NEW: in_state("ejected"), B: in_state("healthy")})[2:] == states
