"""``txproxy ctl``: pools and upstreams."""

import json

from tests.cli.ctl_rows import A, B, rows


def test_pools_and_upstreams_are_tables(ctl, pool):
    pool.take(None, None)
    assert rows(ctl("pools")) == [["app", "2/2", "1", "0", "round-robin"]]
    assert json.loads(ctl("pools", "--json").out)["pools"][0]["name"] == "app"
    one, other = rows(ctl("upstreams"))
    assert one == ["app", A, "healthy", "0.0s", "1", "0", "0", "0", "0", "-", "-"]
    assert other[:7] == ["app", B, "healthy", "0.0s", "2", "1/5", "1"]
    assert list(json.loads(ctl("upstreams", "app", "--json").out)) == ["app"]
    assert "there is no pool 'ap' (is app meant?)" in ctl("upstreams", "ap", status=1).err


def test_upstreams_are_changed(ctl, pool):
    assert ctl("drain", "app", A, "--for", "5m").out == f"{A}: draining\n"
    assert ctl("upstreams", "app").out.splitlines()[1].endswith("  order    drained by the administrator; ends in 5m")
    assert ctl("disable", "app", "8002").out == f"{B}: disabled\n"
    assert ctl("enable", "app", "8001").out == f"{A}: healthy\n"
    assert ctl("weigh", "app", A, "7").out == f"{A}: healthy, weight 7\n"
    assert json.loads(ctl("weigh", "app", A, "0", "--json").out)["state"] == "draining"
    assert ctl("add", "app", "http://10.0.0.3;weight=2").out == "http://10.0.0.3: added, healthy\n"
    assert ctl("remove", "app", "0.3").out == "http://10.0.0.3: removed\n"
    assert [(one.name, one.weight, one.ordered.value) for one in pool.upstreams] == [
        (A, 0, "healthy"), (B, 2, "disabled"),
    ]  # fmt: skip
