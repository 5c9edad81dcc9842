"""What is counted of listeners, over reloads."""

import attrs
import pytest

from txproxy.config.admin_endpoint import AdminConfig
from txproxy.config.model import Config, ForwardListener
from txproxy.runtime.live.live_counts import LiveCounts
from txproxy.runtime.live.live_logs import LiveLogs


def config(*names, admin=True, log=None, format="combined"):
    listeners = tuple(ForwardListener(name=name, listen=(f"tcp:{number}",)) for number, name in enumerate(names, 1))
    made = Config(listeners=listeners, admin=AdminConfig(listen="unix:/a") if admin else None)
    return attrs.evolve(made, access_log=log, access_log_format=format)


def test_without_an_admin_endpoint_nobody_is_told():
    counts, made = LiveCounts(), config("a", admin=False)
    assert counts.of(made) == {}
    assert counts.observers(made, LiveLogs(made, None)).own == {}


def test_each_listener_has_its_own_and_one_that_stays_goes_on():
    counts = LiveCounts()
    before = counts.of(config("a", "b"))
    assert before["a"] is not before["b"]
    after = counts.of(config("c", "a"))
    assert after["a"] is before["a"] and set(after) == {"c", "a"}
    counts.keep(config("c"))
    assert counts.of(config("a"))["a"] is not before["a"]


def test_a_log_of_json_is_told_together_with_the_counts():
    counts, made = LiveCounts(), config("a", log="-", format="json")
    logs = LiveLogs(made, None)
    found = counts.observers(made, logs)
    [log], counting = logs.of_listeners[0], counts.of(made)["a"]
    assert found.own[0].exchanges == (log.counted(counting).exchange,)
    assert found.own[0].streams == (log.stream, counting.stream)
    assert counts.observers(made, LiveLogs(made, logs)) == found, "factories that have them are kept"
    # Who counts anew is told by itself: what the log knows is where others count.
    other = LiveCounts()
    assert other.observers(made, logs).own[0].exchanges == (log.exchange, other.of(made)["a"].exchange)
    logs.close_but(())


def test_a_log_of_json_alone_counts_nothing():
    counts, made = LiveCounts(), config("a", admin=False, log="-", format="json")
    logs = LiveLogs(made, None)
    found = counts.observers(made, logs)
    [log] = logs.of_listeners[0]
    assert found.own[0].exchanges == (log.counted(None).exchange,)
    assert counts.observers(made, LiveLogs(made, logs)) == found, "factories that have them are kept"
    logs.close_but(())


@pytest.mark.parametrize("log", [None, "-"])
def test_observers_are_the_log_and_the_counts(log):
    counts, made = LiveCounts(), config("a", "b", log=log)
    logs = LiveLogs(made, None)
    found = counts.observers(made, logs)
    assert len(found.own) == 2
    for number, name in enumerate(("a", "b")):
        expected = [*logs.of_listeners[number]]
        assert len(expected) == (log is not None)
        expected.append(counts.of(made)[name])
        assert found.own[number].exchanges == tuple(one.exchange for one in expected)
        assert found.own[number].streams == tuple(one.stream for one in expected)
    assert counts.observers(made, logs) == found, "factories that have them are kept"
    logs.close_but(())
