"""``txproxy ctl events``."""

import json
from argparse import Namespace

import pytest

from txproxy.cli.event_lines import event_line, print_events

GONE = {"pool": "app", "upstream": "a", "was": "healthy", "state": None, "cause": "removed"}

FAILED = {
    "listener": "edge", "client": "::1", "method": "GET", "url": "http://a/", "status": 502,
    "outcome": "connection_refused", "detail": "nobody is there",
}  # fmt: skip


class Client:
    """Tells these, until somebody has seen enough."""

    def events(self, path):
        assert path == "/api/events?status=0"
        yield "reload", {"revision": 2}
        yield "stage", {"stage": "draining"}
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("kind", "told", "line"),
    [
        ("stage", {"stage": "draining"}, "it is draining"),
        ("reload", {"revision": 2}, "revision 2 runs"),
        ("upstream", {**GONE, "state": "ejected", "cause": "it closes"}, "app: a is ejected: it closes"),
        ("upstream", {**GONE, "state": "healthy", "cause": ""}, "app: a is healthy"),
        ("upstream", {**GONE, "was": None, "state": "healthy", "cause": ""}, "app: a has come"),
        ("upstream", GONE, "app: a has gone"),
        ("weight", {"pool": "app", "upstream": "a", "was": 1, "weight": 3}, "app: a has weight 3, and had 1"),
        (
            "question",
            {"id": "1-2", "client": "::1", "method": "GET", "url": "http://a/\x1b", "rule": "ask", "reason": ""},
            "question 1-2 of ::1: GET http://a/\\x1b (ask)",
        ),
        (
            "question",
            {"id": "1-2", "client": "::1", "method": "GET", "url": "http://a/", "rule": "ask", "reason": "new"},
            "question 1-2 of ::1: GET http://a/ (ask: new)",
        ),
        ("question-over", {"id": "1-2"}, "question 1-2 waits no more"),
        ("failure", FAILED, "edge: ::1: GET http://a/: 502, connection_refused: nobody is there"),
        (
            "failure",
            {**FAILED, "method": None, "status": None, "detail": None},
            "edge: ::1: http://a/: no status, connection_refused",
        ),
        ("fault", {"error": "no worker serves"}, "no worker serves"),
        ("missed", {"events": 3}, "3 events are left out: this reads too slowly"),
        # A proxy may be newer than the command.
        ("later", {"a": 1}, 'later: {"a": 1}'),
    ],
)
def test_each_event_is_a_line(kind, told, line):
    assert event_line(kind, told) == line


def test_they_are_printed_until_ctrl_c(capsys):
    assert print_events(Client(), Namespace(json=False)) == 0
    out = [line.split(" ", 1) for line in capsys.readouterr().out.splitlines()]
    assert [line[1] for line in out] == ["revision 2 runs", "it is draining"] and out[0][0].count(":") == 2
    assert print_events(Client(), Namespace(json=True)) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"event": "reload", "revision": 2},
        {"event": "stage", "stage": "draining"},
    ]
