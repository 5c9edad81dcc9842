"""What ``txproxy cache`` says to people; what it does is in tests/integration."""

import pytest

from txproxy.cli.cache_command import _shown, _size, run


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


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0"), (1023, "1023"), (1024, "1.0k"), (10240, "10k"), (1536 << 20, "1.5G"), (1 << 60, "1048576T")],
)
def test_sizes_are_read_easily(count, shown):
    assert _size(count) == shown


def test_nothing_is_shown_that_a_terminal_would_obey():
    assert _shown("a\x1b[2J\x9bü\n") == "a\\x1b[2J\\x9bü\\n"
