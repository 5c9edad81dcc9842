"""When there is too much to do."""

from tests.cluster.played import Cluster
from txproxy.interfaces.processes.shared_levels import SharedLevels
from txproxy.limits.requests.gcra import Gcra
from txproxy.reverse.challenge.challenge_load import HOLD, AtWork, ChallengeLoad


def test_more_than_a_rate_is_too_much_for_a_while():
    load = ChallengeLoad(Gcra(0.1, 10), None)
    assert not any(load.comes(100.0) for _ in range(10))
    assert load.comes(100.0)
    assert load.comes(100.0 + HOLD - 0.1)
    assert not load.comes(100.0 + HOLD)
    assert not load.counts_work


def test_it_goes_on_as_long_as_too_many_come():
    load = ChallengeLoad(Gcra(0.1, 10), None)
    came = [load.comes(number / 50) for number in range(50 * 60)]
    assert not any(came[:10]) and all(came[20:])


def test_too_many_at_work_are_too_much():
    load = ChallengeLoad(None, 2)
    one, other = AtWork(load), AtWork(load)
    assert load.counts_work and load.comes(5.0)
    one.closed()
    other.closed()
    assert load.at_work == 0 and load.comes(6.0) and not load.comes(5.0 + HOLD)


def test_those_at_work_in_other_processes_count():
    cluster, loads = Cluster(), []
    for number in range(2):
        work = SharedLevels()
        cluster.come(number, {"challenge at work": work})
        loads.append(ChallengeLoad(None, 3, work))
    cluster.go_on(0.1)
    at_work = [AtWork(load) for load in (*loads, loads[0])]
    assert not loads[1].comes(5.0)
    cluster.go_on(0.1)
    assert loads[1].comes(5.1) and loads[0].comes(5.1)
    for one in at_work:
        one.closed()
    cluster.go_on(0.1)
    assert loads[1].at_work == 0 and not loads[1].comes(5.1 + HOLD)
