"""Routes that answer with the same each time."""

from txproxy.reverse.route_actions.respond_action import RespondAction


def test_a_status_may_stand_alone(read):
    assert read(RespondAction, respond=404) == (RespondAction(status=404), [])
    made, faults = read(RespondAction, respond={"status": 200, "headers": {"X-A": "b"}, "body": "x"})
    assert made == RespondAction(status=200, headers=(("X-A", "b"),), body="x") and not faults


def test_what_is_wrong_is_told_at_its_key(read):
    for value, place in (
        (99, "respond"),
        ({}, "respond"),
        ({"status": 204, "body": "x"}, "respond.body"),
        ({"status": 200, "headers": {"Date": "x"}}, "respond.headers"),
        ({"status": 200, "color": 1}, "respond.color"),
    ):
        assert [fault.partition(": ")[0] for fault in read(RespondAction, respond=value)[1]] == [f"routes[0].{place}"]
