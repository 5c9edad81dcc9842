"""``txproxy top``: what it is called with; what it shows of a running proxy is in tests/integration."""

import pytest

from txproxy.cli.top_command import run


def test_it_has_a_help_with_defaults(capsys):
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("--once", "--interval", "[default: 2s]", "--admin ENDPOINT", "/run/txproxy"))


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--interval", "0"], 2, "'0' is no time"),
        (["more"], 2, "more"),
        (["--once", "--admin", "unix:/nonexistent/x.sock"], 1, "is a proxy running with --admin?"),
    ],
)
def test_what_cannot_be_done_is_said(words, status, said, capsys):
    assert run(words) == status
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("txproxy top: ") and said in err
