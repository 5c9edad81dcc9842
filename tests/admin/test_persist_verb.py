"""``/api/persist``."""

import os
import sys

import attrs
import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.merging import WorkerName
from txproxy.admin.persist_verb import persist_verb
from txproxy.config.configuration_file import ConfigurationFile
from txproxy.config.model import Config
from txproxy.config.toml.file import load
from txproxy.observe.log_level import LogThreshold
from txproxy.upstreams.overlay import Overlay, PoolEdits
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream_urls import parse_upstream

if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
    pytest.importorskip("tomlkit")

FILE = """\
[pools.app]
upstreams = ["http://a", "http://b"]  # two
[[listeners]]
listen = ["127.0.0.1:8080"]
pool = "app"
"""


@attrs.define
class View:
    file: ConfigurationFile
    overlays: dict
    threshold: LogThreshold
    taken: Deferred = attrs.field(factory=lambda: succeed(None))

    def when_taken(self):
        return self.taken


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "edge.toml"
    path.write_text(FILE)
    return path


@pytest.fixture
def pool():
    return Pool(["http://a", "http://b"], name="app", clock=Clock())


@pytest.fixture
def view(path, pool):
    def take(config, by):
        view.file.revisions.add(by, config.text, config.included)

    overlay = Overlay(pool, ["http://a", "http://b"], parse_upstream)
    file = ConfigurationFile(load(str(path)), take, lambda: None)
    view = View(file, {"app": overlay}, LogThreshold())
    return view


@pytest.fixture
def client(serve, view):
    return serve([persist_verb(view)])


def test_what_was_changed_is_written_and_is_a_revision(client, view, path, pool):
    pool.drain("http://a")
    view.overlays["app"].add("http://c;weight=2")
    view.threshold.used = True
    view.threshold.set("warn")
    answer = client.ask("POST", "/api/persist")
    assert (answer.status, answer.json) == (
        200,
        {
            "revision": 2, "file": str(path), "warnings": [], "left": [],
            "changes": [
                "pool app: http://a is draining", "pool app: http://c;weight=2 is in it", "log: the level is warn",
            ],
        },
    )  # fmt: skip
    text = path.read_text()
    assert text.startswith('[pools.app]\nupstreams = ["http://a;drain", "http://b", "http://c;weight=2"]  # two\n')
    assert text.endswith('\n[log]\nlevel = "warn"\n')
    assert [one.by for one in view.file.revisions] == ["start", "admin API, what was changed"]


def test_what_was_not_changed_is_not_written(client, path):
    answer = client.ask("POST", "/api/persist").json
    assert answer == {"revision": 1, "file": str(path), "warnings": [], "changes": [], "left": []}
    assert path.read_text() == FILE


def test_a_file_that_is_another_is_left_alone(client, path, pool):
    pool.drain("http://a")
    path.write_text(FILE + "# by hand\n")
    answer = client.ask("POST", "/api/persist")
    assert answer.status == 409 and "it is not what runs, which is revision 1; accepted is" in answer.json["error"]
    assert path.read_text() == FILE + "# by hand\n"


def test_a_proxy_that_options_have_started_says_so(client, view, pool):
    pool.drain("http://a")
    view.file = ConfigurationFile(Config(listeners=()), print, print)
    answer = client.ask("POST", "/api/persist")
    assert answer.status == 409 and answer.json["error"].startswith("options say what runs, and no file")


def test_without_the_library_the_extra_is_named(client, path, pool, monkeypatch):
    pool.drain("http://a")
    monkeypatch.setitem(sys.modules, "tomlkit", None)
    answer = client.ask("POST", "/api/persist")
    assert answer.status == 501 and "pip install 'txproxy[admin]'" in answer.json["error"]
    assert path.read_text() == FILE


def test_it_is_answered_when_all_workers_have_it(client, view, pool):
    pool.drain("http://a")
    view.taken = Deferred()
    assert client.ask("POST", "/api/persist") is None
    view.taken.callback(None)
    assert client.connection.take().startswith(b"HTTP/1.1 200 ")


def test_workers_that_are_not_alike_are_not_written():
    merged = persist_verb(None).merge.merged
    edits = [PoolEdits("app", ((0, "http://a"),))]
    assert merged(ApiCall(), {WorkerName(1, 1): edits, WorkerName(2, 2): [*edits]}) == edits
    with pytest.raises(ApiFault, match="not alike"):
        merged(ApiCall(), {WorkerName(1, 1): edits, WorkerName(2, 2): [PoolEdits("app")]})
