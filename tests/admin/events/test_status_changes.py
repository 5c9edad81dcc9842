"""What has changed between two looks."""

from txproxy.admin.events.status_changes import changes

CALM = {"stage": "serving", "revision": 1, "upstreams": {}, "questions": [], "failed": []}


def upstream(name="a", state="healthy", cause="", weight=1):
    return {"name": name, "state": state, "cause": cause, "weight": weight}


def found(before, now):
    return list(changes({**CALM, **before}, {**CALM, **now}))


def test_where_nothing_has_changed_nothing_is_told():
    told = {"upstreams": {"app": [upstream()]}, "questions": [{"id": "1", "age": 1.0}]}
    assert found(told, {**told, "questions": [{"id": "1", "age": 2.0}]}) == []


def test_a_state_is_told_with_its_reason_and_once():
    down = {"upstreams": {"app": [upstream(state="unhealthy", cause="connection refused")]}}
    assert found({"upstreams": {"app": [upstream()]}}, down) == [
        (
            "upstream",
            {"pool": "app", "upstream": "a", "was": "healthy", "state": "unhealthy", "cause": "connection refused"},
        )
    ]
    other = {"upstreams": {"app": [upstream(state="unhealthy", cause="no answer in time")]}}
    assert found(down, other) == []


def test_upstreams_come_and_go_and_weigh_more():
    before = {"upstreams": {"app": [upstream("a"), upstream("b")], "old": [upstream("a")]}}
    now = {"upstreams": {"app": [upstream("a", weight=3), upstream("c", "draining", "why")]}}
    assert found(before, now) == [
        ("weight", {"pool": "app", "upstream": "a", "was": 1, "weight": 3}),
        ("upstream", {"pool": "app", "upstream": "b", "was": "healthy", "state": None, "cause": "removed"}),
        ("upstream", {"pool": "old", "upstream": "a", "was": "healthy", "state": None, "cause": "removed"}),
        ("upstream", {"pool": "app", "upstream": "c", "was": None, "state": "draining", "cause": "why"}),
    ]


def test_reloads_and_the_end_are_told():
    assert found({}, {"revision": 2, "stage": "draining"}) == [
        ("stage", {"stage": "draining"}),
        ("reload", {"revision": 2}),
    ]


def test_questions_are_told_and_that_they_wait_no_more():
    one, other = {"id": "1", "url": "http://a/"}, {"id": "2", "url": "http://b/"}
    assert found({"questions": [one]}, {"questions": [other]}) == [
        ("question", other),
        ("question-over", {"id": "1"}),
    ]


def test_what_has_failed_is_told_the_oldest_first():
    one, other, third = ({"id": name} for name in "123")
    assert found({"failed": [one]}, {"failed": [third, other, one]}) == [("failure", other), ("failure", third)]
