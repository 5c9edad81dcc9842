"""``txproxy ctl``: connections, exchanges and questions."""

import json

from tests.admin.connections.test_failed_exchanges import record as failed_record
from tests.admin.test_question_verbs import QUESTION
from tests.cli.ctl_rows import A, B, rows
from txproxy.errors import ConnectionRefused


def test_connections_are_listed_and_ended(ctl, proxy):
    assert rows(ctl("connections")) == []
    proxy.connect("192.0.2.1")
    busy = proxy.connect("192.0.2.2")
    busy.send(b"GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n")
    assert len(rows(ctl("connections"))) == 2
    assert [row[2] for row in rows(ctl("connections", "--client", "192.0.2.1"))] == ["192.0.2.1"]
    (row,) = rows(ctl("connections", "--busy", "--listener", "edge", "--pool", "app"))
    assert row[1:] == ["edge", "192.0.2.2", "sent", "0.0s", "0", "0", "-", B, "GET", "http://a/x?..."]
    assert "there is more" in ctl("connections", "--limit", "1").out
    assert ctl("end", row[0]).out == f"{row[0]}: ended\n"
    assert b" 403 " in busy.received
    connection = row[0].partition(".")[0]
    assert json.loads(ctl("end", connection, "--json").out) == {"ended": connection}
    proxy.clock.advance(0)
    assert busy.closed and len(json.loads(ctl("connections", "--json").out)["connections"]) == 1


def test_questions_are_listed_and_answered(ctl):
    ((_, approvals),) = ctl.view.questions
    answers = []
    for _ in range(3):
        approvals(QUESTION).addCallback(answers.append)
    one, other, _ = rows(ctl("questions"))
    assert one[1:] == [
        "out",
        "0.0s",
        "192.0.2.1",
        "jo",
        "new",
        "hosts",
        "nobody",
        "knows",
        "it",
        "GET",
        "http://a.example/x",
    ]
    assert ctl("allow", one[0]).out == f"{one[0]}: allowed\n"
    assert ctl("refuse", other[0]).out == f"{other[0]}: refused\n"
    assert answers == [True, False] and len(json.loads(ctl("questions", "--json").out)["questions"]) == 1
    assert "or not any more" in ctl("allow", one[0], status=1).err


def test_an_answer_is_remembered_for_a_while(ctl):
    ((_, approvals),) = ctl.view.questions
    answers = []
    approvals(QUESTION).addCallback(answers.append)
    (asked,) = rows(ctl("questions"))
    assert ctl("refuse", asked[0], "--for", "8h").out == f"{asked[0]}: refused for 8h\n" and answers == [False]
    (kept,) = rows(ctl("answers"))
    assert kept[1:] == ["out", "no", "8h", "192.0.2.1", "jo", "new", "hosts", "GET", "a.example:80"]
    assert json.loads(ctl("answers", "--json").out)["answers"][0]["allow"] is False
    assert ctl("forget-answer", kept[0]).out == f"{kept[0]}: forgotten\n"
    assert "there is no answer" in ctl("forget-answer", kept[0], status=1).err
    assert "there is no question '1-2-3', or not any more" in ctl("allow", "1-2-3", "--for", "8h", status=1).err


def test_what_is_at_work_is_listed_with_its_whole_way(ctl, proxy, pool):
    proxy.network.script = [ConnectionRefused("nobody listens")]
    proxy.connect("192.0.2.7").send(b"GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n")
    (row,) = rows(ctl("exchanges", "--client", "192.0.2.7"))
    assert row[2:] == ["edge", "192.0.2.7", "0.0s", "-", "sent", "2", A, "GET", "http://a/a?..."]
    way = ctl("exchanges", row[0]).out.splitlines()
    assert way[-7:] == [
        f"attempt: {B} (10.0.0.1:8002): began 0 s, connected never, ended 0 s",
        "    connection_refused: nobody listens",
        "    nothing of it was done there: it goes elsewhere",
        f"attempt: {A} (127.0.0.1:50000): began 0 s, connected 0 s, ended never",
        "    no answer yet",
        f"upstream: {A} (healthy for 0.0s): it has the request",
        f"upstream: {B} (healthy for 0.0s): it was tried",
    ]
    assert "client: 192.0.2.7" in way
    assert json.loads(ctl("exchanges", row[0], "--json").out)["id"] == row[0]
    assert "there is no exchange '1-1.0'" in ctl("exchanges", "1-1.0", status=1).err
    assert rows(ctl("exchanges", "--pool", "other")) == []


def test_what_has_failed_is_listed(ctl):
    record = failed_record("connection_refused", 503, rule="api")
    ctl.view.failed.of("edge")(record, False)
    ctl.view.failed.skipped = 2
    said = ctl("exchanges", "--failed", "--route", "api")
    first = said.out.splitlines()[1].split()
    assert first[2:] == ["edge", "127.0.0.1", "0.0s", "503", "connection_refused", "0", "-", "GET", "http:///"]
    assert said.out.splitlines()[-1] == "2 more were too many at once to be written down"
    assert "outcome: connection_refused" in ctl("exchanges", first[0]).out
