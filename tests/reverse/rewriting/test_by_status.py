"""Changes of fields by the status of a response."""

import pytest

from txproxy.errors import ConfigError
from txproxy.reverse.rewriting.by_status import StatusChanges


def test_statuses_and_classes_are_one_or_several():
    assert StatusChanges(statuses=404).held == {404}
    made = StatusChanges(statuses=[200, "3xx"], set_headers={"A": "b"})
    assert made.held == {200, *range(300, 400)} and made.changes
    assert made == StatusChanges(statuses=("200", "3xx"), set_headers={"A": "b"})
    assert made.changes.own == {b"a"}


def test_all_faults_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        StatusChanges(statuses=[600, "x"], add_headers={"A": "$nope"}, remove_headers=["a b"])
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["statuses", "statuses", "add_headers", "remove_headers"]
    with pytest.raises(ConfigError, match=r"^statuses: there is none; accepted"):
        StatusChanges(statuses=())
