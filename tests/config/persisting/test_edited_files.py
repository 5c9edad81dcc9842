"""Which files have what was changed."""

import os

import pytest

from txproxy.config.persisting.edited_files import edited_files
from txproxy.config.persisting.edits import Edits
from txproxy.config.toml.file import load
from txproxy.errors import ConfigError
from txproxy.upstreams.overlay import PoolEdits, UpstreamEdit

if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
    pytest.importorskip("tomlkit")

MAIN = """\
include = "more.toml"  # the rest
[[listeners]]
listen = "127.0.0.1:1"
pool = "app"
[pools.app]
upstreams = ["http://${HOST}:1", "http://b"]
"""
MORE = '[pools.more]\nupstreams = { file = "url" }\n[log]\nlevel = "info"  # much\n'


@pytest.fixture
def running(tmp_path, monkeypatch):
    monkeypatch.setenv("HOST", "s3cret.example")
    monkeypatch.setenv("PARAMETERS", "weight=2;backup")
    monkeypatch.setenv("WEIGHT", "2")
    (tmp_path / "url").write_text("http://s3cret.example;weight=2\n")

    def running(main=MAIN, more=MORE):
        (tmp_path / "more.toml").write_text(more)
        (tmp_path / "main.toml").write_text(main)
        return load(str(tmp_path / "main.toml"))

    return running


def changed(weight=None, order=None, pool="app", removed=(), added=()):
    change = (UpstreamEdit(0, "", weight, order),) if weight is not None or order is not None else ()
    return PoolEdits(pool, tuple((place, "") for place in removed), change, added)


def test_each_is_written_where_it_stands(running, tmp_path):
    config = running()
    texts = edited_files(config, Edits((changed(3),), "debug"))
    assert texts == {
        str(tmp_path / "main.toml"): MAIN.replace(':1", ', ':1;weight=3", '),
        str(tmp_path / "more.toml"): MORE.replace('"info"', '"debug"'),
    }
    assert edited_files(config, Edits((PoolEdits("app"),))) == {}


def test_what_was_there_by_no_file_is_written_into_the_first(running, tmp_path):
    texts = edited_files(running(more='[pools.more]\nupstreams = "http://c"\n'), Edits((), "debug"))
    assert texts == {str(tmp_path / "main.toml"): MAIN + '\n[log]\nlevel = "debug"\n'}


def test_what_is_added_refers_to_nothing(running, tmp_path):
    texts = edited_files(running(), Edits((changed(added=("http://a?${HOST}",)),)))
    assert '"http://a?$${HOST}"' in texts[str(tmp_path / "main.toml")]


TABLES = "upstreams = [{ url = 'http://a', weight = \"${WEIGHT}\" }, 'http://b']"


@pytest.mark.parametrize(
    ("upstreams", "edit", "said"),
    [
        ('upstreams = ["http://a;${PARAMETERS}"]', changed(3), "upstreams[0]: it stands elsewhere, as http://a;${"),
        ('upstreams = ["http://a;weight=${WEIGHT:-1;backup}"]', changed(3), "upstreams[0]: it stands elsewhere"),
        ('upstreams = [{ file = "url" }, "http://b"]', changed(order="draining"), "as { file = 'url' } says"),
        ('upstreams = [{ url = { file = "url" } }]', changed(3), "as { file = 'url' } says"),
        ('upstreams = { file = "url" }', changed(removed=[0]), "upstreams: it stands elsewhere"),
        (TABLES, changed(3), "upstreams[0]: it stands elsewhere, as ${WEIGHT} says"),
    ],
)
def test_what_stands_elsewhere_is_not_written(running, upstreams, edit, said):
    config = running(MAIN.replace('upstreams = ["http://${HOST}:1", "http://b"]', upstreams))
    with pytest.raises(ConfigError) as caught:
        edited_files(config, Edits((edit,)))
    assert f":6: pools.app.{said.partition(' ')[0]}" in str(caught.value) or said in str(caught.value)
    assert said in str(caught.value) and "accepted is to change it there" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_what_does_not_touch_a_reference_is_written(running, tmp_path):
    config = running(MAIN.replace('upstreams = ["http://${HOST}:1", "http://b"]', TABLES))
    assert "drain" in edited_files(config, Edits((changed(order="draining"),)))[str(tmp_path / "main.toml")]


def test_a_level_that_stands_elsewhere_is_not_written(running, monkeypatch):
    monkeypatch.setenv("LEVEL", "info")
    config = running(more='[log]\nlevel = "${LEVEL}"\n')
    with pytest.raises(ConfigError, match=r"more.toml:2: log.level: it stands elsewhere, as \$\{LEVEL\} says"):
        edited_files(config, Edits((), "debug"))


def test_upstreams_in_several_files_are_not_written(running):
    tables = '[[pools.app.upstreams]]\nurl = "http://{}"\n'
    config = running(MAIN.partition("[pools")[0] + tables.format("a"), tables.format("b"))
    with pytest.raises(ConfigError, match=r"pool app: its upstreams are in several files, .*main.toml, .*more.toml"):
        edited_files(config, Edits((changed(3),)))
