"""``/api/reload`` and ``/api/revisions``."""

import attrs
import pytest
from twisted.internet.defer import Deferred, succeed

from txproxy.admin.configuration_verbs import ConfigurationVerbs
from txproxy.config.configuration_file import Reloaded
from txproxy.config.revisions import Revisions
from txproxy.observe.log_level import LogThreshold


@attrs.define
class File:
    revisions: Revisions = attrs.field(factory=lambda: Revisions(lambda: 1_700_000_000.0))
    answer: Reloaded = attrs.field(default=Reloaded("edge.toml", (), ("edge.toml:1: doubtful",)))
    asked: list = attrs.field(factory=list)

    def read_again(self, by):
        return self._follow(by, "read")

    def go_back(self, revision, by):
        return self._follow(by, revision.text)

    def _follow(self, by, text):
        self.asked.append((by, text))
        if not self.answer.faults:
            self.revisions.add(by, text)
        return self.answer


@attrs.define
class View:
    file: File = attrs.field(factory=File)
    taken: Deferred = attrs.field(factory=lambda: succeed(None))
    threshold: LogThreshold = attrs.field(factory=LogThreshold)

    def when_taken(self):
        return self.taken


@pytest.fixture
def view():
    view = View()
    view.file.revisions.add("start", "workers = 1\n")
    return view


@pytest.fixture
def client(serve, view):
    return serve(ConfigurationVerbs(view).verbs())


def test_a_reload_answers_with_the_revision_that_runs(client, view):
    answer = client.ask("POST", "/api/reload")
    assert (answer.status, answer.json) == (
        200, {"revision": 2, "file": "edge.toml", "warnings": ["edge.toml:1: doubtful"]},
    )  # fmt: skip
    view.file.answer = Reloaded("")
    assert client.ask("POST", "/api/reload").json["file"] is None


def test_what_is_wrong_is_told_and_nothing_has_changed(client, view):
    view.file.answer = Reloaded("edge.toml", ("edge.toml:1: one", "edge.toml:2: two"))
    answer = client.ask("POST", "/api/reload")
    assert (answer.status, answer.json) == (
        422,
        {
            "error": "it is wrong, and what runs is kept", "findings": ["edge.toml:1: one", "edge.toml:2: two"],
            "warnings": [],
        },
    )  # fmt: skip
    assert view.file.revisions.current == 1


def test_revisions_are_listed_with_their_differences(client, view):
    view.file.revisions.add("SIGHUP", "workers = 2\n")
    at = "2023-11-14T22:13:20+00:00"
    one, other = (
        {"number": 1, "at": at, "by": "start", "runs": False}, {"number": 2, "at": at, "by": "SIGHUP", "runs": True},
    )  # fmt: skip
    assert client.ask("GET", "/api/revisions").json == {"revisions": [one, other]}
    assert client.ask("GET", "/api/revisions/1").json == {**one, "diff": ""}
    found = client.ask("GET", "/api/revisions/2").json
    assert "\n-workers = 1\n+workers = 2" in found.pop("diff") and found == other


def test_one_that_has_run_runs_again(client, view):
    view.file.revisions.add("SIGHUP", "workers = 2\n")
    assert client.ask("POST", "/api/revisions/1/apply").json["revision"] == 3
    assert view.file.asked == [("admin API, back to revision 1", "workers = 1\n")]
    view.file.answer = Reloaded("edge.toml", ("a certificate is gone",))
    assert client.ask("POST", "/api/revisions/2/apply").json["findings"] == ["a certificate is gone"]


def test_what_cannot_be_applied(client, view):
    for name in ("0", "9", "x", "-1", "1" * 30):
        answer = client.ask("POST", f"/api/revisions/{name}/apply")
        assert answer.status == 404 and answer.json["error"].endswith("accepted: 1")
        assert client.ask("GET", f"/api/revisions/{name}").status == 404
    view.file.revisions.add("the program", "")
    answer = client.ask("POST", "/api/revisions/2/apply")
    assert answer.status == 409 and "was not read from a file" in answer.json["error"]
    assert view.file.asked == []


def test_it_is_answered_when_all_have_it(client, view):
    view.taken = Deferred()
    assert client.ask("POST", "/api/reload") is None
    view.taken.callback(None)
    assert b'"revision": 2' in client.connection.take()


def test_how_much_is_logged_can_be_changed(client, view):
    view.threshold.used = True
    assert client.ask("GET", "/api/log").json == {"level": "info", "configured": "info"}
    assert client.ask("PATCH", "/api/log", body={"level": "warn"}).json == {"level": "warn", "configured": "info"}
    for body in ({}, {"level": "warning"}, {"level": 1}):
        answer = client.ask("PATCH", "/api/log", body=body)
        assert answer.status == 400 and "accepted: debug, info, warn, error, critical" in answer.json["error"]
    assert view.threshold.level == "warn"
    view.threshold.used = False
    assert client.ask("PATCH", "/api/log", body={"level": "debug"}).status == 409
    assert view.threshold.level == "warn"
