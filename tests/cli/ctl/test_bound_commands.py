"""``txproxy ctl``: limits and quotas."""

import json

from tests.cli.ctl_rows import rows


def test_limits_are_listed_and_begun_anew(ctl):
    (limiter,) = ctl.view.limiters
    for key in ("192.0.2.1", "192.0.2.1", ("jo",)):
        limiter.rate.take(key, 0.0)
    assert rows(ctl("limits")) == [["0", "0", "0", "2", "0", "0", "yes", "login"]]
    assert rows(ctl("limits", "login")) == [["3", "12s", "192.0.2.1"], ["4", "6.0s", "user", "jo"]]
    assert rows(ctl("limits", "login", "--key", "jo")) == [["4", "6.0s", "user", "jo"]]
    assert ctl("reset", "login", "--key", "jo").out == "login: 1 key begun anew\n"
    assert json.loads(ctl("reset", "login", "--json").out) == {"keys": 1}
    assert "there is no limit 'x'" in ctl("limits", "x", status=1).err


def test_quotas_are_listed_and_forgotten(ctl):
    said = ctl("quotas", "--per", "client")
    _, row, ends = said.out.splitlines()
    assert row.split() == ["client", "3.0M", "3.0M/10M", "out", "192.0.2.1"]
    assert ends.startswith("the day ends at ") and ", the month at " in ends
    assert json.loads(ctl("quotas", "--json").out)["complete"] is True
    assert ctl("forget", "192.0.2.2").out == "0 keys begun anew\n"
    assert ctl("forget", "192.0.2.1", "--period", "day").out == "1 key begun anew\n"
    assert ctl("quotas").out.splitlines()[1].split()[1:3] == ["0", "3.0M/10M"]
    assert json.loads(ctl("forget", "--all", "--json").out) == {"keys": 1}
    assert ctl("quotas").out.splitlines()[1].startswith("the day ends")
    for words in (["forget"], ["forget", "a", "--all"]):
        assert "a KEY or --all is needed" in ctl(*words, status=2).err
