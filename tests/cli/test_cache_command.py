"""What ``txproxy cache`` says to people; what it does is in tests/integration."""

import pytest

from txproxy.cli.cache_command import run


@pytest.mark.parametrize("words", [["--help"], ["-h"], []])
def test_help_has_each_verb_and_whom_it_asks(words, capsys):
    status = run(words)
    out, err = capsys.readouterr()
    if not words:
        assert (status, out) == (2, "") and "accepted: list, stats, purge, warm" in err
        return
    assert (status, err) == (0, "")
    assert all(f"txproxy cache {verb} " in out for verb in ("list", "stats", "purge", "warm")) and "/run/txproxy" in out


@pytest.mark.parametrize("verb", ["list", "stats", "purge", "warm"])
def test_each_verb_has_a_help_with_defaults(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        run([verb, "--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0 and "--admin ENDPOINT" in out and "--json" in out
