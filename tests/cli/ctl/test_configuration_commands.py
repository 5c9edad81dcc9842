"""``txproxy ctl``: configurations, and how much is logged."""

import json
import os

import pytest

from tests.cli.ctl_rows import A, B, rows
from txproxy.config.configuration_file import ConfigurationFile, Reloaded
from txproxy.config.toml.file import load


def test_a_configuration_is_read_again_and_an_older_one_applied(ctl):
    assert ctl("reload").out == "warning: edge.toml:1: doubtful\nrevision 2 runs\n"
    assert json.loads(ctl("apply", "1", "--json").out)["revision"] == 3
    assert [row[-1] for row in rows(ctl("revisions"))] == ["start", "API", "1"]
    assert rows(ctl("revisions"))[2][:3] == ["3", "1970-01-01T00:00:00+00:00", "yes"]
    assert "\n-workers = 1\n+read\n" in ctl("revisions", "2").out
    assert "accepted: 1, 2, 3" in ctl("apply", "7", status=1).err
    ctl.view.file.answer = Reloaded("edge.toml", ("edge.toml:1: wrong", "edge.toml:2: wrong too"))
    said = ctl("reload", status=1).err
    assert said.endswith("what runs is kept\nedge.toml:1: wrong\nedge.toml:2: wrong too\n")


def test_how_much_is_logged_is_said_and_changed(ctl):
    assert ctl("log-level").out == "info\n"
    assert ctl("log-level", "debug").out == "debug (configured: info)\n"
    assert json.loads(ctl("log-level", "--json").out) == {"level": "debug", "configured": "info"}
    assert "(is debug meant?)" in ctl("log-level", "debugg", status=1).err


def test_what_was_changed_is_written(ctl, pool, tmp_path):
    if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
        pytest.importorskip("tomlkit")
    path = tmp_path / "edge.toml"
    listener = '[[listeners]]\nlisten = ["127.0.0.1:1"]\npool = "app"\n'
    path.write_text(f'[pools.app]\nupstreams = ["{A}", "{B};weight=2;max=5"]\n{listener}')

    def take(config, by):
        ctl.view.file.revisions.add(by, config.text)

    ctl.view.file = ConfigurationFile(load(str(path)), take, print)
    assert ctl("persist").out == f"{path} says what runs: nothing was changed\n"
    ctl("drain", "app", A)
    assert ctl("persist").out == f"pool app: {A} is draining\nwritten into {path}\nrevision 2 runs\n"
    assert f'"{A};drain"' in path.read_text()
    path.write_text("")
    assert "it is not what runs" in ctl("persist", status=1).err
